//go:build unix

package server

import "golang.org/x/sys/unix"

// freeSpace returns the bytes that are left where a directory is, zero if that is unknown.
func freeSpace(dir string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0
	}
	return int64(uint64(st.Bavail) * uint64(st.Bsize))
}
