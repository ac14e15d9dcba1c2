package edit_test

import (
	"context"
	"io"
	"log/slog"
	"path"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// start is a time of a live event, in ticks of 100 ns, as if counted from the year 1500 or so.
const (
	start  uint64 = 160_000_000_000_000_000
	second        = smooth.DefaultTimescale
)

// event is a recorded event of a minute: two bit rates and sound.
func event() smoothtest.Config {
	return smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Start: start, Durations: smoothtest.Repeat(30, 2*second), Levels: []smoothtest.Level{{Bitrate: 1_500_001}, {Bitrate: 300_000}}},
		{Type: smooth.Audio, Name: "audio_eng", Language: "eng", Start: start + second/10, Durations: smoothtest.Repeat(30, 2*second),
			Levels: []smoothtest.Level{{Bitrate: 64_000}}},
	}}
}

// rich adds all that a presentation may have: text, a sparse stream, custom attributes, a timescale of its own.
func rich() smoothtest.Config {
	c := event()
	c.Streams[0].Levels[1].Attributes = []smooth.Attribute{{Name: "ns_angle", Value: "left"}}
	c.Streams = append(c.Streams,
		smoothtest.Stream{Type: smooth.Audio, Name: "audio_fra", Language: "fra", Timescale: 48_000, Start: start / second * 48_000,
			Durations: smoothtest.Repeat(30, 96_256), Levels: []smoothtest.Level{{Bitrate: 32_000}}},
		smoothtest.Stream{Type: smooth.Text, Name: "textstream_deu", Language: "deu", Subtype: "SUBT", Start: start, Durations: smoothtest.Repeat(12, 5*second),
			Levels: []smoothtest.Level{{Bitrate: 1_000}}},
		smoothtest.Stream{Type: smooth.Text, Name: "ad", Subtype: "DATA", Parent: "video", Start: start - 3*second, Durations: []uint64{10 * second, 20 * second, 1},
			Levels: []smoothtest.Level{{Bitrate: 0, FourCC: "SCTE"}}})
	return c
}

// opened opens a presentation of a store as a server does. Nothing may be odd about it.
func opened(t testing.TB, files smooth.Files, name string) (smooth.Presentation, *smooth.Manifest) {
	t.Helper()
	src := smooth.NewFileSource(struct{ smooth.Files }{files}, &smooth.FileOptions{Logger: strict(t)})
	t.Cleanup(func() { src.Close() })
	p, err := src.Open(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p, manifest(t, p)
}

// strict returns a logger that fails the test at the first warning.
func strict(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		t.Errorf("log: %s", b)
		return len(b), nil
	}), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func manifest(t testing.TB, p smooth.Presentation) *smooth.Manifest {
	t.Helper()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	return s.Manifest
}

// content returns a fragment as it is sent.
func content(t testing.TB, p smooth.Presentation, k smooth.FragmentKey) []byte {
	t.Helper()
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err, "%v", k)
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	require.NoError(t, err)
	return b
}

// payload returns the samples of a fragment.
func payload(t testing.TB, p smooth.Presentation, k smooth.FragmentKey) []byte {
	t.Helper()
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err, "%v", k)
	defer f.Close()
	b, err := f.Load(t.Context(), nil)
	require.NoError(t, err)
	return slices.Clone(b)
}

// keys returns all fragments that a manifest lists.
func keys(m *smooth.Manifest) (list []smooth.FragmentKey) {
	for _, st := range m.Streams {
		for _, lv := range st.Levels {
			for _, c := range st.Timeline {
				list = append(list, smooth.FragmentKey{Stream: st.Name, Bitrate: lv.Bitrate, Attrs: lv.AttrsKey(), Time: c.Time})
			}
		}
	}
	return list
}

// sameFragments requires that both list the same fragments with the same bytes.
func sameFragments(t testing.TB, want, got smooth.Presentation) {
	t.Helper()
	list := keys(manifest(t, want))
	require.ElementsMatch(t, list, keys(manifest(t, got)))
	for _, k := range list {
		require.Equal(t, content(t, want, k), content(t, got, k), "%v", k)
	}
}

// left returns the files in a directory of a store.
func left(t testing.TB, files smooth.Files, dir string) (names []string) {
	t.Helper()
	list, err := files.ReadDir(context.Background(), dir)
	if err != nil {
		return nil
	}
	for _, e := range list {
		names = append(names, path.Join(dir, e.Name()))
	}
	return names
}

// faulty is a presentation with faults.
type faulty struct {
	smooth.Presentation
	snapshot func(*smooth.Snapshot) *smooth.Snapshot
	fragment func(k smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error)
}

func (p *faulty) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	s, err := p.Presentation.Snapshot(ctx)
	if err == nil && p.snapshot != nil {
		s = p.snapshot(s)
	}
	return s, err
}

func (p *faulty) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	f, err := p.Presentation.Fragment(ctx, k)
	if err == nil && p.fragment != nil {
		return p.fragment(k, f)
	}
	return f, err
}
