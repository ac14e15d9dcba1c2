package listen

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerOf returns the user and the process at the other end. See unix(4) of macOS, LOCAL_PEERCRED and LOCAL_PEERPID.
func peerOf(conn *net.UnixConn) (uid, pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	err2 := raw.Control(func(fd uintptr) {
		var cred *unix.Xucred
		if cred, err = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); err == nil {
			uid = int(cred.Uid)
			pid, err = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		}
	})
	if err2 != nil {
		return 0, 0, err2
	}
	return uid, pid, err
}
