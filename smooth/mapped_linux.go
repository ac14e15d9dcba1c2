//go:build linux && (amd64 || arm64)

package smooth

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is a read-only view of a file in memory, for samples that are scattered so thinly that one system call for
// each would cost more than the samples. It is only read where the page cache holds it, since a page fault that waits
// for a disk stops more than one goroutine.
type mapping struct {
	once sync.Once
	data []byte
}

// open maps the file on first use. It leaves data nil if that is not possible.
func (m *mapping) open(f *os.File, size int64) []byte {
	m.once.Do(func() {
		if data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED); err == nil {
			m.data = data
		}
	})
	return m.data
}

// close unmaps the file. Nobody reads it any more.
func (m *mapping) close() {
	m.once.Do(func() {})
	if m.data != nil {
		unix.Munmap(m.data)
		m.data = nil
	}
}

// readResident implements thinReader.
func (f *dirFile) readResident(w *gathering) (bool, error) {
	first, last := w.bounds()
	page := int64(os.Getpagesize())
	from := first &^ (page - 1)
	pages := (last - from + page - 1) / page
	if last > f.info.Size() || pages > sendBufferSize {
		return false, nil
	}
	data := f.mapped.open(f.File, f.info.Size())
	if data == nil {
		return false, nil
	}
	buf := sendBuffers.Get().(*[sendBufferSize]byte) // not on the stack, which may move during the call
	defer sendBuffers.Put(buf)
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&data[from])), uintptr(last-from), uintptr(unsafe.Pointer(&buf[0])))
	if errno != 0 {
		return false, nil
	}
	return true, f.copyResident(w, data, buf[:pages], from, page)
}

// copyResident fills the buffer from the mapping, and with reads where the page cache lacks a page. resident has a
// byte per page from the offset from. A file that was cut faults, which becomes an error.
func (f *dirFile) copyResident(w *gathering, data, resident []byte, from, page int64) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("smooth: %s: the file was cut while it was read: %v: %w", f.name, r, ErrCorrupt)
		}
	}()
	for len(w.p) > 0 {
		at, piece, err := w.next()
		if err != nil {
			return err
		}
		inMemory := true
		for i := (at - from) / page; i <= (at+int64(len(piece))-1-from)/page; i++ {
			inMemory = inMemory && resident[i]&1 != 0
		}
		if inMemory {
			copy(piece, data[at:])
		} else if n, err := f.File.ReadAt(piece, at); n < len(piece) {
			return unexpected(err)
		}
	}
	return nil
}
