package smooth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Observation is what happened to one request.
type Observation struct {
	// HTTP is the request as the handler got it. It must not be used after Observe has returned.
	HTTP *http.Request
	// Request is the parsed URL; the zero value if it is none of the protocol's.
	Request Request
	// Status that was sent, or 0 if the client left before.
	Status int
	// Bytes of the body that were sent.
	Bytes int64
	// Start and Duration of the request, in wall-clock time.
	Start    time.Time
	Duration time.Duration
	// Err is why the request failed, or nil.
	Err error
}

// Stats are counts since a handler was made. Each is exact; together they are not one moment's.
type Stats struct {
	// Requests that have ended, and the bytes of their bodies.
	Requests, Bytes uint64
	// Manifests, Fragments and Converted are well-formed requests for Smooth manifests, for Smooth fragments, and
	// for the formats of outputs.
	Manifests, Fragments, Converted uint64
	// ClientErrors were answered with a status of 4xx; NotYet of these with 412.
	ClientErrors, NotYet uint64
	// ServerErrors were answered with a status of 5xx; Panics of these come from a panic.
	ServerErrors, Panics uint64
	// Aborted requests ended before their body was complete; in most cases the client left.
	Aborted uint64
	// Nearest requests were answered with a fragment whose time is not exactly the requested one.
	Nearest uint64
	// Held requests waited for the live edge.
	Held uint64
}

// counters are what Stats copies.
type counters struct {
	requests, bytes                 atomic.Uint64
	manifests, fragments, converted atomic.Uint64
	clientErrors, notYet            atomic.Uint64
	serverErrors, panics            atomic.Uint64
	aborted, nearest, held          atomic.Uint64
}

// Stats returns the counts so far.
func (h *Handler) Stats() Stats {
	c := &h.counters
	return Stats{
		Requests: c.requests.Load(), Bytes: c.bytes.Load(),
		Manifests: c.manifests.Load(), Fragments: c.fragments.Load(), Converted: c.converted.Load(),
		ClientErrors: c.clientErrors.Load(), NotYet: c.notYet.Load(),
		ServerErrors: c.serverErrors.Load(), Panics: c.panics.Load(),
		Aborted: c.aborted.Load(), Nearest: c.nearest.Load(), Held: c.held.Load(),
	}
}

// finish is deferred: it turns an error or a panic into an answer, and counts, logs and observes the request.
func (h *Handler) finish(x *exchange) {
	v := recover()
	if v != nil {
		h.panicked(x, v)
	}
	started := x.status != 0
	gone := x.err != nil && v == nil && clientGone(x.r, x.err, started)
	switch {
	case x.err == nil || started || v == http.ErrAbortHandler:
	case gone:
		x.failGone()
	default:
		x.fail(statusOf(x.err), x.err)
	}
	h.count(x, x.err != nil && (started || gone || v == http.ErrAbortHandler))
	if x.err != nil {
		h.log(x, gone)
	}
	if h.opts.Observe != nil {
		h.opts.Observe(Observation{
			HTTP: x.r, Request: x.req, Status: x.status, Bytes: x.bytes,
			Start: x.start, Duration: time.Since(x.start), Err: x.err,
		})
	}
	abort := v == http.ErrAbortHandler || started && x.err != nil && !gone
	if !x.shared && v == nil {
		*x = exchange{}
		exchanges.Put(x)
	}
	if abort {
		panic(http.ErrAbortHandler) // the client must not take the part that was sent for the whole
	}
}

// panicked makes an error of a panic in a presentation or an output.
func (h *Handler) panicked(x *exchange, v any) {
	if v == http.ErrAbortHandler {
		x.err = http.ErrAbortHandler
		return
	}
	h.panics.Add(1)
	x.err = fmt.Errorf("smooth: panic: %v\n%s", v, debug.Stack())
}

func (h *Handler) count(x *exchange, aborted bool) {
	h.requests.Add(1)
	h.bytes.Add(uint64(x.bytes))
	switch {
	case aborted:
		h.aborted.Add(1)
	case x.status == http.StatusPreconditionFailed && x.err != nil:
		h.notYet.Add(1)
		fallthrough
	case x.status >= 400 && x.status < 500:
		h.clientErrors.Add(1)
	case x.status >= 500:
		h.serverErrors.Add(1)
	}
}

// log writes the record of a failed request.
func (h *Handler) log(x *exchange, gone bool) {
	level := slog.LevelError
	var reported *reportedError
	switch {
	case gone, errors.Is(x.err, ErrNotFound), errors.Is(x.err, ErrNotYet), errors.Is(x.err, ErrGone), x.status == http.StatusNotFound,
		x.err == http.ErrAbortHandler, errors.As(x.err, &reported):
		level = slog.LevelDebug
	case x.status >= 400 && x.status < 500:
		level = slog.LevelInfo
	}
	if ctx := x.r.Context(); h.opts.Logger.Enabled(ctx, level) {
		h.opts.Logger.LogAttrs(ctx, level, "request", slog.String("method", x.r.Method), slog.String("path", x.r.URL.Path),
			slog.Int("status", x.status), slog.Int64("bytes", x.bytes), slog.Any("err", x.err))
	}
}
