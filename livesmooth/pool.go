package livesmooth

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// buffer is pooled memory with one fragment:
//
//	data: [room for the final head][payload][early head]
//
// The early head is the canonical moof, with tfxd and without tfrf, and the header of mdat; it is there as soon as the
// fragment is. The final one, with tfrf, is written right before the payload once the fragments after it are known, so
// that a viewer gets both in one write while readers of the early head go on undisturbed.
type buffer struct {
	pool    *pool
	data    []byte
	room    int // bytes before the payload
	payload int // bytes of payload
	early   int // bytes of the early head
	refs    atomic.Int32
}

// Payload returns the sample data.
func (b *buffer) Payload() []byte { return b.data[b.room : b.room+b.payload : b.room+b.payload] }

// Early returns the early head.
func (b *buffer) Early() []byte {
	at := b.room + b.payload
	return b.data[at : at+b.early : at+b.early]
}

// retain adds a reference.
func (b *buffer) retain() { b.refs.Add(1) }

// release drops a reference; after the last one the memory serves another fragment.
func (b *buffer) release() {
	if b.refs.Add(-1) == 0 {
		b.pool.put(b)
	}
}

// pool lends memory for the fragments of one point and counts it. Sizes are rounded up to an eighth of a power of two. It is
// safe for concurrent use.
type pool struct {
	used atomic.Int64 // bytes lent

	mu   sync.Mutex // guards the fields below
	free map[int][][]byte
	idle int64 // bytes in free
}

// maxIdle is the most bytes that are kept for later: a share of what is in use.
func (p *pool) maxIdle() int64 { return 4<<20 + p.used.Load()/8 }

func newPool() *pool { return &pool{free: make(map[int][][]byte)} }

// roundSize returns the capacity for n bytes.
func roundSize(n int) int {
	const least = 4 << 10
	if n <= least {
		return least
	}
	step := 1 << max(bits.Len(uint(n-1))-4, 0)
	return (n + step - 1) &^ (step - 1)
}

// grab returns memory of at least n bytes.
func (p *pool) grab(n int) []byte {
	size := roundSize(n)
	p.mu.Lock()
	if list := p.free[size]; len(list) > 0 {
		m := list[len(list)-1]
		list[len(list)-1] = nil
		p.free[size] = list[:len(list)-1]
		p.idle -= int64(size)
		p.mu.Unlock()
		p.used.Add(int64(size))
		return m
	}
	p.mu.Unlock()
	p.used.Add(int64(size))
	return make([]byte, size)
}

// drop takes memory back.
func (p *pool) drop(m []byte) {
	size := cap(m)
	p.used.Add(-int64(size))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle+int64(size) <= p.maxIdle() {
		p.free[size] = append(p.free[size], m[:size])
		p.idle += int64(size)
	}
}

func (p *pool) put(b *buffer) { p.drop(b.data) }

// headRoom returns the room that the final head of a fragment needs, given its early head.
func headRoom(early int) int { return early + fmp4.TfrfSize(MaxLookahead) }

// make returns a buffer with one reference for a payload and an early head of these sizes.
func (p *pool) make(payload, early int) *buffer {
	room := headRoom(early)
	b := &buffer{pool: p, data: p.grab(room + payload + early), room: room, payload: payload, early: early}
	b.refs.Store(1)
	return b
}
