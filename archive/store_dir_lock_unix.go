//go:build unix && !aix && !solaris

package archive

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile locks a file for this descriptor of it, until it is closed or the process ends.
func lockFile(f *os.File) error {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return ErrLocked
		default:
			return os.NewSyscallError("flock", err)
		}
	}
}
