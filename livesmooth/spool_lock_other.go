//go:build !windows && (!unix || aix || solaris)

package livesmooth

import (
	"errors"
	"os"
)

// removeOpen reports that files can be deleted while they are open.
const removeOpen = false

// lockFile fails: there are no locks here that belong to one descriptor, so nothing is certainly a left-over.
func lockFile(*os.File, bool) error { return errors.ErrUnsupported }
