package manage_test

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
)

// newServer returns a real server with a root, and a handler for it.
func newServer(t *testing.T) (root string, s *livesmooth.Server, h *manage.Handler) {
	t.Helper()
	root = t.TempDir()
	quiet := slog.New(slog.DiscardHandler)
	s, err := livesmooth.NewServer(&livesmooth.Options{Root: root, Logger: quiet})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	h, err = manage.NewHandler(s, &manage.Options{Authorize: allow, Logger: quiet, Next: s})
	require.NoError(t, err)
	return root, s, h
}

// TestLifeOfAPoint manages a real publishing point from its creation to its end, as an encoder with management does.
func TestLifeOfAPoint(t *testing.T) {
	root, s, h := newServer(t)
	put := func(path, body string) *httptest.ResponseRecorder {
		return serve(h, request("PUT", path, body, "Content-Type", atom))
	}
	const module = `<Modules><Module id="acme" type="sink"><Acme/></Module></Modules>`
	w := serve(h, request("POST", list+"/settings", settingsDocument("<Title>Regatta</Title>"+module), "Content-Type", atom,
		"Slug", "/live/new/regatta.isml"))
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	file := filepath.Join(root, "live", "new", "regatta.isml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(text), "Regatta")
	w = serve(h, request("POST", list+"/settings", settingsDocument(""), "Content-Type", atom, "Slug", "/LIVE/new/Regatta.isml"))
	assert.Contains(t, w.Body.String(), "0x8088002B")
	w = serve(h, request("POST", list+"/settings", settingsDocument(""), "Content-Type", atom, "Slug", "/../up.isml"))
	assert.Contains(t, w.Body.String(), "0x8088002D")
	assert.Contains(t, serve(h, request("GET", list, "")).Body.String(), "<id>http://example.com/live/new/regatta.isml/settings</id>")

	const path = "/live/new/Regatta.isml"
	assert.Contains(t, serve(h, request("GET", path+"/statistics", "")).Body.String(), "0x8088002F")
	assert.Contains(t, put(path+"/state", stateDocument("Stopped")).Body.String(), "0x80880028")
	require.Equal(t, http.StatusOK, put(path+"/state", stateDocument("Started")).Code)
	assert.Contains(t, serve(h, request("GET", path+"/state", "")).Body.String(), "<Value>Starting</Value>")
	assert.Equal(t, http.StatusOK, serve(h, request("GET", path+"/statistics", "")).Code)
	assert.Contains(t, put(path+"/settings", settingsDocument("")).Body.String(), "0x80880029")
	require.Equal(t, http.StatusOK, put(path+"/state", stateDocument("Stopped")).Code)
	assert.Contains(t, serve(h, request("GET", path+"/state", "")).Body.String(), "<Value>Stopped</Value>")
	require.Equal(t, http.StatusOK, put(path+"/state", stateDocument("Idle")).Code)

	before := serve(h, request("GET", path+"/settings", "")).Body.String()
	assert.Contains(t, before, `<Module id="acme" type="sink">`)
	w = put(path+"/settings", strings.ReplaceAll(before, "Regatta", "Sailing"))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	p, err := s.Point("live/new/regatta.isml")
	require.NoError(t, err)
	assert.Equal(t, "Sailing", p.Settings().Title)
	after := serve(h, request("GET", path+"/settings", "")).Body.String()
	updated := func(s string) string { return s[strings.Index(s, "<updated>"):strings.Index(s, "</updated>")] }
	assert.Equal(t, strings.ReplaceAll(before, "Regatta", "Sailing"), strings.Replace(after, updated(after), updated(before), 1))

	require.Equal(t, http.StatusOK, put(path+"/state", stateDocument("Started")).Code)
	require.Equal(t, http.StatusOK, serve(h, request("DELETE", path+"/settings", "")).Code)
	_, err = os.Stat(file)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, http.StatusNotFound, serve(h, request("GET", path+"/settings", "")).Code)
}

// TestSettingsOnDisk: everything that documents say survives a restart of the server.
func TestSettingsOnDisk(t *testing.T) {
	root, s, h := newServer(t)
	body, err := manage.WriteJSONSettings(full())
	require.NoError(t, err)
	w := serve(h, request("POST", list+"/settings", string(body), "Content-Type", "application/json", "Slug", "/a.isml"))
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	assert.JSONEq(t, string(body), w.Body.String())
	require.NoError(t, s.Close())
	w = serve(h, request("POST", list+"/settings", "{}", "Content-Type", "application/json", "Slug", "/b.isml"))
	assert.GreaterOrEqual(t, w.Code, http.StatusInternalServerError)

	again, err := livesmooth.NewServer(&livesmooth.Options{Root: root, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer again.Close()
	h, err = manage.NewHandler(again, &manage.Options{Authorize: allow})
	require.NoError(t, err)
	assert.JSONEq(t, string(body), serve(h, request("GET", "/a.isml/settings", "", "Accept", "application/json")).Body.String())
}

// TestLiveEvents: what operators had to refresh for comes by itself, until the publishing point is removed.
func TestLiveEvents(t *testing.T) {
	_, _, h := newServer(t)
	srv := httptest.NewServer(h)
	defer srv.Close()
	defer h.Close()
	w := serve(h, request("POST", list+"/settings", "{}", "Content-Type", "application/json", "Slug", "/a.isml"))
	require.Equal(t, http.StatusCreated, w.Code)
	resp, err := srv.Client().Get(srv.URL + "/a.isml/events")
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var e struct{ State string }
				require.NoError(t, json.Unmarshal([]byte(data), &e))
				return e.State
			}
		}
		return ""
	}
	assert.Equal(t, "Idle", next())
	for _, c := range []struct{ state, want string }{{"Started", "Starting"}, {"Stopped", "Stopping"}, {"", "Stopped"}, {"Idle", "ShuttingDown"}, {"", "Idle"}} {
		if c.state != "" {
			w := serve(h, request("PUT", "/a.isml/state", `{"state":"`+c.state+`"}`, "Content-Type", "application/json"))
			require.Equal(t, http.StatusOK, w.Code, w.Body)
		}
		assert.Equal(t, c.want, next())
	}
	require.Equal(t, http.StatusOK, serve(h, request("DELETE", "/a.isml/settings", "")).Code)
	assert.Empty(t, next())
}

// TestNextIsLive: everything else goes to encoders and viewers.
func TestNextIsLive(t *testing.T) {
	_, _, h := newServer(t)
	assert.Equal(t, http.StatusNotFound, serve(h, request("GET", "/none.isml/Manifest", "")).Code)
	assert.Equal(t, http.StatusNotFound, serve(h, request("POST", "/none.isml/Streams(1)", "")).Code)
}
