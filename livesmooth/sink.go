package livesmooth

import (
	"context"

	"github.com/smoothkit/smoothkit/smooth"
)

// A Sink gets what publishing points receive: an archive, a spool. It is safe for concurrent use.
type Sink interface {
	// Begin starts a recording, when the first header of the event has come. If it fails the event goes on without, and Begin is tried again after a while.
	Begin(ctx context.Context, e smooth.EventInfo) (smooth.Recording, error)
}
