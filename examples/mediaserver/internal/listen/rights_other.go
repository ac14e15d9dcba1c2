//go:build !unix

package listen

import (
	"errors"
	"net"
	"os"
)

const handoverSupported = false

// writeRights is not possible here.
func writeRights(*net.UnixConn, []byte, []socket) error { return errors.ErrUnsupported }

// readRights reads bytes only.
func readRights(conn *net.UnixConn, b []byte) (int, []*os.File, error) {
	n, err := conn.Read(b)
	return n, nil, err
}
