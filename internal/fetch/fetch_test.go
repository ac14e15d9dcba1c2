package fetch_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fetch"
)

// serve starts a server: /N redirects N times, to /0, which answers with the request's headers; /cut promises more
// bytes than it sends.
func serve(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Path[1:])
		switch {
		case err != nil:
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "12345")
		case n > 0:
			http.Redirect(w, r, fmt.Sprintf("/%d", n-1), http.StatusFound)
		default:
			fmt.Fprintf(w, "%s %s %s", r.Method, r.Header.Get("Accept-Encoding"), r.Header.Get("Range"))
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func do(t *testing.T, o fetch.Options, target string, limit int64, headers ...string) *fetch.Answer {
	t.Helper()
	o.Timeout = time.Minute
	c := fetch.NewClient(o)
	t.Cleanup(c.Close)
	a, err := c.Do(t.Context(), http.MethodGet, target, limit, headers...)
	require.NoError(t, err)
	return a
}

func TestDo(t *testing.T) {
	base := serve(t)
	a := do(t, fetch.Options{}, base+"/0", 100, "Range", "bytes=0-")
	assert.Equal(t, "GET identity bytes=0-", string(a.Body))
	assert.Equal(t, int64(len(a.Body)), a.Length)
	assert.False(t, a.Cut || a.Large || a.IsRedirected())

	assert.False(t, do(t, fetch.Options{}, base+"/0", int64(len("GET identity "))).Large, "as many bytes as the limit")
	a = do(t, fetch.Options{}, base+"/0", 5)
	assert.True(t, a.Large)
	assert.Len(t, a.Body, 6)

	a = do(t, fetch.Options{}, base+"/cut", 100)
	assert.True(t, a.Cut)
	assert.Equal(t, "12345", string(a.Body))
}

func TestRedirects(t *testing.T) {
	base := serve(t)
	for _, c := range []struct {
		allowed, redirects int
		final              string
	}{{0, 0, "/0"}, {0, 1, "/1"}, {3, 3, "/0"}, {3, 4, "/1"}} {
		a := do(t, fetch.Options{Redirects: c.allowed}, fmt.Sprintf("%s/%d", base, c.redirects), 100)
		assert.Equal(t, c.final, a.Final.Path, "%+v", c)
		assert.Equal(t, c.redirects > c.allowed, a.IsRedirect(), "%+v", c)
		assert.Equal(t, c.allowed > 0, a.IsRedirected(), "%+v", c)
	}
}

// TestClientOfCaller: what the caller gave stays as it was.
func TestClientOfCaller(t *testing.T) {
	own := &http.Client{}
	a := do(t, fetch.Options{Client: own}, serve(t)+"/1", 100)
	assert.Equal(t, http.StatusFound, a.Status)
	assert.Nil(t, own.CheckRedirect)
}

func TestErrors(t *testing.T) {
	c := fetch.NewClient(fetch.Options{Timeout: time.Minute})
	defer c.Close()
	_, err := c.Do(t.Context(), "bad method", "http://127.0.0.1/", 1)
	assert.ErrorContains(t, err, "invalid method")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Do(ctx, http.MethodGet, serve(t), 1)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestAnswer(t *testing.T) {
	a := &fetch.Answer{Header: http.Header{"Content-Type": {"Text/HTML; charset=utf-8"}}}
	assert.Equal(t, "text/html", a.MediaType())
	assert.True(t, a.IsHTML())
	assert.True(t, (&fetch.Answer{Body: []byte(" \n<!DOCTYPE html>")}).IsHTML())
	assert.False(t, (&fetch.Answer{Body: []byte("#EXTM3U")}).IsHTML())

	for value, want := range map[string]int64{
		"": -1, "no-store": -1, "public, Max-Age=60": 60, `max-age="5"`: 5, "max-age=x": -1, "s-maxage=7": -1,
	} {
		assert.Equal(t, want, (&fetch.Answer{Header: http.Header{"Cache-Control": {value}}}).MaxAge(), value)
	}

	_, ok := a.Cookie()
	assert.False(t, ok)
	a.Header.Set("Set-Cookie", "id=1; Path=/")
	name, ok := a.Cookie()
	assert.True(t, ok)
	assert.Equal(t, "id", name)
}

func TestStatusHint(t *testing.T) {
	meanings := map[int]string{404: "no such film", 403: "refused"}
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{404, "404 page not found\n", `status 404 with the body "404 page not found": that is the answer of a Go mux`},
		{404, "<html>gone", "status 404 with an HTML page: another server"},
		{404, "none", `status 404 with the body "none": no such film`},
		{403, "", "status 403: refused"},
		{500, "", "status 500: see the log of the server"},
		{418, strings.Repeat("x", 100), `status 418 with the body "` + strings.Repeat("x", 80) + `"`},
	} {
		got := (&fetch.Answer{Status: c.status, Body: []byte(c.body)}).StatusHint(meanings)
		assert.True(t, strings.HasPrefix(got, c.want), "%d: %s", c.status, got)
	}
}
