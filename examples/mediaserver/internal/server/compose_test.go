package server_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/imports"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
	"github.com/smoothkit/smoothkit/smooth/access"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// firstFragment is the first one of the sample in the directory of site.
const firstFragment = "vod/sample.ism/QualityLevels(294000)/Fragments(video=0)"

// site writes a copy of an old server's directory and returns it.
func site(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(root, "vod"), smoothtest.Sample()))
	for name, text := range map[string]string{
		"index.html": "<p>the old page", "web.config": "<configuration/>", "Films/Trailer.wmv": strings.Repeat("film ", 1000),
		"ads/spot.wmv": strings.Repeat("spot ", 1000),
		"evening.isx":  `<smil><body><seq><ref src="ads/spot.wmv"/></seq></body></smil>`,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	return root
}

// parsed is a configuration of text, with DIR in it for a directory.
func parsed(t *testing.T, dir, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse([]byte(strings.ReplaceAll(text, "DIR", dir)), filepath.Join(dir, "mediaserver.yaml"))
	require.NoError(t, err)
	_, err = imports.Apply(cfg)
	require.NoError(t, err)
	return cfg
}

// ask sends a request and returns what came of it.
func ask(s http.Handler, method, url string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	r.RemoteAddr = "127.0.0.1:5555"
	if !strings.Contains(url, "://") {
		r.Host = "localhost"
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func from(address string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = address }
}

// TestOldFolder: a copy of wwwroot is served at its old URLs, each kind of file by its package.
func TestOldFolder(t *testing.T) {
	root := site(t)
	s := newServer(t, parsed(t, root, "root: DIR\nhide: [/ads]\nthrottle: {debug: true}\n"))
	for _, tt := range []struct {
		path        string
		status      int
		contentType string
	}{
		{"/", 200, "text/html"},
		{"/vod/sample.ism/Manifest", 200, "text/xml"},
		{"/VOD/Sample.ISM/manifest", 200, "text/xml"},
		{"/vod/sample.ism/Manifest(format=m3u8-aapl).m3u8", 200, "application/vnd.apple.mpegurl"},
		{"/" + firstFragment, 200, "video/mp4"},
		{"/vod/sample.ism", 404, ""},
		{"/vod/sample.ismc", 404, ""},
		{"/web.config", 404, ""},
		{"/films/trailer.wmv", 200, "video/x-ms-wmv"},
		{"/ads/spot.wmv", 404, ""},
		{"/evening.isx", 200, ""},
		{"/none.wmv", 404, ""},
		{"/healthz", 200, "application/json"},
		{"/readyz", 200, "application/json"},
		{"/metrics", 200, "text/plain"},
		{"/console/", 200, "text/html"},
		{"/_page/app.js", 200, "text/javascript"},
	} {
		w := ask(s, http.MethodGet, tt.path)
		assert.Equal(t, tt.status, w.Code, "%s: %s", tt.path, w.Body)
		assert.True(t, strings.HasPrefix(w.Header().Get("Content-Type"), tt.contentType), "%s: %s", tt.path, w.Header())
	}
	assert.NotEmpty(t, ask(s, http.MethodGet, "/Films/Trailer.wmv").Header().Get("X-Throttle"))
	assert.Equal(t, "<p>the old page", ask(s, http.MethodGet, "/").Body.String())
	assert.Equal(t, "_page/", s.PagePath())
	assert.Contains(t, ask(s, http.MethodGet, "/_page/").Body.String(), `<base href="../">`, "the players are there all the same")
}

// TestFolders: virtual directories are parts of the site, and their presentations have the paths that they had.
func TestFolders(t *testing.T) {
	root, other := site(t), t.TempDir()
	require.NoError(t, os.CopyFS(other, smoothtest.Sample()))
	s := newServer(t, parsed(t, root, "root: DIR\nfolders: {/Media/video: "+other+"}\n"))
	assert.Equal(t, 200, ask(s, http.MethodGet, "/media/video/sample.ism/Manifest").Code)
	w := ask(s, http.MethodGet, "/Media/Video?a=b")
	assert.Equal(t, 301, w.Code)
	assert.Equal(t, "Video/?a=b", w.Header().Get("Location"))
	assert.Equal(t, 200, ask(s, http.MethodGet, "/vod/sample.ism/Manifest").Code)
	list, err := s.Presentations(t.Context())
	require.NoError(t, err)
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
	}
	assert.Equal(t, []string{"Media/video/sample.ism", "vod/sample.ism"}, names)
}

// TestSites: requests go to the site of their host, and to none that has other hosts.
func TestSites(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(a, "a.txt"), []byte("a"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(b, "b.txt"), []byte("b"), 0o644))
	s := newServer(t, parsed(t, a, fmt.Sprintf(
		"sites:\n  - {name: one, hosts: [one.example, '*.one.example'], root: %q}\n  - {name: two, hosts: [two.example], root: %q}\n", a, b)))
	for url, status := range map[string]int{
		"http://one.example/a.txt": 200, "http://ONE.example:8080/a.txt": 200, "http://www.one.example/a.txt": 200, "http://one.example/b.txt": 404,
		"http://two.example/b.txt": 200, "http://three.example/a.txt": 404,
	} {
		assert.Equal(t, status, ask(s, http.MethodGet, url).Code, url)
	}
}

// TestManagementIsLocal: without operators in the configuration nobody but programs of this machine manages, whatever name was asked.
func TestManagementIsLocal(t *testing.T) {
	s := newServer(t, parsed(t, site(t), "root: DIR\nlive: {demo: true}\n"))
	for _, path := range []string{"/console/", "/console", "/metrics", "/live/demo.isml/state", "/services/publishingpoints", "/publishingpoints"} {
		w := ask(s, http.MethodGet, path)
		if w.Code == http.StatusNotFound {
			continue // it is none of management
		}
		for _, far := range []func(*http.Request){
			from("192.0.2.7:99"), func(r *http.Request) { r.Host = "evil.example" },
		} {
			w = ask(s, http.MethodGet, path, far)
			assert.Contains(t, []int{401, 403}, w.Code, path)
		}
	}
	w := ask(s, http.MethodPost, "/console/points/live/demo.isml", from("192.0.2.7:99"))
	assert.Equal(t, http.StatusForbidden, w.Code)
}

// TestAccess: roles have rules of their own, parts of the site too, and tokens ride along in paths and queries.
func TestAccess(t *testing.T) {
	root := site(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	require.NoError(t, err)
	t.Setenv("SMOOTHKIT_TEST_HASH", string(hash))
	key := "0123456789abcdef0123456789abcdef"
	s := newServer(t, parsed(t, root, `
root: DIR
live: {demo: true}
aliases: [`+aliases(t, "/old/* /vod/*\n")+`]
access:
  operators: {basic: {users: {olga: '${SMOOTHKIT_TEST_HASH}'}}}
  encoders: {deny: [192.0.2.0/24]}
  paths:
    /vod: {signed: {keys: [`+key+`]}}
`))
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) {
			r.RemoteAddr, r.Host = "192.0.2.7:99", "www.example.com"
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
		}
	}
	assert.Equal(t, 401, ask(s, http.MethodGet, "/console/").Code, "not even from here")
	assert.Equal(t, 200, ask(s, http.MethodGet, "/console/", basic("olga", "secret")).Code)
	assert.Equal(t, 401, ask(s, http.MethodGet, "/console/", basic("olga", "wrong")).Code)
	assert.Equal(t, 403, ask(s, http.MethodPost, "/live/demo.isml/Streams(a)", from("192.0.2.7:99")).Code)

	signer, err := access.NewSigner([]byte(key))
	require.NoError(t, err)
	token, err := signer.Sign(access.Grant{Path: "/vod/*", Expires: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	for url, status := range map[string]int{
		"/vod/sample.ism/Manifest":                        403,
		"/VOD/sample.ism/Manifest":                        403,
		"/vod//sample.ism/Manifest":                       400,
		"/old/sample.ism/Manifest":                        403, // an alias does not lead around the rules of where it leads
		"/t/" + token + "/vod/sample.ism/Manifest":        200,
		"/vod/sample.ism/Manifest?token=" + token:         200,
		"/t/" + token + "x/vod/sample.ism/Manifest":       403,
		"/t/" + token + "/Films/Trailer.wmv":              200, // who needs no token may have one
		"/t/" + token + "/live/demo.isml/Manifest":        412,
		"/Films/Trailer.wmv":                              200,
		"/t/" + token + "/vod/../vod/sample.ism/Manifest": 400,
	} {
		assert.Equal(t, status, ask(s, http.MethodGet, url).Code, url)
	}
	w := ask(s, http.MethodGet, "/vod/sample.ism/Manifest?token="+token)
	assert.Contains(t, w.Body.String(), "Fragments(video={start time})?token="+token)
	w = ask(s, http.MethodGet, "/vod/sample.ism/Manifest(format=m3u8-aapl).m3u8?token="+token)
	assert.Contains(t, w.Body.String(), ".m3u8?token="+token)
}

func aliases(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "aliases.map")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	return name
}

// TestReload: a new configuration holds from the next request on, one that cannot be used changes nothing, and requests that have begun
// are not disturbed.
func TestReload(t *testing.T) {
	root := site(t)
	s := newServer(t, parsed(t, root, "root: DIR\nlive: {demo: true}\n"))
	require.Equal(t, 200, ask(s, http.MethodGet, "/vod/sample.ism/Manifest").Code)
	enc := event()
	body, feed := io.Pipe()
	status := make(chan int, 1)
	real := httptest.NewServer(s) // an encoder is told to go elsewhere by way of its connection
	defer real.Close()
	go func() {
		resp, err := http.Post(real.URL+"/live/demo.isml/Streams(enc)", "application/octet-stream", body)
		if assert.NoError(t, err) {
			resp.Body.Close()
			status <- resp.StatusCode
		}
	}()
	write := func(parts ...[]byte) {
		for _, p := range parts {
			_, err := feed.Write(p)
			require.NoError(t, err)
		}
	}
	write(enc.Header(), enc.Until(12*time.Second))
	require.Eventually(t, func() bool { return ask(s, http.MethodGet, "/live/demo.isml/Manifest").Code == 200 }, 10*time.Second, time.Millisecond)

	require.NoError(t, s.Reload(parsed(t, root, "root: DIR\nlive: {demo: true}\naliases: ["+aliases(t, "/old/* /vod/*\n")+"]\n")))
	assert.Equal(t, 200, ask(s, http.MethodGet, "/old/sample.ism/Manifest").Code)
	write(enc.Until(18 * time.Second))
	assert.Equal(t, 200, ask(s, http.MethodGet, "/live/demo.isml/Manifest").Code, "the encoder and its window are still there")

	bad := parsed(t, root, "root: DIR\n")
	bad.Sites[0].Aliases = []string{filepath.Join(root, "none")}
	require.Error(t, s.Reload(bad))
	assert.Equal(t, 200, ask(s, http.MethodGet, "/old/sample.ism/Manifest").Code)

	require.NoError(t, s.Reload(parsed(t, root, "root: DIR\nlive: {demo: false}\n")))
	assert.Equal(t, http.StatusServiceUnavailable, <-status, "who pushes to what is no more is told to go elsewhere")
	assert.Equal(t, 404, ask(s, http.MethodGet, "/live/demo.isml/Manifest").Code)
	assert.Equal(t, 404, ask(s, http.MethodGet, "/old/sample.ism/Manifest").Code)
	feed.Close()
}

// TestLimitsByName: limits have the names that they had in Windows Media Services.
func TestLimitsByName(t *testing.T) {
	s := newServer(t, parsed(t, site(t), "root: DIR\nlimits: {playerConnections: 1, publishingPoints: {/Films: {playerConnections: 5, replace: true}}}\n"))
	one := func(r *http.Request) { r.Header.Set("X-Playback-Session-Id", "one") }
	two := func(r *http.Request) { r.Header.Set("X-Playback-Session-Id", "two") }
	assert.Equal(t, 200, ask(s, http.MethodGet, "/vod/sample.ism/Manifest", one).Code)
	assert.Equal(t, 200, ask(s, http.MethodGet, "/"+firstFragment, one).Code)
	w := ask(s, http.MethodGet, "/vod/sample.ism/Manifest", two)
	assert.Equal(t, 503, w.Code)
	assert.NotEmpty(t, w.Header().Get("Retry-After"))
	assert.Equal(t, 200, ask(s, http.MethodGet, "/Films/Trailer.wmv", two).Code)
	assert.Equal(t, 200, ask(s, http.MethodGet, "/console/").Code, "pages do not count")
}

// TestEdge: a part of a site comes from another server, and is asked of it once.
func TestEdge(t *testing.T) {
	origin := newServer(t, parsed(t, site(t), "root: DIR\n"))
	asked := 0
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		origin.ServeHTTP(w, r)
	}))
	defer up.Close()
	s := newServer(t, parsed(t, t.TempDir(), "edge:\n  - {path: /cdn, upstreams: [{url: '"+up.URL+"'}]}\n"))
	for i, want := range []string{"MISS", "HIT"} {
		w := ask(s, http.MethodGet, "/cdn/"+firstFragment)
		assert.Equal(t, 200, w.Code)
		assert.Equal(t, want, w.Header().Get("X-Cache"), i)
	}
	assert.Equal(t, 1, asked)
	assert.Equal(t, 404, ask(s, http.MethodGet, "/cdnx").Code)
}

// TestLogs: what was asked for is in the logs, without what nobody should read there.
func TestLogs(t *testing.T) {
	root, logs := site(t), t.TempDir()
	cfg := parsed(t, root, "root: DIR\nusage: {log: {directory: "+logs+"}}\n")
	s, err := server.New(cfg, &server.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	ask(s, http.MethodGet, "/vod/sample.ism/Manifest?token=verysecret")
	ask(s, http.MethodGet, "/"+firstFragment)
	require.NoError(t, s.Close())
	requests, err := os.ReadFile(filepath.Join(logs, "requests.log"))
	require.NoError(t, err)
	assert.Contains(t, string(requests), "/vod/sample.ism/Manifest")
	assert.NotContains(t, string(requests), "verysecret")
	sessions, err := os.ReadFile(filepath.Join(logs, "sessions.log"))
	require.NoError(t, err)
	assert.Contains(t, string(sessions), "/vod/sample.ism")
	assert.Contains(t, string(sessions), " AACL H264 ", "the codecs of the stream")
}

// TestReleaseReclaim: what is exclusive can be let go of, so that another server has it, and taken back.
func TestReleaseReclaim(t *testing.T) {
	root, dir := site(t), t.TempDir()
	text := "root: DIR\nlive: {demo: true}\narchive: {directory: " + dir + "}\n"
	s := newServer(t, parsed(t, root, text))
	s.Start(t.Context(), []byte(`{"points":["live/demo.isml","none.isml"]}`))
	s.Start(t.Context(), nil)
	s.Start(t.Context(), []byte("{"))
	running := s.Running()
	assert.JSONEq(t, `{"points":["live/demo.isml"]}`, string(running))
	require.NoError(t, s.Release(context.Background()))
	other, err := server.New(parsed(t, root, text), &server.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	assert.Equal(t, 200, ask(s, http.MethodGet, "/vod/sample.ism/Manifest").Code, "requests under way go on")
	require.ErrorContains(t, s.Reclaim(context.Background()), "another server records there")
	require.NoError(t, other.Close())
	require.NoError(t, s.Reclaim(context.Background()))
	s.Start(t.Context(), running)
	assert.Equal(t, running, s.Running())
	push(t, s, "live/demo.isml", event(), 4*time.Second)
}

// TestPrefix: the server can be mounted below any path of another one.
func TestPrefix(t *testing.T) {
	s := newServer(t, parsed(t, site(t), "root: DIR\n"))
	h := http.StripPrefix("/media", s)
	assert.Equal(t, 200, ask(h, http.MethodGet, "/media/vod/sample.ism/Manifest").Code)
	w := ask(h, http.MethodGet, "/media/console/")
	assert.Equal(t, 200, w.Code)
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	assert.NotContains(t, string(body), `href="/`)
	assert.NotContains(t, string(body), `src="/`)
}
