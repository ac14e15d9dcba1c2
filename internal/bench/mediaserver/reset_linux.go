package main

import (
	"net"

	"golang.org/x/sys/unix"
)

// isReset reports whether the other side has given up a connection, without reading from it.
func isReset(c net.Conn) bool {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		gone = err == nil && info.State != 1 // TCP_ESTABLISHED
	})
	return err != nil || gone
}
