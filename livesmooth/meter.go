package livesmooth

import (
	"sync"
	"time"
)

// meterSeconds is the span that a meter looks back on.
const meterSeconds = 10

// meter measures a rate over the last seconds. It is safe for concurrent use.
type meter struct {
	mu      sync.Mutex // guards the fields below
	buckets [meterSeconds]uint64
	second  int64 // of the newest bucket
	since   int64 // second of the first count
}

// add counts n at a time.
func (m *meter) add(n uint64, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forward(now.Unix())
	m.buckets[m.second%meterSeconds] += n
}

// forward empties the buckets of the seconds that have passed. mu must be held.
func (m *meter) forward(second int64) {
	if m.since == 0 {
		m.since, m.second = second, second
	}
	for i := max(m.second+1, second-meterSeconds+1); i <= second; i++ {
		m.buckets[i%meterSeconds] = 0
	}
	m.second = max(m.second, second)
}

// rate returns the count per second.
func (m *meter) rate(now time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since == 0 {
		return 0
	}
	m.forward(now.Unix())
	sum := uint64(0)
	for _, n := range m.buckets {
		sum += n
	}
	return float64(sum) / float64(min(m.second-m.since+1, meterSeconds))
}
