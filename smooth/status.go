package smooth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// An UnsupportedError says which track of a presentation cannot be shown in a format, and why. It wraps
// [ErrUnsupported]. Its text is sent to the client, so it must not name files.
type UnsupportedError struct {
	// Stream and Bitrate name the track. Bitrate may be zero.
	Stream  string
	Bitrate uint64
	// Format is the value of the format option.
	Format string
	// Reason in a few words, such as "VC-1 has no place in MPEG-2 TS".
	Reason string
}

// Error implements error.
func (e *UnsupportedError) Error() string {
	s := "smooth: stream " + strconv.Quote(e.Stream)
	if e.Bitrate != 0 {
		s += " at " + strconv.FormatUint(e.Bitrate, 10) + " bits/s"
	}
	if e.Format != "" {
		s += " as " + e.Format
	}
	return s + ": " + e.Reason
}

// Unwrap returns [ErrUnsupported].
func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }

func notFound(format string, args ...any) error {
	return fmt.Errorf("smooth: "+format+": %w", append(args, ErrNotFound)...)
}

// statusOf returns the status for an error.
func statusOf(err error) int {
	switch {
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, ErrBadRequest):
		return http.StatusBadRequest
	case errors.Is(err, ErrNotYet):
		return http.StatusPreconditionFailed
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrTooLarge):
		return http.StatusInternalServerError
	case errors.Is(err, ErrUnsupported):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrGone), errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case errors.Is(err, ErrClosed), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// clientGone reports whether a request ended because its client left. Once the answer has begun, a network error
// tells so, too.
func clientGone(r *http.Request, err error, started bool) bool {
	var op *net.OpError
	return errors.Is(r.Context().Err(), context.Canceled) || started && (errors.As(err, &op) || errors.Is(err, net.ErrClosed))
}

// failGone ends a request that nobody waits for. The status is for software in between, which would otherwise see an
// empty answer with status 200.
func (x *exchange) failGone() {
	h := x.w.Header()
	clear(h)
	h["Cache-Control"] = cacheNever
	x.w.WriteHeader(http.StatusServiceUnavailable)
}

// errorHeaders are headers that describe the body that is not sent.
var errorHeaders = [...]string{"Content-Encoding", "Etag", "Last-Modified", "Content-Disposition", "Accept-Ranges", "Vary"}

// fail answers with the status for err. Only what the client needs is told: see [statusOf].
func (x *exchange) fail(status int, err error) {
	h := x.w.Header()
	for _, name := range errorHeaders {
		if name != "Vary" || !strings.Contains(h.Get("Vary"), "Origin") {
			delete(h, name)
		}
	}
	x.size = -1
	switch status {
	case http.StatusNotFound, http.StatusBadRequest, http.StatusUnsupportedMediaType:
		h["Cache-Control"] = cacheShortly
	default:
		h["Cache-Control"] = cacheNever
	}
	body := ""
	if status != http.StatusPreconditionFailed { // [MS-SSTR] 2.2.6: an empty body
		body = errorText(status, err)
		h["Content-Type"] = typePlain
		h["X-Content-Type-Options"] = noSniff
	} else {
		delete(h, "Content-Type")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.WriteHeader(status)
	if x.r.Method != http.MethodHead && body != "" {
		_, _ = x.Write([]byte(body)) // there is nobody left to tell
	}
}

func errorText(status int, err error) string {
	var unsupported *UnsupportedError
	if status == http.StatusUnsupportedMediaType && errors.As(err, &unsupported) {
		return unsupported.Error() + "\n"
	}
	return strings.ToLower(http.StatusText(status)) + "\n"
}
