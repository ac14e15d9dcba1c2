package lossy

import (
	"errors"
	"io/fs"
	"math"
	"sync"
)

// appender is an [archive.Appender].
type appender struct {
	store  *Store
	name   string
	node   *node
	closed bool // guarded by mu of the store

	syncing sync.Mutex // lets one Sync at a time go on
}

// usable returns why nothing can be done. mu of the store must be held.
func (a *appender) usable(op Op) error {
	switch {
	case a.store.off:
		return ErrPower
	case a.closed:
		return pathError(op, a.name, fs.ErrClosed)
	}
	return nil
}

// Write implements [io.Writer].
func (a *appender) Write(p []byte) (int, error) {
	failed := a.store.before(Write, a.name, int64(len(p)))
	if failed != nil {
		n := int64(0)
		if short := (*Short)(nil); errors.As(failed, &short) {
			n = min(max(short.N, 0), int64(len(p)))
		}
		p = p[:n]
	}
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	if err := a.usable(Write); err != nil {
		return 0, err
	}
	if len(p) > 0 {
		a.node.write(p)
		a.store.change(a.node.content)
	}
	return len(p), failed
}

// ReadAt implements [io.ReaderAt].
func (a *appender) ReadAt(p []byte, off int64) (int, error) {
	a.store.mu.RLock()
	err := a.usable(Read)
	a.store.mu.RUnlock()
	if err != nil {
		return 0, err
	}
	return a.store.readAt(a.name, a.node, p, off, math.MaxInt64)
}

func (a *appender) Size() int64 {
	a.store.mu.RLock()
	defer a.store.mu.RUnlock()
	return a.node.size
}

func (a *appender) Truncate(size int64) error {
	if err := a.store.before(Truncate, a.name, size); err != nil {
		return err
	}
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	if err := a.usable(Truncate); err != nil {
		return err
	}
	if size < 0 || size > a.node.size {
		return pathError(Truncate, a.name, fs.ErrInvalid)
	}
	a.node.truncate(size)
	a.store.change(a.node.content)
	return nil
}

// Sync makes certain what was written when it was called, not what comes while the script keeps it waiting.
func (a *appender) Sync() error {
	a.syncing.Lock()
	defer a.syncing.Unlock()
	a.store.mu.RLock()
	then, unsynced := a.node.mark(), a.node.unsynced()
	a.store.mu.RUnlock()
	failed := a.store.before(Sync, a.name, unsynced)
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	if err := a.usable(Sync); err != nil {
		return err
	}
	if failed != nil {
		a.node.lose()
		return failed
	}
	a.node.sync(then)
	a.store.settle(a.name, a.node)
	return nil
}

func (a *appender) Close() error {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	if a.closed {
		return pathError("close", a.name, fs.ErrClosed)
	}
	a.closed = true
	return nil
}
