package livesmooth

import (
	"os"

	"golang.org/x/sys/windows"
)

// removeOpen reports that files can be deleted while they are open.
const removeOpen = false

// lockFile locks a file for this handle of it, until it is closed or the process ends. The range that is locked is behind
// the content, which stays readable.
func lockFile(f *os.File, wait bool) error {
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK)
	if !wait {
		flags |= windows.LOCKFILE_FAIL_IMMEDIATELY
	}
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
}
