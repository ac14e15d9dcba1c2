package archive

import (
	"log/slog"
	"time"
)

// Options tune an [Archive]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Logger gets the life of recordings and what goes wrong. Nil means slog.Default().
	Logger *slog.Logger
	// SyncInterval bounds what a power cut or kill may cost: fragments older than this are on the disk. Zero means one
	// second; negative means that every fragment is before Append returns.
	SyncInterval time.Duration
	// ResumeWithin is how long after its last fragment an event whose server has ended, or died, can go on when an encoder comes
	// back. After that the recording is finished. Zero means a day; negative means never.
	ResumeWithin time.Duration
	// Retention says what is deleted. The zero value keeps everything.
	Retention Retention
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Retention says which complete segments are kept. A zero field sets no bound. Segments of one event are deleted from its
// beginning; what is being read or recorded stays.
type Retention struct {
	// Age is how long after its last fragment a segment is kept.
	Age time.Duration
	// Bytes is what all files of the archive may have together.
	Bytes int64
	// Events is the number of events kept per publishing point.
	Events int
}
