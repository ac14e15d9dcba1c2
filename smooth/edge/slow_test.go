package edge_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// oneConn is a listener that has one connection.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l oneConn) Close() error   { return nil }
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowClient: a client that stops reading gives back what it holds when the time for a body is up, whether that is stored or just
// arrives.
func TestSlowClient(t *testing.T) {
	for _, tt := range []struct {
		name                string
		size                int
		send, server, after time.Duration
		held                bool
	}{
		{"before the default is up", 100_000, 0, 0, 4 * time.Minute, true},
		{"after the default", 100_000, 0, 0, 6 * time.Minute, false},
		{"own bound", 100_000, time.Second, 0, 2 * time.Second, false},
		{"no bound", 100_000, -1, 0, 24 * time.Hour, true},
		{"the server's bound counts", 100_000, time.Second, time.Hour, time.Minute, true},
		{"small", 60_000, time.Second, 0, time.Minute, true},
	} {
		for _, stored := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, stored %v", tt.name, stored), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					body := bytes.Repeat([]byte("x"), tt.size)
					origin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Cache-Control", "max-age=1000000")
						w.Header().Set("Content-Length", fmt.Sprint(len(body)))
						w.Write(body)
					})
					served := make(chan struct{})
					cache, err := edge.New(&edge.Options{
						Upstreams: []edge.Upstream{{URL: "http://origin"}}, Transport: direct{origin}, SendTimeout: tt.send,
						Logger: slog.New(slog.DiscardHandler), Observe: func(edge.Observation) { served <- struct{}{} },
					})
					require.NoError(t, err)
					defer cache.Close()
					if stored {
						go cache.ServeHTTP(discard{http.Header{}}, httptest.NewRequest("GET", "/a", nil))
						<-served
						synctest.Wait()
					}
					s := &http.Server{Handler: cache, WriteTimeout: tt.server, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
					l := make(oneConn, 1)
					client, server := net.Pipe()
					l <- server
					go s.Serve(l)
					_, err = fmt.Fprintf(client, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
					require.NoError(t, err)
					var first [100]byte
					_, err = client.Read(first[:])
					require.NoError(t, err)
					assert.Contains(t, string(first[:]), "200 OK")
					time.Sleep(tt.after)
					synctest.Wait()
					held := true
					select {
					case <-served:
						held = false
					default:
					}
					assert.Equal(t, tt.held, held)
					client.Close()
					if held {
						<-served
					}
					close(l)
					s.Close()
				})
			})
		}
	}
}

// discard is a writer that forgets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) WriteHeader(int)             {}
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
