//go:build unix && !aix && !solaris

package archive

import (
	"os"

	"golang.org/x/sys/unix"
)

// unlockFile ends the lock of lockFile, whoever else has the descriptor.
func unlockFile(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_UN); err != unix.EINTR {
			return os.NewSyscallError("flock", err)
		}
	}
}

// lockFile locks a file for this descriptor of it, until it is unlocked or the process ends.
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
