package limit

import (
	"cmp"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// Rules returns a copy of the rules in force.
func (h *Handler) Rules() Rules {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rules.clone()
}

// SetRules changes the limits. Nobody who is there is cut or refused: limits on numbers and on bandwidth apply to new
// viewers. Ceilings, inactivity timeouts and RequestsPerPlayer apply at once. Points keep what is counted as long as
// their path is the same. Viewers who are there stay where they were counted, so those of a point that is new do not
// count for it.
func (h *Handler) SetRules(rules Rules) {
	rules = rules.clone()
	now := h.opts.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules = rules
	h.server.set(now, rules.Server, false)
	for _, l := range h.levels[1:] {
		l.ends = true
	}
	for i := range rules.Points {
		p := &rules.Points[i]
		l := h.levelOf(clean(p.Path))
		if l.ends {
			l.ends = false
			l.set(now, p.within(rules.Server, p.Replace), p.Replace)
		}
	}
	for _, l := range h.levels[1:] {
		if l.ends {
			l.set(now, Limits{}.within(rules.Server, l.replace), l.replace) // for who is still there
		}
	}
	h.tidyLevels()
	slices.SortStableFunc(h.levels[1:], func(a, b *level) int { return cmp.Compare(len(b.path), len(a.path)) })
	h.setGroups(rules.Groups)
}

// levelOf returns the level of a point, which is new if there is none. mu must be held.
func (h *Handler) levelOf(path string) *level {
	for _, l := range h.levels[1:] {
		if l.path == path {
			return l
		}
	}
	l := h.newLevel()
	l.path, l.ends = path, true
	h.levels = append(h.levels, l)
	return l
}

// newLevel returns an empty level. mu must be held.
func (h *Handler) newLevel() *level {
	h.lastLevel++
	return &level{id: h.lastLevel}
}

// tidyLevels forgets levels that have neither rules nor sessions. mu must be held.
func (h *Handler) tidyLevels() {
	h.levels = slices.DeleteFunc(h.levels, func(l *level) bool {
		return l.ends && l.tallies[player].now == 0 && l.tallies[distribution].now == 0
	})
}

// setGroups changes the limits of groups. Groups that are gone stay, without a limit, while somebody is in them. mu must
// be held.
func (h *Handler) setGroups(groups []Group) {
	for name, g := range h.groups {
		g.limit = 0
		if g.tally.now == 0 {
			delete(h.groups, name)
		}
	}
	for _, r := range groups {
		h.groupNamed(r.Name).limit = r.Limit
	}
}

// groupNamed returns a group, which is new if there is none. mu must be held.
func (h *Handler) groupNamed(name string) *group {
	g := h.groups[name]
	if g == nil {
		g = &group{name: name}
		h.groups[name] = g
	}
	return g
}

// set changes the limits of a level.
func (l *level) set(now time.Time, limits Limits, replace bool) {
	l.limits, l.replace = limits, replace
	for k := range kinds {
		l.ceilings[k] = setBucket(l.ceilings[k], now, limits.ceiling(k))
	}
	l.setArrivals(now)
}

// setBucket returns a bucket for a rate, the same if there is one, and nil without a rate.
func setBucket(b *throttle.Bucket, now time.Time, rate throttle.Rate) *throttle.Bucket {
	if rate <= 0 {
		if b != nil {
			b.SetRate(now, throttle.MaxRate) // for who still waits
		}
		return nil
	}
	if b == nil {
		return newPace(rate)
	}
	b.SetRate(now, rate)
	b.SetCapacity(now, slack(rate))
	return b
}

// setArrivals changes the rate of new viewers: a token is a byte, so that viewers per second are eight times as many
// bits per second.
func (l *level) setArrivals(now time.Time) {
	n := int64(min(max(l.limits.ConnectionRate, 0), 1e9))
	rate := throttle.Rate(8 * n)
	switch {
	case n == 0:
		l.arrivals, l.queue = nil, nil
	case l.arrivals == nil:
		l.arrivals, l.queue = throttle.NewBucket(rate, n, n), throttle.NewBucket(rate, 0, 0)
	default:
		l.arrivals.SetRate(now, rate)
		l.arrivals.SetCapacity(now, n)
		l.queue.SetRate(now, rate)
	}
}
