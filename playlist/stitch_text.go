package playlist

import (
	"context"
	"fmt"
	"slices"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// layTexts appends the texts of all parts, whose ends are known. Streams that have none are left out.
func (b *stitchBuilder) layTexts(chunks int) error {
	for n := range b.st.streams {
		s := &b.st.streams[n]
		if s.out.Type != smooth.Text {
			continue
		}
		for i := range b.st.parts {
			if p := &b.st.parts[i]; p.err == nil {
				s.layText(i, p)
			}
			if chunks+len(s.out.Timeline) > smooth.MaxManifestChunks {
				return tooManyChunks()
			}
		}
		chunks += len(s.out.Timeline)
	}
	b.st.streams = slices.DeleteFunc(b.st.streams, func(s stitchStream) bool { return len(s.laid) == 0 })
	return nil
}

// layText appends the fragments of a text of a part that begin within the part, and not before the one before them has
// ended. None of them lasts longer than the part. Before and after them, and where the part has no such text, there are
// pauses: dash.js ends a text at the first gap.
func (s *stitchStream) layText(part int, p *stitchPart) {
	end := smooth.Rescale(p.end, stitchScale, s.timescale)
	if x := s.spanOf(part); x != nil {
		line := x.inner.Timeline
		for len(line) > 0 && !s.fits(line[0], x, p) {
			line = line[1:]
		}
		if len(line) > 0 {
			s.layLines(*x, line, p, end)
		}
	}
	s.pause(part, end)
}

// layLines appends the fragments of line up to an end.
func (s *stitchStream) layLines(x stitchSpan, line smooth.Timeline, p *stitchPart, end uint64) {
	x.chunks = line
	x.dst = smooth.Rescale(p.placeOf(line.Start(), x.scale), stitchScale, s.timescale)
	if x.dst >= end {
		return
	}
	s.pause(x.part, x.dst)
	x.first = len(s.out.Timeline)
	for n, c := range line {
		c = x.moved(c, s.timescale)
		if c.Time >= end {
			x.chunks = line[:n]
			break
		}
		c.Duration = min(c.Duration, end-c.Time)
		s.out.Timeline = append(s.out.Timeline, c)
	}
	s.laid = append(s.laid, x)
}

// fits reports whether a fragment of a text begins neither before its part nor before the end of the one before it.
func (s *stitchStream) fits(c smooth.Chunk, x *stitchSpan, p *stitchPart) bool {
	return toStitch(c.Time, x.scale) >= p.ref &&
		smooth.Rescale(p.placeOf(c.Time, x.scale), stitchScale, s.timescale) >= s.out.Timeline.End()
}

// longestPause is the length of one fragment of a pause in seconds. The duration of a sample has 32 bits.
const longestPause = 60

// pause appends fragments without text until a time.
func (s *stitchStream) pause(part int, until uint64) {
	at := s.out.Timeline.End()
	if at >= until || s.silence() == nil {
		return
	}
	x := stitchSpan{part: part, first: len(s.out.Timeline)}
	for each := longestPause * s.timescale; at < until; {
		c := smooth.Chunk{Time: at, Duration: min(each, until-at)}
		s.out.Timeline = append(s.out.Timeline, c)
		at = c.End()
	}
	s.laid = append(s.laid, x)
}

// count returns the number of fragments of a span, which ends where another one begins.
func (s *stitchStream) count(x *stitchSpan) int {
	if x.inner != nil {
		return len(x.chunks)
	}
	for i := range s.laid {
		if first := s.laid[i].first; first > x.first {
			return first - x.first
		}
	}
	return len(s.out.Timeline) - x.first
}

// silence returns a sample without text, or nil if it is not known how that is written. See ISO/IEC 14496-30 section 7.4
// for WebVTT.
func (s *stitchStream) silence() []byte {
	switch familyOf(s.levels[0].codec) {
	case "TTML":
		return []byte(`<?xml version="1.0" encoding="utf-8"?><tt xmlns="http://www.w3.org/ns/ttml" xml:lang=""><body><div/></body></tt>`)
	case "WVTT":
		return []byte("\x00\x00\x00\x08vtte")
	}
	return nil
}

// silent returns a fragment of a pause.
func (s *Stitched) silent(ctx context.Context, at *stitchedAt, k smooth.FragmentKey, place Place) (*smooth.Fragment, error) {
	payload, chunk := at.stream.silence(), at.chunk()
	h := fmp4.FragmentHead{
		Sequence: uint32(at.pos) + 1, TrackID: 1, Tfxd: true, Time: chunk.Time, Duration: chunk.Duration,
		Samples: []fmp4.RunSample{{Duration: uint32(chunk.Duration), Size: uint32(len(payload)), Flags: fmp4.FlagsSync}},
	}
	head, err := h.AppendTo(nil)
	if err != nil {
		return nil, fmt.Errorf("playlist: %s: %s %d: %w", s.name, k.Stream, k.Time, err)
	}
	in := smooth.FragmentInit{
		Key: k, Timescale: at.stream.timescale, Duration: chunk.Duration, Codec: at.stream.levels[at.level].codec,
		HeadLen: len(head), Memory: append(head, payload...),
	}
	if s.delivered != nil {
		in.Release = s.report(ctx, place, int64(len(in.Memory)))
	}
	return smooth.NewFragment(in), nil
}
