package playlist_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

const medium = "0123456789abcdefghijklmnopqrstuvwxyz"

// serveMedium is an origin with ranges that says more than clients should know.
func serveMedium(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "video/x-ms-wmv; name=secret.wmv")
	h.Set("ETag", `"v1"`)
	h.Set("Set-Cookie", "id=1")
	h.Set("Server", "origin")
	h.Set("X-Path", "/srv/secret.wmv")
	h.Set("Content-Disposition", `attachment; filename="secret.wmv"`)
	h.Set("Content-Location", "/secret.wmv")
	h.Set("Link", "</secret.wmv>")
	h.Set("Cache-Control", "public, max-age=9")
	h.Set("Trailer", "X-Secret")
	http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), strings.NewReader(medium))
}

// through passes one request on to target and returns the answer.
func through(
	t *testing.T, r *playlist.Remote, target, method string, headers ...string,
) (*httptest.ResponseRecorder, playlist.ProxyResult, error) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "/list.isx?entryId=1", nil)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	w.Header().Set("Cache-Control", "no-cache")
	res, err := r.Proxy(w, req, target)
	return w, res, err
}

func TestProxy(t *testing.T) {
	srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			assert.Contains(t, []string{"Accept", "Accept-Encoding", "User-Agent", "Range", "If-Range"}, name)
		}
		serveMedium(w, r)
	})
	r := newRemote(t, nil)
	type result = playlist.ProxyResult
	const n, size = int64(len(medium)), "36"
	whole := result{Status: 200, Bytes: n, Size: n}
	part := func(from, bytes int64) result { return result{Status: 206, From: from, Bytes: bytes, Size: n} }
	for _, c := range []struct {
		name, method string
		headers      []string
		status       int
		body         string
		contentRange string
		result       result
	}{
		{"whole", "GET", nil, 200, medium, "", whole},
		{"other method", "POST", nil, 200, medium, "", whole},
		{"head", "HEAD", nil, 200, "", "", result{Status: 200, Size: n}},
		{"range", "GET", []string{"Range", "bytes=3-5"}, 206, "345", "bytes 3-5/" + size, part(3, 3)},
		{"open range", "GET", []string{"Range", "bytes=30-"}, 206, medium[30:], "bytes 30-35/" + size, part(30, 6)},
		{"suffix", "GET", []string{"Range", "bytes=-2"}, 206, "yz", "bytes 34-35/" + size, part(34, 2)},
		{"range beyond", "GET", []string{"Range", "bytes=99-"}, 416, "", "bytes */" + size, result{Status: 416, Size: n}},
		{"several ranges", "GET", []string{"Range", "bytes=0-1,5-6"}, 200, medium, "", whole},
		{"ranges twice", "GET", []string{"Range", "bytes=0-1", "Range", "bytes=5-6"}, 200, medium, "", whole},
		{"other unit", "GET", []string{"Range", "seconds=0-1"}, 200, medium, "", whole},
		{"if range", "GET", []string{"Range", "bytes=0-1", "If-Range", `"v1"`}, 206, "01", "bytes 0-1/" + size, part(0, 2)},
		{"if range of another", "GET", []string{"Range", "bytes=0-1", "If-Range", `"v0"`}, 200, medium, "", whole},
		{"what is not passed on", "GET", []string{"Cookie", "a=b", "Authorization", "x", "If-None-Match", `"v1"`,
			"X-Forwarded-For", "::1", "Referer", "/"}, 200, medium, "",
			whole},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, res, err := through(t, r, srv.URL+"/secret.wmv", c.method, c.headers...)
			require.NoError(t, err)
			assert.Equal(t, c.result, res)
			assert.Equal(t, c.status, w.Code)
			assert.Equal(t, c.body, w.Body.String())
			want := http.Header{"Cache-Control": {"no-cache"}, "Content-Length": {strconv.Itoa(len(c.body))}}
			if c.contentRange != "" {
				want.Set("Content-Range", c.contentRange)
			}
			if c.method == "HEAD" {
				want.Set("Content-Length", size)
			}
			if c.status != 416 {
				want.Set("Content-Type", "video/x-ms-wmv")
				want["Etag"] = []string{`"v1"`}
				want.Set("Last-Modified", time.Unix(1_700_000_000, 0).UTC().Format(http.TimeFormat))
				want.Set("Accept-Ranges", "bytes")
			}
			assert.Equal(t, want, w.Header())
		})
	}
}

// TestProxyAnswers: answers that are not what was asked for are none, and nothing has been written then.
func TestProxyAnswers(t *testing.T) {
	for _, c := range []struct {
		name    string
		asked   string
		status  int
		headers []string
		body    string
		kind    error
	}{
		{"redirect without a place", "", 302, nil, "", playlist.ErrRemote},
		{"not found", "", 404, nil, "secret.wmv", playlist.ErrNotFound},
		{"gone", "", 410, nil, "", playlist.ErrNotFound},
		{"forbidden", "", 403, nil, "", playlist.ErrRemote},
		{"error", "", 500, nil, "", playlist.ErrRemote},
		{"bad gateway", "", 502, nil, "", playlist.ErrRemote},
		{"timeout of a gateway", "", 504, nil, "", playlist.ErrRemoteTimeout},
		{"not modified", "", 304, nil, "", playlist.ErrRemote},
		{"range that was not asked for", "", 206, []string{"Content-Range", "bytes 0-1/9"}, "01", playlist.ErrRemote},
		{"416 that was not asked for", "", 416, nil, "", playlist.ErrRemote},
		{"another range", "bytes=3-", 206, []string{"Content-Range", "bytes 4-5/9"}, "45", playlist.ErrRemote},
		{"no range", "bytes=3-", 206, nil, "45", playlist.ErrRemote},
		{"several parts", "bytes=3-", 206, []string{"Content-Type", "multipart/byteranges; boundary=x"},
			"--x--", playlist.ErrRemote},
		{"body of another length", "bytes=3-", 206, []string{"Content-Range", "bytes 3-5/9", "Content-Length", "2"},
			"34", playlist.ErrRemote},
		{"compressed", "", 200, []string{"Content-Encoding", "gzip"}, "x", playlist.ErrRemote},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := elsewhere(t, func(w http.ResponseWriter, _ *http.Request) {
				for i := 0; i+1 < len(c.headers); i += 2 {
					w.Header().Set(c.headers[i], c.headers[i+1])
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			var headers []string
			if c.asked != "" {
				headers = []string{"Range", c.asked}
			}
			w, res, err := through(t, newRemote(t, nil), srv.URL+"/secret.wmv", "GET", headers...)
			checkQuiet(t, err, c.kind, srv.URL+"/secret.wmv")
			assert.Zero(t, res.Status)
			assert.Equal(t, http.Header{"Cache-Control": {"no-cache"}}, w.Header())
			assert.Empty(t, w.Body.String())
		})
	}
}

func TestProxyHeaders(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"Content-Type", "text/html", "application/octet-stream"},
		{"Content-Type", "image/svg+xml", "application/octet-stream"},
		{"Content-Type", "Image/PNG", "image/png"},
		{"Content-Type", "audio/mpeg; codecs=x", "audio/mpeg"},
		{"Content-Type", "application/vnd.apple.mpegURL", "application/vnd.apple.mpegurl"},
		{"Content-Type", "application/javascript", "application/octet-stream"},
		{"Content-Type", "video/", "application/octet-stream"},
		{"ETag", `W/"a"`, `W/"a"`},
		{"ETag", `a`, ""},
		{"ETag", `"a"b"`, ""},
		{"ETag", `"` + strings.Repeat("a", 300) + `"`, ""},
		{"Last-Modified", "yesterday", ""},
		{"Accept-Ranges", "none", "none"},
		{"Accept-Ranges", "pages", ""},
		{"Age", "5", ""},
		{"Connection", "close", ""},
		{"Location", "/secret", ""},
	} {
		srv := elsewhere(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(c.name, c.value) })
		w, _, err := through(t, newRemote(t, nil), srv.URL, "GET")
		require.NoError(t, err)
		assert.Equal(t, c.want, w.Header().Get(c.name), c.value)
	}
}

// TestProxyEnds: a body that ends early or goes on for too long is cut, and the caller knows.
func TestProxyEnds(t *testing.T) {
	for _, c := range []struct {
		name, asked string
		head        []string
		status      int
		body, sent  string
		kind        error
	}{
		{"long range", "bytes=0-2", []string{"Content-Range", "bytes 0-2/9"}, 206, "0123456", "012", nil},
		{"short range", "bytes=0-5", []string{"Content-Range", "bytes 0-5/9"}, 206, "012", "012", playlist.ErrRemote},
		{"no length", "", nil, 200, "0123", "0123", nil},
	} {
		r := newRemote(t, &playlist.RemoteOptions{Transport: transport(func(r *http.Request) (*http.Response, error) {
			return reply(r, c.status, io.NopCloser(strings.NewReader(c.body)), c.head...), nil
		})})
		var headers []string
		if c.asked != "" {
			headers = []string{"Range", c.asked}
		}
		w, res, err := through(t, r, "http://secret/a.wmv", "GET", headers...)
		assert.Equal(t, c.sent, w.Body.String(), c.name)
		assert.Equal(t, int64(len(c.sent)), res.Bytes, c.name)
		assert.Equal(t, c.status, res.Status)
		if c.kind == nil {
			assert.NoError(t, err, c.name)
			continue
		}
		checkQuiet(t, err, c.kind, "http://secret/a.wmv")
	}
	srv := elsewhere(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		_, _ = io.WriteString(w, "0123")
	})
	w, res, err := through(t, newRemote(t, nil), srv.URL, "GET")
	checkQuiet(t, err, playlist.ErrRemote, srv.URL)
	assert.Equal(t, playlist.ProxyResult{Status: 200, Bytes: 4, Size: 9}, res)
	assert.Equal(t, "0123", w.Body.String())
}

// slowWriter is a client that takes its time for each write.
type slowWriter struct {
	*httptest.ResponseRecorder
	pause time.Duration
}

func (w *slowWriter) Write(p []byte) (int, error) {
	time.Sleep(w.pause)
	return w.ResponseRecorder.Write(p)
}

// TestProxyTimeouts: neither a long body nor a slow client ends a medium, but silence does.
func TestProxyTimeouts(t *testing.T) {
	for name, c := range map[string]struct {
		s     stalling
		pause time.Duration
		late  bool
		sent  int64
		took  time.Duration
	}{
		"long":        {stalling{gap: 4 * time.Second, bytes: 1000}, 0, false, 1000, 4000 * time.Second},
		"slow client": {stalling{gap: time.Second, bytes: 3}, time.Hour, false, 3, 3*time.Hour + 3*time.Second},
		"silence":     {stalling{gap: 6 * time.Second, bytes: 3}, 0, true, 0, 5 * time.Second},
		"no answer":   {stalling{answer: time.Hour}, 0, true, 0, 5*time.Second + 2*time.Minute + 30*time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRemote(t, &playlist.RemoteOptions{ReceiveTimeout: 5 * time.Second, TotalTimeout: time.Hour, Transport: &c.s})
			began := time.Now()
			w := &slowWriter{httptest.NewRecorder(), c.pause}
			res, err := r.Proxy(w, httptest.NewRequest("GET", "/", nil), "http://secret/a.wmv")
			assert.Equal(t, c.took, time.Since(began), name)
			assert.Equal(t, c.sent, res.Bytes, name)
			if c.late {
				checkQuiet(t, err, playlist.ErrRemoteTimeout, "http://secret/a.wmv")
				return
			}
			assert.NoError(t, err, name)
		})
	}
}

// TestProxySilence is the receive timeout of a body over a real connection.
func TestProxySilence(t *testing.T) {
	srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "0123")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	r := newRemote(t, &playlist.RemoteOptions{AllowPrivate: true, ReceiveTimeout: 50 * time.Millisecond})
	w, res, err := through(t, r, srv.URL+"/secret", "GET")
	checkQuiet(t, err, playlist.ErrRemoteTimeout, srv.URL+"/secret")
	assert.Equal(t, playlist.ProxyResult{Status: 200, Bytes: 4, Size: -1}, res)
	assert.Equal(t, "0123", w.Body.String())
}

// TestProxyClientLeaves: the request elsewhere ends with that of the client.
func TestProxyClientLeaves(t *testing.T) {
	left := make(chan struct{})
	srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "0123")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	})
	r := newRemote(t, nil)
	failed := make(chan error, 1)
	front := elsewhere(t, func(w http.ResponseWriter, req *http.Request) {
		_, err := r.Proxy(w, req, srv.URL)
		failed <- err
		panic(http.ErrAbortHandler)
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, front.URL, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	cancel() // the header has come before any more of the body
	<-left
	err = <-failed
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotContains(t, err.Error(), "127.0.0.1")
}

// readerFrom is a writer that reads by itself, as those that pace or send files do.
type readerFrom struct {
	*httptest.ResponseRecorder
	calls int
}

func (w *readerFrom) ReadFrom(r io.Reader) (int64, error) {
	w.calls++
	var b bytes.Buffer
	_, _ = b.ReadFrom(r)
	n, err := w.ResponseRecorder.Write(b.Bytes())
	return int64(n), err
}

// fullWriter is a client that is gone.
type fullWriter struct{ *httptest.ResponseRecorder }

var errGone = errors.New("write: broken pipe")

func (fullWriter) Write([]byte) (int, error) { return 0, errGone }

func TestProxyWriters(t *testing.T) {
	srv := elsewhere(t, serveMedium)
	r := newRemote(t, nil)
	w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
	res, err := r.Proxy(w, httptest.NewRequest("GET", "/", nil), srv.URL)
	require.NoError(t, err)
	assert.Equal(t, 1, w.calls)
	assert.Equal(t, medium, w.Body.String())
	assert.Equal(t, int64(len(medium)), res.Bytes)

	res, err = r.Proxy(fullWriter{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil), srv.URL)
	assert.ErrorIs(t, err, errGone)
	assert.False(t, errors.Is(err, playlist.ErrRemote), "not the fault of the server")
	assert.Equal(t, 200, res.Status)
}

// TestProxyRedirect: a redirect is followed, not shown, and with its range.
func TestProxyRedirect(t *testing.T) {
	media := elsewhere(t, serveMedium)
	srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		http.Redirect(w, r, media.URL+"/x", http.StatusMovedPermanently)
	})
	w, res, err := through(t, newRemote(t, nil), srv.URL, "GET", "Range", "bytes=1-2")
	require.NoError(t, err)
	assert.Equal(t, "12", w.Body.String())
	assert.Equal(t, int64(1), res.From)
	assert.Empty(t, w.Header().Get("Set-Cookie"))
	assert.Empty(t, w.Header().Get("Location"))
	_, _, err = through(t, newRemote(t, &playlist.RemoteOptions{}), srv.URL, "GET")
	checkQuiet(t, err, playlist.ErrForbiddenSource, srv.URL)
}
