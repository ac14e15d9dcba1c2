package smooth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"
)

// Files is a tree of files that presentations are read from: a directory ([Dir]), an [io/fs.FS] ([FS]) or an object
// store. Names are valid paths in the sense of [io/fs.ValidPath]. It is safe for concurrent use.
type Files interface {
	// Open opens a regular file. The error wraps [io/fs.ErrNotExist] if there is none, also for anything that is not
	// a regular file.
	Open(ctx context.Context, name string) (File, error)
	// Stat describes a file or directory without opening it.
	Stat(ctx context.Context, name string) (fs.FileInfo, error)
	// ReadDir lists a directory, sorted by name.
	ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error)
}

// File is an open file of a [Files]. It is safe for concurrent use.
type File interface {
	// ReadAtContext reads like [io.ReaderAt] and returns early when ctx ends.
	ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
	// Size in bytes.
	Size() int64
	// ModTime may be zero.
	ModTime() time.Time
	// Version differs between two contents of the same name.
	Version() string
	Close() error
}

// A Leaser is a [File] that can lend an *os.File to one user at a time, whose seek position is then the user's own, so
// that the kernel can send from it.
type Leaser interface {
	// Lease returns a file; the user gives it back with Return.
	Lease() (*os.File, error)
	// Return takes a leased file back.
	Return(*os.File)
}

// A VectorReader is a [File] that reads one range of the file into several buffers at once.
type VectorReader interface {
	// ReadVectorAt fills bufs in order from off.
	ReadVectorAt(bufs [][]byte, off int64) error
}

func versionOf(info fs.FileInfo) string {
	return strconv.FormatInt(info.Size(), 36) + "-" + strconv.FormatInt(info.ModTime().UnixNano(), 36)
}

// fsFiles adapts an fs.FS.
type fsFiles struct{ fsys fs.FS }

func (f fsFiles) Open(_ context.Context, name string) (File, error) {
	file, err := f.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return newFSFile(name, file, info)
}

func (f fsFiles) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	return fs.Stat(f.fsys, name)
}

func (f fsFiles) ReadDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	return fs.ReadDir(f.fsys, name)
}

// fsFile is a file of an fs.FS, which must be able to read at an offset or to seek.
type fsFile struct {
	file fs.File
	at   io.ReaderAt
	info fs.FileInfo
}

func newFSFile(name string, file fs.File, info fs.FileInfo) (File, error) {
	switch f := file.(type) {
	case io.ReaderAt:
		return &fsFile{file, f, info}, nil
	case io.ReadSeeker:
		return &fsFile{file, &seekReaderAt{r: f}, info}, nil
	}
	file.Close()
	return nil, fmt.Errorf("smooth: %s: a file of type %T can neither read at an offset nor seek: %w", name, file, ErrUnsupported)
}

func (f *fsFile) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return f.at.ReadAt(p, off)
}

func (f *fsFile) Size() int64        { return f.info.Size() }
func (f *fsFile) ModTime() time.Time { return f.info.ModTime() }
func (f *fsFile) Version() string    { return versionOf(f.info) }
func (f *fsFile) Close() error       { return f.file.Close() }

// seekReaderAt makes an io.ReaderAt of a file that only seeks; readers take turns.
type seekReaderAt struct {
	mu sync.Mutex // guards the seek position of r
	r  io.ReadSeeker
}

func (s *seekReaderAt) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.r, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// readSmall reads a whole file of at most limit bytes.
func readSmall(ctx context.Context, files Files, name string, limit int64) ([]byte, File, error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, nil, &FileError{File: name, Offset: -1, Err: ErrTooLarge,
			Reason: fmt.Sprintf("%d bytes, the limit is %d", f.Size(), limit)}
	}
	b := make([]byte, f.Size())
	n, err := f.ReadAtContext(ctx, b, 0)
	if n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = &FileError{File: name, Offset: int64(n), Err: ErrCorrupt, Reason: "the file was cut while it was read"}
		}
		return nil, nil, err
	}
	return b, f, nil
}
