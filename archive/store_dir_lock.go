package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Lock implements [Locker], with a lock that ends with the process. The lock file stays. On systems and file systems without
// such locks nothing is locked.
func (s *DirStore) Lock(ctx context.Context) (io.Closer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if info, err := s.root.Lstat(lockName); err == nil && !info.Mode().IsRegular() { // opening a pipe would block
		return nil, fmt.Errorf("archive: %w", &fs.PathError{Op: "lock", Path: lockName, Err: errors.New("not a regular file")})
	}
	f, err := s.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	if err := lockFile(f); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.Close()
		return nil, fmt.Errorf("archive: %s: %w", s.path, err)
	}
	return dirLock{f}, nil
}

// A dirLock is the lock file.
type dirLock struct{ f *os.File }

// Close ends the lock before it closes the file: a process that is just being started has the descriptor too for a moment.
func (l dirLock) Close() error {
	err := unlockFile(l.f)
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, l.f.Close())
}
