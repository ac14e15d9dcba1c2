package livesmooth

import "errors"

// Sentinels of publishing points. What viewers meet are those of package smooth.
var (
	// ErrNoPoint: there is no publishing point of that name. It comes with [smooth.ErrNotFound].
	ErrNoPoint = errors.New("no such publishing point")
	// ErrExists: there is a publishing point of that name already.
	ErrExists = errors.New("the publishing point exists already")
	// ErrName: the name of a publishing point is not a valid path that ends in ".isml".
	ErrName = errors.New("not a name of a publishing point")
	// ErrSettings: settings contradict themselves or are out of range.
	ErrSettings = errors.New("invalid settings")
	// ErrInUse: settings can be changed only in state Idle.
	ErrInUse = errors.New("the publishing point is in use")
	// ErrTransition: the command is not possible in the state that the publishing point is in.
	ErrTransition = errors.New("not possible in this state")
)

// Sentinels of ingest: why a push is refused. [StatusOf] has the HTTP status of each.
var (
	// ErrNotAccepting: the publishing point is not in a state that takes encoders.
	ErrNotAccepting = errors.New("the publishing point does not accept encoders now")
	// ErrUnauthorized: the hook of the application wants credentials.
	ErrUnauthorized = errors.New("credentials are required")
	// ErrForbidden: the hook of the application, or the settings, refuse the connection.
	ErrForbidden = errors.New("not allowed")
	// ErrNoHeader: a fragment came before the header of its stream.
	ErrNoHeader = errors.New("fragment before its header")
	// ErrMalformed: the body breaks the format, or lacks what the server needs to place a fragment.
	ErrMalformed = errors.New("malformed push")
	// ErrConflict: the push contradicts what the publishing point has received: another event, another header for the same
	// stream, times that go back.
	ErrConflict = errors.New("conflicts with what was received before")
	// ErrMedia: the push carries nothing that a presentation can have.
	ErrMedia = errors.New("unsupported media")
	// ErrLimit: a size, count or time is above its limit.
	ErrLimit = errors.New("above the limit")
	// ErrEnding: the publishing point has been stopped or the server shuts down while the push was under way.
	ErrEnding = errors.New("the publishing point has stopped")
)

// ErrSinkSlow in [SinkStats] and [Event]: fragments are lost that the queue before a sink has no room for.
var ErrSinkSlow = errors.New("livesmooth: the sink takes fragments too slowly")
