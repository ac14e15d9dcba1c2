package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// An OriginError says which request to the origin has failed, and how. It unwraps to [smooth.ErrNotFound] (404 and
// 410), [smooth.ErrNotYet] (412), [smooth.ErrCorrupt], [smooth.ErrTooLarge] or [smooth.ErrUnsupported] (what came is
// not what a Smooth origin sends), [context.DeadlineExceeded] (the origin took too long) or the error of the network. A
// [smooth.Handler] answers 503 where the origin took too long, and 500 for other faults of the origin.
type OriginError struct {
	// URL that was asked for, without user, password and query.
	URL string
	// Status of the answer; zero if there was none.
	Status int
	// Err is the reason; nil if the status says it all.
	Err error
}

// Error implements error.
func (e *OriginError) Error() string {
	var b strings.Builder
	b.WriteString("remote: ")
	b.WriteString(e.URL)
	if e.Status != 0 && (e.Status != http.StatusOK || e.Err == nil) {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the reason.
func (e *OriginError) Unwrap() error { return e.Err }

// failure returns the error of a request to u.
func failure(u *url.URL, status int, err error) *OriginError {
	plain := *u
	plain.User, plain.RawQuery, plain.ForceQuery, plain.Fragment = nil, "", false, ""
	return &OriginError{URL: plain.String(), Status: status, Err: err}
}

// refusal returns the error of an answer with a status that is none of success.
func refusal(u *url.URL, status int) *OriginError {
	var err error
	switch status {
	case http.StatusNotFound, http.StatusGone:
		err = smooth.ErrNotFound
	case http.StatusPreconditionFailed:
		err = smooth.ErrNotYet
	}
	return failure(u, status, err)
}

// withoutURL returns what the HTTP client says without the URL, whose query may hold a token.
func withoutURL(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		if ue.Timeout() && !errors.Is(ue.Err, context.DeadlineExceeded) {
			return fmt.Errorf("%w: %w", ue.Err, context.DeadlineExceeded)
		}
		return ue.Err
	}
	return err
}

// unanswered reports whether another base URL, or another try, may give what this one did not: the origin could not be
// reached, is at fault, or has sent something that cannot be what it has.
func unanswered(err error) bool {
	var oe *OriginError
	if !errors.As(err, &oe) || errors.Is(err, smooth.ErrClosed) {
		return false
	}
	return oe.Status == 0 || oe.Status >= 500 || oe.Status == http.StatusTooManyRequests || broken(err)
}

// broken reports whether what came is not what was asked for, or the connection broke before it came.
func broken(err error) bool {
	if errors.Is(err, smooth.ErrCorrupt) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "read" && !op.Timeout()
}

// notFound returns an error that wraps [smooth.ErrNotFound].
func notFound(format string, args ...any) error {
	return fmt.Errorf("remote: "+format+": %w", append(args, smooth.ErrNotFound)...)
}

// closed is the error after Close.
func closed(what string) error { return fmt.Errorf("remote: %s: %w", what, smooth.ErrClosed) }
