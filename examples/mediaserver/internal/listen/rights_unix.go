//go:build unix

package listen

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const handoverSupported = true

// writeRights writes b with the descriptors of sockets as ancillary data. See unix(7), SCM_RIGHTS.
func writeRights(conn *net.UnixConn, b []byte, sockets []socket) error {
	fds := make([]int, 0, len(sockets))
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, s := range sockets {
		fd, err := duplicate(s)
		if err != nil {
			return fmt.Errorf("socket %s: %w", s.Addr(), err)
		}
		fds = append(fds, fd)
	}
	_, _, err := conn.WriteMsgUnix(b, unix.UnixRights(fds...), nil)
	return err
}

// duplicate returns a descriptor of a socket that stays valid when the socket is closed. The one of File would do as well, but
// reading it may switch the socket, which other processes share, to blocking.
func duplicate(s syscall.Conn) (fd int, err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return -1, err
	}
	err2 := raw.Control(func(orig uintptr) { fd, err = unix.FcntlInt(orig, unix.F_DUPFD_CLOEXEC, 0) })
	if err2 != nil {
		return -1, err2
	}
	return fd, err
}

// readRights reads into b, with the descriptors that came along.
func readRights(conn *net.UnixConn, b []byte) (n int, files []*os.File, err error) {
	oob := make([]byte, unix.CmsgSpace(4*maxSockets))
	n, oobn, flags, _, err := conn.ReadMsgUnix(b, oob)
	if err != nil {
		return 0, nil, err // n is -1 then
	}
	files, err = parseRights(oob[:oobn])
	if flags&unix.MSG_CTRUNC != 0 {
		err = fmt.Errorf("more than %d descriptors at once: %w", maxSockets, ErrProtocol)
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		closeFiles(files)
		return n, nil, err
	}
	return n, files, nil
}

// parseRights returns the descriptors of ancillary data. They come close-on-exec, by ReadMsgUnix.
func parseRights(oob []byte) (files []*os.File, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_RIGHTS {
			continue
		}
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), fmt.Sprintf("descriptor %d", len(files))))
		}
	}
	return files, nil
}
