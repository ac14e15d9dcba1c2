package archive

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/smooth"
)

// Limits of what waits for a cut, in ticks and fragments. Where the main stream does not come to the boundary, the cut is there all
// the same.
const (
	maxHeldTime      = 60 * scale
	maxHeldFragments = 4096
)

// drain is how long, in ticks of the main stream, a segment stays open for fragments that come late, and maxOpenSegments how many
// do.
const (
	drain           = 15 * scale
	maxOpenSegments = 16
)

// route returns the segment for a fragment, nil if the fragment is there already. An event is cut where the main stream has a
// fragment at or after a multiple of the segment length, counted from the event's first fragment; all its fragments begin with a sync
// sample. Fragments of the other streams belong to the segment that their middle is in. Those that come before the cut is known
// are held.
func (r *recording) route(ctx context.Context, t *track, f *smooth.Fragment) (*segment, error) {
	at, isMain := r.place(t, f.Key.Time, f.Duration)
	last := r.segments[len(r.segments)-1]
	if at < last.from {
		return r.segmentFor(ctx, f.Key, at)
	}
	if n, ok := last.index.Number(f.Key); ok && !last.index.Track(n).Codec.Equal(t.in.Codec) {
		return r.cut(ctx, f.Key.Time) // a file has one configuration per track
	}
	switch {
	case at < r.next:
		return last, nil
	case isMain:
		return r.cut(ctx, f.Key.Time)
	case r.held != nil && (at-r.next > maxHeldTime || r.held.fragments >= maxHeldFragments):
		r.a.log.Warn("archive segment is cut without the main stream", "point", r.info.Point, "stream", r.main, "time", r.next)
		if _, err := r.cut(ctx, r.next); err != nil {
			return nil, err
		}
		return r.route(ctx, t, f)
	}
	return r.hold(), nil
}

// place returns the tick by which a fragment of a track belongs to a segment.
func (r *recording) place(t *track, at, duration uint64) (tick uint64, isMain bool) {
	switch {
	case t.in.Key.Stream == r.main:
		return at, true
	case t.in.Stream.Parent != "":
		return at, false
	}
	return at + duration/2, false
}

// hold returns the segment for what waits for the cut.
func (r *recording) hold() *segment {
	if r.held == nil {
		last := r.segments[len(r.segments)-1]
		dir := segmentDir(r.event.dir, last.number+1) + holdExtension
		s := newSegment(r.a.store, dir, last.base, last.number+1, r.next)
		r.mu.Lock()
		r.held = s
		r.mu.Unlock()
	}
	return r.held
}

// cut begins the next segment, whose first fragments are at a time, and gives what was held to where it belongs.
func (r *recording) cut(ctx context.Context, from uint64) (*segment, error) {
	last := r.segments[len(r.segments)-1]
	state, err := r.event.edit(ctx, r.a.store, func(state *eventState) {
		state.Segments = append(state.Segments, segmentState{Number: last.number + 1, From: from})
	})
	if err != nil {
		return nil, err
	}
	s := newSegment(r.a.store, segmentDir(r.event.dir, last.number+1), last.base, last.number+1, from)
	last.until = from
	r.mu.Lock()
	r.segments = append(r.segments[:len(r.segments):len(r.segments)], s)
	r.mu.Unlock()
	r.event.add(s)
	r.next = state.boundary(from)
	return s, r.unhold(ctx)
}

// boundary returns the first time after from at which the next cut may be, MaxUint64 if there is none.
func (e *eventState) boundary(from uint64) uint64 {
	length := ticks(e.SegmentLength)
	if length == 0 {
		return math.MaxUint64
	}
	n := uint64(1)
	if from > e.First {
		n = (from-e.First)/length + 1
	}
	if n > (math.MaxUint64-e.First)/length {
		return math.MaxUint64
	}
	return e.First + n*length
}

// unhold gives what was held to the segments it belongs to. It can be done again after an error: what is there is not written twice.
func (r *recording) unhold(ctx context.Context) error {
	h := r.held
	if h == nil {
		return nil
	}
	for _, m := range h.media() {
		if m.size <= m.header {
			continue
		}
		in, err := m.asInput(h)
		if err != nil {
			return err
		}
		for i := range in.Tracks {
			t := &track{in, &in.Tracks[i]}
			n, ok := h.numberOf(m, &m.tracks[i])
			if !ok {
				continue
			}
			for e := range h.index.Entries(n) {
				if err := r.move(ctx, h, m, t, e); err != nil {
					return err
				}
			}
		}
	}
	if err := r.sync(); err != nil {
		return err
	}
	r.mu.Lock()
	r.held = nil
	r.mu.Unlock()
	h.release()
	_ = r.a.store.Remove(ctx, h.journalName()) // first, so that the rest means nothing
	r.a.removeAll(ctx, h.dir)
	return nil
}

// asInput returns the input stream that a file is of.
func (m *mediaFile) asInput(s *segment) (*input, error) {
	in := &input{smooth.InputInfo{ID: m.input, Header: m.head}, m.sum}
	if in.Header == nil {
		in.Header = make([]byte, m.header)
		if n, err := m.ReadAt(in.Header, 0); n < len(in.Header) {
			return nil, fmt.Errorf("archive: %s: header: %w", s.path(m.name), unexpected(err))
		}
	}
	for _, t := range m.tracks {
		in.Tracks = append(in.Tracks, smooth.InputTrack(t))
	}
	return in, nil
}

// move copies a fragment from where it is held to its segment.
func (r *recording) move(ctx context.Context, h *segment, m *mediaFile, t *track, e index.Entry) error {
	b := make([]byte, int64(e.Head)+int64(e.Payload))
	if n, err := m.ReadAt(b, e.Offset); n < len(b) {
		return fmt.Errorf("archive: %s: fragment at %d: %w", h.path(m.name), e.Time, unexpected(err))
	}
	k := t.in.Key
	k.Time = e.Time
	f := smooth.NewFragment(smooth.FragmentInit{Key: k, Timescale: scale, Duration: e.Duration, Codec: t.in.Codec, Memory: b, HeadLen: int(e.Head)})
	defer f.Close()
	at, _ := r.place(t, e.Time, e.Duration)
	s, err := r.segmentFor(ctx, k, at)
	if err != nil || s == nil {
		return err
	}
	if known := r.tracks[keyOf(k)]; known != nil {
		t = known
	}
	return r.put(ctx, s, t, f)
}

func keyOf(k smooth.FragmentKey) smooth.FragmentKey {
	k.Time = 0
	return k
}

// unexpected makes the end of a file an error.
func unexpected(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
