package playlist

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/playlist/internal/turn"
)

// The sessions that a shard remembers as ended: the last few in each of many buckets.
const (
	endedBuckets   = 32
	endedPerBucket = 8
)

// leastSlots is the capacity below which a shard does not shrink.
const leastSlots = 64

// memoryShard is a part of the sessions of a [MemoryStore]: a table of records, an index of it by ID and a heap of it
// by end, so that the next to end is known and any can change its end.
type memoryShard struct {
	turns turn.Turns[ID] // who updates a session
	first atomic.Int64   // end of the first in order, so that a sweep need not lock when there is nothing to do

	mu    sync.Mutex
	slots []memorySlot  // without holes
	index map[ID]uint32 // number of its slot
	order []uint32      // heap: slot numbers, those that end first before others
	// ended has four bytes of the IDs of sessions that have ended, the last first, in the bucket that another byte
	// says; nil before the first.
	ended *[endedBuckets][endedPerBucket]uint32
}

type memorySlot struct {
	id   ID
	ends int64  // milliseconds since 1970
	pos  uint32 // in order
	data []byte // binary form of the session
}

// put keeps a record under an ID, and reports whether there was one.
func (sh *memoryShard) put(id ID, data []byte, ends int64) (replaced bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if i, found := sh.index[id]; found {
		sh.set(i, data, ends)
		return true
	}
	if sh.index == nil {
		sh.index = make(map[ID]uint32)
	}
	i := uint32(len(sh.slots))
	sh.index[id] = i
	sh.slots = append(sh.slots, memorySlot{id: id, ends: ends, pos: uint32(len(sh.order)), data: append([]byte(nil), data...)})
	sh.order = append(sh.order, i)
	sh.up(len(sh.order) - 1)
	sh.setFirst()
	return false
}

// get appends the record of a session. It returns ErrExpired if the session has ended and that is still known, and
// ErrNotFound else.
func (sh *memoryShard) get(dst []byte, id ID) ([]byte, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i, found := sh.index[id]
	if !found {
		return nil, sh.gone(id)
	}
	return append(dst, sh.slots[i].data...), nil
}

// replace changes the record of a session, unless it has ended since it was read.
func (sh *memoryShard) replace(id ID, data []byte, ends int64) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i, found := sh.index[id]
	if !found {
		return sh.gone(id)
	}
	sh.set(i, data, ends)
	return nil
}

// end removes a session and returns how many that were.
func (sh *memoryShard) end(id ID) int {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i, found := sh.index[id]
	if !found {
		return 0
	}
	sh.remove(i)
	sh.setFirst()
	sh.shrink()
	return 1
}

// sweep removes up to most sessions that end at ms or before, and returns how many.
func (sh *memoryShard) sweep(ms int64, most int) (n int) {
	if sh.first.Load() > ms {
		return 0
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for ; n < most && len(sh.order) > 0 && sh.slots[sh.order[0]].ends <= ms; n++ {
		sh.remove(sh.order[0])
	}
	sh.setFirst()
	sh.shrink()
	return n
}

// The methods below need mu.

// set overwrites the record of slot i, in its place if it fits.
func (sh *memoryShard) set(i uint32, data []byte, ends int64) {
	s := &sh.slots[i]
	if c := cap(s.data); c >= len(data) && c/2 <= len(data) {
		s.data = append(s.data[:0], data...)
	} else {
		s.data = append([]byte(nil), data...)
	}
	s.ends = ends
	sh.down(sh.up(int(s.pos)))
	sh.setFirst()
}

// remove takes slot i out, and moves the last one into its place.
func (sh *memoryShard) remove(i uint32) {
	id, pos := sh.slots[i].id, int(sh.slots[i].pos)
	end := len(sh.order) - 1
	sh.swap(pos, end)
	sh.order = sh.order[:end]
	if pos < end {
		sh.down(sh.up(pos))
	}
	last := uint32(len(sh.slots) - 1)
	if i != last {
		sh.slots[i] = sh.slots[last]
		sh.index[sh.slots[i].id] = i
		sh.order[sh.slots[i].pos] = i
	}
	sh.slots[last] = memorySlot{} // frees the record
	sh.slots = sh.slots[:last]
	delete(sh.index, id)
	if sh.ended == nil {
		sh.ended = new([endedBuckets][endedPerBucket]uint32)
	}
	bucket, sample := sh.bucket(id)
	copy(bucket[1:], bucket[:])
	bucket[0] = sample
}

// gone returns the error for a session that is not there.
func (sh *memoryShard) gone(id ID) error {
	if sh.ended == nil {
		return ErrNotFound
	}
	if bucket, sample := sh.bucket(id); slices.Contains(bucket[:], sample) {
		return ErrExpired
	}
	return ErrNotFound
}

// bucket returns what is remembered of an ended session, and among which others. One in a few hundred million sessions
// that never were looks ended.
func (sh *memoryShard) bucket(id ID) (bucket *[endedPerBucket]uint32, sample uint32) {
	return &sh.ended[id[10]%endedBuckets], binary.LittleEndian.Uint32(id[:]) | 1
}

// shrink gives memory back when most sessions are gone.
func (sh *memoryShard) shrink() {
	if c := cap(sh.slots); c <= leastSlots || len(sh.slots) > c/4 {
		return
	}
	n := len(sh.slots)
	sh.slots = append(make([]memorySlot, 0, 2*n), sh.slots...)
	sh.order = append(make([]uint32, 0, 2*n), sh.order...)
	sh.index = make(map[ID]uint32, 2*n)
	for i := range sh.slots {
		sh.index[sh.slots[i].id] = uint32(i)
	}
}

func (sh *memoryShard) setFirst() {
	first := int64(math.MaxInt64)
	if len(sh.order) > 0 {
		first = sh.slots[sh.order[0]].ends
	}
	sh.first.Store(first)
}

func (sh *memoryShard) less(a, b int) bool {
	return sh.slots[sh.order[a]].ends < sh.slots[sh.order[b]].ends
}

func (sh *memoryShard) swap(a, b int) {
	sh.order[a], sh.order[b] = sh.order[b], sh.order[a]
	sh.slots[sh.order[a]].pos, sh.slots[sh.order[b]].pos = uint32(a), uint32(b)
}

// up moves what is at pos in order towards the first, and returns where it is then.
func (sh *memoryShard) up(pos int) int {
	for pos > 0 {
		parent := (pos - 1) / 2
		if !sh.less(pos, parent) {
			break
		}
		sh.swap(pos, parent)
		pos = parent
	}
	return pos
}

// down moves what is at pos in order towards the last.
func (sh *memoryShard) down(pos int) {
	for {
		child := 2*pos + 1
		if child >= len(sh.order) {
			return
		}
		if child+1 < len(sh.order) && sh.less(child+1, child) {
			child++
		}
		if !sh.less(child, pos) {
			return
		}
		sh.swap(pos, child)
		pos = child
	}
}
