package livesmooth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// save writes a definition, at once or not at all: what reads or crashes meanwhile sees the old file or the new one. The
// name is resolved as that of load, as far as there are directories and a file; load tells the actual one afterwards.
// Directories are made as needed. A file that exists keeps its mode; a new one with a key can be read by its owner only.
func (f *folder) save(name string, s *Settings) error {
	if !validPointName(name) {
		return fmt.Errorf("livesmooth: %q: %w", name, ErrName)
	}
	data, err := s.AppendISML(nil)
	if err != nil {
		return err
	}
	dir, err := f.makeDir(path.Dir(name))
	if err != nil {
		return err
	}
	d, err := f.listing(context.Background(), dir)
	if err != nil {
		return err
	}
	base := path.Base(name)
	if actual, ok := d.points.find(base); ok {
		base = actual
	}
	mode := fs.FileMode(0o644)
	if s.HLS != nil && len(s.HLS.Key) > 0 {
		mode = 0o600
	}
	return f.replace(dir, base, data, mode)
}

// makeDir returns the actual name of a directory, and makes what is missing of it.
func (f *folder) makeDir(dir string) (string, error) {
	actual, missing, err := f.resolveDir(dir)
	if err != nil || missing == "" {
		return actual, err
	}
	for element := range strings.SplitSeq(missing, "/") {
		actual = path.Join(actual, element)
		if err := f.root.Mkdir(actual, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		// What exists may be a file, or a link, which would give the definition a second name.
		if info, err := f.root.Lstat(actual); err != nil || !info.IsDir() {
			return "", errors.Join(err, fmt.Errorf("livesmooth: %s is not a directory: %w", actual, fs.ErrExist))
		}
	}
	return actual, nil
}

// replace writes a file under another name, waits for the disk, and renames it.
func (f *folder) replace(dir, base string, data []byte, mode fs.FileMode) error {
	name, temporary := path.Join(dir, base), path.Join(dir, ".isml-"+rand.Text()+".tmp")
	old, err := f.root.Stat(name)
	if err == nil {
		mode = old.Mode().Perm()
	}
	file, err := f.root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if old != nil {
		err = errors.Join(err, file.Chmod(mode)) // whatever the umask
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = f.root.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, f.root.Remove(temporary))
	}
	f.changed(dir)
	return syncFolder(f.root, dir)
}

// remove deletes a definition. The error is fs.ErrNotExist if there is none.
func (f *folder) remove(name string) error {
	actual, err := f.resolve(name)
	if err != nil {
		return err
	}
	if err := f.root.Remove(actual); err != nil {
		return err
	}
	dir := path.Dir(actual)
	f.changed(dir)
	return syncFolder(f.root, dir)
}

// changed drops the listing of a directory.
func (f *folder) changed(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.dirs, dir)
}
