package archive

import (
	"context"
	"io"

	"github.com/smoothkit/smoothkit/smooth"
)

// A Store is where an archive keeps its files: a directory ([Dir]) or something like it. What is in it changes only by
// appending and by replacing whole files. It is safe for concurrent use; each [Appender] is written by one goroutine.
type Store interface {
	smooth.Files
	// Append opens a file for appending. If there is none it is made, with the directories above it.
	Append(ctx context.Context, name string) (Appender, error)
	// Replace makes data the content of a file, which may not exist yet. Whoever opens it, also after a power cut, finds the
	// old content or the new one, and once Replace has returned nil the new one.
	Replace(ctx context.Context, name string, data []byte) error
	// Remove removes a file or an empty directory. Nothing of that name is no error.
	Remove(ctx context.Context, name string) error
}

// An Appender is a file that grows. What is written survives the process, but only what was there when Sync was called survives
// a power cut.
type Appender interface {
	// Write appends. After an error some of p may have been appended.
	io.Writer
	// ReadAt reads what was written. It may be called by several goroutines, also during Write and Sync.
	io.ReaderAt
	// Size is the length in bytes, with what failed calls of Write have left.
	Size() int64
	// Truncate cuts the file. With the size that it has, a store gives back what it has set aside for more.
	Truncate(size int64) error
	// Sync returns when all that Write calls that have returned had written, the length of the file and its name
	// survive a power cut. It may be called during Write. After an error nothing is known of what was written since the last
	// Sync that succeeded.
	Sync() error
	Close() error
}

// A Locker is a [Store] that can be kept from other processes. [New] uses it, if there is one.
type Locker interface {
	// Lock returns when nobody else may change the store until the result is closed, or an error that wraps [ErrLocked].
	Lock(ctx context.Context) (io.Closer, error)
}
