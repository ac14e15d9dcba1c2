package playlist

import (
	"errors"
	"fmt"
)

// Errors of documents. A [*SyntaxError] wraps one of them.
var (
	// ErrNotPlaylist: the document is XML or text of another kind, or none.
	ErrNotPlaylist = errors.New("not a playlist")
	// ErrSyntax: the document is not well-formed, or a value has a form that it cannot have.
	ErrSyntax = errors.New("syntax error")
	// ErrTooLarge: the document is larger, deeper or has more entries than the limits of the package.
	ErrTooLarge = errors.New("above the limit")
)

// Errors of requests.
var (
	// ErrNotFound: there is no such playlist, entry, format or session. 404.
	ErrNotFound = errors.New("playlist: not found")
	// ErrExpired: the session has been idle or has lived too long, or ended with the server that had it. 410.
	ErrExpired = errors.New("playlist: session expired")
	// ErrStolen: the session belongs to another address, or its signed cookie is missing. 403.
	ErrStolen = errors.New("playlist: session of another client")
	// ErrNotAllowed: the rules of an entry forbid the seek or skip that was asked for. 403.
	ErrNotAllowed = errors.New("playlist: not allowed by the rules of the entry")
	// ErrBusy: too many sessions, or too many connections of one. 503.
	ErrBusy = errors.New("playlist: too many sessions or connections")
	// ErrForbiddenSource: the place of an entry may not be read: an absolute path where those are off, an address in a
	// private network, a path that leads out of its root. 403, and never said to the client why.
	ErrForbiddenSource = errors.New("playlist: source not allowed")
)

// Warning is something in a document that was not understood and kept, or left out.
type Warning struct {
	Line, Column int // 1 is the first
	Text         string
}

// String returns the warning with its position.
func (w Warning) String() string {
	return fmt.Sprintf("line %d, column %d: %s", w.Line, w.Column, w.Text)
}

// SyntaxError says where a document is wrong.
type SyntaxError struct {
	Line, Column int // 1 is the first
	Detail       string
	Err          error // one of ErrNotPlaylist, ErrSyntax, ErrTooLarge
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("playlist: line %d, column %d: %v: %s", e.Line, e.Column, e.Err, e.Detail)
}

// Unwrap implements the interface of package errors.
func (e *SyntaxError) Unwrap() error { return e.Err }
