package smooth

import (
	"context"
	"time"
)

// A Recording takes the fragments of one live event: an archive, or a spool that keeps what memory cannot hold. A publishing
// point has begun it with an [EventInfo]. Its methods but History and Durable are called by one goroutine, which may be
// kept waiting: the queue before it is bounded, and what does not fit is dropped and counted.
//
// One that has a method Clock(start uint64, wall time.Time) is told before the first fragment what the wall clock was at a time of the
// event, in ticks of 100 ns. One that may lose what it has taken, as when a disk does not keep it, has a method Fault() error, which is
// called after each fragment and returns why until it is over, and at least once.
type Recording interface {
	// Declare adds an input stream, or tells of a new header of one.
	Declare(ctx context.Context, in InputInfo) error
	// Append takes a fragment, which the recording closes. Its Smooth header has tfxd and the track_ID of the input's
	// header, and no tfrf. Fragments of a track come in ascending order of time, but for those that fill a gap.
	Append(ctx context.Context, input string, f *Fragment) error
	// Gap tells of a span in which a stream has no content.
	Gap(ctx context.Context, g Gap) error
	// Durable returns the end, in ticks of 100 ns, up to which all tracks survive a crash; zero if nothing does. It is about all
	// that has been appended, so a fragment that fills a gap takes it back until that is safe, too.
	Durable() uint64
	// History returns what has been recorded so far, nil if it cannot be read. The point serves from it what has left
	// memory. The fragments are those that were appended, without tfrf. It is called once. The result is closed after
	// Close, when nobody can ask for the event any more; until then it stays valid.
	History() Presentation
	// Trim tells that nothing before a time, in ticks of 100 ns, will be asked for again. An archive keeps it all the same.
	Trim(ctx context.Context, before uint64) error
	// Close ends the recording. ended tells the end of the event from a server that shuts down.
	Close(ctx context.Context, ended bool) error
}

// EventInfo describes a live event to those who record it.
type EventInfo struct {
	// Point is the name of the publishing point, such as "live/demo.isml".
	Point string
	// ID is that of the encoders' Events(ID), or empty.
	ID string
	// Title is for people.
	Title string
	// Started is when the event began.
	Started time.Time
	// Archive are the point's settings of the archive.
	Archive ArchiveSettings
}

// ArchiveSettings say whether and how the events of a publishing point are recorded.
type ArchiveSettings struct {
	// Enabled records events.
	Enabled bool
	// SegmentLength cuts the recording into presentations of that length; zero makes one of the whole event.
	SegmentLength time.Duration
	// Path is the directory of recordings; empty means that of the application.
	Path string
	// EventIDOnPath names the directory of an event after its ID instead of its start.
	EventIDOnPath bool
}

// InputInfo describes an input stream of a live event.
type InputInfo struct {
	// ID is the name in Streams(ID).
	ID string
	// Header is what an encoder sends before the fragments: ftyp, live server manifest, moov.
	Header []byte
	// Manifest is the live server manifest, also where the encoder sent none.
	Manifest *ServerManifest
	// Tracks in the order of the header.
	Tracks []InputTrack
}

// InputTrack is a track of an input stream.
type InputTrack struct {
	// ID is the track_ID.
	ID uint32
	// Key names the track; Time is zero.
	Key FragmentKey
	// Stream and Level are as in the client manifest; the timeline is empty. They must not be changed.
	Stream *Stream
	Level  *QualityLevel
	// Codec is the configuration.
	Codec *Codec
}
