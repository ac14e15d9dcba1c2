package playlist

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// errMoved tells that a source has changed since the state was made.
var errMoved = errors.New("source changed")

// Fragment implements [smooth.Presentation].
func (s *Stitched) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	st := s.state.Load()
	for range 2 { // a second time with a new state, if a source has changed
		if st == nil {
			var err error
			if st, err = s.current(ctx); err != nil {
				return nil, err
			}
		}
		f, err := s.fragment(ctx, st, k)
		if !errors.Is(err, errMoved) {
			return f, err
		}
		st = nil
	}
	return nil, fmt.Errorf("playlist: %s: source of %s %d changes: %w", s.name, k.Stream, k.Time, smooth.ErrNotFound)
}

// stitchedAt is where a fragment is.
type stitchedAt struct {
	stream *stitchStream
	span   *stitchSpan
	level  int // in stream
	pos    int // in the timeline of stream
}

// chunk returns the fragment on the timeline of the whole, source on that of its part.
func (a *stitchedAt) chunk() smooth.Chunk  { return a.stream.out.Timeline[a.pos] }
func (a *stitchedAt) source() smooth.Chunk { return a.span.chunks[a.pos-a.span.first] }

// key returns the key of the fragment in its part.
func (a *stitchedAt) key() smooth.FragmentKey {
	l := a.span.levels[a.level]
	return smooth.FragmentKey{Stream: a.span.inner.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate, Time: a.source().Time}
}

// find returns where the fragment of a key is.
func (st *stitchState) find(k smooth.FragmentKey) (stitchedAt, error) {
	out := st.snap.Manifest.Stream(k.Stream)
	i := slices.Index(st.snap.Manifest.Streams, out)
	if i < 0 {
		return stitchedAt{}, fmt.Errorf("stream %s: %w", k.Stream, smooth.ErrNotFound)
	}
	at := stitchedAt{stream: &st.streams[i], level: slices.Index(out.Levels, out.Level(k.Bitrate, k.Attrs))}
	if at.level < 0 {
		return at, fmt.Errorf("stream %s at %d bits/s: %w", k.Stream, k.Bitrate, smooth.ErrNotFound)
	}
	var ok bool
	if at.pos, ok = out.Timeline.Find(k.Time); !ok {
		return at, fmt.Errorf("fragment %s %d: %w", k.Stream, k.Time, smooth.ErrNotFound)
	}
	n, _ := slices.BinarySearchFunc(at.stream.laid, at.pos+1, func(x stitchSpan, pos int) int { return x.first - pos })
	at.span = &at.stream.laid[n-1]
	return at, nil
}

// fragment fetches a fragment of a part and gives it its place.
func (s *Stitched) fragment(ctx context.Context, st *stitchState, k smooth.FragmentKey) (*smooth.Fragment, error) {
	at, err := st.find(k)
	switch {
	case err != nil && !s.isCurrent(ctx, st):
		return nil, errMoved
	case err != nil:
		return nil, fmt.Errorf("playlist: %s: %w", s.name, err)
	}
	k.Stream = at.stream.out.Name
	place := st.place(&at, 1)
	if at.span.inner == nil {
		if err := s.pass(ctx, k, place); err != nil {
			return nil, err
		}
		return s.silent(ctx, &at, k, place)
	}
	source := &st.sources[st.parts[at.span.part].source]
	p, err := s.src.Open(ctx, source.name)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	switch now, err := p.Snapshot(ctx); {
	case err != nil:
		return nil, err
	case now != source.snap:
		return nil, errMoved
	}
	if err := s.pass(ctx, k, place); err != nil {
		return nil, err
	}
	inner, err := p.Fragment(ctx, at.key())
	if err != nil {
		return nil, err
	}
	f, err := s.stitched(ctx, inner, &at, k, place)
	if err != nil {
		inner.Close()
		return nil, fmt.Errorf("playlist: %s: %s %d: %w", s.name, k.Stream, k.Time, err)
	}
	return f, nil
}

// pass asks the gate.
func (s *Stitched) pass(ctx context.Context, k smooth.FragmentKey, place Place) error {
	if s.gate == nil {
		return nil
	}
	return s.gate(ctx, place.Part, k, place.From, place.To)
}

// stitched returns a fragment of a part in its place, which owns it.
func (s *Stitched) stitched(
	ctx context.Context, inner *smooth.Fragment, at *stitchedAt, k smooth.FragmentKey, place Place,
) (*smooth.Fragment, error) {
	h := stitchHead{inner: inner, at: at, sequence: uint32(at.pos) + 1}
	head, err := h.build()
	if err != nil {
		return nil, err
	}
	init := smooth.FragmentInit{
		Key: k, Timescale: at.stream.timescale, Duration: at.chunk().Duration, Codec: inner.Codec,
		Head: head, Of: inner, Insert: h.sets, InsertAt: h.setsAt,
	}
	if s.delivered != nil {
		size := int64(len(head)+len(h.sets)) + inner.PayloadSize()
		init.Release = s.report(ctx, place, size)
	}
	return smooth.NewFragment(init), nil
}

// report returns what to call when a fragment is closed.
func (s *Stitched) report(ctx context.Context, place Place, size int64) func() {
	return func() { s.delivered(ctx, place.Part, place.From, place.To, size) }
}

// FragmentSize implements [smooth.Sizer], as far as the sources do. It knows the fragments of the last snapshot only.
func (s *Stitched) FragmentSize(k smooth.FragmentKey) (int64, error) {
	st := s.state.Load()
	if st == nil {
		return 0, fmt.Errorf("playlist: %s: no snapshot: %w", s.name, smooth.ErrNotFound)
	}
	at, err := st.find(k)
	if err != nil {
		return 0, fmt.Errorf("playlist: %s: %w", s.name, err)
	}
	if at.span.inner == nil {
		return int64(len(at.stream.silence())), nil
	}
	p, err := s.src.Open(context.Background(), st.sources[st.parts[at.span.part].source].name)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	z, ok := p.(smooth.Sizer)
	if !ok {
		return 0, fmt.Errorf("playlist: %s: sizes of part %d: %w", s.name, at.span.part, smooth.ErrNotFound)
	}
	n, err := z.FragmentSize(at.key())
	if tr := st.snap.Track(k); err == nil && tr != nil && at.stream.levels[at.level].several {
		n += int64(len(parameterSets(tr.Codec)))
	}
	return n, err
}

// parameterSets returns the parameter sets of a configuration as they stand in samples: each NAL unit after its length.
// See ISO/IEC 14496-15 5.3.3 and 8.3.2.
func parameterSets(c *smooth.Codec) []byte {
	if c == nil || c.NALULengthSize == 0 {
		return nil
	}
	var out []byte
	vps, sps, pps := c.ParameterSets()
	for _, nalu := range slices.Concat(vps, sps, pps) {
		length := binary.BigEndian.AppendUint32(nil, uint32(len(nalu)))
		out = append(append(out, length[4-min(c.NALULengthSize, 4):]...), nalu...)
	}
	return out
}
