package playlist_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// remoteList is a list of a locked remote entry and a film.
func remoteList(t *testing.T, h http.HandlerFunc, params string, opts *playlist.HandlerOptions) *watch {
	srv := elsewhere(t, h)
	opts.Remote = newRemote(t, nil)
	return newWatch(t, files(map[string]string{
		"list.isx": isx(srv.URL+"/secret/ad.wmv srcType=remoteURL"+params, "film.wmv"), "film.wmv": "f",
	}), opts)
}

func sized(size int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/x-ms-wmv")
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(strings.Repeat("a", size)))
	}
}

// TestRedirect: the rules of what is elsewhere are told, and the clock counts where the list tells a duration.
func TestRedirect(t *testing.T) {
	w := remoteList(t, sized(10), locked, &playlist.HandlerOptions{})
	u := w.open("/list.isx")
	w.want(403, u[1])
	assert.Equal(t, 302, w.do(t.Context(), "HEAD", u[0]).StatusCode)
	w.want(403, u[1])
	for range 3 {
		r := w.get(u[0], "Range", "bytes=5-")
		assert.Equal(t, 302, r.StatusCode)
		assert.Contains(t, r.Header.Get("Location"), "/secret/ad.wmv")
		w.clock.forward(time.Minute)
	}
	w.want(200, u[1])
	w.want(403, u[0])

	w = remoteList(t, sized(10), locked+" duration=30", &playlist.HandlerOptions{})
	u = w.open("/list.isx")
	w.want(302, u[0])
	w.want(403, u[1])
	w.clock.forward(28 * time.Second)
	w.want(200, u[1])
}

// TestProxied: the rules of what is sent through this server are enforced, its place is hidden, and it is reported.
func TestProxied(t *testing.T) {
	w := remoteList(t, sized(1000), locked, &playlist.HandlerOptions{ProxyRemote: true})
	u := w.open("/list.isx")
	w.want(403, u[0], "Range", "bytes=500-")
	w.want(403, u[0], "Range", "bytes=-10")
	w.want(206, u[0], "Range", "bytes=0-499")
	w.want(403, u[1])
	r := w.get(u[0], "Range", "bytes=500-999")
	assert.Equal(t, 206, r.StatusCode)
	assert.Equal(t, "bytes 500-999/1000", r.Header.Get("Content-Range"))
	assert.Empty(t, r.Header.Values("Set-Cookie"))
	assert.Equal(t, "no-cache, private", r.Header.Get("Cache-Control"))
	w.want(200, u[1])
	require.Len(t, w.seen, 3)
	d := w.seen[1]
	assert.Equal(t, playlist.Delivery{
		Session: d.Session, Playlist: "list.isx", Entry: "1", Status: 206, Bytes: 500, Delivered: 1000, Size: 1000, Percent: 100, Completed: true,
	}, d)
	assert.Equal(t, 50, w.seen[0].Percent)
	assert.NotContains(t, w.log.String(), "secret")
}

// TestProxiedUnknownSize: of what has no length the end is the size.
func TestProxiedUnknownSize(t *testing.T) {
	w := remoteList(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/mp2t")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, strings.Repeat("a", 5000))
	}, locked, &playlist.HandlerOptions{ProxyRemote: true})
	u := w.open("/list.isx")
	w.want(200, u[0])
	w.want(200, u[1])
	assert.Equal(t, int64(5000), w.seen[0].Size)
	assert.True(t, w.seen[0].Completed)
}

// TestProxiedFails: what fails elsewhere is an error of that entry, unless a range of the client is to blame; what ends
// early is broken off.
func TestProxiedFails(t *testing.T) {
	w := remoteList(t, http.NotFound, locked, &playlist.HandlerOptions{ProxyRemote: true})
	u := w.open("/list.isx")
	body := w.want(404, u[0], "Range", "bytes=0-5")
	w.want(403, u[1])
	body += w.want(404, u[0])
	w.want(200, u[1])
	assert.NotContains(t, body+w.log.String(), "secret")
	assert.Equal(t, 404, w.seen[0].Status)

	w = remoteList(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5000")
		_, _ = io.WriteString(w, strings.Repeat("a", 4999))
	}, locked, &playlist.HandlerOptions{ProxyRemote: true, MaxConnections: 1})
	u = w.open("/list.isx")
	for range 2 {
		assert.PanicsWithValue(t, http.ErrAbortHandler, func() { w.get(u[0]) })
	}
	assert.Equal(t, int64(4999), w.seen[0].Bytes)
	assert.Equal(t, 99, w.seen[0].Percent)
	assert.NotContains(t, w.log.String(), "secret")
}

// TestProxiedList: a list elsewhere, as IIS shows it, is one of the session.
func TestProxiedList(t *testing.T) {
	var host string
	srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/secret/list.isx" {
			text("video/x-ms-asf", `<ASX VERSION="3"><ENTRY><REF HREF="http://`+host+`/secret/list.isx/a.wmv?sessionId=1;entryId=1"/></ENTRY></ASX>`)(w, r)
			return
		}
		sized(10)(w, r)
	})
	host = strings.TrimPrefix(srv.URL, "http://")
	w := newWatch(t, files(map[string]string{"list.isx": isx(srv.URL + "/secret/list.isx srcType=remoteURL")}),
		&playlist.HandlerOptions{ProxyRemote: true, Remote: newRemote(t, nil)})
	r := w.get(w.open("/list.isx")[0])
	require.Equal(t, 200, r.StatusCode)
	body := bodyOf(t, r)
	assert.NotContains(t, body, "secret")
	require.Len(t, entries(t, body), 1)
	assert.Equal(t, "aaaaaaaaaa", w.want(200, entries(t, body)[0]))
}

// TestProxiedLeft: what a client that leaves has got is reported.
func TestProxiedLeft(t *testing.T) {
	w := remoteList(t, sized(3<<20), locked, &playlist.HandlerOptions{ProxyRemote: true})
	u := w.open("/list.isx")
	rec := &leaving{ResponseRecorder: httptest.NewRecorder(), after: 1 << 20}
	assert.Panics(t, func() {
		w.h.ServeHTTP(rec, httptest.NewRequest("GET", strings.TrimPrefix(u[0], "http://example.com"), nil))
	})
	require.Len(t, w.seen, 1)
	assert.GreaterOrEqual(t, w.seen[0].Bytes, int64(1<<20))
	assert.Less(t, w.seen[0].Percent, 50)
	assert.False(t, w.seen[0].Completed)
	w.want(403, u[1])
}

// leaving is a client that leaves after so many bytes.
type leaving struct {
	*httptest.ResponseRecorder
	after int
}

func (l *leaving) Write(p []byte) (int, error) {
	if l.after < len(p) {
		n := max(l.after, 0)
		l.after = 0
		return n, io.ErrClosedPipe
	}
	l.after -= len(p)
	return l.ResponseRecorder.Write(p)
}
