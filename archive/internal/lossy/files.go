package lossy

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

var (
	errDirectory    = errors.New("is a directory")
	errNotDirectory = errors.New("not a directory")
	errNotEmpty     = errors.New("directory not empty")
)

func pathError(op Op, name string, err error) error {
	return &fs.PathError{Op: string(op), Path: name, Err: err}
}

// Open implements [smooth.Files].
func (s *Store) Open(ctx context.Context, name string) (smooth.File, error) {
	n, err := s.find(ctx, Open, name)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return nil, pathError(Open, name, fs.ErrNotExist)
	}
	return &file{store: s, name: name, info: n}, nil
}

// Stat implements [smooth.Files].
func (s *Store) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	n, err := s.find(ctx, Stat, name)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// ReadDir implements [smooth.Files].
func (s *Store) ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	n, err := s.find(ctx, ReadDir, name)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, pathError(ReadDir, name, fs.ErrNotExist)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []fs.DirEntry
	for _, name := range s.list(name) {
		list = append(list, fs.FileInfoToDirEntry(infoOf(name, s.lookup(name))))
	}
	return list, nil
}

// find describes what readers see under a name.
func (s *Store) find(ctx context.Context, op Op, name string) (*info, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.before(op, name, 0); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.off {
		return nil, ErrPower
	}
	n := s.lookup(name)
	if n == nil {
		return nil, pathError(op, name, fs.ErrNotExist)
	}
	return infoOf(name, n), nil
}

// info describes a node as it was at some time.
type info struct {
	name    string
	node    *node
	size    int64
	changed int64
}

// infoOf describes a node. mu must be held.
func infoOf(name string, n *node) *info {
	i := &info{name: path.Base(name), node: n}
	if n.content != nil {
		i.size, i.changed = n.size, n.changed
	}
	return i
}

func (i *info) Name() string       { return i.name }
func (i *info) Size() int64        { return i.size }
func (i *info) ModTime() time.Time { return time.UnixMilli(i.changed) }
func (i *info) IsDir() bool        { return i.node.content == nil }
func (i *info) Sys() any           { return nil }
func (i *info) Version() string    { return strconv.FormatInt(i.changed, 36) }

func (i *info) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o777
	}
	return 0o666
}

// file is an open file, of the length that it had when it was opened.
type file struct {
	store  *Store
	name   string
	info   *info
	closed atomic.Bool
}

func (f *file) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if f.closed.Load() {
		return 0, pathError(Read, f.name, fs.ErrClosed)
	}
	return f.store.readAt(f.name, f.info.node, p, off, f.info.size)
}

func (f *file) Size() int64        { return f.info.size }
func (f *file) ModTime() time.Time { return f.info.ModTime() }
func (f *file) Version() string    { return f.info.Version() }

func (f *file) Close() error {
	f.closed.Store(true)
	return nil
}

// readAt reads from the first size bytes of a file.
func (s *Store) readAt(name string, n *node, p []byte, off, size int64) (int, error) {
	if err := s.before(Read, name, int64(len(p))); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError(Read, name, fs.ErrInvalid)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.off {
		return 0, ErrPower
	}
	return n.readAt(p, off, size)
}
