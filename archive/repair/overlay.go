package repair

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// overlay is a tree of files with one that has another content, whether there is such a file or not.
type overlay struct {
	smooth.Files
	name string
	data []byte
}

func newOverlay(files smooth.Files, name string, data []byte) *overlay {
	return &overlay{files, name, data}
}

// Open implements [smooth.Files].
func (o *overlay) Open(ctx context.Context, name string) (smooth.File, error) {
	if name == o.name {
		return overlaid{bytes.NewReader(o.data)}, nil
	}
	return o.Files.Open(ctx, name)
}

// Stat implements [smooth.Files].
func (o *overlay) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	if name == o.name {
		return info{name, int64(len(o.data))}, nil
	}
	return o.Files.Stat(ctx, name)
}

// overlaid is a file in memory.
type overlaid struct{ *bytes.Reader }

func (f overlaid) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	return f.ReadAt(p, off)
}
func (f overlaid) Size() int64      { return f.Reader.Size() }
func (overlaid) ModTime() time.Time { return time.Time{} }
func (overlaid) Version() string    { return "overlay" }
func (overlaid) Close() error       { return nil }

// info describes an overlaid file.
type info struct {
	name string
	size int64
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return 0o444 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }
func (i info) Version() string    { return "overlay" }

// treeFS shows a tree of files as an [fs.FS], for the validator.
type treeFS struct {
	ctx   context.Context
	files smooth.Files
}

// Open implements [fs.FS].
func (t treeFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	st, err := t.files.Stat(t.ctx, name)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := t.files.Open(t.ctx, name)
	if err != nil {
		return nil, err
	}
	at := fileAt{t.ctx, f}
	return treeFile{f, st, at, io.NewSectionReader(at, 0, f.Size())}, nil
}

// Stat implements [fs.StatFS].
func (t treeFS) Stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrInvalid}
	}
	return t.files.Stat(t.ctx, name)
}

// ReadDir implements [fs.ReadDirFS].
func (t treeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return t.files.ReadDir(t.ctx, name)
}

// treeFile is an open file of a treeFS.
type treeFile struct {
	f    smooth.File
	info fs.FileInfo
	io.ReaderAt
	r *io.SectionReader
}

func (f treeFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f treeFile) Read(p []byte) (int, error) { return f.r.Read(p) }
func (f treeFile) Close() error               { return f.f.Close() }
