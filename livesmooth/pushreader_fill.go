package livesmooth

import (
	"math"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// trusted is the size in bytes that a payload may claim without its bytes having arrived. Beyond, memory grows with them.
const trusted = 1 << 20

// filling is pooled memory that a payload is read into: room for the head, the payload so far, and free space.
type filling struct {
	pool *pool
	mem  []byte
	room int
	tail int // bytes that are wanted behind the payload in the end
	n    int // bytes of payload
}

// begin takes memory with that room for a payload of which size bytes are trusted to come, and tail bytes behind it.
func (f *filling) begin(room, size, tail int) {
	f.mem, f.room, f.tail, f.n = f.pool.grab(room+size+tail), room, tail, 0
}

// drop gives the memory back.
func (f *filling) drop() {
	if f.mem != nil {
		f.pool.drop(f.mem)
		f.mem = nil
	}
}

// free returns the space behind the payload.
func (f *filling) free() []byte { return f.mem[f.room+f.n:] }

// move makes the space behind the payload at least n bytes, and the room at least that large.
func (f *filling) move(room, n int) {
	m := f.pool.grab(room + f.n + n)
	copy(m[room:], f.mem[f.room:f.room+f.n])
	f.pool.drop(f.mem)
	f.mem, f.room = m, room
}

// read appends the next n bytes of the box at hand. Each time the space is full it doubles.
func (f *filling) read(in *fmp4.StreamReader, n int) error {
	for n > 0 {
		if len(f.free()) == 0 {
			f.move(f.room, min(n, max(f.n, trusted))+f.tail)
		}
		part := f.free()[:min(n, len(f.free()))]
		if err := in.ReadFull(part); err != nil {
			return err
		}
		f.n += len(part)
		n -= len(part)
	}
	return nil
}

// add appends bytes.
func (f *filling) add(b []byte) {
	if len(f.free()) < len(b) {
		f.move(f.room, max(len(b), f.n)+f.tail)
	}
	copy(f.free(), b)
	f.n += len(b)
}

// done puts the early head behind the payload and returns both as a buffer, which takes over the memory. It moves them if they
// do not fit, or if growing has left more than a quarter of the memory unused.
func (f *filling) done(early []byte) *buffer {
	if need := headRoom(len(early)); f.room < need || len(f.free()) < len(early) ||
		roundSize(need+f.n+len(early)) < len(f.mem)-len(f.mem)/4 {
		f.move(need, len(early))
	}
	copy(f.free(), early)
	b := &buffer{pool: f.pool, data: f.mem, room: f.room, payload: f.n, early: len(early)}
	b.refs.Store(1)
	f.mem = nil
	return b
}

// rescale is [smooth.Rescale] for times that may be negative.
func rescale(v int64, from, to uint64) int64 {
	if v < 0 {
		return -int64(min(smooth.Rescale(uint64(-v), from, to), math.MaxInt64))
	}
	return int64(min(smooth.Rescale(uint64(v), from, to), math.MaxInt64))
}

// maxMediaTime bounds times in ticks of 10,000,000 per second, so that sums cannot overflow: 1,800 years.
const maxMediaTime = 1 << 59

// place returns a time of the encoder in our ticks. Each time is converted on its own, so that rounding never adds up.
func (t *pushTrack) place(media int64) int64 {
	return min(max(rescale(media, t.timescale, scale), -maxMediaTime), maxMediaTime)
}
