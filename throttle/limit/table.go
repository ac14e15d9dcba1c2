package limit

import (
	"net/http"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// admit makes the session of an arrival that was checked, and its viewer if he is new. mu must be held.
func (h *Handler) admit(a *arrival, now time.Time) *session {
	at := now.Sub(h.epoch)
	s := &session{key: a.key, viewer: a.viewer, alone: a.alone, started: at}
	if s.viewer == nil {
		s.viewer = h.addViewer(a, s)
	}
	s.viewer.sessions++
	s.file = h.addToFile(a)
	if !a.alone {
		h.sessions[a.key] = s
	}
	h.all.add(s)
	h.admitted++
	return s
}

// addViewer counts a viewer. Those who cannot have several sessions are a part of theirs. mu must be held.
func (h *Handler) addViewer(a *arrival, s *session) *viewer {
	v := &s.own
	if a.shared {
		v = &viewer{key: h.viewerKey(a), shared: true}
		h.viewers[v.key] = v
	}
	v.level, v.kind, v.address, v.need = a.level, a.kind, a.address, a.needs()
	v.apart = a.level.replace
	if rate := a.level.limits.each(a.kind); rate > 0 {
		v.bucket = newPace(rate)
	}
	if a.group != "" {
		v.group = h.groupNamed(a.group)
	}
	h.count(v, 1)
	return v
}

// count adds a viewer where he counts, or with -1 takes him away. mu must be held.
func (h *Handler) count(v *viewer, n int) {
	for _, l := range [2]*level{v.level, h.serverOf(v)} {
		if l == nil {
			continue
		}
		l.tallies[v.kind].add(n)
		l.allotted[v.kind] += throttle.Rate(n) * v.need
		h.countAddress(addressKey{v.address, l.id}, v.kind, n)
	}
	if v.group != nil {
		v.group.tally.add(n)
	}
}

// countAddress counts a player's address. mu must be held.
func (h *Handler) countAddress(a addressKey, k kind, n int) {
	if k != player || a.address == ([16]byte{}) {
		return
	}
	if left := h.addresses[a] + int32(n); left > 0 {
		h.addresses[a] = left
	} else {
		delete(h.addresses, a)
	}
}

// addToFile counts a session in its file. mu must be held.
func (h *Handler) addToFile(a *arrival) *file {
	k := fileKey{a.level, a.file}
	f := h.files[k]
	if f == nil {
		f = &file{name: a.file, level: a.level}
		h.files[k] = f
		h.allFiles.add(f)
	}
	f.viewers[a.kind]++
	return f
}

// end is called when a request has been served; good says whether its answer was no error.
func (h *Handler) end(s *session, good bool) {
	now := h.opts.Now()
	h.mu.Lock()
	s.good = s.good || good
	s.active--
	s.viewer.active--
	s.last = now.Sub(h.epoch)
	var gone []Session
	if s.active == 0 {
		if s.alone || !s.good || s.viewer.level.limits.inactivity() == 0 {
			gone = h.drop(s, gone)
		} else {
			s.viewer.level.idle.push(s)
		}
	}
	h.mu.Unlock()
	h.observeEnds(now, gone)
}

// drop forgets a session, and its viewer with his last one. mu must be held.
func (h *Handler) drop(s *session, gone []Session) []Session {
	if h.opts.Observe != nil {
		gone = append(gone, h.view(s))
	}
	v := s.viewer
	if s.listed {
		v.level.idle.remove(s)
	}
	if !s.alone {
		delete(h.sessions, s.key)
	}
	h.all.remove(s)
	h.ended++
	s.file.viewers[v.kind]--
	if s.file.viewers == [kinds]int{} {
		delete(h.files, fileKey{s.file.level, s.file.name})
		h.allFiles.remove(s.file)
	}
	v.sessions--
	if v.sessions == 0 {
		h.dropViewer(v, s.good)
	}
	return gone
}

// dropViewer forgets a viewer. One who never got anything gives his turn back. mu must be held.
func (h *Handler) dropViewer(v *viewer, good bool) {
	h.count(v, -1)
	if v.shared {
		delete(h.viewers, v.key)
	}
	if v.group != nil && v.group.tally.now == 0 && !h.hasGroup(v.group.name) {
		delete(h.groups, v.group.name)
	}
	if !good && v.kind == player {
		for _, l := range [2]*level{v.level, h.serverOf(v)} {
			if l != nil && l.arrivals != nil {
				l.arrivals.Return(1)
			}
		}
	}
	if v.level.ends {
		h.tidyLevels()
	}
}

// hasGroup reports whether the rules have a group. mu must be held.
func (h *Handler) hasGroup(name string) bool {
	for i := range h.rules.Groups {
		if h.rules.Groups[i].Name == name {
			return true
		}
	}
	return false
}

// Steps in which sessions are forgotten and walked through while the lock is held.
const (
	expireStep = 2 // in a request, of each of two levels: more than come with it
	drainStep  = 512
)

// expire forgets a few sessions whose time has passed: in the level of a session that a request has joined, nil for none,
// and in another, which takes turns. mu must be held.
func (h *Handler) expire(at time.Duration, s *session, gone []Session) []Session {
	if s != nil {
		_, gone = h.expireIn(s.viewer.level, at, expireStep, gone)
	}
	if n := len(h.levels); n > 0 {
		h.turn = (h.turn + 1) % n
		_, gone = h.expireIn(h.levels[h.turn], at, expireStep, gone)
	}
	return gone
}

// expireIn forgets at most n sessions of a level whose time has passed and returns how many. mu must be held.
func (h *Handler) expireIn(l *level, at time.Duration, n int, gone []Session) (int, []Session) {
	timeout := l.limits.inactivity()
	done := 0
	for done < n && l.idle.head != nil && at-l.idle.head.last >= timeout {
		gone = h.drop(l.idle.head, gone)
		done++
	}
	return done, gone
}

// drain forgets a step of the sessions whose time has passed and reports whether there were any. mu must be held.
func (h *Handler) drain(at time.Duration, gone []Session) (some bool, _ []Session) {
	left := drainStep
	for i := len(h.levels) - 1; i >= 0; i-- { // from the end, as levels may go
		if i >= len(h.levels) {
			continue
		}
		var n int
		n, gone = h.expireIn(h.levels[i], at, left, gone)
		left -= n
	}
	return left < drainStep, gone
}

// settle forgets all sessions whose time has passed, without holding up requests.
func (h *Handler) settle(now time.Time) {
	for some := true; some; {
		var gone []Session
		h.mu.Lock()
		some, gone = h.drain(now.Sub(h.epoch), nil)
		h.mu.Unlock()
		h.observeEnds(now, gone)
	}
}

// observeEnds reports sessions that have ended. It holds no lock.
func (h *Handler) observeEnds(now time.Time, gone []Session) {
	for _, s := range gone {
		h.opts.Observe(Event{Kind: Ended, Time: now, Session: s})
	}
}

// observeDenial reports a request that is refused. It holds no lock.
func (h *Handler) observeDenial(r *http.Request, now time.Time, d denial, a *arrival) {
	if h.opts.Observe == nil {
		return
	}
	s := Session{File: a.file, Group: a.group, Address: addressOf(a.address), Distribution: a.kind == distribution}
	if a.level != nil {
		s.Point = a.level.path
	}
	h.opts.Observe(Event{
		Kind: Denied, Time: now, Request: r, Session: s, Reason: d.reason, RetryAfter: time.Duration(d.seconds()) * time.Second,
	})
}
