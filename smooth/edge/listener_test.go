package edge_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// TestListener: on connections that join header and body, hits of all sizes and ranges of them are what they are elsewhere.
func TestListener(t *testing.T) {
	bodies := map[string][]byte{"/none": nil, "/small": []byte("small"), "/fragment": bytes.Repeat([]byte("0123456789"), 3300)}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Length", strconv.Itoa(len(bodies[r.URL.Path])))
		_, err := w.Write(bodies[r.URL.Path])
		assert.NoError(t, err)
	}))
	defer origin.Close()
	cache, err := edge.New(&edge.Options{Upstreams: []edge.Upstream{{URL: origin.URL}}})
	require.NoError(t, err)
	defer cache.Close()
	var below net.Conn
	s := httptest.NewUnstartedServer(http.HandlerFunc(cache.ServeHTTP))
	s.Listener = edge.NewListener(s.Listener)
	s.Config.ConnContext = edge.ConnContext
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if n, ok := c.(interface{ NetConn() net.Conn }); ok && state == http.StateNew {
			below = n.NetConn()
		}
	}
	s.Start()
	defer s.Close()
	for range 2 {
		for path, whole := range bodies {
			for value, want := range map[string][]byte{"": whole, "bytes=0-2": whole[:min(3, len(whole))]} {
				r, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
				require.NoError(t, err)
				if value != "" && len(want) > 0 {
					r.Header.Set("Range", value)
				}
				resp, err := s.Client().Do(r)
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				assert.True(t, bytes.Equal(want, got), "%s %s: %d bytes, want %d", path, value, len(got), len(want))
				assert.NoError(t, resp.Body.Close())
			}
		}
	}
	assert.IsType(t, &net.TCPConn{}, below)
	assert.EqualValues(t, 3, cache.Stats().Fetches)
}
