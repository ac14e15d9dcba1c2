package joined_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/joined"
)

// serve starts a server whose connections may join writes.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Listener = joined.Listener{Listener: s.Listener}
	s.Config.ConnContext = joined.Context
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// join writes a body as handlers do that have it in memory.
func join(w http.ResponseWriter, r *http.Request, body []byte) error {
	c := joined.Of(r)
	c.Begin()
	_, err := w.Write(body)
	if e := c.End(); err == nil {
		err = e
	}
	return err
}

func get(t *testing.T, c *http.Client, url string) []byte {
	t.Helper()
	resp, err := c.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return b
}

// TestSizes sends bodies of all sizes around that of the buffers, one after the other on one connection.
func TestSizes(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		size, err := strconv.Atoi(r.URL.Query().Get("size"))
		assert.NoError(t, err)
		assert.NotNil(t, joined.Of(r))
		w.Header().Set("Content-Length", strconv.Itoa(size))
		assert.NoError(t, join(w, r, body[:size]))
	})
	sizes := []int{len(body)}
	for size := 0; size < 9000; size += 7 {
		sizes = append(sizes, size)
	}
	for size := 3800; size < 4200; size++ { // with the header it is just the buffer at one of these
		sizes = append(sizes, size)
	}
	for _, size := range sizes {
		require.Equal(t, body[:size], get(t, s.Client(), fmt.Sprintf("%s?size=%d", s.URL, size)), size)
	}
}

// TestChunked: without a length the body comes in chunks, each of several writes.
func TestChunked(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 10_000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(body); i += 2500 {
			assert.NoError(t, join(w, r, body[i:i+2500]))
			assert.NoError(t, http.NewResponseController(w).Flush())
		}
	})
	assert.Equal(t, body, get(t, s.Client(), s.URL))
}

// TestHeld: what is kept back goes out at the end, and before a file.
func TestHeld(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("f"), 100_000), 0o600))
	next := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c := joined.Of(r)
		c.Begin()
		w.Header().Set("Content-Length", "100000")
		assert.NoError(t, http.NewResponseController(w).Flush())
		if r.URL.Path == "/end" {
			assert.NoError(t, c.End())
			<-next // the client has the header by now, or this waits for ever
		}
		f, err := os.Open(name)
		if !assert.NoError(t, err) {
			return
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		assert.NoError(t, err)
		assert.NoError(t, c.End())
	})
	assert.Len(t, get(t, s.Client(), s.URL+"/file"), 100_000)
	resp, err := s.Client().Get(s.URL + "/end")
	require.NoError(t, err)
	close(next)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Len(t, b, 100_000)
	require.NoError(t, resp.Body.Close())
}

// TestTimeout: a handler that lost its connection to http.TimeoutHandler does not keep back the answer of that for long.
func TestTimeout(t *testing.T) {
	late := make(chan struct{})
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := joined.Of(r)
		c.Begin()
		<-r.Context().Done()
		c.End()
		close(late)
	})
	outer := http.TimeoutHandler(inner, time.Millisecond, "too late")
	s := serve(t, outer.ServeHTTP)
	assert.Equal(t, "too late", string(get(t, s.Client(), s.URL)))
	<-late
}

// TestGone: a client that has left is an error, and nothing is left behind.
func TestGone(t *testing.T) {
	done := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // the client has left
		var err error
		for range 1000 {
			if err = join(w, r, make([]byte, 1<<20)); err != nil {
				break
			}
		}
		done <- err
	})
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	assert.Error(t, <-done)
}

// TestOthers: what is no connection of a listener has none, and that is no reason to fail.
func TestOthers(t *testing.T) {
	var none *joined.Conn
	none.Begin()
	assert.NoError(t, none.End())
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	assert.Nil(t, joined.Of(r))
	assert.Equal(t, r.Context(), joined.Context(r.Context(), &net.UDPConn{}))
	r = r.WithContext(joined.Context(r.Context(), &joined.Conn{}))
	assert.NotNil(t, joined.Of(r))
	r.ProtoMajor = 2
	assert.Nil(t, joined.Of(r))
	a, b := net.Pipe()
	defer b.Close()
	l := joined.Listener{Listener: one{a}}
	c, err := l.Accept()
	require.NoError(t, err)
	assert.Same(t, a, c)
}

// one is a listener with one connection.
type one struct{ net.Conn }

func (l one) Accept() (net.Conn, error) { return l.Conn, nil }
func (l one) Addr() net.Addr            { return l.LocalAddr() }

// TestNetConn is how others find the connection of the kernel.
func TestNetConn(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			fmt.Fprintf(c, "hello\n")
			c.Close()
		}
	}()
	c, err := joined.Listener{Listener: ln}.Accept()
	require.NoError(t, err)
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "hello\n", line)
	j, ok := c.(*joined.Conn)
	require.True(t, ok)
	assert.IsType(t, &net.TCPConn{}, j.NetConn())
}
