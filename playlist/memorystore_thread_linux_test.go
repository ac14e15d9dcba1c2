package playlist_test

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime returns the time of the processor that the thread has used.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
