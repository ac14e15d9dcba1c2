package archive

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData waits until the content and the length of a file are on the disk. Times are not waited for, which saves a write to
// the journal of the file system where the length is as before.
func syncData(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for {
			if failed = unix.Fdatasync(int(fd)); failed != unix.EINTR {
				return
			}
		}
	})
	if err == nil && failed != nil {
		err = &os.PathError{Op: "fdatasync", Path: f.Name(), Err: failed}
	}
	return err
}
