//go:build !linux && !darwin

package listen

import (
	"net"
	"os"
)

// peerOf cannot tell who is at the other end here: the mode of the socket file has to be enough.
func peerOf(*net.UnixConn) (uid, pid int, err error) { return os.Geteuid(), 0, nil }
