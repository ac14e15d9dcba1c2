package livesmooth

import (
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// A spoolHome is the directory of one spool. Its lock file is held as long as the process lives, and says what the
// directory is: only one whose lock file has that content, and can be locked, is a left-over.
type spoolHome struct {
	path string
	lock *os.File // nil where the system or the file system has no locks
	refs atomic.Int32
}

const (
	spoolPrefix    = "spool-"
	spoolLock      = "lock"
	spoolExtension = ".segment"
	// spoolMarker is the content of a lock file. It is written after the lock was obtained, so a file without it is one
	// that another process is about to lock.
	spoolMarker = "smoothkit spool: files of a running process, deleted with it\n"
)

// newSpoolHome makes a directory with one reference.
func newSpoolHome(dir string) (*spoolHome, error) {
	path, err := os.MkdirTemp(dir, spoolPrefix)
	if err != nil {
		return nil, err
	}
	h := &spoolHome{path: path}
	h.refs.Store(1)
	if h.lock, err = lockSpool(filepath.Join(path, spoolLock)); err != nil {
		_ = os.Remove(filepath.Join(path, spoolLock))
		_ = os.Remove(path)
		return nil, err
	}
	return h, nil
}

// lockSpool makes a lock file. Without locks there is none, so that nobody takes the directory for a left-over.
func lockSpool(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if lockFile(f, true) != nil {
		f.Close()
		return nil, os.Remove(path)
	}
	if _, err = f.WriteString(spoolMarker); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// release drops a reference. After the last one the directory is deleted.
func (h *spoolHome) release() {
	if h.refs.Add(-1) != 0 {
		return
	}
	lock := filepath.Join(h.path, spoolLock)
	if removeOpen { // else another process could find it unlocked in between
		_ = os.Remove(lock)
	}
	if h.lock != nil {
		h.lock.Close()
	}
	_ = os.Remove(lock)
	_ = os.Remove(h.path)
}

// sweepSpools deletes what crashed processes have left in a directory. It touches nothing that is not certainly ours.
func sweepSpools(dir string, log *slog.Logger) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		log.Warn("look for what is left of a spool", "dir", dir, "err", err)
		return
	}
	defer root.Close()
	list, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		log.Warn("look for what is left of a spool", "dir", dir, "err", err)
	}
	for _, d := range list {
		if !d.IsDir() || !strings.HasPrefix(d.Name(), spoolPrefix) {
			continue
		}
		switch n, err := sweepSpool(root, d.Name()); {
		case err != nil:
			log.Warn("delete what is left of a spool", "dir", filepath.Join(dir, d.Name()), "err", err)
		case n >= 0:
			log.Info("deleted what was left of a spool", "dir", filepath.Join(dir, d.Name()), "bytes", n)
		}
	}
}

// sweepSpool deletes a directory if it is a left-over, and returns the bytes that were in it, or -1 if it is none. Files
// with other names stay, and the directory with them.
func sweepSpool(root *os.Root, name string) (int64, error) {
	home, err := root.OpenRoot(name)
	if err != nil {
		return -1, nil // gone, or somebody else's
	}
	defer home.Close()
	lock := abandonedLock(home)
	if lock == nil {
		return -1, nil
	}
	defer lock.Close()
	list, err := fs.ReadDir(home.FS(), ".")
	if err != nil {
		return 0, err
	}
	bytes := int64(0)
	for _, d := range list {
		if !isSegmentName(d.Name()) || !d.Type().IsRegular() {
			continue
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
		}
		if err := home.Remove(d.Name()); err != nil {
			return bytes, err
		}
	}
	if !removeOpen {
		lock.Close()
	}
	if err := home.Remove(spoolLock); err != nil {
		return bytes, err
	}
	home.Close() // Windows does not delete a directory that is open
	return bytes, root.Remove(name)
}

// abandonedLock returns the locked lock file of a process that does not live any more, or nil.
func abandonedLock(home *os.Root) *os.File {
	if info, err := home.Lstat(spoolLock); err != nil || !info.Mode().IsRegular() { // opening a pipe would block
		return nil
	}
	f, err := home.OpenFile(spoolLock, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	if lockFile(f, false) != nil || !isMarked(home, f) {
		f.Close()
		return nil
	}
	return f
}

// isMarked reports whether an open and locked file is the lock file of a spool, and not one that was deleted meanwhile.
func isMarked(home *os.Root, f *os.File) bool {
	text, err := io.ReadAll(io.LimitReader(f, int64(len(spoolMarker))+1))
	if err != nil || string(text) != spoolMarker {
		return false
	}
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := home.Lstat(spoolLock)
	return err == nil && os.SameFile(opened, named)
}

// isSegmentName reports whether a name is one that segmentName makes.
func isSegmentName(name string) bool {
	digits, ok := strings.CutSuffix(name, spoolExtension)
	return ok && digits != "" && strings.Trim(digits, "0123456789-") == ""
}
