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

// Retention says which complete segments are kept. A zero field sets no bound; what one of them does not keep is deleted. Segments
// of one event are deleted from its beginning: a publishing point without end whose settings have a segment length is a ring. Only
// what was recorded is deleted, no other presentations.
//
// What grows stays, and what is being read: a segment that somebody has open or of which a fragment is lent, an event that is complete
// and open, and either for a minute more, as viewers over HTTP open for each request. An event that goes on is always open, to the
// publishing point at least; of that the segments stay whose fragments are read.
type Retention struct {
	// Age is how long after its last fragment a segment is kept.
	Age time.Duration
	// Bytes is what all files of the archive may have together, those that are never deleted included. The segments that have ended
	// first go first, whatever the point.
	Bytes int64
	// Events is the number of events kept per publishing point, with those that go on. Older ones go as a whole.
	Events int
}
