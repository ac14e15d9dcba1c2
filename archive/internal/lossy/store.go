package lossy

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
)

// A Store is an [archive.Store] and [archive.Locker] in memory. It is safe for concurrent use.
type Store struct {
	fault atomic.Pointer[Fault]

	mu     sync.RWMutex // guards what is below and the content of all files
	names  map[string]*entry
	clock  int64 // counts changes; files have it as their time, in milliseconds
	locked *lock
	off    bool
}

// node is a file or a directory.
type node struct {
	*content // nil for a directory
}

// entry is what a name stands for, and what it may stand for after a crash.
type entry struct {
	synced *node   // nil is nothing
	since  []*node // the last is what readers see
}

func (e *entry) now() *node {
	if n := len(e.since); n > 0 {
		return e.since[n-1]
	}
	return e.synced
}

// New returns an empty store.
func New() *Store {
	root := &node{}
	return &Store{names: map[string]*entry{".": {synced: root}}}
}

// Crash cuts the power and returns what is there when it is back, without faults and unlocked. Every operation on s and its
// files that has not been done yet fails with [ErrPower]. It may be called again, for another outcome of the same crash.
func (s *Store) Crash(r *rand.Rand) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.off, s.locked = true, nil
	after := New()
	after.clock = s.clock
	names := make([]string, 0, len(s.names))
	for name := range s.names {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e := s.names[name]
		n := e.synced
		if k := r.IntN(len(e.since) + 1); k > 0 {
			n = e.since[k-1]
		}
		switch {
		case n == nil || name == ".":
		case n.content == nil:
			after.addDirs(name)
		default:
			after.addDirs(path.Dir(name))
			after.names[name] = &entry{synced: &node{n.crash(r)}}
		}
	}
	return after
}

// addDirs makes directories for certain. One takes the place of a file that had the name at another time.
func (s *Store) addDirs(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		if e := s.names[dir]; e == nil || e.synced.content != nil {
			s.names[dir] = &entry{synced: &node{}}
		}
	}
}

// lookup returns what readers see under a name, or nil. mu must be held.
func (s *Store) lookup(name string) *node {
	if e := s.names[name]; e != nil {
		return e.now()
	}
	return nil
}

// set makes a name stand for something else. mu must be held.
func (s *Store) set(name string, n *node) {
	e := s.names[name]
	if e == nil {
		e = &entry{}
		s.names[name] = e
	}
	e.since = append(e.since, n)
}

// makeDirs makes the directories above a file. mu must be held.
func (s *Store) makeDirs(op Op, name string) error {
	dir := path.Dir(name)
	if n := s.lookup(dir); n != nil {
		if n.content != nil {
			return pathError(op, name, errNotDirectory)
		}
		return nil
	}
	if err := s.makeDirs(op, dir); err != nil {
		return err
	}
	s.set(dir, &node{})
	return nil
}

// settle makes a name and those of the directories above it certain, as long as it stands for n. mu must be held.
func (s *Store) settle(name string, n *node) {
	e := s.names[name]
	if e == nil || e.now() != n {
		return
	}
	e.synced, e.since = n, nil
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		e := s.names[dir]
		e.synced, e.since = e.now(), nil
	}
}

// change advances the clock. mu must be held.
func (s *Store) change(c *content) {
	s.clock++
	c.changed = s.clock
}

// Append implements [archive.Store].
func (s *Store) Append(ctx context.Context, name string) (archive.Appender, error) {
	if err := s.start(ctx, Append, name, 0); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.off {
		return nil, ErrPower
	}
	if err := s.makeDirs(Append, name); err != nil {
		return nil, err
	}
	n := s.lookup(name)
	switch {
	case n == nil:
		n = &node{&content{}}
		s.change(n.content)
		s.set(name, n)
	case n.content == nil:
		return nil, pathError(Append, name, errDirectory)
	}
	return &appender{store: s, name: name, node: n}, nil
}

// Replace implements [archive.Store]. It makes the directories above the file too.
func (s *Store) Replace(ctx context.Context, name string, data []byte) error {
	if err := s.start(ctx, Replace, name, int64(len(data))); err != nil {
		return err
	}
	n, err := s.rename(name, data)
	if err != nil {
		return err
	}
	if err := s.before(Renamed, name, int64(len(data))); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.off {
		return ErrPower
	}
	s.settle(name, n)
	return nil
}

// rename puts a file that is on the disk in place of what has the name.
func (s *Store) rename(name string, data []byte) (*node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.off {
		return nil, ErrPower
	}
	if err := s.makeDirs(Replace, name); err != nil {
		return nil, err
	}
	if n := s.lookup(name); n != nil && n.content == nil {
		return nil, pathError(Replace, name, errDirectory)
	}
	n := &node{&content{}}
	n.write(data)
	n.sync(n.mark())
	s.change(n.content)
	s.set(name, n)
	return n, nil
}

// Remove implements [archive.Store].
func (s *Store) Remove(ctx context.Context, name string) error {
	if err := s.start(ctx, Remove, name, 0); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.lookup(name)
	switch {
	case s.off:
		return ErrPower
	case n == nil:
		return nil
	case n.content == nil && len(s.list(name)) > 0:
		return pathError(Remove, name, errNotEmpty)
	}
	s.set(name, nil)
	return nil
}

// list returns the names in a directory. mu must be held.
func (s *Store) list(dir string) (names []string) {
	for name, e := range s.names {
		if name != "." && path.Dir(name) == dir && e.now() != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// start checks what a call that changes something is asked, and runs the script.
func (s *Store) start(ctx context.Context, op Op, name string, n int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !fs.ValidPath(name) || name == "." || strings.ContainsRune(name, 0) {
		return pathError(op, name, fs.ErrInvalid)
	}
	return s.before(op, name, n)
}

// lock is what [Store.Lock] returns.
type lock struct{ store *Store }

// Lock implements [archive.Locker].
func (s *Store) Lock(ctx context.Context) (io.Closer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case s.off:
		return nil, ErrPower
	case s.locked != nil:
		return nil, fmt.Errorf("lossy: %w", archive.ErrLocked)
	}
	s.locked = &lock{s}
	return s.locked, nil
}

// Close unlocks the store.
func (l *lock) Close() error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.store.locked == l {
		l.store.locked = nil
	}
	return nil
}

var (
	_ archive.Store  = (*Store)(nil)
	_ archive.Locker = (*Store)(nil)
	_ smooth.Files   = (*Store)(nil)
)
