package smooth

import (
	"archive/zip"
	"bytes"
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
	// Stat describes a file or directory without opening it. Two contents of the same name must differ in size or time
	// of change, or in what a method Version() string of the result returns, if it has one.
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
	if v, ok := info.(interface{ Version() string }); ok {
		return v.Version()
	}
	return strconv.FormatInt(info.Size(), 36) + "-" + strconv.FormatInt(info.ModTime().UnixNano(), 36)
}

// fsFiles adapts an fs.FS.
type fsFiles struct{ fsys fs.FS }

func (f fsFiles) Open(_ context.Context, name string) (File, error) {
	if st, ok := f.fsys.(fs.StatFS); ok { // opening a pipe would block
		if info, err := st.Stat(name); err != nil || !info.Mode().IsRegular() {
			return nil, noFile(name, err)
		}
	}
	file, err := f.fsys.Open(name)
	if err != nil {
		return nil, noFile(name, err)
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, noFile(name, err)
	}
	if stored := storedInZip(f.fsys, name); stored != nil {
		return &fsFile{file, stored, info}, nil
	}
	return newFSFile(name, file, info)
}

func (f fsFiles) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	info, err := fs.Stat(f.fsys, name)
	if err != nil {
		return nil, noFile(name, err)
	}
	return info, nil
}

func (f fsFiles) ReadDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(f.fsys, name)
	if err != nil {
		return nil, noFile(name, err)
	}
	return list, nil
}

// noFile makes the reasons for which a name cannot name a regular file the same as that it does not exist: nil, which
// stands for a directory or device, a name that the system does not allow, a file in place of a directory.
func noFile(name string, err error) error {
	if err == nil {
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if errors.Is(err, fs.ErrInvalid) || isNameError(err) {
		return &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w: %v", fs.ErrNotExist, err)}
	}
	return err
}

// storedInZip returns the content of an entry of a zip archive that is not compressed, or nil.
func storedInZip(fsys fs.FS, name string) io.ReaderAt {
	z, ok := fsys.(*zip.Reader)
	if c, isCloser := fsys.(*zip.ReadCloser); isCloser {
		z, ok = &c.Reader, true
	}
	if !ok {
		return nil
	}
	for _, f := range z.File {
		if f.Name != name || f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 {
			continue
		}
		if raw, err := f.OpenRaw(); err == nil {
			at, _ := raw.(io.ReaderAt)
			return at
		}
	}
	return nil
}

// fsFile is a file of an fs.FS.
type fsFile struct {
	file fs.File
	at   io.ReaderAt
	info fs.FileInfo
}

// maxSequentialFile is the largest file, in bytes, that is kept in memory because it can only be read from its start.
const maxSequentialFile = 4 << 20

// newFSFile takes over a file that can read at an offset or seek, or one that is short.
func newFSFile(name string, file fs.File, info fs.FileInfo) (File, error) {
	switch f := file.(type) {
	case io.ReaderAt:
		return &fsFile{file, f, info}, nil
	case io.ReadSeeker:
		return &fsFile{file, &seekReaderAt{r: f}, info}, nil
	}
	if info.Size() > maxSequentialFile {
		file.Close()
		return nil, &FileError{File: name, Offset: -1, Err: ErrUnsupported,
			Reason: fmt.Sprintf("a file of type %T can only be read from its start, and %d bytes are too many for that", file, info.Size()),
			Remedy: "do not compress it"}
	}
	data := make([]byte, info.Size())
	if n, err := io.ReadFull(file, data); err != nil {
		file.Close()
		return nil, fmt.Errorf("smooth: %s: %d of %d bytes: %w", name, n, len(data), err)
	}
	return &fsFile{file, bytes.NewReader(data), info}, nil
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
		return nil, nil, &FileError{File: name, Offset: limit, Err: ErrTooLarge,
			Reason: fmt.Sprintf("%d bytes, the limit is %d", f.Size(), limit), Remedy: remedyFor(ErrTooLarge)}
	}
	b := make([]byte, f.Size())
	n, err := f.ReadAtContext(ctx, b, 0)
	if n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = &FileError{File: name, Offset: int64(n), Err: ErrCorrupt, Reason: "the file was cut while it was read", Remedy: "copy the file again"}
		}
		return nil, nil, err
	}
	return b, f, nil
}
