package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/smooth"
)

// A DirStore is the [Store] that a directory of the operating system is. Neither names nor symbolic links lead out of it.
// It is a [Locker] too; one process at a time may change it. Errors wrap those of the system, such as ENOSPC.
//
// Every file is readable by whom the umask allows. Names of temporary files and of the lock file are not shown and not taken.
type DirStore struct {
	path  string
	root  *os.Root
	files *smooth.DirFiles
	names dirNames
	// syncFile waits until the content of a file is on the disk. Tests put faults in.
	syncFile func(*os.File) error

	temporary   string        // how the names of this store's temporary files begin
	temporaries atomic.Uint64 // made so far
}

// lockName is the name of the lock file.
const lockName = ".lock"

// What names of temporary files begin and end with. What other stores have left under such names is garbage of a crash.
const (
	temporaryPrefix = ".smoothkit-"
	temporarySuffix = ".tmp"
)

// Dir opens the store in a directory, which is made if there is none, with those above it. The caller closes it.
func Dir(path string) (*DirStore, error) {
	path, err := filepath.Abs(path) // a later change of the working directory must not lead elsewhere
	if err == nil {
		err = makeStoreDir(path)
	}
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &DirStore{
		path: path, root: root, files: smooth.NewDirFiles(path), names: newDirNames(), syncFile: syncData,
		temporary: temporaryPrefix + rand.Text() + "-",
	}, nil
}

// makeStoreDir makes a directory and those above it, and waits until what it has made is on the disk.
func makeStoreDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("not a directory")}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := makeStoreDir(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncNames(os.Open(above))
}

// Close closes the directory, not the files of it that are open.
func (s *DirStore) Close() error { return errors.Join(s.files.Close(), s.root.Close()) }

// Open implements [smooth.Files]. The result is a [smooth.Leaser]. Of a file that grows it is what was there when it was
// opened.
func (s *DirStore) Open(ctx context.Context, name string) (smooth.File, error) {
	if err := readable(ctx, "open", name); err != nil {
		return nil, err
	}
	return s.files.Open(ctx, name)
}

// Stat implements [smooth.Files].
func (s *DirStore) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	if err := readable(ctx, "stat", name); err != nil {
		return nil, err
	}
	return s.files.Stat(ctx, name)
}

// ReadDir implements [smooth.Files].
func (s *DirStore) ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	if err := readable(ctx, "readdir", name); err != nil {
		return nil, err
	}
	list, err := s.files.ReadDir(ctx, name)
	kept := list[:0]
	for _, d := range list {
		if !isReserved(path.Join(name, d.Name())) {
			kept = append(kept, d)
		}
	}
	return kept, err
}

// Remove implements [Store]. A name that is removed may be there again after a power cut.
func (s *DirStore) Remove(ctx context.Context, name string) error {
	local, err := writable(ctx, "remove", name)
	if err != nil {
		return err
	}
	err = s.root.Remove(local)
	if err != nil && s.sweep(name) > 0 { // a directory in which there was nothing else
		err = s.root.Remove(local)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// readable refuses the names that are not shown.
func readable(ctx context.Context, op, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !fs.ValidPath(name) || isReserved(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return nil
}

// writable returns a name as the system has it, or an error that wraps [fs.ErrInvalid] if a file cannot be named so.
func writable(ctx context.Context, op, name string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	local, err := filepath.Localize(name)
	if err != nil || name == "." || isReserved(name) {
		return "", fmt.Errorf("archive: %w", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid})
	}
	return local, nil
}

// isReserved reports whether a name is the lock file's or a temporary file's.
func isReserved(name string) bool {
	return strings.EqualFold(name, lockName) || isTemporary(path.Base(name))
}

// isTemporary reports whether the last element of a name is that of a temporary file.
func isTemporary(base string) bool {
	return strings.HasPrefix(base, temporaryPrefix) && strings.HasSuffix(base, temporarySuffix)
}
