package smooth

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// filteredView is the result of a filter on one snapshot. It is immutable.
type filteredView struct {
	base, snap *Snapshot
	span       tickSpan
}

// tickSpan is what a filter shows of the timeline, in ticks of the manifest's timescale. Fragments that overlap
// [from, to) are shown.
type tickSpan struct {
	from, to uint64
	// backoff tells that to moves with the live edge, so that what lies behind it will be shown later.
	backoff bool
	// cut tells that a start or an end was asked for.
	cut bool
}

// in returns the span in the timescale of a stream.
func (t tickSpan) in(m *Manifest, s *Stream) (from, to uint64) {
	from, to = t.from, t.to
	scale, own := m.timescale(), m.TimescaleOf(s)
	if from != 0 {
		from = Rescale(from, scale, own)
	}
	if to != noEnd {
		to = Rescale(to, scale, own)
	}
	return from, to
}

// apply makes the filtered view of a snapshot.
func (c *filterChain) apply(base *Snapshot) (*filteredView, error) {
	m := base.Manifest
	chosen := c.choose(m)
	if len(chosen) == 0 {
		return nil, fmt.Errorf("smooth: no track passes the filter %s: %w", c.key, ErrNotFound)
	}
	span, err := c.span(base, chosen)
	if err != nil {
		return nil, err
	}
	ahead := m.IsLive && span.from >= leastEnd(m, chosen)
	chosen = span.clip(m, chosen)
	switch {
	case len(chosen) == 0 && ahead:
		return nil, fmt.Errorf("smooth: the span of the filter %s lies after the live edge: %w", c.key, ErrNotYet)
	case len(chosen) == 0:
		return nil, fmt.Errorf("smooth: no fragment lies in the span of the filter %s: %w", c.key, ErrNotFound)
	}
	return &filteredView{base: base, snap: c.snapshot(base, chosen, span), span: span}, nil
}

// chosenStream is a stream that a filter shows, with the levels and the chunks [lo, hi) that remain.
type chosenStream struct {
	pos    int // in the base manifest
	stream *Stream
	levels []*QualityLevel
	lo, hi int
}

// choose selects the streams and levels, in manifest order.
func (c *filterChain) choose(m *Manifest) []chosenStream {
	var out []chosenStream
	for i, s := range m.Streams {
		levels, ok := c.selectLevels(s, m.TimescaleOf(s))
		if ok {
			out = append(out, chosenStream{pos: i, stream: s, levels: levels, hi: len(s.Timeline)})
		}
	}
	return slices.DeleteFunc(out, func(cs chosenStream) bool { return cs.stream.Parent != "" && !hasStream(out, cs.stream.Parent) })
}

// selectLevels returns the levels of a stream that are shown, and whether the stream is. A stream without levels
// (embedded text) is judged by its own attributes.
func (c *filterChain) selectLevels(s *Stream, timescale uint64) ([]*QualityLevel, bool) {
	if len(s.Levels) == 0 {
		return nil, c.expr.match(trackView{stream: s, level: &QualityLevel{}, timescale: timescale})
	}
	var levels []*QualityLevel
	for _, l := range s.Levels {
		if c.expr.match(trackView{stream: s, level: l, timescale: timescale}) {
			levels = append(levels, l)
		}
	}
	if levels == nil {
		return nil, false
	}
	return c.order(s, c.bound(s, levels)), true
}

func hasStream(list []chosenStream, name string) bool {
	return slices.ContainsFunc(list, func(cs chosenStream) bool { return equalFoldASCII(cs.stream.Name, name) })
}

// bound applies the bounds of bit rate and size, which leave at least one level.
func (c *filterChain) bound(s *Stream, levels []*QualityLevel) []*QualityLevel {
	r, isVideo := c.rangeOf(s.Type), s.Type == Video
	fits := func(l *QualityLevel) bool {
		return !isVideo || (c.width == 0 || l.MaxWidth <= c.width) && (c.height == 0 || l.MaxHeight <= c.height)
	}
	var kept []*QualityLevel
	var below, lowest *QualityLevel
	for _, l := range levels {
		if fits(l) && r.contains(l.Bitrate) {
			kept = append(kept, l)
		}
		if fits(l) && (r.Max == 0 || l.Bitrate <= r.Max) && (below == nil || l.Bitrate > below.Bitrate) {
			below = l
		}
		if lowest == nil || l.Bitrate < lowest.Bitrate {
			lowest = l
		}
	}
	switch {
	case kept != nil:
		return kept
	case below != nil:
		return []*QualityLevel{below}
	}
	return []*QualityLevel{lowest}
}

// order moves the first quality of video to the front.
func (c *filterChain) order(s *Stream, levels []*QualityLevel) []*QualityLevel {
	if c.first == 0 || s.Type != Video {
		return levels
	}
	best := 0
	for i, l := range levels {
		b := levels[best].Bitrate
		if l.Bitrate <= c.first && (b > c.first || l.Bitrate > b) || b > c.first && l.Bitrate < b {
			best = i
		}
	}
	first := levels[best]
	return slices.Insert(slices.Delete(slices.Clone(levels), best, best+1), 0, first)
}

// span resolves the filter's times in a snapshot.
func (c *filterChain) span(base *Snapshot, chosen []chosenStream) (tickSpan, error) {
	t := tickSpan{to: noEnd, cut: len(c.starts)+len(c.ends) > 0}
	for _, i := range c.starts {
		v, err := i.resolve(base)
		if err != nil {
			return t, err
		}
		t.from = max(t.from, v)
	}
	for _, i := range c.ends {
		v, err := i.resolve(base)
		if err != nil {
			return t, err
		}
		t.to = min(t.to, v)
	}
	if t.to <= t.from {
		return t, badFilter("the span ends at %d, not after its start %d", t.to, t.from)
	}
	if base.Manifest.IsLive && c.window|c.backoff != 0 {
		c.slide(base.Manifest, chosen, &t)
	}
	return t, nil
}

// slide applies what is relative to the live edge.
func (c *filterChain) slide(m *Manifest, chosen []chosenStream, t *tickSpan) {
	edge := leastEnd(m, chosen)
	scale := m.timescale()
	if b := Rescale(uint64(c.backoff), uint64(time.Second), scale); b != 0 {
		if to := edge - min(b, edge); to < t.to {
			t.to, t.backoff = to, true
		}
		edge = min(edge, t.to)
	}
	if w := Rescale(uint64(c.window), uint64(time.Second), scale); w != 0 {
		t.from = max(t.from, edge-min(w, edge))
	}
}

// isContinuous reports whether a stream's timeline should reach the presentation's end.
func isContinuous(s *Stream) bool {
	return s.Parent == "" && s.Type != Text
}

// leastEnd returns the earliest end of the continuous streams, in ticks of the manifest, or 0.
func leastEnd(m *Manifest, chosen []chosenStream) uint64 {
	end := noEnd
	for _, cs := range chosen {
		if isContinuous(cs.stream) {
			end = min(end, Rescale(cs.stream.Timeline.End(), m.TimescaleOf(cs.stream), m.timescale()))
		}
	}
	if end == noEnd {
		return 0
	}
	return end
}

// clip cuts the timelines and drops streams that lose every fragment; a live text stream stays, for what comes.
func (t tickSpan) clip(m *Manifest, chosen []chosenStream) []chosenStream {
	var out []chosenStream
	fragments := false
	for _, cs := range chosen {
		from, to := t.in(m, cs.stream)
		cs.lo, cs.hi = cs.stream.Timeline.Overlap(from, to)
		if cs.lo == cs.hi && len(cs.stream.Timeline) > 0 && (isContinuous(cs.stream) || !m.IsLive) {
			continue
		}
		fragments = fragments || cs.lo < cs.hi || len(cs.stream.Timeline) == 0
		out = append(out, cs)
	}
	if !fragments {
		return nil
	}
	return slices.DeleteFunc(out, func(cs chosenStream) bool { return cs.stream.Parent != "" && !hasStream(out, cs.stream.Parent) })
}

// snapshot builds the filtered snapshot. It shares the channel of its base, so it is superseded together with it.
func (c *filterChain) snapshot(base *Snapshot, chosen []chosenStream, span tickSpan) *Snapshot {
	m := base.Manifest
	out := *m
	out.Streams = make([]*Stream, len(chosen))
	for i, cs := range chosen {
		out.Streams[i] = cs.build()
	}
	if ended := span.reached(m, chosen); ended {
		out.IsLive, out.LookaheadCount, out.DVRWindowLength = false, 0, 0
	}
	if w := Rescale(uint64(c.window), uint64(time.Second), m.timescale()); w != 0 && out.IsLive {
		out.DVRWindowLength = minNonZero(out.DVRWindowLength, w)
	}
	if span.cut && !out.IsLive || m.IsLive && !out.IsLive {
		out.Duration = shownDuration(&out)
	}
	sum := sha256.Sum256([]byte(c.key))
	s := NewSnapshot(&out, base.Validator+"-"+validatorOf(sum[:]))
	s.Ended = base.Ended || m.IsLive && !out.IsLive
	s.ModTime, s.NotSmooth = base.ModTime, base.NotSmooth
	s.superseded = base.superseded
	s.Periods = span.periods(base.Periods, &out)
	s.Edges = span.edges(base.Edges, m, chosen)
	s.Gaps = span.gaps(base.Gaps, &out)
	return s
}

// reached reports whether a live presentation has come to the filter's end.
func (t tickSpan) reached(m *Manifest, chosen []chosenStream) bool {
	return m.IsLive && t.to != noEnd && !t.backoff && leastEnd(m, chosen) >= t.to
}

// shownDuration returns the length from the first to the last shown tick, in ticks of the manifest.
func shownDuration(m *Manifest) uint64 {
	first, last := noEnd, uint64(0)
	for _, s := range m.Streams {
		if len(s.Timeline) == 0 {
			continue
		}
		scale, own := m.timescale(), m.TimescaleOf(s)
		first = min(first, Rescale(s.Timeline.Start(), own, scale))
		last = max(last, Rescale(s.Timeline.End(), own, scale))
	}
	if last < first {
		return 0
	}
	return last - first
}

// build returns the stream as shown.
func (cs *chosenStream) build() *Stream {
	s := *cs.stream
	s.Levels = make([]*QualityLevel, len(cs.levels))
	index := make(map[uint32]uint32, len(cs.levels))
	for i, l := range cs.levels {
		n := *l
		index[l.Index] = uint32(i)
		s.Levels[i] = &n
	}
	s.fitLevels()
	s.Timeline = s.Timeline[cs.lo:cs.hi:cs.hi]
	s.DeclaredChunks = uint32(len(s.Timeline))
	if s.Embedded != nil {
		s.Embedded = renumber(s.Embedded[cs.lo:cs.hi], index)
	}
	return &s
}

// fitLevels numbers the levels and makes the stream's sizes those of its largest level, at the same pixel aspect
// ratio.
func (s *Stream) fitLevels() {
	var w, h uint32
	for i, l := range s.Levels {
		l.Index = uint32(i)
		w, h = max(w, l.MaxWidth), max(h, l.MaxHeight)
	}
	if s.MaxWidth == 0 || s.MaxHeight == 0 || w == 0 || h == 0 {
		return
	}
	s.DisplayWidth = uint32(Rescale(uint64(s.DisplayWidth), uint64(s.MaxWidth), uint64(w)))
	s.DisplayHeight = uint32(Rescale(uint64(s.DisplayHeight), uint64(s.MaxHeight), uint64(h)))
	s.MaxWidth, s.MaxHeight = w, h
}

// renumber maps the level numbers of embedded data and drops what belongs to hidden levels.
func renumber(chunks [][]ChunkData, index map[uint32]uint32) [][]ChunkData {
	out := make([][]ChunkData, len(chunks))
	for i, list := range chunks {
		for _, d := range list {
			if n, ok := index[d.Level]; ok {
				out[i] = append(out[i], ChunkData{Level: n, Data: d.Data})
			}
		}
	}
	return out
}

// periods keeps the periods that the span touches, and their shown tracks.
func (t tickSpan) periods(base []Period, m *Manifest) []Period {
	var out []Period
	for i, p := range base {
		end := noEnd
		if i+1 < len(base) {
			end = base[i+1].Start
		}
		if i+1 < len(base) && end <= t.from || p.Start >= t.to && len(out) > 0 {
			continue
		}
		p.Tracks = slices.DeleteFunc(slices.Clone(p.Tracks), func(tr Track) bool {
			s := m.Stream(tr.Stream)
			return s == nil || s.Level(tr.Bitrate, tr.Attrs) == nil
		})
		out = append(out, p)
	}
	return out
}

// edges keeps the edges of the chosen streams; one whose timeline was cut at the end ends there.
func (t tickSpan) edges(base []Edge, m *Manifest, chosen []chosenStream) []Edge {
	if base == nil {
		return nil
	}
	out := make([]Edge, len(chosen))
	for i, cs := range chosen {
		if cs.pos < len(base) {
			out[i] = base[cs.pos]
		}
		if received := out[i].Received; received != nil {
			_, to := t.in(m, cs.stream)
			hi := max(received.search(to), cs.hi)
			out[i].Received = received[cs.lo:hi:hi]
		}
		if kept := out[i].Kept; kept != nil {
			from, to := t.in(m, cs.stream)
			lo, hi := kept.Overlap(from, to)
			out[i].Kept = kept[lo:hi:hi]
		}
		if cs.hi < len(cs.stream.Timeline) {
			end := cs.stream.Timeline[:cs.hi].End()
			out[i] = Edge{Listed: min(out[i].Listed, end), Complete: min(out[i].Complete, end)}
		}
	}
	return out
}

// gaps keeps the gaps of shown streams inside the span.
func (t tickSpan) gaps(base []Gap, m *Manifest) []Gap {
	var out []Gap
	for _, g := range base {
		s := m.Stream(g.Stream)
		if s == nil {
			continue
		}
		if from, to := t.in(m, s); g.Time < to && addSaturating(g.Time, g.Duration) > from {
			out = append(out, g)
		}
	}
	return out
}

// admits returns nil if the view shows the fragment or may show it later.
func (v *filteredView) admits(k FragmentKey) error {
	m := v.snap.Manifest
	s := m.Stream(k.Stream)
	if s == nil || s.Level(k.Bitrate, k.Attrs) == nil {
		return fmt.Errorf("smooth: filter hides %s at %d bits/s: %w", k.Stream, k.Bitrate, ErrNotFound)
	}
	if _, ok := s.Timeline.Find(k.Time); ok {
		return nil
	}
	from, to := v.span.in(v.base.Manifest, s)
	switch {
	case k.Time >= to && v.span.backoff:
		return fmt.Errorf("smooth: filter holds back %s %d: %w", k.Stream, k.Time, ErrNotYet)
	case k.Time >= to || k.Time < from:
		return fmt.Errorf("smooth: filter hides %s %d: %w", k.Stream, k.Time, ErrNotFound)
	}
	return nil
}
