package listen

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NotifyReloadingAt is NotifyReloading with the time that units of Type=notify-reload need.
func NotifyReloadingAt() string {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return NotifyReloading
	}
	return fmt.Sprintf("%s\nMONOTONIC_USEC=%d", NotifyReloading, ts.Nano()/1000)
}
