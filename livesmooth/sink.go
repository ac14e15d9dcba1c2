package livesmooth

import (
	"context"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// A Sink gets what publishing points receive: an archive, a spool. It is safe for concurrent use.
type Sink interface {
	// Begin starts a recording, when the first header of the event has come. If it fails the event goes on without, and Begin is tried again after a while.
	Begin(ctx context.Context, e EventInfo) (Recording, error)
}

// EventInfo describes an event to a sink.
type EventInfo struct {
	// Point is the name of the publishing point, such as "live/demo.isml".
	Point string
	// ID is that of the encoders' Events(ID), or empty.
	ID string
	// Started is when the event began.
	Started time.Time
	// Settings of the point. They must not be changed.
	Settings *Settings
}

// A Recording takes the fragments of one event. Its methods but History and Durable are called by one goroutine, which may
// be kept waiting: the queue before it is bounded, and what does not fit is dropped and counted.
type Recording interface {
	// Declare adds an input stream, or tells of a new header of one.
	Declare(ctx context.Context, in InputInfo) error
	// Append takes a fragment, which the recording closes. Its Smooth header has tfxd and the track_ID of the input's
	// header, and no tfrf. Fragments of a track come in ascending order of time, but for those that fill a gap.
	Append(ctx context.Context, input string, f *smooth.Fragment) error
	// Gap tells of a span in which a stream has no content.
	Gap(ctx context.Context, g smooth.Gap) error
	// Durable returns the end, in ticks of 100 ns, up to which all tracks survive a crash; zero if nothing does.
	Durable() uint64
	// History returns what has been recorded so far, nil if it cannot be read. The point serves from it what has left
	// memory. The fragments are those that were appended, without tfrf. It is called once. The result is closed after
	// Close, when nobody can ask for the event any more; until then it stays valid.
	History() smooth.Presentation
	// Trim tells that nothing before a time, in ticks of 100 ns, will be asked for again. An archive ignores it.
	Trim(ctx context.Context, before uint64) error
	// Close ends the recording. ended tells the end of the event from a server that shuts down.
	Close(ctx context.Context, ended bool) error
}

// InputInfo describes an input stream to a sink.
type InputInfo struct {
	// ID is the name in Streams(ID).
	ID string
	// Header is what an encoder sends before the fragments: ftyp, live server manifest, moov.
	Header []byte
	// Manifest is the live server manifest, also where the encoder sent none.
	Manifest *smooth.ServerManifest
	// Tracks in the order of the header.
	Tracks []InputTrack
}

// InputTrack is a track of an input stream.
type InputTrack struct {
	// ID is the track_ID.
	ID uint32
	// Key names the track; Time is zero.
	Key smooth.FragmentKey
	// Stream and Level are as in the client manifest; the timeline is empty. They must not be changed.
	Stream *smooth.Stream
	Level  *smooth.QualityLevel
	// Codec is the configuration.
	Codec *smooth.Codec
}
