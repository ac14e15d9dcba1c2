//go:build unix

package hls

import (
	"errors"
	"fmt"
	"os"
)

// syncDir waits until the names in a directory are on the disk.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("hls: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("hls: %w", err)
	}
	return nil
}
