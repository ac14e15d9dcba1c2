// Package joined sends the header of a response and its body by one system call.
//
// net/http has a buffer of 4 kB in front of a connection. A body in memory that is larger is sent in two writes, the first of them
// the header and what of the body has room beside it. For a body of 33 kB the second one, with all that the kernel does
// for a segment and its reader, is a fifth of what the whole request costs. A connection of a [Listener] keeps the first write
// back, if its handler says that a second one follows, and sends both together.
package joined

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// maxHeld is the largest write that is kept back: the buffer of net/http.
const maxHeld = 4 << 10

// Listener accepts connections whose handlers may join writes. Those that are not TCP are left as they are.
type Listener struct{ net.Listener }

// Accept implements net.Listener.
func (l Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		return &Conn{TCPConn: tcp}, nil
	}
	return c, err
}

// Conn is a connection of a Listener. Its methods are safe for concurrent use, and Begin and End may be called on a nil Conn.
type Conn struct {
	*net.TCPConn

	mu      sync.Mutex // guards the rest, and is held during writes
	joining bool
	held    []byte // nil if nothing is kept back
	room    *[maxHeld]byte
	both    [2][]byte
	buffers net.Buffers // both, as it is written
}

// rooms are buffers for what is kept back: idle connections have none.
var rooms = sync.Pool{New: func() any { return new([maxHeld]byte) }}

// Begin says that a small write may be kept back until the next one, or until End.
func (c *Conn) Begin() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.joining = true
	c.mu.Unlock()
}

// End sends what is still kept back.
func (c *Conn) End() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joining = false
	return c.flush()
}

// flush sends what is kept back. mu must be held.
func (c *Conn) flush() error {
	if c.held == nil {
		return nil
	}
	_, err := c.TCPConn.Write(c.held)
	c.letGo()
	return err
}

// letGo forgets what is kept back. mu must be held.
func (c *Conn) letGo() {
	c.held = nil
	rooms.Put(c.room)
	c.room = nil
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.held != nil:
		return c.writeBoth(p)
	case c.joining && len(p) <= maxHeld:
		c.room = rooms.Get().(*[maxHeld]byte)
		c.held = c.room[:copy(c.room[:], p)]
		return len(p), nil
	}
	return c.TCPConn.Write(p)
}

// writeBoth sends what is kept back and p. mu must be held.
func (c *Conn) writeBoth(p []byte) (int, error) {
	c.both = [2][]byte{c.held, p}
	c.buffers = c.both[:]
	sent, err := c.buffers.WriteTo(c.TCPConn)
	sent -= int64(len(c.held))
	c.both = [2][]byte{}
	c.letGo()
	return int(max(sent, 0)), err
}

// ReadFrom implements io.ReaderFrom, by which net/http has the kernel send files.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	c.mu.Lock()
	err := c.flush()
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return c.TCPConn.ReadFrom(r)
}

// NetConn returns the connection below, as [crypto/tls.Conn] does.
func (c *Conn) NetConn() net.Conn { return c.TCPConn }

type connKey struct{}

// Context is for http.Server.ConnContext: handlers find the connection by Of.
func Context(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*Conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Of returns the connection of a request, or nil: in HTTP/2 the writes of a connection are those of several requests.
func Of(r *http.Request) *Conn {
	if r.ProtoMajor != 1 {
		return nil
	}
	c, _ := r.Context().Value(connKey{}).(*Conn)
	return c
}
