package repair

import (
	"context"
	"errors"
	"io"

	"github.com/smoothkit/smoothkit/smooth"
)

// A window reads minWindow bytes at least, and about as much as the last moof box needed, so that looking at a fragment takes one
// read in nearly all files and audio with its small fragments is not read whole.
const (
	minWindow = 256
	maxWindow = 64 << 10
)

// window reads an open file and keeps the bytes that were read last. It is for one goroutine.
type window struct {
	ctx   context.Context
	file  smooth.File
	buf   []byte
	start int64
	guess int
}

func newWindow(ctx context.Context, f smooth.File) *window {
	return &window{ctx: ctx, file: f, guess: 4 << 10}
}

// ReadAt implements [io.ReaderAt].
func (w *window) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > maxWindow {
		return w.file.ReadAtContext(w.ctx, p, off)
	}
	b, err := w.at(off, len(p))
	if err != nil {
		return 0, err
	}
	n := copy(p, b)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// at returns the bytes at off, at least n of them if the file has them, valid until the next call.
func (w *window) at(off int64, n int) ([]byte, error) {
	size := w.file.Size()
	if off < 0 || off >= size {
		return nil, nil
	}
	if in := off - w.start; in >= 0 && in < int64(len(w.buf)) {
		if b := w.buf[in:]; len(b) >= n || off+int64(len(b)) == size {
			return b, nil
		}
	}
	n = int(min(int64(max(n, w.guess)), size-off))
	if cap(w.buf) < n {
		w.buf = make([]byte, n)
	}
	w.buf, w.start = w.buf[:n], off
	if err := readFull(w.ctx, w.file, w.buf, off); err != nil {
		w.buf = w.buf[:0]
		return nil, err
	}
	return w.buf, nil
}

// expect tells how large the moof box at hand is.
func (w *window) expect(moof int64) {
	w.guess = int(min(max(moof+moof/16+32, int64(w.guess-w.guess/64), minWindow), maxWindow))
}

// readFull reads all of p. A file that has become shorter is an error.
func readFull(ctx context.Context, f smooth.File, p []byte, off int64) error {
	n, err := f.ReadAtContext(ctx, p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
