package edge_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// TestLate: a request that looked before an object went to disk, past memory, and wants a flight afterwards gets none, or the
// upstream would be asked once more than needed.
func TestLate(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 100_000)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_, err := w.Write(body)
		assert.NoError(t, err)
	}))
	defer origin.Close()
	cache, err := edge.New(&edge.Options{
		Upstreams: []edge.Upstream{{URL: origin.URL}}, Dir: t.TempDir(), MaxMemoryObject: 1000, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	defer cache.Close()
	ask := func(path string) {
		w := httptest.NewRecorder()
		cache.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		assert.Len(t, w.Body.Bytes(), len(body))
	}
	late := func(path string, between func()) string {
		return cache.JoinLate(httptest.NewRequest(http.MethodGet, path, nil), between)
	}
	got := late("/waiting", func() { ask("/waiting") })
	assert.Contains(t, []string{"object", "again"}, got, "whether it is written by now")
	got = late("/written", func() {
		ask("/written")
		cache.WaitWritten()
		cache.ForgetMemory()
	})
	assert.Equal(t, "again", got)
	ask("/written")
	assert.EqualValues(t, 2, cache.Stats().Fetches)
	assert.Equal(t, "flight", late("/none", func() {}))
}
