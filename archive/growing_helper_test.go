package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

const tick = smooth.DefaultTimescale // per second

// tape is a file that grows: in memory, or on disk if it lends descriptors.
type tape struct {
	mu    sync.Mutex // guards the fields below
	data  []byte
	path  string
	lent  int
	fails error
}

func (f *tape) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil {
		return 0, f.fails
	}
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *tape) append(b []byte) (offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	offset = int64(len(f.data))
	f.data = append(f.data, b...)
	return offset
}

// Lease implements [smooth.Leaser].
func (f *tape) Lease() (*os.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" {
		return nil, errors.New("none to lend")
	}
	if err := os.WriteFile(f.path, f.data, 0o600); err != nil {
		return nil, err
	}
	f.lent++
	return os.Open(f.path)
}

// Return implements [smooth.Leaser].
func (f *tape) Return(file *os.File) {
	file.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lent--
}

// recorder makes an index and files of the fragments of a presentation in memory.
type recorder struct {
	t      *testing.T
	from   *smoothtest.Presentation
	index  *index.Index
	tapes  []*tape // one per stream
	tracks map[smooth.FragmentKey]int
	closed int // how often the files have been given back
}

// newRecorder declares all tracks of a configuration.
func newRecorder(t *testing.T, c smoothtest.Config) *recorder {
	r := &recorder{t: t, from: smoothtest.New(c), index: index.New("test-"), tracks: make(map[smooth.FragmentKey]int)}
	snap, err := r.from.Snapshot(t.Context())
	require.NoError(t, err)
	for i, st := range snap.Manifest.Streams {
		r.tapes = append(r.tapes, &tape{data: []byte("header")})
		for _, l := range st.Levels {
			k := smooth.FragmentKey{Stream: st.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate}
			r.tracks[k] = r.index.Declare(index.Track{Key: k, Stream: st, Level: l, Codec: snap.Track(k).Codec, File: i, ID: 7})
		}
	}
	return r
}

func (r *recorder) files(n int) (io.ReaderAt, smooth.Leaser) {
	if n >= len(r.tapes) {
		return nil, nil
	}
	return r.tapes[n], r.tapes[n]
}

// add records one fragment.
func (r *recorder) add(k smooth.FragmentKey) {
	r.t.Helper()
	f, err := r.from.Fragment(r.t.Context(), k)
	require.NoError(r.t, err)
	defer f.Close()
	b := bytesOf(r.t, f)
	k.Time = 0
	number := r.tracks[k]
	offset := r.tapes[r.index.Track(number).File].append(b)
	require.True(r.t, r.index.Add(number, index.Entry{
		Time: f.Key.Time, Duration: f.Duration, Offset: offset,
		Head: uint32(f.Size() - f.PayloadSize()), Payload: uint32(f.PayloadSize()),
	}))
}

// until records the fragments that end at a time or before, in ticks, in the order of their ends, and that it has not yet.
func (r *recorder) until(end uint64) {
	r.t.Helper()
	type next struct {
		key smooth.FragmentKey
		end uint64
	}
	var list []next
	snap, err := r.from.Snapshot(r.t.Context())
	require.NoError(r.t, err)
	for _, st := range snap.Manifest.Streams {
		for _, l := range st.Levels {
			k := smooth.FragmentKey{Stream: st.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate}
			for _, c := range st.Timeline {
				k.Time = c.Time
				if _, there := r.index.Find(r.tracks[trackOf(k)], c.Time); !there && c.End() <= end {
					list = append(list, next{k, c.End()})
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b next) int { return int(int64(a.end - b.end)) })
	for _, n := range list {
		r.add(n.key)
	}
}

func trackOf(k smooth.FragmentKey) smooth.FragmentKey {
	k.Time = 0
	return k
}

// growing returns the presentation.
func (r *recorder) growing(live bool) archive.Shared {
	return archive.NewGrowing(r.index, r.files, live, func() { r.closed++ })
}

func bytesOf(t *testing.T, f *smooth.Fragment) []byte {
	t.Helper()
	b := make([]byte, f.Size())
	_, err := f.ReadAt(b, 0)
	require.NoError(t, err)
	return b
}

// streamOf returns the configuration of a stream with fragments of two seconds.
func streamOf(typ smooth.StreamType, start uint64, n int, rates ...uint64) smoothtest.Stream {
	s := smoothtest.Stream{Type: typ, Start: start, Durations: smoothtest.Repeat(n, 2*tick)}
	for _, rate := range rates {
		s.Levels = append(s.Levels, smoothtest.Level{Bitrate: rate})
	}
	return s
}

// one is a source with one presentation.
type one struct{ p archive.Shared }

const oneName = "event.isml"

func (o one) Open(_ context.Context, name string) (smooth.Presentation, error) {
	if name != oneName || !o.p.Retain() {
		return nil, fmt.Errorf("%s: %w", name, smooth.ErrNotFound)
	}
	return o.p, nil
}

// valid checks a presentation as the Smooth handler shows it. Violations of the rules named are expected.
func valid(t *testing.T, p archive.Shared, but ...string) {
	t.Helper()
	report, err := validate.Source(t.Context(), one{p}, oneName, nil)
	require.NoError(t, err)
	for _, v := range report.Violations {
		if !slices.Contains(but, v.Rule.ID) {
			t.Error(v)
		}
	}
	assert.Positive(t, report.Checked.Fragments)
}

func snapshotOf(t *testing.T, p smooth.Presentation) *smooth.Snapshot {
	t.Helper()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	return s
}

func isOld(s *smooth.Snapshot) bool {
	select {
	case <-s.Superseded():
		return true
	default:
		return false
	}
}

// seconds returns the starts of chunks.
func seconds(tl smooth.Timeline) []int {
	list := []int{}
	for _, c := range tl {
		list = append(list, int(c.Time/tick))
	}
	return list
}

// listed returns what a stream of a presentation lists, in seconds.
func listed(t *testing.T, p smooth.Presentation, stream string) []int {
	t.Helper()
	st := snapshotOf(t, p).Manifest.Stream(stream)
	if st == nil {
		return nil
	}
	return seconds(st.Timeline)
}

// spans returns what the tfrf box of a fragment announces.
func spans(t *testing.T, f *smooth.Fragment) []fmp4.FragmentSpan {
	t.Helper()
	head, err := f.Header(smooth.Smooth)
	require.NoError(t, err)
	list, err := fmp4.ParseTfrf(head[:fmp4.MoofSize(head)])
	require.NoError(t, err)
	return list
}

// announced returns the starts of what is announced, in seconds.
func announced(t *testing.T, f *smooth.Fragment) []int {
	t.Helper()
	list := []int{}
	for _, s := range spans(t, f) {
		list = append(list, int(s.Time/tick))
	}
	return list
}
