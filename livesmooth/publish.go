package livesmooth

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// publish makes a snapshot of the timelines and wakes those who wait for what is new in it. It costs the same however long
// the window is. mu must be held.
func (b *broadcast) publish() {
	b.slide()
	m := &smooth.Manifest{
		MajorVersion: 2, Timescale: scale, IsLive: !b.closed, CanSeek: true, CanPause: true, NoRepeats: true,
		DVRWindowLength: ticks(b.set.Viewers.WindowLength), Protection: b.protect,
	}
	if b.set.Viewers.ManifestVersion == "2.2" {
		m.MinorVersion, m.NoRepeats = 2, false
	}
	var edges []smooth.Edge
	for _, st := range b.streams {
		if len(st.tracks) == 0 || len(st.line) == 0 && !st.sparse { // a player could not begin with an empty one
			continue
		}
		if st.shown == nil {
			st.shown = st.show()
			line := st.line
			st.known.Store(&line)
		}
		m.Streams = append(m.Streams, st.shown)
		edges = append(edges, smooth.Edge{
			Listed: st.shown.Timeline.End(), Complete: st.line.End(), Received: st.line[st.first:len(st.line):len(st.line)],
			Kept: st.line[st.kept:len(st.line):len(st.line)],
		})
	}
	switch {
	case b.closed:
		m.CanSeek, m.CanPause = false, false
		m.Duration = duration(m)
	default:
		m.LookaheadCount = uint32(b.set.Lookahead)
		m.Duration = ticks(b.set.EstimatedDuration)
	}
	s := smooth.NewSnapshot(m, b.validator(m))
	if b.gaps == nil {
		b.gaps = []smooth.Gap{}
		for _, st := range b.streams {
			b.gaps = append(b.gaps, st.gaps...)
		}
	}
	s.Edges, s.Gaps, s.Ended = edges, b.gaps, b.closed
	s.Periods = slices.Clip(b.periods)
	if len(s.Periods) == 0 {
		s.Periods = []smooth.Period{{Tracks: b.currentTracks()}}
	}
	if !b.closed && !b.listsSome() {
		s.NotSmooth = fmt.Errorf("livesmooth: %s: nothing is listed yet: %w", b.name, smooth.ErrNotYet)
	}
	old := b.snap.Swap(s)
	if old != nil {
		old.Supersede()
	}
	b.waits.wake(func(k smooth.FragmentKey) bool { return b.closed || b.reached(k) })
}

// listsSome reports whether there is anything to play. mu must be held.
func (b *broadcast) listsSome() bool {
	for _, st := range b.streams {
		if !st.sparse && st.listed > 0 {
			return true
		}
	}
	return false
}

// duration returns how long a presentation that has ended is, from its first fragment on: its times may count from 1970, or
// the window may have left the beginning behind. A client takes it for the sum of the fragments, see [MS-SSTR] 3.1.5.1.
func duration(m *smooth.Manifest) uint64 {
	start, end, found := uint64(0), uint64(0), false
	for _, s := range m.Streams {
		if len(s.Timeline) == 0 || s.Parent != "" {
			continue
		}
		if !found || s.Timeline.Start() < start {
			start, found = s.Timeline.Start(), true
		}
		end = max(end, s.Timeline.End())
	}
	return end - start
}

// show returns the stream as the manifest has it.
func (s *stream) show() *smooth.Stream {
	c := s.fixed
	c.Timeline = s.line[s.first:s.listed:s.listed]
	c.DeclaredChunks = uint32(len(c.Timeline))
	if s.embedded != nil {
		c.Embedded = s.embedded[s.first:s.listed:s.listed]
	}
	for i, tr := range s.tracks {
		level := *tr.level
		level.Index = uint32(i)
		c.Levels = append(c.Levels, &level)
	}
	return &c
}

// slide moves the window on: what ends before it is not listed any more. mu must be held.
func (b *broadcast) slide() {
	window := ticks(b.set.Viewers.WindowLength)
	edge := uint64(0)
	for _, st := range b.streams {
		if !st.sparse {
			edge = max(edge, st.line[:st.listed].End())
		}
	}
	if window == 0 || edge <= window {
		return
	}
	b.cutBefore(edge - window)
}

// cutBefore takes chunks that end at or before a time out of the window. mu must be held.
func (b *broadcast) cutBefore(start uint64) {
	b.start = max(b.start, start)
	for _, st := range b.streams {
		for len(st.gaps) > 0 && st.gaps[0].Time+st.gaps[0].Duration <= start {
			st.gaps, b.gaps = st.gaps[1:], nil
		}
		first := st.first
		for first < st.listed && st.line[first].End() <= start {
			first++
		}
		if first != st.first {
			st.first, st.shown = first, nil
		}
	}
	for len(b.periods) > 1 && b.periods[1].Start <= b.oldestKept() {
		b.periods = b.periods[1:]
	}
}

// oldest returns the start of the oldest chunk in the window. Those of a stream that has died, and that are not listed since
// their successors never came, have left it. mu must be held.
func (b *broadcast) oldest() uint64 {
	oldest, found := uint64(0), false
	for _, st := range b.streams {
		if !st.sparse && st.first < len(st.line) && st.line[st.first].End() > b.start && (!found || st.line[st.first].Time < oldest) {
			oldest, found = st.line[st.first].Time, true
		}
	}
	if !found {
		return b.start
	}
	return oldest
}

// oldestKept returns the start of what can be had, the window and a while before it. mu must be held.
func (b *broadcast) oldestKept() uint64 {
	oldest := b.oldest()
	for _, st := range b.streams {
		if !st.sparse && st.kept < len(st.line) && (st.kept < st.first || st.line[st.kept].End() > b.start) {
			oldest = min(oldest, st.line[st.kept].Time)
		}
	}
	return oldest
}

// compact forgets the part of the timeline that nobody can ask for, once it is the larger part, so that a channel that is
// never stopped does not grow. Snapshots keep the array that they were made of.
func (s *stream) compact() {
	n, least := s.kept, 4096
	if s.embedded != nil {
		least = 64
	}
	if n < least || n < len(s.line)/2 {
		return
	}
	s.line = slices.Clone(s.line[n:])
	if s.embedded != nil {
		for _, list := range s.embedded[:n] {
			s.held -= sizeOf(list)
		}
		s.embedded = slices.Clone(s.embedded[n:])
	}
	s.listed, s.first, s.kept = s.listed-n, s.first-n, 0
}

// validator identifies the content of a presentation: equal on every server that has received the same. mu must be held.
func (b *broadcast) validator(m *smooth.Manifest) string {
	h := sha256.New()
	number := func(n uint64) { h.Write(binary.BigEndian.AppendUint64(nil, n)) }
	number(m.Duration)
	number(uint64(m.LookaheadCount))
	if b.closed {
		number(1)
	}
	for _, st := range m.Streams {
		text(h, st.Name)
		for _, l := range st.Levels {
			number(l.Bitrate)
			h.Write(l.CodecPrivateData)
		}
		n := len(st.Timeline)
		number(uint64(n))
		if n > 0 {
			number(st.Timeline[0].Time)
			number(st.Timeline[n-1].Time)
			number(st.Timeline[n-1].Duration)
		}
		if own := b.streamCalled(st.Name); own != nil {
			own.fingerprint(number, b.closed)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// fingerprint tells this event from another one of the same shape, such as that of an encoder which has been started again: by the
// sizes of the newest fragments.
func (s *stream) fingerprint(number func(uint64), closed bool) {
	n := 1
	if closed { // nothing will tell them apart later
		n = 64
	}
	for _, c := range s.line[max(s.listed-n, s.first):s.listed] {
		for _, tr := range s.tracks {
			number(tr.sizeAt(c.Time))
		}
	}
}

func text(h hash.Hash, s string) {
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
	h.Write([]byte(s))
}
