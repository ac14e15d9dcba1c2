package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Replace implements [Store]. It makes the directories above the file too. Data is written to a temporary file beside it; one
// that a crash has left is deleted by the next Append or Replace in the directory.
func (s *DirStore) Replace(ctx context.Context, name string, data []byte) error {
	local, err := writable(ctx, "replace", name)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	s.names.hold(dir)
	defer s.names.release(dir)
	s.sweepOnce(dir)
	temporary := path.Join(dir, s.temporary+strconv.FormatUint(s.temporaries.Add(1), 10)+temporarySuffix)
	if err = s.writeFile(temporary, data); err == nil {
		err = s.root.Rename(filepath.FromSlash(temporary), local)
	}
	if err != nil {
		_ = s.root.Remove(filepath.FromSlash(temporary)) // if that fails it is swept later
		return fmt.Errorf("archive: replace %s: %w", name, err)
	}
	if err = s.names.sync(dir, s.names.entered(dir), s.syncDir); err != nil {
		return fmt.Errorf("archive: replace %s: %w", name, err)
	}
	return nil
}

// writeFile makes a file and waits until its content is on the disk.
func (s *DirStore) writeFile(name string, data []byte) error {
	f, err := s.create(name, os.O_WRONLY|os.O_EXCL)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = s.syncFile(f)
	}
	return errors.Join(err, f.Close())
}

// sweepOnce sweeps a directory, which is held, when it is first written to.
func (s *DirStore) sweepOnce(dir string) {
	if s.names.sweeping(dir) {
		s.sweep(dir)
	}
}

// sweep deletes the temporary files of stores that are no more, and returns how many. What it cannot delete does no harm.
func (s *DirStore) sweep(dir string) (swept int) {
	list, err := fs.ReadDir(s.root.FS(), dir)
	if err != nil {
		return 0
	}
	for _, d := range list {
		if !isTemporary(d.Name()) || strings.HasPrefix(d.Name(), s.temporary) || !d.Type().IsRegular() {
			continue
		}
		if s.root.Remove(filepath.Join(filepath.FromSlash(dir), d.Name())) == nil {
			swept++
		}
	}
	return swept
}
