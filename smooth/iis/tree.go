package iis

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bounds of what is remembered of directories.
const (
	maxListings = 256     // directories
	maxListed   = 100_000 // names of one directory; larger ones need exact names
	maxNames    = 200_000 // names of all of them
	treeAge     = 2 * time.Second
)

// tree finds files as IIS did on Windows, without regard to case. An exact name comes first; several that differ in case
// only are ambiguous, which counts as not found and is logged. It is safe for concurrent use.
type tree struct {
	fsys fs.FS
	log  *slog.Logger
	now  func() time.Time

	mu    sync.Mutex // guards the fields below
	dirs  map[string]*listing
	names int // in dirs
}

// listing is a directory by folded name.
type listing struct {
	read  time.Time
	names map[string]string // folded to actual; empty if ambiguous
}

// newTree returns a tree of a file system. A nil now is that of package time.
func newTree(fsys fs.FS, log *slog.Logger, now func() time.Time) *tree {
	if now == nil {
		now = time.Now
	}
	return &tree{fsys: fsys, log: log, now: now, dirs: make(map[string]*listing)}
}

// resolve returns the actual name of a file or directory, and what it is.
func (t *tree) resolve(name string) (actual string, info fs.FileInfo, err error) {
	info, err = fs.Stat(t.fsys, name)
	if err = plainError(name, err); !errors.Is(err, fs.ErrNotExist) {
		return name, info, err
	}
	actual = "."
	for element := range strings.SplitSeq(name, "/") {
		found, err := t.element(actual, element)
		if err != nil {
			return "", nil, err
		}
		actual = path.Join(actual, found)
	}
	if actual == name {
		return "", nil, err
	}
	info, err = fs.Stat(t.fsys, actual)
	return actual, info, plainError(actual, err)
}

// element returns the actual spelling of an element of a path.
func (t *tree) element(dir, element string) (string, error) {
	d, err := t.listing(dir)
	if err != nil {
		return "", err
	}
	if actual, ok := d.names[element+"\x00"]; ok { // exact
		return actual, nil
	}
	notExist := &fs.PathError{Op: "open", Path: path.Join(dir, element), Err: fs.ErrNotExist}
	actual, ok := d.names[foldName(element)]
	if ok && actual == "" {
		t.log.Warn("name is ambiguous: files differ in case only", "dir", dir, "name", element)
	}
	if actual == "" {
		return "", notExist
	}
	return actual, nil
}

// spelling returns the actual spelling of the name of a file that was found. A file system that does not know case finds
// others, too, which are the same file. What is not in the listing of its directory is left as it is.
func (t *tree) spelling(name string) string {
	actual := "."
	for element := range strings.SplitSeq(name, "/") {
		if found, err := t.element(actual, element); err == nil {
			element = found
		}
		actual = path.Join(actual, element)
	}
	return actual
}

// listing returns a directory, as it was a short while ago.
func (t *tree) listing(dir string) (*listing, error) {
	now := t.now()
	t.mu.Lock()
	d := t.dirs[dir]
	t.mu.Unlock()
	if d != nil && now.Sub(d.read) < treeAge {
		return d, nil
	}
	entries, err := fs.ReadDir(t.fsys, dir)
	if err != nil {
		if info, e := fs.Stat(t.fsys, dir); e == nil && !info.IsDir() {
			err = fs.ErrNotExist
		}
		return nil, plainError(dir, err)
	}
	d = &listing{read: now, names: make(map[string]string, 2*min(len(entries), maxListed))}
	for _, e := range entries[:min(len(entries), maxListed)] {
		d.add(e.Name())
	}
	t.keep(dir, d)
	return d, nil
}

func (l *listing) add(name string) {
	l.names[name+"\x00"] = name
	folded := foldName(name)
	if _, twice := l.names[folded]; twice {
		name = ""
	}
	l.names[folded] = name
}

// keep remembers a listing. All others are forgotten when there are too many.
func (t *tree) keep(dir string, d *listing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.dirs[dir]; old != nil {
		t.names -= len(old.names)
		delete(t.dirs, dir)
	}
	if len(t.dirs) >= maxListings || t.names+len(d.names) > 2*maxNames {
		clear(t.dirs)
		t.names = 0
	}
	t.dirs[dir] = d
	t.names += len(d.names)
}

// is tells whether a path of a URL is a file, or a directory.
func (t *tree) is(name string, directory bool) bool {
	name = strings.Join(splitPath(name), "/")
	if name == "" {
		name = "."
	}
	if len(name) > maxName || !fs.ValidPath(name) {
		return false
	}
	_, info, err := t.resolve(name)
	return err == nil && info.IsDir() == directory
}

// foldName maps names that Windows takes for the same to the same string.
func foldName(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// plainError makes every reason for which a name cannot name a file the same as that it does not exist: one that leads
// out through a symbolic link, that the system does not allow, or with a file in the place of a directory. Errors that
// say nothing about the name stay.
func plainError(name string, err error) error {
	var pe *fs.PathError
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	for _, resource := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO} {
		if errors.Is(err, resource) {
			return err
		}
	}
	if !errors.As(err, &pe) {
		return err
	}
	return &fs.PathError{Op: pe.Op, Path: name, Err: fmt.Errorf("%w: %v", fs.ErrNotExist, pe.Err)}
}
