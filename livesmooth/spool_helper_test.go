package livesmooth_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// spoolPresentation makes each fragment once for all tests, as noise takes its time.
type spoolPresentation struct {
	*smoothtest.Presentation
	open *atomic.Int32 // fragments that are not closed
}

// spoolMade holds the fragments that have been made, by key.
var spoolMade sync.Map

// Fragment implements [smooth.Presentation].
func (p spoolPresentation) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	if _, err := p.FragmentSize(k); err != nil {
		return nil, err
	}
	made, ok := spoolMade.Load(k)
	if !ok {
		f, err := p.Presentation.Fragment(ctx, k)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		var b bytes.Buffer
		if _, err := f.WriteTo(&b); err != nil {
			return nil, err
		}
		made, _ = spoolMade.LoadOrStore(k, smooth.FragmentInit{
			Key: k, Timescale: f.Timescale, Duration: f.Duration, Codec: f.Codec, Memory: b.Bytes(), HeadLen: int(f.Size() - f.PayloadSize()),
		})
	}
	in := made.(smooth.FragmentInit)
	p.open.Add(1)
	in.Release = func() { p.open.Add(-1) }
	return smooth.NewFragment(in), nil
}

// spoolMedia returns a presentation with large and small fragments of two seconds.
func spoolMedia(fragments int) spoolPresentation {
	durations := smoothtest.Repeat(fragments, 2*smooth.DefaultTimescale)
	return spoolPresentation{smoothtest.New(smoothtest.Config{MaxPayload: 1 << 20, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: durations, Levels: []smoothtest.Level{
			{Bitrate: 3_000_000}, {Bitrate: 300_000, Attributes: []smooth.Attribute{{Name: "angle", Value: "2"}}},
		}},
		{Type: smooth.Audio, Durations: durations, Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}), new(atomic.Int32)}
}

// spoolKeptOpen is a presentation that its users do not close.
type spoolKeptOpen struct{ smooth.Presentation }

// Close implements [smooth.Presentation].
func (spoolKeptOpen) Close() error { return nil }

// spoolInput describes all tracks of a presentation.
func spoolInput(t testing.TB, p smooth.Presentation) smooth.InputInfo {
	t.Helper()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	in := smooth.InputInfo{ID: "encoder"}
	for _, st := range s.Manifest.Streams {
		for _, l := range st.Levels {
			k := smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Attrs: l.AttrsKey()}
			in.Tracks = append(in.Tracks, smooth.InputTrack{
				ID: uint32(len(in.Tracks) + 1), Key: k, Stream: st, Level: l, Codec: s.Track(k).Codec,
			})
		}
	}
	return in
}

// spoolKeys returns the keys of all fragments in the order in which an encoder sends them.
func spoolKeys(t testing.TB, p smooth.Presentation) []smooth.FragmentKey {
	t.Helper()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	var keys []smooth.FragmentKey
	for _, st := range s.Manifest.Streams {
		for _, l := range st.Levels {
			for _, c := range st.Timeline {
				keys = append(keys, smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Attrs: l.AttrsKey(), Time: c.Time})
			}
		}
	}
	slices.SortStableFunc(keys, func(a, b smooth.FragmentKey) int { return int(int64(a.Time) - int64(b.Time)) })
	return keys
}

// spoolForTest makes a spool in a directory of its own, and looks that nothing is left of it at the end.
func spoolForTest(t testing.TB, opts livesmooth.SpoolOptions) (*livesmooth.Spool, string) {
	t.Helper()
	dir := t.TempDir()
	opts.Logger = slog.New(slog.DiscardHandler)
	s, err := livesmooth.NewSpool(dir, &opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		assert.Empty(t, spoolFiles(t, dir), "left in the directory")
		assert.Zero(t, livesmooth.SpoolOpen(s), "open files")
		assert.Zero(t, livesmooth.SpoolMemory(s), "memory")
	})
	return s, dir
}

// beginSpool begins a recording of the tracks of p, which ends with the test.
func beginSpool(t testing.TB, s *livesmooth.Spool, p smooth.Presentation) (smooth.Recording, smooth.Presentation) {
	t.Helper()
	r, err := s.Begin(t.Context(), smooth.EventInfo{Point: "a.isml", Started: time.Unix(1, 0)})
	require.NoError(t, err)
	h := r.History()
	t.Cleanup(func() {
		assert.NoError(t, r.Close(context.Background(), true))
		assert.NoError(t, h.Close())
	})
	require.NoError(t, r.Declare(t.Context(), spoolInput(t, p)))
	return r, h
}

// appendSpool appends one fragment of p.
func appendSpool(t testing.TB, r smooth.Recording, p smooth.Presentation, k smooth.FragmentKey) error {
	t.Helper()
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err)
	return r.Append(t.Context(), "encoder", f)
}

// spoolBytes returns the bytes of a fragment of p.
func spoolBytes(t testing.TB, p smooth.Presentation, k smooth.FragmentKey) []byte {
	t.Helper()
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err, "%v", k)
	defer f.Close()
	return spoolWritten(t, f)
}

func spoolWritten(t testing.TB, f *smooth.Fragment) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Grow(int(f.Size()) + bytes.MinRead)
	n, err := f.WriteTo(&b)
	require.NoError(t, err)
	require.Equal(t, f.Size(), n)
	return b.Bytes()
}

// spoolSameBytes fails without writing megabytes.
func spoolSameBytes(t testing.TB, want, got []byte, what any) bool {
	t.Helper()
	if !bytes.Equal(want, got) {
		t.Errorf("%v: %d bytes that differ from the %d appended ones", what, len(got), len(want))
		return false
	}
	return true
}

// spoolFiles lists all files below a directory.
func spoolFiles(t testing.TB, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && path != dir {
			name, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	}))
	return names
}

// spoolSegments counts the files with fragments.
func spoolSegments(t testing.TB, dir string) int {
	t.Helper()
	n := 0
	for _, name := range spoolFiles(t, dir) {
		if strings.HasSuffix(name, ".segment") {
			n++
		}
	}
	return n
}
