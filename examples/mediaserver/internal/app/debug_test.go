package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestProfilesAreLocal: a page that was loaded under a name which leads here reads no profiles.
func TestProfilesAreLocal(t *testing.T) {
	h := profiles(slog.New(slog.DiscardHandler))
	for host, status := range map[string]int{"127.0.0.1:6060": 200, "localhost:6060": 200, "evil.example:6060": 403} {
		r := httptest.NewRequest(http.MethodGet, "/debug/pprof/cmdline", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:5", host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, status, w.Code, host)
	}
}
