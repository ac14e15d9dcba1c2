//go:build !windows && (!unix || aix || solaris)

package archive

import (
	"errors"
	"os"
)

// lockFile fails: there are no locks here that belong to one descriptor.
func lockFile(*os.File) error { return errors.ErrUnsupported }

// unlockFile does nothing.
func unlockFile(*os.File) error { return nil }
