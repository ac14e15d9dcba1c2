package bitrate

import (
	"errors"
	"fmt"
	"io"
)

// block is the size of a read, in bytes, unless more is asked for at once. Neighbouring fields then cost one read.
const block = 4 << 10

// source reads a file within a budget, and keeps what it read, so that parsers may ask for the same bytes again.
type source struct {
	r         io.ReaderAt
	size      int64
	container Container // what errors say
	left      int       // bytes of the budget
	reads     int       // left
	spans     []span    // by offset, not overlapping
}

// span is a part of the file.
type span struct {
	off  int64
	data []byte
}

func newSource(r io.ReaderAt, size int64) *source {
	return &source{r: r, size: size, left: MaxRead, reads: MaxReads}
}

// at returns n bytes at an offset. They alias what the source keeps and must not be changed. Beyond the end of the
// file it returns an *Error of ErrCorrupt, beyond the budget one of ErrLimit.
func (s *source) at(off int64, n int) ([]byte, error) {
	if off < 0 || n < 0 || off > s.size || int64(n) > s.size-off {
		return nil, s.fail(off, ErrCorrupt, "%d bytes needed, the file ends at %d", n, s.size)
	}
	for _, sp := range s.spans {
		if off >= sp.off && off+int64(n) <= sp.off+int64(len(sp.data)) {
			return sp.data[off-sp.off:][:n:n], nil
		}
	}
	want := int(min(int64(max(n, block)), s.size-off))
	if want > s.left {
		want = n
	}
	if want > s.left || s.reads == 0 {
		return nil, s.fail(off, ErrLimit, "%d bytes needed, %d bytes and %d reads left", n, s.left, s.reads)
	}
	s.left -= want
	s.reads--
	data := make([]byte, want) // bounded by the budget
	got, err := s.r.ReadAt(data, off)
	if got < n {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, s.fail(off+int64(got), ErrCorrupt, "the file has fewer than its %d bytes", s.size)
		}
		return nil, s.fail(off+int64(got), err, "")
	}
	sp := span{off, data[:got]}
	s.spans = append(s.spans, sp)
	return sp.data[:n:n], nil
}

// upTo is at with as many of n bytes as there are before the end of the file.
func (s *source) upTo(off int64, n int) ([]byte, error) {
	if off < 0 || off >= s.size {
		return nil, nil
	}
	return s.at(off, int(min(int64(n), s.size-off)))
}

// has reports whether the file has pattern at an offset. An error of the reader counts as no.
func (s *source) has(off int64, pattern string) bool {
	b, err := s.upTo(off, len(pattern))
	return err == nil && string(b) == pattern
}

// fail returns an *Error at an offset, at the end of the file if that is beyond it. The detail is formatted.
func (s *source) fail(off int64, err error, detail string, args ...any) error {
	return &Error{Container: s.container, Offset: min(max(off, 0), s.size), Detail: fmt.Sprintf(detail, args...), Err: err}
}
