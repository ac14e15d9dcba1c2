package limit

import (
	"math"
	"net/http"
	"path"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// grant is how a request may be served.
type grant struct {
	session *session
	good    bool // the session had an answer that was no error
	measure bool
	buckets [3]*throttle.Bucket // of the viewer, the point and the server; nil ones do not pace
	meters  [2]*meter           // of the point and the server, where measure is set
}

// arrival is a request that may begin a session.
type arrival struct {
	identity
	path    string // cleaned
	address [16]byte
	group   string
	grouped bool // group was chosen by Options.Group
	need    throttle.Rate
	level   *level
	viewer  *viewer // who is there already
}

// begin admits a request or says why not. If the grant has a session, end must be called.
func (h *Handler) begin(r *http.Request) (grant, denial) {
	who := h.identify(r)
	now := h.opts.Now()
	at := now.Sub(h.epoch)

	h.mu.Lock()
	var gone []Session
	h.setApart(&who)
	g, d, known := h.join(who, at, &gone)
	gone = h.expire(at, g.session, gone)
	h.mu.Unlock()
	if !known {
		g, d, known = h.joinAbove(&who, at, &gone)
	}
	if !known {
		var more []Session
		g, d, more = h.arrive(r, who, now)
		gone = append(gone, more...)
	}
	h.observeEnds(now, gone)
	if d.reason != 0 && known {
		h.observeDenial(r, now, d, &arrival{identity: who})
	}
	return g, d
}

// setApart makes who begins a download at its beginning, while one of the same file is being sent to the same address and
// name, another viewer: players open further ranges, but not the beginning twice. mu must be held.
func (h *Handler) setApart(who *identity) {
	if s := h.sessions[who.key]; who.whole && s != nil && s.active > 0 {
		who.alone = true
	}
}

// join lets a request into its session if there is one whose time has not passed. It is refused only if the viewer has
// too many being served. mu must be held.
func (h *Handler) join(who identity, at time.Duration, gone *[]Session) (g grant, d denial, known bool) {
	if who.alone {
		return g, d, false
	}
	s := h.sessions[who.key]
	if s == nil {
		return g, d, false
	}
	if s.listed && at-s.last >= s.viewer.level.limits.inactivity() {
		*gone = h.drop(s, *gone)
		return g, d, false
	}
	if most := s.viewer.level.limits.RequestsPerPlayer; most > 0 && who.kind == player && int(s.viewer.active) >= most {
		h.denied[RequestsPerPlayer]++
		return g, denial{reason: RequestsPerPlayer}, true
	}
	return h.enter(s, at), d, true
}

// joinAbove lets a request for a part of a stream into the session that its viewer has of a directory above, as of the
// master playlist. It is no session of another point. Keys are made without the lock.
func (h *Handler) joinAbove(who *identity, at time.Duration, gone *[]Session) (g grant, d denial, known bool) {
	if who.path == "" || who.alone {
		return g, d, false
	}
	one := *who
	for range maxAbove {
		if one.file == "/" {
			break
		}
		one.file = path.Dir(one.file)
		one.key = h.hasher.of(&one, one.file)
		h.mu.Lock()
		if s := h.sessions[one.key]; s != nil && s.viewer.level == h.levelAt(one.path) {
			if g, d, known = h.join(one, at, gone); g.session != nil {
				_, *gone = h.expireIn(s.viewer.level, at, expireStep, *gone)
			}
		}
		h.mu.Unlock()
		if known {
			*who = one
			break
		}
	}
	return g, d, known
}

// levelAt returns the point of a cleaned path, or the server. mu must be held.
func (h *Handler) levelAt(p string) *level {
	for _, l := range h.levels[1:] {
		if !l.ends && covers(l.path, p) {
			return l
		}
	}
	return h.server
}

// enter counts a request of a session. mu must be held.
func (h *Handler) enter(s *session, at time.Duration) grant {
	v := s.viewer
	if s.listed {
		v.level.idle.remove(s)
	}
	s.active++
	v.active++
	s.requests++
	s.last = at
	g := grant{session: s, good: s.good, measure: h.opts.Measure}
	g.buckets[0] = v.bucket
	for i, l := range [2]*level{v.level, h.serverOf(v)} {
		if l != nil {
			g.buckets[i+1], g.meters[i] = l.ceilings[v.kind], &l.meters[v.kind]
			g.measure = g.measure || l.measured(v.kind)
		}
	}
	return g
}

// serverOf returns the level of the server if a viewer counts for it beside its own, or nil.
func (h *Handler) serverOf(v *viewer) *level {
	if v.apart || v.level == h.server {
		return nil
	}
	return h.server
}

// arrive admits a request that has no session yet, or refuses it.
func (h *Handler) arrive(r *http.Request, who identity, now time.Time) (g grant, d denial, gone []Session) {
	a := h.describe(r, who)
	at := now.Sub(h.epoch)
	h.mu.Lock()
	for {
		var known bool
		h.setApart(&who)
		a.alone = who.alone
		if g, d, known = h.join(who, at, &gone); known {
			break // a request beside this one was faster
		}
		h.locate(&a)
		if d = h.check(&a, now); d.reason == 0 {
			g = h.enter(h.admit(&a, now), at)
			_, gone = h.expireIn(a.level, at, expireStep, gone)
			break
		}
		var some bool
		if d.reason.expires() {
			some, gone = h.drain(at, gone)
		}
		if !some {
			h.denied[d.reason]++
			break
		}
		h.mu.Unlock() // a step at a time, so that nobody has to wait long
		h.mu.Lock()
	}
	var view Session
	if h.opts.Observe != nil && g.session != nil {
		view = h.view(g.session)
	}
	first := g.session != nil && g.session.requests == 1
	h.mu.Unlock()
	switch {
	case d.reason != 0:
		h.observeDenial(r, now, d, &a)
	case first && h.opts.Observe != nil:
		h.opts.Observe(Event{Kind: Admitted, Time: now, Request: r, Session: view})
	}
	return g, d, gone
}

// describe asks the options about a request. It holds no lock.
func (h *Handler) describe(r *http.Request, who identity) arrival {
	a := arrival{identity: who, path: clean(r.URL.Path), address: h.opts.prefix(h.opts.Address(r))}
	a.file = h.keepName(a.file)
	if h.opts.Group != nil {
		a.group, a.grouped = h.opts.Group(r), true
	}
	if h.opts.Bandwidth != nil {
		a.need = max(h.opts.Bandwidth(r), 0)
	}
	return a
}

// locate finds the point and the group of an arrival, and its viewer if he is there already. mu must be held.
func (h *Handler) locate(a *arrival) {
	a.level = h.levelAt(a.path)
	if !a.grouped {
		a.group = h.rules.groupOf(a.path)
	}
	if a.kind == distribution {
		a.group = ""
	}
	a.viewer = nil
	if a.shared {
		a.viewer = h.viewers[h.viewerKey(a)]
	}
}

// viewerKey returns the key of a viewer in his part of the server: who goes to another one is new there.
func (h *Handler) viewerKey(a *arrival) key { return h.hasher.with(a.id, a.level.id, a.group) }

// check says whether an arrival is over a limit. mu must be held.
func (h *Handler) check(a *arrival, now time.Time) denial {
	if len(h.all.all) >= h.opts.MaxSessions {
		return denial{MaxSessions, h.earliest(now, nil)}
	}
	levels := h.levelsFor(a)
	if a.kind == player {
		if d := h.checkFile(a, now); d.reason != 0 {
			return d
		}
	}
	if a.viewer != nil {
		return denial{}
	}
	for _, l := range levels {
		if d := h.checkLevel(l, a, now); d.reason != 0 {
			return d
		}
	}
	if a.kind == distribution {
		return denial{}
	}
	if g := h.groups[a.group]; a.group != "" && g != nil && g.limit > 0 && g.tally.now >= g.limit {
		return denial{GroupPlayers, h.earliest(now, nil)}
	}
	return checkRate(levels, now)
}

// levelsFor returns the levels at which an arrival counts. mu must be held.
func (h *Handler) levelsFor(a *arrival) []*level {
	if a.level == h.server || a.level.replace {
		return []*level{a.level}
	}
	return []*level{a.level, h.server}
}

// checkFile checks what also holds for new sessions of viewers who are there. mu must be held.
func (h *Handler) checkFile(a *arrival, now time.Time) denial {
	limits := &a.level.limits
	if v := a.viewer; v != nil && limits.RequestsPerPlayer > 0 && int(v.active) >= limits.RequestsPerPlayer {
		return denial{reason: RequestsPerPlayer}
	}
	f := h.files[fileKey{a.level, a.file}]
	if limits.PlayersPerFile > 0 && f != nil && f.viewers[player] >= limits.PlayersPerFile {
		return denial{PlayersPerFile, h.earliest(now, a.level)}
	}
	return denial{}
}

// checkLevel checks the limits of one level. mu must be held.
func (h *Handler) checkLevel(l *level, a *arrival, now time.Time) denial {
	count, bandwidth := Players, PlayerBandwidth
	if a.kind == distribution {
		count, bandwidth = DistributionConnections, DistributionBandwidth
	}
	if most := l.limits.count(a.kind); most > 0 && l.tallies[a.kind].now >= most {
		return denial{count, h.earliest(now, l)}
	}
	most := l.limits.PlayersPerAddress
	if most > 0 && a.kind == player && a.address != ([16]byte{}) && int(h.addresses[addressKey{a.address, l.id}]) >= most {
		return denial{PlayersPerAddress, h.earliest(now, l)}
	}
	if full(l, a, now.Sub(h.epoch)) {
		return denial{bandwidth, meterWindow * time.Second}
	}
	return denial{}
}

// full reports whether the bandwidth of a level has no room for an arrival. mu must be held.
func full(l *level, a *arrival, at time.Duration) bool {
	most := l.limits.aggregate(a.kind)
	if most <= 0 {
		return false
	}
	used := max(l.meters[a.kind].rate(at), l.allotted[a.kind])
	return used >= most || a.needs() > most-used
}

// needs returns the bandwidth that an arrival is expected to use.
func (a *arrival) needs() throttle.Rate {
	if a.need > 0 {
		return min(a.need, throttle.MaxRate)
	}
	return min(max(a.level.limits.each(a.kind), 0), throttle.MaxRate)
}

// checkRate takes a token of every level, if each has one. Who is refused is told when his turn would be: the n-th of
// those who wait after the time that n tokens take, so that they do not all come back at once.
func checkRate(levels []*level, now time.Time) denial {
	for i, l := range levels {
		if l.arrivals == nil {
			continue
		}
		got, wait := l.arrivals.TakeUpTo(now, 1, 1)
		if got == 1 {
			continue
		}
		for _, before := range levels[:i] {
			if before.arrivals != nil {
				before.arrivals.Return(1)
			}
		}
		turn := l.queue.Take(now, 1)
		if turn > maxRetry {
			l.queue.Return(1)
		}
		return denial{ConnectionRate, max(wait, turn)}
	}
	return denial{}
}

// earliest returns how long until a session of a level may end, nil for all levels: the first of the idle ones, or if all are
// active one whose last request ends now. mu must be held.
func (h *Handler) earliest(now time.Time, of *level) time.Duration {
	at, least := now.Sub(h.epoch), time.Duration(math.MaxInt64)
	for _, l := range h.levels {
		if of != nil && of != l && (of != h.server || l.replace) {
			continue
		}
		left := l.limits.inactivity()
		if l.idle.head != nil {
			left += l.idle.head.last - at
		}
		least = min(least, left)
	}
	return least
}
