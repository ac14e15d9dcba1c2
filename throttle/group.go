package throttle

import (
	"sync"
	"sync/atomic"
	"time"
)

// groups are the connection limit groups of a handler. They outlive a change of its rules, so that what is being sent
// goes on counting.
type groups struct {
	mu     sync.Mutex // guards byName
	byName map[string]*group
}

// group counts responses of one group.
type group struct {
	limit   atomic.Int64 // zero means none
	active  atomic.Int64
	refused atomic.Uint64
	bucket  atomic.Pointer[Bucket] // of the group's rate, nil if it has none
}

// set makes the groups of rules the current ones.
func (g *groups) set(now time.Time, list []Group) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byName == nil {
		g.byName = make(map[string]*group)
	}
	for _, one := range g.byName {
		one.limit.Store(0)
		one.bucket.Store(nil)
	}
	for _, s := range list {
		one := g.get(s.Name)
		one.limit.Store(int64(s.ConnectionLimit))
		if s.Rate > 0 {
			one.bucket.Store(newShared(s.Rate))
		}
	}
}

// get returns a group, which is made if need be. mu must be held.
func (g *groups) get(name string) *group {
	one := g.byName[name]
	if one == nil {
		one = new(group)
		g.byName[name] = one
	}
	return one
}

// named returns the group of a setting, or nil.
func (g *groups) named(s *Setting) *group {
	if s == nil || s.Group == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.get(s.Group)
}

// enter counts a response, or reports that the group is full.
func (g *group) enter() bool {
	if limit := g.limit.Load(); g.active.Add(1) > limit && limit > 0 {
		g.active.Add(-1)
		g.refused.Add(1)
		return false
	}
	return true
}

func (g *group) leave() { g.active.Add(-1) }

// newShared returns a bucket that many responses take from: it holds what its rate earns in a quarter of a second.
func newShared(rate Rate) *Bucket {
	capacity := max(rate.Bytes(DefaultInterval), DefaultMinSendSize)
	return NewBucket(rate, capacity, capacity)
}
