package smooth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// pipeListener accepts one connection.
type pipeListener struct {
	conns chan net.Conn
}

func (l pipeListener) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// goneWriter is the connection of a client that leaves after the first part of a body.
type goneWriter struct{ *httptest.ResponseRecorder }

func (w goneWriter) Write(p []byte) (int, error) {
	if w.Body.Len() > 1000 {
		return 0, net.ErrClosed
	}
	return w.ResponseRecorder.Write(p)
}

// slowBody takes its time, and must not be read when it has been given back.
type slowBody struct {
	t        *testing.T
	returned atomic.Bool
}

func (b *slowBody) ReadAt(p []byte, _ int64) (int, error) {
	assert.False(b.t, b.returned.Load(), "read after the fragment was closed")
	time.Sleep(time.Second)
	assert.False(b.t, b.returned.Load(), "closed while it was read")
	return len(p), nil
}

// TestHandlerPartsEnd: what puts several ranges together does not go on with a fragment that was given back.
func TestHandlerPartsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFake(t)
		k := videoKey(0)
		in := fakeFragment(t, k, smooth.Video, 100_000)
		body := &slowBody{t: t}
		in.Head, in.Size, in.Body = in.Memory[:in.HeadLen], int64(len(in.Memory)-in.HeadLen), body
		in.Memory, in.Release = nil, func() { body.returned.Store(true) }
		src := &lentSource{fakeSource: fakeSource{name: "a.ism", p: p}}
		src.lend = func() *smooth.Fragment { return smooth.NewFragment(in) }
		r := httptest.NewRequest(http.MethodGet, "/a.ism/QualityLevels(1200000)/Fragments(video=0)", nil)
		r.Header.Set("Range", "bytes=1000-200000,210000-300000")
		smooth.NewHandler(src, quiet(nil)).ServeHTTP(goneWriter{httptest.NewRecorder()}, r)
		assert.True(t, body.returned.Load())
		synctest.Wait()
	})
}

// lentSource is a source whose only presentation lends a fragment of the test's own.
type lentSource struct {
	fakeSource
	lend func() *smooth.Fragment
}

func (s *lentSource) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	p, err := s.fakeSource.Open(ctx, name)
	return lentPresentation{p, s.lend}, err
}

type lentPresentation struct {
	smooth.Presentation
	lend func() *smooth.Fragment
}

func (p lentPresentation) Fragment(context.Context, smooth.FragmentKey) (*smooth.Fragment, error) {
	return p.lend(), nil
}

// TestHandlerSlowClient: a client that stops reading loses what it holds when the time for the fragment is up.
func TestHandlerSlowClient(t *testing.T) {
	for _, tt := range []struct {
		name                string
		send, server, after time.Duration
		held                int
	}{
		{"before the default is up", 0, 0, 4 * time.Minute, 1},
		{"after the default", 0, 0, 6 * time.Minute, 0},
		{"own bound", time.Second, 0, 2 * time.Second, 0},
		{"no bound", -1, 0, 24 * time.Hour, 1},
		{"the server's bound counts", time.Second, time.Hour, time.Minute, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFake(t)
				k := videoKey(0)
				p.fragments[k] = fakeFragment(t, k, smooth.Video, 100_000)
				h := smooth.NewHandler(&fakeSource{name: "a.ism", p: p}, quiet(&smooth.HandlerOptions{SendTimeout: tt.send}))
				s := &http.Server{Handler: h, WriteTimeout: tt.server, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
				l := pipeListener{make(chan net.Conn, 1)}
				client, server := net.Pipe()
				l.conns <- server
				go s.Serve(l)
				_, err := fmt.Fprintf(client, "GET /a.ism/QualityLevels(1200000)/Fragments(video=0) HTTP/1.1\r\nHost: x\r\n\r\n")
				require.NoError(t, err)
				var first [100]byte
				_, err = client.Read(first[:])
				require.NoError(t, err)
				assert.Contains(t, string(first[:]), "200 OK")
				time.Sleep(tt.after)
				synctest.Wait()
				assert.Equal(t, tt.held, p.open)
				client.Close()
				synctest.Wait()
				assert.Zero(t, p.open)
				close(l.conns)
				s.Close()
			})
		})
	}
}
