package usage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

// taker is a response writer that takes files at once, as that of a connection does by sendfile.
type taker struct {
	*httptest.ResponseRecorder
	files []int64 // the limits of what it got from a file
}

func (w *taker) ReadFrom(src io.Reader) (int64, error) {
	if l, ok := src.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			w.files = append(w.files, l.N)
		}
	}
	return io.Copy(w.ResponseRecorder, src)
}

func TestSendfile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "film.mp4")
	data := bytes.Repeat([]byte("0123456789abcdef"), 5<<15) // 2.5 MiB
	require.NoError(t, os.WriteFile(name, data, 0o600))
	r, log := newRecorder(t, usage.Options{})
	h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { http.ServeFile(w, q, name) }))
	for _, c := range []struct {
		header []string
		want   []byte
	}{{nil, data}, {[]string{"Range", "bytes=100-2000099"}, data[100:2000100]}} {
		w := &taker{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, get("/film.mp4", c.header...))
		assert.NotEmpty(t, w.files, "the inner writer sees a file behind one limit")
		assert.Equal(t, int64(1<<20), w.files[0], "in parts that are counted")
		assert.True(t, bytes.Equal(c.want, w.Body.Bytes()))
		assert.Equal(t, int64(len(c.want)), log.last(t).Sent)
		assert.False(t, log.last(t).Aborted)
	}
	require.NoError(t, r.Close())
	assert.Equal(t, int64(len(data)), log.ended()[0].FileSize)
	assert.Equal(t, int64(len(data)+2000000), log.ended()[0].Sent)
}

// plainWriter is a response writer without anything else.
type plainWriter struct{ w *httptest.ResponseRecorder }

func (p plainWriter) Header() http.Header         { return p.w.Header() }
func (p plainWriter) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p plainWriter) WriteHeader(s int)           { p.w.WriteHeader(s) }

func TestReadFromWithoutIt(t *testing.T) {
	r, log := newRecorder(t, usage.Options{})
	w := httptest.NewRecorder()
	r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		src := &io.LimitedReader{R: strings.NewReader(strings.Repeat("x", 3<<20)), N: 2<<20 + 5}
		n, err := w.(io.ReaderFrom).ReadFrom(src)
		assert.NoError(t, err)
		assert.Equal(t, int64(2<<20+5), n)
		assert.Zero(t, src.N)
	})).ServeHTTP(plainWriter{w}, get("/film.mp4"))
	assert.Equal(t, 2<<20+5, w.Body.Len())
	assert.Equal(t, int64(2<<20+5), log.last(t).Sent)
}

func TestOverAConnection(t *testing.T) {
	r, log := newRecorder(t, usage.Options{})
	srv := httptest.NewServer(r.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		rc := http.NewResponseController(w)
		assert.NoError(t, rc.SetWriteDeadline(time.Now().Add(time.Minute)))
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(http.StatusEarlyHints)
		assert.NoError(t, rc.Flush())
		_, _ = io.WriteString(w, "hello")
	})))
	resp, err := http.Post(srv.URL+"/live/a.isml/Streams(1)?token=abc", "video/mp4", strings.NewReader(strings.Repeat("m", 100_000)))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	srv.Close()
	rec := log.last(t)
	assert.Equal(t, 200, rec.Status)
	assert.Equal(t, int64(100_000), rec.Received)
	assert.Equal(t, int64(5), rec.Sent)
	assert.Equal(t, usage.Push, rec.Class.Kind)
	assert.Equal(t, "token=redacted", rec.Query)
	assert.True(t, rec.Local.IsLoopback() && rec.Address.IsLoopback())
	assert.Equal(t, int64(100_000), r.Stats().Received)
	require.Len(t, r.Stats().Streams, 1)
	assert.Equal(t, int64(100_000), r.Stats().Streams[0].Received)
}

func TestPushesCountAsTheyGo(t *testing.T) {
	r, _ := newRecorder(t, usage.Options{})
	body, feed := io.Pipe()
	q := httptest.NewRequest("POST", "/live/a.isml/Streams(1)", body)
	got, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		serve(r.Handler(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			_, _ = io.ReadFull(q.Body, make([]byte, 1000))
			got <- struct{}{}
			_, _ = io.ReadFull(q.Body, make([]byte, 100_000))
			got <- struct{}{}
			_, _ = io.Copy(io.Discard, q.Body)
		})), q)
	}()
	send := func(n int) {
		_, err := feed.Write(make([]byte, n))
		assert.NoError(t, err)
	}
	send(1000)
	<-got
	assert.Empty(t, r.Stats().Streams, "too little to be believed")
	assert.Equal(t, int64(1000), r.Stats().Received)
	send(100_000)
	<-got
	require.Len(t, r.Stats().Streams, 1)
	assert.Equal(t, int64(101_000), r.Stats().Streams[0].Received)
	assert.Zero(t, r.Stats().Requests, "it goes on")
	assert.Equal(t, int64(1), r.Stats().Active.Now)
	require.NoError(t, feed.Close())
	<-done
	assert.Equal(t, int64(1), r.Stats().Requests)
}

// bareWrapper is a middleware's writer.
type bareWrapper struct{ http.ResponseWriter }

func (b bareWrapper) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func TestAnnotate(t *testing.T) {
	r, log := newRecorder(t, usage.Options{})
	h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		class := usage.Class{Stream: "/alias", Kind: usage.File, Protocol: usage.Download}
		assert.True(t, usage.Annotate(bareWrapper{w}, usage.Note{User: "anna", Session: "ticket " + q.Header.Get("Ticket"), Class: &class}))
		_, _ = io.WriteString(w, "x")
	}))
	serve(h, get("/whatever", "Ticket", "1"))
	serve(h, get("/whatever", "Ticket", "2"))
	assert.Equal(t, int64(2), r.Stats().Viewers.Now)
	assert.Equal(t, "anna", log.last(t).User)
	assert.Equal(t, "/alias", log.last(t).Class.Stream)
	require.NoError(t, r.Close())
	assert.Equal(t, "anna", log.ended()[0].User)
	assert.False(t, usage.Annotate(httptest.NewRecorder(), usage.Note{}))
	assert.False(t, usage.Annotate(bareWrapper{httptest.NewRecorder()}, usage.Note{}))
}

func TestAborted(t *testing.T) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		request *http.Request
		status  int
		aborted bool
	}{
		"an empty answer":    {func(http.ResponseWriter, *http.Request) {}, get("/a.mp4"), 200, false},
		"the client left":    {func(http.ResponseWriter, *http.Request) {}, get("/a.mp4").WithContext(gone), 0, true},
		"panics":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, get("/a.mp4"), 0, true},
		"panics in the body": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(206); panic("x") }, get("/a.mp4"), 206, true},
		"shorter than said": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "x")
		}, get("/a.mp4"), 200, true},
		"HEAD is not": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
		}, httpRequest("HEAD", "/a.mp4"), 200, false},
	} {
		r, log := newRecorder(t, usage.Options{})
		func() {
			defer func() { _ = recover() }()
			serve(r.Handler(c.handler), c.request)
		}()
		assert.Equal(t, c.status, log.last(t).Status, name)
		assert.Equal(t, c.aborted, log.last(t).Aborted, name)
		assert.Zero(t, r.Stats().Active.Now, name)
	}
}

// broken is a response writer whose client has left.
type broken struct{ *httptest.ResponseRecorder }

func (broken) Write([]byte) (int, error)       { return 0, errors.New("broken pipe") }
func (broken) WriteString(string) (int, error) { return 0, errors.New("broken pipe") }

func TestWriteErrors(t *testing.T) {
	r, log := newRecorder(t, usage.Options{})
	r.Handler(answer(200, 10)).ServeHTTP(broken{httptest.NewRecorder()}, get("/a.mp4"))
	assert.True(t, log.last(t).Aborted)
	assert.Zero(t, log.last(t).Sent)
}

func TestHijack(t *testing.T) {
	r, log := newRecorder(t, usage.Options{})
	done := make(chan struct{}) // a server does not wait for who has taken its connection
	h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if assert.NoError(t, err) {
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			assert.NoError(t, c.Close())
		}
	}))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		defer close(done)
		h.ServeHTTP(w, q)
	}))
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadAll(conn)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	<-done
	srv.Close()
	require.NoError(t, r.Close())
	assert.False(t, log.last(t).Aborted)
	assert.Zero(t, log.last(t).Status)
}

func TestHeadersOfOthers(t *testing.T) {
	r, log := newRecorder(t, usage.Options{})
	for _, c := range [][]string{
		{"X-Cache", "HIT"}, {"X-Cache", "COALESCED"}, {"X-Cache", "<script>"}, {"X-Cache", "HIT"},
		{"X-Throttle", "rate=800000; burst=500000; source=mvhd"},
	} {
		serve(r.Handler(answer(200, 1, c...)), get("/a.mp4"))
	}
	assert.Equal(t, "rate=800000; burst=500000; source=mvhd", log.last(t).Throttle)
	serve(r.Handler(answer(503, 1, "X-Limit", "players-per-file")), get("/a.mp4"))
	assert.Equal(t, "players-per-file", log.last(t).Limit)
	for _, status := range []int{401, 403, 403, 429, 503, 404, 500} {
		serve(r.Handler(answer(status, 1)), get("/a.mp4"))
	}
	s := r.Stats()
	assert.Equal(t, map[string]int64{"hit": 2, "coalesced": 1, "other": 1}, s.Cache)
	assert.Equal(t, int64(1), s.Throttled)
	assert.Equal(t, map[string]int64{"players-per-file": 1, "401": 1, "403": 2, "429": 1, "503": 1}, s.Denied)
	assert.Equal(t, int64(3), s.Failed)
}

func TestWordsAreBounded(t *testing.T) {
	r, _ := newRecorder(t, usage.Options{})
	for i := range 100 {
		serve(r.Handler(answer(200, 1, "X-Cache", strings.Repeat("a", i%33+1)+string(rune('a'+i%26)))), get("/a.mp4"))
	}
	assert.LessOrEqual(t, len(r.Stats().Cache), 33)
	var sum int64
	for _, n := range r.Stats().Cache {
		sum += n
	}
	assert.Equal(t, int64(100), sum)
}

func TestPrivacy(t *testing.T) {
	for _, c := range []struct {
		name              string
		privacy           usage.Privacy
		url, referer      string
		path, query, from string
	}{
		{"nothing to hide", usage.Privacy{}, "/a/b.mp4?x=1", "https://example.com/watch/7", "/a/b.mp4", "x=1", "https://example.com/watch/7"},
		{"secrets", usage.Privacy{}, "/a.mp4?x=1&token=abc&SIG=d;access_token=e&tokens=f", "https://example.com/?token=abc",
			"/a.mp4", "x=1&token=redacted&SIG=redacted;access_token=redacted&tokens=f", "https://example.com/?token=redacted"},
		{"in disguise", usage.Privacy{}, "/a.mp4?%74oken=abc&token", "", "/a.mp4", "%74oken=redacted&token=redacted", ""},
		{"own names", usage.Privacy{Secrets: []string{"key"}}, "/a.mp4?token=abc&key=d", "", "/a.mp4", "token=abc&key=redacted", ""},
		{"no queries", usage.Privacy{DropQueries: true}, "/a.mp4?x=1", "https://example.com/a?b=c#d", "/a.mp4", "", "https://example.com/a"},
		{"in the path", usage.Privacy{}, "/t/abc/live/a.isml/Manifest", "https://example.com/t/abc/page", "/t/redacted/live/a.isml/Manifest", "",
			"https://example.com/t/redacted/page"},
		{"in an unclean path", usage.Privacy{}, "/x/..//t/abc/a.mp4", "", "/t/redacted/a.mp4", "", ""},
		{"with an encoded slash", usage.Privacy{}, "/t/abc%2Fdef/a.mp4", "", "/t/redacted", "", ""},
		{"a token alone", usage.Privacy{}, "/t/abc", "", "/t/redacted", "", ""},
		{"not at the beginning", usage.Privacy{}, "/media/t/film/a.mp4", "", "/media/t/film/a.mp4", "", ""},
		{"own prefixes", usage.Privacy{TokenPrefixes: []string{"s"}}, "/s/abc/t/def/a.mp4", "", "/s/redacted/t/def/a.mp4", "", ""},
		{"a password", usage.Privacy{}, "/a.mp4", "https://user:secret@example.com/", "/a.mp4", "", "https://example.com/"},
		{"a Referer that is none", usage.Privacy{}, "/a.mp4", "https://%zz/?token=abc", "/a.mp4", "", ""},
	} {
		r, log := newRecorder(t, usage.Options{Privacy: c.privacy})
		serve(r.Handler(answer(200, 1)), get(c.url, "Referer", c.referer))
		got := log.last(t)
		assert.Equal(t, c.path, got.Path, c.name)
		assert.Equal(t, c.query, got.Query, c.name)
		assert.Equal(t, c.from, got.Referer, c.name)
		require.NoError(t, r.Close())
		for _, s := range log.ended() {
			assert.Equal(t, c.path+" "+c.query+" "+c.from, s.Path+" "+s.Query+" "+s.Referer, c.name)
			assert.NotContains(t, s.Stream, "abc", c.name)
		}
	}
}

func TestTokensInPathsDoNotMakeStreams(t *testing.T) {
	r, _ := newRecorder(t, usage.Options{})
	h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		assert.Contains(t, q.URL.Path, "/t/", "the inner handler gets the token")
		_, _ = io.WriteString(w, "x")
	}))
	serve(h, get("/t/abc/a.ism/Manifest"))
	serve(h, get("/t/def/a.ism/Manifest"))
	require.Len(t, r.Stats().Streams, 1)
	assert.Equal(t, "/a.ism", r.Stats().Streams[0].Stream)
	assert.Equal(t, int64(1), r.Stats().Viewers.Now)
}

func TestMaskedAddresses(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.77:1234":           "192.0.2.0",
		"[::ffff:192.0.2.77]:1":     "192.0.2.0",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1::",
		"[fe80::1%eth0]:80":         "fe80::",
		"@":                         "invalid IP",
	} {
		r, log := newRecorder(t, usage.Options{Privacy: usage.Privacy{MaskAddresses: true}})
		q := get("/a.mp4")
		q.RemoteAddr = from
		serve(r.Handler(answer(200, 1)), q)
		assert.Equal(t, want, log.last(t).Address.String(), from)
		for s := range r.Sessions() {
			assert.Equal(t, want, s.Address.String(), from)
		}
	}
	r, log := newRecorder(t, usage.Options{})
	serve(r.Handler(answer(200, 1)), get("/a.mp4"))
	assert.Equal(t, "192.0.2.77", log.last(t).Address.String())
	r.SetPrivacy(usage.Privacy{MaskAddresses: true})
	serve(r.Handler(answer(200, 1)), get("/a.mp4"))
	assert.Equal(t, "192.0.2.0", log.last(t).Address.String())
	assert.Equal(t, int64(1), r.Stats().Viewers.Now, "told apart by the whole address all the same")
}
