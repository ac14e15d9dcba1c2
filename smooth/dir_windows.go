package smooth

import (
	"errors"
	"syscall"
)

func isResourceError(error) bool { return false }

// isNameError reports errors that say that a name cannot name a file. The codes are those of Windows:
// ERROR_INVALID_NAME, ERROR_DIRECTORY, ERROR_FILENAME_EXCED_RANGE.
func isNameError(err error) bool {
	var code syscall.Errno
	return errors.As(err, &code) && (code == 123 || code == 267 || code == 206)
}
