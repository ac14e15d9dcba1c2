package console

import "errors"

// Sentinels that a [Source] wraps.
var (
	// ErrNotFound: there is no presentation or publishing point of that name.
	ErrNotFound = errors.New("console: not found")
	// ErrState: the command is not possible in the state that the publishing point is in.
	ErrState = errors.New("console: not possible in this state")
)

// errGone ends a stream of updates whose page is not there any more.
var errGone = errors.New("console: the page is gone")
