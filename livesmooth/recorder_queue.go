package livesmooth

import (
	"math"

	"github.com/smoothkit/smoothkit/smooth"
)

// recorderItem is what a recording is to be told: a header, a fragment or a gap.
type recorderItem struct {
	declare  *smooth.InputInfo
	fragment *smooth.Fragment
	size     int64
	input    string // of the fragment
	gap      smooth.Gap
}

// maxToldGaps bounds the gaps that wait to be told; from there on those of a stream become one, with what is in between.
const maxToldGaps = 256

// recorderQueue is what waits for a recording, in order. Fragments are bounded by number and by bytes. Of headers of one
// input that follow each other without a fragment in between only the newest is kept.
type recorderQueue struct {
	fragments int
	gaps      int
	bytes     int64
	items     []recorderItem
	first     int // of items; those before it have been taken
}

// add appends an item, or unites it with one that waits.
func (q *recorderQueue) add(it recorderItem) {
	switch {
	case it.fragment != nil:
		q.fragments++
		q.bytes += it.size
	case q.unite(&it):
		return
	case it.declare == nil:
		q.gaps++
	}
	if q.first > 0 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, it)
}

// unite unites a header or gap with one that waits behind the last fragment.
func (q *recorderQueue) unite(it *recorderItem) bool {
	for i := len(q.items) - 1; i >= q.first; i-- {
		switch o := &q.items[i]; {
		case o.fragment != nil:
			return false
		case it.declare != nil && o.declare != nil && it.declare.ID == o.declare.ID:
			o.declare = it.declare
			return true
		case it.declare == nil && o.declare == nil && it.gap.Stream == o.gap.Stream && (q.gaps >= maxToldGaps || touch(o.gap, it.gap)):
			o.gap = uniteGaps(o.gap, it.gap)
			return true
		}
	}
	return false
}

// take takes the next item. Its fragment stays in the count until done is called.
func (q *recorderQueue) take() (recorderItem, bool) {
	if q.first == len(q.items) {
		q.items, q.first = q.items[:0], 0
		return recorderItem{}, false
	}
	it := q.items[q.first]
	q.items[q.first] = recorderItem{}
	q.first++
	if it.declare == nil && it.fragment == nil {
		q.gaps--
	}
	return it, true
}

// done takes the fragment of an item out of the count.
func (q *recorderQueue) done(it *recorderItem) {
	if it.fragment != nil {
		q.fragments--
		q.bytes -= it.size
	}
}

// touch reports whether two gaps overlap or meet.
func touch(a, b smooth.Gap) bool { return a.Time <= gapEnd(b) && b.Time <= gapEnd(a) }

// uniteGaps returns the span that holds both.
func uniteGaps(a, b smooth.Gap) smooth.Gap {
	start, end := min(a.Time, b.Time), max(gapEnd(a), gapEnd(b))
	return smooth.Gap{Stream: a.Stream, Time: start, Duration: end - start}
}

func gapEnd(g smooth.Gap) uint64 {
	if g.Duration > math.MaxUint64-g.Time {
		return math.MaxUint64
	}
	return g.Time + g.Duration
}
