package playlist

import (
	"fmt"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// match finds what a part gives to each stream, and leaves the part out if that is not enough.
func (b *stitchBuilder) match(part int) {
	p := &b.st.parts[part]
	spans, notSmooth, err := b.spansOf(part)
	if err == nil && b.smoothOnly {
		err = notSmooth
	}
	if err != nil {
		p.err = err
		return
	}
	if b.notSmooth == nil {
		b.notSmooth = notSmooth
	}
	for i, span := range spans {
		s := &b.st.streams[i]
		s.spans = append(s.spans, span)
	}
	for _, in := range p.offer.text {
		b.matchText(part, in)
	}
}

// spansOf returns what a part gives to the streams of picture and sound, in their order. notSmooth says why clients of
// Smooth Streaming could not play it among the others.
func (b *stitchBuilder) spansOf(part int) (spans []stitchSpan, notSmooth, err error) {
	o := &b.st.parts[part].offer
	for i := range b.st.streams {
		s := &b.st.streams[i]
		var in *stitchInput
		switch s.out.Type {
		case smooth.Video:
			in = o.video
		case smooth.Audio:
			in = o.soundLike(s)
		default:
			return spans, notSmooth, nil // texts come after the others
		}
		if in == nil {
			return nil, nil, s.refuse(0, fmt.Sprintf("a part has no %s", s.out.Type))
		}
		levels, why := s.levelsOf(in)
		if why != nil {
			return nil, nil, why
		}
		span := stitchSpan{part: part, inner: in.stream, scale: in.scale, chunks: in.stream.Timeline}
		for n, l := range levels {
			span.levels = append(span.levels, l.level)
			if notSmooth == nil {
				notSmooth = s.differs(n, l.codec)
			}
		}
		spans = append(spans, span)
	}
	return spans, notSmooth, nil
}

// refuse says why a part cannot give to a stream.
func (s *stitchStream) refuse(bitrate uint64, why string) error {
	return &smooth.UnsupportedError{Stream: s.out.Name, Bitrate: bitrate, Reason: why}
}

// soundLike returns the sound of a part for a stream: the one of the same name and language, or of the language, or the
// first, each in the codec of the stream if there is one.
func (o *stitchOffer) soundLike(s *stitchStream) *stitchInput {
	if len(o.audio) == 0 {
		return nil
	}
	best, most := o.audio[0], -1
	for _, in := range o.audio {
		fit := 0
		if familyOf(in.levels[0].codec) == familyOf(s.levels[0].codec) {
			fit += 4
		}
		if sameLanguage(in.stream.Language, s.out.Language) {
			fit += 2
			if strings.EqualFold(in.stream.Name, s.out.Name) {
				fit++
			}
		}
		if fit > most {
			best, most = in, fit
		}
	}
	return best
}

// levelsOf returns the level of a part for each level of a stream.
func (s *stitchStream) levelsOf(in *stitchInput) ([]stitchInputLevel, error) {
	out := make([]stitchInputLevel, len(s.levels))
	for i, l := range s.out.Levels {
		codec := s.levels[i].codec
		family := familyOf(codec)
		if other := familyOf(in.levels[0].codec); other != family {
			return nil, s.refuse(l.Bitrate, fmt.Sprintf("%s of a part among %s", other, family))
		}
		list := in.levels
		if s.out.Type != smooth.Video || !changeable(family) { // else any configuration does
			same := func(x stitchInputLevel) bool { return sameSound(x.codec, codec) }
			if i := slices.IndexFunc(list, same); i >= 0 {
				list = slices.DeleteFunc(slices.Clone(list), func(x stitchInputLevel) bool { return !same(x) })
			} else if !changeable(family) && s.out.Type != smooth.Text {
				return nil, s.refuse(l.Bitrate, fmt.Sprintf("another configuration of %s in a part", family))
			}
		}
		out[i] = nearest(list, l)
	}
	return out, nil
}

// nearest returns the level for clients that have chosen a level: the same one, or the highest whose bit rate is at most a
// quarter above it, or else the lowest.
func nearest(list []stitchInputLevel, chosen *smooth.QualityLevel) stitchInputLevel {
	best := list[0]
	most := chosen.Bitrate + chosen.Bitrate/4
	for _, x := range list {
		if x.level.Bitrate == chosen.Bitrate && x.level.AttrsKey() == chosen.AttrsKey() {
			return x
		}
		r, b := x.level.Bitrate, best.level.Bitrate
		fits, fitted := r <= most, b <= most
		if fits && (!fitted || r > b) || !fits && !fitted && r < b {
			best = x
		}
	}
	return best
}

// differs says why a configuration cannot be played over Smooth Streaming where the manifest tells of that of level n.
func (s *stitchStream) differs(n int, c *smooth.Codec) error {
	first, rate := s.levels[n].codec, s.out.Levels[n].Bitrate
	switch {
	case s.out.Type == smooth.Video && c.NALULengthSize != first.NALULengthSize:
		return s.refuse(rate, fmt.Sprintf("lengths of NAL units of %d and of %d bytes in the parts",
			first.NALULengthSize, c.NALULengthSize))
	case s.out.Type == smooth.Audio && !sameSound(c, first):
		return s.refuse(rate, fmt.Sprintf("another configuration of %s in a part: %d Hz and %d channels after %d Hz and %d",
			familyOf(c), c.SamplingRate, c.Channels, first.SamplingRate, first.Channels))
	}
	return nil
}

// matchText adds a text of a part to the stream of its kind and language, which the first such text makes.
func (b *stitchBuilder) matchText(part int, in *stitchInput) {
	codec := in.levels[0].codec
	at := slices.IndexFunc(b.st.streams, func(s stitchStream) bool {
		return s.out.Type == smooth.Text && s.out.Subtype == in.stream.Subtype &&
			sameLanguage(s.out.Language, in.stream.Language) && familyOf(s.levels[0].codec) == familyOf(codec) &&
			s.spanOf(part) == nil
	})
	s := b.addOrFind(at, in)
	span := stitchSpan{part: part, inner: in.stream, scale: in.scale}
	for _, l := range s.out.Levels {
		span.levels = append(span.levels, nearest(in.levels, l).level)
	}
	s.spans = append(s.spans, span)
}

func (b *stitchBuilder) addOrFind(at int, in *stitchInput) *stitchStream {
	if at < 0 {
		return b.addStream(in)
	}
	return &b.st.streams[at]
}
