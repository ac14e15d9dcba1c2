package smooth

import (
	"container/list"
	"fmt"
	"sync"
	"sync/atomic"
)

// Bounds of what is remembered of filtered presentations. The least recently used go first.
const (
	// DefaultRememberedFilters is the number of results of a filter on a snapshot that a [FilterSet] keeps.
	DefaultRememberedFilters = 128
	// RememberedFilterBytes bounds the bytes that these results and what is derived from them take, beside the
	// results in use.
	RememberedFilterBytes = 64 << 20
)

// filterCache is a bounded map from (snapshot, filter) to filtered views. It is safe for concurrent use.
type filterCache struct {
	max int

	mu      sync.Mutex // guards the fields below
	entries map[filterCacheKey]*list.Element
	used    list.List // of *filterCacheEntry, most recently used first
}

type filterCacheKey struct {
	base   *Snapshot
	filter string
}

type filterCacheEntry struct {
	key  filterCacheKey
	once sync.Once
	view *filteredView // set in once, as err
	err  error
	snap atomic.Pointer[Snapshot] // of view, once it is built
}

func newFilterCache(limit int) *filterCache {
	return &filterCache{max: limit, entries: make(map[filterCacheKey]*list.Element)}
}

// get returns the view of a snapshot, which the first who asks builds.
func (fc *filterCache) get(base *Snapshot, c *filterChain) (*filteredView, error) {
	e := fc.entry(filterCacheKey{base, c.key})
	e.once.Do(func() {
		e.err = fmt.Errorf("smooth: filter %s: %w", c.key, ErrCorrupt) // the error if apply panics
		if e.view, e.err = c.apply(base); e.err == nil {
			e.snap.Store(e.view.snap)
		}
	})
	return e.view, e.err
}

func (fc *filterCache) entry(k filterCacheKey) *filterCacheEntry {
	fc.mu.Lock()
	defer fc.mu.Unlock()
	if el, ok := fc.entries[k]; ok {
		fc.used.MoveToFront(el)
		return el.Value.(*filterCacheEntry)
	}
	fc.trim()
	e := &filterCacheEntry{key: k}
	fc.entries[k] = fc.used.PushFront(e)
	return e
}

// trim makes room for one entry. Results on snapshots that have a successor go at once. mu must be held.
func (fc *filterCache) trim() {
	bytes, kept := 0, 1
	for el := fc.used.Front(); el != nil; {
		next, e := el.Next(), el.Value.(*filterCacheEntry)
		bytes += entryBytes + len(e.key.filter)
		if isClosed(e.key.base.superseded) || kept >= fc.max || bytes+e.memoBytes() > RememberedFilterBytes {
			fc.used.Remove(el)
			delete(fc.entries, e.key)
		} else {
			kept++
			bytes += e.memoBytes()
		}
		el = next
	}
}

// entryBytes is what an entry takes beside its key and what is derived from it: edited streams and levels, estimated.
const entryBytes = 8 << 10

// memoBytes returns the bytes derived from the entry's result. An entry that is still being built has none.
func (e *filterCacheEntry) memoBytes() int {
	s := e.snap.Load()
	if s == nil {
		return 0
	}
	s.memo.mu.Lock()
	defer s.memo.mu.Unlock()
	return s.memo.bytes
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
