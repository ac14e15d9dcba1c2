// Package index knows where the fragments of a presentation are that is being recorded, in few bytes for each.
//
// The tracks of a stream share one timeline, 16 bytes per chunk, which snapshots share too: it grows by appending, and a
// snapshot does not look behind its own end. Each track has a column of 12 bytes per chunk. So a fragment of a stream
// with one track takes 28 bytes, and of one with eight tracks 14, and what is allocated ahead is a sixteenth of that.
package index

import (
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Scale is the timescale of all times, in ticks per second.
const Scale = smooth.DefaultTimescale

// Track is a track of the presentation.
type Track struct {
	// Key names it; Time is zero.
	Key smooth.FragmentKey
	// Stream and Level are as in the client manifest; the timeline is empty. They are not changed.
	Stream *smooth.Stream
	Level  *smooth.QualityLevel
	// Codec is the configuration.
	Codec *smooth.Codec
	// File is the number of the file that it is in, and ID its track_ID there.
	File int
	ID   uint32
}

// Entry is where a fragment is. All numbers but times are bytes.
type Entry struct {
	// Time and Duration in ticks of 100 ns.
	Time, Duration uint64
	// Offset of the moof box in the file.
	Offset int64
	// Head is moof and the header of mdat, Payload what follows.
	Head, Payload uint32
}

// End returns the offset behind the fragment, in bytes.
func (e Entry) End() int64 { return e.Offset + int64(e.Head) + int64(e.Payload) }

// An Index is a growing set of fragments. It is safe for concurrent use.
type Index struct {
	prefix string

	mu         sync.RWMutex // guards the fields below
	tracks     []*track
	numbers    map[smooth.FragmentKey]int
	streams    []*stream // in the order in which they were declared
	gaps       []gapList
	allGaps    []smooth.Gap // of gaps in order; nil if they have changed
	gapSum     uint64       // of allGaps
	protection []smooth.ProtectionHeader
	period     smooth.Period // without tracks
	ended      bool
	live       *smooth.Snapshot // nil if it has to be made
	onDemand   *smooth.Snapshot
	watchers   []*watcher // never changed in place
}

// track is a track with the places of its fragments.
type track struct {
	Track
	number int
	stream *stream
	column column
	sum    uint64 // of the fragments that are listed
}

// New returns an empty index. The validators of its snapshots begin with prefix.
func New(prefix string) *Index {
	return &Index{prefix: prefix, numbers: make(map[smooth.FragmentKey]int)}
}

// Declare adds a track, or replaces the one of that key, and returns its number, which stays. Numbers count from zero.
func (x *Index) Declare(t Track) int {
	t.Key.Time = 0
	x.mu.Lock()
	n, known := x.numbers[t.Key]
	if known {
		x.tracks[n].Track = t
	} else {
		n = len(x.tracks)
		x.numbers[t.Key] = n
		x.tracks = append(x.tracks, &track{Track: t, number: n})
		x.join(x.tracks[n])
	}
	x.tracks[n].stream.describe()
	old := x.invalidate()
	x.mu.Unlock()
	old.supersede()
	return n
}

// join puts a track into its stream. mu must be held.
func (x *Index) join(t *track) {
	i := slices.IndexFunc(x.streams, func(s *stream) bool { return s.name == t.Key.Stream })
	if i < 0 {
		i = len(x.streams)
		x.streams = append(x.streams, &stream{name: t.Key.Stream})
	}
	t.stream = x.streams[i]
	t.stream.tracks = append(t.stream.tracks, t)
}

// Tracks returns how many tracks there are.
func (x *Index) Tracks() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.tracks)
}

// Track returns a track by its number. What it points to must not be changed.
func (x *Index) Track(number int) Track {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if t := x.track(number); t != nil {
		return t.Track
	}
	return Track{}
}

// track returns a track, or nil. mu must be held.
func (x *Index) track(number int) *track {
	if number < 0 || number >= len(x.tracks) {
		return nil
	}
	return x.tracks[number]
}

// Number returns the number of a track, whatever the time of the key.
func (x *Index) Number(k smooth.FragmentKey) (int, bool) {
	k.Time = 0
	x.mu.RLock()
	defer x.mu.RUnlock()
	n, ok := x.numbers[k]
	return n, ok
}

// Add adds a fragment. It reports false if the track has one at that time already, or if there is no such track.
func (x *Index) Add(track int, e Entry) bool {
	x.mu.Lock()
	t := x.track(track)
	if t == nil || !x.add(t, e) {
		x.mu.Unlock()
		return false
	}
	var old stale
	more := t.stream.settle(x.ended)
	if more || t.stream.unseen {
		t.stream.unseen = false
		old = x.invalidate()
	}
	x.mu.Unlock()
	old.supersede()
	return true
}

// add is Add without the listing. mu must be held.
func (x *Index) add(t *track, e Entry) bool {
	s := t.stream
	pos, known := s.find(e.Time)
	if known && t.column.has(pos) {
		return false
	}
	if !known && s.insert(pos, smooth.Chunk{Time: e.Time, Duration: e.Duration}) && x.fillGaps(s.name, s.line[pos]) {
		s.unseen = true
	}
	t.column.put(pos, e, s.line[pos])
	if pos < s.listed { // late
		t.sum += e.sum()
		s.unseen = true
	}
	return true
}

// Find returns the fragment at a time.
func (x *Index) Find(track int, time uint64) (Entry, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := x.track(track)
	if t == nil {
		return Entry{}, false
	}
	pos, ok := t.stream.find(time)
	if !ok || !t.column.has(pos) {
		return Entry{}, false
	}
	return t.column.at(pos, t.stream.line[pos]), true
}

// Last returns the fragment of a track with the greatest time.
func (x *Index) Last(track int) (Entry, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := x.track(track)
	if t == nil || t.column.count == 0 {
		return Entry{}, false
	}
	pos := t.column.end() - 1
	return t.column.at(pos, t.stream.line[pos]), true
}

// Len returns the number of fragments of a track.
func (x *Index) Len(track int) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if t := x.track(track); t != nil {
		return t.column.count
	}
	return 0
}

// entriesAtOnce is how many entries are copied while the index is locked.
const entriesAtOnce = 512

// Entries iterates over the fragments of a track in ascending order of time. Of those that are added meanwhile, the ones
// behind the iteration are not seen.
func (x *Index) Entries(track int) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		var room [entriesAtOnce]Entry
		for from, more := uint64(0), true; more; {
			list := x.entriesFrom(track, from, room[:0])
			for _, e := range list {
				if !yield(e) {
					return
				}
				from = e.Time + 1
			}
			more = len(list) == entriesAtOnce && from > 0
		}
	}
}

// entriesFrom appends up to entriesAtOnce fragments that do not begin before a time.
func (x *Index) entriesFrom(track int, from uint64, dst []Entry) []Entry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := x.track(track)
	if t == nil {
		return dst
	}
	pos, _ := t.stream.find(from)
	for pos = max(pos, t.column.first); pos < t.column.end() && len(dst) < entriesAtOnce; pos++ {
		if t.column.has(pos) {
			dst = append(dst, t.column.at(pos, t.stream.line[pos]))
		}
	}
	return dst
}

// Protect sets the headers of content protection systems. They must not be changed afterwards.
func (x *Index) Protect(headers []smooth.ProtectionHeader) {
	x.mu.Lock()
	x.protection = headers
	old := x.invalidate()
	x.mu.Unlock()
	old.supersede()
}

// SetClock says what the wall clock was at a tick, and how many discontinuities there were before it. Without, outputs that
// number what they list count from the first fragment once the presentation has ended, and do not know the time of day.
func (x *Index) SetClock(start uint64, wall time.Time, discontinuity uint64) {
	x.mu.Lock()
	x.period = smooth.Period{Start: start, Wall: wall, Discontinuity: discontinuity}
	old := x.invalidate()
	x.mu.Unlock()
	old.supersede()
}

// End marks the presentation as complete: live snapshots become ended ones, and what only some tracks have is listed too.
func (x *Index) End() {
	x.mu.Lock()
	x.ended = true
	for _, s := range x.streams {
		s.settle(true)
	}
	old := x.invalidate()
	x.mu.Unlock()
	old.supersede()
}

// Ended reports whether End was called.
func (x *Index) Ended() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.ended
}
