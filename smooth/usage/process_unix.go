//go:build unix

package usage

import (
	"syscall"
	"time"
)

// processTime returns the time that processors have worked for this process, or -1.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return -1
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// diskFull returns the errors of a file system without space.
func diskFull() []error { return []error{syscall.ENOSPC, syscall.EDQUOT} }
