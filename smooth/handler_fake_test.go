package smooth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// fakeSource is a presentation in memory, which opens under one name.
type fakeSource struct {
	name string
	p    smooth.Presentation
	err  error
	open func()
}

func (s *fakeSource) Open(_ context.Context, name string) (smooth.Presentation, error) {
	if s.open != nil {
		s.open()
	}
	if s.err != nil {
		return nil, s.err
	}
	if name != s.name {
		return nil, fmt.Errorf("fake: %s: %w", name, smooth.ErrNotFound)
	}
	return s.p, nil
}

// fakePresentation holds fragments in memory.
type fakePresentation struct {
	snapshot  *smooth.Snapshot
	fragments map[smooth.FragmentKey]smooth.FragmentInit
	err       map[smooth.FragmentKey]error
	open      int // presentations and fragments that were not closed
}

func (p *fakePresentation) Snapshot(context.Context) (*smooth.Snapshot, error) {
	return p.snapshot, nil
}
func (p *fakePresentation) Close() error { return nil }

func (p *fakePresentation) Fragment(_ context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	if err := p.err[k]; err != nil {
		return nil, err
	}
	in, ok := p.fragments[k]
	if !ok {
		return nil, fmt.Errorf("fake: %+v: %w", k, smooth.ErrNotFound)
	}
	p.open++
	in.Release = func() { p.open-- }
	return smooth.NewFragment(in), nil
}

// fakeFragment returns a fragment of four samples of size bytes each; the first and third are sync samples.
func fakeFragment(t testing.TB, k smooth.FragmentKey, kind smooth.StreamType, size uint32) smooth.FragmentInit {
	t.Helper()
	head := fmp4.FragmentHead{Sequence: 1, TrackID: 1, Tfxd: true, Time: k.Time, Duration: 20000000}
	for i := range 4 {
		s := fmp4.RunSample{Duration: 5000000, Size: size, Flags: 0x02000000}
		if i%2 == 1 {
			s.Flags = 0x01010000
		}
		head.Samples = append(head.Samples, s)
	}
	b, err := head.AppendTo(nil)
	require.NoError(t, err)
	n := len(b)
	for i := range 4 {
		b = append(b, strings.Repeat(string(rune('a'+i)), int(size))...)
	}
	return smooth.FragmentInit{
		Key: k, Timescale: 10000000, Duration: 20000000, Codec: &smooth.Codec{Type: kind}, Memory: b, HeadLen: n,
	}
}

var modified = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)

func videoKey(time uint64) smooth.FragmentKey {
	return smooth.FragmentKey{Stream: "video", Bitrate: 1200000, Time: time}
}

// newFake returns a presentation of one video and one audio stream with three fragments each, and a text stream.
func newFake(t testing.TB) *fakePresentation {
	t.Helper()
	m := &smooth.Manifest{MajorVersion: 2, Duration: 60000000}
	p := &fakePresentation{fragments: map[smooth.FragmentKey]smooth.FragmentInit{}, err: map[smooth.FragmentKey]error{}}
	for _, k := range []smooth.FragmentKey{
		{Stream: "video", Bitrate: 1200000}, {Stream: "audio_eng", Bitrate: 96000}, {Stream: "textstream", Bitrate: 1000},
	} {
		kind := map[byte]smooth.StreamType{'v': smooth.Video, 'a': smooth.Audio, 't': smooth.Text}[k.Stream[0]]
		s := &smooth.Stream{
			Type: kind, Name: k.Stream, URL: "QualityLevels({bitrate})/Fragments(" + k.Stream + "={start time})",
			Levels: []*smooth.QualityLevel{{Bitrate: k.Bitrate, FourCC: "H264"}},
		}
		if kind == smooth.Text {
			s.Subtype = "SUBT"
		}
		for i := range uint64(3) {
			k.Time = i * 20000000
			s.Timeline = append(s.Timeline, smooth.Chunk{Time: k.Time, Duration: 20000000})
			p.fragments[k] = fakeFragment(t, k, kind, 100)
		}
		m.Streams = append(m.Streams, s)
	}
	p.snapshot = smooth.NewSnapshot(m, "v1")
	p.snapshot.ModTime = modified
	return p
}

// newFakeHandler serves a new fake as a.ism.
func newFakeHandler(t testing.TB, opts *smooth.HandlerOptions) (*smooth.Handler, *fakePresentation) {
	t.Helper()
	p := newFake(t)
	return smooth.NewHandler(&fakeSource{name: "a.ism", p: p}, opts), p
}

// do sends a request with headers given as "Name: value".
func do(h http.Handler, method, target string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}
