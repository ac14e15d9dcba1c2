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

	mu    sync.Mutex // guards the fields below
	known map[string]knownName
	dirs  map[string]*foldedDir
	total int // names in dirs
}

// knownName is what a name that is not exact was found to mean.
type knownName struct {
	read   time.Time
	actual string
}

// foldedDir is the listing of a directory by folded name.
type foldedDir struct {
	read  time.Time
	names map[string]string // folded to actual; "" if ambiguous
}

const (
	// maxFoldedDirs bounds the directories whose listings are remembered, and maxRememberedNames the names in them.
	maxFoldedDirs      = 256
	maxRememberedNames = 200_000
	// maxKnownNames bounds the names that are remembered with their meaning.
	maxKnownNames = 4096
	// maxFoldedNames bounds the names of one listing; larger directories need exact names.
	maxFoldedNames = 100_000
)

// hlsSuffix is what IIS appended to the name of the server manifest for the HLS rendition of an asset.
const hlsSuffix = "-m3u8-aapl"

// remembered returns the actual name of a presentation if it was looked up a short while ago.
func (r *resolver) remembered(name string) (string, bool) {
	r.mu.Lock()
	k, ok := r.known[name]
	r.mu.Unlock()
	return k.actual, ok && r.now().Sub(k.read) < r.ttl
}

// remember keeps what a name means for a while, so that requests with a name in another case are not slower.
func (r *resolver) remember(name, actual string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) >= maxKnownNames {
		r.known = make(map[string]knownName)
	}
	r.known[name] = knownName{r.now(), actual}
}

// presentation returns the actual name of a presentation: that of its file, or one made of the directory of MP4 files
// that stands for it. The name of the HLS rendition, as IIS called it, leads to the asset itself, even if the server
// manifest of the rendition, which lists MPEG-2 transport streams, exists.
func (r *resolver) presentation(ctx context.Context, name string) (string, error) {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if asset, ok := withoutHLSSuffix(stem); ok && strings.EqualFold(ext, ".ism") {
		if actual, err := r.fileOrDir(ctx, asset, ext); !errors.Is(err, fs.ErrNotExist) {
			return actual, err
		}
	}
	return r.fileOrDir(ctx, stem, ext)
}

func withoutHLSSuffix(stem string) (string, bool) {
	n := len(stem) - len(hlsSuffix)
	if n <= 0 || stem[n-1] == '/' || !strings.EqualFold(stem[n:], hlsSuffix) {
		return stem, false
	}
	return stem[:n], true
}

func (r *resolver) fileOrDir(ctx context.Context, stem, ext string) (string, error) {
	actual, err := r.file(ctx, stem+ext)
	if errors.Is(err, fs.ErrNotExist) && strings.EqualFold(ext, ".ism") {
		if dir, info, dirErr := r.resolve(ctx, stem); dirErr == nil && info.IsDir() {
			return dir + ".ism", nil
		}
	}
	return actual, err
}

// file returns the actual name of a file: name itself if it exists, else the only one that differs in case.
func (r *resolver) file(ctx context.Context, name string) (string, error) {
	actual, info, err := r.resolve(ctx, name)
	if err == nil && info.IsDir() {
		err = noFile(name, nil)
	}
	return actual, err
}

// resolve returns the actual name of a file or directory, and what it is.
func (r *resolver) resolve(ctx context.Context, name string) (string, fs.FileInfo, error) {
	info, err := r.files.Stat(ctx, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return name, info, err
	}
	actual := "."
	for element := range strings.SplitSeq(name, "/") {
		found, err := r.element(ctx, actual, element)
		if err != nil {
			return "", nil, err
		}
		actual = path.Join(actual, found)
	}
	info, err = r.files.Stat(ctx, actual)
	return actual, info, err
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
		if info, statErr := r.files.Stat(ctx, dir); statErr == nil && !info.IsDir() {
			err = noFile(dir, nil)
		}
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
	if old := r.dirs[dir]; old != nil {
		r.total -= len(old.names)
	}
	if r.total += len(d.names); len(r.dirs) >= maxFoldedDirs || r.total > 2*maxRememberedNames {
		clear(r.dirs)
		r.total = len(d.names)
	}
	r.dirs[dir] = d
	return d, nil
}
