package edit

import (
	"context"
	"errors"
	"log/slog"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
)

// Options tune how presentations are written. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// From and To bound what is written to the fragments of the main stream (the picture, or else sound) that overlap the span, and
	// those of other streams whose middle lies in what the main stream has then; To is exclusive. They are points on the timeline of
	// the source, which for a live event seldom begins at zero. The zero Instant is no bound.
	From, To smooth.Instant
	// Rebase makes times begin at zero instead of keeping those of the source, which are a date for most live events.
	Rebase bool
	// Logger gets what a source has to say about the segments that [Merge] reads. Nil means slog.Default().
	Logger *slog.Logger
	// Progress, if set, is told after each fragment how many of about how many have been written. It is called by the goroutine that
	// has called the function.
	Progress func(done, total int)
}

// Result tells what has been written.
type Result struct {
	// Name is that of the presentation in the store, such as goals/first.ism.
	Name string `json:"name"`
	// Files are the names of all files in the store: media, then the .ismc and the .ism.
	Files []string `json:"files"`
	// Fragments and Bytes are what the media files have of the source.
	Fragments int   `json:"fragments"`
	Bytes     int64 `json:"bytes"`
	// Start and End are the span of the source that has been written, in ticks of 100 ns, End exclusive. Sparse streams do not count,
	// as their fragments last for as long as they like.
	Start uint64 `json:"start"`
	End   uint64 `json:"end"`
	// Shift is what has been taken off all times, in ticks of 100 ns.
	Shift uint64 `json:"shift"`
	// Missing counts fragments that a quality level lacks though its stream has others at that time. A level that lacks more than one
	// in ten is not in the client manifest.
	Missing int `json:"missing"`
	// Repeated counts fragments that were found twice, as at the boundaries of segments, and taken once.
	Repeated int `json:"repeated"`
	// Dropped counts fragments of sparse streams that end before the time that Rebase makes zero.
	Dropped int `json:"dropped"`
}

// Errors besides those of package smooth. [io/fs.ErrExist] is wrapped where a file of the new presentation exists.
var (
	// ErrNoSegments: a directory has neither a presentation nor numbered directories with presentations in them.
	ErrNoSegments = errors.New("no segments")
	// ErrIncomplete: a segment has no manifest that can be read, so its recording has not been finished.
	ErrIncomplete = errors.New("segment is not complete")
)

// Write writes a presentation as files called name in a directory of the store: what there is of it now, if it is live. Fragments are
// written whole, so a span may begin a little earlier and end a little later; [Result] tells. p stays open. opts may be nil.
//
// The error wraps [smooth.ErrUnsupported] if the codec configuration of a track changes, which one track of Smooth Streaming cannot, and
// tells which and when: the parts before and after can be written by themselves. It does so too for composite presentations and codecs
// that have no place in files. It wraps [smooth.ErrNotFound] if there are no fragments, also in the span, [smooth.ErrBadRequest] if the
// span is empty, and [io/fs.ErrExist].
func Write(ctx context.Context, p smooth.Presentation, store archive.Store, dir, name string, opts *Options) (*Result, error) {
	return write(ctx, []part{{p: p}}, store, dir, name, opts)
}

// Trim is [Write] for a span: a highlight.
func Trim(ctx context.Context, p smooth.Presentation, from, to smooth.Instant, store archive.Store, dir, name string, opts *Options) (*Result, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.From, o.To = from, to
	return Write(ctx, p, store, dir, name, &o)
}
