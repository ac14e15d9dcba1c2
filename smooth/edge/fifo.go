package edge

import "sync/atomic"

// maxUses bounds how often the hits of an item save it in the main queue.
const maxUses = 3

// fifo is the order in which the items of a tier have to go, by S3-FIFO (Yang et al., SOSP 2023): what comes in enters a
// small queue, a tenth of the bytes; who was hit there moves on to the main queue, who was not goes, and is remembered
// for a while, so that it enters the main queue when it comes again. It was chosen for two properties. A hit only counts
// up a number, under a read lock, and moves nothing. And a scan, such as one viewer watching a film that nobody else
// watches, passes through the small queue and leaves the rest alone, which LRU would throw out.
//
// It has no lock: who owns it does, a read lock for get and touch, a lock for the rest.
type fifo[K comparable, V any] struct {
	max        int64
	items      map[K]*item[K, V]
	small      queue[K, V]
	main       queue[K, V]
	ghosts     map[K]struct{}
	ghostOrder []K
	evicted    uint64
}

// item is an element of one of the queues.
type item[K comparable, V any] struct {
	key        K
	value      V
	cost       int64
	uses       atomic.Int32
	inMain     bool
	prev, next *item[K, V]
}

// queue is a doubly linked list, oldest first.
type queue[K comparable, V any] struct {
	first, last *item[K, V]
	bytes       int64
}

func newFIFO[K comparable, V any](maxBytes int64) fifo[K, V] {
	return fifo[K, V]{max: maxBytes, items: map[K]*item[K, V]{}, ghosts: map[K]struct{}{}}
}

// get returns an item or nil.
func (f *fifo[K, V]) get(k K) *item[K, V] { return f.items[k] }

// touch counts a hit.
func (it *item[K, V]) touch() {
	if n := it.uses.Load(); n < maxUses {
		it.uses.CompareAndSwap(n, n+1)
	}
}

func (f *fifo[K, V]) bytes() int64 { return f.small.bytes + f.main.bytes }

// set adds or replaces an item and calls gone for each that has to make room. That is the item itself, and no other, if
// it is too large altogether.
func (f *fifo[K, V]) set(k K, v V, cost int64, gone func(K, V)) {
	if cost > f.max {
		f.remove(k)
		if gone != nil {
			gone(k, v)
		}
		return
	}
	if it := f.items[k]; it != nil {
		f.queueOf(it).bytes += cost - it.cost
		it.value, it.cost = v, cost
	} else {
		it = &item[K, V]{key: k, value: v, cost: cost}
		if _, known := f.ghosts[k]; known {
			delete(f.ghosts, k)
			it.inMain = true
		}
		f.items[k] = it
		f.queueOf(it).push(it)
	}
	for f.bytes() > f.max {
		f.evict(gone)
	}
}

// remove removes an item if it is there.
func (f *fifo[K, V]) remove(k K) {
	if it := f.items[k]; it != nil {
		f.queueOf(it).unlink(it)
		delete(f.items, k)
	}
}

func (f *fifo[K, V]) queueOf(it *item[K, V]) *queue[K, V] {
	if it.inMain {
		return &f.main
	}
	return &f.small
}

// evict makes one step: it moves an item, or takes one out. Each item can be spared maxUses times in succession, so
// steps without effect end.
func (f *fifo[K, V]) evict(gone func(K, V)) {
	if f.small.first != nil && (f.small.bytes > f.max/10 || f.main.first == nil) {
		it := f.small.first
		f.small.unlink(it)
		if it.uses.Swap(0) > 0 {
			it.inMain = true
			f.main.push(it)
			return
		}
		f.remember(it.key)
		f.drop(it, gone)
		return
	}
	it := f.main.first
	f.main.unlink(it)
	if n := it.uses.Load(); n > 0 {
		it.uses.Store(n - 1)
		f.main.push(it)
		return
	}
	f.drop(it, gone)
}

func (f *fifo[K, V]) drop(it *item[K, V], gone func(K, V)) {
	delete(f.items, it.key)
	f.evicted++
	if gone != nil {
		gone(it.key, it.value)
	}
}

// remember notes the key of an item that was never hit. As many are remembered as there are items, at least 64.
func (f *fifo[K, V]) remember(k K) {
	f.ghosts[k] = struct{}{}
	f.ghostOrder = append(f.ghostOrder, k)
	limit := max(len(f.items), 64)
	drop := len(f.ghostOrder) - limit
	for i := range drop {
		delete(f.ghosts, f.ghostOrder[i])
	}
	if drop > 0 {
		f.ghostOrder = f.ghostOrder[drop:]
	}
}

func (q *queue[K, V]) push(it *item[K, V]) {
	it.prev, it.next = q.last, nil
	if q.last != nil {
		q.last.next = it
	} else {
		q.first = it
	}
	q.last = it
	q.bytes += it.cost
}

func (q *queue[K, V]) unlink(it *item[K, V]) {
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		q.first = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		q.last = it.prev
	}
	it.prev, it.next = nil, nil
	q.bytes -= it.cost
}
