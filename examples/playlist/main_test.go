package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const media = "../../internal/testmedia/media/"

// start runs the program on a free port and returns the addresses that it prints. It is stopped when the test is over.
func start(t *testing.T, args ...string) (urls []string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), w)
		w.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			assert.NoError(t, err)
		case <-time.After(10 * time.Second):
			t.Error("the server does not stop")
		}
	})
	lines := bufio.NewScanner(r)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Press") {
		if u, ok := strings.CutPrefix(lines.Text(), "Playlist: "); ok {
			urls = append(urls, u)
		}
	}
	require.NoError(t, lines.Err())
	go io.Copy(io.Discard, r)
	return urls
}

// folder returns a directory with two films, a catalogue and an .isx file.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ads"), 0o755))
	for name, from := range map[string]string{"one.mp4": "high.mp4", "two.mp4": "high.mp4", "ads/any.mp4": "low.mp4", "ads/de.mp4": "low.mp4"} {
		data, err := os.ReadFile(media + from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	for name, text := range map[string]string{
		"catalogue.json": `{"programmes": {"tonight": ["one.mp4", "two.mp4"], "short": ["one.mp4"]}, "ads": {"": ["ads/any.mp4"], "de": ["ads/de.mp4"]}}`,
		"evening.isx":    `<smil><body><seq><ref src="one.mp4"/><ref src="none.mp4"/></seq></body></smil>`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

// list is a playlist in JSON.
type list struct {
	Title, Stitched string
	Entries         []struct {
		URL, Title, Role        string
		CanSeek, CanSkipForward bool
	}
}

func get(t *testing.T, method, u string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, u, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func getList(t *testing.T, u string) (l list) {
	t.Helper()
	resp, body := get(t, "GET", u)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", u, body)
	require.NoError(t, json.Unmarshal([]byte(body), &l))
	return l
}

// TestProgramme does what a player does, and what it should not.
func TestProgramme(t *testing.T) {
	urls := start(t, folder(t))
	require.Len(t, urls, 3)
	base, _, ok := strings.Cut(urls[0], "/evening.isx?format=html")
	require.True(t, ok, urls)
	assert.Equal(t, []string{base + "/watch/short.isx?format=html", base + "/watch/tonight.isx?format=html"}, urls[1:])

	l := getList(t, base+"/watch/tonight.isx?format=json&country=de")
	require.Len(t, l.Entries, 3)
	assert.Equal(t, "tonight", l.Title)
	ad := l.Entries[1]
	assert.Equal(t, "advertisement", ad.Role)
	assert.False(t, ad.CanSeek || ad.CanSkipForward)

	resp, _ := get(t, "HEAD", l.Entries[2].URL)
	assert.Equal(t, http.StatusForbidden, resp.StatusCode, "over the advertisement")
	assert.Equal(t, "no-skip-forward", resp.Header.Get("X-Playlist-Rule"))
	resp, body := get(t, "GET", l.Entries[0].URL)
	assert.Equal(t, "video/mp4", resp.Header.Get("Content-Type"))
	want, err := os.ReadFile(media + "high.mp4")
	require.NoError(t, err)
	assert.True(t, string(want) == body, "%d bytes of %d", len(body), len(want))
	resp, _ = get(t, "GET", ad.URL)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	resp, _ = get(t, "HEAD", l.Entries[2].URL)
	assert.Equal(t, http.StatusForbidden, resp.StatusCode, "it is delivered, but cannot have been watched")
	assert.NotEmpty(t, resp.Header.Get("Retry-After"))
}

// TestStitched gets one presentation of all entries, and of it only what comes first.
func TestStitched(t *testing.T) {
	urls := start(t, folder(t))
	l := getList(t, strings.Replace(urls[2], "html", "json", 1))
	resp, body := get(t, "GET", l.Stitched)
	require.Equal(t, http.StatusOK, resp.StatusCode, body)
	level := regexp.MustCompile(`(?m)^QualityLevels.*`).FindString(body)
	require.NotEmpty(t, level, body)
	at := resolve(t, l.Stitched, level)
	_, body = get(t, "GET", at)
	assert.Equal(t, 2, strings.Count(body, "#EXT-X-DISCONTINUITY\n"), body)
	segments := regexp.MustCompile(`(?m)^[^#\s].*`).FindAllString(body, -1)
	resp, _ = get(t, "GET", resolve(t, at, segments[len(segments)-1]))
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
	resp, _ = get(t, "GET", resolve(t, at, segments[0]))
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}

func resolve(t *testing.T, base, reference string) string {
	t.Helper()
	u, err := url.Parse(base)
	require.NoError(t, err)
	u, err = u.Parse(reference)
	require.NoError(t, err)
	return u.String()
}

// TestFiles: .isx files are lists as they always were, and a file that is missing is the fault of its entry alone.
func TestFiles(t *testing.T) {
	urls := start(t, folder(t))
	resp, body := get(t, "GET", strings.TrimSuffix(urls[0], "?format=html"))
	assert.Equal(t, "video/x-ms-asf", resp.Header.Get("Content-Type"))
	entries := regexp.MustCompile(`HREF="([^"]+)"`).FindAllStringSubmatch(body, -1)
	require.Len(t, entries, 2)
	resp, _ = get(t, "HEAD", entries[0][1])
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	resp, _ = get(t, "HEAD", entries[1][1])
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
	resp, _ = get(t, "HEAD", strings.Replace(urls[1], "short", "other", 1))
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
	resp, _ = get(t, "HEAD", strings.Replace(urls[0], "evening.isx", "one.mp4", 1))
	assert.Equal(t, http.StatusNotFound, resp.StatusCode, "media have no address of their own")
}

// TestSample starts without a folder.
func TestSample(t *testing.T) {
	urls := start(t)
	require.Len(t, urls, 1)
	resp, body := get(t, "GET", urls[0])
	assert.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))
	assert.Contains(t, body, "sample, part 2")
	l := getList(t, strings.Replace(urls[0], "html", "json", 1))
	require.Len(t, l.Entries, 3)
	resp, body = get(t, "GET", l.Stitched)
	assert.Equal(t, http.StatusOK, resp.StatusCode, body)
}

// TestArguments: what cannot be started says why.
func TestArguments(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "catalogue.json"), []byte("{"), 0o644))
	for want, args := range map[string][]string{
		"one directory, not 2": {"a", "b"},
		"catalogue.json":       {dir},
		"cannot be listed":     {filepath.Join(dir, "none")},
		"-redis":               {"-redis", "http://127.0.0.1"},
	} {
		assert.ErrorContains(t, run(t.Context(), append([]string{"-listen", "127.0.0.1:0"}, args...), io.Discard), want)
	}
}
