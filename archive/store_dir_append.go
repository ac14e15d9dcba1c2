package archive

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"sync/atomic"
)

// dirAppender is a file of a [DirStore] that grows.
type dirAppender struct {
	store *DirStore
	name  string
	file  *os.File
	size  atomic.Int64
	room  int64 // up to where there may be a place on the disk already; only the goroutine that writes uses it

	mu      sync.Mutex // guards what is below, and lets one Sync at a time wait for the disk
	entry   uint64     // number of the file's entry in its directory
	isNamed bool       // the name and all above it are on the disk
	synced  int64      // bytes that are on the disk for certain
	failed  error      // of the last Sync
}

// Append implements [Store]. After a Sync that failed all others of that Appender fail too, until Truncate has cut off what is
// not on the disk for certain: the system tells of what it could not write only once, and forgets it.
func (s *DirStore) Append(ctx context.Context, name string) (Appender, error) {
	if _, err := writable(ctx, "append", name); err != nil {
		return nil, err
	}
	dir := path.Dir(name)
	s.names.hold(dir)
	a, err := s.append(name)
	if err != nil {
		s.names.release(dir)
		return nil, fmt.Errorf("archive: %w", err)
	}
	return a, nil
}

func (s *DirStore) append(name string) (*dirAppender, error) {
	s.sweepOnce(path.Dir(name))
	f, err := s.create(name, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	a := &dirAppender{store: s, name: name, file: f, entry: s.names.entered(path.Dir(name))}
	a.size.Store(info.Size())
	if there := allocated(info); there > info.Size()+roomStep/2 { // a crash has left it
		a.room = there
	}
	return a, nil
}

func (a *dirAppender) Write(p []byte) (int, error) {
	size := a.size.Load()
	a.makeRoom(size + int64(len(p)))
	n, err := a.file.WriteAt(p, size)
	if err != nil { // WriteAt does not count a system call that has written a part
		if info, e := a.file.Stat(); e == nil {
			n = int(min(max(info.Size()-size, int64(n)), int64(len(p))))
		}
	}
	a.size.Add(int64(n))
	writeEarly(a.file, size, size+int64(n))
	if err != nil {
		return n, fmt.Errorf("archive: %d of %d bytes: %w", n, len(p), err)
	}
	return n, nil
}

// roomStep is how much is allocated ahead, in bytes. A file that is shorter than that gets nothing.
const roomStep = 8 << 20

// makeRoom has the disk find a place for what will be written up to an end, and for more.
func (a *dirAppender) makeRoom(end int64) {
	if end <= a.room || end < roomStep {
		return
	}
	const page = 4096
	from, to := max(a.room, (a.size.Load()+page-1)/page*page), (end/roomStep+1)*roomStep
	allocate(a.file, from, to)
	a.room = to // also if there is none: the next try is a step later
}

// trim gives back what was allocated ahead. If that fails it is lost until the file is opened for appending again.
func (a *dirAppender) trim() {
	if size := a.size.Load(); a.room > size {
		_ = a.file.Truncate(size)
	}
}

func (a *dirAppender) ReadAt(p []byte, off int64) (int, error) { return a.file.ReadAt(p, off) }

func (a *dirAppender) Size() int64 { return a.size.Load() }

func (a *dirAppender) Truncate(size int64) error {
	if size < 0 || size > a.size.Load() {
		return fmt.Errorf("archive: cut %s of %d bytes to %d: %w", a.name, a.size.Load(), size, fs.ErrInvalid)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.file.Truncate(size); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	a.size.Store(size)
	a.room = 0
	if size <= a.synced {
		a.synced, a.failed = size, nil
	}
	return nil
}

func (a *dirAppender) Sync() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed != nil {
		return a.failed
	}
	size := a.size.Load()
	err := a.store.syncFile(a.file)
	if err == nil && !a.isNamed {
		err = a.store.names.sync(path.Dir(a.name), a.entry, a.store.syncDir)
	}
	if err != nil {
		a.failed = fmt.Errorf("archive: %w", err)
		return a.failed
	}
	a.isNamed, a.synced = true, size
	return nil
}

func (a *dirAppender) Close() error {
	a.trim()
	if err := a.file.Close(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	a.store.names.release(path.Dir(a.name))
	return nil
}
