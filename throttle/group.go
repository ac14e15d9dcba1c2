package throttle

import (
	"slices"
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
	bucket  atomic.Pointer[shared] // of the group's rate, nil if it has none
}

// set makes the groups of rules the current ones.
func (g *groups) set(now time.Time, list []Group) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byName == nil {
		g.byName = make(map[string]*group)
	}
	for _, s := range list {
		one := g.get(s.Name)
		one.limit.Store(int64(s.ConnectionLimit))
		setShared(&one.bucket, now, s.Rate)
	}
	for name, one := range g.byName {
		if !slices.ContainsFunc(list, func(s Group) bool { return s.Name == name }) {
			one.limit.Store(0)
			one.bucket.Store(nil)
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

// shared is a bucket that many responses take from. A nil one has no limit.
type shared struct{ *Bucket }

// setShared sets the rate of a shared bucket, zero for none. It holds what its rate earns in a quarter of a second. One
// that is in use stays, with what it has given: a new one would give it again.
func setShared(p *atomic.Pointer[shared], now time.Time, rate Rate) {
	capacity := max(rate.Bytes(DefaultInterval), DefaultMinSendSize)
	switch s := p.Load(); {
	case rate <= 0:
		p.Store(nil)
	case s == nil:
		p.Store(&shared{NewBucket(rate, capacity, capacity)})
	default:
		s.SetRate(now, rate)
		s.SetCapacity(now, capacity)
	}
}

func (s *shared) take(now time.Time, n int64) time.Duration {
	if s == nil {
		return 0
	}
	return s.Take(now, n)
}

func (s *shared) giveBack(n int64) {
	if s != nil {
		s.Return(n)
	}
}
