package playlist

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
)

// Errors of what is elsewhere.
var (
	// ErrRemote: a server elsewhere does not answer, or not with what was asked for. 502.
	ErrRemote = errors.New("playlist: remote source failed")
	// ErrRemoteTimeout: a server elsewhere takes too long. 504.
	ErrRemoteTimeout = errors.New("playlist: remote source timed out")
)

// sourceError says why the content of an entry cannot be had, without a word of where it would be: logs above debug must
// not tell.
type sourceError struct {
	kind   error  // that callers act on, such as ErrForbiddenSource
	why    string // without any part of the source
	source string
	also   error // that it is too, such as context.Canceled; nil if nothing
	cause  error // only for Debug, as it may be an error of the system that means something else here; nil if none
}

// forbidden returns an error that wraps ErrForbiddenSource.
func forbidden(why, source string) error {
	return &sourceError{kind: ErrForbiddenSource, why: why, source: source}
}

// Error implements error. It does not tell the source.
func (e *sourceError) Error() string {
	return "playlist: " + strings.TrimPrefix(e.kind.Error(), "playlist: ") + ": " + e.why
}

// Debug returns the error with the source and the cause, for logs of level debug.
func (e *sourceError) Debug() string {
	s := e.Error() + ": " + e.source
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap implements the interface of package errors.
func (e *sourceError) Unwrap() []error {
	if e.also == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.also}
}

// errStalled is the cause of requests that have been ended because nothing came.
var errStalled = errors.New("nothing received in time")

// remoteFailure returns the error of a request that failed. ctx is that of the caller.
func remoteFailure(ctx context.Context, u *url.URL, cause error) error {
	e := &sourceError{kind: ErrRemote, why: "no valid answer", source: u.String(), cause: cause}
	var (
		inner       *sourceError
		timeout     net.Error
		lookup      *net.DNSError
		certificate *tls.CertificateVerificationError
	)
	switch {
	case errors.As(cause, &inner):
		e.kind, e.why = inner.kind, inner.why
	case errors.Is(ctx.Err(), context.Canceled):
		e.why, e.also = "request cancelled", ctx.Err()
	case errors.Is(cause, errStalled), errors.Is(cause, os.ErrDeadlineExceeded), errors.Is(cause, context.DeadlineExceeded),
		errors.As(cause, &timeout) && timeout.Timeout():
		e.kind, e.why = ErrRemoteTimeout, "nothing received in time"
	case errors.As(cause, &lookup):
		e.why = "host not found"
	case errors.As(cause, &certificate):
		e.why = "certificate not accepted"
	}
	return e
}
