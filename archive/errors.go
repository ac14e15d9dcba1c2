package archive

import "errors"

// Errors of a store and of recordings. Those of package smooth are wrapped where they apply: ErrNotFound, ErrGone, ErrNotYet,
// ErrClosed, ErrCorrupt, ErrTooLarge, ErrUnsupported.
var (
	// ErrLocked is returned by [New] if another process has the store.
	ErrLocked = errors.New("in use by another process")
	// ErrOptions is returned for options out of range.
	ErrOptions = errors.New("bad options")
	// ErrNoHeader is returned for a fragment of a track that has not been declared.
	ErrNoHeader = errors.New("fragment before its header")
)
