package hls

import "os"

// A fileKind is how a system has files without a name, which nobody else finds and which are gone with the process.
type fileKind struct {
	create func(dir string) (*os.File, error)
	// reopen returns a descriptor of the same file with a position of its own.
	reopen  func(f *os.File) (*os.File, error)
	discard func(f *os.File)
}

// namedFiles are the next best: temporary files that lose their name when they are closed.
var namedFiles = fileKind{
	create:  func(dir string) (*os.File, error) { return os.CreateTemp(dir, "hls-segment-*") },
	reopen:  func(f *os.File) (*os.File, error) { return os.Open(f.Name()) },
	discard: func(f *os.File) { f.Close(); _ = os.Remove(f.Name()) },
}
