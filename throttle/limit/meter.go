package limit

import (
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// meterWindow is the time over which rates are measured, in seconds.
const meterWindow = 5

// meter measures a rate: bytes in each of the last seconds. It is safe for concurrent use.
type meter struct {
	mu    sync.Mutex // guards the fields below
	slots [meterWindow + 1]int64
	sec   int64 // of the newest slot
	total int64
}

// turn makes the slot of now the newest. mu must be held.
func (m *meter) turn(now time.Duration) {
	sec := int64(now / time.Second)
	if sec-m.sec > meterWindow {
		m.slots, m.sec = [meterWindow + 1]int64{}, sec
	}
	for m.sec < sec {
		m.sec++
		m.slots[m.sec%int64(len(m.slots))] = 0
	}
}

// add counts n bytes.
func (m *meter) add(now time.Duration, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(now)
	m.slots[m.sec%int64(len(m.slots))] += n
	m.total += n
}

// rate returns the mean over the last five seconds: the part of the oldest second that is within them is taken to be
// like all of it.
func (m *meter) rate(now time.Duration) throttle.Rate {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(now)
	var sum int64
	for _, n := range m.slots {
		sum += n
	}
	oldest := m.slots[(m.sec+1)%int64(len(m.slots))]
	sum -= int64(float64(oldest) * (now % time.Second).Seconds())
	return throttle.Rate(sum * 8 / meterWindow)
}

// bytes returns all that was counted.
func (m *meter) bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}
