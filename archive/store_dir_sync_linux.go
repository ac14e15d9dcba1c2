package archive

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData waits until the content and the length of a file are on the disk. Times are not waited for, which saves a write to
// the journal of the file system where the length is as before.
func syncData(f *os.File) error {
	err := withDescriptor(f, func(fd int) error {
		for {
			if err := unix.Fdatasync(fd); err != unix.EINTR {
				return err
			}
		}
	})
	if err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}

// writeEarly lets the disk begin with a part of a file whose length has grown from was to is, so that there is less to wait
// for in the next Sync: a disk that is written to as fast as it can takes a quarter more, and is waited for a sixth as long
// (ext4, 8 files, a Sync of all each second). What fails is told by syncData, since this does not ask.
func writeEarly(f *os.File, was, is int64) {
	const step = 8 << 20
	from, to := was/step*step, is/step*step
	if from == to {
		return
	}
	_ = withDescriptor(f, func(fd int) error {
		return unix.SyncFileRange(fd, from, to-from, unix.SYNC_FILE_RANGE_WRITE)
	})
}

// withDescriptor calls use with a descriptor that stays open meanwhile.
func withDescriptor(f *os.File, use func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = use(int(fd)) }); err != nil {
		return err
	}
	return failed
}
