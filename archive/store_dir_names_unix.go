//go:build unix

package archive

import (
	"errors"
	"os"
	"syscall"
)

// syncNames waits until the names in an open directory are on the disk, and closes it. It takes the results of Open. Some
// network file systems cannot be waited for.
func syncNames(dir *os.File, err error) error {
	if err != nil {
		return err
	}
	defer dir.Close()
	if err = dir.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
