package livesmooth

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
)

// TolerantListener returns a listener for encoders that write a blank between the name of a header and its colon, such as
// "Connection : Keep-Alive": Microsoft's push encoder samples do, and net/http answers 400. Its connections leave out
// such blanks in the heads of HTTP/1 requests. Bodies, and all that is not plainly HTTP/1, pass untouched; so does
// everything after a request for another protocol.
//
// RFC 9112, section 5.1, has servers refuse such requests because proxies and servers that disagree on them can be played
// off against each other. So this is for a port to which encoders connect without a proxy in between. How long a
// body is never depends on a repair: a head whose Content-Length or Transfer-Encoding has the blank, or contradicts
// itself, is passed on as it is, and refused or not by net/http.
//
// With TLS it is the outer one: TolerantListener(tls.NewListener(...)). Requests then come without their TLS state and
// HTTP/2 is not offered.
func TolerantListener(l net.Listener) net.Listener { return tolerantListener{l} }

type tolerantListener struct{ net.Listener }

func (l tolerantListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tolerantConn{Conn: conn}, nil
}

// tolerantRead is the size of a read while a head is expected.
const tolerantRead = 4 << 10

// tolerantConn repairs what is read. All else is that of the connection.
type tolerantConn struct {
	net.Conn

	mu     sync.Mutex // guards the fields below, also while reading: readers take turns in any case
	filter tolerantFilter
	err    error // the end of the connection, told when all is read
}

// Read implements [net.Conn].
func (c *tolerantConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if n := c.filter.take(p); n > 0 {
			return n, nil
		}
		if c.err != nil {
			return 0, c.err
		}
		n, err := c.fill(p)
		if err != nil && !isTimeout(err) { // after a timeout the head may go on
			c.err, err = err, nil
			c.filter.stepAside()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// fill reads once: into p if a body is due, and returns how much of it that is; else into the filter.
func (c *tolerantConn) fill(p []byte) (int, error) {
	f := &c.filter
	if f.step != tolerantHead {
		n, err := c.Conn.Read(p)
		body := f.body(p[:n])
		f.hold(p[body:n])
		return body, err
	}
	f.head = slices.Grow(f.head, tolerantRead)
	held := len(f.head)
	n, err := c.Conn.Read(f.head[held : held+tolerantRead])
	f.head = f.head[:held+n]
	return 0, err
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// ReadFrom lets responses be sent as without the wrapper.
func (c *tolerantConn) ReadFrom(r io.Reader) (int64, error) {
	if to, ok := c.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// CloseWrite ends what is sent, so that net/http can tell an encoder why it is refused before it breaks the connection.
func (c *tolerantConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// NetConn returns the connection that is wrapped.
func (c *tolerantConn) NetConn() net.Conn { return c.Conn }
