package hls

import (
	"context"
	"io"
)

// A Sink is where a [Segmenter] puts files: a directory ([NewDirSink]), an archive, an object store. Names are relative
// paths with slashes, valid in the sense of [io/fs.ValidPath], of ASCII letters, digits, dots, hyphens and underscores. It
// is safe for concurrent use. A sink that can also tell what an earlier run has left is a [Resumer].
type Sink interface {
	// Create begins a file. Nobody sees it under its name before Commit. ctx rules until then.
	Create(ctx context.Context, name string) (SinkFile, error)
}

// A SinkFile is a file in the making, for one goroutine. Either Commit or Abort is called, once, after the last Write. One
// that is an [io.ReaderFrom] too gets sample data straight from the source, so that the system may copy it from file to
// file: the argument of ReadFrom is an [io.LimitedReader] over an [os.File] then.
type SinkFile interface {
	io.Writer
	// Commit gives the file its name, in the place of what has had it, all at once. After an error the file is gone.
	Commit() error
	// Abort gives the file up.
	Abort() error
}

// A Resumer is a [Sink] that knows what an earlier run has left. Errors wrap [io/fs.ErrNotExist] where there is no such
// file.
type Resumer interface {
	// Stat returns the size of a file in bytes.
	Stat(ctx context.Context, name string) (int64, error)
	// ReadFile returns the content of a file of at most limit bytes. What it returns for a longer one does not matter.
	ReadFile(ctx context.Context, name string, limit int64) ([]byte, error)
	// Remove removes a file.
	Remove(ctx context.Context, name string) error
}
