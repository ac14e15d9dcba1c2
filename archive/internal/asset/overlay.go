package asset

import (
	"bytes"
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// overlay shows files with another .ism, and with another .ismc or none. What lies there under those names does not count.
type overlay struct {
	smooth.Files
	ism, ismc string
	server    []byte
	client    []byte // nil if there is none
}

func newOverlay(files smooth.Files, ism string, server, client []byte) *overlay {
	return &overlay{Files: files, ism: ism, ismc: path.Join(path.Dir(ism), ClientManifestName(ism)), server: server, client: client}
}

// content returns what stands in for a name; replaced tells that the name is not that of a file below.
func (o *overlay) content(name string) (data []byte, replaced bool) {
	switch {
	case name == o.ism:
		return o.server, true
	case name == o.ismc:
		return o.client, true
	}
	return nil, strings.EqualFold(name, o.ismc)
}

// Open implements [smooth.Files].
func (o *overlay) Open(ctx context.Context, name string) (smooth.File, error) {
	data, replaced := o.content(name)
	if !replaced {
		return o.Files.Open(ctx, name)
	}
	if data == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return memory{bytes.NewReader(data), path.Base(name)}, nil
}

// Stat implements [smooth.Files].
func (o *overlay) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	data, replaced := o.content(name)
	if !replaced {
		return o.Files.Stat(ctx, name)
	}
	if data == nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return memory{bytes.NewReader(data), path.Base(name)}, nil
}

// ReadDir implements [smooth.Files].
func (o *overlay) ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	list, err := o.Files.ReadDir(ctx, name)
	if path.Clean(name) != path.Dir(o.ism) {
		return list, err
	}
	return slices.DeleteFunc(slices.Clone(list), func(e fs.DirEntry) bool {
		_, replaced := o.content(path.Join(name, e.Name()))
		return replaced
	}), err
}

// memory is a file in memory, and what Stat tells of it.
type memory struct {
	r    *bytes.Reader
	name string
}

func (m memory) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	return m.r.ReadAt(p, off)
}
func (m memory) Name() string       { return m.name }
func (m memory) Size() int64        { return m.r.Size() }
func (m memory) Mode() fs.FileMode  { return 0o444 }
func (m memory) ModTime() time.Time { return time.Time{} }
func (m memory) IsDir() bool        { return false }
func (m memory) Sys() any           { return nil }
func (m memory) Version() string    { return "memory" }
func (m memory) Close() error       { return nil }
