package server

import "golang.org/x/sys/windows"

// freeSpace returns the bytes that are left where a directory is, zero if that is unknown.
func freeSpace(dir string) int64 {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0
	}
	var free uint64
	if windows.GetDiskFreeSpaceEx(name, &free, nil, nil) != nil {
		return 0
	}
	return int64(free)
}
