package playlist

import (
	"container/heap"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// sweepLists is the number of lists that one call looks at for their end.
const sweepLists = 16

// memoryLists are the versions of playlists of a [MemoryStore]. A list is there until the last moment that a session
// which it was put for can live to; sessions that end before do not change that. Lists whose time is over are removed
// when others are put.
type memoryLists struct {
	max int

	mu        sync.RWMutex
	byVersion map[string]*memoryList
	order     memoryListOrder
}

type memoryList struct {
	version  string
	playlist *Playlist
	until    atomic.Int64 // milliseconds since 1970; it may grow with mu held for reading
	due      int64        // what until was when it was put in order
}

// put keeps a list for a while, or longer than before.
func (l *memoryLists) put(now time.Time, version string, p *Playlist, life time.Duration) error {
	ms, until := now.UnixMilli(), now.Add(life).UnixMilli()+1 // not before that
	if life <= 0 || l.extend(version, until) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(ms, sweepLists)
	if old := l.byVersion[version]; old != nil { // put by another call since
		old.until.Store(max(old.until.Load(), until))
		return nil
	}
	if len(l.byVersion) >= l.max {
		if l.sweep(ms, sweepAll); len(l.byVersion) >= l.max {
			return fmt.Errorf("%w: %d playlists that sessions may need", ErrBusy, len(l.byVersion))
		}
	}
	if l.byVersion == nil {
		l.byVersion = make(map[string]*memoryList)
	}
	list := &memoryList{version: version, playlist: p, due: until}
	list.until.Store(until)
	l.byVersion[version] = list
	heap.Push(&l.order, list)
	return nil
}

// extend lets a list live until a time at least, and reports whether there is one.
func (l *memoryLists) extend(version string, until int64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := l.byVersion[version]
	if list == nil {
		return false
	}
	for {
		old := list.until.Load()
		if old >= until || list.until.CompareAndSwap(old, until) {
			return true
		}
	}
}

func (l *memoryLists) get(now time.Time, version string) *Playlist {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if list := l.byVersion[version]; list != nil && list.until.Load() > now.UnixMilli() {
		return list.playlist
	}
	return nil
}

// sweep looks at up to most lists whose time seems to be over. mu must be held.
func (l *memoryLists) sweep(ms int64, most int) {
	for ; most > 0 && len(l.order) > 0 && l.order[0].due <= ms; most-- {
		first := l.order[0]
		if until := first.until.Load(); until > ms {
			first.due = until
			heap.Fix(&l.order, 0)
			continue
		}
		heap.Pop(&l.order)
		delete(l.byVersion, first.version)
	}
}

// memoryListOrder is a heap of lists by due.
type memoryListOrder []*memoryList

// Len implements [heap.Interface].
func (o memoryListOrder) Len() int { return len(o) }

// Less implements [heap.Interface].
func (o memoryListOrder) Less(a, b int) bool { return o[a].due < o[b].due }

// Swap implements [heap.Interface].
func (o memoryListOrder) Swap(a, b int) { o[a], o[b] = o[b], o[a] }

// Push implements [heap.Interface].
func (o *memoryListOrder) Push(x any) { *o = append(*o, x.(*memoryList)) }

// Pop implements [heap.Interface].
func (o *memoryListOrder) Pop() any {
	last := len(*o) - 1
	x := (*o)[last]
	(*o)[last] = nil
	*o = (*o)[:last]
	return x
}
