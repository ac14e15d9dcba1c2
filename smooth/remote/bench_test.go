package remote_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/remote"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// prepared is a transport that answers fragment requests with the same bytes, so that a benchmark measures this package.
type prepared struct {
	*direct
	body []byte
}

// RoundTrip implements [http.RoundTripper].
func (p *prepared) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/video/"+sampleName+"/Manifest" {
		return p.direct.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"video/mp4"}}, Request: r,
		Body: io.NopCloser(bytes.NewReader(p.body)), ContentLength: int64(len(p.body)),
	}, nil
}

// benchPresentation returns a presentation whose fragments have 256 kB, and their size.
func benchPresentation(b testing.TB, cache int64) (smooth.Presentation, int64) {
	c := smoothtest.Default()
	c.MaxPayload = 256 << 10
	c.Streams[0].Levels = []smoothtest.Level{{Bitrate: 4_000_000}}
	src := smoothtest.NewSource()
	src.Add(sampleName, smoothtest.New(c))
	p, err := src.Open(b.Context(), sampleName)
	require.NoError(b, err)
	f := fragment(b, p, benchKey)
	t := &prepared{origin(src), whole(b, f)}
	s, err := remote.New("http://origin/video/", &remote.Options{Client: &http.Client{Transport: t}, Logger: quiet(), CacheBytes: cache})
	require.NoError(b, err)
	b.Cleanup(func() { s.Close() })
	return openNamed(b, s, sampleName), int64(len(t.body))
}

var benchKey = smooth.FragmentKey{Stream: "video", Bitrate: 4_000_000, Time: 2 * second}

func benchmarkFragment(b *testing.B, cache int64) {
	p, size := benchPresentation(b, cache)
	ctx := b.Context()
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		f, err := p.Fragment(ctx, benchKey)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

func BenchmarkFragmentCached(b *testing.B)   { benchmarkFragment(b, 0) }
func BenchmarkFragmentUncached(b *testing.B) { benchmarkFragment(b, -1) }

func BenchmarkFragmentCachedParallel(b *testing.B) {
	p, _ := benchPresentation(b, 0)
	ctx := b.Context()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f, err := p.Fragment(ctx, benchKey)
			if err != nil {
				b.Error(err)
				return
			}
			f.Close()
		}
	})
}

// TestCachedAllocations: what is in memory costs no allocation.
func TestCachedAllocations(t *testing.T) {
	p, _ := benchPresentation(t, 0)
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		f, err := p.Fragment(ctx, benchKey)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	})
	assert.Zero(t, n)
}

// BenchmarkPoll is a poll of a window of four hours in eight tracks of three streams that has grown by one fragment.
func BenchmarkPoll(b *testing.B) {
	c := smoothtest.Config{Live: true, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(7200, 2*second), Levels: []smoothtest.Level{
			{Bitrate: 1}, {Bitrate: 2}, {Bitrate: 3}, {Bitrate: 4}, {Bitrate: 5}, {Bitrate: 6},
		}},
		{Type: smooth.Audio, Name: "a", Durations: smoothtest.Repeat(7200, 2*second), Levels: []smoothtest.Level{{Bitrate: 1}}},
		{Type: smooth.Audio, Name: "b", Durations: smoothtest.Repeat(7200, 2*second), Levels: []smoothtest.Level{{Bitrate: 1}}},
	}}
	own := smoothtest.New(c)
	var xml []byte
	grow := func() {
		own.Append(1)
		m := snapshot(b, own).Manifest
		xml, _ = m.AppendXML(xml[:0], nil)
	}
	grow()
	d := newDirect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(xml) }))
	o := options(d)
	var now clock
	o.Now = now.now
	p := openNamed(b, newSource(b, d, o), liveName)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		grow()
		now.advance(10 * time.Second)
		b.StartTimer()
		if _, err := p.Snapshot(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	assert.Greater(b, snapshot(b, p).Edges[0].Listed, uint64(14_402*second))
}
