package livesmooth

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

const (
	// maxFolderEntries bounds the entries of one directory.
	maxFolderEntries = 1_000_000
	// folderSettle is how long before it is read a directory must have been changed last for its listing to be trusted
	// later on: file systems count in steps, of two seconds at worst, and a change within the same step is not seen.
	folderSettle = 3 * time.Second
)

// folderDir is what matters of a directory. It is immutable.
type folderDir struct {
	modified, read time.Time
	dirs, points   folderNames
}

// folderNames are names in order, which are found as Windows finds them.
type folderNames struct {
	names  []string
	folded map[string]string // the actual name by the folded one; "" if several are equal but for case
}

func (n *folderNames) add(name string) {
	if n.folded == nil {
		n.folded = make(map[string]string)
	}
	n.names = append(n.names, name)
	key := foldName(name)
	if _, twice := n.folded[key]; twice {
		name = ""
	}
	n.folded[key] = name
}

// find returns the actual spelling of a name: itself, or else the only one that differs in case.
func (n *folderNames) find(name string) (string, bool) {
	if _, ok := slices.BinarySearch(n.names, name); ok {
		return name, true
	}
	actual := n.folded[foldName(name)]
	return actual, actual != ""
}

// ambiguous reports whether several names differ from a name in case only.
func (n *folderNames) ambiguous(name string) bool {
	actual, ok := n.folded[foldName(name)]
	return ok && actual == ""
}

// foldName maps names that Windows takes for the same to the same string.
func foldName(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// listing returns what is in a directory, from the last time it was read if it has not changed.
func (f *folder) listing(ctx context.Context, dir string) (*folderDir, error) {
	info, err := f.root.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, notExist(dir)
	}
	f.mu.Lock()
	d := f.dirs[dir]
	f.mu.Unlock()
	if d != nil && d.modified.Equal(info.ModTime()) && d.read.Sub(d.modified) > folderSettle {
		return d, nil
	}
	if d, err = f.readDir(ctx, dir); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.dirs[dir] = d
	f.mu.Unlock()
	return d, nil
}

// readDir reads a directory. Of symbolic links it takes those that may lead to definitions.
func (f *folder) readDir(ctx context.Context, dir string) (*folderDir, error) {
	file, err := f.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	d := &folderDir{modified: info.ModTime(), read: f.now()}
	if err := d.fill(ctx, file); err != nil {
		return nil, err
	}
	slices.Sort(d.dirs.names)
	slices.Sort(d.points.names)
	return d, nil
}

func (d *folderDir) fill(ctx context.Context, file *os.File) error {
	for n := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := file.ReadDir(1024)
		if n += len(entries); n > maxFolderEntries {
			return fmt.Errorf("livesmooth: %s: more than %d entries: %w", file.Name(), maxFolderEntries, ErrLimit)
		}
		for _, e := range entries {
			switch {
			case e.IsDir():
				d.dirs.add(e.Name())
			case isPointName(e.Name()) && e.Type()&^fs.ModeSymlink == 0:
				d.points.add(e.Name())
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// resolveDir returns the actual name of a directory as far as it exists, and what is missing of it.
func (f *folder) resolveDir(dir string) (actual, missing string, err error) {
	actual = "."
	for dir != "." {
		element, rest, more := strings.Cut(dir, "/")
		d, err := f.listing(context.Background(), actual)
		if err != nil {
			return "", "", err
		}
		found, ok := d.dirs.find(element)
		switch {
		case ok:
			actual = path.Join(actual, found)
		case d.dirs.ambiguous(element):
			return "", "", fmt.Errorf("livesmooth: %s is ambiguous: %w", path.Join(actual, element), notExist(element))
		default:
			return actual, dir, nil
		}
		if !more {
			break
		}
		dir = rest
	}
	return actual, "", nil
}
