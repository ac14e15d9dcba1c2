package console

import "context"

// Source is the server as the console sees it. It is safe for concurrent use. What it returns belongs to the console, which
// does not change it. Errors are logged and answered as such, without their text; those which wrap [ErrNotFound] are answered
// with 404 and those which wrap [ErrState] with 409.
type Source interface {
	// Parts says what the server has at all. It must be cheap: every page asks.
	Parts() Parts
	// Overview is asked for once in an interval while somebody looks at the first page.
	Overview(ctx context.Context) (*Overview, error)
	// Presentations returns a page of the list in the order of names.
	Presentations(ctx context.Context, q ListQuery) (*PresentationList, error)
	Presentation(ctx context.Context, name string) (*Presentation, error)
	// Points returns all publishing points in the order of names, without their events. It is asked for every ten seconds, also
	// when nobody looks.
	Points(ctx context.Context) ([]Point, error)
	Point(ctx context.Context, name string) (*Point, error)
	// Command does something with a publishing point and waits for it.
	Command(ctx context.Context, point string, c Command) error
	// Nil without an error means that there is no such part.
	Throttle(ctx context.Context) (*Throttle, error)
	Limits(ctx context.Context) (*Limits, error)
	Edge(ctx context.Context) (*Edge, error)
	Playlists(ctx context.Context) (*Playlists, error)
	Archive(ctx context.Context) (*Archive, error)
	// Events returns the last n events, newest first.
	Events(ctx context.Context, n int) ([]Event, error)
}

// Parts are the parts of a server that need not be there.
type Parts struct {
	Points, Throttle, Limits, Edge, Playlists, Archive bool
}

// Command is what an operator does with a publishing point.
type Command string

// The commands, as in forms.
const (
	Start    Command = "start"
	Stop     Command = "stop"
	Shutdown Command = "shutdown"
)
