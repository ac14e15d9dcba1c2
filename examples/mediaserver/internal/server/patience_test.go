package server

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connections is a listener of those that it is given.
type connections chan net.Conn

func (l connections) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l connections) Close() error   { return nil }
func (l connections) Addr() net.Addr { return &net.TCPAddr{} }

// TestPatience: a client that stops reading a file is cut off after five minutes, one that reads slowly is not, and the next request of a
// connection has no deadline.
func TestPatience(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 3<<20)
	files := withPatience(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "film.bin", time.Time{}, bytes.NewReader(body))
	}))
	for _, slow := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var done atomic.Int64
			s := &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer done.Add(1)
				if r.URL.Path == "/later" {
					time.Sleep(time.Hour)
					io.WriteString(w, "late")
					return
				}
				files.ServeHTTP(w, r)
			})}
			l := make(connections, 1)
			client, server := net.Pipe()
			l <- server
			go s.Serve(l)
			_, err := fmt.Fprint(client, "GET /film HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, err)
			buf := make([]byte, 128<<10)
			if slow {
				for n := 0; n < len(body)+100; {
					m, err := client.Read(buf)
					require.NoError(t, err, "after %d bytes", n)
					if n += m; n < len(body)/2 {
						time.Sleep(time.Second)
					}
					synctest.Wait()
					if done.Load() == 1 {
						break
					}
				}
				_, err = fmt.Fprint(client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
				require.NoError(t, err)
				m, err := client.Read(buf)
				require.NoError(t, err)
				assert.Contains(t, string(buf[:m]), "200 OK")
			} else {
				_, err = client.Read(buf)
				require.NoError(t, err)
				time.Sleep(patience - time.Second)
				synctest.Wait()
				assert.Zero(t, done.Load())
				time.Sleep(2 * time.Second)
				synctest.Wait()
				assert.EqualValues(t, 1, done.Load())
			}
			client.Close()
			close(l)
			s.Close()
			synctest.Wait()
		})
	}
}
