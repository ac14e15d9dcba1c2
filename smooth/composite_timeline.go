package smooth

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// maxLevelMatches bounds the comparisons of levels, of which each clip takes the square of its levels.
const maxLevelMatches = 1 << 24

// compositeTimeline concatenates clips.
type compositeTimeline struct {
	clips      int
	chunks     int // of all streams
	matches    int // of levels with those of the clips before
	streams    []compositeStream
	protection []ProtectionHeader
	starts     []uint64 // of clips, in 100 ns ticks
	snaps      []*Snapshot
	dropped    []string // why streams and levels are missing
}

// compositeStream is one stream across all clips.
type compositeStream struct {
	out       *Stream
	timescale uint64
	parts     []compositePart // by clip; a text stream may lack some
	clips     int             // that have the stream
}

// compositePart is what a clip gives to a stream.
type compositePart struct {
	source, clip int
	stream       string // its name in the source
	first        int    // position of the first chunk in the composite's timeline
	src, dst     uint64 // start of the first fragment in the source and in the composite
}

// compositeCut is a stream of a clip that is about to be appended.
type compositeCut struct {
	inner     *Stream
	levels    []*QualityLevel
	timescale uint64
	chunks    Timeline
	start     uint64 // in 100 ns ticks
	end       uint64
}

// add appends a clip from a source.
func (t *compositeTimeline) add(source int, snap *Snapshot, clip *Clip) error {
	m := snap.Manifest
	switch {
	case m.IsLive:
		return fmt.Errorf("a live clip: %w", ErrUnsupported)
	case t.clips > 0 && !slices.EqualFunc(t.protection, m.Protection, ProtectionHeader.equal):
		return fmt.Errorf("other protection headers than the clips before: %w", ErrUnsupported)
	case clip.End <= clip.Begin:
		return fmt.Errorf("ClipEnd %d is not after ClipBegin %d: %w", clip.End, clip.Begin, ErrCorrupt)
	}
	t.protection = m.Protection
	cuts, err := cutClip(m, clip)
	if err != nil {
		return err
	}
	for i := range cuts {
		t.chunks += len(cuts[i].chunks)
		t.matches += len(cuts[i].levels) * len(cuts[i].levels)
	}
	if t.matches > maxLevelMatches {
		return fmt.Errorf("too many levels in all clips to match them, %d in this one: %w", len(cuts[0].levels), ErrTooLarge)
	}
	if t.chunks > MaxManifestChunks {
		return fmt.Errorf("more than %d fragments in all: %w", MaxManifestChunks, ErrTooLarge)
	}
	shift := t.place(cuts)
	t.starts, t.snaps = append(t.starts, shift.start), append(t.snaps, snap)
	count := map[StreamType]int{}
	for i := range cuts {
		cut := &cuts[i]
		if s := t.streamFor(cut, count); s != nil {
			if err := s.append(cut, t.clips, source, shift); err != nil {
				return err
			}
		}
	}
	t.clips++
	return nil
}

// cutClip selects the streams and fragments of a clip. The video comes first and says what the clip spans.
func cutClip(m *Manifest, clip *Clip) ([]compositeCut, error) {
	cuts, err := clipStreams(m, clip)
	if err != nil {
		return nil, err
	}
	from, to := clip.Begin, clip.End
	for i := range cuts {
		c := &cuts[i]
		tl := c.inner.Timeline
		lo, hi := tl.Overlap(Rescale(from, DefaultTimescale, c.timescale), Rescale(to, DefaultTimescale, c.timescale))
		if i > 0 {
			lo, hi = inMiddle(tl, lo, hi, Rescale(from, DefaultTimescale, c.timescale), Rescale(to, DefaultTimescale, c.timescale))
		}
		if lo == hi {
			if c.inner.Type == Text {
				continue
			}
			return nil, fmt.Errorf("stream %s has no fragment from %d to %d: %w", c.inner.Name, from, to, ErrNotFound)
		}
		c.chunks = tl[lo:hi]
		c.start = Rescale(c.chunks.Start(), c.timescale, DefaultTimescale)
		c.end = Rescale(c.chunks.End(), c.timescale, DefaultTimescale)
		if i == 0 {
			from, to = c.start, c.end
		}
	}
	return cuts, nil
}

// inMiddle narrows [lo, hi) to the chunks whose middle lies in [from, to), but never to none.
func inMiddle(tl Timeline, lo, hi int, from, to uint64) (int, int) {
	a, b := lo, hi
	for a < b && tl[a].Time+tl[a].Duration/2 < from {
		a++
	}
	for b > a && tl[b-1].Time+tl[b-1].Duration/2 >= to {
		b--
	}
	if a == b {
		return lo, hi
	}
	return a, b
}

// clipStreams finds the source's streams and levels that a clip names, video first. A clip that names no streams
// means the first video and the first audio stream.
func clipStreams(m *Manifest, clip *Clip) ([]compositeCut, error) {
	var cuts []compositeCut
	for _, s := range clip.Streams {
		inner := m.Stream(templateName(s))
		if inner == nil {
			return nil, fmt.Errorf("the source has no stream %s: %w", templateName(s), ErrNotFound)
		}
		var levels []*QualityLevel
		for _, l := range inner.Levels {
			if len(s.Levels) == 0 || s.Level(l.Bitrate, l.AttrsKey()) != nil {
				levels = append(levels, l)
			}
		}
		cuts = append(cuts, compositeCut{inner: inner, levels: levels, timescale: m.TimescaleOf(inner)})
	}
	if len(clip.Streams) == 0 {
		for _, s := range firstOfTypes(m) {
			cuts = append(cuts, compositeCut{inner: s, levels: s.Levels, timescale: m.TimescaleOf(s)})
		}
	}
	if len(cuts) == 0 {
		return nil, fmt.Errorf("neither video nor audio: %w", ErrNotFound)
	}
	rank := map[StreamType]int{Video: 0, Audio: 1, Text: 2}
	slices.SortStableFunc(cuts, func(a, b compositeCut) int { return rank[a.inner.Type] - rank[b.inner.Type] })
	if cuts[0].inner.Type == Text {
		return nil, fmt.Errorf("neither video nor audio: %w", ErrNotFound)
	}
	return cuts, nil
}

// templateName returns the name in a stream's URL template, which is that of the source; else the stream's name.
func templateName(s *Stream) string {
	i := strings.LastIndexByte(s.URL, '(')
	if name, _, ok := strings.Cut(s.URL[i+1:], "="); ok && i >= 0 {
		return strings.TrimSpace(name)
	}
	return s.Name
}

// placement says where a clip goes: what is at ref in the source is at start in the composite, in 100 ns ticks.
type placement struct{ ref, start uint64 }

// of returns the place of a tick of a stream's timescale, which is not before ref.
func (p placement) of(t, timescale uint64) uint64 {
	at := Rescale(t, timescale, DefaultTimescale)
	return Rescale(at-min(p.ref, at)+p.start, DefaultTimescale, timescale)
}

// place returns the earliest place at which no video or audio stream overlaps the clip before. Streams keep their
// distance from each other.
func (t *compositeTimeline) place(cuts []compositeCut) placement {
	p := placement{ref: noEnd}
	for _, c := range cuts {
		if c.chunks != nil && c.inner.Type != Text {
			p.ref = min(p.ref, c.start)
		}
	}
	count := map[StreamType]int{}
	for i := range cuts {
		c := &cuts[i]
		s := t.peek(c.inner.Type, count)
		if s == nil || c.inner.Type == Text {
			continue
		}
		end := Rescale(s.out.Timeline.End(), s.timescale, DefaultTimescale)
		if lead := c.start - p.ref; end > lead {
			p.start = max(p.start, end-lead)
		}
	}
	return p
}

// peek returns the next stream of a type, counting, or nil.
func (t *compositeTimeline) peek(typ StreamType, count map[StreamType]int) *compositeStream {
	n := count[typ]
	count[typ]++
	for i := range t.streams {
		if t.streams[i].out.Type != typ {
			continue
		}
		if n == 0 {
			return &t.streams[i]
		}
		n--
	}
	return nil
}

// streamFor returns the composite's stream that a cut continues, or nil. The first clip makes them.
func (t *compositeTimeline) streamFor(c *compositeCut, count map[StreamType]int) *compositeStream {
	s := t.peek(c.inner.Type, count)
	if t.clips > 0 {
		switch {
		case s == nil:
			t.drop("clip 1 has no further %s stream like %s of clip %d", c.inner.Type, c.inner.Name, t.clips+1)
			return nil
		case s.timescale != c.timescale:
			t.drop("%s has timescale %d, in clip %d %d", s.out.Name, s.timescale, t.clips+1, c.timescale)
			return nil
		}
		s.out.Levels = slices.DeleteFunc(s.out.Levels, func(l *QualityLevel) bool {
			return !t.hasLevel(c, s.out.Name, l)
		})
		return s
	}
	out := c.inner.clone()
	out.URL = templateURL(out.Name, slices.ContainsFunc(c.levels, func(l *QualityLevel) bool { return len(l.CustomAttributes) > 0 }))
	out.Timeline, out.Embedded, out.Content, out.Parent, out.ManifestOutput = nil, nil, nil, "", false
	out.Timescale = c.timescale
	out.Levels = slices.DeleteFunc(out.Levels, func(l *QualityLevel) bool {
		return !slices.ContainsFunc(c.levels, func(k *QualityLevel) bool { return sameLevel(k, l) })
	})
	if len(out.Levels) == 0 {
		t.drop("%s has no level in clip 1", out.Name)
	}
	t.streams = append(t.streams, compositeStream{out: out, timescale: c.timescale})
	return &t.streams[len(t.streams)-1]
}

// hasLevel reports whether a clip has a level with the same configuration.
func (t *compositeTimeline) hasLevel(c *compositeCut, stream string, l *QualityLevel) bool {
	for _, k := range c.levels {
		if !sameLevel(k, l) {
			continue
		}
		if sameConfig(k, l) {
			return true
		}
		t.drop("%s at %d bits/s has another codec configuration in clip %d", stream, l.Bitrate, t.clips+1)
		return false
	}
	t.drop("%s at %d bits/s is missing in clip %d", stream, l.Bitrate, t.clips+1)
	return false
}

// maxDropped bounds the reasons that are kept for an error message.
const maxDropped = 4

func (t *compositeTimeline) drop(format string, args ...any) {
	if len(t.dropped) < maxDropped {
		t.dropped = append(t.dropped, fmt.Sprintf(format, args...))
	}
}

func sameLevel(a, b *QualityLevel) bool {
	return a.Bitrate == b.Bitrate && a.AttrsKey() == b.AttrsKey()
}

// sameConfig reports whether a decoder set up for one level can play the other.
func sameConfig(a, b *QualityLevel) bool {
	return fourCCFamily(a.FourCC) == fourCCFamily(b.FourCC) && bytes.Equal(a.CodecPrivateData, b.CodecPrivateData) &&
		a.MaxWidth == b.MaxWidth && a.MaxHeight == b.MaxHeight &&
		a.SamplingRate == b.SamplingRate && a.Channels == b.Channels && a.AudioTag == b.AudioTag
}

// append adds the fragments of a cut. A text fragment that would overlap the one before is left out.
func (s *compositeStream) append(c *compositeCut, clip, source int, p placement) error {
	s.clips++
	chunks := c.chunks
	for c.inner.Type == Text && len(chunks) > 0 && !s.fits(chunks[0].Time, p) {
		chunks = chunks[1:]
	}
	if len(chunks) == 0 {
		return nil
	}
	src := chunks[0].Time
	dst := max(p.of(src, s.timescale), s.out.Timeline.End()) // the latter because of rounding
	if length := chunks.End() - src; dst > maxCompositeTime || length > maxCompositeTime {
		return fmt.Errorf("stream %s lasts %d ticks after %d: %w", c.inner.Name, length, dst, ErrTooLarge)
	}
	s.parts = append(s.parts, compositePart{
		source: source, clip: clip, stream: c.inner.Name, first: len(s.out.Timeline), src: src, dst: dst,
	})
	for _, ch := range chunks {
		s.out.Timeline = append(s.out.Timeline, Chunk{Time: ch.Time - src + dst, Duration: ch.Duration})
	}
	return nil
}

// maxCompositeTime bounds the timeline, in ticks, so that no sum overflows.
const maxCompositeTime = 1 << 61

// fits reports whether a fragment of a text stream neither starts before the clip nor overlaps the one before.
func (s *compositeStream) fits(src uint64, p placement) bool {
	return Rescale(src, s.timescale, DefaultTimescale) >= p.ref && p.of(src, s.timescale) >= s.out.Timeline.End()
}

// finish returns the manifest and the periods.
func (t *compositeTimeline) finish() (*Manifest, []Period, error) {
	t.streams = slices.DeleteFunc(t.streams, func(s compositeStream) bool {
		return s.clips < t.clips || len(s.out.Levels) == 0 || len(s.out.Timeline) == 0
	})
	if !slices.ContainsFunc(t.streams, func(s compositeStream) bool { return s.out.Type != Text }) {
		return nil, nil, fmt.Errorf("no quality level is common to all clips (%s): %w", strings.Join(t.dropped, "; "), ErrUnsupported)
	}
	m := &Manifest{MajorVersion: 2, Timescale: DefaultTimescale, Protection: t.protection}
	for i := range t.streams {
		s := &t.streams[i]
		s.out.fitLevels()
		s.out.DeclaredChunks = uint32(len(s.out.Timeline))
		m.Streams = append(m.Streams, s.out)
		m.Duration = max(m.Duration, Rescale(s.out.Timeline.End(), s.timescale, DefaultTimescale))
	}
	periods := make([]Period, t.clips)
	for i := range periods {
		periods[i] = Period{Start: t.starts[i], Discontinuity: uint64(i), Tracks: t.tracks(i)}
	}
	return m, periods, nil
}

// tracks returns the tracks of a clip, with the codec configurations of its source.
func (t *compositeTimeline) tracks(clip int) []Track {
	var out []Track
	for i := range t.streams {
		s := &t.streams[i]
		n := slices.IndexFunc(s.parts, func(p compositePart) bool { return p.clip == clip })
		if n < 0 {
			continue // text may lack a clip
		}
		for _, l := range s.out.Levels {
			k := FragmentKey{Stream: s.parts[n].stream, Attrs: l.AttrsKey(), Bitrate: l.Bitrate, Time: s.parts[n].src}
			if inner := t.snaps[clip].Track(k); inner != nil {
				out = append(out, Track{Stream: s.out.Name, Attrs: k.Attrs, Bitrate: l.Bitrate, Codec: inner.Codec})
			}
		}
	}
	return out
}
