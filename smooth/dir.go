package smooth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Dir returns a source of the presentations below a directory of the operating system. It is confined to that
// directory: neither names nor symbolic links lead out of it. The directory is opened on first use; as long as there is
// none, opening a presentation is an error that does not wrap [ErrNotFound]. A nil opts means the documented defaults.
func Dir(path string, opts *FileOptions) *FileSource {
	files := NewDirFiles(path)
	s := NewFileSource(files, opts)
	s.own = files
	return s
}

// DirFiles is the [Files] that [Dir] reads: a directory of the operating system. Neither names nor symbolic links lead out
// of it; what is not a regular file is not opened. Its files are each a [Leaser], so that the kernel sends from them.
type DirFiles struct {
	path string

	mu     sync.Mutex // guards root and closed, also while root is opened: nobody can go on without it
	root   *os.Root
	closed bool
}

// NewDirFiles returns the files below a directory, which is opened on first use.
func NewDirFiles(path string) *DirFiles { return &DirFiles{path: path} }

func (d *DirFiles) open() (*os.Root, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root != nil {
		return d.root, nil
	}
	if d.closed {
		return nil, fmt.Errorf("smooth: source: %w", ErrClosed)
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, fmt.Errorf("smooth: open the media directory: %v", err) // not fs.ErrNotExist, which would be a 404
	}
	d.root = root
	return root, nil
}

// Close closes the directory. Files that are open stay so.
func (d *DirFiles) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.root == nil {
		return nil
	}
	err := d.root.Close()
	d.root = nil
	return err
}

// Stat implements [Files].
func (d *DirFiles) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(name)
	return info, confined(name, err)
}

// ReadDir implements [Files].
func (d *DirFiles) ReadDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	list, err := fs.ReadDir(root.FS(), name)
	return list, confined(name, err)
}

// Open implements [Files].
func (d *DirFiles) Open(_ context.Context, name string) (File, error) {
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	f, info, err := openRegular(root, name)
	if err != nil {
		return nil, err
	}
	return &dirFile{File: f, info: info, root: root, name: name}, nil
}

// openRegular opens a regular file. Anything else is not opened at all, since opening a pipe would block.
func openRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, nil, confined(name, err)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, confined(name, err)
	}
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, nil, noFile(name, err)
	}
	return f, info, nil
}

// confined makes every reason for which a name cannot name a file of the root the same as that it does not exist:
// an escape through a symbolic link, a name that the system does not allow, a file in place of a directory.
func confined(name string, err error) error {
	var pe *fs.PathError
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || !errors.As(err, &pe) {
		return err
	}
	if isResourceError(err) {
		return err
	}
	return &fs.PathError{Op: pe.Op, Path: name, Err: fmt.Errorf("%w: %v", fs.ErrNotExist, pe.Err)}
}

// maxIdleLeases bounds the open files that one media file keeps for its next senders.
const maxIdleLeases = 8

// dirFile is a file of the operating system with a pool of further descriptors of it.
type dirFile struct {
	*os.File
	info fs.FileInfo
	root *os.Root
	name string

	mapped mapping

	mu     sync.Mutex // guards idle and closed
	idle   []*os.File
	closed bool
}

func (f *dirFile) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *dirFile) Size() int64        { return f.info.Size() }
func (f *dirFile) ModTime() time.Time { return f.info.ModTime() }
func (f *dirFile) Version() string    { return versionOf(f.info) }

// Lease implements [Leaser]. It fails if another file has taken the name.
func (f *dirFile) Lease() (*os.File, error) {
	f.mu.Lock()
	if n := len(f.idle); n > 0 {
		file := f.idle[n-1]
		f.idle = f.idle[:n-1]
		f.mu.Unlock()
		return file, nil
	}
	f.mu.Unlock()
	file, info, err := openRegular(f.root, f.name)
	if err != nil {
		return nil, err
	}
	if !os.SameFile(info, f.info) || info.Size() < f.info.Size() {
		file.Close()
		return nil, fmt.Errorf("smooth: %s was replaced: %w", f.name, ErrGone)
	}
	return file, nil
}

// Return implements [Leaser].
func (f *dirFile) Return(file *os.File) {
	f.mu.Lock()
	if !f.closed && len(f.idle) < maxIdleLeases {
		f.idle = append(f.idle, file)
		file = nil
	}
	f.mu.Unlock()
	if file != nil {
		file.Close()
	}
}

func (f *dirFile) Close() error {
	f.mu.Lock()
	idle := f.idle
	f.idle, f.closed = nil, true
	f.mu.Unlock()
	for _, file := range idle {
		file.Close()
	}
	f.mapped.close()
	return f.File.Close()
}
