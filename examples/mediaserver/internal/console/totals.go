package console

import "strconv"

// DeniedTotal is the sum of the requests that limits refused.
func (l *Limits) DeniedTotal() int64 {
	total := int64(0)
	for _, c := range l.Denied {
		total += c.N
	}
	return total
}

// UpstreamsWord says how many of the upstreams are healthy.
func (e *Edge) UpstreamsWord() string {
	healthy := 0
	for _, u := range e.Upstreams {
		if u.Healthy {
			healthy++
		}
	}
	return strconv.Itoa(healthy) + " of " + strconv.Itoa(len(e.Upstreams))
}
