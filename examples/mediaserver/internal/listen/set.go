package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
)

// maxSockets bounds the addresses of a Set, and the sockets of a handover. Linux passes at most 253 in one message.
const maxSockets = 128

// ServeFunc serves one listener until it ends, as [http.Server.Serve] does. Accept of the listener returns net.ErrClosed
// when the address is removed, the Set is closed or another process takes over. Then the function must return; it may be
// called again for the same address, when the other process did not make it.
//
// When it returns by itself, with nil, http.ErrServerClosed or net.ErrClosed, the socket is closed for good. With another
// error it is called again after a while.
type ServeFunc func(net.Listener, Spec) error

// Set is the listening sockets of a process. Its methods are safe for concurrent use.
type Set struct {
	opts    Options
	wg      sync.WaitGroup // every goroutine of the Set
	turn    chan struct{}  // holds a token while Update, Ready, Done or Close is at work: see acquire
	closing chan struct{}  // closed when Close is called
	ended   chan struct{}  // closed when Wait may return

	mu         sync.Mutex // guards what follows
	entries    []*entry
	pool       []*passed // sockets of systemd that nobody asked for now
	serve      ServeFunc
	accepting  bool
	closed     bool          // no more goroutines begin
	takenOver  bool          // another process has the sockets
	changed    chan struct{} // closed and replaced when any of this changes
	old        *takeover     // the process that is being taken over from, nil if there is none
	control    *control      // the control socket of this process, nil until Done
	handingOff bool          // a new process is at the control socket
}

// Open opens the sockets of specs: those that the running process hands over, those that systemd passes, and the others
// by binding them. One that cannot be bound does not stop the others; it is tried again until it can be, see [Set.Status]
// and the log.
//
// With Options.Handover and a running process at that path, the sockets are taken but nothing is accepted before
// [Set.Ready] and [Set.Done]. Errors are those of bad options and addresses ([ErrAddress]), of a running process that
// cannot hand over ([ErrBusy], [ErrRefused], [ErrProtocol], [ErrPeer]), and [ErrNoListener]. The context bounds Open only.
func Open(ctx context.Context, specs []Spec, opts *Options) (*Set, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	places, err := parseSpecs(specs)
	if err != nil {
		return nil, err
	}
	s := &Set{
		opts: opts.withDefaults(), accepting: true, turn: make(chan struct{}, 1),
		closing: make(chan struct{}), ended: make(chan struct{}), changed: make(chan struct{}),
	}
	if s.opts.Handover != "" {
		if !handoverSupported {
			return nil, fmt.Errorf("listen: handing over sockets on %s: %w: leave the path of the control socket empty",
				runtime.GOOS, errors.ErrUnsupported)
		}
		if err := s.dialOld(ctx); err != nil {
			return nil, err
		}
	}
	s.pool = activated(s.opts.Logger)
	if err := s.start(ctx, specs, places); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// start makes the entries of a new Set.
func (s *Set) start(ctx context.Context, specs []Spec, places []place) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.yield()
	for i, spec := range specs {
		s.add(ctx, spec, places[i])
	}
	s.dropUnwanted()
	s.addPassed()
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.opts.Strict {
		return nil
	}
	var all []error
	for _, st := range s.Status() {
		if st.Addr != nil {
			return nil
		}
		all = append(all, st.Err)
	}
	return fmt.Errorf("%w: %w", ErrNoListener, errors.Join(all...))
}

// Serve gives every listener to serve, each on a goroutine of its own, now or when its address can be bound. Only the
// first call counts.
func (s *Set) Serve(serve ServeFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serve == nil {
		s.serve = serve
		s.broadcast()
	}
}

// Wait returns when the Set has been closed, with nil, or when another process has taken over and this one has been
// drained, with [ErrTakenOver].
func (s *Set) Wait() error {
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.takenOver {
		return ErrTakenOver
	}
	return nil
}

// Close closes the sockets and waits for the serve functions and the goroutines of the Set. A Set that took over but is not
// Done gives everything back to the old process. During a handover in which this process has already let go, the new one
// may still finish, at most for Timeouts.Resume.
//
// Connections that have been accepted are not touched: they are those of the application.
func (s *Set) Close() error {
	s.mu.Lock()
	select {
	case <-s.closing:
	default:
		close(s.closing) // ends what another call waits for
	}
	s.mu.Unlock()
	s.turn <- struct{}{}
	s.mu.Lock()
	s.closed = true
	entries, pool, old, ctl := s.entries, s.pool, s.old, s.control
	s.pool, s.old = nil, nil
	s.broadcast()
	s.mu.Unlock()
	for _, e := range entries {
		s.remove(e)
	}
	for _, p := range pool {
		p.listener.Close()
	}
	old.close()
	ctl.close()
	s.yield()
	s.wg.Wait()
	s.end()
	return nil
}

// acquire waits for the turn, or returns the error of the context, or ErrClosed.
func (s *Set) acquire(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.isClosed() {
		s.yield()
		return ErrClosed
	}
	return nil
}

// yield ends the turn.
func (s *Set) yield() { <-s.turn }

// end lets Wait return.
func (s *Set) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
	default:
		close(s.ended)
	}
}

// broadcast wakes those who wait for a change. mu must be held.
func (s *Set) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// waitFor waits until holds, which is called with mu held, returns true, or for the end of the context.
func (s *Set) waitFor(ctx context.Context, holds func() bool) error {
	for {
		s.mu.Lock()
		ok, changed := holds(), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// goOn starts a goroutine unless the Set is closed.
func (s *Set) goOn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Go(f)
	return true
}
