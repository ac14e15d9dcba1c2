package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// nginxConfig caches what two origins give, which take turns, and does without the one that does not answer.
const nginxConfig = `
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
	proxy_cache_path DIR/cache keys_zone=live:1m inactive=10m;
	upstream origins {
		server FIRST max_fails=1 fail_timeout=10s;
		server SECOND max_fails=1 fail_timeout=10s;
	}
	server {
		listen ADDRESS;
		location / {
			proxy_pass http://origins;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_next_upstream error timeout http_404;
			proxy_connect_timeout 1s;
			proxy_cache live;
			proxy_cache_lock on;
			add_header X-Cache $upstream_cache_status;
		}
	}
}
`

// startNginx puts nginx before two origins and returns its address, with the point and a slash at the end.
func startNginx(t *testing.T, first, second *station) string {
	t.Helper()
	need(t, "nginx")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close()) // and nginx takes it
	dir := t.TempDir()
	origin := func(s *station) string { return s.http.Listener.Addr().String() }
	config := strings.NewReplacer("DIR", dir, "ADDRESS", address, "FIRST", origin(first), "SECOND", origin(second)).Replace(nginxConfig)
	if os.Getuid() == 0 {
		config = "user root;\n" + config
	}
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o644))
	p := start(t, "nginx", "-p", dir, "-c", file, "-e", "stderr")
	t.Cleanup(func() { p.interrupt(10 * time.Second) }) // and not killed, which would leave its worker
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			require.NoError(t, c.Close())
			return "http://" + address + "/" + first.Name() + "/"
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.FailNow(t, "nginx does not listen")
	return ""
}

// TestLiveCache has two encoders send the same to an origin each, and nginx cache what both give: a player that gets
// some from one and some from the other sees no difference, also when one of them is killed.
func TestLiveCache(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg", "nginx")
	first, second := startStation(t, stationOptions{}), startStation(t, stationOptions{})
	cache := startNginx(t, first, second)
	pushOnce(t, first)
	pushOnce(t, second)
	first.waitListed(t, 14*time.Second)
	second.waitListed(t, 14*time.Second)
	sameFragments(t, cache, first.url, second.url, cache)
	sameSegments(t, cache, first.url, second.url, cache)
	sameTimelines(t, first, second)
	kill := sync.OnceFunc(func() {
		first.http.Listener.Close()
		first.http.CloseClientConnections()
	})
	o := watchOrder{Player: "rx", URL: cache + "Manifest", Seconds: 12, Chromium: chromium(t), playing: func() {
		time.Sleep(3 * time.Second)
		kill()
	}}
	twice(t, func() error { return watchEvenly(t, o) })
	sameFragments(t, cache, second.url, cache)
}

// sameSegments compares the segments of all media playlists of picture and sound.
func sameSegments(t *testing.T, urls ...string) {
	t.Helper()
	compared := 0
	for _, format := range []string{"m3u8-aapl", "m3u8-cmaf"} {
		for _, k := range tracksOf(t, urls[0]+master(format)) {
			_, segments := readMedia(t, k.url)
			for _, s := range segments[1:] { // the first one may be leaving the window
				path, ok := strings.CutPrefix(s.URI, urls[0])
				require.True(t, ok, s.URI)
				sameAnswer(t, path, urls...)
				compared++
			}
		}
	}
	assert.GreaterOrEqual(t, compared, 12, "segments compared")
}

// sameTimelines compares what both origins list by now.
func sameTimelines(t *testing.T, a, b *station) {
	t.Helper()
	lines := func(s *station) (all []smooth.Timeline) {
		snap, err := s.Snapshot(t.Context())
		require.NoError(t, err)
		for _, st := range snap.Manifest.Streams {
			all = append(all, st.Timeline)
		}
		return all
	}
	one, other := lines(a), lines(b)
	require.Len(t, other, len(one))
	for i := range one {
		n := min(len(one[i]), len(other[i]))
		require.Greater(t, n, 5)
		require.Equal(t, one[i][:n], other[i][:n], fmt.Sprint(i))
	}
}
