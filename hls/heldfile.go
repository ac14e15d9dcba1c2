package hls

import (
	"os"
	"sync/atomic"
)

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

// mostKeptFiles bounds the segments that are kept where the process may have files in plenty.
const mostKeptFiles = 4096

// keptFiles returns how many segments to keep if the process may have limit open files in all. The rest stays for
// connections, for media files and for the segments under way.
func keptFiles(limit uint64) int { return int(max(1, min(mostKeptFiles, limit/4))) }

// spareFiles counts the further descriptors of all kept segments that wait for the next request. It is safe for
// concurrent use.
type spareFiles struct {
	most  int64
	count atomic.Int64
}

// put reports whether one more may wait.
func (s *spareFiles) put() bool {
	if s.count.Add(1) <= s.most {
		return true
	}
	s.count.Add(-1)
	return false
}

// take takes one that waits.
func (s *spareFiles) take() { s.count.Add(-1) }
