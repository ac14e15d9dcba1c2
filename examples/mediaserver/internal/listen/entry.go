package listen

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// entry is an address and its socket.
type entry struct {
	place  place
	extra  bool               // systemd passed it and nobody asked for it
	cancel context.CancelFunc // ends run
	gone   chan struct{}      // closed when run has returned
	soon   chan struct{}      // of one: the address may have become free

	// Guarded by Set.mu.
	status  Status
	socket  socket // nil without one
	lease   *lease // what the serve function has now, nil if it does not run
	removed bool
	systemd bool // systemd has the socket too
}

func newEntry(spec Spec, p place) *entry {
	return &entry{place: p, gone: make(chan struct{}), soon: make(chan struct{}, 1), status: Status{Spec: spec}}
}

// add makes an entry, with a socket if there is one to be had, and starts it. The turn must be held.
func (s *Set) add(ctx context.Context, spec Spec, p place) *entry {
	e := newEntry(spec, p)
	e.status.State, e.status.Since = Waiting, s.opts.Now()
	if inherited, origin, systemd := s.inherit(spec, p); inherited != nil {
		e.systemd = systemd
		s.have(e, inherited, origin)
	} else {
		s.try(ctx, e)
	}
	s.begin(e)
	return e
}

// begin starts an entry and puts it at the end of the list.
func (s *Set) begin(e *entry) {
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	s.mu.Lock()
	s.entries = append(s.entries, e)
	s.mu.Unlock()
	if !s.goOn(func() { defer cancel(); s.run(ctx, e) }) {
		close(e.gone)
		s.remove(e)
	}
}

// run is the life of an entry: bind until that succeeds, then serve whenever the Set accepts.
func (s *Set) run(ctx context.Context, e *entry) {
	defer s.finish(e)
	if !s.retry(ctx, e) {
		return
	}
	delay := s.opts.RetryInterval
	for {
		l, serve := s.claim(ctx, e)
		if l == nil {
			return
		}
		err := serve(l, l.spec)
		switch s.takeBack(e, l, err) {
		case stopped:
			return
		case failed:
			if sleepUnless(ctx, delay, nil) != nil {
				return
			}
			delay = s.longer(delay)
		case revoked:
			delay = s.opts.RetryInterval
		}
	}
}

// retry binds the address of an entry. It returns false when the entry ends first.
func (s *Set) retry(ctx context.Context, e *entry) bool {
	for delay := s.opts.RetryInterval; !s.isBound(e); {
		switch err := sleepUnless(ctx, delay, e.soon); {
		case err == errEarly:
			delay = s.opts.RetryInterval / soonFraction
			continue
		case err != nil:
			return false
		}
		s.try(ctx, e)
		delay = s.longer(delay)
	}
	return true
}

// longer returns the delay after the one given.
func (s *Set) longer(d time.Duration) time.Duration {
	return min(2*d, maxRetryFactor*s.opts.RetryInterval)
}

func (s *Set) isBound(e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.socket != nil
}

// try binds the address of an entry once. An error is logged when it is another one than before.
func (s *Set) try(ctx context.Context, e *entry) {
	l, err := s.bind(ctx, e.place)
	if ctx.Err() != nil && err != nil {
		return // it ends, or Open does, which returns the error
	}
	s.mu.Lock()
	e.status.Attempts++
	st := e.status
	s.mu.Unlock()
	if err == nil {
		s.have(e, l, FromBind)
		return
	}
	err = explain(st.Address, e.place, err)
	s.mu.Lock()
	e.status.Err = err
	s.broadcast()
	s.mu.Unlock()
	if st.Err == nil || st.Err.Error() != err.Error() {
		s.opts.Logger.Warn("cannot listen, will try again", "address", st.Address, "attempts", st.Attempts, "err", err)
	}
}

// have gives an entry its socket.
func (s *Set) have(e *entry, l socket, origin Origin) {
	s.mu.Lock()
	if s.closed || e.removed {
		s.mu.Unlock()
		l.Close()
		return
	}
	e.socket = l
	e.status.Addr, e.status.Origin, e.status.Err = l.Addr(), origin, nil
	e.status.State, e.status.Since = Bound, s.opts.Now()
	st := e.status
	s.broadcast()
	s.mu.Unlock()
	s.opts.Logger.Info("socket open", "address", st.Address, "addr", st.Addr.String(), "origin", string(origin),
		"attempts", st.Attempts)
}

// claim waits until an entry may accept and returns the lease for its serve function, or nil when the entry ends.
func (s *Set) claim(ctx context.Context, e *entry) (l *lease, serve ServeFunc) {
	err := s.waitFor(ctx, func() bool {
		if e.removed || s.closed {
			return true
		}
		if !s.accepting || s.serve == nil {
			return false
		}
		l, serve = &lease{set: s, entry: e, socket: e.socket, spec: e.status.Spec}, s.serve
		e.lease = l
		e.socket.SetDeadline(time.Time{})
		e.status.State, e.status.Since, e.status.Err = Listening, s.opts.Now(), nil
		s.broadcast()
		return true
	})
	if err != nil {
		return nil, nil
	}
	return l, serve
}

// outcome is why a serve function has returned.
type outcome int

const (
	revoked outcome = iota // it was told to
	failed                 // of an error, it will be called again
	stopped                // the application is done with the address, or the entry ends
)

// takeBack takes the lease back from a serve function that has returned.
func (s *Set) takeBack(e *entry, l *lease, err error) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := l.revoked
	l.end()
	e.lease = nil
	e.status.State, e.status.Since = Bound, s.opts.Now()
	s.broadcast()
	switch {
	case e.removed || s.closed:
		return stopped
	case told:
		return revoked
	case err == nil, errors.Is(err, http.ErrServerClosed), errors.Is(err, net.ErrClosed):
		e.status.State = Stopped
		s.opts.Logger.Info("no longer listening", "address", e.status.Address)
		return stopped
	}
	e.status.Err = err
	s.opts.Logger.Error("listener failed, will be served again", "address", e.status.Address, "err", err)
	return failed
}

// remove ends an entry. Its socket closes at once, unless it is one of systemd, which would go on to take connections:
// that one waits for its serve function and is kept for a later Update.
func (s *Set) remove(e *entry) {
	s.mu.Lock()
	e.removed = true
	if e.lease != nil {
		e.lease.revoke()
	}
	var l socket
	if !e.systemd || s.closed {
		l, e.socket = e.socket, nil
	}
	s.broadcast()
	s.mu.Unlock()
	e.cancel()
	if l != nil {
		l.Close()
	}
}

// finish closes or keeps the socket of an entry whose goroutine ends.
func (s *Set) finish(e *entry) {
	s.mu.Lock()
	l := e.socket
	e.socket = nil
	if l != nil && e.systemd && !s.closed {
		s.pool = append(s.pool, &passed{name: e.status.Name, listener: l})
		l = nil
	}
	s.mu.Unlock()
	if l != nil {
		l.Close()
	}
	close(e.gone)
}
