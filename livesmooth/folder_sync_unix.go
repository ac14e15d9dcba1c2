//go:build unix

package livesmooth

import (
	"errors"
	"os"
)

// syncFolder waits until the names in a directory are on the disk.
func syncFolder(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
