//go:build linux && (amd64 || arm64)

package smooth

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
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
	v, ok := f.look(first, last)
	if !ok {
		return false, nil
	}
	defer v.close()
	return true, f.guard(func() error { return f.copyResident(w, &v) })
}

// A mappedView is a part of a mapping with the pages of it that the page cache holds.
type mappedView struct {
	data []byte // of the whole file
	from int64  // offset of the first page
	page int64  // size of one
	// resident has a byte per page, whose lowest bit says that the page is in memory.
	resident []byte
	buf      *[sendBufferSize]byte
}

// close gives the memory back.
func (v *mappedView) close() { sendBuffers.Put(v.buf) }

// look asks the page cache for [first, last) of the file. It reports false where that cannot be done.
func (f *dirFile) look(first, last int64) (mappedView, bool) {
	v := mappedView{page: int64(os.Getpagesize())}
	v.from = first &^ (v.page - 1)
	pages := (last - v.from + v.page - 1) / v.page
	if last > f.info.Size() || pages <= 0 || pages > sendBufferSize {
		return v, false
	}
	if v.data = f.mapped.open(f.File, f.info.Size()); v.data == nil {
		return v, false
	}
	v.buf = sendBuffers.Get().(*[sendBufferSize]byte) // not on the stack, which may move during the call
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&v.data[v.from])), uintptr(last-v.from), uintptr(unsafe.Pointer(&v.buf[0])))
	if errno != 0 {
		v.close()
		return v, false
	}
	v.resident = v.buf[:pages]
	return v, true
}

// guard calls use, which reads from the mapping. A file that was cut faults, which becomes an error.
func (f *dirFile) guard(use func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if _, fault := r.(interface{ Addr() uintptr }); fault {
			err = fmt.Errorf("smooth: %s: the file was cut while it was read: %v: %w", f.name, r, ErrCorrupt)
		} else if r != nil {
			panic(r)
		}
	}()
	return use()
}

// copyResident fills the buffer from the mapping, and with reads where the page cache lacks a page.
func (f *dirFile) copyResident(w *gathering, v *mappedView) error {
	for len(w.p) > 0 {
		at, piece, err := w.next()
		if err != nil {
			return err
		}
		inMemory := true
		for i := (at - v.from) / v.page; i <= (at+int64(len(piece))-1-v.from)/v.page; i++ {
			inMemory = inMemory && v.resident[i]&1 != 0
		}
		if inMemory {
			copy(piece, v.data[at:])
		} else if n, err := f.File.ReadAt(piece, at); n < len(piece) {
			return unexpected(err)
		}
	}
	return nil
}

// borrow implements lender.
func (f *dirFile) borrow(first, last int64, use func(file []byte) error) (bool, error) {
	v, ok := f.look(first, last)
	if !ok {
		return false, nil
	}
	missing := slices.ContainsFunc(v.resident, func(b byte) bool { return b&1 == 0 })
	v.close()
	if missing {
		return false, nil
	}
	return true, f.guard(func() error { return use(v.data) })
}
