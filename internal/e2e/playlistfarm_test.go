package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startRedis starts a Redis of the test's own and returns its URL.
func startRedis(t *testing.T) string {
	t.Helper()
	need(t, "redis-server")
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	start(t, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--daemonize", "no", "--dir", t.TempDir(), "--loglevel", "warning")
	waitListening(t, address)
	return "redis://" + address
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func waitListening(t *testing.T, address string) {
	t.Helper()
	for range 200 {
		if c, err := net.Dial("tcp", address); err == nil {
			require.NoError(t, c.Close())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.FailNow(t, "nobody listens", address)
}

// proxyConfig is nginx before two servers, which take turns, and which caches what may be cached.
const proxyConfig = `
daemon off;
worker_processes 1;
pid DIR/pid;
error_log stderr error;
events {}
http {
	access_log off;
	client_body_temp_path DIR/body;
	fastcgi_temp_path DIR/fastcgi;
	scgi_temp_path DIR/scgi;
	uwsgi_temp_path DIR/uwsgi;
	proxy_temp_path DIR/proxy;
	proxy_cache_path DIR/cache keys_zone=all:1m inactive=10m;
	upstream origins {
		server FIRST max_fails=1 fail_timeout=30s;
		server SECOND max_fails=1 fail_timeout=30s;
	}
	server {
		listen ADDRESS;
		location / {
			proxy_pass http://origins;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_next_upstream error timeout;
			proxy_connect_timeout 1s;
			proxy_cache all;
			proxy_cache_lock on;
			add_header X-Cache $upstream_cache_status always;
		}
	}
}
`

// startProxy puts nginx before two servers and returns its address, with a slash at the end.
func startProxy(t *testing.T, first, second string) string {
	t.Helper()
	need(t, "nginx")
	address, dir := freeAddress(t), t.TempDir()
	host := func(u string) string { return strings.Trim(strings.TrimPrefix(u, "http:"), "/") }
	config := strings.NewReplacer("DIR", dir, "ADDRESS", address, "FIRST", host(first), "SECOND", host(second)).Replace(proxyConfig)
	if os.Getuid() == 0 {
		config = "user root;\n" + config
	}
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o644))
	p := start(t, "nginx", "-p", dir, "-c", file, "-e", "stderr")
	t.Cleanup(func() { p.interrupt(10 * time.Second) }) // and not killed, which would leave its worker
	waitListening(t, address)
	return "http://" + address + "/"
}

// listing is a playlist in JSON.
type listing struct {
	Stitched string
	Entries  []struct{ URL, Role string }
}

// TestPlaylistFarm: two servers behind a proxy share the sessions of their viewers in Redis, and the rules. One of them
// is killed while a viewer watches, who does not notice.
func TestPlaylistFarm(t *testing.T) {
	t.Parallel()
	need(t, "redis-server", "nginx")
	browser := chromium(t)
	redis, exe, dir := startRedis(t), buildExample(t, "playlist"), playlistMedia(t)
	first, one := startPlaylists(t, exe, "-redis", redis, dir)
	_, two := startPlaylists(t, exe, "-redis", redis, dir)
	shareSession(t, one, two)
	proxy := startProxy(t, one, two)
	killed := false
	twice(t, func() error {
		playing := make(chan struct{})
		go func() {
			defer close(playing)
			time.Sleep((firstPart + adPart/2) * time.Second)
			first.kill()
			killed = true
		}()
		o := listOrder{Player: "hls", URL: proxy + "watch/tonight.isx?format=hls", To: firstPart + adPart + 3, Ahead: 6, Chromium: browser}
		r, err := playList(t, o)
		<-playing
		return errors.Join(err, r.checkParts())
	})
	require.True(t, killed)
	_, err := http.Get(one)
	require.Error(t, err, "the first server is gone")
}

// shareSession asks one server for a list and both for its entries.
func shareSession(t *testing.T, one, two string) {
	t.Helper()
	var l listing
	require.NoError(t, json.Unmarshal(download(t, one+"watch/tonight.isx?format=json"), &l))
	require.Len(t, l.Entries, 3)
	at := func(server, u string) string {
		rest, ok := strings.CutPrefix(u, one)
		require.True(t, ok, u)
		return server + rest
	}
	refused := func(server, why string) (wait string) {
		resp, _ := ask(t, "HEAD", at(server, l.Entries[2].URL), nil)
		assert.Equal(t, http.StatusForbidden, resp.StatusCode, why)
		assert.Equal(t, "no-skip-forward", resp.Header.Get("X-Playlist-Rule"))
		return resp.Header.Get("Retry-After")
	}
	assert.Empty(t, refused(two, "nothing of the advertisement was sent"))
	assert.NotEmpty(t, download(t, at(two, l.Entries[0].URL)))
	assert.NotEmpty(t, download(t, at(one, l.Entries[1].URL)), "all of the advertisement, by the first server")
	require.Eventually(t, func() bool { return refused(two, "it was sent and not watched") != "" }, 5*time.Second, 50*time.Millisecond,
		"the second server knows what the first has sent")
	resp, _ := ask(t, "GET", strings.Replace(at(two, l.Entries[0].URL), "tonight", "other", 1), nil)
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
}

// ask sends a request with cookies and returns the answer.
func ask(t *testing.T, method, u string, cookies []*http.Cookie) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, u, nil)
	require.NoError(t, err)
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err, fmt.Sprint(u, resp.Header))
	return resp, body
}
