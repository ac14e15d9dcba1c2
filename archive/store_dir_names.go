package archive

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"sync"
)

// dirNames knows which names of a store are certain to survive a power cut, so that directories are synced as often as that
// takes and no oftener. It knows of the directories in which something is open; for any other, whatever its age, nothing is
// certain: the process that made it may have died at once.
type dirNames struct {
	mu   sync.Mutex // guards what is below
	dirs map[string]*dirState
}

// dirState is what is known of the entries of one directory. They are counted as they are made.
type dirState struct {
	made   uint64
	synced uint64 // so many of made are on the disk
	// own is the number of the directory's own entry in the one above; unmade while it is being made.
	own   uint64
	users int // files that are open and directories below that are known
	swept bool
}

const unmade = math.MaxUint64

func newDirNames() dirNames { return dirNames{dirs: make(map[string]*dirState)} }

// hold keeps what is known of a directory and those above it until release.
func (n *dirNames) hold(dir string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state(dir).users++
}

// state returns what is known of a directory. mu must be held.
func (n *dirNames) state(dir string) *dirState {
	d := n.dirs[dir]
	if d == nil {
		d = new(dirState)
		n.dirs[dir] = d
		if dir != "." {
			above := n.state(path.Dir(dir))
			above.users++
			above.made++
			d.own = above.made
		}
	}
	return d
}

// release ends a hold.
func (n *dirNames) release(dir string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		d := n.dirs[dir]
		d.users--
		if d.users > 0 || dir == "." {
			return
		}
		delete(n.dirs, dir)
		dir = path.Dir(dir)
	}
}

// making tells that a directory, which is held, is about to be made, until made.
func (n *dirNames) making(dir string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state(dir).own = unmade
}

// made ends making.
func (n *dirNames) made(dir string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	above := n.state(path.Dir(dir))
	above.made++
	n.state(dir).own = above.made
}

// entered tells that there is a file in a directory, which is held, and returns its number.
func (n *dirNames) entered(dir string) uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.state(dir)
	d.made++
	return d.made
}

// sweeping reports true once for a directory that is held.
func (n *dirNames) sweeping(dir string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.state(dir)
	first := !d.swept
	d.swept = true
	return first
}

// sync calls fsync for those directories, from dir upwards, whose entry on the way to a file is not on the disk. dir is held.
func (n *dirNames) sync(dir string, entry uint64, fsync func(dir string) error) error {
	for {
		n.mu.Lock()
		d := n.state(dir)
		made, own, done := d.made, d.own, d.synced >= entry
		n.mu.Unlock()
		if !done {
			if err := fsync(dir); err != nil {
				return err
			}
			n.mu.Lock()
			d.synced = max(d.synced, made)
			n.mu.Unlock()
		}
		if dir == "." {
			return nil
		}
		dir, entry = path.Dir(dir), own
	}
}

// create opens a file, and makes the directories above it if there are none. The directory is held.
func (s *DirStore) create(name string, flags int) (*os.File, error) {
	local := filepath.FromSlash(name)
	// Opening a pipe would block.
	if info, err := s.root.Stat(local); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	for tries := 0; ; tries++ {
		f, err := s.root.OpenFile(local, flags|os.O_CREATE, 0o666)
		if !errors.Is(err, fs.ErrNotExist) || tries == 3 { // the directory may be removed again in between
			return f, err
		}
		if err := s.makeDir(path.Dir(name)); err != nil {
			return nil, err
		}
	}
}

// makeDir makes a directory, which is held, and those above it.
func (s *DirStore) makeDir(dir string) error {
	if dir == "." {
		return nil
	}
	s.names.making(dir)
	defer s.names.made(dir)
	err := s.root.Mkdir(filepath.FromSlash(dir), 0o777)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.makeDir(path.Dir(dir)); err == nil {
			err = s.root.Mkdir(filepath.FromSlash(dir), 0o777)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// syncDir waits until the names in a directory are on the disk.
func (s *DirStore) syncDir(dir string) error {
	return syncNames(s.root.Open(filepath.FromSlash(dir)))
}
