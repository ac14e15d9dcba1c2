package listen_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// pipeListener accepts connections in memory.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// TestConnsDrain: who has been accepted is answered, however late the request comes within five seconds, and who says nothing
// is not waited for any longer.
func TestConnsDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns listen.Conns
		srv := &http.Server{ConnState: conns.ConnState, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(8 * time.Second)
			io.WriteString(w, "answer")
		})}
		l := make(pipeListener)
		go srv.Serve(l)
		late, lateServer := net.Pipe()
		silent, silentServer := net.Pipe()
		defer late.Close()
		l <- lateServer
		l <- silentServer
		close(l)
		begin := time.Now()
		drained := make(chan error, 1)
		go func() { drained <- conns.Drain(t.Context(), srv) }()

		time.Sleep(4 * time.Second)
		_, err := io.WriteString(late, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		r, err := http.ReadResponse(bufio.NewReader(late), nil)
		require.NoError(t, err)
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		assert.Equal(t, "answer", string(b))
		assert.True(t, r.Close)
		late.Close() // the server lingers for who may still read
		require.NoError(t, <-drained)
		assert.Less(t, time.Since(begin), 14*time.Second)
		_, err = silent.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF)
	})
}

// TestConnsDrainEnds: a request that lasts longer than the context is an error.
func TestConnsDrainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns listen.Conns
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		conns.ConnState(a, http.StateNew)
		conns.ConnState(a, http.StateActive)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, conns.Drain(ctx), context.DeadlineExceeded)
		for _, state := range []http.ConnState{http.StateIdle, http.StateHijacked, http.StateClosed} {
			conns.ConnState(a, http.StateActive)
			done := make(chan error, 1)
			go func() { done <- conns.Drain(t.Context()) }()
			synctest.Wait()
			require.Empty(t, done)
			conns.ConnState(a, state)
			require.NoError(t, <-done)
		}
	})
}
