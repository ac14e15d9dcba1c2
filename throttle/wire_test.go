package throttle_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// wire is a response writer that notes when how much was written, like a socket that takes everything at once.
type wire struct {
	header    http.Header
	status    int
	sent      int64
	writes    []write
	flushes   int
	deadlines []time.Time
	fail      int64 // the client is gone after so many bytes

	mu sync.Mutex // held while a write is noted, for tests that look while something is sent
}

type write struct {
	at   time.Time
	n    int64
	file bool // by ReadFrom
}

func newWire() *wire { return &wire{header: make(http.Header)} }

func (w *wire) Header() http.Header { return w.header }

func (w *wire) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *wire) took(n int64, file bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent += n
	w.writes = append(w.writes, write{time.Now(), n, file})
}

func (w *wire) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.fail > 0 && w.sent >= w.fail {
		return 0, net.ErrClosed
	}
	w.took(int64(len(p)), false)
	return len(p), nil
}

func (w *wire) ReadFrom(src io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	if w.fail > 0 && w.sent >= w.fail {
		return 0, net.ErrClosed
	}
	n, err := io.Copy(io.Discard, src)
	w.took(n, true)
	return n, err
}

func (w *wire) FlushError() error { w.flushes++; return nil }

func (w *wire) SetWriteDeadline(t time.Time) error {
	w.deadlines = append(w.deadlines, t)
	return nil
}

// zeros is content of any size that costs no memory.
type zeros struct{ size, at int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.at >= z.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.size-z.at)
	z.at += n
	return int(n), nil
}

func (z *zeros) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += z.at
	case io.SeekEnd:
		off += z.size
	}
	z.at = off
	return off, nil
}

// network is a listener of connections in memory, for servers in scripted time. What a server sends goes on until the
// client's buffers are full, and is counted.
type network struct {
	buffer   int64 // bytes, of each connection
	arrived  atomic.Int64
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newNetwork(buffer int64) *network {
	return &network{buffer: buffer, accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.accepted:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { n.once.Do(func() { close(n.closed) }); return nil }
func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	server, client := net.Pipe()
	c := &bufferedConn{Conn: client, chunks: make(chan []byte, n.buffer/chunkSize)}
	go c.pump(&n.arrived)
	select {
	case n.accepted <- remote{server}:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// remote is a connection with an address of its own.
type remote struct{ net.Conn }

func (remote) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1234} }

const chunkSize = 4096

// bufferedConn is the client's side of a connection.
type bufferedConn struct {
	net.Conn
	chunks chan []byte
	rest   []byte
}

func (c *bufferedConn) pump(arrived *atomic.Int64) {
	defer close(c.chunks)
	for {
		p := make([]byte, chunkSize)
		n, err := c.Conn.Read(p)
		arrived.Add(int64(n))
		if n > 0 {
			c.chunks <- p[:n]
		}
		if err != nil {
			return
		}
	}
}

func (c *bufferedConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		chunk, ok := <-c.chunks
		if !ok {
			return 0, io.EOF
		}
		c.rest = chunk
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Close lets the pump go, which may wait for room in the buffer.
func (c *bufferedConn) Close() error {
	err := c.Conn.Close()
	go func() {
		for range c.chunks {
		}
	}()
	return err
}

// serve runs a server of a handler on a network until the test ends.
func serve(t *testing.T, n *network, h http.Handler) *http.Client {
	t.Helper()
	srv := &http.Server{Handler: h}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(n) })
	transport := &http.Transport{DialContext: n.dial, DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = srv.Close()
		wg.Wait()
	})
	return &http.Client{Transport: transport}
}
