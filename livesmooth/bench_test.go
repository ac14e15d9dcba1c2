package livesmooth

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// rig is a started point, and an encoder that feeds it without a network: one source with all tracks, fragments of two
// seconds.
type rig struct {
	b     testing.TB
	srv   *Server
	point *Point
	cast  *broadcast
	src   *source
	lanes []lane
	heads [][]byte // early heads, by lane
	next  int      // number of the next fragment
	clock time.Time
}

// rigLanes are eight tracks: six levels of picture, sound in two languages.
func rigLanes(size int) []lane {
	var list []lane
	for _, rate := range []uint64{400, 700, 1200, 2000, 3000, 5000} {
		list = append(list, lane{typ: smooth.Video, name: "video", bitrate: rate * 1000, size: size})
	}
	for _, language := range []string{"eng", "deu"} {
		list = append(list, lane{typ: smooth.Audio, name: "audio_" + language, language: language, bitrate: 128_000, size: size})
	}
	return list
}

func newRig(b testing.TB, window time.Duration, version string, lanes []lane) *rig {
	g := &rig{b: b, lanes: lanes, clock: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)}
	var err error
	g.srv, err = NewServer(&Options{
		Logger: slog.New(slog.DiscardHandler), MemoryBudget: 1 << 40, Now: func() time.Time { return g.clock },
	})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, g.srv.Close()) })
	set := DefaultSettings()
	set.Viewers.WindowLength, set.Viewers.ManifestVersion = window, version
	g.point, err = g.srv.Create(b.Context(), "live/a.isml", set)
	require.NoError(b, err)
	require.NoError(b, g.point.Start(b.Context()))
	g.cast = g.point.live.Load()
	g.src, err = g.cast.connect(PushInfo{Input: "1", Source: "HTTP Push", Address: "127.0.0.1"}, nil)
	require.NoError(b, err)
	h := &pushHeader{raw: []byte("header")}
	for i, l := range lanes {
		h.tracks = append(h.tracks, l.track(uint32(i+1)))
		g.heads = append(g.heads, l.head(b, uint32(i+1)))
	}
	require.NoError(b, g.cast.register(g.src, h))
	return g
}

// head returns an early head with as many samples as a fragment of two seconds has.
func (l lane) head(b testing.TB, id uint32) []byte {
	n := 50
	if l.typ == smooth.Audio {
		n = 94
	}
	samples := make([]fmp4.RunSample, n)
	for i := range samples {
		samples[i] = fmp4.RunSample{Duration: 2 * scale / uint32(n), Size: uint32(l.size / n), Flags: fmp4.FlagsDelta}
	}
	samples[0].Flags, samples[0].Size = fmp4.FlagsSync, samples[0].Size+uint32(l.size%n)
	h := fmp4.FragmentHead{Sequence: 1, TrackID: id, Tfxd: true, Duration: 2 * scale, Samples: samples}
	head, err := h.AppendTo(nil)
	require.NoError(b, err)
	return head
}

// fragment makes the next fragment of a lane as an encoder's would be after it has been read.
func (g *rig) fragment(n int) *pushFragment {
	buf := g.cast.pool.make(g.lanes[n].size, len(g.heads[n]))
	copy(buf.Early(), g.heads[n])
	return &pushFragment{track: n, time: int64(g.next) * 2 * scale, duration: 2 * scale, buf: buf}
}

// step takes the next fragment of each lane.
func (g *rig) step() {
	g.clock = g.clock.Add(2 * time.Second)
	for n := range g.lanes {
		if err := g.cast.accept(g.src, g.fragment(n)); err != nil {
			g.b.Fatal(err)
		}
	}
	g.next++
}

// fill fills a window, and as much again as is kept for clients that are late.
func (g *rig) fill(window time.Duration) {
	for range window/(2*time.Second) + 40 {
		g.step()
	}
}

// BenchmarkAccept takes a fragment of a single track: one operation is a fragment, listed and published.
func BenchmarkAccept(b *testing.B) {
	for _, size := range []int{750_000, 32_000} {
		b.Run(strconv.Itoa(size/1000)+"kB", func(b *testing.B) {
			l := rigLanes(size)[4:5]
			g := newRig(b, time.Minute, "2.0", l)
			g.fill(time.Minute)
			b.ReportAllocs()
			for b.Loop() {
				g.step()
			}
		})
	}
}

// BenchmarkPublish takes a fragment of each of eight tracks, with windows of different lengths: the cost must not depend on
// it.
func BenchmarkPublish(b *testing.B) {
	for _, window := range []time.Duration{10 * time.Minute, 4 * time.Hour} {
		b.Run(window.String(), func(b *testing.B) {
			g := newRig(b, window, "2.0", rigLanes(64))
			g.fill(window)
			b.ReportAllocs()
			for b.Loop() {
				g.step()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(g.lanes)), "ns/fragment")
		})
	}
}

// BenchmarkFragment looks a fragment up in a window of four hours, and gives it back.
func BenchmarkFragment(b *testing.B) {
	g := newRig(b, 4*time.Hour, "2.0", rigLanes(64))
	g.fill(4 * time.Hour)
	run := func(n int) bool {
		k := g.lanes[2].key(g.next - 3 - n%7000)
		f, err := g.point.Fragment(context.Background(), k)
		if err != nil {
			b.Error(err)
			return false
		}
		f.Close()
		return true
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop() && run(n); n += 997 {
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for n := rand.IntN(7000); pb.Next() && run(n); n += 997 {
			}
		})
	})
}

// sinkhole is a response that goes nowhere.
type sinkhole struct {
	header http.Header
	status int
	bytes  int
}

func (w *sinkhole) Header() http.Header    { return w.header }
func (w *sinkhole) WriteHeader(status int) { w.status = status }
func (w *sinkhole) Write(p []byte) (int, error) {
	w.bytes += len(p)
	return len(p), nil
}

// BenchmarkManifest polls the manifest of eight tracks and four hours, right after a fragment has come: one operation is the
// poll.
func BenchmarkManifest(b *testing.B) {
	for _, version := range []string{"2.0", "2.2"} {
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(version+"/"+encoding, func(b *testing.B) {
				g := newRig(b, 4*time.Hour, version, rigLanes(64))
				g.fill(4 * time.Hour)
				r := httptest.NewRequest(http.MethodGet, "/live/a.isml/Manifest", nil)
				r.Header.Set("Accept-Encoding", encoding)
				b.ReportAllocs()
				w := &sinkhole{}
				for b.Loop() {
					b.StopTimer()
					g.step()
					*w = sinkhole{header: make(http.Header)}
					b.StartTimer()
					g.srv.ServeHTTP(w, r)
				}
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
				b.ReportMetric(float64(w.bytes), "bytes")
			})
		}
	}
}

// BenchmarkFanOut asks for the newest fragments of 750 kB through the server, into a response that goes nowhere.
func BenchmarkFanOut(b *testing.B) {
	g := newRig(b, time.Minute, "2.0", rigLanes(750_000)[:6])
	g.fill(time.Minute)
	var requests []*http.Request
	for n, l := range g.lanes {
		for i := range 8 {
			path := fmt.Sprintf("/live/a.isml/QualityLevels(%d)/Fragments(video=%d)", l.bitrate, l.key(g.next-3-i).Time)
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr = fmt.Sprintf("192.0.2.%d:40000", 8*n+i)
			requests = append(requests, r)
		}
	}
	run := func(w *sinkhole, n int) bool {
		clear(w.header)
		if g.srv.ServeHTTP(w, requests[n%len(requests)]); w.status != http.StatusOK {
			b.Error(w.status)
			return false
		}
		return true
	}
	b.Run("one", func(b *testing.B) {
		w := &sinkhole{header: make(http.Header)}
		b.ReportAllocs()
		for n := 0; b.Loop() && run(w, n); n++ {
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			w := &sinkhole{header: make(http.Header)}
			for n := rand.IntN(len(requests)); pb.Next() && run(w, n); n++ {
			}
		})
	})
	b.Run("viewer", func(b *testing.B) { // what package smooth does of it
		h := smooth.NewHandler(g.srv, &smooth.HandlerOptions{Logger: slog.New(slog.DiscardHandler)})
		w := &sinkhole{header: make(http.Header)}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			clear(w.header)
			h.ServeHTTP(w, requests[n%len(requests)])
		}
	})
}
