package hls

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/grafov/m3u8"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const benchSegments = 2000

// benchShow returns a presentation of 2,000 segments of six seconds.
func benchShow(b *testing.B, live bool) (*smoothtest.Presentation, *show) {
	c := smoothtest.Config{Live: live, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(3*benchSegments, 2*smooth.DefaultTimescale), Levels: []smoothtest.Level{{Bitrate: 3_000_000}}},
		{Type: smooth.Audio, Durations: smoothtest.Repeat(3*benchSegments, 2*smooth.DefaultTimescale), Levels: []smoothtest.Level{{Bitrate: 128_000}}},
	}}
	p := smoothtest.New(c)
	s, err := p.Snapshot(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	w, err := newShow(s, separate, formatDefault, false)
	if err != nil {
		b.Fatal(err)
	}
	return p, w
}

func benchOutput() (*Output, linker) {
	q := &smooth.Request{Presentation: "film.ism", Kind: smooth.TrackManifestRequest, Format: formatDefault,
		Key: smooth.FragmentKey{Stream: "video", Bitrate: 3_000_000}}
	return NewOutput(&Options{Logger: slog.New(slog.DiscardHandler)}), newLinker(q, "", true, nil)
}

// BenchmarkMediaPlaylist makes the list of a film of 3:20 hours of which nothing is known yet.
func BenchmarkMediaPlaylist(b *testing.B) {
	_, known := benchShow(b, false)
	o, link := benchOutput()
	b.ReportAllocs()
	for b.Loop() {
		s := smooth.NewSnapshot(known.snap.Manifest, "")
		s.Periods = known.snap.Periods
		w, err := newShow(s, separate, formatDefault, false)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(o.mediaPlaylist(w, &w.video[0], link, "film"))))
	}
}

// BenchmarkLivePlaylist makes the list of a live presentation after a segment has come.
func BenchmarkLivePlaylist(b *testing.B) {
	p, _ := benchShow(b, true)
	o, link := benchOutput()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		p.Append(3)
		p.Trim(3)
		s, err := p.Snapshot(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		w, err := newShow(s, separate, formatDefault, false)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		b.SetBytes(int64(len(o.mediaPlaylist(w, &w.video[0], link, "film"))))
	}
}

// BenchmarkPlaylistGrafov writes the same list with grafov/m3u8.
func BenchmarkPlaylistGrafov(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		list, err := m3u8.NewMediaPlaylist(0, benchSegments)
		if err != nil {
			b.Fatal(err)
		}
		for i := range benchSegments {
			if err := list.Append("Fragments(video="+strconv.Itoa(i*60_000_000)+",format=m3u8-aapl,n=3).ts", 6, ""); err != nil {
				b.Fatal(err)
			}
		}
		list.Close()
		b.SetBytes(int64(list.Encode().Len()))
	}
}

// BenchmarkSegment makes the segments of the sample, 480p muxed, through the handler.
func BenchmarkSegment(b *testing.B) {
	for _, c := range []struct {
		name string
		opts Options
	}{
		{"cold", Options{CacheBytes: -1}},
		{"hot", Options{}},
		{"aes-128", Options{CacheBytes: -1, Encryption: &Encryption{Keys: StaticKey{1}}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			log := slog.New(slog.DiscardHandler)
			c.opts.Logger = log
			h := smooth.NewHandler(smooth.FS(smoothtest.Sample(), nil), &smooth.HandlerOptions{Logger: log, Outputs: []smooth.Output{NewOutput(&c.opts)}})
			r := httptest.NewRequest(http.MethodGet, "/sample.ism/QualityLevels(294000)/Fragments(video=60000000,format=m3u8-aapl-v3)", nil)
			b.ReportAllocs()
			for b.Loop() {
				w := &countingWriter{header: make(http.Header)}
				h.ServeHTTP(w, r)
				b.SetBytes(w.n)
			}
		})
	}
}

// countingWriter is a response that goes nowhere.
type countingWriter struct {
	header http.Header
	n      int64
}

func (w *countingWriter) Header() http.Header         { return w.header }
func (w *countingWriter) Write(p []byte) (int, error) { w.n += int64(len(p)); return len(p), nil }
func (w *countingWriter) WriteHeader(int)             {}

func (w *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(io.Discard, r)
	w.n += n
	return n, err
}
