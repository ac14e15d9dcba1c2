package hls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// DirSinkOptions tunes a [DirSink]. A nil pointer and the zero value mean the documented defaults.
type DirSinkOptions struct {
	// Sync waits for the disk before a file gets its name, and for its name. Without it a crash of the whole system may
	// leave files with names but without content, which the next run notices by their size and makes anew; a crash of the
	// program may not.
	Sync bool
}

// A DirSink is a directory as a [Sink] and [Resumer]. Files have temporary names, with a dot in front and .tmp at the
// end, until they are whole. What a program that was killed leaves behind under such names is overwritten by the next run
// that makes the same files. The directory is made when the first file is. One segmenter at a time may use a directory.
type DirSink struct {
	path string
	opts DirSinkOptions
}

// NewDirSink returns a sink of the directory at path. It copies opts.
func NewDirSink(path string, opts *DirSinkOptions) *DirSink {
	d := &DirSink{path: path}
	if opts != nil {
		d.opts = *opts
	}
	return d
}

// at returns the path of a file in the terms of the operating system.
func (d *DirSink) at(name string) (string, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return "", fmt.Errorf("hls: file name %q: %w", name, err)
	}
	return filepath.Join(d.path, local), nil
}

// Create implements [Sink].
func (d *DirSink) Create(_ context.Context, name string) (SinkFile, error) {
	path, err := d.at(name)
	if err != nil {
		return nil, err
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	f, err := createFile(temporary)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o777); err == nil {
			f, err = createFile(temporary)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("hls: %w", err)
	}
	return &dirSinkFile{File: f, path: path, sync: d.opts.Sync}, nil
}

func createFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
}

// Stat implements [Resumer].
func (d *DirSink) Stat(_ context.Context, name string) (int64, error) {
	path, err := d.at(name)
	if err != nil {
		return 0, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return 0, fmt.Errorf("hls: %w", err)
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("hls: %s is not a regular file", path)
	}
	return info.Size(), nil
}

// ReadFile implements [Resumer].
func (d *DirSink) ReadFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	if _, err := d.Stat(ctx, name); err != nil { // opening a pipe would block
		return nil, err
	}
	path, err := d.at(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("hls: %w", err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// Remove implements [Resumer].
func (d *DirSink) Remove(_ context.Context, name string) error {
	path, err := d.at(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("hls: %w", err)
	}
	return nil
}

// A dirSinkFile is a file with a temporary name. It reads from others as *os.File does.
type dirSinkFile struct {
	*os.File
	path string // the final name
	sync bool
}

// Commit implements [SinkFile].
func (f *dirSinkFile) Commit() error {
	var err error
	if f.sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("hls: %w", err)
	}
	if f.sync {
		return syncDir(filepath.Dir(f.path))
	}
	return nil
}

// Abort implements [SinkFile].
func (f *dirSinkFile) Abort() error {
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
