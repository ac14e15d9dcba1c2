package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// socket is a listening socket: a *net.TCPListener or *net.UnixListener.
type socket interface {
	net.Listener
	syscall.Conn
	SetDeadline(t time.Time) error
}

// bind opens the socket of a place. The file of a unix socket is removed first if nobody answers there.
func (s *Set) bind(ctx context.Context, p place) (socket, error) {
	l, err := s.opts.listen(ctx, p.network, p.address)
	if p.network == "unix" && errors.Is(err, errInUse) && isStale(ctx, p.address) {
		if err := os.Remove(p.address); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("nobody answers there, but its file stays: %w", err)
		}
		l, err = s.opts.listen(ctx, p.network, p.address)
	}
	if err != nil {
		return nil, err
	}
	return asSocket(l)
}

// asSocket returns l as a socket, or closes it if it is none.
func asSocket(l net.Listener) (socket, error) {
	if sock, ok := l.(socket); ok {
		return sock, nil
	}
	l.Close()
	return nil, fmt.Errorf("socket of type %s has no deadline: %w", l.Addr().Network(), errors.ErrUnsupported)
}

// isStale reports whether there is a socket file at a path that nobody listens at.
func isStale(ctx context.Context, path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return false
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, errRefused)
}

// keepFile says whether closing a unix socket removes its file.
func keepFile(l socket, keep bool) {
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(!keep)
	}
}
