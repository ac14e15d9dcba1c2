package livesmooth

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// input is an input stream: what is pushed to Streams(ID), by one source or several redundant ones. The broadcast's mu
// guards it.
type input struct {
	id      string
	header  *pushHeader
	tracks  []*track // in the order of the header; nil until the bit rate of a track is known
	sources []*source
	// said tells that a source has sent the end of the stream and no connection since has sent anything; ended that no other
	// goes on either. offset is that of the newest source.
	said, ended bool
	offset      int64
	log         inputLog
}

// idOf returns the track_ID that the header of the stream has for a track.
func (in *input) idOf(tr *track) uint32 {
	for i, o := range in.tracks {
		if o == tr && in.header != nil && i < len(in.header.tracks) {
			return in.header.tracks[i].id
		}
	}
	return servedTrackID
}

// source is a connection that feeds an input stream. The broadcast's mu guards it.
type source struct {
	info   PushInfo
	in     *input
	since  time.Time
	bytes  uint64
	header *pushHeader
	tracks []*track // of header; nil until the bit rate of a track is known

	// placed tells that offset, which is added to the times of the encoder, is known.
	placed bool
	offset int64
	// posted counts the fragments of this connection; ended tells that it has sent the end of the stream.
	posted int
	ended  bool
	// heard is when it sent its newest fragment, or connected.
	heard time.Time
	// gone is when the connection closed and linger until when another of the same encoder is expected; zero while it is
	// open.
	gone, linger time.Time
	// overlaps counts the fragments in a row that overlap the timeline.
	overlaps int
	// stated tells that the source is a server: offset is what it has told, and its clock is not judged. listen is called
	// with each item before it is taken, nil if nobody wants to know; rejoins is how long another connection of the same
	// stream is expected after the end of this one.
	stated  bool
	listen  func(any) error
	rejoins time.Duration
	// cut ends the connection with an error.
	cut func(error)
}

// active reports whether a source may still deliver what the others have.
func (s *source) active(now time.Time) bool {
	return !s.ended && (s.gone.IsZero() || now.Before(s.linger))
}

// progress is how far a source has come in a track.
type progress struct {
	next uint64 // the tick after the start of its newest fragment; 0 before the first
	// lagging is set once the others have waited for the source in vain, until it has come to the end of the timeline.
	lagging bool
}

// track is a quality level of the presentation.
type track struct {
	key    smooth.FragmentKey // Time is zero
	stream *stream
	in     *input // that registered it
	level  *smooth.QualityLevel
	codec  *smooth.Codec
	// progress is that of each source that feeds the track.
	progress map[*source]progress
	requests meter
	bits     meter
	counts   TrackStats
	arrived  time.Time // of the newest fragment

	mu      sync.Mutex // guards the fields below
	entries []entry    // in ascending order of time
	evicted int        // the first so many entries are not in memory
}

// entry is a fragment of a track.
type entry struct {
	time, duration uint64
	// buf holds the bytes, nil once they have left memory.
	buf *buffer
	// head is the size of the final head that stands before the payload; 0 while the fragment is early.
	head int
	size int64 // of the payload
	// child is the sparse stream pointer.
	child string
	codec *smooth.Codec
}

// find returns the position of the entry at a time, or where it would stand. mu must be held.
func (t *track) find(time uint64) (int, bool) {
	n := len(t.entries)
	if n > 0 && t.entries[n-1].time < time {
		return n, false
	}
	i := sort.Search(n, func(i int) bool { return t.entries[i].time >= time })
	return i, i < n && t.entries[i].time == time
}

// has reports whether the track has a fragment at a time.
func (t *track) has(time uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.find(time)
	return ok
}

// insert adds an entry that is not there yet.
func (t *track) insert(e entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, _ := t.find(e.time)
	t.entries = append(t.entries, entry{})
	copy(t.entries[i+1:], t.entries[i:])
	t.entries[i] = e
	if i < t.evicted {
		t.evicted = i // rare: a late one far back; eviction looks at those after it again
	}
}

// last returns the newest entry, or nil.
func (t *track) last() *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.entries) == 0 {
		return nil
	}
	e := t.entries[len(t.entries)-1]
	return &e
}

// stream is a stream of the presentation: tracks that share a timeline. The broadcast's mu guards it.
type stream struct {
	fixed  smooth.Stream // name, type and the like
	sparse bool
	tracks []*track
	// pending are chunks that some track has and that are not on the timeline yet, in ascending order.
	pending []pendingChunk
	// line is the timeline. It only grows, but for a prefix that has left the window long ago.
	line smooth.Timeline
	// kept is the position of the oldest chunk whose fragments can be had, first that of the oldest one in the window, listed
	// the number of chunks of line that are announced.
	kept, first, listed int
	// deserted is when the last source of the stream was lost while a chunk was not complete; zero if that has not happened.
	deserted time.Time
	// gaps are the newest gaps of line, in ascending order.
	gaps []smooth.Gap
	// embedded is the data of a control stream, per chunk of line; held is the bytes of it.
	embedded [][]smooth.ChunkData
	held     int
	shown    *smooth.Stream // as last published; nil if it has changed
	// known is line as last published, for those who do not hold mu: what is before the window, too.
	known atomic.Pointer[smooth.Timeline]
}

type pendingChunk struct {
	smooth.Chunk
	since time.Time
	size  int // bytes of memory
}

// waiting returns the bytes of memory of what is not on the timeline yet.
func (s *stream) waiting() int64 {
	sum := int64(0)
	for i := range s.pending {
		sum += int64(s.pending[i].size)
	}
	return sum
}

// end returns the end of the newest chunk known, on the timeline or pending.
func (s *stream) end() uint64 {
	if n := len(s.pending); n > 0 {
		return s.pending[n-1].End()
	}
	return s.line.End()
}

// place says what is to become of a fragment.
type place uint8

const (
	placeNew       place = iota // opens a chunk
	placeKnown                  // belongs to a chunk that is not announced yet
	placeDuplicate              // the track has it
	placeLate                   // before what has been announced, or in the middle of the timeline
	placeOverlap                // overlaps a chunk that starts elsewhere
)

// placeOf returns the place of a fragment of tr in its stream.
func (s *stream) placeOf(tr *track, c smooth.Chunk) place {
	if tr.has(c.Time) {
		return placeDuplicate
	}
	n := sort.Search(len(s.line), func(i int) bool { return s.line[i].Time >= c.Time })
	if n < len(s.line) && s.line[n].Time == c.Time {
		if n >= s.listed || s.sparse {
			return placeKnown
		}
		return placeLate
	}
	i := sort.Search(len(s.pending), func(i int) bool { return s.pending[i].Time >= c.Time })
	switch {
	case i < len(s.pending) && s.pending[i].Time == c.Time:
		return placeKnown
	case !s.sparse && (n > 0 && overlaps(s.line[n-1], c) || n < len(s.line) && overlaps(c, s.line[n]) ||
		i > 0 && overlaps(s.pending[i-1].Chunk, c) || i < len(s.pending) && overlaps(c, s.pending[i].Chunk)):
		return placeOverlap
	case n < len(s.line):
		return placeLate
	}
	return placeNew
}

// overlaps reports whether two chunks, of which a starts first, overlap by more than a quarter of the shorter one. Encoders
// round, and ffmpeg's sound overlaps by a frame.
func overlaps(a, b smooth.Chunk) bool {
	return a.End() > b.Time && a.End()-b.Time > min(a.Duration, b.Duration)/4
}

// open adds a pending chunk, whose first fragment takes size bytes of memory.
func (s *stream) open(c smooth.Chunk, size int, now time.Time) {
	i := sort.Search(len(s.pending), func(i int) bool { return s.pending[i].Time >= c.Time })
	s.pending = append(s.pending, pendingChunk{})
	copy(s.pending[i+1:], s.pending[i:])
	s.pending[i] = pendingChunk{c, now, size}
}

// widen makes a chunk that is not announced as long as the longest of its fragments. The one at hand takes size bytes.
func (s *stream) widen(c smooth.Chunk, size int) {
	for i := range s.pending {
		if p := &s.pending[i]; p.Time == c.Time {
			p.Duration = max(p.Duration, c.Duration)
			p.size += size
		}
	}
}

// settled reports whether nothing that could still come belongs before the end of the first pending chunk: every track has
// the fragment, or nobody can deliver it any more. If not it returns until when to wait. See [Limits.GapWait].
func (s *stream) settled(now time.Time, wait time.Duration) (bool, time.Time) {
	c := &s.pending[0]
	limit := c.since.Add(wait)
	gap := len(s.line) > 0 && c.Time > s.line.End()+c.Duration/4
	var until time.Time
	for _, tr := range s.tracks {
		if !gap && tr.has(c.Time) {
			continue
		}
		for src, p := range tr.progress {
			if !src.active(now) || p.lagging || p.next > c.Time {
				continue
			}
			if !now.Before(limit) {
				tr.progress[src] = progress{p.next, true}
				continue
			}
			if until.IsZero() || until.After(limit) {
				until = limit
			}
			if !src.gone.IsZero() && src.linger.Before(until) {
				until = src.linger
			}
		}
	}
	return until.IsZero(), until
}

// fate says what becomes of the first pending chunk once it is settled. When an encoder dies some levels have its last fragment
// and others never will: a viewer of those would ask for it in vain, so the chunk waits for the encoder to send it again, and is
// dropped if that goes on without it.
func (s *stream) fate(now time.Time) (wait, drop bool) {
	c := &s.pending[0]
	if !s.lacking(c.Chunk) {
		return false, false
	}
	if !s.alive(now) {
		if s.deserted.Before(c.since) {
			s.deserted = now
		}
		return true, false
	}
	return false, !s.deserted.Before(c.since)
}

// alive reports whether a source may still deliver something.
func (s *stream) alive(now time.Time) bool {
	for _, tr := range s.tracks {
		for src := range tr.progress {
			if src.active(now) {
				return true
			}
		}
	}
	return false
}

// lacking reports whether a track that has gone on until lately does not have a chunk.
func (s *stream) lacking(c smooth.Chunk) bool {
	for _, tr := range s.tracks {
		if tr.lacks(c) {
			return true
		}
	}
	return false
}

// recently is the number of fragments within which a track must have one to be taken for one that goes on.
const recently = 3

func (t *track) lacks(c smooth.Chunk) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.find(c.Time)
	if ok || i == 0 {
		return false
	}
	e := &t.entries[i-1]
	return e.time+recently*max(e.duration, c.Duration) >= c.Time
}

// discard removes the fragment at a time.
func (t *track) discard(time uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.find(time)
	if !ok {
		return
	}
	if buf := t.entries[i].buf; buf != nil {
		buf.release()
	}
	t.entries = append(t.entries[:i], t.entries[i+1:]...)
	t.evicted = min(t.evicted, i)
}
