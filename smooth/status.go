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

// clientGone reports whether a request ended because its client left or was cut off. Once the answer has begun, a
// network error while writing tells so, too; one while reading comes from where the presentation is.
func clientGone(r *http.Request, err error, started bool) bool {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return true
	}
	var op *net.OpError
	writing := errors.As(err, &op) && op.Op != "read" && op.Op != "dial"
	return started && (writing || errors.Is(err, http.ErrHandlerTimeout))
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
var errorHeaders = [...]string{"Content-Encoding", "Etag", "Last-Modified", "Content-Disposition", "Accept-Ranges"}

// fail answers with the status for err. Only what the client needs is told: see [statusOf].
func (x *exchange) fail(status int, err error) {
	h := x.w.Header()
	for _, name := range errorHeaders {
		delete(h, name)
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
