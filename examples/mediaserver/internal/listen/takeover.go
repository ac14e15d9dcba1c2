package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
)

// This is the side of the new process.

// takeover is the connection to the old process and what it passed. A nil one is none. It is guarded by the turn of the Set, but
// for sockets, which Set.mu guards.
type takeover struct {
	wire    *wire
	sockets []offered
	isReady bool
	state   []byte // what the old application tells this one
	failed  error  // what Ready or Done returned; the end of the connection says nothing after that
}

// offered is a socket of the old process that has not been asked for yet.
type offered struct {
	offer
	socket socket
}

// dialOld takes the sockets of the running process, if there is one.
func (s *Set) dialOld(ctx context.Context) error {
	path := s.opts.Handover
	if err := checkPath(path); err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: s.opts.Timeouts.Step}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errRefused) {
		return nil // nobody, or only what a dead one left
	}
	if err != nil {
		return fmt.Errorf("listen: control socket %s: %w", path, err)
	}
	t := &takeover{wire: &wire{conn: conn.(*net.UnixConn)}}
	if err := s.receiveSockets(ctx, t); err != nil {
		t.close()
		return fmt.Errorf("listen: take over from the process at %s: %w", path, err)
	}
	s.old, s.accepting = t, false
	return nil
}

// receiveSockets greets the old process and receives its sockets.
func (s *Set) receiveSockets(ctx context.Context, t *takeover) error {
	pid, err := checkPeer(t.wire.conn)
	if err != nil {
		return err
	}
	// One that is busy answers before it reads: what it said counts, not that this could not be sent.
	sendErr := t.wire.send(message{Type: typeHello, Version: protocolVersion, PID: os.Getpid()}, s.opts.Timeouts.Step)
	m, err := t.wire.expect(ctx, typeSockets, s.opts.Timeouts.Step)
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it closed the connection without an answer", ErrRefused)
	case err != nil:
		return errors.Join(err, sendErr)
	case m.Version != protocolVersion:
		return fmt.Errorf("protocol version %d, this process has %d: %w", m.Version, protocolVersion, ErrProtocol)
	}
	files, err := t.wire.take(len(m.Sockets))
	if err != nil {
		return err
	}
	for i, f := range files {
		l, err := fileSocket(f)
		if err != nil {
			closeFiles(files[i+1:])
			return fmt.Errorf("%w: socket %s: %w", ErrProtocol, m.Sockets[i].Address, err)
		}
		keepFile(l, true)
		t.sockets = append(t.sockets, offered{m.Sockets[i], l})
	}
	s.opts.Logger.Info("taking over", "pid", pid, "sockets", len(files))
	return nil
}

// pick takes the socket of an address, by the address it was asked for with, else by the one it has. The second result is
// whether systemd has it too. Set.mu must be held.
func (t *takeover) pick(p place) (socket, bool) {
	if t == nil {
		return nil, false
	}
	for _, fits := range []func(offered) bool{
		func(o offered) bool { return o.Address == p.String() },
		func(o offered) bool { return p.is(o.socket.Addr()) },
	} {
		if i := slices.IndexFunc(t.sockets, fits); i >= 0 {
			o := t.sockets[i]
			t.sockets = slices.Delete(t.sockets, i, i+1)
			return o.socket, o.Systemd
		}
	}
	return nil, false
}

// rest returns the sockets that nobody asked for. Set.mu must be held.
func (t *takeover) rest() []offered {
	if t == nil {
		return nil
	}
	list := t.sockets
	t.sockets = nil
	return list
}

// close ends the takeover. Unless it is done, the old process goes on.
func (t *takeover) close() {
	if t != nil {
		for _, o := range t.rest() {
			o.socket.Close()
		}
		t.wire.close()
	}
}

// fail ends the takeover with an error. The connection closes at once: the old process shall go on, and a bye that comes now must
// not be received by anybody.
func (t *takeover) fail(err error) error {
	t.failed = fmt.Errorf("listen: take over: %w", err)
	t.wire.close()
	return t.failed
}

// dropUnwanted closes the sockets of the old process that nobody asked for. Those that systemd has too are served all the
// same, as they would be in a process that it starts.
func (s *Set) dropUnwanted() {
	s.mu.Lock()
	list := s.old.rest()
	for _, o := range list {
		if o.Systemd {
			s.pool = append(s.pool, &passed{name: o.Name, listener: o.socket})
		}
	}
	s.mu.Unlock()
	for _, o := range list {
		if !o.Systemd {
			s.opts.Logger.Info("the old process has an address that the configuration does not name; it closes", "address", o.Address)
			o.socket.Close()
		}
	}
}

// Ready tells the old process, if there is one, that this one is prepared, and returns when the old one accepts nothing
// more and has released what is exclusive. It does nothing when there is none, and the second time.
//
// On an error, such as [ErrRefused], the old process goes on: close the Set. That the old process ends meanwhile is none; what
// it had to itself may then take a moment to become free.
func (s *Set) Ready(ctx context.Context) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.yield()
	return s.ready(ctx)
}

// ready is Ready for who has the turn.
func (s *Set) ready(ctx context.Context) error {
	t := s.old
	if t == nil || t.isReady {
		return nil
	}
	if t.failed != nil {
		return t.failed
	}
	ctx, cancel := s.untilClose(ctx)
	defer cancel()
	limits := s.opts.Timeouts
	sendErr := t.wire.send(message{Type: typeReady}, limits.Step)
	m, err := t.wire.expect(ctx, typeReleased, limits.Release+2*limits.Step)
	switch {
	case errors.Is(err, io.EOF):
		s.opts.Logger.Warn("the old process ended during the handover, going on without it")
	case err != nil:
		return t.fail(errors.Join(err, sendErr))
	}
	t.isReady, t.state = true, m.State
	return nil
}

// State returns what the application of the old process has told, after Ready; nil if there is none or it has told nothing. It comes
// from a program of the same user, of whatever version.
func (s *Set) State() []byte {
	if err := s.acquire(context.Background()); err != nil {
		return nil
	}
	defer s.yield()
	if s.old == nil {
		return nil
	}
	return s.old.state
}

// Done takes over for good: the old process is told that it can go, accepting begins, and the next process will find this
// one at the control socket. It calls Ready first if that has not been done. Without an old process only the control
// socket is opened, and without Options.Handover nothing is done.
//
// On an error the old process goes on: give back what is exclusive, then close the Set, in this order, as the old one
// takes it back when it sees the end of the connection.
func (s *Set) Done(ctx context.Context) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.yield()
	if s.opts.Handover == "" || s.control != nil {
		return nil
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	ctl, err := newControl(s.opts.Handover)
	if err != nil {
		return err
	}
	if s.old != nil {
		err = s.confirm()
	}
	if err == nil {
		err = ctl.publish()
	}
	if err != nil {
		ctl.close()
		return err
	}
	s.takePlace(ctl)
	return nil
}

// confirm tells the old process that this one has everything. It is not interrupted, as the old one may leave at any moment.
func (s *Set) confirm() error {
	t, limit := s.old, s.opts.Timeouts.Step
	if t.failed != nil {
		return t.failed
	}
	sendErr := t.wire.send(message{Type: typeDone}, limit)
	_, err := t.wire.expect(context.Background(), typeBye, limit)
	switch {
	case errors.Is(err, io.EOF):
		s.opts.Logger.Warn("the old process ended during the handover, going on without it")
	case err != nil:
		return t.fail(errors.Join(err, sendErr))
	}
	return nil
}

// takePlace begins to accept and to answer at the control socket.
func (s *Set) takePlace(ctl *control) {
	s.mu.Lock()
	old := s.old
	s.old, s.control, s.accepting = nil, ctl, true
	for _, e := range s.entries {
		if e.socket != nil {
			keepFile(e.socket, e.systemd)
		}
		select {
		case e.soon <- struct{}{}: // what the old process had may be in the way of another address
		default:
		}
	}
	s.broadcast()
	s.mu.Unlock()
	old.close()
	s.goOn(func() { s.serveControl(ctl) })
}
