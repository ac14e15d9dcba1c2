package remote

import (
	"container/list"
	"context"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// fragmentID names a fragment among those of all presentations of a source.
type fragmentID struct {
	p          *presentation
	generation uint64
	key        smooth.FragmentKey
}

// fragmentCache keeps the fragments used last, and lets concurrent requests for one share a load. It is safe for
// concurrent use.
type fragmentCache struct {
	limit int64 // bytes

	mu      sync.Mutex // guards the fields below
	entries map[fragmentID]*list.Element
	recent  list.List // of *cachedFragment, the most recently used first
	bytes   int64
	calls   map[fragmentID]*call
}

type cachedFragment struct {
	id       fragmentID
	fragment *smooth.Fragment // with a reference of the cache
	bytes    int64
}

// call is a load that is under way.
type call struct {
	done    chan struct{} // closed when the load has ended
	waiters int           // each gets a reference
	ended   bool
	// set before done is closed
	fragment *smooth.Fragment
	err      error
}

func (c *fragmentCache) init() {
	c.entries, c.calls = make(map[fragmentID]*list.Element), make(map[fragmentID]*call)
}

// get returns a fragment with a reference for the caller, or the call that loads it; fresh tells that the caller has to
// start it.
func (c *fragmentCache) get(id fragmentID) (f *smooth.Fragment, l *call, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[id]; ok {
		c.recent.MoveToFront(el)
		f = el.Value.(*cachedFragment).fragment
		f.Retain()
		return f, nil, false
	}
	if l = c.calls[id]; l == nil {
		l, fresh = &call{done: make(chan struct{})}, true
		c.calls[id] = l
	}
	l.waiters++
	return nil, l, fresh
}

// wait returns the fragment that a call loads, with a reference for the caller.
func (c *fragmentCache) wait(ctx context.Context, l *call) (*smooth.Fragment, error) {
	select {
	case <-l.done:
		return l.fragment, l.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.ended {
		l.waiters--
	} else if l.fragment != nil {
		l.fragment.Close()
	}
	return nil, ctx.Err()
}

// finish ends a call with a fragment, whose only reference it takes over, or an error.
func (c *fragmentCache) finish(id fragmentID, l *call, f *smooth.Fragment, bytes int64, err error) {
	var gone []*smooth.Fragment
	c.mu.Lock()
	delete(c.calls, id)
	l.fragment, l.err, l.ended = f, err, true
	if f != nil {
		for range l.waiters {
			f.Retain()
		}
		gone = c.keep(id, f, bytes)
	}
	close(l.done)
	c.mu.Unlock()
	closeAll(gone)
}

// keep adds a fragment and returns those that make room, or itself. mu must be held.
func (c *fragmentCache) keep(id fragmentID, f *smooth.Fragment, bytes int64) (gone []*smooth.Fragment) {
	if bytes > c.limit {
		return []*smooth.Fragment{f}
	}
	c.entries[id] = c.recent.PushFront(&cachedFragment{id, f, bytes})
	c.bytes += bytes
	for c.bytes > c.limit {
		gone = append(gone, c.remove(c.recent.Back()))
	}
	return gone
}

// remove forgets a fragment, which the caller closes. mu must be held.
func (c *fragmentCache) remove(el *list.Element) *smooth.Fragment {
	e := c.recent.Remove(el).(*cachedFragment)
	delete(c.entries, e.id)
	c.bytes -= e.bytes
	return e.fragment
}

// clear forgets the fragments of a presentation, or all for nil.
func (c *fragmentCache) clear(p *presentation) {
	var gone []*smooth.Fragment
	c.mu.Lock()
	for el := c.recent.Front(); el != nil; {
		next := el.Next()
		if p == nil || el.Value.(*cachedFragment).id.p == p {
			gone = append(gone, c.remove(el))
		}
		el = next
	}
	c.mu.Unlock()
	closeAll(gone)
}

// size returns the number of fragments and their bytes.
func (c *fragmentCache) size() (n int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries), c.bytes
}

func closeAll(list []*smooth.Fragment) {
	for _, f := range list {
		f.Close()
	}
}
