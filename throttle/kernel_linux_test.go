package throttle_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/smoothkit/smoothkit/throttle"
)

// socketOptions returns what the kernel has been told about a connection.
func socketOptions(t *testing.T, c net.Conn) (pacing uint64, buffer int) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		pacing, err = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE)
		if err == nil {
			buffer, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
		}
	}))
	if err != nil {
		t.Skipf("the kernel does not say how it paces: %v", err)
	}
	return pacing, buffer
}

// The kernel is told the rate when a response first waits, with a tenth to spare, and no rate after it.
func TestKernelPacing(t *testing.T) {
	const rate = 100 * throttle.MbitPerSecond
	var conn net.Conn
	var during uint64
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write(make([]byte, 400_000)) // which takes 32 ms
		assert.NoError(t, err)
		during, _ = socketOptions(t, conn)
	})
	h := throttle.New(inner, dataRules(rate), &throttle.HandlerOptions{KernelPacing: true, Interval: 10 * time.Millisecond})
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		conn = c
		return throttle.ConnContext(ctx, c)
	}
	srv.Start()
	defer srv.Close()
	get := func(path string) {
		resp, err := srv.Client().Get(srv.URL + path)
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, int64(400_000), n)
	}
	get("/x.dat")
	assert.Equal(t, uint64(rate*110/100/8), during)
	get("/x") // on the same connection; it is not paced
	assert.True(t, during == ^uint64(0) || during == 1<<32-1, "%d", during)
}

// By TLS and HTTP/2 the handler paces alone.
func TestNoKernelPacing(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		srv := httptest.NewUnstartedServer(throttle.New(content(100_000), dataRules(throttle.GbitPerSecond), &throttle.HandlerOptions{KernelPacing: true}))
		srv.Config.ConnContext = throttle.ConnContext
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		resp, err := srv.Client().Get(srv.URL + "/x.dat")
		require.NoError(t, err, name)
		n, err := io.Copy(io.Discard, resp.Body)
		assert.NoError(t, err, name)
		assert.Equal(t, int64(100_000), n, name)
		resp.Body.Close()
		srv.Close()
	}
}
