package access_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/access"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// media is a server of the sample whose viewers have signed URLs, mounted below a prefix.
func media(t *testing.T) (server *httptest.Server, s *access.Signed, grant access.Grant) {
	t.Helper()
	c := newClock()
	s = signed(t, c, nil)
	files := smooth.NewHandler(smooth.FS(smoothtest.Sample(), nil), &smooth.HandlerOptions{
		ChildQuery: []string{access.TokenQuery}, Logger: quiet(),
		Outputs: []smooth.Output{hls.NewOutput(&hls.Options{Logger: quiet()})},
	})
	h := access.NewHandler(files, &access.Policy{Authenticators: []access.Authenticator{s}}, &access.HandlerOptions{Signed: s, Logger: quiet()})
	server = httptest.NewServer(http.StripPrefix("/media", h))
	t.Cleanup(server.Close)
	return server, s, access.Grant{Path: "/sample.ism/*", Expires: c.Now().Add(time.Hour)}
}

// fetch returns the status and body of a URL.
func fetch(t *testing.T, u string) (int, string) {
	t.Helper()
	resp, err := http.Get(u)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// without takes the token out of a URL.
func without(u string) string {
	u = regexp.MustCompile(`/t/[\w-]+/`).ReplaceAllString(u, "/")
	return regexp.MustCompile(`[?&]token=[\w-]+`).ReplaceAllString(u, "")
}

// resolve returns a reference relative to a URL.
func resolve(t *testing.T, base, ref string) string {
	t.Helper()
	b, err := url.Parse(base)
	require.NoError(t, err)
	r, err := b.Parse(ref)
	require.NoError(t, err)
	return r.String()
}

// bothForms calls f with the URL of a path in each form.
func bothForms(t *testing.T, path string, f func(t *testing.T, link string)) {
	server, s, grant := media(t)
	inPath, err := s.PathURL(path, grant)
	require.NoError(t, err)
	inQuery, err := s.QueryURL(path, grant)
	require.NoError(t, err)
	for form, link := range map[string]string{"path": inPath, "query": inQuery} {
		t.Run(form, func(t *testing.T) { f(t, server.URL+"/media"+link) })
	}
}

// Every URL of a Smooth manifest carries the token, and none works without it.
func TestManifestCarriesToken(t *testing.T) {
	bothForms(t, "/sample.ism/Manifest", func(t *testing.T, link string) {
		status, body := fetch(t, link)
		require.Equal(t, 200, status)
		m, err := smooth.ParseManifest([]byte(body))
		require.NoError(t, err)
		require.NotEmpty(t, m.Streams)
		status, _ = fetch(t, without(link))
		require.Equal(t, 403, status)
		served := 0
		for _, stream := range m.Streams {
			for _, level := range stream.Levels {
				for _, chunk := range stream.Timeline[:3] {
					u := resolve(t, link, strings.NewReplacer(
						"{bitrate}", strconv.FormatUint(level.Bitrate, 10), "{start time}", strconv.FormatUint(chunk.Time, 10),
					).Replace(stream.URL))
					require.NotEqual(t, u, without(u), "the token is in it")
					status, _ := fetch(t, u)
					assert.Equal(t, 200, status, u)
					status, _ = fetch(t, without(u))
					assert.Equal(t, 403, status)
					served++
				}
			}
		}
		assert.Equal(t, 3*6, served)
	})
}

// Every URL of HLS playlists, down to the segments, carries the token and works, and does not without it.
func TestPlaylistsCarryToken(t *testing.T) {
	bothForms(t, "/sample.ism/manifest(format=m3u8-aapl)", func(t *testing.T, link string) {
		var playlists, segments int
		seen := map[string]bool{link: true}
		for list := []string{link}; len(list) > 0; list = list[1:] {
			status, body := fetch(t, list[0])
			require.Equal(t, 200, status, list[0])
			status, _ = fetch(t, without(list[0]))
			require.Equal(t, 403, status, list[0])
			if !strings.HasPrefix(body, "#EXTM3U") {
				segments++
				continue
			}
			playlists++
			for _, u := range urisOf(t, list[0], body) {
				require.NotEqual(t, u, without(u), "the token is in it")
				if !seen[u] && len(seen) < 120 {
					seen[u] = true
					list = append(list, u)
				}
			}
		}
		assert.Greater(t, playlists, 2)
		assert.Greater(t, segments, 10)
	})
}

// urisOf returns the URLs of a playlist.
func urisOf(t *testing.T, base, body string) []string {
	t.Helper()
	var list []string
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		line := lines.Text()
		if m := regexp.MustCompile(`URI="([^"]*)"`).FindStringSubmatch(line); m != nil {
			list = append(list, resolve(t, base, m[1]))
		} else if line != "" && line[0] != '#' {
			list = append(list, resolve(t, base, line))
		}
	}
	return list
}
