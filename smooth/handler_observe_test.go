package smooth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// quiet returns options whose log is dropped.
func quiet(opts *smooth.HandlerOptions) *smooth.HandlerOptions {
	if opts == nil {
		opts = &smooth.HandlerOptions{}
	}
	opts.Logger = slog.New(slog.DiscardHandler)
	return opts
}

func TestHandlerObserve(t *testing.T) {
	var seen []smooth.Observation
	h, p := newFakeHandler(t, quiet(&smooth.HandlerOptions{Observe: func(o smooth.Observation) { seen = append(seen, o) }}))
	size := int64(len(p.fragments[videoKey(20000000)].Memory))
	p.err[videoKey(0)] = errors.New("broken")
	do(h, "GET", videoURL)
	do(h, "GET", videoURL, "Range: bytes=0-9")
	do(h, "HEAD", videoURL)
	do(h, "GET", "/a.ism/QualityLevels(1200000)/Fragments(video=0)")
	do(h, "GET", "/nosuch")
	require.Len(t, seen, 5)
	for i, want := range []struct {
		status int
		bytes  int64
		failed bool
	}{{200, size, false}, {206, 10, false}, {200, 0, false}, {500, 22, true}, {404, 10, true}} {
		assert.Equal(t, want.status, seen[i].Status, i)
		assert.Equal(t, want.bytes, seen[i].Bytes, i)
		assert.Equal(t, want.failed, seen[i].Err != nil, i)
		assert.NotNil(t, seen[i].HTTP)
		assert.False(t, seen[i].Start.IsZero())
	}
	assert.Equal(t, videoKey(20000000), seen[0].Request.Key)
	assert.Equal(t, "a.ism", seen[0].Request.Presentation)
	assert.Equal(t, smooth.Stats{
		Requests: 5, Bytes: uint64(size) + 42, Fragments: 4, ClientErrors: 1, ServerErrors: 1,
	}, h.Stats())
}

func TestHandlerLogLevels(t *testing.T) {
	for _, tt := range []struct {
		err    error
		target string
		level  string
	}{
		{nil, videoURL, ""},
		{nil, "/nosuch", "DEBUG"},
		{smooth.ErrNotYet, videoURL, "DEBUG"},
		{smooth.ErrGone, videoURL, "DEBUG"},
		{nil, "/a.ism/QualityLevels(x)/Fragments(video=0)", "INFO"},
		{smooth.ErrUnsupported, videoURL, "INFO"},
		{smooth.ErrCorrupt, videoURL, "ERROR"},
		{errors.New("broken"), videoURL, "ERROR"},
	} {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		h, p := newFakeHandler(t, &smooth.HandlerOptions{Logger: logger})
		p.err[videoKey(20000000)] = tt.err
		do(h, "GET", tt.target+"?token=secret")
		if tt.level == "" {
			assert.Empty(t, log.String())
			continue
		}
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), "%v: %s", tt.err, log.String())
		assert.Contains(t, log.String(), "level="+tt.level, "%v", tt.err)
		assert.NotContains(t, log.String(), "secret")
	}
}

func TestHandlerClientGone(t *testing.T) {
	var log bytes.Buffer
	var seen smooth.Observation
	h, p := newFakeHandler(t, &smooth.HandlerOptions{
		Logger: slog.New(slog.NewTextHandler(&log, nil)), Observe: func(o smooth.Observation) { seen = o },
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p.err[videoKey(20000000)] = ctx.Err()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", videoURL, nil).WithContext(ctx))
	assert.Empty(t, log.String())
	assert.Zero(t, seen.Status)
	assert.Empty(t, w.Body.String())
	assert.NotEqual(t, 200, w.Code, "nothing may take this for an answer")
	assert.Equal(t, smooth.Stats{Requests: 1, Fragments: 1, Aborted: 1}, h.Stats())
}

// brokenWriter fails after the header.
type brokenWriter struct{ *httptest.ResponseRecorder }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("cable cut") }

func TestHandlerBreaksOffHalfAnswers(t *testing.T) {
	h, p := newFakeHandler(t, quiet(nil))
	w := brokenWriter{httptest.NewRecorder()}
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { h.ServeHTTP(w, httptest.NewRequest("GET", videoURL, nil)) })
	assert.EqualValues(t, 1, h.Stats().Aborted)
	assert.Zero(t, p.open)
}

func TestHandlerPanic(t *testing.T) {
	var log bytes.Buffer
	src := &fakeSource{open: func() { panic("out of cheese") }}
	h := smooth.NewHandler(src, &smooth.HandlerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	resp := do(h, "GET", "/a.ism/Manifest")
	assert.Equal(t, 500, resp.StatusCode)
	assert.Equal(t, "internal server error\n", body(t, resp))
	assert.Contains(t, log.String(), "level=ERROR")
	assert.Contains(t, log.String(), "out of cheese")
	assert.Equal(t, smooth.Stats{Requests: 1, Bytes: 22, ServerErrors: 1, Panics: 1}, h.Stats())

	src.open = func() { panic(http.ErrAbortHandler) }
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { do(h, "GET", "/a.ism/Manifest") })
	assert.EqualValues(t, 1, h.Stats().Panics)
}

// waiter is a live fake whose next fragment arrives after a while.
type waiter struct {
	*fakePresentation
	arrives time.Duration
	next    smooth.FragmentInit
}

func (w *waiter) Wait(ctx context.Context, k smooth.FragmentKey) error {
	select {
	case <-time.After(w.arrives):
		delete(w.err, k)
		w.fragments[k] = w.next
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestHandlerWaitAtEdge(t *testing.T) {
	for _, tt := range []struct {
		name          string
		arrives, wait time.Duration
		time          uint64
		status        int
		took          time.Duration
		held          uint64
	}{
		{"comes in time", time.Second, 2 * time.Second, 60000000, 200, time.Second, 1},
		{"comes too late", 3 * time.Second, 2 * time.Second, 60000000, 412, 2 * time.Second, 1},
		{"too far ahead", time.Second, 2 * time.Second, 160000001, 412, 0, 0},
		{"not wanted", time.Second, 0, 60000000, 412, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFake(t)
				p.snapshot.Ended = false
				k := videoKey(tt.time)
				p.err[k] = smooth.ErrNotYet
				live := &waiter{p, tt.arrives, fakeFragment(t, k, smooth.Video, 10)}
				h := smooth.NewHandler(&fakeSource{name: "a.ism", p: live}, quiet(&smooth.HandlerOptions{WaitAtEdge: tt.wait}))
				q := smooth.Request{Presentation: "a.ism", Kind: smooth.FragmentRequest, Key: k}
				start := time.Now()
				resp := do(h, "GET", "/"+q.String())
				assert.Equal(t, tt.status, resp.StatusCode)
				assert.Equal(t, tt.took, time.Since(start))
				assert.Equal(t, tt.held, h.Stats().Held)
			})
		})
	}
}

func TestHandlerWaitAtEdgeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFake(t)
		k := videoKey(60000000)
		p.err[k] = smooth.ErrNotYet
		h := smooth.NewHandler(&fakeSource{name: "a.ism", p: &waiter{p, time.Hour, smooth.FragmentInit{}}},
			quiet(&smooth.HandlerOptions{WaitAtEdge: time.Minute}))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		parent, leave := context.WithCancel(ctx)
		time.AfterFunc(time.Second/2, leave)
		w := httptest.NewRecorder()
		start := time.Now()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/a.ism/QualityLevels(1200000)/Fragments(video=60000000)", nil).WithContext(parent))
		assert.Equal(t, time.Second/2, time.Since(start))
		assert.EqualValues(t, 1, h.Stats().Aborted)
	})
}

// TestHandlerServer sends over a real connection, where net/http checks Content-Length and HEAD.
func TestHandlerServer(t *testing.T) {
	h, p := newFakeHandler(t, nil)
	server := httptest.NewServer(h)
	defer server.Close()
	client := server.Client()
	for _, method := range []string{"GET", "HEAD"} {
		r, err := http.NewRequest(method, server.URL+videoURL, nil)
		require.NoError(t, err)
		resp, err := client.Do(r)
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		assert.EqualValues(t, len(p.fragments[videoKey(20000000)].Memory), resp.ContentLength)
		if method == "GET" {
			assert.Equal(t, p.fragments[videoKey(20000000)].Memory, b)
		}
	}
}
