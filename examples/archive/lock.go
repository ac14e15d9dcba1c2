package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/smoothkit/smoothkit/archive"
)

// lockFile is what archives lock. An archive may be any directory above the one that is worked on.
const lockFile = ".lock"

// lockAround locks the archives that a directory is or lies in. The error wraps archive.ErrLocked if one of them is in use; unlock is never nil.
func lockAround(ctx context.Context, dir string) (unlock func(), err error) {
	return lockAbove(ctx, filepath.Join(dir, lockFile))
}

// lockAbove locks the archives that a file or directory lies in.
func lockAbove(ctx context.Context, dir string) (unlock func(), err error) {
	var held []io.Closer
	unlock = func() {
		for _, c := range held {
			c.Close()
		}
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return unlock, err
	}
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		if info, err := os.Lstat(filepath.Join(above, lockFile)); err == nil && info.Mode().IsRegular() {
			lock, err := lockOf(ctx, above)
			if errors.Is(err, archive.ErrLocked) {
				unlock()
				return func() {}, err
			}
			if err == nil { // another error means that it is none of ours
				held = append(held, lock)
			}
		}
		if above == filepath.Dir(above) {
			return unlock, nil
		}
	}
}

func lockOf(ctx context.Context, dir string) (io.Closer, error) {
	store, err := archive.Dir(dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	return store.Lock(ctx)
}
