package remote

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// check asks the origin for the manifest, unless that is under way, and returns a channel that is closed when it is
// done.
func (p *presentation) check() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.checking != nil {
		return p.checking
	}
	done := make(chan struct{})
	p.checking = done
	if !p.o.start(func() { p.runCheck(done) }) {
		p.checking = nil
		close(done)
	}
	return done
}

func (p *presentation) runCheck(done chan struct{}) {
	started := p.o.opts.Now().UnixNano()
	l, err := p.fetchManifest()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checked.Store(started) // a change meanwhile must not go unnoticed
	if err == nil && l != nil {
		p.apply(l)
	}
	p.note(err)
	p.checking = nil
	close(done)
}

// note keeps and logs how a check went. mu must be held.
func (p *presentation) note(err error) {
	p.err = err
	switch {
	case errors.Is(err, smooth.ErrClosed):
		return
	case err == nil:
		if p.failures > 0 && p.state.Load() != nil {
			p.o.opts.Logger.Info("manifest can be had again", "presentation", p.name)
		}
		p.failures = 0
		p.gone.Store(nil)
		return
	}
	if p.failures++; p.failures == 1 && p.state.Load() != nil {
		p.o.opts.Logger.Warn("manifest cannot be had, the last one stays in use", "presentation", p.name, "err", err)
	}
	if errors.Is(err, smooth.ErrNotFound) {
		p.gone.Store(&goneError{err})
	}
}

// fetchManifest returns the manifest of the origin, or nil if it is the same as before.
func (p *presentation) fetchManifest() (l *listing, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			l, err = nil, fmt.Errorf("remote: %s: fault while reading the manifest: %v: %w", p.name, fault, smooth.ErrCorrupt)
		}
	}()
	for range 2 {
		err = p.o.try(func(base int) error {
			l, err = p.fetchManifestFrom(base)
			return err
		})
		if !broken(err) {
			break
		}
	}
	return l, err
}

func (p *presentation) fetchManifestFrom(base int) (*listing, error) {
	q := question{url: p.manifests[base], limit: smooth.MaxClientManifest, gzip: true}
	s := p.state.Load()
	p.mu.Lock()
	if s != nil && p.base == base && p.behind == 0 { // what is behind is counted until it is believed
		q.etag = p.etag
		if q.etag == "" && !s.live() { // a live manifest may change twice in a second
			q.modified = p.modified
		}
	}
	p.mu.Unlock()
	a, err := p.o.ask(p.o.base, &q)
	if err != nil || a.notModified {
		return nil, err
	}
	defer p.o.pool.put(a.body)
	var before *listing
	if s != nil {
		before = s.listing
	}
	l, err := newListing(a.body.body(), before)
	if err != nil {
		if a.isHTML() {
			err = fmt.Errorf("the answer is an HTML page: %w", smooth.ErrCorrupt)
		}
		return nil, failure(q.url, http.StatusOK, err)
	}
	l.report(p.o.opts.Logger, p.name, before)
	l.modTime, _ = http.ParseTime(a.header.Get("Last-Modified"))
	p.finals[base].Store(a.final)
	p.mu.Lock()
	p.base, p.etag, p.modified = base, a.header.Get("Etag"), a.header.Get("Last-Modified")
	p.mu.Unlock()
	return l, nil
}

// apply makes the state follow a manifest. mu must be held.
func (p *presentation) apply(l *listing) {
	old, now := p.state.Load(), p.o.opts.Now()
	var s *state
	switch {
	case old == nil:
		s = firstState(l, now)
	case old.live() || l.manifest.IsLive:
		s = p.follow(old, l, now)
	default:
		s = firstState(l, now)
		s.begin(old.periods[0].Discontinuity, now)
		s.generation = old.generation + 1
	}
	s.publish()
	if old != nil && s.snap.Validator == old.snap.Validator {
		s.snap, s.generation = old.snap, old.generation
	}
	p.replace(old, s)
}

// follow returns the state after a newer manifest of a live presentation. mu must be held.
func (p *presentation) follow(old *state, l *listing, now time.Time) *state {
	s, v := old.next(l, now)
	again := !old.live() && s.live()
	if v != behind && !again {
		p.behind = 0
	} else {
		p.behind++
	}
	if v != restarted && (p.behind >= maxBehind || again && old.isFollowedBy(s, now)) {
		s, v = old.restart(l, now), restarted
	}
	switch {
	case v == restarted:
		p.behind = 0
	case again: // a copy of a cache or of a slower origin
		kept := *old
		return &kept
	case !s.live():
		if s.ended = old.ended; old.live() {
			s.ended = now
		}
	}
	if v == restarted {
		p.o.opts.Logger.Warn("origin has begun anew", "presentation", p.name)
	}
	return s
}

// isFollowedBy reports whether a live manifest after the end is that of another event: a copy of a cache or of a slower
// origin neither has more than there was in the end, nor comes long after it.
func (s *state) isFollowedBy(next *state, now time.Time) bool {
	_, end := s.span()
	_, grown := next.span()
	return grown > end || now.Sub(s.ended) >= endedLag
}

// touch notes that the presentation is in use, and has a live one followed.
func (p *presentation) touch() {
	now := time.Now().UnixNano()
	if before := p.used.Swap(now); now-before >= int64(idleAfter/2) {
		p.hurry() // the pace is slower for a presentation out of use
	}
	if p.polling.Load() || !p.state.Load().live() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired || !p.polling.CompareAndSwap(false, true) {
		return
	}
	if !p.o.start(p.poll) {
		p.polling.Store(false)
	}
}

// hurry asks for a poll before its time.
func (p *presentation) hurry() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// poll follows a live presentation until it ends, or nobody uses it any more.
func (p *presentation) poll() {
	tick, last := 0, time.Now()
	for {
		s := p.state.Load()
		interval := p.backOff(p.interval(s))
		if p.idle() { // somebody may still wait for the next snapshot
			interval = idleAfter
		}
		timer := time.NewTimer(interval / 2)
		hurried := false
		select {
		case <-timer.C:
			tick++
		case <-p.kick:
			hurried = time.Since(last) >= interval/4
		case <-p.quit:
		case <-p.o.base.Done():
		}
		timer.Stop()
		if p.stopPolling() {
			return
		}
		if hurried || tick >= 2 {
			tick, last = 0, time.Now()
			<-p.check()
		}
		p.probe()
	}
}

// backOff lengthens an interval while checks fail.
func (p *presentation) backOff(d time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(d, min(d<<min(p.failures, 6), maxPoll))
}

// idle reports whether nobody has used the presentation lately.
func (p *presentation) idle() bool {
	return time.Since(time.Unix(0, p.used.Load())) >= idleAfter
}

// stopPolling reports whether polling ends: nobody has the presentation open besides the source, or it is not live any
// more.
func (p *presentation) stopPolling() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	unused := p.idle() && p.refs.Load() <= 1 && len(p.waiting) == 0
	if !unused && !p.retired && p.o.base.Err() == nil && p.state.Load().live() {
		return false
	}
	p.polling.Store(false)
	return true
}

// probe asks for the next fragment that somebody waits for, of one stream after another. Once it can be had it is
// listed, and those who wait are woken.
func (p *presentation) probe() {
	next := make(map[string]smooth.FragmentKey)
	p.mu.Lock()
	s := p.state.Load()
	for k := range p.waiting {
		if _, ask, _ := s.find(k); ask {
			if n, ok := next[k.Stream]; !ok || k.Time < n.Time {
				next[k.Stream] = k
			}
		}
	}
	p.mu.Unlock()
	if len(next) == 0 || !p.probing.CompareAndSwap(false, true) {
		return
	}
	started := p.o.start(func() {
		defer p.probing.Store(false)
		for _, k := range next {
			if f, err := p.Fragment(p.o.base, k); err == nil {
				f.Close()
			}
		}
	})
	if !started {
		p.probing.Store(false)
	}
}
