package livesmooth

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/smooth"
)

// A spoolSegment is a file with fragments, one behind the other. It is deleted with its last reference: the index has one
// as long as a fragment of it is there, and each fragment that is lent from it.
type spoolSegment struct {
	spool  *Spool
	home   *spoolHome
	path   string
	number uint32 // in the recording
	refs   atomic.Int32

	// Only the goroutine that records uses these.
	file      spoolWriter // nil when nothing more is written
	size      int64       // of the whole fragments
	fragments int         // in the index

	idle []*os.File // guarded by mu of spool.files, which counts them
}

// newSpoolSegment makes the file. It takes over a reference to home.
func newSpoolSegment(s *Spool, home *spoolHome, name string) (*spoolSegment, error) {
	path := filepath.Join(home.path, name)
	file, err := s.disk.Create(path)
	if err != nil {
		home.release()
		return nil, err
	}
	seg := &spoolSegment{spool: s, home: home, path: path, file: file}
	seg.refs.Store(1)
	return seg, nil
}

// segmentName returns the name of a file.
func segmentName(recording uint64, segment uint32) string {
	return fmt.Sprintf("%d-%d%s", recording, segment, spoolExtension)
}

// write appends a fragment and returns its place. If that fails the file is as long as before.
func (g *spoolSegment) write(f *smooth.Fragment) (offset int64, err error) {
	n, err := f.WriteTo(io.NewOffsetWriter(g.file, g.size))
	if err == nil && n != f.Size() {
		err = io.ErrShortWrite
	}
	if err != nil {
		return 0, err
	}
	offset, g.size = g.size, g.size+n
	return offset, nil
}

// seal ends writing. What a write that failed has left is cut off, so that a full disk has room again; if that fails, too,
// nobody looks there.
func (g *spoolSegment) seal(torn bool) {
	if g.file == nil {
		return
	}
	if torn {
		_ = g.file.Truncate(g.size)
	}
	_ = g.file.Close() // there is nothing that has to survive
	g.file = nil
}

// release drops a reference. After the last one nobody can ask for the segment any more, and the file is deleted.
func (g *spoolSegment) release() {
	if g.refs.Add(-1) != 0 {
		return
	}
	g.spool.files.closeAll(g)
	_ = os.Remove(g.path)
	g.home.release()
}

// ReadAt implements [io.ReaderAt] for fragments that have no descriptor of their own.
func (g *spoolSegment) ReadAt(p []byte, off int64) (int, error) {
	return g.spool.files.readAt(g, p, off)
}
