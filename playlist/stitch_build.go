package playlist

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// stitchPart is a part in its place.
type stitchPart struct {
	source     int
	offer      stitchOffer
	err        error  // why it is left out
	ref        uint64 // where its earliest picture or sound begins on its own timeline, in ticks of stitchScale
	start, end uint64 // in ticks of stitchScale; both zero if it is left out
}

// build makes the state.
func (s *stitching) build(ctx context.Context) (*stitchState, error) {
	if len(s.parts) > MaxParts {
		return nil, fmt.Errorf("playlist: %s: %d parts, limit %d: %w", s.name, len(s.parts), MaxParts, smooth.ErrTooLarge)
	}
	st := &stitchState{}
	if err := s.openParts(ctx, st); err != nil {
		return nil, err
	}
	for i := range st.parts {
		p := &st.parts[i]
		if p.err == nil {
			p.offer, p.err = offerOf(st.sources[p.source].snap)
		}
	}
	main := st.mainPart()
	if main < 0 {
		return nil, s.nothing(st)
	}
	b := stitchBuilder{st: st, smoothOnly: s.smoothOnly}
	b.begin(main)
	for i := range st.parts {
		if st.parts[i].err == nil {
			b.match(i)
		}
	}
	b.chooseConfigurations()
	if err := b.lay(); err != nil {
		return nil, fmt.Errorf("playlist: %s: %w", s.name, err)
	}
	b.finish(s.validator(st))
	return st, nil
}

// nothing is the error if no part can be shown. It is that of the first part if all have one.
func (s *stitching) nothing(st *stitchState) error {
	if len(st.parts) == 0 {
		return fmt.Errorf("playlist: %s: no parts: %w", s.name, smooth.ErrNotFound)
	}
	err := st.parts[0].err
	return fmt.Errorf("playlist: %s: none of %d parts can be shown: entry %d: %w", s.name, len(st.parts), s.parts[0].Entry, err)
}

// openParts looks at the sources, each once.
func (s *stitching) openParts(ctx context.Context, st *stitchState) error {
	known := make(map[string]int, len(s.parts))
	st.parts = make([]stitchPart, len(s.parts))
	for i, p := range s.parts {
		n, ok := known[p.Name]
		if !ok {
			snap, err := snapshotOf(ctx, s.src, p.Name)
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			n = len(st.sources)
			known[p.Name] = n
			st.sources = append(st.sources, stitchSource{name: p.Name, snap: snap, err: err})
		}
		st.parts[i] = stitchPart{source: n, err: st.sources[n].err}
	}
	return nil
}

// mainPart returns the part that says what streams and levels there are, or -1: of those with the most kinds of streams,
// and of these of those in the codecs that most of the time is in, the longest one.
func (st *stitchState) mainPart() int {
	times := make(map[stitchKind]uint64)
	for i := range st.parts {
		if p := &st.parts[i]; p.err == nil {
			times[p.offer.kind()] += p.offer.end - p.offer.start
		}
	}
	best := -1
	for i := range st.parts {
		p := &st.parts[i]
		if p.err != nil {
			continue
		}
		if best < 0 {
			best = i
			continue
		}
		a, b := p.offer.kind(), st.parts[best].offer.kind()
		order := cmp.Or(cmp.Compare(a.streams, b.streams), cmp.Compare(times[a], times[b]))
		if order > 0 || a == b && p.offer.compare(&st.parts[best].offer) > 0 {
			best = i
		}
	}
	return best
}

// validator identifies the content: what the parts are, in their order, and what the sources hold.
func (s *stitching) validator(st *stitchState) string {
	h := sha256.New()
	for i := range st.parts {
		p := &st.parts[i]
		if p.err != nil {
			continue // what it might be does not matter
		}
		fmt.Fprintf(h, "%q %q\n", s.parts[i].Name, st.sources[p.source].snap.Validator)
	}
	return "stitch-" + hex.EncodeToString(h.Sum(nil)[:12])
}

// stitchBuilder makes the streams of a state.
type stitchBuilder struct {
	st         *stitchState
	smoothOnly bool
	notSmooth  error
	main       int
	periods    []smooth.Period
}

// stitchStream is one stream across all parts.
type stitchStream struct {
	out       *smooth.Stream
	timescale uint64
	levels    []stitchLevel // as in out
	spans     []stitchSpan  // of parts, in order; those without such a text have none
	laid      []stitchSpan  // in order of the timeline, with pauses of texts among them
}

// stitchLevel is a quality level across all parts.
type stitchLevel struct {
	codec *smooth.Codec // that the manifest tells of
	// several tells that parameter sets differ between periods, so that fragments carry them.
	several bool
}

// stitchSpan is what a part gives to a stream.
type stitchSpan struct {
	part   int
	inner  *smooth.Stream         // nil for a pause of a text
	scale  uint64                 // of inner, in ticks per second
	levels []*smooth.QualityLevel // of inner, for each level of the stream
	chunks smooth.Timeline        // of inner, those that are kept
	first  int                    // position of the first of them in the stream
	dst    uint64                 // time of the first of them in the stream
}

// begin makes the streams after those of the main part, without anything in them.
func (b *stitchBuilder) begin(main int) {
	b.main = main
	o := &b.st.parts[main].offer
	if o.video != nil {
		b.addStream(o.video)
	}
	for _, a := range o.audio {
		if familyOf(a.levels[0].codec) == o.kind().audio { // other parts may not have it in further codecs
			b.addStream(a)
		}
	}
}

// addStream adds a stream like one of a part.
func (b *stitchBuilder) addStream(like *stitchInput) *stitchStream {
	in := like.stream
	out := &smooth.Stream{
		Type: in.Type, Subtype: in.Subtype, Name: b.freeName(in.Name), Language: in.Language,
		MaxWidth: in.MaxWidth, MaxHeight: in.MaxHeight, DisplayWidth: in.DisplayWidth, DisplayHeight: in.DisplayHeight,
	}
	attrs := false
	for _, l := range like.levels {
		level := *l.level
		attrs = attrs || len(level.CustomAttributes) > 0
		out.Levels = append(out.Levels, &level)
	}
	out.URL = "QualityLevels({bitrate})/Fragments(" + out.Name + "={start time})"
	if attrs {
		out.URL = "QualityLevels({bitrate},{CustomAttributes})/Fragments(" + out.Name + "={start time})"
	}
	b.st.streams = append(b.st.streams, stitchStream{out: out, levels: make([]stitchLevel, len(out.Levels))})
	for i, l := range like.levels {
		b.st.streams[len(b.st.streams)-1].levels[i].codec = l.codec
	}
	return &b.st.streams[len(b.st.streams)-1]
}

// freeName returns a name that no other stream has, from one that a stream of a part has.
func (b *stitchBuilder) freeName(name string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(b.st.streams, func(s stitchStream) bool { return s.out.Name == name })
	}
	free := name
	for n := 2; taken(free); n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	return free
}

// finish makes the snapshot.
func (b *stitchBuilder) finish(validator string) {
	m := &smooth.Manifest{MajorVersion: 2, Timescale: stitchScale}
	for i := range b.st.streams {
		s := &b.st.streams[i]
		s.settle()
		m.Streams = append(m.Streams, s.out)
	}
	for i := range b.st.parts {
		m.Duration = max(m.Duration, b.st.parts[i].end)
	}
	b.st.snap = smooth.NewSnapshot(m, validator)
	b.st.snap.Periods, b.st.snap.NotSmooth = b.periods, b.notSmooth
	for i := range b.st.parts {
		if p := &b.st.parts[i]; p.err == nil {
			if t := b.st.sources[p.source].snap.ModTime; t.After(b.st.snap.ModTime) {
				b.st.snap.ModTime = t
			}
		}
	}
}

// settle sets what a stream says of its levels: the largest pictures of all parts, and the configuration that goes with
// them, since a decoder is made for that.
func (s *stitchStream) settle() {
	s.out.Timescale = s.timescale
	if s.timescale == stitchScale {
		s.out.Timescale = 0
	}
	s.out.DeclaredChunks = uint32(len(s.out.Timeline))
	if s.out.Type == smooth.Text {
		return
	}
	var w, h uint32
	for i, l := range s.out.Levels {
		c := s.levels[i].codec
		told := c.QualityLevel(l.Bitrate)
		told.CustomAttributes, told.Extra, told.Index = l.CustomAttributes, l.Extra, uint32(i)
		s.out.Levels[i] = told
		w, h = max(w, told.MaxWidth), max(h, told.MaxHeight)
	}
	if s.out.Type == smooth.Video && (w != s.out.MaxWidth || h != s.out.MaxHeight) && s.out.MaxWidth > 0 && s.out.MaxHeight > 0 {
		s.out.DisplayWidth = uint32(smooth.Rescale(uint64(s.out.DisplayWidth), uint64(s.out.MaxWidth), uint64(w)))
		s.out.DisplayHeight = uint32(smooth.Rescale(uint64(s.out.DisplayHeight), uint64(s.out.MaxHeight), uint64(h)))
		s.out.MaxWidth, s.out.MaxHeight = w, h
	}
}
