package index

import (
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// watcher is told of changes.
type watcher struct{ changed func() }

// Watch calls changed whenever a snapshot that was handed out has been superseded, until stop is called. It is called by
// whoever changes the index, so it must not block; it may ask the index. A call that has begun may end after stop.
func (x *Index) Watch(changed func()) (stop func()) {
	w := &watcher{changed}
	x.mu.Lock()
	x.watchers = append(slices.Clip(x.watchers), w)
	x.mu.Unlock()
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		i := slices.Index(x.watchers, w)
		if i >= 0 {
			x.watchers = slices.Delete(slices.Clone(x.watchers), i, i+1)
		}
	}
}

// stale is what has to be told when the index is not locked any more.
type stale struct {
	snapshots [2]*smooth.Snapshot // or nil
	watchers  []*watcher
}

// invalidate gives up the snapshots. mu must be held.
func (x *Index) invalidate() stale {
	old := stale{snapshots: [2]*smooth.Snapshot{x.live, x.onDemand}}
	if x.live != nil || x.onDemand != nil {
		old.watchers = x.watchers
	}
	x.live, x.onDemand = nil, nil
	return old
}

// and returns the one of two that has something to tell, of which at most one has.
func (s stale) and(o stale) stale {
	if s.snapshots == [2]*smooth.Snapshot{} {
		return o
	}
	return s
}

// supersede tells of it.
func (s stale) supersede() {
	for _, snap := range s.snapshots {
		if snap != nil {
			snap.Supersede()
		}
	}
	for _, w := range s.watchers {
		w.changed()
	}
}
