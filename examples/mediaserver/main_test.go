package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/app"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// start runs the program on a free port and returns the address of its page and what it printed. It is stopped, and
// must end without an error, when the test is over.
func start(t *testing.T, args ...string) (base, printed string) {
	t.Helper()
	base, printed, _ = startStop(t, args...)
	return base, printed
}

// startStop is start, with a function that stops the program earlier.
func startStop(t *testing.T, args ...string) (base, printed string, end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := app.Run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), app.Program{Out: w})
		w.CloseWithError(err)
		ended <- err
	}()
	end = sync.OnceFunc(func() {
		stop()
		select {
		case err := <-ended:
			assert.NoError(t, err)
		case <-time.After(10 * time.Second):
			t.Error("the server does not stop")
		}
	})
	t.Cleanup(end)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		printed += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "Press") {
			break
		}
	}
	require.NoError(t, lines.Err())
	found := regexp.MustCompile(`(?m)^Page: +(\S+)$`).FindStringSubmatch(printed)
	require.NotNil(t, found, printed)
	return found[1], printed, end
}

func get(t *testing.T, address string) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.Get(address)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, body
}

// TestSample does what a player does: list, manifest, then every fragment of every track.
func TestSample(t *testing.T) {
	base, printed := start(t)
	assert.Contains(t, printed, base+"sample/sample.ism/Manifest\n")

	_, body := get(t, base+"presentations.json")
	assert.JSONEq(t, `{"presentations":[{
		"name":"sample/sample.ism", "url":"sample/sample.ism/Manifest",
		"hls":"sample/sample.ism/Manifest(format=m3u8-aapl).m3u8",
		"hlsMuxed":"sample/sample.ism/Manifest(format=m3u8-aapl-v3).m3u8",
		"hlsFMP4":"sample/sample.ism/Manifest(format=m3u8-cmaf).m3u8"
	}, {
		"name":"live/demo.isml", "url":"live/demo.isml/Manifest",
		"hls":"live/demo.isml/Manifest(format=m3u8-aapl).m3u8",
		"hlsMuxed":"live/demo.isml/Manifest(format=m3u8-aapl-v3).m3u8",
		"hlsFMP4":"live/demo.isml/Manifest(format=m3u8-cmaf).m3u8",
		"live":true, "state":"Idle", "push":"live/demo.isml/Streams(enc1)"
	}],"players":null,"archive":false}`, string(body))

	resp, body := get(t, base+"sample/sample.ism/Manifest")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	manifest, err := smooth.ParseManifest(body)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, manifest.Duration, uint64(30*smooth.DefaultTimescale), "at least 30 seconds")

	tracks := map[string]int{}
	for _, stream := range manifest.Streams {
		tracks[string(stream.Type)+" "+stream.Language] += len(stream.Levels)
		for _, level := range stream.Levels {
			fetchTrack(t, base+"sample/sample.ism/", stream, level)
		}
	}
	assert.Equal(t, map[string]int{"video ": 3, "audio eng": 1, "audio deu": 1, "text eng": 1}, tracks)
}

func fetchTrack(t *testing.T, base string, stream *smooth.Stream, level *smooth.QualityLevel) {
	t.Helper()
	assert.Greater(t, len(stream.Timeline), 1, stream.Name)
	for _, chunk := range stream.Timeline {
		path := strings.NewReplacer(
			"{bitrate}", strconv.FormatUint(level.Bitrate, 10),
			"{start time}", strconv.FormatUint(chunk.Time, 10),
		).Replace(stream.URL)
		resp, body := get(t, base+path)
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
		require.Greater(t, len(body), 16, path)
		require.Equal(t, "moof", string(body[4:8]), path)
	}
}

// TestHLS follows the addresses from the list to segments, as a player does: those in the playlists are relative.
func TestHLS(t *testing.T) {
	base, printed := start(t)
	assert.Contains(t, printed, "HLS:       "+base+"sample/sample.ism/Manifest(format=m3u8-aapl).m3u8\n")

	_, body := get(t, base+"presentations.json")
	var list struct{ Presentations []map[string]any }
	require.NoError(t, json.Unmarshal(body, &list))
	for _, c := range []struct {
		member string
		lists  int // media playlists: levels, languages, subtitles, key frames
		mime   string
	}{
		{"hls", 3 + 2 + 1 + 3, "video/mp2t"}, {"hlsMuxed", 3 + 1, "video/mp2t"}, {"hlsFMP4", 3 + 2 + 1 + 3, "video/mp4"},
	} {
		address := base + list.Presentations[0][c.member].(string)
		seen := map[string]bool{}
		for _, child := range references(t, address) {
			if seen[child] {
				continue
			}
			seen[child] = true
			segments := references(t, child)
			require.Greater(t, len(segments), 5, child)
			resp, body := get(t, segments[len(segments)-1])
			assert.Equal(t, http.StatusOK, resp.StatusCode)
			if strings.Contains(child, "Manifest(video,") {
				assert.Equal(t, c.mime, resp.Header.Get("Content-Type"), child)
			}
			assert.NotEmpty(t, body)
		}
		assert.Len(t, seen, c.lists, c.member)
	}
}

// references returns the URLs in a playlist.
func references(t *testing.T, address string) (urls []string) {
	t.Helper()
	resp, body := get(t, address)
	require.Equal(t, http.StatusOK, resp.StatusCode, address)
	require.Equal(t, "application/vnd.apple.mpegurl", resp.Header.Get("Content-Type"))
	base, err := url.Parse(address)
	require.NoError(t, err)
	for _, found := range regexp.MustCompile(`(?m)URI="([^"]+)"|^([^#\s].*)$`).FindAllSubmatch(body, -1) {
		u, err := base.Parse(string(found[1]) + string(found[2]))
		require.NoError(t, err)
		urls = append(urls, u.String())
	}
	return urls
}

// TestLive does what an encoder and a viewer do, and what an operator sees.
func TestLive(t *testing.T) {
	base, printed := start(t)
	push := base + "live/demo.isml/Streams(enc1)"
	assert.Contains(t, printed, "Push to:   "+push+"\n")
	config := smoothtest.Default()
	config.Streams = config.Streams[:2]
	resp, err := http.Post(push, "", smoothtest.NewEncoder(config).Body(20*time.Second))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	resp.Body.Close()
	_, body := get(t, base+"live/demo.isml/Manifest")
	manifest, err := smooth.ParseManifest(body)
	require.NoError(t, err)
	for _, stream := range manifest.Streams {
		fetchTrack(t, base+"live/demo.isml/", stream, stream.Levels[0])
	}
	urls := references(t, base+"live/demo.isml/Manifest(format=m3u8-aapl)")
	assert.NotEmpty(t, references(t, urls[0]))
	_, body = get(t, base+"live/demo.isml/state")
	assert.Regexp(t, "<Value>(Started|Stopping|Stopped)</Value>", string(body))
}

func TestPage(t *testing.T) {
	base, _ := start(t)
	resp, body := get(t, base)
	assert.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(body, -1)
	require.NotEmpty(t, links)
	for _, l := range links {
		assert.NotContains(t, string(l[1]), "//", "the page loads nothing from elsewhere")
		resp, _ := get(t, base+string(l[1]))
		assert.Equal(t, http.StatusOK, resp.StatusCode, string(l[1]))
	}
	for path, status := range map[string]int{
		"_page/player.js": 200, "_page/none.js": 404, "none": 404, "none.ism/Manifest": 404,
		"sample/sample.ism": 404, "sample/sample_300000.ismv": 404, "clientaccesspolicy.xml": 200, "crossdomain.xml": 200,
	} {
		resp, _ := get(t, base+path)
		assert.Equal(t, status, resp.StatusCode, path)
	}
}

// TestRoot serves a copy of the sample below a directory of the user's, with characters that URLs must escape.
func TestRoot(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(root, "my films", "50%"), smoothtest.Sample()))
	base, printed := start(t, "-root", root)
	assert.Contains(t, printed, base+"my%20films/50%25/sample.ism/Manifest\n")
	resp, body := get(t, base+"my%20films/50%25/sample.ism/Manifest")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	_, sample := get(t, base+"sample/sample.ism/Manifest")
	assert.True(t, bytes.Equal(sample, body), "the copy has the same manifest as the sample, which is there too")
}

func TestPlayers(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "hls.js", "dist"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hls.js", "dist", "hls.min.js"), []byte("var Hls"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret.js"), []byte("x"), 0o644))
	base, _ := start(t, "-players", dir)
	_, body := get(t, base+"presentations.json")
	assert.Contains(t, string(body), `"players":{"hls":["_players/hls.min.js"]}`)
	resp, body := get(t, base+"_players/hls.min.js")
	assert.Equal(t, "var Hls", string(body))
	assert.Contains(t, resp.Header.Get("Content-Type"), "javascript")
	resp, _ = get(t, base+"_players/secret.js")
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)

	base, _ = start(t, "-players", "https://mirror.example/npm/")
	_, body = get(t, base+"presentations.json")
	assert.Contains(t, string(body), `"https://mirror.example/npm/dashjs/dist/modern/umd/dash.mss.min.js"`)
}

func TestMistakes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	addr := taken.Addr().String()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-listen", addr}, "no address could be bound"},
		{[]string{"-listen", "nowhere"}, "not a valid address to listen on"},
		{[]string{"-root", filepath.Join(t.TempDir(), "none")}, "is not a directory that can be read"},
		{[]string{"-players", t.TempDir()}, "holds neither"},
		{[]string{"-players", "https:///npm"}, "names no host"},
		{[]string{"media"}, `unexpected argument "media"; a directory is named with -root`},
	} {
		err := app.Run(context.Background(), c.args, app.Program{Out: io.Discard})
		assert.ErrorContains(t, err, c.want, "%q", c.args)
	}
}
