package smooth

import (
	"math"
	"math/bits"
	"sort"
)

// Chunk is an entry of a [Timeline]: the span of one fragment, in ticks. It is half-open: [Time, Time+Duration).
type Chunk struct{ Time, Duration uint64 }

// End returns the first tick after the chunk.
func (c Chunk) End() uint64 { return c.Time + c.Duration }

// Timeline lists the fragments of a stream in strictly ascending order of Time. Neighbours may leave a gap.
// A live timeline grows by appending; a published one is never modified in place.
type Timeline []Chunk

// Find returns the position of the chunk that starts exactly at time t.
func (tl Timeline) Find(t uint64) (int, bool) {
	i := tl.search(t)
	return i, i < len(tl) && tl[i].Time == t
}

// At returns the position of the chunk that contains tick t. It reports false before the first chunk, in a gap,
// and after the end.
func (tl Timeline) At(t uint64) (int, bool) {
	i := tl.search(t)
	if i < len(tl) && tl[i].Time == t {
		return i, true
	}
	i--
	return i, i >= 0 && t < tl[i].End()
}

// Nearest returns the position of the chunk whose start differs from t by at most tolerance ticks; of two, the
// nearer one.
func (tl Timeline) Nearest(t, tolerance uint64) (int, bool) {
	i := tl.search(t)
	best, found := 0, false
	if i < len(tl) && tl[i].Time-t <= tolerance {
		best, found, tolerance = i, true, tl[i].Time-t
	}
	if i > 0 && t-tl[i-1].Time <= tolerance && (!found || t-tl[i-1].Time < tolerance) {
		best, found = i-1, true
	}
	return best, found
}

// Overlap returns the half-open range of positions of the chunks that overlap [from, to).
func (tl Timeline) Overlap(from, to uint64) (lo, hi int) {
	lo = sort.Search(len(tl), func(i int) bool { return tl[i].End() > from })
	hi = sort.Search(len(tl), func(i int) bool { return tl[i].Time >= to })
	if hi < lo {
		hi = lo
	}
	return lo, hi
}

// Start returns the time of the first chunk, or 0.
func (tl Timeline) Start() uint64 {
	if len(tl) == 0 {
		return 0
	}
	return tl[0].Time
}

// End returns the end of the last chunk, or 0.
func (tl Timeline) End() uint64 {
	if len(tl) == 0 {
		return 0
	}
	return tl[len(tl)-1].End()
}

// search returns the position of the first chunk with Time >= t.
func (tl Timeline) search(t uint64) int {
	return sort.Search(len(tl), func(i int) bool { return tl[i].Time >= t })
}

// noEnd is the tick after every other.
const noEnd uint64 = math.MaxUint64

// addSaturating returns a+b, or noEnd if that does not fit.
func addSaturating(a, b uint64) uint64 {
	if a > noEnd-b {
		return noEnd
	}
	return a + b
}

// gcd returns the greatest common divisor.
func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Rescale converts v ticks of timescale from into ticks of timescale to, rounding half up. It saturates at the
// largest uint64 instead of overflowing. from and to must not be zero. The timescale of media time is changed nowhere
// else, but where progressive files are cut and times are still signed.
func Rescale(v, from, to uint64) uint64 {
	if from == to {
		return v
	}
	hi, lo := bits.Mul64(v, to)
	lo, carry := bits.Add64(lo, from/2, 0)
	hi += carry
	if hi >= from {
		return noEnd
	}
	q, _ := bits.Div64(hi, lo, from)
	return q
}
