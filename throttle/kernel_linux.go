package throttle

import (
	"net"

	"golang.org/x/sys/unix"
)

const canPace = true

// setPacingRate sets SO_MAX_PACING_RATE, in bytes per second. Where it fails, nothing but the smoothness is lost.
func setPacingRate(c *net.TCPConn, bytesPerSecond uint64) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if unix.SetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, bytesPerSecond) != nil { // before Linux 4.20
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, int(int32(min(bytesPerSecond, 1<<31-1))))
		}
	})
}
