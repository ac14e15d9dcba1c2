package smooth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"
)

// resolver finds files as IIS did on Windows: without regard to case. An exact match wins; several that differ in
// case only are ambiguous, which counts as not found and is logged. Directory listings are remembered for a while.
type resolver struct {
	files  Files
	logger *slog.Logger
	now    func() time.Time
	ttl    time.Duration

	mu   sync.Mutex // guards dirs
	dirs map[string]*foldedDir
}

// foldedDir is the listing of a directory by folded name.
type foldedDir struct {
	read  time.Time
	names map[string]string // folded to actual; "" if ambiguous
}

const (
	// maxFoldedDirs bounds the directories whose listings are remembered.
	maxFoldedDirs = 256
	// maxFoldedNames bounds the names of one listing; larger directories need exact names.
	maxFoldedNames = 100_000
)

// hlsSuffix is what IIS appended to the name of the server manifest for the HLS rendition of an asset.
const hlsSuffix = "-m3u8-aapl"

// presentation returns the actual name of a presentation whose exact name does not exist.
func (r *resolver) presentation(ctx context.Context, name string) (string, error) {
	actual, err := r.file(ctx, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return actual, err
	}
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if n := len(stem) - len(hlsSuffix); n > 0 && strings.EqualFold(stem[n:], hlsSuffix) {
		return r.file(ctx, stem[:n]+ext)
	}
	return "", err
}

// file returns the actual name of a file: name itself if it exists, else the only one that differs in case.
func (r *resolver) file(ctx context.Context, name string) (string, error) {
	if info, err := r.files.Stat(ctx, name); err == nil && !info.IsDir() {
		return name, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	actual := "."
	for _, element := range strings.Split(name, "/") {
		found, err := r.element(ctx, actual, element)
		if err != nil {
			return "", err
		}
		actual = path.Join(actual, found)
	}
	info, err := r.files.Stat(ctx, actual)
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return actual, err
}

// element returns the actual spelling of one element of a path.
func (r *resolver) element(ctx context.Context, dir, element string) (string, error) {
	d, err := r.listing(ctx, dir)
	if err != nil {
		return "", err
	}
	actual, ok := d.names[element+"\x00"] // exact
	if ok {
		return actual, nil
	}
	actual, ok = d.names[foldName(element)]
	if !ok {
		return "", &fs.PathError{Op: "open", Path: path.Join(dir, element), Err: fs.ErrNotExist}
	}
	if actual == "" {
		r.logger.Warn("name is ambiguous: files differ in case only", "dir", dir, "name", element)
		return "", &fs.PathError{Op: "open", Path: path.Join(dir, element), Err: fmt.Errorf("ambiguous: %w", fs.ErrNotExist)}
	}
	return actual, nil
}

// foldName maps names that Windows takes for the same to the same string.
func foldName(name string) string { return strings.ToLower(strings.ToUpper(name)) }

func (r *resolver) listing(ctx context.Context, dir string) (*foldedDir, error) {
	now := r.now()
	r.mu.Lock()
	d, ok := r.dirs[dir]
	r.mu.Unlock()
	if ok && now.Sub(d.read) < r.ttl {
		return d, nil
	}
	entries, err := r.files.ReadDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	d = &foldedDir{read: now, names: make(map[string]string, 2*min(len(entries), maxFoldedNames))}
	for _, e := range entries[:min(len(entries), maxFoldedNames)] {
		name := e.Name()
		d.names[name+"\x00"] = name
		if f := foldName(name); d.names[f] == "" {
			if _, twice := d.names[f]; !twice {
				d.names[f] = name
			}
		} else {
			d.names[f] = ""
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dirs == nil {
		r.dirs = make(map[string]*foldedDir)
	}
	if len(r.dirs) >= maxFoldedDirs {
		clear(r.dirs)
	}
	r.dirs[dir] = d
	return d, nil
}
