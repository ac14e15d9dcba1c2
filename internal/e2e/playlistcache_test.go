package e2e_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// cacheSite is a server with playlists below /tv/, whose sessions are bound to cookies, an event that goes on below /live/,
// and presentations on demand below /video/, of which the lists have some; all behind a proxy that caches.
type cacheSite struct {
	proxy string
	event *smoothtest.Presentation
}

func startCacheSite(t *testing.T) *cacheSite {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, smoothtest.Sample()))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ad.wmv"), []byte(strings.Repeat("soap", 1000)), 0o644))
	writeFile(t, dir, "list.isx", `<smil><body><seq><ref src="ad.wmv"/><ref src="sample.ism"><param name="canSkipForward" value="False"/></ref></seq></body></smil>`)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	output := hls.NewOutput(&hls.Options{Logger: log})
	outputs := []smooth.Output{output}
	files := smooth.Dir(dir, &smooth.FileOptions{Logger: log})

	cfg := smoothtest.Default()
	cfg.Live, cfg.DVRWindow, cfg.Wall = true, window*2*time.Second, time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)
	s := &cacheSite{event: smoothtest.New(cfg)}
	live := smoothtest.NewSource()
	live.Add("event.isml", s.event)

	mux := http.NewServeMux()
	mux.Handle("/video/", http.StripPrefix("/video", smooth.NewHandler(files, &smooth.HandlerOptions{Logger: log, Outputs: outputs})))
	mux.Handle("/live/", http.StripPrefix("/live", smooth.NewHandler(live, &smooth.HandlerOptions{Logger: log, Outputs: outputs})))
	mux.Handle("/tv/", http.StripPrefix("/tv", playlist.NewHandler(playlist.NewFiles(os.DirFS(dir), log), &playlist.HandlerOptions{
		Logger: log, Presentations: files, Outputs: outputs, Bind: playlist.BindCookie, MaxConnections: -1,
	})))
	srv := httptest.NewServer(mux)
	t.Cleanup(func() {
		srv.Close()
		require.NoError(t, output.Close())
		require.NoError(t, files.Close())
	})
	s.proxy = startProxy(t, srv.URL, srv.URL)
	return s
}

// viewerOf is somebody with a session.
type viewerOf struct {
	list    listing
	cookies []*http.Cookie
}

// open begins a session through the proxy.
func (s *cacheSite) open(t *testing.T) (v viewerOf) {
	t.Helper()
	resp, body := ask(t, "GET", s.proxy+"tv/list.isx?format=json", nil)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	require.NoError(t, json.Unmarshal(body, &v.list))
	v.cookies = resp.Cookies()
	require.Len(t, v.cookies, 1)
	require.Equal(t, "/tv/list.isx", v.cookies[0].Path)
	require.NotEqual(t, "HIT", resp.Header.Get("X-Cache"))
	return v
}

// segments returns the URLs of the first segments that a master playlist leads to, with the cookies of the viewer.
func (v *viewerOf) segments(t *testing.T, master string) (urls []string) {
	t.Helper()
	resp, body := ask(t, "GET", master, v.cookies)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", master, body)
	v.noCookie(t, resp)
	level := resolve(t, master, regexp.MustCompile(`(?m)^QualityLevels\S*`).FindString(string(body)))
	resp, body = ask(t, "GET", level, v.cookies)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	v.noCookie(t, resp)
	for _, u := range regexp.MustCompile(`(?m)^[^#\s]\S*`).FindAllString(string(body), 2) {
		urls = append(urls, resolve(t, level, u))
	}
	require.NotEmpty(t, urls, "%s", body)
	return urls
}

// noCookie checks that an answer with media can be for everybody.
func (v *viewerOf) noCookie(t *testing.T, resp *http.Response) {
	t.Helper()
	require.Empty(t, resp.Header.Values("Set-Cookie"), resp.Request.URL)
	require.NotContains(t, strings.ToLower(resp.Header.Get("Vary")), "cookie")
}

// TestPlaylistCache: what is the same for everybody stays so in a cache before the server while playlists are watched
// beside it, and what is one viewer's is never another's.
func TestPlaylistCache(t *testing.T) {
	t.Parallel()
	need(t, "nginx")
	s := startCacheSite(t)
	viewers := []viewerOf{s.open(t), s.open(t), s.open(t)}
	require.NotEqual(t, viewers[0].list.Stitched, viewers[1].list.Stitched, "each list is that of one viewer")
	s.event.Append(12)
	shared := slices.Concat(
		viewers[0].segments(t, s.proxy+"live/event.isml/"+master("m3u8-aapl")), viewers[0].segments(t, s.proxy+"video/sample.ism/"+master("m3u8-aapl")),
		[]string{s.proxy + "video/sample.ism/Manifest"},
	)
	hits := 0
	for i, v := range viewers {
		own := append(v.segments(t, v.list.Stitched), v.list.Entries[0].URL, v.list.Stitched)
		for _, u := range own {
			s.checkOwn(t, v, viewers[(i+1)%len(viewers)], u)
		}
		s.event.Append(1)
		for _, u := range shared {
			resp, body := ask(t, "GET", u, v.cookies)
			require.Equal(t, http.StatusOK, resp.StatusCode, u)
			v.noCookie(t, resp)
			_, again := ask(t, "GET", u, nil)
			assert.True(t, slices.Equal(body, again), u)
			if resp.Header.Get("X-Cache") == "HIT" {
				hits++
			}
		}
	}
	assert.Equal(t, 2*len(shared), hits, "all but the first viewer were sent what the cache had")
}

// checkOwn asks twice for what is a viewer's own, which does not set cookies and does not come from the cache, and as others.
func (s *cacheSite) checkOwn(t *testing.T, v, other viewerOf, u string) {
	t.Helper()
	for range 2 {
		resp, body := ask(t, "GET", u, v.cookies)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", u, body)
		v.noCookie(t, resp)
		assert.NotEqual(t, "HIT", resp.Header.Get("X-Cache"), u)
	}
	for _, cookies := range [][]*http.Cookie{nil, other.cookies} {
		resp, _ := ask(t, "GET", u, cookies)
		assert.Equal(t, http.StatusForbidden, resp.StatusCode, "%s is not for others: %s", u, resp.Header.Get("X-Cache"))
		v.noCookie(t, resp)
	}
}
