package packager

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// outputs are the files of one job. They have temporary names until publish.
type outputs struct {
	dir, suffix string

	mu        sync.Mutex // guards the fields below
	names     []string   // in order of creation
	published bool
}

func newOutputs(dir string) *outputs {
	var random [6]byte
	rand.Read(random[:])
	return &outputs{dir: dir, suffix: "." + hex.EncodeToString(random[:]) + ".tmp"}
}

func (o *outputs) temporary(name string) string { return filepath.Join(o.dir, "."+name+o.suffix) }

// create opens a new file that will be called name.
func (o *outputs) create(name string) (*os.File, error) {
	f, err := os.OpenFile(o.temporary(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.names = append(o.names, name)
	return f, nil
}

// writeFile makes a whole small file.
func (o *outputs) writeFile(name string, data []byte) error {
	f, err := o.create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("packager: %w", err)
	}
	return nil
}

// publish gives the files their names, in the order of creation, and returns the names. What cannot be replaced is
// found before the first of them.
func (o *outputs) publish() ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range o.names {
		if st, err := os.Stat(filepath.Join(o.dir, name)); err == nil && !st.Mode().IsRegular() {
			return nil, fmt.Errorf("packager: %s exists and is not a regular file", filepath.Join(o.dir, name))
		}
	}
	for _, name := range o.names {
		if err := os.Rename(o.temporary(name), filepath.Join(o.dir, name)); err != nil {
			return nil, fmt.Errorf("packager: %w", err)
		}
	}
	o.published = true
	return o.names, nil
}

// discard removes what has not been published.
func (o *outputs) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.published {
		return
	}
	for _, name := range o.names {
		if err := os.Remove(o.temporary(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue // nothing more can be done; the name tells that the file is temporary
		}
	}
}
