package edge_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// direct sends requests to a handler without a network: bodies stream, contexts end requests, and a panic cuts the
// body.
type direct struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RemoteAddr = "192.0.2.1:1234"
	reader, writer := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: writer, ready: make(chan struct{}), head: r.Method == "HEAD"}
	go func() {
		defer cancel()
		defer func() {
			if recover() != nil {
				w.abort()
				return
			}
			w.WriteHeader(200)
			if w.left > 0 && !w.head {
				w.abort()
				return
			}
			_ = writer.Close()
		}()
		d.ServeHTTP(w, in)
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
		_ = reader.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	if w.failed {
		return nil, io.ErrUnexpectedEOF
	}
	context.AfterFunc(r.Context(), func() { _ = writer.CloseWithError(r.Context().Err()) })
	resp := &http.Response{
		StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Request: r,
		Body: &cancelBody{reader, cancel}, ContentLength: w.length,
	}
	if w.length < 0 {
		resp.TransferEncoding = []string{"chunked"}
	}
	return resp, nil
}

// cancelBody ends the handler when the body is closed.
type cancelBody struct {
	io.ReadCloser
	cancel func()
}

func (b *cancelBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// pipeWriter is a response writer whose body is a pipe.
type pipeWriter struct {
	header, sent http.Header
	status       int
	length, left int64
	head, failed bool
	body         *io.PipeWriter
	ready        chan struct{}
	once         sync.Once
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent, w.length = status, w.header.Clone(), -1
		if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil {
			w.length, w.left = n, n
		}
		if status == 304 || status == 204 || w.head {
			w.left = 0
		}
		close(w.ready)
	})
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(200)
	if w.head {
		return len(p), nil
	}
	w.left -= int64(len(p))
	return w.body.Write(p)
}

func (w *pipeWriter) Flush() { w.WriteHeader(200) }

func (w *pipeWriter) abort() {
	w.once.Do(func() { w.failed = true; close(w.ready) })
	_ = w.body.CloseWithError(io.ErrUnexpectedEOF)
}

// origin counts requests and answers them by a function.
type origin struct {
	requests atomic.Int64
	mu       sync.Mutex
	seen     []*http.Request
	handler  http.HandlerFunc
}

// ServeHTTP implements http.Handler.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	o.mu.Lock()
	o.seen = append(o.seen, r)
	o.mu.Unlock()
	o.handler(w, r)
}

// last returns the last request.
func (o *origin) last() *http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[len(o.seen)-1]
}

// clock is a time that a test sets.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// rig is a cache in front of an origin, and the clock of both.
type rig struct {
	t      testing.TB
	cache  *edge.Cache
	origin *origin
	clock  *clock
}

// newRig returns a cache in front of a handler. Options may be nil.
func newRig(t testing.TB, handler http.HandlerFunc, opts *edge.Options) *rig {
	t.Helper()
	r := &rig{t: t, origin: &origin{handler: handler}, clock: newClock()}
	r.cache = r.open(opts)
	return r
}

// open makes a further cache with the same origin and clock.
func (r *rig) open(opts *edge.Options) *edge.Cache {
	r.t.Helper()
	o := edge.Options{}
	if opts != nil {
		o = *opts
	}
	if o.Upstreams == nil {
		o.Upstreams = []edge.Upstream{{URL: "http://origin"}}
	}
	if o.Transport == nil {
		o.Transport = direct{r.origin}
	}
	o.Now = r.clock.now
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := edge.New(&o)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// answer is a complete response.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func (a answer) cache() string { return a.header.Get("X-Cache") }

// get sends a GET with some fields, name and value in turn.
func (r *rig) get(target string, fields ...string) answer {
	r.t.Helper()
	return r.do("GET", target, nil, fields...)
}

// do sends a request.
func (r *rig) do(method, target string, body io.Reader, fields ...string) answer {
	r.t.Helper()
	return send(r.t, r.cache, method, target, body, fields...)
}

func send(t testing.TB, h http.Handler, method, target string, body io.Reader, fields ...string) answer {
	t.Helper()
	req := httptest.NewRequest(method, target, body)
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	resp, err := direct{h}.RoundTrip(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if errors.Is(err, io.ErrClosedPipe) {
		err = nil
	}
	return answer{resp.StatusCode, resp.Header, string(data), err}
}

// reply returns a handler that always answers the same; fields are name and value in turn.
func reply(status int, body string, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(fields); i += 2 {
			w.Header().Add(fields[i], fields[i+1])
		}
		if status != 304 {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}
