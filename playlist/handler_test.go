package playlist_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// eveningISX is a locked advertisement, a film, and a list of two more.
const eveningISX = `<?xml version="1.0"?>
<smil xmlns="http://www.w3.org/2005/SMIL21/Language"><head><meta name="title" content="Evening &amp; more"/></head><body><seq>
<ref src="ads/ad.wmv"><param name="srcType" value="relativeURI"/><param name="title" value="Ad"/><param name="role" value="advertisement"/>
 <param name="canSkipForward" value="False"/><param name="canSeek" value="False"/><param name="canSkipBack" value="False"/>
 <param name="extraParam" value="&lt;DURATION VALUE=&quot;00:00:10&quot;/&gt;"/></ref>
<ref src="Film.WMV"/>
<ref src="more.isx"/>
</seq></body></smil>`

const moreISX = `<smil><body><seq><ref src="film.wmv"/><ref src="ads/ad.wmv"><param name="canSkipForward" value="false"/></ref></seq></body></smil>`

func site() fstest.MapFS {
	return fstest.MapFS{
		"tv/evening.isx": {Data: []byte(eveningISX), ModTime: time.Date(2008, 9, 9, 16, 24, 37, 0, time.UTC)},
		"tv/more.isx":    {Data: []byte(moreISX)},
		"tv/ads/ad.wmv":  {Data: []byte(strings.Repeat("a", 10_000))},
		"tv/film.wmv":    {Data: []byte(strings.Repeat("f", 20_000))},
	}
}

// visit is a client of a handler.
type visit struct {
	t *testing.T
	h http.Handler
}

func newVisit(t *testing.T, opts *playlist.HandlerOptions) *visit {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	if opts == nil {
		opts = &playlist.HandlerOptions{}
	}
	opts.Logger = quiet
	return &visit{t, playlist.NewHandler(playlist.NewFiles(site(), quiet), opts)}
}

// get asks for a URL, with pairs of header fields.
func (v *visit) get(u string, header ...string) *http.Response {
	v.t.Helper()
	parsed, err := url.Parse(u)
	require.NoError(v.t, err)
	r := httptest.NewRequest("GET", parsed.RequestURI(), nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	v.h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

var hrefs = regexp.MustCompile(`HREF="([^"]*)"`)

// entries returns the URLs that an ASX lists.
func entries(t *testing.T, asx string) (list []string) {
	t.Helper()
	for _, m := range hrefs.FindAllStringSubmatch(asx, -1) {
		list = append(list, strings.ReplaceAll(m[1], "&amp;", "&"))
	}
	return list
}

func TestEvening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []playlist.Delivery
		v := newVisit(t, &playlist.HandlerOptions{Report: func(d playlist.Delivery) { seen = append(seen, d) }})
		r := v.get("/tv/evening.isx")
		require.Equal(t, 200, r.StatusCode)
		assert.Equal(t, "video/x-ms-asf", r.Header.Get("Content-Type"))
		assert.Equal(t, "no-cache", r.Header.Get("Pragma"))
		asx := bodyOf(t, r)
		assert.True(t, strings.HasPrefix(asx, "<ASX"))
		assert.Contains(t, asx, `CLIENTSKIP="NO"`)
		assert.Contains(t, asx, "2008-09-09T16:24:37Z")
		assert.NotContains(t, asx, ".wmv")
		urls := entries(t, asx)
		require.Len(t, urls, 3)
		assert.Regexp(t, `^http://example\.com/tv/evening\.isx\?sessionId=[0-9a-f-]{36};entryId=1$`, urls[0])

		r = v.get(urls[1])
		assert.Equal(t, 403, r.StatusCode, "the advertisement first")
		assert.Equal(t, "no-skip-forward", r.Header.Get("X-Playlist-Rule"))
		assert.Equal(t, 403, v.get(urls[2]).StatusCode)
		assert.Equal(t, 403, v.get(urls[0], "Range", "bytes=5000-").StatusCode, "no seek")
		r = v.get(urls[0])
		assert.Equal(t, 200, r.StatusCode)
		assert.Equal(t, "video/x-ms-wmv", r.Header.Get("Content-Type"))
		assert.Equal(t, strings.Repeat("a", 10_000), bodyOf(t, r))

		start := time.Now()
		r = v.get(urls[1])
		assert.Equal(t, 200, r.StatusCode, "held until the advertisement could have been watched")
		assert.Equal(t, 8*time.Second, time.Since(start))
		assert.Equal(t, 20_000, len(bodyOf(t, r)))
		r = v.get(urls[1], "Range", "bytes=100-199")
		assert.Equal(t, 206, r.StatusCode)
		assert.Equal(t, strings.Repeat("f", 100), bodyOf(t, r))
		assert.Equal(t, 403, v.get(urls[0]).StatusCode, "no way back")

		r = v.get(urls[2])
		require.Equal(t, 200, r.StatusCode)
		nested := entries(t, bodyOf(t, r))
		require.Len(t, nested, 2)
		assert.Regexp(t, `evening\.isx\?sessionId=[0-9a-f-]{36};entryId=3\.1$`, nested[0])
		assert.Equal(t, 200, v.get(nested[0]).StatusCode)

		require.NotEmpty(t, seen)
		first := seen[0]
		assert.Equal(t, "1", first.Entry)
		assert.Equal(t, "advertisement", first.Role)
		assert.Equal(t, 100, first.Percent)
		assert.Equal(t, int64(10_000), first.Bytes)
	})
}

func TestFormats(t *testing.T) {
	v := newVisit(t, nil)
	for format, want := range map[string]string{
		"asx": "video/x-ms-asf", "XSPF": "application/xspf+xml", "m3u8": "mpegurl", "pls": "audio/x-scpls", "json": "application/json",
		"rss": "application/rss+xml", "html": "text/html",
	} {
		r := v.get("/tv/evening.isx?format=" + format)
		require.Equal(t, 200, r.StatusCode, format)
		assert.Contains(t, r.Header.Get("Content-Type"), want)
		assert.Contains(t, bodyOf(t, r), "entryId=3;format="+format, "nested lists come in the same format")
	}
	assert.Contains(t, v.get("/tv/evening.isx", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8").Header.Get("Content-Type"), "text/html")
	assert.Contains(t, v.get("/tv/evening.isx", "Accept", "*/*").Header.Get("Content-Type"), "asf")
	assert.Equal(t, 404, v.get("/tv/evening.isx?format=nope").StatusCode)
}

func TestRefusals(t *testing.T) {
	v := newVisit(t, nil)
	urls := entries(t, bodyOf(t, v.get("/tv/evening.isx")))
	for name, want := range map[string]int{
		"/tv/none.isx": 404, "/tv/film.wmv": 404, "/": 404, "/tv/../tv/evening.isx": 404, "/tv/evening.isx?sessionId=;entryId=1": 404,
		"/tv/evening.isx?sessionId=00000000-0000-4000-8000-000000000000;entryId=1": 404,
		"/tv/evening.isx?%zz": 400, urls[0] + "0": 404, strings.TrimSuffix(urls[0], "1"): 404,
		strings.Replace(urls[0], "evening", "more", 1): 404, urls[0] + ".1": 404,
		"/tv/evening.isx/00000000-0000-4000-8000-000000000000/all.ism/Manifest": 404,
	} {
		r := httptest.NewRecorder()
		u, err := url.Parse(name)
		if err != nil {
			u = &url.URL{Path: "/tv/evening.isx", RawQuery: "%zz"}
		}
		req := httptest.NewRequest("GET", "/x", nil)
		req.URL = u
		v.h.ServeHTTP(r, req)
		assert.Equal(t, want, r.Code, name)
	}
}
