package usage

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// counters are the totals of a recorder.
type counters struct {
	sent, received              striped
	active                      atomic.Int64
	aborted, overflow           atomic.Int64
	throttled, late, starved    atomic.Int64
	viewers                     atomic.Int64
	viewersBy                   [protocols]atomic.Int64
	sessionsBy                  [protocols]atomic.Int64
	requests                    [kinds][statuses]atomic.Int64
	denied                      words
	cache                       words
	events                      words
	seconds                     [kinds]timings
	peakViewers, peakActive     atomic.Int64
	peakSent, peakReceived      atomic.Int64 // bit/s of one second
	rateSent, rateReceived, cpu atomic.Int64 // bit/s over some seconds; millionths of a percent
}

// statuses are the classes of statuses: none, 1xx to 5xx.
const statuses = 6

func statusClass(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}

// stripes is how many parts a counter has that every write of every request adds to.
const stripes = 8

// striped is a counter whose parts are in different cache lines, so that processors do not wait for each other.
type striped [stripes]struct {
	n atomic.Int64
	_ [56]byte
}

// add adds to the part of a request.
func (c *striped) add(part uint8, n int64) { c[part%stripes].n.Add(n) }

func (c *striped) load() (n int64) {
	for i := range c {
		n += c[i].n.Load()
	}
	return n
}

// total returns the number of requests that ended, and those with a status of 5xx.
func (c *counters) total() (all, failed int64) {
	for k := range c.requests {
		for s := range c.requests[k] {
			n := c.requests[k][s].Load()
			all += n
			if s == 5 {
				failed += n
			}
		}
	}
	return all, failed
}

// rise makes peak at least n.
func rise(peak *atomic.Int64, n int64) {
	for {
		old := peak.Load()
		if n <= old || peak.CompareAndSwap(old, n) {
			return
		}
	}
}

// Bounds of words that come from headers.
const (
	maxWords      = 32
	maxWordLength = 32
)

// words counts by short words. There are few; what is no such word, or is one too many, counts as "other".
type words struct {
	mu sync.RWMutex // guards all
	// all are the counters by word.
	all map[string]*atomic.Int64
}

func (w *words) add(word string) {
	word = plainWord(word)
	w.mu.RLock()
	n := w.all[word]
	w.mu.RUnlock()
	if n == nil {
		n = w.make(word)
	}
	n.Add(1)
}

func (w *words) make(word string) *atomic.Int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[string]*atomic.Int64)
	}
	if len(w.all) >= maxWords && w.all[word] == nil {
		word = otherStreams
	}
	n := w.all[word]
	if n == nil {
		n = new(atomic.Int64)
		w.all[strings.Clone(word)] = n
	}
	return n
}

func (w *words) sum() (n int64) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, v := range w.all {
		n += v.Load()
	}
	return n
}

func (w *words) counts() map[string]int64 {
	w.mu.RLock()
	defer w.mu.RUnlock()
	m := make(map[string]int64, len(w.all))
	for word, n := range w.all {
		m[word] = n.Load()
	}
	return m
}

// plainWord returns the first word of a header's value in lower case, or "other" if it is none. The usual words in capitals
// are converted without allocating.
func plainWord(s string) string {
	if i := strings.IndexAny(s, " ,;"); i >= 0 {
		s = s[:i]
	}
	if s == "" || len(s) > maxWordLength {
		return otherStreams
	}
	lower := true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			lower = false
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return otherStreams
		}
	}
	switch {
	case lower:
		return s
	case s == "HIT":
		return "hit"
	case s == "MISS":
		return "miss"
	case s == "COALESCED":
		return "coalesced"
	}
	return strings.ToLower(s)
}

// bounds are those of the histogram of times, in seconds.
func bounds() [10]float64 { return [...]float64{0.005, 0.02, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30} }

// timings is a histogram of how long requests took.
type timings struct {
	buckets [11]atomic.Int64 // not cumulative; the last is above all bounds
	sum     atomic.Int64     // nanoseconds
}

func (t *timings) add(d time.Duration) {
	i := 0
	for limits, s := bounds(), d.Seconds(); i < len(limits) && s > limits[i]; {
		i++
	}
	t.buckets[i].Add(1)
	t.sum.Add(int64(d))
}

// read returns cumulative buckets.
func (t *timings) read() (buckets []Bucket, count uint64, sum float64) {
	for i, bound := range bounds() {
		count += uint64(t.buckets[i].Load())
		buckets = append(buckets, Bucket{bound, count})
	}
	return buckets, count + uint64(t.buckets[len(t.buckets)-1].Load()), time.Duration(t.sum.Load()).Seconds()
}
