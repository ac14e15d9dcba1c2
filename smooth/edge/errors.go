package edge

import (
	"context"
	"errors"
	"net/http"
)

// Construction.
var (
	// ErrNoUpstream is returned by New and SetUpstreams if there is no upstream, or none that is not a backup.
	ErrNoUpstream = errors.New("edge: no upstream")
	// ErrUpstreamURL is returned by New and SetUpstreams for a URL that is not http or https with a host.
	ErrUpstreamURL = errors.New("edge: upstream url is not http or https with a host")
)

// Serving: these are the Err of an [Observation].
var (
	// ErrClosed means that the cache was closed before or during the request.
	ErrClosed = errors.New("edge: cache is closed")
	// ErrBusy means that as many fetches as allowed are under way, and as many more are waiting for their turn.
	ErrBusy = errors.New("edge: too many fetches")
	// ErrTimeout means that an upstream did not send its header, or the next part of its body, in time.
	ErrTimeout = errors.New("edge: upstream timeout")
	// ErrTruncated means that the body of a response ended early, for everybody who was waiting for it.
	ErrTruncated = errors.New("edge: upstream body ended early")
	// ErrTooLarge means that a body whose length was not announced grew larger than Options.MaxObject.
	ErrTooLarge = errors.New("edge: body too large")
	// ErrNotCached means that a request with only-if-cached found nothing that it may use.
	ErrNotCached = errors.New("edge: not cached")
	// ErrLoop means that a request has come through so many proxies that they must form a loop.
	ErrLoop = errors.New("edge: request loops")
	// ErrMethod means that the method is TRACE or CONNECT. An upstream would answer TRACE with the fields that
	// Upstream.Header adds, which are none of the client's business.
	ErrMethod = errors.New("edge: method not allowed")
	// ErrBadPath means that a path leads upwards.
	ErrBadPath = errors.New("edge: path leads upwards")
)

// Objects on disk.
var (
	// errCorrupt means that a file in the cache directory is not an object, or not the one that it should be.
	errCorrupt = errors.New("edge: corrupt object")
	// errDiskFull means that the queue of objects to be written is full.
	errDiskFull = errors.New("edge: write queue full")
)

// errAbandoned ends a flight that nobody waits for.
var errAbandoned = errors.New("edge: nobody waits")

// statusOf returns the status that answers an error.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrBadPath):
		return http.StatusBadRequest
	case errors.Is(err, ErrMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, ErrLoop):
		return http.StatusLoopDetected
	case errors.Is(err, ErrBusy), errors.Is(err, ErrClosed):
		return http.StatusServiceUnavailable
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrNotCached), errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}
