package smooth

import (
	"context"
	"time"
)

// A Source opens presentations by name: a directory of files ([Dir], [FS]), a server of publishing points, a
// remote origin, a playlist. It is safe for concurrent use.
type Source interface {
	// Open returns the presentation called name, a valid path in the sense of [io/fs.ValidPath] that includes the
	// extension, such as "sport/final.ism". The caller closes it. The error wraps [ErrNotFound] if there is none.
	Open(ctx context.Context, name string) (Presentation, error)
}

// A Lister is a [Source] that can enumerate its presentations.
type Lister interface {
	// List calls yield for each presentation in lexical order of names until yield returns false.
	List(ctx context.Context, yield func(Info) bool) error
}

// Info describes a presentation without opening it.
type Info struct {
	// Name opens the presentation with [Source.Open].
	Name string
	// ModTime is the modification time of the file that defines the presentation; zero if unknown.
	ModTime time.Time
	// Size is the number of bytes of that defining file, or 0.
	Size int64
	// Live reports a publishing point.
	Live bool
}

// A Presentation is a set of named streams of tracks, cut into fragments on one integer timeline.
// It is safe for concurrent use until Close.
type Presentation interface {
	// Snapshot returns the current state. The value is immutable; a live presentation publishes a new one per change.
	Snapshot(ctx context.Context) (*Snapshot, error)
	// Fragment returns one fragment, which the caller closes. The error wraps [ErrNotFound], [ErrNotYet] (at or
	// after the live edge) or [ErrGone] (left the window). ctx rules until the fragment is closed.
	Fragment(ctx context.Context, k FragmentKey) (*Fragment, error)
	// Close releases the presentation. It is called once per Open: presentations are shared, so a second call would take
	// another user's share. Fragments that are still open stay valid.
	Close() error
}

// A Waiter is a live [Presentation] that can wait for a fragment beyond the live edge.
type Waiter interface {
	// Wait returns nil once the fragment may be asked for. It returns ctx.Err() if ctx ends first, and an error
	// that wraps [ErrNotFound] if the presentation ends without that fragment.
	Wait(ctx context.Context, k FragmentKey) error
}

// A Sizer is a [Presentation] that knows the sizes of fragments without reading them.
type Sizer interface {
	// FragmentSize returns an upper bound, in bytes, of the sample data (the mdat payload) of a fragment; it is
	// exact where the index has exact sizes. The error wraps [ErrNotFound].
	FragmentSize(k FragmentKey) (int64, error)
}

// A ManifestFile is a [Presentation] that has its client manifest as a file.
type ManifestFile interface {
	// ManifestBytes returns the client manifest as it is stored, in its own character encoding, for clients that ask
	// for nothing special. It belongs to the current snapshot; nobody may modify it. The error wraps [ErrNotFound] if
	// there is no file or it is stale; then one is made from the snapshot.
	ManifestBytes(ctx context.Context) ([]byte, error)
}

// A CompositeFile is a [Presentation] that was opened from a composite manifest (.csm).
type CompositeFile interface {
	// CompositeBytes returns the composite manifest as it is stored, in its own character encoding, or as it would be.
	// It belongs to the current snapshot; nobody may modify it.
	CompositeBytes(ctx context.Context) ([]byte, error)
}

// FragmentKey names one fragment of a presentation. It is comparable.
type FragmentKey struct {
	// Stream is the name of the stream, as in the manifest after defaulting.
	Stream string
	// Attrs are the custom attributes of the quality level in canonical form: "key=value" pairs in ascending order
	// of keys, joined by commas; empty for most presentations.
	Attrs string
	// Bitrate is the exact number of the quality level, in bits per second.
	Bitrate uint64
	// Time is the start of the fragment in ticks of the stream's timescale.
	Time uint64
}
