package playlist

import (
	"fmt"
	"math"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// maxStreamTime bounds the times of a stream, in ticks of its timescale, so that no sum overflows.
const maxStreamTime = 1 << 61

// lay puts the parts one behind the other.
func (b *stitchBuilder) lay() error {
	chunks := 0
	for i := range b.st.streams {
		b.st.streams[i].chooseTimescale()
	}
	last := -1
	for i := range b.st.parts {
		if b.st.parts[i].err != nil {
			continue
		}
		if err := b.layPart(i, &chunks); err != nil {
			return err
		}
		if last >= 0 {
			b.st.parts[last].end = b.st.parts[i].start
		}
		last = i
	}
	if err := b.layTexts(chunks); err != nil {
		return err
	}
	b.layPeriods()
	return nil
}

// chooseTimescale keeps the timescale of the parts if all have the same. Otherwise it is that of Smooth Streaming.
func (s *stitchStream) chooseTimescale() {
	s.timescale = s.spans[0].scale
	for _, span := range s.spans {
		if span.scale != s.timescale {
			s.timescale = stitchScale
		}
	}
}

// layPart puts the picture and sound of part i behind those before it.
func (b *stitchBuilder) layPart(i int, chunks *int) error {
	p := &b.st.parts[i]
	p.ref = math.MaxUint64
	for n := range b.st.streams {
		if s := &b.st.streams[n]; s.out.Type != smooth.Text {
			span := s.spanOf(i)
			p.ref = min(p.ref, toStitch(span.chunks.Start(), span.scale))
		}
	}
	for n := range b.st.streams {
		if s := &b.st.streams[n]; s.out.Type != smooth.Text {
			p.start = max(p.start, s.startAfter(s.spanOf(i), p.ref))
		}
	}
	p.end = p.start
	for n := range b.st.streams {
		s := &b.st.streams[n]
		if s.out.Type == smooth.Text {
			continue
		}
		before := len(s.out.Timeline)
		if err := s.laySpan(*s.spanOf(i), p); err != nil {
			return err
		}
		if *chunks += len(s.out.Timeline) - before; *chunks > smooth.MaxManifestChunks {
			return tooManyChunks()
		}
	}
	return nil
}

func tooManyChunks() error {
	return fmt.Errorf("more than %d fragments in all parts: %w", smooth.MaxManifestChunks, smooth.ErrTooLarge)
}

// mostOverlap is how much earlier a part may begin than the last sound of the part before it ends, in ticks of stitchScale.
const mostOverlap = stitchScale / 10

// startAfter returns the earliest time at which a part may begin, so that what it gives to the stream is behind what is
// there. The frames of sound that come before the first picture of a part, as encoders of AAC have them, may lie under the
// last picture of the part before.
func (s *stitchStream) startAfter(x *stitchSpan, ref uint64) uint64 {
	n := len(s.out.Timeline)
	if n == 0 {
		return 0
	}
	last := s.out.Timeline[n-1]
	lead := toStitch(x.chunks.Start(), x.scale) - ref
	lead = min(lead, mostOverlap, toStitch(last.Duration, s.timescale)/2)
	end := toStitch(last.End(), s.timescale)
	return end - min(lead, end)
}

// spanOf returns what a part gives to the stream, or nil.
func (s *stitchStream) spanOf(part int) *stitchSpan {
	at, ok := slices.BinarySearchFunc(s.spans, part, func(x stitchSpan, part int) int { return x.part - part })
	if !ok {
		return nil
	}
	return &s.spans[at]
}

// placeOf returns where a time of a part is, in ticks of stitchScale; not before the part.
func (p *stitchPart) placeOf(t, scale uint64) uint64 {
	at := toStitch(t, scale)
	return at - min(at, p.ref) + p.start
}

// laySpan appends the fragments of a picture or sound. All of them are moved by the same time, so that nothing drifts.
func (s *stitchStream) laySpan(x stitchSpan, p *stitchPart) error {
	line := x.chunks
	place := p.placeOf(line.Start(), x.scale)
	x.first = len(s.out.Timeline)
	x.dst = max(smooth.Rescale(place, stitchScale, s.timescale), s.out.Timeline.End()) // the latter because of rounding
	length := smooth.Rescale(line.End()-line.Start(), x.scale, s.timescale)
	if place > maxStitched || x.dst > maxStreamTime || length > maxStreamTime {
		return fmt.Errorf("stream %s lasts %d ticks after %d: %w", s.out.Name, length, x.dst, smooth.ErrTooLarge)
	}
	s.fill(x.dst)
	for _, c := range line {
		s.out.Timeline = append(s.out.Timeline, x.moved(c, s.timescale))
	}
	s.laid = append(s.laid, x)
	if p.end = max(p.end, toStitch(s.out.Timeline.End(), s.timescale)); p.end > maxStitched {
		return fmt.Errorf("timeline of %d ticks: %w", p.end, smooth.ErrTooLarge)
	}
	return nil
}

// fill makes the last fragment last until a time: what follows begins there. Without it there would be a gap of some
// frames between parts, as picture and sound hardly ever begin and end together, and dash.js looks for the next fragment
// where the last one ends, and no further.
func (s *stitchStream) fill(until uint64) {
	if n := len(s.out.Timeline); n > 0 {
		last := &s.out.Timeline[n-1]
		last.Duration = until - last.Time
	}
}

// moved returns a chunk of a part in its place.
func (x *stitchSpan) moved(c smooth.Chunk, timescale uint64) smooth.Chunk {
	start, end := x.time(c.Time, timescale), x.time(c.End(), timescale)
	return smooth.Chunk{Time: start, Duration: end - start}
}

// time returns where a time of the part, not before the first fragment, is on the timeline of the stream.
func (x *stitchSpan) time(t, timescale uint64) uint64 {
	return x.dst + smooth.Rescale(t-x.chunks[0].Time, x.scale, timescale)
}

// layPeriods makes the periods: those of each part, in which configurations may change as well.
func (b *stitchBuilder) layPeriods() {
	for i := range b.st.parts {
		p := &b.st.parts[i]
		if p.err != nil {
			continue
		}
		snap := b.st.sources[p.source].snap
		scale := snap.Manifest.Timescale
		if scale == 0 {
			scale = smooth.DefaultTimescale
		}
		for n := range snap.Periods {
			start := p.start
			if n > 0 {
				start = p.placeOf(snap.Periods[n].Start, scale)
			}
			next := smooth.Period{Start: start, Discontinuity: uint64(len(b.periods)), Tracks: b.tracks(i, &snap.Periods[n])}
			last := len(b.periods) - 1
			switch {
			case start >= p.end && n > 0: // nothing is left of it
			case n > 0 && start <= b.periods[last].Start: // nothing is left of the one before
				next.Start, next.Discontinuity = b.periods[last].Start, b.periods[last].Discontinuity
				b.periods[last] = next
			default:
				b.periods = append(b.periods, next)
			}
		}
	}
}

// tracks returns the tracks of a period of a part.
func (b *stitchBuilder) tracks(part int, inner *smooth.Period) []smooth.Track {
	var out []smooth.Track
	for i := range b.st.streams {
		s := &b.st.streams[i]
		span := s.spanOf(part)
		for n, l := range s.out.Levels {
			var c *smooth.Codec
			if span != nil {
				c = codecIn(inner, span.inner.Name, span.levels[n])
			}
			if c == nil && s.out.Type == smooth.Text {
				c = s.levels[n].codec // of a pause
			}
			if c != nil {
				out = append(out, smooth.Track{Stream: s.out.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate, Codec: c})
			}
		}
	}
	return out
}

// codecIn returns the configuration of a level in a period, or nil.
func codecIn(p *smooth.Period, stream string, l *smooth.QualityLevel) *smooth.Codec {
	attrs := l.AttrsKey()
	for i := range p.Tracks {
		if tr := &p.Tracks[i]; tr.Bitrate == l.Bitrate && tr.Stream == stream && tr.Attrs == attrs {
			return tr.Codec
		}
	}
	return nil
}

// chooseConfigurations finds for each level of the picture the configuration that the manifest tells of, which is that of
// the largest picture, of those the first, and whether there are several.
func (b *stitchBuilder) chooseConfigurations() {
	for i := range b.st.streams {
		s := &b.st.streams[i]
		if s.out.Type != smooth.Video {
			continue
		}
		for n := range s.levels {
			s.levels[n].codec = nil
			for _, span := range s.spans {
				snap := b.st.sources[b.st.parts[span.part].source].snap
				for p := range snap.Periods {
					if c := codecIn(&snap.Periods[p], span.inner.Name, span.levels[n]); c != nil {
						s.levels[n].consider(c)
					}
				}
			}
		}
	}
}

// consider takes the configuration of a period into account.
func (l *stitchLevel) consider(c *smooth.Codec) {
	if l.codec == nil {
		l.codec = c
		return
	}
	l.several = l.several || !slices.Equal(l.codec.PrivateData, c.PrivateData)
	if uint64(c.Width)*uint64(c.Height) > uint64(l.codec.Width)*uint64(l.codec.Height) {
		l.codec = c
	}
}
