package access

import (
	"errors"
	"net/http"
	"time"
)

// Sentinels of refusals. Errors of an [Authenticator], of [Policy.Check] and of Policy.Authorize wrap one of them;
// [StatusOf] has the HTTP status of each.
var (
	// ErrUnauthenticated: the request needs credentials and has none, or wrong ones. 401.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrCredentials: a password is wrong, which [Attempts] counts. It comes with [ErrUnauthenticated], or with
	// [ErrForbidden] if a service says that.
	ErrCredentials = errors.New("wrong password")
	// ErrForbidden: whoever sends the request may not do this, or a signed URL is not valid for it. 403.
	ErrForbidden = errors.New("forbidden")
	// ErrPath: the path of the request could be taken for several files, so that nothing can rule on it. 400.
	ErrPath = errors.New("ambiguous path")
	// ErrTooMany: too many wrong passwords came from the address, or too many are being checked. 429.
	ErrTooMany = errors.New("too many attempts")
	// ErrUnavailable: what decides cannot be asked now: the hook, or the key set that the token needs. 503.
	ErrUnavailable = errors.New("cannot be decided now")
)

// Sentinels of constructors and parsers.
var (
	// ErrOptions: options contradict themselves, are out of range, or would protect nothing.
	ErrOptions = errors.New("invalid options")
	// ErrGrant: a [Grant] cannot be made a token of: it has no end, a bad path, or is too large.
	ErrGrant = errors.New("invalid grant")
	// ErrToken: text is not a token that this [Signer] has made.
	ErrToken = errors.New("invalid token")
	// ErrHtpasswd: a line of a password file is malformed or has no bcrypt hash.
	ErrHtpasswd = errors.New("invalid password file")
)

// RefusedError adds to an error what the answer has to say. An [Authenticator] may return one, and [Policy.Check] does with
// what all of them say.
type RefusedError struct {
	// Challenges are values of WWW-Authenticate. From an authenticator they replace its own; empty means that.
	Challenges []string
	// RetryAfter is when to come again. Zero means that the answer does not say.
	RetryAfter time.Duration
	// Err is why.
	Err error
}

// Error returns the text of Err.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// StatusOf returns the HTTP status for an error of this package: 401, 403, 400, 429 or 503 as the sentinels say, 200 for
// nil and 403 for everything else, as the error of a hook of the application means no.
func StatusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrTooMany):
		return http.StatusTooManyRequests
	case errors.Is(err, ErrUnavailable):
		return http.StatusServiceUnavailable
	case errors.Is(err, ErrPath):
		return http.StatusBadRequest
	case errors.Is(err, ErrUnauthenticated):
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}
