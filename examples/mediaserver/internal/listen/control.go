package listen

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
)

// control is the control socket of a process that can be taken over.
type control struct {
	listener *net.UnixListener
	path     string
	temp     string      // where it is bound before publish
	info     fs.FileInfo // identifies its file
}

// checkPath returns an error if a file is in the way of a control socket.
func checkPath(path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("listen: control socket %s: there is a file that is no socket", path)
	}
	return nil
}

// newControl binds a control socket beside its path, where nobody finds it yet.
func newControl(path string) (*control, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	temp := path + "." + rand.Text()[:8]
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen: control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	c := &control{listener: l, path: path, temp: temp}
	if err = os.Chmod(temp, 0o600); err == nil {
		c.info, err = os.Lstat(temp)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("listen: control socket: %w", err)
	}
	return c, nil
}

// publish moves the socket to its path, in place of what the old process had or a dead one left there.
func (c *control) publish() error {
	if err := os.Rename(c.temp, c.path); err != nil {
		return fmt.Errorf("listen: control socket: %w", err)
	}
	c.temp = ""
	return nil
}

// isOurs reports whether the file at the path is that of this socket.
func (c *control) isOurs() bool {
	info, err := os.Lstat(c.path)
	return err == nil && os.SameFile(info, c.info)
}

// close removes the socket, unless another one has taken its path.
func (c *control) close() {
	if c == nil {
		return
	}
	if c.temp != "" {
		os.Remove(c.temp)
	} else if c.isOurs() {
		os.Remove(c.path)
	}
	c.listener.Close()
}

// abandon closes the socket and leaves the path to the process that has taken it.
func (c *control) abandon() { c.listener.Close() }

// checkPeer returns an error unless the other end belongs to this user or to root. The second result is its process, 0 if
// unknown.
func checkPeer(conn *net.UnixConn) (int, error) {
	uid, pid, err := peerOf(conn)
	if err != nil {
		return 0, err
	}
	if uid != os.Geteuid() && uid != 0 {
		return pid, fmt.Errorf("user %d, not %d: %w", uid, os.Geteuid(), ErrPeer)
	}
	return pid, nil
}

// serveControl answers at the control socket until it is closed. One process at a time may take over; others are told so.
func (s *Set) serveControl(c *control) {
	for {
		conn, err := c.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files
			s.opts.Logger.Error("control socket", "err", err)
			ctx, cancel := s.untilClose(context.Background())
			sleepUnless(ctx, s.opts.RetryInterval, nil)
			cancel()
			continue
		}
		s.answer(&wire{conn: conn})
	}
}

// answer begins a handover, or sends the other end away.
func (s *Set) answer(w *wire) {
	pid, err := checkPeer(w.conn)
	if err != nil {
		s.opts.Logger.Warn("control socket refused", "pid", pid, "err", err)
		w.close()
		return
	}
	s.mu.Lock()
	begin := !s.handingOff && !s.closed
	if begin {
		s.handingOff = true
		s.wg.Go(func() { s.handOver(w, pid) })
	}
	s.mu.Unlock()
	if !begin {
		w.send(message{Type: typeBusy, Text: "another process is taking over"}, s.opts.Timeouts.Step)
		w.close()
	}
}
