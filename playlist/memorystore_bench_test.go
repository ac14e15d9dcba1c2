package playlist_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

func BenchmarkMemoryStoreCreate(b *testing.B) {
	m := playlist.NewMemoryStore(nil)
	s := playlist.HalfPlayedSession(time.Now())
	b.ReportAllocs()
	for b.Loop() {
		s.ID = playlist.NewID()
		if err := m.Create(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMemoryStoreUpdateParallel(b *testing.B) {
	now := time.Now()
	m := playlist.NewMemoryStore(nil)
	var ids []playlist.ID
	for range 10_000 {
		s := playlist.HalfPlayedSession(now)
		require.NoError(b, m.Create(b.Context(), s))
		ids = append(ids, s.ID)
	}
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := int(next.Add(7919))
		for ; pb.Next(); i++ {
			err := m.Update(b.Context(), ids[i%len(ids)], now, func(s *playlist.Session) error { s.Used = now; return nil })
			if err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkMemoryStoreBytesPerSession(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(bytesPerSession(b, 1_000_000), "B/session")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemoryStoreMillionExpire creates a million sessions, lets all of them end at one moment and goes on with one
// session as its viewer does, until all others are gone. It reports the longest call while the store grows and while
// it shrinks: on the clock, with whatever else the machine did meanwhile, and in time of the processor where the
// system tells it.
func BenchmarkMemoryStoreMillionExpire(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		now := time.Now()
		m := playlist.NewMemoryStore(&playlist.MemoryOptions{Now: func() time.Time { return now }})
		var grow, shrink longest
		for range 1_000_000 {
			s := playlist.HalfPlayedSession(now)
			grow.time(b, func() error { return m.Create(b.Context(), s) })
		}
		now = now.Add(3 * time.Hour)
		alive := playlist.HalfPlayedSession(now)
		shrink.time(b, func() error { return m.Create(b.Context(), alive) })
		touch := func(s *playlist.Session) error { s.Used = now; return nil }
		for range 100_000 {
			shrink.time(b, func() error { return m.Update(b.Context(), alive.ID, now, touch) })
		}
		n, err := m.Len(b.Context())
		require.NoError(b, err)
		require.Equal(b, 1, n, "all others are gone")
		grow.report(b, "create")
		shrink.report(b, "expire")
	}
	b.ReportMetric(0, "ns/op")
}

// longest is the longest of calls.
type longest struct{ clock, processor time.Duration }

func (l *longest) time(b *testing.B, call func() error) {
	clock, processor := time.Now(), threadTime()
	err := call()
	l.processor = max(l.processor, threadTime()-processor)
	l.clock = max(l.clock, time.Since(clock))
	if err != nil {
		b.Fatal(err)
	}
}

func (l *longest) report(b *testing.B, name string) {
	b.ReportMetric(float64(l.clock.Microseconds()), "µs-longest-"+name)
	b.ReportMetric(float64(l.processor.Microseconds()), "cpu-µs-longest-"+name)
}
