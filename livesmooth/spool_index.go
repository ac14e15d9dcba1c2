package livesmooth

import (
	"math"
	"slices"
	"sort"

	"github.com/smoothkit/smoothkit/smooth"
)

// A spoolEntry is where a fragment of a track is.
type spoolEntry struct {
	time, duration uint64 // in ticks
	offset         uint32 // in the segment
	segment        uint32 // its number
	head           uint32 // bytes of moof and the header of mdat
	payload        uint32 // bytes behind the head
}

// end returns the first tick after the fragment.
func (e *spoolEntry) end() uint64 {
	if e.duration > math.MaxUint64-e.time {
		return math.MaxUint64
	}
	return e.time + e.duration
}

// size returns the bytes of the fragment.
func (e *spoolEntry) size() int64 { return int64(e.head) + int64(e.payload) }

// A codecSpan is a codec configuration that holds from a time until that of the next one.
type codecSpan struct {
	from  uint64
	codec *smooth.Codec
}

// A spoolTrack is the index of a track. mu of its recording must be held.
type spoolTrack struct {
	key    smooth.FragmentKey // Time is zero
	stream *smooth.Stream
	level  *smooth.QualityLevel
	codec  *smooth.Codec // as declared, for fragments that have none

	entries  []spoolEntry      // in ascending order of time
	codecs   []codecSpan       // in ascending order of from
	pointers map[uint64]string // sparse stream pointers, by time
	gone     uint64            // what is not there before this time has been dropped
}

// find returns the position of a fragment, or where it would be.
func (t *spoolTrack) find(time uint64) (int, bool) {
	if n := len(t.entries); n == 0 || t.entries[n-1].time < time {
		return n, false
	}
	i := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].time >= time })
	return i, t.entries[i].time == time
}

// insert adds an entry that is not there. The slice grows by an eighth, so that little of it is empty.
func (t *spoolTrack) insert(e spoolEntry, codec *smooth.Codec, pointer string) {
	i, _ := t.find(e.time)
	t.setCodec(i, e.time, codec)
	if n := len(t.entries); n == cap(t.entries) {
		t.entries = append(make([]spoolEntry, 0, n+max(n/8, 16)), t.entries...)
	}
	t.entries = slices.Insert(t.entries, i, e)
	if pointer != "" {
		if t.pointers == nil {
			t.pointers = make(map[uint64]string)
		}
		t.pointers[e.time] = pointer
	}
}

// codecAt returns the configuration of the fragment at a time, and the position of the span that has it, -1 if there is none.
func (t *spoolTrack) codecAt(time uint64) (*smooth.Codec, int) {
	i := sort.Search(len(t.codecs), func(i int) bool { return t.codecs[i].from > time }) - 1
	if i < 0 {
		return nil, i
	}
	return t.codecs[i].codec, i
}

// setCodec makes codec the configuration of a fragment that is about to be inserted at position i, and of no other that is
// there.
func (t *spoolTrack) setCodec(i int, time uint64, codec *smooth.Codec) {
	old, at := t.codecAt(time)
	if at >= 0 && old.Equal(codec) {
		return
	}
	spans := []codecSpan{{time, codec}}
	if i < len(t.entries) && at >= 0 {
		if _, next := t.codecAt(t.entries[i].time); next == at {
			spans = append(spans, codecSpan{t.entries[i].time, old})
		}
	}
	t.codecs = slices.Insert(t.codecs, at+1, spans...)
}

// trim takes out the entries that end at a time or before, and calls gone for each.
func (t *spoolTrack) trim(before uint64, gone func(spoolEntry)) {
	n := 0
	for n < len(t.entries) && t.entries[n].end() <= before {
		t.forget(t.entries[n])
		gone(t.entries[n])
		n++
	}
	if n > 0 {
		t.entries = slices.Delete(t.entries, 0, n)
		t.tidy()
	}
}

// dropSegment takes out the entries of a segment.
func (t *spoolTrack) dropSegment(number uint32) {
	t.entries = slices.DeleteFunc(t.entries, func(e spoolEntry) bool {
		if e.segment == number {
			t.forget(e)
		}
		return e.segment == number
	})
	t.tidy()
}

// forget notes that an entry has left the window.
func (t *spoolTrack) forget(e spoolEntry) {
	delete(t.pointers, e.time)
	t.gone = max(t.gone, e.time+1)
}

// tidy gives up the configurations of what has left the window, all but the newest one.
func (t *spoolTrack) tidy() {
	first := uint64(math.MaxUint64)
	if len(t.entries) > 0 {
		first = t.entries[0].time
	}
	if _, at := t.codecAt(first); at > 0 {
		t.codecs = slices.Delete(t.codecs, 0, at)
	}
}

// timeline appends the chunks.
func (t *spoolTrack) timeline(dst smooth.Timeline) smooth.Timeline {
	for i := range t.entries {
		dst = append(dst, smooth.Chunk{Time: t.entries[i].time, Duration: t.entries[i].duration})
	}
	return dst
}
