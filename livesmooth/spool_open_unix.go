//go:build unix

package livesmooth

import "syscall"

// openFilesLimit returns how many open files the process may have.
func openFilesLimit() uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 8 * mostSpoolOpen
	}
	return uint64(l.Cur) // a signed type on some systems; less than 0 is no limit there
}
