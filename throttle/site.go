package throttle

import "sync"

// site divides the target throughput. With target T, the floors f of N viewers and their sum, a viewer's rate is
//
//	max(f, min(T, f + max(0, T-sum)/N))
//
// so that what is left is divided evenly, and nobody is slower than the configured rate, for which T may be exceeded.
// See the advanced settings of Bit Rate Throttling. Parallel responses of a player are one viewer.
type site struct {
	mu     sync.Mutex // guards the fields below
	target Rate
	sum    Rate
	n      int64
}

// viewer is one of the site.
type viewer struct {
	site  *site
	floor Rate
}

func (s *site) setTarget(target Rate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = target
}

func (s *site) join(floor Rate) *viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum += floor
	s.n++
	return &viewer{s, floor}
}

func (v *viewer) leave() {
	v.site.mu.Lock()
	defer v.site.mu.Unlock()
	v.site.sum -= v.floor
	v.site.n--
}

// rate returns what the viewer may have now.
func (v *viewer) rate() Rate {
	s := v.site
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.target <= s.sum {
		return v.floor
	}
	return max(v.floor, min(s.target, v.floor+(s.target-s.sum)/Rate(s.n)))
}
