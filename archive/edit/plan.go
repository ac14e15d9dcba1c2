package edit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// scale is that of the times in a [Result].
const scale = smooth.DefaultTimescale

// A stream is one of the new presentation.
type stream struct {
	from      *smooth.Stream // of the first part that has it
	timescale uint64
	tracks    []*track
	chunks    []chunk // in order of time, then of parts
	next      int     // position of the first chunk that has not been written
	shift     uint64  // what is taken off times, in ticks
}

// A chunk is a fragment that a part lists.
type chunk struct {
	smooth.Chunk
	part int
}

// A track is a quality level of the new presentation.
type track struct {
	key   smooth.FragmentKey // without time
	level *smooth.QualityLevel
	parts []bool // which have it
	codec *smooth.Codec
	file  string // name beside the manifests
	media *media // nil before the first fragment
	line  smooth.Timeline
}

// planSpan returns what overlaps a span, of all parts, as the streams of one presentation. Streams and tracks are told by their names.
func (w *writing) planSpan(ctx context.Context, from, to smooth.Instant) ([]*stream, error) {
	var streams []*stream
	for i := range w.parts {
		p := &w.parts[i]
		found, err := w.look(ctx, i, from, to)
		if err != nil {
			return nil, p.fault(err)
		}
		if !found {
			continue
		}
		for _, st := range p.snap.Manifest.Streams {
			if len(st.Timeline) == 0 || len(st.Levels) == 0 {
				continue
			}
			if streams, err = add(streams, st, p.snap.Manifest.TimescaleOf(st), i, len(w.parts)); err != nil {
				return nil, p.fault(err)
			}
		}
	}
	if len(streams) == 0 {
		return nil, fmt.Errorf("no fragments: %w", smooth.ErrNotFound)
	}
	for _, s := range streams {
		slices.SortStableFunc(s.chunks, func(a, b chunk) int { return cmp.Compare(a.Time, b.Time) })
	}
	return streams, nil
}

// look takes the snapshot of a part, or of the span of it that is wanted. It reports false if nothing of it is.
func (w *writing) look(ctx context.Context, i int, from, to smooth.Instant) (found bool, err error) {
	p, err := w.use(ctx, i)
	if err != nil {
		return false, err
	}
	// The view is not closed, which would close the part.
	view, err := smooth.NewFiltered(ctx, p, smooth.Filter{Start: from, End: to})
	if errors.Is(err, smooth.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	snap, err := view.Snapshot(ctx)
	switch {
	case err != nil:
		return false, err
	case snap.NotSmooth != nil:
		return false, snap.NotSmooth
	case len(snap.Manifest.Clips) > 0:
		return false, fmt.Errorf("composite presentation: %w", smooth.ErrUnsupported)
	}
	w.parts[i].snap = snap
	return true, nil
}

// add adds a stream of part number n to those that are known.
func add(streams []*stream, st *smooth.Stream, timescale uint64, n, parts int) ([]*stream, error) {
	i := slices.IndexFunc(streams, func(s *stream) bool { return s.from.Name == st.Name })
	if i < 0 {
		i = len(streams)
		streams = append(streams, &stream{from: st, timescale: timescale})
	}
	s := streams[i]
	if s.from.Type != st.Type || s.timescale != timescale || timescale > math.MaxUint32 {
		return nil, fmt.Errorf("stream %s is %s with timescale %d and %s with timescale %d: %w",
			st.Name, s.from.Type, s.timescale, st.Type, timescale, smooth.ErrUnsupported)
	}
	for _, lv := range st.Levels {
		k := smooth.FragmentKey{Stream: st.Name, Bitrate: lv.Bitrate, Attrs: lv.AttrsKey()}
		j := slices.IndexFunc(s.tracks, func(t *track) bool { return t.key == k })
		if j < 0 {
			j = len(s.tracks)
			s.tracks = append(s.tracks, &track{key: k, level: lv, parts: make([]bool, parts)})
		}
		s.tracks[j].parts[n] = true
	}
	for _, c := range st.Timeline {
		s.chunks = append(s.chunks, chunk{c, n})
	}
	return streams, nil
}

// isSparse reports a stream whose fragments come now and then.
func (s *stream) isSparse() bool { return s.from.Parent != "" || s.from.ManifestOutput }

// take returns the next chunks that start at the same time, one for each part that has it; the first knows best how long it lasts.
func (s *stream) take() []chunk {
	from := s.next
	for s.next++; s.next < len(s.chunks) && s.chunks[s.next].Time == s.chunks[from].Time; {
		s.next++
	}
	return s.chunks[from:s.next]
}

// earliest returns the stream whose next chunk starts first, nil if there are no more.
func earliest(streams []*stream) *stream {
	var first *stream
	var least uint64
	for _, s := range streams {
		if s.next == len(s.chunks) {
			continue
		}
		if t := smooth.Rescale(s.chunks[s.next].Time, s.timescale, scale); first == nil || t < least {
			first, least = s, t
		}
	}
	return first
}

// begin returns when the first stream begins, in ticks of 100 ns. Sparse streams count only if there are no others.
func begin(streams []*stream) uint64 {
	first, found := uint64(0), false
	for _, sparse := range []bool{false, true} {
		for _, s := range streams {
			if s.isSparse() != sparse {
				continue
			}
			if t := smooth.Rescale(s.chunks[0].Time, s.timescale, scale); !found || t < first {
				first, found = t, true
			}
		}
		if found {
			break
		}
	}
	return first
}
