//go:build unix

package hls

import "syscall"

// openFilesLimit returns how many open files the process may have.
func openFilesLimit() uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return mostKeptFiles
	}
	return uint64(l.Cur) // a signed type on some systems; less than 0 is no limit there
}
