package fmp4

import (
	"errors"
	"io"
)

// Limits of what is read from a file.
const (
	// MaxMoov is the largest moov box, in bytes. A ten-hour 60 fps film has about 20 MB of sample tables.
	MaxMoov = 256 << 20
	// MaxMoof is the largest moof box, in bytes.
	MaxMoof = 16 << 20
	// MaxMfra is the largest mfra box, in bytes.
	MaxMfra = 64 << 20
	// MaxBoxes is the largest number of top-level boxes.
	MaxBoxes = 4 << 20
)

// Scanner walks the top-level boxes of a file with one small read per box.
type Scanner struct {
	r        io.ReaderAt
	off, end int64
	boxes    int
	buf      [32]byte
}

// NewScanner returns a scanner for the boxes of r in [off, end).
func NewScanner(r io.ReaderAt, off, end int64) *Scanner {
	return &Scanner{r: r, off: off, end: end}
}

// Next returns the next header, io.EOF at the end, or an [*Error]. A box that claims to be longer than the file is
// an error; the header is returned with it, so that a caller can use what there is of a truncated file.
func (s *Scanner) Next() (Box, error) {
	if s.off >= s.end {
		return Box{}, io.EOF
	}
	if s.boxes++; s.boxes > MaxBoxes {
		return Box{}, tooLarge("file", s.off, "more than %d boxes", MaxBoxes)
	}
	b := s.buf[:min(int64(len(s.buf)), s.end-s.off)]
	if err := readFull(s.r, b, s.off, "box"); err != nil {
		return Box{}, err
	}
	h, err := parseHeader(b, s.off, s.end-s.off)
	if err != nil {
		return h, err
	}
	s.off = h.End()
	return h, nil
}

// readFull reads len(b) bytes at off.
func readFull(r io.ReaderAt, b []byte, off int64, path string) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return corrupt(path, off, "%d bytes left, need %d", n, len(b))
	}
	return &Error{Path: path, Offset: off, Reason: err.Error(), Err: err}
}

// probeAbove is the size in bytes from which ReadBox looks at the end of a box first.
const probeAbove = 1 << 20

// ReadBox reads a whole box, header included, of at most limit bytes. A file that is shorter than the header says
// is found out before the whole box is allocated.
func ReadBox(r io.ReaderAt, h Box, limit int64) ([]byte, error) {
	if h.Size > limit {
		return nil, tooLarge(h.Type.String(), h.Offset, "size %d is above the limit of %d", h.Size, limit)
	}
	if h.Size > probeAbove {
		var last [1]byte
		if err := readFull(r, last[:], h.End()-1, h.Type.String()); err != nil {
			return nil, err
		}
	}
	b := make([]byte, h.Size)
	if err := readFull(r, b, h.Offset, h.Type.String()); err != nil {
		return nil, err
	}
	return b, nil
}
