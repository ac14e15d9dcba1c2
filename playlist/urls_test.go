package playlist_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// TestDelimiters: entry URLs work with any delimiter, and with & always.
func TestDelimiters(t *testing.T) {
	for _, d := range []string{"", ";", "&", "!!", ",", "::"} {
		w := films(t, &playlist.HandlerOptions{Delimiter: d, RideAlong: []string{"token", "other"}})
		u := w.open("/list.isx?TOKEN=a%3Bb%26%21%21%2Cc%3A%3A&x=y")
		if d == "" {
			d = ";"
		}
		assert.Contains(t, u[1], "?token=a%3Bb%26%21%21%2Cc%3A%3A"+d+"sessionId=", d)
		assert.True(t, strings.HasSuffix(u[1], d+"entryId=2"), u[1])
		assert.Equal(t, "bbb", w.want(200, u[1]), d)
	}
	for _, d := range []string{"=", "a", "-", "%", " ", "+", "#", "ü"} {
		assert.Panics(t, func() { playlist.NewHandler(nil, &playlist.HandlerOptions{Delimiter: d}) }, d)
	}
}

// urlList is a format that lists URLs.
type urlList struct{}

func (urlList) ContentType() string { return "text/plain" }

func (urlList) Append(_ context.Context, dst []byte, l *playlist.Listing) ([]byte, error) {
	for _, i := range l.Items {
		dst = append(append(dst, i.URL...), '\n')
	}
	return dst, nil
}

// TestFormatNames: a format may have any name. It is encoded in every URL that is emitted, and decoded.
func TestFormatNames(t *testing.T) {
	for name, encoded := range map[string]string{
		"a b": "a%20b", "a<b>": "a%3Cb%3E", "a&b;c": "a%26b%3Bc", "ü": "%C3%BC", "a+b%20": "a%2Bb%2520", `"'`: "%22%27", "x=y#z?": "x%3Dy%23z%3F",
	} {
		w := newWatch(t, files(map[string]string{"list.isx": isx("in.isx"), "in.isx": isx("a.wmv"), "a.wmv": "aaa"}),
			&playlist.HandlerOptions{Formats: map[string]playlist.Format{name: urlList{}, "asx": nil, "rss": playlist.ASX{}}})
		r := w.get("/list.isx?format=" + encoded)
		require.Equal(t, 200, r.StatusCode, name)
		u := strings.TrimSpace(bodyOf(t, r))
		assert.True(t, strings.HasSuffix(u, ";entryId=1;format="+encoded), u)
		r = w.get(u)
		require.Equal(t, "text/plain", r.Header.Get("Content-Type"))
		assert.Equal(t, "aaa", w.want(200, strings.TrimSpace(bodyOf(t, r))))
		w.want(404, "/list.isx")
		assert.Equal(t, "video/x-ms-asf", w.get("/list.isx?format=RSS").Header.Get("Content-Type"))
	}
}

// TestMounted: below any prefix, with names that have to be encoded, URLs are as the client has them.
func TestMounted(t *testing.T) {
	w := newWatch(t, files(map[string]string{"a ü/li&st;x.isx": isx("über.wmv", "sub/x%20y.wmv?a=b#c"), "a ü/über.wmv": "ü", "a ü/sub/x y.wmv": "y"}),
		&playlist.HandlerOptions{BaseURL: func(*http.Request) string { return "https://cdn.example:8443" }})
	w.h = http.StripPrefix("/vod/me dia", w.h)
	r := w.get("/vod/me%20dia/a%20%C3%BC/li&st;x.isx?format=json")
	require.Equal(t, 200, r.StatusCode)
	var l struct{ Entries []struct{ URL string } }
	body := bodyOf(t, r)
	require.NoError(t, json.Unmarshal([]byte(body), &l), body)
	require.Len(t, l.Entries, 2, body)
	for i, want := range []string{"ü", "y"} {
		u := l.Entries[i].URL
		rest, ok := strings.CutPrefix(u, "https://cdn.example:8443/vod/me%20dia/a%20%C3%BC/li&st;x.isx?sessionId=")
		require.True(t, ok, u)
		assert.Equal(t, want, w.want(200, "/vod/me%20dia/a%20%C3%BC/li&st;x.isx?sessionId="+rest))
	}
}

// TestASXEscapes: what is emitted is XML, whatever the URL and the titles have.
func TestASXEscapes(t *testing.T) {
	w := newWatch(t, files(map[string]string{"a&<'.isx": `<smil><head><meta name="title" content="a&amp;&lt;&quot;ü"/></head><body><seq><ref src="a.wmv"><param name="title" value="&lt;/TITLE&gt;&amp;"/></ref></seq></body></smil>`}), nil)
	r := w.get("/a&%3C'.isx", "Host", `a"b`)
	body := bodyOf(t, r)
	var doc struct {
		Title string `xml:"TITLE"`
		Entry struct {
			Title string `xml:"TITLE"`
			Ref   struct {
				HREF string `xml:"HREF,attr"`
			} `xml:"REF"`
		} `xml:"ENTRY"`
	}
	require.NoError(t, xml.Unmarshal([]byte(body), &doc), body)
	assert.Equal(t, `a&<"ü`, doc.Title)
	assert.Equal(t, "</TITLE>&", doc.Entry.Title)
	assert.Contains(t, doc.Entry.Ref.HREF, "/a&%3C'.isx?sessionId=")
}

// TestMediaHeaders: media have what caches and players need, and nothing of where they are.
func TestMediaHeaders(t *testing.T) {
	w := films(t, nil)
	u := w.open("/list.isx")
	r := w.get(u[0])
	tag := r.Header.Get("Etag")
	assert.Equal(t, http.Header{
		"Content-Type": {"video/x-ms-wmv"}, "Content-Length": {"3"}, "Accept-Ranges": {"bytes"}, "Etag": {tag}, "Pragma": {"no-cache"},
		"Cache-Control": {"no-cache, private"}, "Last-Modified": {"Tue, 09 Sep 2008 16:24:37 GMT"},
	}, r.Header)
	w.want(304, u[0], "If-None-Match", tag)
	w.want(304, u[0], "If-Modified-Since", "Tue, 09 Sep 2008 16:24:37 GMT")
	assert.Equal(t, "aa", w.want(206, u[0], "Range", "bytes=-2", "If-Range", tag))
	assert.Equal(t, "aaa", w.want(200, u[0], "Range", "bytes=-2", "If-Range", `"x"`))
	r = w.get(u[0], "Range", "bytes=0-0,2-2")
	assert.Equal(t, 206, r.StatusCode)
	assert.Contains(t, r.Header.Get("Content-Type"), "multipart/byteranges")
	_ = bodyOf(t, r)
	assert.LessOrEqual(t, w.seen[len(w.seen)-1].Delivered, int64(3))
	r = w.get(u[0], "Range", "bytes=3-")
	assert.Equal(t, 416, r.StatusCode)
	assert.Equal(t, "bytes */3", r.Header.Get("Content-Range"))

	w = films(t, &playlist.HandlerOptions{AllowClientCache: true})
	r = w.get(w.open("/list.isx")[0])
	assert.Equal(t, "private", r.Header.Get("Cache-Control"))
	assert.Empty(t, r.Header.Get("Pragma"))
}

// TestMediaHandler: what is around the sending of files is told no path but the extension.
func TestMediaHandler(t *testing.T) {
	var seen []string
	w := films(t, &playlist.HandlerOptions{Media: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, fmt.Sprint(r.URL, " ", r.RequestURI))
			next.ServeHTTP(w, r)
		})
	}})
	w.want(200, w.open("/list.isx")[1])
	require.Len(t, seen, 1)
	assert.Regexp(t, `^/[0-9a-f-]{36}/2\.wmv /[0-9a-f-]{36}/2\.wmv$`, seen[0])
}

// countReadFrom is a response writer that says how much came by ReadFrom, through which package net/http uses sendfile.
type countReadFrom struct {
	http.ResponseWriter
	n     *int64
	files *int
}

func (c countReadFrom) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			*c.files++
		}
	}
	n, err := c.ResponseWriter.(io.ReaderFrom).ReadFrom(r)
	*c.n += n
	return n, err
}

// TestSendfile: files reach the writer below as files, with and without rules.
func TestSendfile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "list.isx"), []byte(isx("a.wmv"+locked, "a.wmv")), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.wmv"), make([]byte, 3<<20), 0o666))
	h := playlist.NewHandler(playlist.NewFiles(os.DirFS(dir), quietLog()), &playlist.HandlerOptions{Logger: quietLog()})
	type sent struct {
		bytes int64
		files int
	}
	ends := make(chan sent, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var s sent
		h.ServeHTTP(countReadFrom{w, &s.bytes, &s.files}, r)
		ends <- s
	}))
	defer srv.Close()
	read := func(u string) (string, sent) {
		r, err := http.Get(u)
		require.NoError(t, err)
		defer r.Body.Close()
		return bodyOf(t, r), <-ends
	}
	list, _ := read(srv.URL + "/list.isx")
	for i, steps := range []int{3, 1} {
		body, got := read(entries(t, list)[i])
		assert.Len(t, body, 3<<20)
		assert.Equal(t, sent{3 << 20, steps}, got)
	}
}
