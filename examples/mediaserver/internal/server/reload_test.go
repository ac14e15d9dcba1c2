package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
)

// reload is Reload of a configuration of text.
func reload(t *testing.T, s *server.Server, dir, text string) {
	t.Helper()
	require.NoError(t, s.Reload(parsed(t, dir, text)))
}

// TestReloadBack: points that were configured, then not, and then are again, are new ones, also while requests still use the old ones.
func TestReloadBack(t *testing.T) {
	root := site(t)
	with, without := "root: DIR\nlive: {demo: true}\n", "root: DIR\n"
	s := newServer(t, parsed(t, root, with))
	held, release := holdRequest(t, s)
	reload(t, s, root, without)
	assert.Equal(t, 404, ask(s, http.MethodGet, "/live/demo.isml/Manifest").Code)
	reload(t, s, root, with)
	push(t, s, "live/demo.isml", event(), 12*time.Second)
	assert.Equal(t, 200, ask(s, http.MethodGet, "/live/demo.isml/Manifest").Code)
	release()
	<-held
}

// holdRequest begins a request that stays in the generation of now until it is let go.
func holdRequest(t *testing.T, s *server.Server) (done <-chan struct{}, release func()) {
	t.Helper()
	w := &slowWriter{ResponseRecorder: httptest.NewRecorder(), began: make(chan struct{}), goOn: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.ServeHTTP(w, localRequest(http.MethodGet, "/vod/sample.ism/Manifest"))
	}()
	<-w.began
	release = sync.OnceFunc(func() { close(w.goOn) })
	t.Cleanup(release)
	return ended, release
}

func localRequest(method, path string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:5555", "localhost"
	return r
}

// slowWriter is a client that takes nothing until it is told to.
// manyReloads is how many TestManyReloads does.
const manyReloads = 300

type slowWriter struct {
	*httptest.ResponseRecorder
	once        sync.Once
	began, goOn chan struct{}
}

func (w *slowWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.began) })
	<-w.goOn
	return w.ResponseRecorder.Write(p)
}

// TestReloadAllOrNothing: a configuration that cannot be used does not even change what the parts of the server have in common.
func TestReloadAllOrNothing(t *testing.T) {
	root := site(t)
	origin := func(name string) *httptest.Server {
		o := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			io.WriteString(w, name)
		}))
		t.Cleanup(o.Close)
		return o
	}
	one, two := origin("one"), origin("two")
	logs := t.TempDir()
	fast, slow := filepath.Join(root, "fast.config"), filepath.Join(root, "slow.config")
	require.NoError(t, os.WriteFile(fast, []byte(`<bitrateThrottling enabled="false"/>`), 0o644))
	require.NoError(t, os.WriteFile(slow, []byte(`<bitrateThrottling enabled="true"/>`), 0o644))
	text := func(up *httptest.Server, throttling, log, more string) string {
		return fmt.Sprintf("root: DIR\nthrottle: {file: %q, debug: true}\nedge: [{path: /cdn, upstreams: [{url: %q}]}]\nusage: {log: {directory: %q}%s}\n",
			throttling, up.URL, log, more)
	}
	s := newServer(t, parsed(t, root, text(one, fast, logs, "")))
	was := func(when string) {
		assert.Equal(t, "one", ask(s, http.MethodGet, "/cdn/x").Body.String(), when)
		assert.Empty(t, ask(s, http.MethodGet, "/Films/Trailer.wmv").Header().Get("X-Throttle"), when)
	}
	was("before")
	other := filepath.Join(t.TempDir(), "other")

	bad := parsed(t, root, text(two, slow, other, ""))
	bad.Sites[0].Aliases = []string{filepath.Join(root, "none")} // is read after the edge and the throttle
	require.Error(t, s.Reload(bad))
	was("a site that cannot be made")
	assert.NoDirExists(t, other)

	bad = parsed(t, root, text(two, slow, other, ", maskAddresses: true"))
	bad.Usage.Webhooks = []config.Webhook{{URL: "no URL"}}
	require.Error(t, s.Reload(bad))
	was("a webhook that cannot be made")

	bad = parsed(t, root, text(two, slow, logs, ""))
	bad.Sites[0].Edge[0].Upstreams = nil // which the file could not say
	require.Error(t, s.Reload(bad))
	was("upstreams that cannot be")

	require.NoError(t, s.Close())
	requests, err := os.ReadFile(filepath.Join(logs, "requests.log"))
	require.NoError(t, err)
	assert.Equal(t, 4, strings.Count(string(requests), "/cdn/x"), "the logs are where they were")
	assert.Contains(t, string(requests), "127.0.0.1", "and addresses are whole")
}

// TestRenamedSite: points of a directory stay when the site or the place of the directory gets another name, and what that cannot
// change is told.
func TestRenamedSite(t *testing.T) {
	root, dir := site(t), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.isml"),
		[]byte(`<smil><head><meta name="startOnFirstRequest" content="true"/><meta name="publishing" content="Fragments;Archives"/></head></smil>`), 0o644))
	text := "sites: [{name: %s, root: DIR}]\narchive: {directory: " + dir + "}\n"
	s := newServer(t, parsed(t, root, fmt.Sprintf(text, "old")))
	body, pushed := startPush(t, s, "a.isml")
	e := event()
	body.write(e.Header(), e.Until(10*time.Second))
	reload(t, s, root, fmt.Sprintf(text, "new"))
	body.write(e.Until(20*time.Second), e.Trailer())
	body.end()
	assert.Equal(t, http.StatusOK, <-pushed, "the encoder is not disturbed")
	assert.Contains(t, ask(s, http.MethodGet, "/console/").Body.String(), "need a new process")
	eventually(t, "it is recorded", func() bool {
		events, err := filepath.Glob(filepath.Join(dir, "*", "a-isml", "*"))
		return err == nil && len(events) == 1
	})
}

// TestRecordingGoesOn: an event whose point gets another server is recorded as one: the first recording is complete before the second.
func TestRecordingGoesOn(t *testing.T) {
	dir := t.TempDir()
	a, b := t.TempDir(), t.TempDir()
	text := "root: DIR\nlive: {demo: true}\narchive: {directory: " + dir + "}\n"
	s := newServer(t, parsed(t, a, text))
	real := httptest.NewServer(s) // an encoder is told to go elsewhere by way of its connection
	defer real.Close()
	e := event()
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		resp, err := http.Post(real.URL+"/live/demo.isml/Streams(enc)", "", r)
		if assert.NoError(t, err) {
			resp.Body.Close()
			status <- resp.StatusCode
		}
	}()
	for _, part := range [][]byte{e.Header(), e.Until(10 * time.Second)} {
		_, err := w.Write(part)
		require.NoError(t, err)
	}
	eventually(t, "it is recorded", func() bool { return len(recorded(t, s)) == 1 })
	reload(t, s, b, text) // another root, so another server of points
	assert.Equal(t, http.StatusServiceUnavailable, <-status)
	w.Close()
	body, pushed := startPush(t, s, "live/demo.isml")
	body.write(e.Header(), e.Until(20*time.Second), e.Trailer())
	body.end()
	require.Equal(t, http.StatusOK, <-pushed)
	eventually(t, "it is complete", func() bool {
		list := recorded(t, s)
		return len(list) > 0 && !list[0].Live && list[0].Recording.Seconds > 17.9 // the fragment under way was not taken
	})
	require.Len(t, recorded(t, s), 1, "one event")
}

// TestManyReloads: changes of sites, folders, caches, aliases and logs under load leave nothing behind.
func TestManyReloads(t *testing.T) {
	root, other, archive := site(t), site(t), t.TempDir()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up") }))
	defer up.Close()
	alias := aliases(t, "/old/* /vod/*\n")
	base := "root: DIR\nlive: {demo: true}\narchive: {directory: " + archive + "}\n"
	variants := []string{
		base,
		base + "folders: {/video: " + other + "}\n",
		base + "aliases: [" + alias + "]\nusage: {log: {directory: " + t.TempDir() + "}}\n",
		base + "edge: [{path: /cdn, upstreams: [{url: '" + up.URL + "'}]}]\n",
		base + "limits: {playerConnections: 100000}\naccess: {viewers: {hook: {url: '" + up.URL + "'}}}\n",
		base + "sites: [{name: two, hosts: [two.example], root: " + other + "}]\n",
		base + "throttle: {disabled: true}\nplaylist: {disabled: true}\nusage: {webhooks: [{url: '" + up.URL + "'}]}\n",
	}
	s := newServer(t, parsed(t, root, variants[0]))
	cycle := func() {
		for _, v := range variants {
			reload(t, s, root, v)
		}
	}
	for _, path := range []string{"/vod/sample.ism/Manifest", "/" + firstFragment, "/console/"} {
		require.Equal(t, 200, ask(s, http.MethodGet, path).Code, path)
	}
	cycle()
	reload(t, s, root, base)
	before, files := settled(t, 0), openFiles()

	stop, failed := make(chan struct{}), new(atomic.Int64)
	var load sync.WaitGroup
	for _, path := range []string{"/vod/sample.ism/Manifest", "/" + firstFragment, "/Films/Trailer.wmv", "/console/"} {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if w := ask(s, http.MethodGet, path); w.Code != 200 {
					failed.Add(1)
					t.Error(path, w.Code)
					return
				}
				runtime.Gosched()
			}
		})
	}
	body, pushed := startPush(t, s, "live/demo.isml")
	e := event()
	body.write(e.Header())
	for i := range manyReloads / len(variants) {
		cycle()
		body.write(e.Until(time.Duration(i) * time.Second / 10))
	}
	close(stop)
	load.Wait()
	body.write(e.Trailer())
	body.end()
	assert.Equal(t, http.StatusOK, <-pushed, "the encoder was there all the time")
	assert.Zero(t, failed.Load())
	reload(t, s, root, base)
	assert.LessOrEqual(t, settled(t, before), before, "goroutines")
	if files >= 0 {
		assert.LessOrEqual(t, openFiles(), files+10, "open files, with those of the event")
	}
}

// settled returns the number of goroutines when it is not above a limit any more, or does not fall further.
func settled(t *testing.T, limit int) int {
	t.Helper()
	n := runtime.NumGoroutine()
	for range 100 {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if n = runtime.NumGoroutine(); n <= limit {
			return n
		}
		time.Sleep(10 * time.Millisecond)
	}
	return n
}

// openFiles returns the number of open files, -1 where the system does not tell.
func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(list)
}

// TestCloseWaits: what requests use is closed when they have ended.
func TestCloseWaits(t *testing.T) {
	s, err := server.New(parsed(t, site(t), "root: DIR\nlive: {demo: true}\n"), &server.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	held, release := holdRequest(t, s)
	require.NoError(t, s.Release(context.Background()))
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	eventually(t, "nobody comes in any more", func() bool { return ask(s, http.MethodGet, "/").Code == http.StatusServiceUnavailable })
	select {
	case <-closed:
		t.Error("closed under a request")
	default:
	}
	release()
	<-held
	require.NoError(t, <-closed)
	require.NoError(t, s.Close(), "again")
}
