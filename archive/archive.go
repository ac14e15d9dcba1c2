package archive

import (
	"context"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// An Archive records live events and serves what it has. It is a sink of package livesmooth, a [smooth.Source] and a
// [smooth.Lister]. It is safe for concurrent use.
type Archive struct{}

// New opens the archive in a directory, which is made if there is none. Recordings that a crash has left are brought in order
// before it returns: torn ends are cut off.
func New(dir string, opts *Options) (*Archive, error) { return nil, nil }

// NewStore is New for another kind of store, which the caller closes after the archive.
func NewStore(ctx context.Context, store Store, opts *Options) (*Archive, error) { return nil, nil }

// Begin starts the recording of an event, or goes on with the one that a crash has interrupted. It implements Sink of package
// livesmooth.
func (a *Archive) Begin(ctx context.Context, e smooth.EventInfo) (smooth.Recording, error) {
	return nil, nil
}

// Open implements [smooth.Source].
func (a *Archive) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	return nil, nil
}

// List implements [smooth.Lister]. It lists events, not their segments.
func (a *Archive) List(ctx context.Context, yield func(smooth.Info) bool) error { return nil }

// Sweep deletes what the retention rules do not keep. The archive does so by itself when a segment is complete, and every ten minutes.
func (a *Archive) Sweep(ctx context.Context, now time.Time) (SweepReport, error) {
	return SweepReport{}, nil
}

// SweepReport says what [Archive.Sweep] has deleted.
type SweepReport struct {
	// Segments are the names of the directories.
	Segments []string
	// Bytes of their files.
	Bytes int64
}

// Close ends what the archive does by itself. Recordings that go on are closed as by a server that ends.
func (a *Archive) Close() error { return nil }
