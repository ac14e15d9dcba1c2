package livesmooth

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// maxGaps is the number of gaps of a stream that are remembered.
const maxGaps = 1000

// maxOverlaps is the number of fragments in a row that a source may send which overlap those of the timeline, before it is
// told that it is not aligned with it.
const maxOverlaps = 8

// accept takes a fragment of a source. It owns the fragment's memory from now on.
func (b *broadcast) accept(s *source, f *pushFragment) error {
	over, err := b.takeLocked(s, f)
	if over {
		b.over()
	}
	return err
}

// takeLocked is take with mu, which it gives back whatever happens. over reports that every input stream has ended.
func (b *broadcast) takeLocked(s *source, f *pushFragment) (over bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ending = false
	err = b.take(s, f)
	return b.ending, err
}

func (b *broadcast) take(s *source, f *pushFragment) error {
	kept := false
	defer func() {
		if !kept {
			f.buf.release()
		}
	}()
	if b.closed {
		return fmt.Errorf("livesmooth: %s: %w", b.name, ErrEnding)
	}
	now := b.now()
	tr := s.tracks[f.track]
	if tr == nil {
		if err := b.addMeasured(s, f); err != nil {
			return err
		}
		tr = s.tracks[f.track]
	}
	if f.duration == 0 && !tr.stream.sparse {
		return fmt.Errorf("livesmooth: %s: fragment of track %s at %d has no duration: %w", b.name, tr.key.Stream, f.time, ErrMalformed)
	}
	at, err := b.place(s, tr, f, now)
	if err != nil {
		return err
	}
	s.heard = now
	s.bytes += uint64(f.buf.payload + f.buf.early)
	tr.bits.add(8*uint64(f.buf.payload+f.buf.early), now)
	b.resume(s)
	c := smooth.Chunk{Time: at, Duration: f.duration}
	p := tr.progress[s]
	tr.progress[s] = progress{max(p.next, at+1), p.lagging && c.End() < tr.stream.line.End()}
	switch where := tr.stream.placeOf(tr, c); where {
	case placeNew, placeKnown:
		if where == placeNew && tr.stream.sparse && b.isFull(tr.stream) {
			tr.counts.Late++
			b.dropFragment(s, tr, c, now)
			return nil
		}
		if codec := s.header.tracks[f.track].codec; !tr.codec.Equal(codec) && b.fedByOthers(tr, s) {
			return fmt.Errorf("livesmooth: %s: track %s at %d bits/s has another codec configuration from source %s: %w",
				b.name, tr.key.Stream, tr.key.Bitrate, s.info.Address, ErrConflict)
		}
		kept = true
		s.overlaps = 0
		return b.keep(s, tr, f, c, where, now)
	case placeDuplicate:
		tr.counts.Duplicates++
		s.overlaps = 0
		b.ending = b.settle(now)
	case placeLate:
		tr.counts.Late++
		kept = b.keepLate(s, tr, f, c)
		b.dropFragment(s, tr, c, now)
	case placeOverlap:
		tr.counts.Overlapping++
		b.dropFragment(s, tr, c, now)
		if s.overlaps++; s.overlaps >= maxOverlaps {
			return fmt.Errorf("livesmooth: %s: fragments of track %s from %s overlap those of the timeline, the last one at %d: encode with the same key frames: %w",
				b.name, tr.key.Stream, s.info.Address, at, ErrConflict)
		}
	}
	return nil
}

// resume notes that a source sends a fragment: what has ended goes on. mu must be held.
func (b *broadcast) resume(s *source) {
	if s.posted++; s.posted > 1 && !s.ended {
		return
	}
	s.ended, s.in.said, s.in.ended = false, false, false
	s.in.log.reopen()
}

// maxWaiting bounds the fragments of a sparse stream that wait for its parent.
const maxWaiting = 1000

// isFull reports whether no more fragments of a sparse stream can wait for its parent. mu must be held.
func (b *broadcast) isFull(st *stream) bool {
	return len(st.pending) >= maxWaiting || st.waiting() > b.opts.MemoryBudget/8
}

// dropFragment notes a fragment that has no place, at most once a second. mu must be held.
func (b *broadcast) dropFragment(s *source, tr *track, c smooth.Chunk, now time.Time) {
	b.dropping++
	if now.Sub(b.droppedAt) < time.Second {
		return
	}
	b.note(Event{Kind: FragmentDropped, Input: s.in.id, Source: s.info.Address, Stream: tr.key.Stream, Bitrate: tr.key.Bitrate,
		Time: c.Time, Duration: c.Duration, Count: b.dropping})
	b.dropping, b.droppedAt = 0, now
}

// keep puts a fragment into its track and moves the timeline on. mu must be held.
func (b *broadcast) keep(s *source, tr *track, f *pushFragment, c smooth.Chunk, where place, now time.Time) error {
	if len(b.periods) == 0 {
		b.begin(c.Time, f, now)
	}
	if codec := s.header.tracks[f.track].codec; !tr.codec.Equal(codec) {
		b.changeCodec(tr, codec, c.Time, now)
	}
	if err := b.identify(f.buf, c); err != nil {
		f.buf.release()
		return fmt.Errorf("livesmooth: %s: fragment of track %s at %d: %w: %w", b.name, tr.key.Stream, c.Time, err, ErrMalformed)
	}
	tr.insert(entry{time: c.Time, duration: c.Duration, buf: f.buf, size: int64(f.buf.payload), codec: tr.codec})
	if !tr.arrived.IsZero() {
		tr.counts.Wait = now.Sub(tr.arrived)
	}
	tr.arrived = now
	tr.counts.Received++
	if tr.counts.Received == 1 || c.Time > tr.counts.LastTime {
		tr.counts.LastTime, tr.counts.LastDuration = c.Time, c.Duration
	}
	s.in.log.add(tr, c.Time)
	b.record(s.in, tr, c)
	switch {
	case where == placeNew:
		tr.stream.open(c, cap(f.buf.data), now)
	default:
		tr.stream.widen(c, cap(f.buf.data))
	}
	if i, ok := tr.stream.line.Find(c.Time); ok && i < tr.stream.listed { // another level of a sparse stream
		tr.finalize(tr.stream.line[i], nil, "")
	}
	b.ending = b.settle(now)
	b.evict()
	return nil
}

// servedTrackID is the track_ID in every fragment that viewers get: encoders and input streams number tracks as they like, and
// viewers do not look at it.
const servedTrackID = fmp4.CMAFTrackID

// identify gives the early head of a fragment its time on the timeline and the identity that it has on every server: one
// track_ID, and a sequence number that follows from the time, whoever has encoded it.
func (b *broadcast) identify(buf *buffer, c smooth.Chunk) error {
	h := fmp4.LiveHead{Sequence: sequence(c.Time), TrackID: servedTrackID, Time: c.Time, Duration: c.Duration}
	old := buf.Early()
	n := fmp4.MoofSize(old)
	if n < 0 {
		return fmt.Errorf("no moof")
	}
	moof, err := h.AppendTo(buf.data[:0:buf.room], old[:n]) // the room is not in use yet
	if err != nil {
		return err
	}
	if len(moof) != n {
		return fmt.Errorf("the head is not canonical: %d bytes, then %d", n, len(moof))
	}
	copy(old, moof)
	return nil
}

// sequence returns the number for mfhd, which has to increase: the time in milliseconds. See ISO/IEC 14496-12 8.8.5.
func sequence(t uint64) uint32 { return uint32(t/(scale/1000)) + 1 }

// keepLate gives a fragment that comes after its place has been announced to the archive, which is the only one that can
// still use it. It reports whether it has taken over the memory.
func (b *broadcast) keepLate(s *source, tr *track, f *pushFragment, c smooth.Chunk) bool {
	if len(b.recorders) == 0 || b.identify(f.buf, c) != nil {
		return false
	}
	frag := sinkFragment(s.in, tr, &entry{time: c.Time, duration: c.Duration, buf: f.buf, codec: tr.codec})
	for _, r := range b.recorders {
		frag.Retain()
		r.append(s.in.id, frag)
	}
	frag.Close() // the reference that f had
	return true
}

// advance moves the timelines on as far as what has been received settles them, and reports whether a viewer could see a
// change. mu must be held.
func (b *broadcast) advance(now time.Time) bool {
	if b.holds(now) {
		return false
	}
	changed := false
	var wake time.Time
	for _, st := range b.streams {
		if st.sparse {
			continue
		}
		if b.closed {
			b.dropTail(st)
		}
		for len(st.pending) > 0 {
			ok, until := st.settled(now, b.gapWait())
			full := b.closed || st.waiting() > b.opts.MemoryBudget/2
			if !ok && !full {
				if wake.IsZero() || until.Before(wake) {
					wake = until
				}
				break
			}
			wait, drop := st.fate(now)
			if wait && !full {
				break
			}
			if drop {
				b.dropChunk(st, 0)
				continue
			}
			b.extend(st)
			changed = true
		}
		changed = b.announce(st) || changed
	}
	for _, st := range b.streams { // after their parents
		if st.sparse {
			changed = b.reveal(st) || changed
		}
	}
	if !wake.IsZero() {
		b.alarm(wake, now)
	}
	return changed
}

// dropTail drops the last chunks if not every level has them: what comes at the end is listed as far as all go. mu must be
// held.
func (b *broadcast) dropTail(st *stream) {
	for n := len(st.pending); n > 0 && st.lacking(st.pending[n-1].Chunk); n = len(st.pending) {
		b.dropChunk(st, n-1)
	}
}

// dropChunk drops a pending chunk. mu must be held.
func (b *broadcast) dropChunk(st *stream, i int) {
	c := st.pending[i].Chunk
	st.pending = slices.Delete(st.pending, i, i+1)
	for _, tr := range st.tracks {
		tr.discard(c.Time)
	}
	b.note(Event{Kind: FragmentDropped, Stream: st.fixed.Name, Time: c.Time, Duration: c.Duration})
}

// extend moves the first pending chunk onto the timeline. mu must be held.
func (b *broadcast) extend(st *stream) {
	c := st.pending[0].Chunk
	st.pending = slices.Delete(st.pending, 0, 1)
	if end := st.line.End(); len(st.line) > 0 && c.Time > end+c.Duration/4 {
		g := smooth.Gap{Stream: st.fixed.Name, Time: end, Duration: c.Time - end}
		st.gaps = append(st.gaps, g)
		if len(st.gaps) > maxGaps {
			st.gaps = slices.Delete(st.gaps, 0, 1)
		}
		b.gaps = nil
		b.note(Event{Kind: GapFound, Stream: g.Stream, Time: g.Time, Duration: g.Duration})
		for _, r := range b.recorders {
			r.gap(g)
		}
		// rx-player takes a tfrf entry of the same duration for the fragment right after the one it has, and asks for what is
		// in the gap until it gives up. A tick less, 100 ns, and it reads the time.
		if c.Duration > 1 && c.Duration == st.line[len(st.line)-1].Duration {
			c.Duration--
		}
	}
	st.line = append(st.line, c)
	st.shown = nil
}

// announce lists the chunks whose successors are known, and gives their fragments the final head. mu must be held.
func (b *broadcast) announce(st *stream) bool {
	end := len(st.line)
	if !b.closed {
		end = max(end-b.set.Lookahead, st.listed)
	}
	if end == st.listed {
		return false
	}
	for i := st.listed; i < end; i++ {
		next := st.line[i+1 : min(i+1+b.set.Lookahead, len(st.line))]
		child := b.childTracks(st, st.line[i].Time)
		for _, tr := range st.tracks {
			if !tr.finalize(st.line[i], next, child) && tr.feeds(st.line[i].Time) {
				tr.counts.Gaps++
				b.note(Event{Kind: GapFound, Stream: st.fixed.Name, Bitrate: tr.key.Bitrate, Time: st.line[i].Time, Duration: st.line[i].Duration})
			}
		}
	}
	st.listed = end
	st.shown = nil
	return true
}

// feeds reports whether the track had begun before a time, so that a missing fragment is a gap.
func (t *track) feeds(time uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries) > 0 && t.entries[0].time < time
}

// finalize writes the final head of a fragment. It reports false if the track does not have it.
func (t *track) finalize(c smooth.Chunk, next smooth.Timeline, child string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.find(c.Time)
	if !ok {
		return false
	}
	e := &t.entries[i]
	e.duration, e.child = c.Duration, child
	if e.buf == nil || e.head > 0 {
		return true
	}
	head, err := finalHead(e.buf.data[:0:e.buf.room], e.buf.Early(), c, next)
	if err != nil || len(head) > e.buf.room { // it was canonical before, so this does not happen
		return false
	}
	copy(e.buf.data[e.buf.room-len(head):e.buf.room], head)
	e.head = len(head)
	return true
}

// finalHead appends moof with tfrf and the header of mdat, given an early head.
func finalHead(dst, early []byte, c smooth.Chunk, next smooth.Timeline) ([]byte, error) {
	h := fmp4.LiveHead{Sequence: sequence(c.Time), TrackID: servedTrackID, Time: c.Time, Duration: c.Duration}
	var spans [MaxLookahead]fmp4.FragmentSpan
	for i, n := range next {
		spans[i] = fmp4.FragmentSpan(n)
	}
	h.Next = spans[:len(next)]
	n := fmp4.MoofSize(early)
	if n < 0 {
		return dst, fmt.Errorf("no moof")
	}
	dst, err := h.AppendTo(dst, early[:n])
	if err != nil {
		return dst, err
	}
	return append(dst, early[n:]...), nil
}

// reveal lists the fragments of a sparse stream that its parent has come to: a viewer learns of them with the parent's. Late
// ones are listed as long as nothing after them is. mu must be held.
func (b *broadcast) reveal(st *stream) bool {
	changed := false
	for len(st.pending) > 0 {
		c := st.pending[0].Chunk
		if parent := b.streamCalled(st.fixed.Parent); parent != nil && !b.closed &&
			(parent.listed == 0 || parent.line[parent.listed-1].Time < c.Time) {
			break
		}
		st.pending = slices.Delete(st.pending, 0, 1)
		if n := len(st.line); n > 0 && c.Time <= st.line[n-1].Time {
			continue
		}
		st.line = append(st.line, c)
		st.listed = len(st.line)
		for _, tr := range st.tracks {
			tr.finalize(c, nil, "")
		}
		if st.fixed.ManifestOutput {
			st.embed(c.Time)
		}
		st.shown = nil
		changed = true
	}
	return changed
}

// maxEmbedded bounds what one fragment of a control stream puts into the manifest, maxHeld what all do, in bytes. Viewers can
// ask for the fragment all the same.
const (
	maxEmbedded = 64 << 10
	maxHeld     = 4 << 20
)

// embed puts the content of the newest fragment of a control stream into the manifest.
func (s *stream) embed(time uint64) {
	data := s.data(time)
	n := sizeOf(data)
	if s.held+n > maxHeld {
		data, n = nil, 0
	}
	s.embedded = append(s.embedded, data)
	s.held += n
}

func sizeOf(list []smooth.ChunkData) int {
	n := 0
	for _, d := range list {
		n += len(d.Data)
	}
	return n
}

// data returns the content of a control fragment, per level.
func (s *stream) data(time uint64) []smooth.ChunkData {
	var list []smooth.ChunkData
	for n, tr := range s.tracks {
		tr.mu.Lock()
		if i, ok := tr.find(time); ok && tr.entries[i].buf != nil && tr.entries[i].buf.payload <= maxEmbedded {
			list = append(list, smooth.ChunkData{Level: uint32(n), Data: slices.Clone(tr.entries[i].buf.Payload())})
		}
		tr.mu.Unlock()
	}
	return list
}

// childTracks returns the sparse stream pointer of a fragment of a parent: the newest fragment of each child that is not after
// it. See [MS-SSTR] 2.2.5. mu must be held.
func (b *broadcast) childTracks(parent *stream, time uint64) string {
	pointer := ""
	for _, st := range b.streams {
		if !st.sparse || st.fixed.Parent != parent.fixed.Name {
			continue
		}
		at, ok := uint64(0), false
		if i := sort.Search(len(st.line), func(i int) bool { return st.line[i].Time > time }); i > 0 {
			at, ok = st.line[i-1].Time, true
		}
		for _, p := range st.pending {
			if p.Time <= time {
				at, ok = max(at, p.Time), true
			}
		}
		if ok {
			if pointer != "" {
				pointer += ","
			}
			pointer += fmt.Sprintf("%s=%d", st.fixed.Name, at)
		}
	}
	return pointer
}
