package usage

import (
	"time"

	"golang.org/x/sys/windows"
)

// processTime returns the time that processors have worked for this process, or -1.
func processTime() time.Duration {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user); err != nil {
		return -1
	}
	return ticks(kernel) + ticks(user)
}

// ticks converts a span in units of 100 ns.
func ticks(t windows.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}

// diskFull returns the errors of a file system without space.
func diskFull() []error { return []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL} }
