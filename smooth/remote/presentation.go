package remote

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// presentation is a presentation of the origin, which its users share. It is a [smooth.Waiter] and safe for concurrent
// use.
type presentation struct {
	o         *origin
	name      string                    // for the log
	manifests []*url.URL                // per base URL
	finals    []atomic.Pointer[url.URL] // per base URL: where its manifest has been found
	state     atomic.Pointer[state]     // never nil once it is open
	gone      atomic.Pointer[goneError] // of the last check, if the origin has no such presentation any more
	checked   atomic.Int64              // when the origin was last asked for the manifest, by Options.Now
	used      atomic.Int64              // when the presentation was last used, by time.Now
	polling   atomic.Bool               // a goroutine follows it
	probing   atomic.Bool               // the next fragment is being asked for
	refs      atomic.Int64
	kick      chan struct{} // asks for a poll before its time
	quit      chan struct{} // closed when nobody has it open any more

	mu       sync.Mutex // guards the fields below
	waiting  map[smooth.FragmentKey]*waiting
	checking chan struct{} // closed when the check under way has ended; nil if there is none
	etag     string        // of the manifest at the base URL that answered last
	modified string
	base     int
	behind   int   // polls in a row whose manifest ended before an earlier one
	failures int   // checks in a row that failed
	err      error // of the last check
	retired  bool
}

// goneError is an error in an atomic pointer.
type goneError struct{ err error }

// waiting are those who wait for a fragment.
type waiting struct {
	done chan struct{} // closed when it is worth looking again
	n    int
}

func newPresentation(o *origin, name string, manifests []*url.URL) *presentation {
	p := &presentation{
		o: o, name: name, manifests: manifests, finals: make([]atomic.Pointer[url.URL], len(manifests)),
		kick: make(chan struct{}, 1), quit: make(chan struct{}), waiting: make(map[smooth.FragmentKey]*waiting),
	}
	p.refs.Store(1)
	return p
}

// retain adds a reference unless the last one is gone.
func (p *presentation) retain() bool {
	for {
		n := p.refs.Load()
		if n <= 0 {
			return false
		}
		if p.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release drops a reference. After the last one nothing follows the presentation any more. p may be nil.
func (p *presentation) release() {
	if p == nil || p.refs.Add(-1) != 0 {
		return
	}
	p.mu.Lock()
	p.retired = true
	p.mu.Unlock()
	close(p.quit)
	p.o.cache.clear(p)
}

// Close implements [smooth.Presentation].
func (p *presentation) Close() error {
	p.release()
	return nil
}

// Snapshot implements [smooth.Presentation].
func (p *presentation) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	if err := p.fresh(ctx); err != nil {
		return nil, err
	}
	return p.state.Load().snap, nil
}

// Fragment implements [smooth.Presentation].
func (p *presentation) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	p.touch()
	s := p.state.Load()
	at, ask, err := s.find(k)
	if err != nil && s.live() && !ask {
		if err := p.fresh(ctx); err != nil {
			return nil, err
		}
		s = p.state.Load()
		at, ask, err = s.find(k)
	}
	if err != nil && !ask {
		return nil, err
	}
	f, err := p.fragment(ctx, s, &at)
	if err != nil {
		return nil, p.missed(&at, err)
	}
	return f, nil
}

// fragment returns a fragment from memory or the origin. Concurrent callers share one request, which none of them can
// end.
func (p *presentation) fragment(ctx context.Context, s *state, at *place) (*smooth.Fragment, error) {
	id := fragmentID{p, s.generation, at.key}
	c := &p.o.cache
	f, l, fresh := c.get(id)
	if f != nil {
		p.o.stats.hits.Add(1)
		return f, nil
	}
	if fresh {
		where := *at
		if !p.o.start(func() { p.load(s, &where, id, l) }) {
			c.finish(id, l, nil, 0, closed("source"))
		}
	}
	return c.wait(ctx, l)
}

// load fetches a fragment for everyone who waits for it. A fault of ours that panics must not stop the rest.
func (p *presentation) load(s *state, at *place, id fragmentID, l *call) {
	p.o.stats.loads.Add(1)
	r, err := received{}, error(nil)
	defer func() {
		if fault := recover(); fault != nil {
			r.fragment, err = nil, fmt.Errorf("remote: fault while reading a fragment: %v: %w", fault, smooth.ErrCorrupt)
		}
		p.o.cache.finish(id, l, r.fragment, r.bytes, err)
	}()
	if r, err = p.fetch(s, at); err == nil && s.live() {
		p.passed(s.generation, at, &r)
	}
}

// fetch asks the origin for a fragment, and once more if what comes is broken.
func (p *presentation) fetch(s *state, at *place) (r received, err error) {
	for range 2 {
		err = p.o.try(func(base int) error {
			r, err = p.fetchFrom(base, s, at)
			return err
		})
		if !broken(err) {
			break
		}
	}
	return r, err
}

func (p *presentation) fetchFrom(base int, s *state, at *place) (received, error) {
	from := p.manifests[base]
	if final := p.finals[base].Load(); final != nil {
		from = final
	}
	u, err := at.template.resolve(from, at.level, at.key.Time)
	if err != nil {
		return received{}, failure(from, 0, err)
	}
	if u.RawQuery == "" && p.o.trusts(u) { // a token that the application has put behind the URL
		u.RawQuery = p.manifests[base].RawQuery
	}
	a, err := p.o.ask(p.o.base, &question{url: u, limit: p.o.opts.MaxFragmentBytes})
	if err != nil {
		return received{}, err
	}
	m := s.snap.Manifest
	r, err := p.o.newFragment(a, at, m.TimescaleOf(m.Streams[at.stream]))
	if err != nil {
		p.o.pool.put(a.body)
		return received{}, failure(u, 200, err)
	}
	return r, nil
}

// passed learns from a fragment that has come: what was not listed is given out now, and its tfrf box names the next
// ones.
func (p *presentation) passed(generation uint64, at *place, r *received) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state.Load()
	if s.generation != generation || !s.live() || at.stream >= len(s.lines) ||
		s.listing.manifest.Streams[at.stream].Name != at.key.Stream {
		return
	}
	tail, grown, told := s.lines[at.stream], false, false
	if !at.listed && r.chunk.Time >= tail.listed.End() {
		if tail, grown = tail.proven(r.chunk); !grown {
			p.hurry()
		}
	}
	if tail, told = tail.announce(r.chunk.Time, r.next); !told && !grown {
		return
	}
	next := *s
	next.lines = append([]line(nil), s.lines...)
	next.lines[at.stream] = tail
	if grown {
		next.publish()
	}
	p.replace(s, &next)
}

// missed says why a fragment could not be had, given the state of now.
func (p *presentation) missed(at *place, err error) error {
	lost := errors.Is(err, smooth.ErrNotFound) || errors.Is(err, smooth.ErrNotYet)
	if !lost || p.o.base.Err() != nil {
		return err
	}
	s := p.state.Load()
	switch {
	case !at.listed: // some origins answer 404 where Smooth has 412
		return fmt.Errorf("remote: fragment %s %d: %w", at.key.Stream, at.key.Time, smooth.ErrNotYet)
	case !s.live() && errors.Is(err, smooth.ErrNotYet):
		return fmt.Errorf("remote: fragment %s %d: %s: %w", at.key.Stream, at.key.Time, err, smooth.ErrNotFound)
	case errors.Is(err, smooth.ErrNotFound):
		p.hurry()
		if _, _, now := s.find(at.key); errors.Is(now, smooth.ErrGone) {
			return now
		}
	}
	return err
}

// Wait implements [smooth.Waiter].
func (p *presentation) Wait(ctx context.Context, k smooth.FragmentKey) error {
	if err := p.fresh(ctx); err != nil {
		return err
	}
	for {
		w, key, err := p.await(k)
		if w == nil {
			return err
		}
		p.touch()
		select {
		case <-w.done:
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.o.base.Done():
			err = closed("source")
		}
		p.leave(key, w)
		return err
	}
}

// await joins those who wait for a fragment. If it need not or cannot be waited for, it returns nil and why.
func (p *presentation) await(k smooth.FragmentKey) (*waiting, smooth.FragmentKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, _, err := p.state.Load().find(k)
	if !errors.Is(err, smooth.ErrNotYet) {
		return nil, at.key, err
	}
	w := p.waiting[at.key]
	if w == nil {
		w = &waiting{done: make(chan struct{})}
		p.waiting[at.key] = w
	}
	w.n++
	return w, at.key, nil
}

// leave ends waiting for a fragment that has not come.
func (p *presentation) leave(k smooth.FragmentKey, w *waiting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.n--; w.n == 0 && p.waiting[k] == w {
		delete(p.waiting, k)
	}
}

// wake wakes those whose fragment is listed, or will never be. mu must be held.
func (p *presentation) wake(s *state) {
	for k, w := range p.waiting {
		if _, _, err := s.find(k); !errors.Is(err, smooth.ErrNotYet) {
			close(w.done)
			delete(p.waiting, k)
		}
	}
}

// replace publishes a state. mu must be held.
func (p *presentation) replace(old, s *state) {
	p.state.Store(s)
	if old == nil || old.snap == s.snap {
		return
	}
	old.snap.Supersede()
	if s.generation != old.generation {
		p.o.cache.clear(p)
	}
	p.wake(s)
}

// fresh waits until the state is as new as the options say, but not long: then what is known has to do. The error is
// that of ctx, or of a presentation or source that has been closed.
func (p *presentation) fresh(ctx context.Context) error {
	if p.o.base.Err() != nil {
		return closed("source")
	}
	p.touch()
	if !p.stale() {
		return nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.check():
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// stale reports whether the origin has not been asked for too long.
func (p *presentation) stale() bool {
	s := p.state.Load()
	lifetime := p.o.opts.Revalidate
	switch {
	case p.gone.Load() != nil:
		lifetime = errorLifetime
	case s.live():
		lifetime = 4 * p.interval(s) // it is polled more often
	case !s.ended.IsZero() || p.isPoint():
		lifetime = min(lifetime, endedLifetime)
	}
	return p.o.opts.Now().UnixNano()-p.checked.Load() >= int64(lifetime)
}

// isPoint reports whether the presentation is one of a publishing point.
func (p *presentation) isPoint() bool {
	return strings.Contains(strings.ToLower(p.manifests[0].Path), ".isml/")
}

// interval returns how often a live presentation is polled.
func (p *presentation) interval(s *state) time.Duration {
	if d := p.o.opts.Poll; d > 0 {
		return d
	}
	return s.pollInterval()
}
