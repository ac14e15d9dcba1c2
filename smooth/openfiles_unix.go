//go:build unix

package smooth

import "syscall"

// openFilesLimit returns how many open files the process may have.
func openFilesLimit() uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || l.Cur < 0 {
		return 4 * mostOpenFiles
	}
	return uint64(l.Cur)
}
