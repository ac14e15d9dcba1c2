//go:build unix

package smooth

import (
	"errors"
	"syscall"
)

// isResourceError reports errors that say nothing about the file: the process is out of descriptors or memory.
func isResourceError(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM) ||
		errors.Is(err, syscall.EIO)
}
