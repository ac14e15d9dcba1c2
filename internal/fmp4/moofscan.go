package fmp4

import "io"

// A scan reads moofWindow bytes at the place of a moof box at first and then about as much as the last ones needed,
// between minWindow and maxWindow: enough for the moof box and the header of the mdat box behind it in nearly all files.
// The window shrinks slowly, because sizes alternate where tracks are interleaved and a second read costs more than
// what a larger first one reads in vain.
const (
	minWindow  = 512
	moofWindow = 4 << 10
	maxWindow  = 64 << 10
)

// headerRoom is the size of the largest box header: 64-bit size and extended type.
const headerRoom = 32

// MoofScanner reads the moof boxes of a fragmented file and skips everything else, with about one read per fragment.
type MoofScanner struct {
	r        io.ReaderAt
	off, end int64
	boxes    int
	window   []byte // of the bytes at start
	start    int64
	guess    int // bytes to read
}

// NewMoofScanner returns a scanner for the top-level boxes of r in [off, end).
func NewMoofScanner(r io.ReaderAt, off, end int64) *MoofScanner {
	return &MoofScanner{r: r, off: off, end: end, start: -1, guess: moofWindow}
}

// Next returns the next moof box, header included, and its offset, or io.EOF. The bytes are valid until the next call.
func (s *MoofScanner) Next() ([]byte, int64, error) {
	for s.off < s.end {
		if s.boxes++; s.boxes > MaxBoxes {
			return nil, 0, tooLarge("file", s.off, "more than %d boxes", MaxBoxes)
		}
		b, err := s.at(s.off, headerRoom)
		if err != nil {
			return nil, 0, err
		}
		h, err := parseHeader(b, s.off, s.end-s.off)
		if err != nil {
			return nil, 0, err
		}
		s.off = h.End()
		if h.Type != TypeMoof {
			continue
		}
		if h.Size > MaxMoof {
			return nil, 0, tooLarge("moof", h.Offset, "size %d is above the limit of %d", h.Size, MaxMoof)
		}
		raw, err := s.at(h.Offset, int(h.Size))
		if err != nil {
			return nil, 0, err
		}
		s.guess = min(max(int(h.Size)+int(h.Size)/16+headerRoom, s.guess-s.guess/256, minWindow), maxWindow)
		return raw[:h.Size], h.Offset, nil
	}
	return nil, 0, io.EOF
}

// at returns the bytes at off, at least n of them if the file has them.
func (s *MoofScanner) at(off int64, n int) ([]byte, error) {
	if in := off - s.start; s.start >= 0 && in >= 0 && in < int64(len(s.window)) {
		if w := s.window[in:]; len(w) >= n || off+int64(len(w)) == s.end {
			return w, nil
		}
	}
	n = int(min(int64(max(n+headerRoom, s.guess)), s.end-off))
	if cap(s.window) < n {
		s.window = make([]byte, n)
	}
	s.window, s.start = s.window[:n], off
	if err := readFull(s.r, s.window, off, "moof"); err != nil {
		s.start = -1
		return nil, err
	}
	return s.window, nil
}
