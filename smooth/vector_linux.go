package smooth

import (
	"golang.org/x/sys/unix"
)

// maxVectors is the number of buffers that one call to preadv takes (IOV_MAX).
const maxVectors = 1024

// ReadVectorAt implements [VectorReader] with preadv, so that the samples of one track can be picked out of an
// interleaved file without copying the others around.
func (f *dirFile) ReadVectorAt(bufs [][]byte, off int64) error {
	for len(bufs) > 0 {
		n := min(len(bufs), maxVectors)
		want := 0
		for _, b := range bufs[:n] {
			want += len(b)
		}
		got, err := unix.Preadv(int(f.Fd()), bufs[:n], off)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case got < want: // a signal or the end of the file: finish piece by piece
			return f.readRest(bufs[:n], off, got)
		}
		bufs, off = bufs[n:], off+int64(want)
	}
	return nil
}

func (f *dirFile) readRest(bufs [][]byte, off int64, got int) error {
	for _, b := range bufs {
		skip := min(got, len(b))
		got -= skip
		if n, err := f.File.ReadAt(b[skip:], off+int64(skip)); n < len(b)-skip {
			return unexpected(err)
		}
		off += int64(len(b))
	}
	return nil
}
