//go:build unix && !aix && !solaris

package livesmooth

import (
	"os"

	"golang.org/x/sys/unix"
)

// removeOpen reports that files can be deleted while they are open.
const removeOpen = true

// lockFile locks a file for this descriptor of it, until it is closed or the process ends.
func lockFile(f *os.File, wait bool) error {
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	for {
		if err := unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}
