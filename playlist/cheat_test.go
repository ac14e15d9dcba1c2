package playlist_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// cheat is a list of an advertisement that plays for ten seconds, a film, and an advertisement whose length is not known.
func cheat(t *testing.T, opts *playlist.HandlerOptions) *watch {
	return newWatch(t, files(map[string]string{
		"list.isx": isx("ad.wmv duration=00:00:10"+locked, "film.wmv", "ad.wmv"+locked, "film.wmv"),
		"ad.wmv":   strings.Repeat("a", 10_000), "film.wmv": strings.Repeat("f", 20_000),
	}), opts)
}

func TestCheatRequests(t *testing.T) {
	w := cheat(t, nil)
	u := w.open("/list.isx")
	for _, try := range [][]string{
		{u[1]}, {u[3]}, {u[2]}, {u[1], "Range", "bytes=0-0"}, {u[1], "Range", "bytes=-1"},
		{u[0], "Range", "bytes=1-"}, {u[0], "Range", "bytes=9999-"}, {u[0], "Range", "bytes=-1"},
	} {
		w.want(403, try[0], try[1:]...)
	}
	for name, header := range map[string][]string{
		"several":           {"Range", "bytes=5000-5001,9000-9001"},
		"several, last one": {"Range", "bytes=9999-,"},
		"a sign":            {"Range", "bytes=+5000-"},
		"another unit":      {"Range", "bits=5000-"},
		"not this file":     {"Range", "bytes=5000-", "If-Range", `"x"`},
		"a weak tag":        {"Range", "bytes=5000-", "If-Range", "W/" + `"x"`},
		"an old date":       {"Range", "bytes=5000-", "If-Range", "Tue, 09 Sep 2007 16:24:37 GMT"},
	} {
		c := cheat(t, nil)
		u := c.open("/list.isx")
		r := c.get(u[0], header...)
		assert.Equal(t, 200, r.StatusCode, name)
		assert.Len(t, bodyOf(t, r), 10_000, name)
	}
}

// TestCheatRangeOfFile: If-Range that is right does not open what is locked.
func TestCheatRangeOfFile(t *testing.T) {
	w := cheat(t, nil)
	u := w.open("/list.isx")
	r := w.get(u[0], "Range", "bytes=0-99")
	require.Equal(t, 206, r.StatusCode)
	tag, date := r.Header.Get("Etag"), r.Header.Get("Last-Modified")
	require.NotEmpty(t, tag)
	for _, value := range []string{tag, date} {
		w.want(403, u[0], "Range", "bytes=5000-", "If-Range", value)
		assert.Len(t, w.want(206, u[0], "Range", "bytes=100-100", "If-Range", value), 1)
	}
}

// TestCheatWithoutBytes: what sends no bytes moves nobody and counts as nothing.
func TestCheatWithoutBytes(t *testing.T) {
	w := cheat(t, nil)
	u := w.open("/list.isx")
	r := w.do(t.Context(), "HEAD", u[0])
	require.Equal(t, 200, r.StatusCode)
	assert.Equal(t, "10000", r.Header.Get("Content-Length"))
	assert.Equal(t, 403, w.do(t.Context(), "HEAD", u[1]).StatusCode)
	w.want(304, u[0], "If-None-Match", r.Header.Get("Etag"))
	w.want(412, u[0], "If-Match", `"x"`)
	w.want(403, u[0], "Range", "bytes=10000-")
	w.clock.forward(time.Hour)
	w.want(403, u[1])
	for range 30 {
		w.want(206, u[0], "Range", "bytes=0-999")
	}
	w.want(403, u[1])
	for _, d := range w.seen {
		assert.LessOrEqual(t, d.Percent, 10)
		assert.False(t, d.Completed)
	}
	assert.Equal(t, 405, w.do(t.Context(), "POST", u[0]).StatusCode)
}

// TestCheatWireSpeed: an advertisement that is downloaded at once is not over at once.
func TestCheatWireSpeed(t *testing.T) {
	w := cheat(t, nil)
	u := w.open("/list.isx")
	w.want(200, u[0])
	r := w.get(u[1])
	assert.Equal(t, 403, r.StatusCode)
	assert.Equal(t, "8", r.Header.Get("Retry-After"))
	assert.Equal(t, "no-skip-forward", r.Header.Get("X-Playlist-Rule"))
	w.clock.forward(7 * time.Second)
	w.want(403, u[1])
	w.want(403, u[3])
	w.clock.forward(time.Second)
	w.want(200, u[1])
	w.want(403, u[0])
	w.want(403, u[3])
	w.want(200, u[2])
	w.want(200, u[3])
	w.want(403, u[2])
	w.want(403, u[1])
}

// TestCheatFoundLength: the length that HandlerOptions.Duration finds counts as that of the list does, and is asked once.
func TestCheatFoundLength(t *testing.T) {
	asked := 0
	w := cheat(t, &playlist.HandlerOptions{Duration: playlistLength(&asked, 30*time.Second)})
	u := w.open("/list.isx")
	w.want(200, u[0])
	w.clock.forward(8 * time.Second)
	w.want(200, u[1])
	w.want(200, u[2])
	w.want(206, u[2], "Range", "bytes=5-10")
	w.clock.forward(27 * time.Second)
	w.want(403, u[3])
	w.clock.forward(time.Second)
	w.want(200, u[3])
	assert.Equal(t, 1, asked)
}

// TestCheatNames: sessions and entries have one spelling.
func TestCheatNames(t *testing.T) {
	w := cheat(t, nil)
	u := w.open("/list.isx")
	head := strings.TrimSuffix(u[0], "entryId=1")
	for _, id := range []string{"", "0", "-1", "01", "1.0", "1.", ".1", "%31.", "1%20", "1+", "+1", "0x1", "1e0", "5", "1.1", "10001", "4294967297", "1,2", "１"} {
		w.want(404, head+"entryId="+id)
	}
	w.want(200, head+"entryId=%31")
	w.want(404, head+"entryId=x;entryId=2", "Range", "bytes=0-")
	w.want(403, head+"ENTRYID=2")
	for _, s := range []string{"x", "00000000-0000-4000-8000-000000000000", strings.Repeat("a", 56), strings.Repeat("a", 5000)} {
		w.want(404, "/list.isx?sessionId="+s+";entryId=1")
	}
	w.want(200, strings.Replace(u[0], ";", "&", 1))
	w.want(400, "/list.isx?"+strings.Repeat("a", 9000))
	w.want(400, "/list.isx?"+strings.Repeat("a=1&b=2&", 3)+manyPairs())
	for _, path := range []string{"/ad.wmv", "/film.wmv", "/list.isx/ad.wmv", "/x/../ad.wmv", "//ad.wmv", "/list.isx/"} {
		w.want(404, path)
	}
}

func manyPairs() string {
	var b strings.Builder
	for i := range 100 {
		b.WriteString("a" + strings.Repeat("b", i) + "=1&")
	}
	return b.String()
}

// heldWriter is a client that reads nothing until it is let.
type heldWriter struct {
	*httptest.ResponseRecorder
	began chan<- struct{}
	let   <-chan struct{}
}

func (s *heldWriter) Write(p []byte) (int, error) {
	s.began <- struct{}{}
	<-s.let
	return s.ResponseRecorder.Write(p)
}

// TestCheatConnections: a session has so many connections at once, and each is given back.
func TestCheatConnections(t *testing.T) {
	w := cheat(t, &playlist.HandlerOptions{MaxConnections: 3, Report: func(playlist.Delivery) {}})
	u := w.open("/list.isx")
	other := w.open("/list.isx")
	began, let := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			r := httptest.NewRequest("GET", strings.TrimPrefix(u[0], "http://example.com"), nil)
			w.h.ServeHTTP(&heldWriter{httptest.NewRecorder(), began, let}, r)
		})
		<-began
	}
	r := w.get(u[0])
	assert.Equal(t, 503, r.StatusCode)
	assert.NotEmpty(t, r.Header.Get("Retry-After"))
	w.want(200, other[0])
	close(let)
	all.Wait()
	w.want(200, u[0])
}

// TestCheatPanics: what panics gives its connection back.
func TestCheatPanics(t *testing.T) {
	for name, opts := range map[string]*playlist.HandlerOptions{
		"report": {Report: func(playlist.Delivery) { panic("report") }},
		"media": {Media: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("media") })
		}},
	} {
		opts.MaxConnections = 1
		w := cheat(t, opts)
		u := w.open("/list.isx")
		for range 3 {
			assert.Panics(t, func() { w.get(u[0]) }, name)
		}
	}
}

// TestHeldRequestsEnd: a request that is held ends when its client leaves, and gives its connection back.
func TestHeldRequestsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newVisit(t, &playlist.HandlerOptions{MaxConnections: 2})
		u := entries(t, bodyOf(t, w.get("/tv/evening.isx")))
		require.Len(t, bodyOf(t, w.get(u[0])), 10_000)
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			all.Go(func() {
				rec := httptest.NewRecorder()
				w.h.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", strings.TrimPrefix(u[1], "http://example.com"), nil))
				assert.Zero(t, rec.Body.Len())
			})
		}
		synctest.Wait()
		start := time.Now()
		assert.Equal(t, 503, w.get(u[0]).StatusCode, "those that are held are connections")
		cancel()
		all.Wait()
		assert.Zero(t, time.Since(start))
		assert.Equal(t, 206, w.get(u[0], "Range", "bytes=0-1").StatusCode)
	})
}

type lengthFunc = func(ctx context.Context, name string, r io.ReaderAt, size int64) (time.Duration, error)

// playlistLength says that all files play for as long, and counts how often it is asked.
func playlistLength(asked *int, d time.Duration) lengthFunc {
	return func(context.Context, string, io.ReaderAt, int64) (time.Duration, error) {
		*asked++
		return d, nil
	}
}
