package edge_test

import (
	"context"
	"errors"
	"fmt"
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

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// start begins a GET and returns what comes of it.
func (r *rig) start(ctx context.Context, target string, fields ...string) <-chan answer {
	result := make(chan answer, 1)
	go func() {
		req := httptest.NewRequestWithContext(ctx, "GET", target, nil)
		for i := 0; i < len(fields); i += 2 {
			req.Header.Add(fields[i], fields[i+1])
		}
		resp, err := direct{r.cache}.RoundTrip(req)
		if err != nil {
			result <- answer{err: err}
			return
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		result <- answer{resp.StatusCode, resp.Header, string(data), err}
	}()
	return result
}

// gated is a handler that sends its header, and the parts of its body, when it is told to.
type gated struct {
	fields []string
	status int
	begin  chan struct{}
	parts  chan string // closed at the end; "!" cuts the body
	ended  chan struct{}
}

func newGated(status int, fields ...string) *gated {
	return &gated{fields: fields, status: status, begin: make(chan struct{}), parts: make(chan string), ended: make(chan struct{}, 100)}
}

func (g *gated) serve(w http.ResponseWriter, r *http.Request) {
	defer func() { g.ended <- struct{}{} }()
	select {
	case <-g.begin:
	case <-r.Context().Done():
		return
	}
	for i := 0; i < len(g.fields); i += 2 {
		w.Header().Add(g.fields[i], g.fields[i+1])
	}
	w.WriteHeader(g.status)
	for {
		select {
		case part, more := <-g.parts:
			if part == "!" {
				panic(http.ErrAbortHandler)
			}
			if !more {
				return
			}
			_, _ = io.WriteString(w, part)
		case <-r.Context().Done():
			return
		}
	}
}

// A thousand requests for one key are one request to the upstream, whatever it answers that is for all.
func TestHerd(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		fields []string
	}{
		"fragment":  {200, []string{"Cache-Control", "max-age=10", "Content-Length", "8"}},
		"chunked":   {200, []string{"Cache-Control", "max-age=10"}},
		"validated": {200, []string{"Cache-Control", "no-cache", "Etag", `"a"`, "Content-Length", "8"}},
		"not yet":   {412, []string{"Cache-Control", "no-store", "Content-Length", "8"}},
		"not found": {404, []string{"Content-Length", "8"}},
		"error":     {503, []string{"Content-Length", "8"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGated(c.status, c.fields...)
				r := newRig(t, g.serve, nil)
				var results []<-chan answer
				for range 1000 {
					results = append(results, r.start(t.Context(), "/a"))
				}
				synctest.Wait()
				close(g.begin)
				g.parts <- "0123"
				synctest.Wait()
				g.parts <- "4567"
				close(g.parts)
				counts := map[string]int{}
				for _, result := range results {
					a := <-result
					require.NoError(t, a.err)
					require.Equal(t, c.status, a.status)
					require.Equal(t, "01234567", a.body)
					counts[a.cache()]++
				}
				assert.Equal(t, map[string]int{"MISS": 1, "COALESCED": 999}, counts)
				assert.EqualValues(t, 1, r.origin.requests.Load())
			})
		})
	}
}

// Waiters get bytes as they arrive, and those who come later everything from the beginning.
func TestStreaming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(200, "Cache-Control", "max-age=10", "Content-Length", "9")
		r := newRig(t, g.serve, nil)
		responses := make(chan *http.Response, 3)
		open := func() {
			resp, err := direct{r.cache}.RoundTrip(httptest.NewRequest("GET", "/a", nil))
			assert.NoError(t, err)
			responses <- resp
		}
		read := func(resp *http.Response, want string) {
			buf := make([]byte, len(want))
			_, err := io.ReadFull(resp.Body, buf)
			assert.NoError(t, err)
			assert.Equal(t, want, string(buf))
		}
		go open()
		synctest.Wait()
		go open()
		synctest.Wait()
		close(g.begin)
		first, second := <-responses, <-responses // the header comes before the body
		g.parts <- "abc"
		read(first, "abc")
		read(second, "abc")
		go open()
		third := <-responses
		assert.Equal(t, "COALESCED", third.Header.Get("X-Cache"))
		read(third, "abc")
		g.parts <- "def"
		read(third, "def") // the other two are slow, and nobody waits for them
		g.parts <- "ghi"
		close(g.parts)
		read(third, "ghi")
		read(first, "defghi")
		read(second, "defghi")
		synctest.Wait()
		assert.Equal(t, "HIT", r.get("/a").cache())
		assert.EqualValues(t, 1, r.origin.requests.Load())
		for _, resp := range []*http.Response{first, second, third} {
			_ = resp.Body.Close()
		}
	})
}

// Ranges and conditions are answered from what arrives.
func TestRangeInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(200, "Cache-Control", "max-age=10", "Content-Length", "10", "Etag", `"a"`)
		r := newRig(t, g.serve, nil)
		whole := r.start(t.Context(), "/a")
		synctest.Wait()
		part := r.start(t.Context(), "/a", "Range", "bytes=2-4")
		same := r.start(t.Context(), "/a", "If-None-Match", `"a"`)
		last := r.start(t.Context(), "/a", "Range", "bytes=-3")
		synctest.Wait()
		close(g.begin)
		g.parts <- "01234"
		a := <-part
		assert.Equal(t, "234", a.body)
		assert.Equal(t, 206, a.status)
		assert.Equal(t, "bytes 2-4/10", a.header.Get("Content-Range"))
		assert.Equal(t, 304, (<-same).status)
		g.parts <- "56789"
		close(g.parts)
		assert.Equal(t, "0123456789", (<-whole).body)
		assert.Equal(t, "789", (<-last).body)
	})
}

// A body that ends early is cut for all, and nothing is stored.
func TestHalfABody(t *testing.T) {
	for name, fields := range map[string][]string{
		"length":  {"Cache-Control", "max-age=10", "Content-Length", "10"},
		"chunked": {"Cache-Control", "max-age=10"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGated(200, fields...)
				r := newRig(t, g.serve, nil)
				results := []<-chan answer{
					r.start(t.Context(), "/a"), r.start(t.Context(), "/a"), r.start(t.Context(), "/a", "Range", "bytes=2-7"),
				}
				synctest.Wait()
				close(g.begin)
				g.parts <- "01234"
				synctest.Wait()
				g.parts <- "!"
				for _, result := range results {
					a := <-result
					assert.ErrorIs(t, a.err, io.ErrUnexpectedEOF)
				}
				assert.Zero(t, r.cache.Stats().Memory.Keys)
				assert.EqualValues(t, 3, r.cache.Stats().Failed)
			})
		})
	}
}

// Who caused a flight may leave, and the others get everything. When all have left the flight ends, or goes on if little
// is missing.
func TestLeaving(t *testing.T) {
	for _, c := range []struct {
		name, length string
		stay, stored bool
		sent         string
	}{
		{"one stays", "10", true, true, "01234"},
		{"nobody stays, little is missing", "10", false, true, "01234"},
		{"nobody stays, much is missing", "9000000", false, false, "01234"},
		{"nobody stays, nothing is known", "", false, false, "01234"},
		{"nobody stays, no header", "10", false, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fields := []string{"Cache-Control", "max-age=10"}
			if c.length != "" {
				fields = append(fields, "Content-Length", c.length)
			}
			synctest.Test(t, func(t *testing.T) {
				g := newGated(200, fields...)
				r := newRig(t, g.serve, nil)
				ctx, leave := context.WithCancel(t.Context())
				r.start(ctx, "/a")
				synctest.Wait()
				stays := t.Context()
				if !c.stay {
					stays = ctx
				}
				second := r.start(stays, "/a")
				synctest.Wait()
				if c.sent != "" {
					close(g.begin)
					g.parts <- c.sent
					synctest.Wait()
				}
				leave()
				synctest.Wait()
				if !c.stored {
					assert.Len(t, g.ended, 1, "the upstream request has ended")
					assert.Zero(t, r.cache.Stats().InFlight)
					assert.Zero(t, r.cache.Stats().InFlightBytes)
					return
				}
				g.parts <- "56789"
				close(g.parts)
				if c.stay {
					assert.Equal(t, "0123456789", (<-second).body)
				}
				synctest.Wait()
				assert.Equal(t, "HIT", r.get("/a").cache())
			})
		})
	}
}

// What is not for all is fetched by each for itself, with what it sent; the one who asked first gets the first.
func TestPrivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := make(chan struct{})
		r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			<-begin
			reply(200, r.Header.Get("Cookie")+r.Header.Get("Range"), "Cache-Control", "private")(w, r)
		}, nil)
		var results []<-chan answer
		results = append(results, r.start(t.Context(), "/a"))
		synctest.Wait()
		for i := range 10 {
			results = append(results, r.start(t.Context(), "/a", "Cookie", fmt.Sprint(i), "Range", "bytes=0-1"))
		}
		synctest.Wait()
		assert.EqualValues(t, 1, r.origin.requests.Load())
		close(begin)
		a := <-results[0]
		assert.Equal(t, "MISS", a.cache())
		assert.Equal(t, "", a.body)
		for i, result := range results[1:] {
			a := <-result
			assert.Equal(t, "BYPASS", a.cache())
			assert.Equal(t, fmt.Sprint(i)+"bytes=0-1", a.body)
		}
		assert.EqualValues(t, 11, r.origin.requests.Load())
		assert.Equal(t, "BYPASS", r.get("/a").cache(), "for a while it passes through at once")
		r.clock.advance(11 * time.Second)
		assert.Equal(t, "MISS", r.get("/a").cache())
		assert.Equal(t, "c", r.get("/b", "Cookie", "c").body, "with a cookie the first one as well")
	})
}

// Herds for variants that nobody knew before make one request for each.
func TestHerdOfVariants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := make(chan struct{})
		r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			<-begin
			reply(200, r.Header.Get("Origin"), "Cache-Control", "max-age=10", "Vary", "Origin")(w, r)
		}, nil)
		var results []<-chan answer
		for i := range 300 {
			results = append(results, r.start(t.Context(), "/a", "Origin", fmt.Sprint(i%3)))
		}
		synctest.Wait()
		close(begin)
		for i, result := range results {
			a := <-result
			assert.Equal(t, fmt.Sprint(i%3), a.body)
		}
		assert.EqualValues(t, 3, r.origin.requests.Load())
	})
}

// Who comes when the head of a flight is older than its lifetime makes a new one.
func TestLateJoiner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newGated(200, "Cache-Control", "max-age=1", "Content-Length", "4")
		calls := 0
		r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				first.serve(w, r)
				return
			}
			reply(200, "new", "Cache-Control", "max-age=1")(w, r)
		}, nil)
		old := r.start(t.Context(), "/live")
		synctest.Wait()
		close(first.begin)
		first.parts <- "ol"
		synctest.Wait()
		r.clock.advance(time.Second)
		a := r.get("/live")
		assert.Equal(t, "new", a.body)
		first.parts <- "d."
		close(first.parts)
		assert.Equal(t, "old.", (<-old).body)
	})
}

// An upstream that says nothing, or stops in the middle, is given up.
func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(200, "Cache-Control", "max-age=10", "Content-Length", "10")
		r := newRig(t, g.serve, &edge.Options{HeaderTimeout: 3 * time.Second, IdleTimeout: 2 * time.Second})
		began := time.Now()
		a := <-r.start(t.Context(), "/a")
		assert.Equal(t, 504, a.status)
		assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
		assert.Equal(t, 3*time.Second, time.Since(began))

		began = time.Now()
		result := r.start(t.Context(), "/a")
		synctest.Wait()
		close(g.begin)
		g.parts <- "01234"
		a = <-result
		assert.ErrorIs(t, a.err, io.ErrUnexpectedEOF)
		assert.Equal(t, 2*time.Second, time.Since(began))
	})
}

// A body without a length that turns out too large is cut, and passes through next time.
func TestTooLargeChunked(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=10")
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
	}, &edge.Options{MaxObject: 50_000})
	assert.Error(t, r.get("/a").err)
	a := r.get("/a")
	assert.NoError(t, a.err)
	assert.Len(t, a.body, 100_000)
	assert.Equal(t, "BYPASS", a.cache())
}

// A body without a length grows and is stored with one.
func TestChunked(t *testing.T) {
	want := strings.Repeat("0123456789", 20_000)
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=10")
		for rest := want; rest != ""; rest = rest[1000:] {
			_, _ = io.WriteString(w, rest[:1000])
		}
	}, nil)
	a := r.get("/a")
	assert.Equal(t, want, a.body)
	assert.Empty(t, a.header.Get("Content-Length"))
	a = r.get("/a")
	assert.Equal(t, want, a.body)
	assert.Equal(t, "200000", a.header.Get("Content-Length"))
	assert.Zero(t, r.cache.Stats().InFlightBytes)
}

// More flights to an upstream than allowed wait, and more than that are refused.
func TestMaxFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := make(chan struct{})
		r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			<-begin
			reply(200, "body", "Cache-Control", "max-age=10")(w, r)
		}, &edge.Options{MaxFetches: 2})
		var results []<-chan answer
		for i := range 4 {
			results = append(results, r.start(t.Context(), fmt.Sprintf("/%d", i)))
		}
		synctest.Wait()
		assert.EqualValues(t, 2, r.origin.requests.Load())
		assert.Equal(t, 2, r.cache.Stats().Upstreams[0].InFlight)
		a := r.get("/5")
		assert.Equal(t, 503, a.status)
		assert.Equal(t, "1", a.header.Get("Retry-After"))
		close(begin)
		for _, result := range results {
			assert.Equal(t, 200, (<-result).status)
		}
		synctest.Wait()
		assert.Zero(t, r.cache.Stats().Upstreams[0].InFlight)
	})
}

// Close ends what is in flight, and what comes afterwards.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(200, "Cache-Control", "max-age=10", "Content-Length", "10")
		r := newRig(t, g.serve, nil)
		result := r.start(t.Context(), "/a")
		synctest.Wait()
		close(g.begin)
		g.parts <- "01234"
		synctest.Wait()
		require.NoError(t, r.cache.Close())
		assert.Error(t, (<-result).err)
		assert.Equal(t, 503, r.get("/a").status)
		assert.Equal(t, 503, r.do("POST", "/a", strings.NewReader("x")).status)
		require.NoError(t, r.cache.Close())
	})
}

// What is observed is what happened, once per request.
func TestObserve(t *testing.T) {
	var mu sync.Mutex
	var seen []edge.Observation
	opts := &edge.Options{Observe: func(o edge.Observation) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, o)
	}}
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "9")
			w.Header().Set("Cache-Control", "max-age=9")
			_, _ = io.WriteString(w, "x")
			panic(http.ErrAbortHandler)
		case "/down":
			panic(http.ErrAbortHandler)
		}
		reply(200, "body", "Cache-Control", "max-age=10")(w, r)
	}, opts)
	r.get("/a")
	r.get("/a")
	r.get("/a", "Range", "bytes=0-1")
	r.do("POST", "/b", strings.NewReader("x"))
	r.get("/cut")
	r.get("/down")
	r.get("/a/../b")
	want := []struct {
		result edge.Result
		status int
		bytes  int64
		err    error
	}{
		{edge.Miss, 200, 4, nil}, {edge.Hit, 200, 4, nil}, {edge.Hit, 206, 0, nil}, {edge.Bypass, 200, 0, nil},
		{edge.Miss, 200, 1, edge.ErrTruncated}, {edge.Miss, 502, 0, io.ErrUnexpectedEOF}, {edge.Miss, 400, 0, edge.ErrBadPath},
	}
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, seen, len(want))
	for i, w := range want {
		assert.Equal(t, w.result, seen[i].Result, i)
		assert.Equal(t, w.status, seen[i].Status, i)
		assert.Equal(t, w.bytes, seen[i].Bytes, i)
		assert.True(t, errors.Is(seen[i].Err, w.err), "%d: %v", i, seen[i].Err)
	}
	s := r.cache.Stats()
	assert.EqualValues(t, []uint64{4, 2, 1, 3, 3}, []uint64{s.Misses, s.Hits, s.Bypassed, s.Failed, s.Fetches})
}
