package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// This is the side of the old process.

// handOver speaks with a new process until that has everything, or one of both gives up.
func (s *Set) handOver(w *wire, pid int) {
	defer w.close()
	log := s.opts.Logger.With("pid", pid)
	log.Info("another process wants the sockets")
	err := s.offerSockets(w)
	switch {
	case errors.Is(err, context.Canceled): // the Set closes: the new process goes on alone when it sees the end
		log.Info("closing during a handover")
		return
	case err != nil:
		s.refuse(w, err)
	default:
		err = s.letGo(w, log)
	}
	if err == nil {
		s.leave(w, pid, log)
		return
	}
	log.Warn("handover given up, this process goes on", "err", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handingOff = false
	s.broadcast()
}

// refuse tells the new process why it does not get what it wants. It must hear of it, as it would take the end of the connection
// for that of this process.
func (s *Set) refuse(w *wire, err error) {
	w.send(message{Type: typeError, Text: clip(err.Error())}, s.opts.Timeouts.Step)
}

// offerSockets greets the new process, sends it the sockets and waits until it is ready.
func (s *Set) offerSockets(w *wire) error {
	ctx, cancel := s.untilClose(context.Background())
	defer cancel()
	hello, err := w.expect(ctx, typeHello, s.opts.Timeouts.Step)
	if err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	if hello.Version != protocolVersion {
		return fmt.Errorf("protocol version %d, this process has %d: %w", hello.Version, protocolVersion, ErrProtocol)
	}
	m, sockets := s.offer()
	if err := w.sendSockets(m, sockets, s.opts.Timeouts.Step); err != nil {
		return fmt.Errorf("sockets: %w", err)
	}
	if _, err := w.expect(ctx, typeReady, s.opts.Timeouts.Prepare); err != nil {
		return fmt.Errorf("ready: %w", err)
	}
	return nil
}

// letGo stops accepting, releases what is exclusive, and waits for the new process to have it. On an error everything is as it
// was before.
func (s *Set) letGo(w *wire, log *slog.Logger) error {
	if err := s.suspend(); err != nil {
		s.refuse(w, err)
		s.resume()
		return err
	}
	err := s.call(s.opts.Release, s.opts.Timeouts.Release)
	if err == nil {
		err = s.passOn(w)
	}
	if err == nil {
		return nil
	}
	s.refuse(w, err)
	s.awaitEnd(w) // it may have the archive open until then
	if s.isClosed() {
		return err
	}
	if err := s.call(s.opts.Reclaim, s.opts.Timeouts.Release); err != nil {
		log.Error("not everything could be reclaimed after a handover", "err", err)
	}
	s.resume()
	return err
}

// passOn says that everything is released, and bye when the new process has it. A bye that cannot be sent means that the new
// one has gone or has given up.
func (s *Set) passOn(w *wire) error {
	released := message{Type: typeReleased}
	if s.opts.State != nil {
		released.State = s.opts.State()
	}
	if len(released.State) > maxState {
		s.opts.Logger.Warn("the new process is told nothing, as it would be too much", "bytes", len(released.State))
		released.State = nil
	}
	if err := w.send(released, s.opts.Timeouts.Step); err != nil {
		return fmt.Errorf("released: %w", err)
	}
	// A Set that closes now leaves the sockets to the new process rather than to nobody.
	if _, err := w.expect(context.Background(), typeDone, s.opts.Timeouts.Resume); err != nil {
		return fmt.Errorf("done: %w", err)
	}
	if err := w.send(message{Type: typeBye}, s.opts.Timeouts.Step); err != nil {
		return fmt.Errorf("bye: %w", err)
	}
	return nil
}

// leave is what remains to be done when the new process has everything.
func (s *Set) leave(w *wire, pid int, log *slog.Logger) {
	s.mu.Lock()
	s.takenOver, s.closed = true, true
	entries, pool, ctl := s.entries, s.pool, s.control
	s.pool = nil
	s.broadcast()
	s.mu.Unlock()
	for _, e := range entries {
		s.remove(e)
	}
	for _, p := range pool {
		p.listener.Close()
	}
	log.Info("another process has taken over")
	if pid > 0 {
		if err := Notify(NotifyMainPID(pid)); err != nil {
			log.Warn("service manager", "err", err)
		}
	}
	s.awaitEnd(w) // it takes the path of the control socket, which must answer until then
	ctl.abandon()
	ctx, cancel := s.untilClose(context.Background())
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, s.opts.Timeouts.Drain)
	defer cancel()
	if err := s.opts.Drain(ctx); err != nil {
		log.Warn("viewers were left when the time to drain was over", "err", err)
	}
	s.end()
}

// offer returns the sockets there are.
func (s *Set) offer() (message, []socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := message{Type: typeSockets, Version: protocolVersion, PID: os.Getpid()}
	var sockets []socket
	for _, e := range s.entries {
		if e.socket != nil && !e.removed && len(sockets) < maxSockets {
			sockets = append(sockets, e.socket)
			m.Sockets = append(m.Sockets, offer{Address: e.place.String(), Name: e.status.Name, Systemd: e.systemd})
		}
	}
	return m, sockets
}

// suspend stops accepting and waits for the serve functions to return.
func (s *Set) suspend() error {
	s.mu.Lock()
	s.accepting = false
	for _, e := range s.entries {
		if e.lease != nil {
			e.lease.revoke()
		}
		if e.socket != nil {
			keepFile(e.socket, true)
		}
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.Timeouts.Step)
	defer cancel()
	var still string
	err := s.waitFor(ctx, func() bool {
		for _, e := range s.entries {
			if e.lease != nil {
				still = e.status.Address
				return false
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("address %s is still being served after %v", still, s.opts.Timeouts.Step)
	}
	return nil
}

// resume accepts again.
func (s *Set) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepting = true
	for _, e := range s.entries {
		if e.socket != nil {
			keepFile(e.socket, e.systemd)
		}
	}
	s.broadcast()
}

// call calls a function of the application, which gets a context that ends after d.
func (s *Set) call(f func(context.Context) error, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return f(ctx)
}

// awaitEnd waits until the other process closes the connection, but no longer than a step.
func (s *Set) awaitEnd(w *wire) {
	w.conn.SetReadDeadline(time.Now().Add(s.opts.Timeouts.Step))
	io.Copy(io.Discard, w.conn)
}

// untilClose returns a context that also ends when Close is called.
func (s *Set) untilClose(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		cancel()
	default:
		s.wg.Go(func() {
			select {
			case <-s.closing:
				cancel()
			case <-ctx.Done():
			}
		})
	}
	return ctx, cancel
}

func (s *Set) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
