package index

import (
	"math"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// packed is where a fragment is, in 12 bytes. What does not fit is among the oddities of its column. No head stands for no
// fragment.
type packed struct {
	offset     uint32 // the lower 32 bits of 48
	offsetHigh uint16
	head       uint16
	payload    uint32
}

// maxOffset is the greatest offset that fits, 256 TiB.
const maxOffset = 1<<48 - 1

// oddity is what a packed entry has no room for, or what is not as the chunk says.
type oddity struct {
	duration uint64
	offset   int64
	head     uint32
}

// column holds the fragments of one track, by their positions on the timeline of the stream. Chunks before the first and
// after the last fragment take no room.
type column struct {
	first int // position of entries[0]
	// entries begin and end with a fragment.
	entries []packed
	odd     map[uint64]oddity // by time; nil for most
	count   int               // fragments
}

// end returns the position after the last fragment, 0 if there is none.
func (c *column) end() int { return c.first + len(c.entries) }

// has reports whether there is a fragment at a position.
func (c *column) has(pos int) bool {
	return pos >= c.first && pos < c.end() && c.entries[pos-c.first].head != 0
}

// at returns the fragment at a position, whose chunk is given.
func (c *column) at(pos int, chunk smooth.Chunk) Entry {
	p := &c.entries[pos-c.first]
	e := Entry{
		Time: chunk.Time, Duration: chunk.Duration,
		Offset: int64(p.offsetHigh)<<32 | int64(p.offset), Head: uint32(p.head), Payload: p.payload,
	}
	if len(c.odd) > 0 {
		if o, ok := c.odd[chunk.Time]; ok {
			e.Duration, e.Offset, e.Head = o.duration, o.offset, o.head
		}
	}
	return e
}

// put sets the fragment at a position where there is none.
func (c *column) put(pos int, e Entry, chunk smooth.Chunk) {
	switch {
	case len(c.entries) == 0:
		c.first = pos
	case pos < c.first:
		c.entries = append(make([]packed, c.first-pos, room(c.end()-pos)), c.entries...)
		c.first = pos
	}
	for c.end() <= pos {
		if n := len(c.entries); n == cap(c.entries) {
			c.entries = append(make([]packed, 0, room(n+1)), c.entries...)
		}
		c.entries = append(c.entries, packed{})
	}
	p := &c.entries[pos-c.first]
	*p = packed{
		offset: uint32(e.Offset), offsetHigh: uint16(e.Offset >> 32), payload: e.Payload,
		head: uint16(min(max(e.Head, 1), math.MaxUint16)),
	}
	if e.Duration != chunk.Duration || e.Offset < 0 || e.Offset > maxOffset || e.Head != uint32(p.head) {
		if c.odd == nil {
			c.odd = make(map[uint64]oddity)
		}
		c.odd[e.Time] = oddity{e.Duration, e.Offset, e.Head}
	}
	c.count++
}

// shift makes room for a chunk that comes in at a position.
func (c *column) shift(pos int) {
	switch {
	case len(c.entries) == 0 || pos >= c.end():
	case pos <= c.first:
		c.first++
	default:
		if n := len(c.entries); n == cap(c.entries) {
			c.entries = append(make([]packed, 0, room(n+1)), c.entries...)
		}
		c.entries = slices.Insert(c.entries, pos-c.first, packed{})
	}
}

// room returns the capacity for n elements: a sixteenth more, since what is empty counts.
func room(n int) int { return n + max(n/16, 16) }

// sum returns a number for the content of an entry. Where it is does not count: another server has it elsewhere.
func (e Entry) sum() uint64 {
	return mix(mix(e.Time) ^ mix(e.Duration+1)<<1 ^ mix(uint64(e.Head)<<32|uint64(e.Payload)))
}

// mix returns a number of which every bit depends on every bit of n: the finaliser of splitmix64.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
