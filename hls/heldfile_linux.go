package hls

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// newNamelessFile returns a file in memory. See memfd_create(2).
func newNamelessFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("hls-segment", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "hls-segment"), nil
}

// reopen returns a descriptor of the same file with a position of its own.
func reopen(f *os.File) (*os.File, error) {
	return os.Open("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
}

func closeNameless(f *os.File) { f.Close() }
