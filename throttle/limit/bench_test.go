package limit_test

import (
	"encoding/binary"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/limit"
)

// blank is a response writer that does nothing.
type blank struct{ header http.Header }

func (b *blank) Header() http.Header         { return b.header }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
func (b *blank) WriteHeader(int)             {}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// all are limits of every kind that no test here reaches.
var all = limit.Limits{
	Players: 1 << 30, PlayersPerFile: 1 << 30, PlayersPerAddress: 1 << 30, RequestsPerPlayer: 1 << 30, ConnectionRate: 1e9,
}

func TestRunningSessionsDoNotAllocate(t *testing.T) {
	h := limit.NewHandler(nothing, &limit.Options{Rules: limit.Rules{Server: all}})
	w := &blank{make(http.Header)}
	for name, r := range map[string]*http.Request{
		"address": request("/live/a.isml/QualityLevels(300000)/Fragments(video=0)", "10.0.0.1"),
		"session": request("/hls/seg.ts", "10.0.0.1"),
	} {
		if name == "session" {
			r.Header.Set("X-Playback-Session-Id", "6e2fb550-c457-11e9-bb97-0800200c9a66")
		}
		h.ServeHTTP(w, r)
		assert.Zero(t, testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }), name)
	}
}

func BenchmarkRunningSession(b *testing.B) {
	h := limit.NewHandler(nothing, &limit.Options{Rules: limit.Rules{Server: all}})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w, r := &blank{make(http.Header)}, request("/live/a.isml/QualityLevels(300000)/Fragments(video=0)", "10.0.0.1")
		for pb.Next() {
			h.ServeHTTP(w, r)
		}
	})
}

func BenchmarkPacedRequest(b *testing.B) {
	h := limit.NewHandler(ok, &limit.Options{Rules: limit.Rules{Server: limit.Limits{BandwidthPerPlayer: throttle.MaxRate}}})
	w, r := &blank{make(http.Header)}, request("/live/a.isml/QualityLevels(300000)/Fragments(video=0)", "10.0.0.1")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func BenchmarkRefusal(b *testing.B) {
	h := limit.NewHandler(nothing, &limit.Options{Rules: limit.Rules{Server: limit.Limits{Players: 1}}})
	w := &blank{make(http.Header)}
	h.ServeHTTP(w, request("/a", "10.0.0.1"))
	r := request("/a", "10.0.0.2")
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// BenchmarkMillionSessions admits a million viewers of a thousand files, and later as many others while the first expire.
// It reports the memory of one and the longest request meanwhile.
func BenchmarkMillionSessions(b *testing.B) {
	const viewers = 1_000_000
	for b.Loop() {
		c := newClock()
		var id [4]byte
		h := limit.NewHandler(nothing, &limit.Options{
			Rules: limit.Rules{Server: all}, Now: c.Now,
			Address: func(*http.Request) netip.Addr { return netip.AddrFrom4(id) },
		})
		w, r := &blank{make(http.Header)}, request("/", "")
		paths := make([]string, 1000)
		for i := range paths {
			paths[i] = "/live/event" + strconv.Itoa(i) + ".isml/Manifest"
		}
		admit := func(from int) (longest time.Duration) {
			for i := range viewers {
				binary.BigEndian.PutUint32(id[:], uint32(from+i))
				r.URL.Path = paths[i%len(paths)]
				begun := time.Now()
				h.ServeHTTP(w, r)
				longest = max(longest, time.Since(begun))
			}
			return longest
		}
		before := heap()
		first := admit(0)
		b.ReportMetric(float64(heap()-before)/viewers, "B/session")
		c.pass(time.Hour)
		later := admit(viewers)
		b.ReportMetric(float64(first.Microseconds()), "µs-longest-first")
		b.ReportMetric(float64(later.Microseconds()), "µs-longest-later")
		assert.LessOrEqual(b, limit.Kept(h), viewers)

		c.pass(time.Hour)
		begun := time.Now()
		assert.Zero(b, h.Stats(0).Sessions)
		b.ReportMetric(float64(time.Since(begun).Milliseconds()), "ms-to-settle")
	}
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
