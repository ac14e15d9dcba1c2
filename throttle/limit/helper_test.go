package limit_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle/limit"
)

// clock is the time of a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// ok answers everything with two bytes.
var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })

// request is a GET of a path by a client.
func request(path, client string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = client + ":4711"
	r.Header.Set("User-Agent", "player")
	return r
}

// serve returns the answer to a request.
func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// get returns the status of a GET of a path by a client.
func get(h http.Handler, path, client string) int { return serve(h, request(path, client)).StatusCode }

// desk is a handler under a clock with what it observed.
type desk struct {
	*limit.Handler
	*clock
	events []limit.Event
}

func newDesk(next http.Handler, opts limit.Options) *desk {
	d := &desk{clock: newClock()}
	opts.Now = d.clock.Now
	opts.ShowReason = true
	opts.Observe = func(e limit.Event) { d.events = append(d.events, e) }
	d.Handler = limit.NewHandler(next, &opts)
	return d
}

// server makes options with limits of the server.
func server(l limit.Limits) limit.Options { return limit.Options{Rules: limit.Rules{Server: l}} }

// refused requires that a request is refused for a reason and returns Retry-After.
func (d *desk) refused(t *testing.T, r *http.Request, why limit.Reason) string {
	t.Helper()
	res := serve(d, r)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, why.String(), res.Header.Get("X-Limit"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	return res.Header.Get("Retry-After")
}

// admitted requires that requests are served.
func (d *desk) admitted(t *testing.T, requests ...*http.Request) {
	t.Helper()
	for _, r := range requests {
		res := serve(d, r)
		require.Equal(t, http.StatusOK, res.StatusCode, "%s by %s: %s", r.URL, r.RemoteAddr, res.Header.Get("X-Limit"))
	}
}

// players returns how many viewers there are.
func (d *desk) players() int { return d.Stats(0).Players.Now }

// gate is a handler whose requests wait until it opens.
type gate struct {
	entered chan struct{}
	open    chan struct{}
}

func newGate() *gate { return &gate{make(chan struct{}, 1000), make(chan struct{})} }

func (g *gate) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	g.entered <- struct{}{}
	<-g.open
	_, _ = io.WriteString(w, "ok")
}
