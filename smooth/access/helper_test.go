package access_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// quiet is a logger for nobody.
func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// logBuffer keeps a log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// get returns a request from 192.0.2.1 with pairs of header names and values.
func get(target string, headers ...string) *http.Request { return request("GET", target, headers...) }

func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// serve returns the answer of a handler.
func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// echo answers with the path and query that it sees, and the name of the identity.
func echo(w http.ResponseWriter, r *http.Request) {
	name := "-"
	if id, ok := access.FromContext(r.Context()); ok {
		name = id.Method + ":" + id.Name
	}
	_, _ = io.WriteString(w, r.URL.RequestURI()+" "+name)
}

// handler returns echo behind a policy.
func handler(p access.Resolver, opts *access.HandlerOptions) *access.Handler {
	if opts == nil {
		opts = &access.HandlerOptions{}
	}
	if opts.Logger == nil {
		opts.Logger = quiet()
	}
	return access.NewHandler(http.HandlerFunc(echo), p, opts)
}

// authFunc is an authenticator of the test.
type authFunc func(*http.Request) (*access.Identity, error)

func (f authFunc) Authenticate(r *http.Request) (*access.Identity, error) { return f(r) }
func (f authFunc) Challenge() string                                      { return "Test" }

var testKey = []byte("0123456789abcdef0123456789abcdef")

// signed returns an authenticator by signed URLs with the clock.
func signed(t testing.TB, c *clock, opts *access.SignedOptions) *access.Signed {
	t.Helper()
	signer, err := access.NewSigner(testKey)
	require.NoError(t, err)
	if opts == nil {
		opts = &access.SignedOptions{}
	}
	opts.Now = c.Now
	s, err := access.NewSigned(signer, opts)
	require.NoError(t, err)
	return s
}
