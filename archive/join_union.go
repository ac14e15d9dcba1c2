package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/smooth"
)

// joinedKnown is what need not be found out again for each snapshot.
type joinedKnown struct {
	snaps []*smooth.Snapshot // of the parts before the last one
	union union              // of snaps
	tails []joinedTail       // by stream: how the last part was appended
}

// joinedTail is a timeline that the last part has been appended to. While that part grows in its place, what is new is
// appended.
type joinedTail struct {
	before smooth.Timeline // of the parts before
	line   smooth.Timeline
	last   smooth.Timeline // of the last part
}

// make makes the state. mu must be held.
func (j *joined) make(ctx context.Context) (*joinedState, error) {
	s := &joinedState{parts: slices.Clone(j.parts)}
	var snaps []*smooth.Snapshot
	for _, p := range j.parts {
		snap, err := p.p.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		snaps = append(snaps, snap)
		s.ended = append(s.ended, snap.Ended)
	}
	n := max(len(snaps)-1, 0)
	if !slices.Equal(j.known.snaps, snaps[:n]) || j.known.union.streams == nil {
		j.known = joinedKnown{snaps: slices.Clone(snaps[:n]), union: unionOf(snaps[:n], !j.ended)}
	}
	u := j.known.union.clone()
	if len(snaps) > 0 {
		u.add(n, snaps[n], j.known.tails)
		j.known.tails = u.tails(j.known.union)
	}
	s.snap = j.snapshot(&u, snaps)
	for i := range u.streams {
		if u.streams[i].shows(s.snap) {
			s.streams = append(s.streams, u.streams[i].span)
		}
	}
	return s, nil
}

// snapshot makes the snapshot of a union. mu must be held.
func (j *joined) snapshot(u *union, snaps []*smooth.Snapshot) *smooth.Snapshot {
	live := j.live && !j.ended
	m := &smooth.Manifest{MajorVersion: 2, MinorVersion: 2, Timescale: index.Scale, IsLive: live, Protection: u.protection}
	if j.live { // as a publishing point has it
		m.MinorVersion, m.NoRepeats, m.CanSeek, m.CanPause = 0, true, live, live
	}
	h := sha256.New()
	for _, s := range snaps {
		fmt.Fprintf(h, "%s %t\n", s.Validator, s.Ended)
	}
	fmt.Fprint(h, j.live, live)
	s := smooth.NewSnapshot(m, "join-")
	var edges []smooth.Edge
	for i := range u.streams {
		st := &u.streams[i]
		if !st.shows(s) {
			continue
		}
		m.Streams = append(m.Streams, st.manifest(j.live))
		edges = append(edges, smooth.Edge{Listed: st.line.End(), Complete: st.line.End(), Received: st.line})
		s.Gaps = append(s.Gaps, st.gaps...)
		fmt.Fprintln(h, len(st.line)) // some may be held back
	}
	if live {
		s.Edges = edges
		if len(m.Streams) == 0 {
			s.NotSmooth = fmt.Errorf("archive: nothing is there yet: %w", smooth.ErrNotYet)
		}
	} else {
		m.Duration = index.Duration(m)
	}
	s.Periods = u.show(m, j.clock)
	for _, part := range snaps {
		if part.ModTime.After(s.ModTime) {
			s.ModTime = part.ModTime
		}
	}
	s.Validator = "join-" + hex.EncodeToString(h.Sum(nil)[:12])
	return s
}

// union is what several parts have together.
type union struct {
	streams    []unionStream // never nil once it is made
	periods    []unionPeriod
	protection []smooth.ProtectionHeader
	parts      int
	open       bool // the last part has not ended
	patient    bool // the presentation goes on, so that what is open is waited for
}

// unionStream is a stream of a union.
type unionStream struct {
	first, last *smooth.Stream // as the first and the last part have it
	levels      []unionLevel
	line        smooth.Timeline
	gaps        []smooth.Gap
	span        joinedSpan
	embedded    map[uint64][]smooth.ChunkData // by time, of a control stream
	tail        smooth.Timeline               // what the last part has given to line, all of it
}

// unionLevel is a quality level of a union, as the first and the last part have it.
type unionLevel struct {
	attrs       string
	first, last *smooth.QualityLevel
}

// unionOf returns the union of parts.
func unionOf(snaps []*smooth.Snapshot, patient bool) union {
	u := union{streams: []unionStream{}, patient: patient}
	for i, s := range snaps {
		u.add(i, s, nil)
	}
	return u
}

// clone returns a union that parts can be added to.
func (u *union) clone() union {
	c := *u
	c.streams = make([]unionStream, len(u.streams))
	for i, s := range u.streams {
		s.levels, s.gaps, s.span.starts, s.tail = slices.Clone(s.levels), slices.Clip(s.gaps), slices.Clip(s.span.starts), nil
		s.line, s.embedded = slices.Clip(s.line), maps.Clone(s.embedded)
		c.streams[i] = s
	}
	c.periods = slices.Clone(u.periods)
	for i := range c.periods {
		c.periods[i].codecs = maps.Clone(c.periods[i].codecs)
	}
	return c
}

// tails returns how the last part was appended to what was there before.
func (u *union) tails(before union) []joinedTail {
	list := make([]joinedTail, len(u.streams))
	for i := range u.streams {
		list[i].line, list[i].last = u.streams[i].line, u.streams[i].tail
		if i < len(before.streams) {
			list[i].before = before.streams[i].line
		}
	}
	return list
}

// add adds a part. tails says how it was added the last time.
func (u *union) add(part int, snap *smooth.Snapshot, tails []joinedTail) {
	m := snap.Manifest
	if u.parts == 0 || len(m.Protection) > 0 {
		u.protection = m.Protection
	}
	u.addPeriods(snap)
	for _, st := range m.Streams {
		i := slices.IndexFunc(u.streams, func(s unionStream) bool { return s.first.Name == st.Name })
		if i < 0 {
			i = len(u.streams)
			u.streams = append(u.streams, unionStream{first: st})
		}
		s := &u.streams[i]
		s.last = st
		s.addLevels(st)
		s.addEmbedded(st)
		if u.waits(s, st.Timeline) {
			continue
		}
		var tail *joinedTail
		if i < len(tails) {
			tail = &tails[i]
		}
		s.append(part, st.Timeline, snap.Ended, tail)
	}
	for i := range u.streams { // also those of which the part has nothing else
		u.streams[i].addGaps(snap.Gaps)
	}
	u.parts++
	u.open = u.patient && !snap.Ended
}

// hesitation is how many fragments of a part are held back while the part before may still list some that come first.
const hesitation = 3

// waits reports whether the fragments of a part are not to be listed yet.
func (u *union) waits(s *unionStream, tl smooth.Timeline) bool {
	if !u.open || len(tl) == 0 || len(tl) > hesitation || s.first.Parent != "" {
		return false
	}
	return len(s.line) == 0 || tl[0].Time > s.line.End()+tl[0].Duration/4
}

// append appends the fragments of a part. ended tells that nothing will be added to it.
func (s *unionStream) append(part int, tl smooth.Timeline, ended bool, tail *joinedTail) {
	if len(tl) == 0 {
		return
	}
	s.span.starts = append(s.span.starts, joinedStart{part, tl[0].Time})
	s.tail = tl
	if len(s.line) == 0 {
		s.line = slices.Clip(tl)
		for i := 1; ended && i < len(tl); i++ {
			if s.jumps(tl, i) {
				s.line = slices.Clone(tl)
				s.tickAfterGaps(s.line, i)
				break
			}
		}
		return
	}
	if tail != nil && tail.goesOn(s.line, tl) {
		s.line = appendChunks(tail.line, tl[len(tail.last):])
		return
	}
	if last := s.line[len(s.line)-1]; tl[0].Time <= last.Time {
		s.mix(tl)
		return
	}
	n := len(s.line)
	s.line = appendChunks(slices.Clip(s.line), tl)
	s.tickAfterGaps(s.line, n)
}

// tickAfterGaps makes chunks from a position on that follow a gap a tick shorter, as an index does, see [index.Index]: rx-player
// needs another duration there. Files have the fragments as they were.
func (s *unionStream) tickAfterGaps(line smooth.Timeline, from int) {
	for i := max(from, 1); i < len(line); i++ {
		if s.jumps(line, i) {
			line[i].Duration--
		}
	}
}

// jumps reports whether the chunk at a position is to become a tick shorter.
func (s *unionStream) jumps(line smooth.Timeline, i int) bool {
	c, last := &line[i], &line[i-1]
	return s.first.Parent == "" && c.Duration > 1 && c.Duration == last.Duration && c.Time > last.End()+c.Duration/4
}

// mix appends the fragments of a part that begins before the parts before it have ended: what has come late.
func (s *unionStream) mix(tl smooth.Timeline) {
	line := slices.Concat(s.line, tl)
	slices.SortStableFunc(line, func(a, b smooth.Chunk) int { return cmp.Compare(a.Time, b.Time) })
	s.line = slices.CompactFunc(line, func(a, b smooth.Chunk) bool { return a.Time == b.Time })
	s.span.mixed, s.tail = true, nil
}

// goesOn reports whether the timeline has been made of what is before and of what is the beginning of last now.
func (t *joinedTail) goesOn(before, last smooth.Timeline) bool {
	return sameStart(t.before, before) && len(t.before) == len(before) && sameStart(t.last, last) && len(t.last) <= len(last)
}

// sameStart reports whether two timelines are in one array, so that one begins with the other.
func sameStart(a, b smooth.Timeline) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

// appendChunks appends, with a sixteenth more room than is needed. What line has behind its end belongs to nobody else.
func appendChunks(line, more smooth.Timeline) smooth.Timeline {
	if n := len(line) + len(more); n > cap(line) {
		line = append(make(smooth.Timeline, 0, n+max(n/16, 16)), line...)
	}
	return append(line, more...)
}

// addLevels adds the quality levels of a part.
func (s *unionStream) addLevels(st *smooth.Stream) {
	for _, l := range st.Levels {
		attrs := l.AttrsKey()
		i := slices.IndexFunc(s.levels, func(o unionLevel) bool { return o.first.Bitrate == l.Bitrate && o.attrs == attrs })
		if i < 0 {
			s.levels = append(s.levels, unionLevel{attrs, l, l})
			continue
		}
		s.levels[i].last = l
	}
}

// addGaps adds the gaps of a part. Those that touch become one.
func (s *unionStream) addGaps(list []smooth.Gap) {
	own := len(s.gaps)
	for _, g := range list {
		if g.Stream == s.first.Name {
			s.gaps = append(s.gaps, g)
		}
	}
	if own == 0 || own == len(s.gaps) {
		return
	}
	all := slices.Clone(s.gaps)
	slices.SortStableFunc(all, func(a, b smooth.Gap) int { return cmp.Compare(a.Time, b.Time) })
	merged := all[:1]
	for _, g := range all[1:] {
		last := &merged[len(merged)-1]
		if end := last.Time + last.Duration; g.Time <= end {
			last.Duration = max(end, g.Time+g.Duration) - last.Time
			continue
		}
		merged = append(merged, g)
	}
	s.gaps = merged
}

// shows reports whether the stream is in the manifest of a snapshot.
func (s *unionStream) shows(snap *smooth.Snapshot) bool {
	return len(s.line) > 0 || !snap.Ended && s.first.Parent != ""
}

// manifest returns the stream of the manifest. A live one describes it as it is now, for those who join; on demand it is as in
// the beginning.
func (s *unionStream) manifest(live bool) *smooth.Stream {
	st := *s.first
	if live {
		st = *s.last
	}
	st.Timescale, st.Embedded, st.Levels = index.Scale, s.embeddedIn(s.line), nil
	st.Timeline, st.DeclaredChunks = slices.Clip(s.line), uint32(len(s.line))
	for i, l := range s.levels {
		level := *l.first
		if live {
			level = *l.last
		}
		level.Index = uint32(i)
		st.Levels = append(st.Levels, &level)
		st.MaxWidth, st.MaxHeight = max(st.MaxWidth, level.MaxWidth), max(st.MaxHeight, level.MaxHeight)
	}
	return &st
}
