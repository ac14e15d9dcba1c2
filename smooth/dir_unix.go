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

// isNameError reports errors that say that a name cannot name a file.
func isNameError(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENAMETOOLONG) ||
		errors.Is(err, syscall.ELOOP)
}
