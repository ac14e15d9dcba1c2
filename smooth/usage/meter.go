package usage

import (
	"runtime"
	"time"
)

// readings is how many seconds rates are averages of, and one.
const readings = 6

// meter makes rates of totals. It is for one goroutine at a time.
type meter struct {
	ring [readings]reading // the newest last
}

// reading are totals at a time.
type reading struct {
	at             time.Time
	sent, received int64
	cpu            time.Duration // negative if unknown
}

// speed is what there was between two readings: bit/s, and millionths of a percent of all processors, or -1.
type speed struct{ sent, received, cpu int64 }

func (m *meter) start(now time.Time) {
	for i := range m.ring {
		m.ring[i] = reading{at: now, cpu: processTime()}
	}
}

// add takes a reading and returns the speed since the one before, if time has passed.
func (m *meter) add(r reading) (speed, bool) {
	if !r.at.After(m.ring[readings-1].at) {
		return speed{}, false
	}
	copy(m.ring[:], m.ring[1:])
	m.ring[readings-1] = r
	return between(&m.ring[readings-2], &r), true
}

// over returns the speed over all readings.
func (m *meter) over() speed { return between(&m.ring[0], &m.ring[readings-1]) }

func between(a, b *reading) speed {
	d := b.at.Sub(a.at).Seconds()
	if d <= 0 {
		return speed{cpu: -1}
	}
	v := speed{sent: int64(float64(b.sent-a.sent) * 8 / d), received: int64(float64(b.received-a.received) * 8 / d), cpu: -1}
	if a.cpu >= 0 && b.cpu >= a.cpu {
		share := (b.cpu - a.cpu).Seconds() / d / float64(runtime.NumCPU())
		v.cpu = int64(min(share, 1) * 100 * 1e6)
	}
	return v
}
