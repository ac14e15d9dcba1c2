package listen

import (
	"net"
	"sync/atomic"
	"time"
)

// lease is the listener that a serve function gets. It ends without closing the socket, so that another lease of this
// or another process can go on with those who queue.
type lease struct {
	set    *Set
	entry  *entry
	socket socket
	spec   Spec

	ended   atomic.Bool
	revoked bool // guarded by Set.mu: ended by the Set, not by the serve function
}

// Accept returns the next connection, which is the one of package net, so that sendfile works.
func (l *lease) Accept() (net.Conn, error) {
	if l.ended.Load() {
		return nil, net.ErrClosed
	}
	conn, err := l.socket.Accept()
	if err != nil && l.ended.Load() {
		return nil, net.ErrClosed // rather than the timeout, which http.Server would take for a passing error
	}
	return conn, err
}

// Addr returns the address of the socket.
func (l *lease) Addr() net.Addr { return l.socket.Addr() }

// Close ends the lease.
func (l *lease) Close() error {
	l.set.mu.Lock()
	defer l.set.mu.Unlock()
	l.end()
	return nil
}

// revoke ends the lease on behalf of the Set. Set.mu must be held.
func (l *lease) revoke() {
	l.revoked = true
	l.end()
}

// end wakes Accept, which the deadline of the socket does without touching what other processes share. A connection that
// has been accepted already is still returned. Set.mu must be held.
func (l *lease) end() {
	l.ended.Store(true)
	if l.entry.lease == l {
		l.socket.SetDeadline(time.Unix(1, 0))
	}
}
