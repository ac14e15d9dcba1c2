package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// folder is a directory with definitions of publishing points. It is confined to that directory: neither names nor
// symbolic links lead out of it, and symbolic links to directories are not followed at all, so that every definition has
// one name. It is safe for concurrent use.
type folder struct {
	root *os.Root
	now  func() time.Time
	// maxPoints and maxDirs bound what scan looks at; above, it fails.
	maxPoints, maxDirs int

	mu   sync.Mutex // guards dirs
	dirs map[string]*folderDir
}

// openFolder opens a directory, which must exist.
func openFolder(root string) (*folder, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	return &folder{root: r, now: time.Now, maxPoints: 10_000, maxDirs: 100_000, dirs: make(map[string]*folderDir)}, nil
}

// close ends the use of the directory. What is called afterwards fails.
func (f *folder) close() error { return f.root.Close() }

// load reads a definition. The name may differ from that of the file in case, if there is no exact one and only one such;
// actual is the name of the file. version changes with the file; it is known also if the content is at fault. The error is
// fs.ErrNotExist for whatever is no file of the folder.
func (f *folder) load(name string) (s *Settings, version, actual string, err error) {
	if actual, err = f.resolve(name); err != nil {
		return nil, "", "", err
	}
	file, info, err := f.open(actual)
	if err != nil {
		return nil, "", "", err
	}
	defer file.Close()
	version = versionOf(info) // from before it is read: what changes meanwhile is found by the next scan
	data, err := io.ReadAll(io.LimitReader(file, maxISMLBytes+1))
	if err == nil {
		s, err = ParseSettings(data)
	}
	var fe *smooth.FileError
	if errors.As(err, &fe) {
		fe.File = actual
	}
	return s, version, actual, err
}

// open opens a regular file. Anything else is not opened at all, since opening a pipe would block.
func (f *folder) open(name string) (*os.File, fs.FileInfo, error) {
	info, err := f.root.Stat(name)
	if err != nil {
		if f.isLink(name) {
			err = notExist(name)
		}
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, notExist(name)
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
		err = notExist(name)
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

func (f *folder) isLink(name string) bool {
	info, err := f.root.Lstat(name)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func notExist(name string) error { return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist} }

// versionOf changes when a file does.
func versionOf(info fs.FileInfo) string {
	return strconv.FormatInt(info.Size(), 36) + "-" + strconv.FormatInt(info.ModTime().UnixNano(), 36)
}

// resolve returns the actual name of a definition, as it is listed in its directory.
func (f *folder) resolve(name string) (string, error) {
	if !validPointName(name) {
		return "", notExist(name)
	}
	dir, missing, err := f.resolveDir(path.Dir(name))
	if err != nil {
		return "", err
	}
	if missing != "" {
		return "", notExist(name)
	}
	d, err := f.listing(context.Background(), dir)
	if err != nil {
		return "", err
	}
	actual, ok := d.points.find(path.Base(name))
	if !ok {
		return "", notExist(name)
	}
	return path.Join(dir, actual), nil
}

// scan returns the versions of all definitions by name. It reads again only those directories that have changed since the
// last scan, skips files that vanish meanwhile or that nobody may read, and fails if there are too many.
func (f *folder) scan(ctx context.Context) (map[string]string, error) {
	found := make(map[string]string)
	seen := map[string]bool{".": true}
	for stack := []string{"."}; len(stack) > 0; {
		dir := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		d, err := f.listing(ctx, dir)
		if err != nil {
			if dir != "." && isVanished(err) {
				continue
			}
			return nil, err
		}
		if err := f.stat(ctx, dir, d, found); err != nil {
			return nil, err
		}
		for _, sub := range d.dirs.names {
			sub = path.Join(dir, sub)
			if !validPointName(sub + "/a" + pointExtension) {
				continue // no definition below can have a valid name
			}
			if len(seen) >= f.maxDirs {
				return nil, fmt.Errorf("livesmooth: more than %d directories: %w", f.maxDirs, ErrLimit)
			}
			seen[sub] = true
			stack = append(stack, sub)
		}
	}
	f.forget(seen)
	return found, nil
}

// stat adds the definitions of a directory.
func (f *folder) stat(ctx context.Context, dir string, d *folderDir, found map[string]string) error {
	for _, name := range d.points.names {
		name = path.Join(dir, name)
		if err := ctx.Err(); err != nil {
			return err
		}
		if !validPointName(name) {
			continue
		}
		info, err := f.root.Stat(name)
		switch {
		case err == nil && info.Mode().IsRegular():
		case err == nil || isVanished(err) || f.isLink(name):
			continue // a pipe, a file that has gone, a link that leads out or nowhere
		default:
			return err
		}
		if len(found) >= f.maxPoints {
			return fmt.Errorf("livesmooth: more than %d definitions: %w", f.maxPoints, ErrLimit)
		}
		found[name] = versionOf(info)
	}
	return nil
}

// isVanished reports errors of files that have gone or that this process may not see.
func isVanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// forget drops the listings of directories that are no more.
func (f *folder) forget(seen map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for dir := range f.dirs {
		if !seen[dir] {
			delete(f.dirs, dir)
		}
	}
}
