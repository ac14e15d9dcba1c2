package livesmooth

import (
	"context"
	"sync"
	"time"
)

// pacer keeps the streams of one presentation together while a server catches up with them over several connections: without
// it the backlog of the fastest one would be listed before the others have come to it, and theirs would be too late. A
// stream may be ahead of the slowest one by a fragment. It is safe for concurrent use.
type pacer struct {
	// stall is how long a track may deliver nothing before the others go on without it.
	stall time.Duration

	mu      sync.Mutex // guards the fields below
	lanes   map[*paceLane]bool
	changed chan struct{} // closed and replaced when a lane has moved
}

// paceLane is a connection. The pacer's mu guards it.
type paceLane struct {
	tracks map[*track]*paceTrack
	opened time.Time
	ready  bool // nobody waits for its first fragment
}

// paceTrack is how far a track of a connection has come.
type paceTrack struct {
	end, duration uint64
	at            time.Time // when it came there
	left          bool      // the others have gone on without it
}

func newPacer(stall time.Duration) *pacer {
	return &pacer{stall: stall, lanes: make(map[*paceLane]bool), changed: make(chan struct{})}
}

// join adds a connection. If it is awaited the others wait for its first fragment, within stall.
func (p *pacer) join(awaited bool) *paceLane {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &paceLane{tracks: make(map[*track]*paceTrack), opened: time.Now(), ready: !awaited}
	p.lanes[l] = true
	return l
}

// leave takes a connection out.
func (p *pacer) leave(l *paceLane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lanes, l)
	p.wake()
}

// wake lets those who wait look again. mu must be held.
func (p *pacer) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// declare tells which tracks a connection has. Sparse ones are not waited for.
func (p *pacer) declare(l *paceLane, tracks []*track) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	l.ready = true
	for _, tr := range tracks {
		if tr != nil && !tr.stream.sparse && l.tracks[tr] == nil {
			l.tracks[tr] = &paceTrack{at: now}
		}
	}
	p.wake()
}

// pass waits until a fragment may go on: until the other connections have come to within a fragment of it. tr is nil if the
// track is not known yet.
func (p *pacer) pass(ctx context.Context, l *paceLane, tr *track, at, duration uint64) error {
	if tr != nil && tr.stream.sparse {
		return nil
	}
	p.mu.Lock()
	p.moved(l, tr, at, duration) // all before it has been delivered
	p.mu.Unlock()
	for {
		p.mu.Lock()
		until := p.blocked(l, at, duration, time.Now())
		if until.IsZero() {
			p.moved(l, tr, at+duration, duration)
		}
		changed := p.changed
		p.mu.Unlock()
		if until.IsZero() {
			return nil
		}
		sleep(ctx, time.Until(until), changed)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// blocked returns until when a fragment has to wait for others at most, zero if it need not. mu must be held.
func (p *pacer) blocked(l *paceLane, at, duration uint64, now time.Time) time.Time {
	var until time.Time
	wait := func(since time.Time) bool {
		limit := since.Add(p.stall)
		if !now.Before(limit) {
			return false
		}
		if until.IsZero() || limit.After(until) {
			until = limit
		}
		return true
	}
	for o := range p.lanes {
		if o == l {
			continue
		}
		if !o.ready {
			wait(o.opened)
		}
		for _, t := range o.tracks {
			if t.left || at <= t.end+max(duration, t.duration) {
				continue
			}
			t.left = !wait(t.at)
		}
	}
	return until
}

// moved notes that a track has come to a time. One that the others have left is waited for again when it has caught up. mu
// must be held.
func (p *pacer) moved(l *paceLane, tr *track, to, duration uint64) {
	if tr == nil {
		return
	}
	now := time.Now()
	t := l.tracks[tr]
	if t == nil {
		t = &paceTrack{}
		l.tracks[tr] = t
	}
	for _, o := range l.tracks { // those of one connection come in order
		if o.end == 0 {
			o.end, o.at = to, now
		}
	}
	t.end, t.duration, t.at = max(t.end, to), duration, now
	if t.left {
		t.left = t.end+duration < p.furthest()
	}
	p.wake()
}

// furthest returns how far the tracks have come that are waited for. mu must be held.
func (p *pacer) furthest() uint64 {
	end := uint64(0)
	for l := range p.lanes {
		for _, t := range l.tracks {
			if !t.left {
				end = max(end, t.end)
			}
		}
	}
	return end
}
