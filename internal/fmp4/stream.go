package fmp4

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// streamBuffer is the read-ahead of a [StreamReader] in bytes: enough for the boxes around the sample data, which is
// read past it.
const streamBuffer = 4 << 10

// StreamReader reads the top-level boxes of a stream whose length nobody knows, such as the body of a live push, in one
// pass. Nothing is allocated for what a header merely claims. Offsets in errors count from the first byte of the stream.
//
// It is for one goroutine.
type StreamReader struct {
	r    *bufio.Reader
	off  int64 // of the next byte
	box  Box
	head [headerRoom]byte // of box, as it was read
	left int64            // bytes of box that have not been read
}

// NewStreamReader returns a reader of the boxes in r.
func NewStreamReader(r io.Reader) *StreamReader {
	return &StreamReader{r: bufio.NewReaderSize(r, streamBuffer)}
}

// Offset returns the offset of the next byte.
func (s *StreamReader) Offset() int64 { return s.off }

// Left returns how many bytes of the box at hand have not been read.
func (s *StreamReader) Left() int64 { return s.left }

// Wait blocks until the first byte of the next box is there. It returns io.EOF at the end of the stream.
func (s *StreamReader) Wait() error {
	if err := s.Discard(); err != nil {
		return err
	}
	_, err := s.r.Peek(1)
	if err != nil && err != io.EOF {
		return s.broken("box", s.off, err)
	}
	return err
}

// Next skips what is left of the box at hand and reads the header of the next one. It returns io.EOF at the end of the
// stream between boxes. An error is an [*Error]; one that unwraps to io.ErrUnexpectedEOF says that the stream breaks off.
// Size 0, up to the end of the file, is corrupt: a stream has none that could be known.
func (s *StreamReader) Next() (Box, error) {
	if err := s.Wait(); err != nil {
		return Box{}, err
	}
	b, err := s.peek(8)
	if err != nil {
		return Box{}, err
	}
	need := 8
	switch u32(b) {
	case 0:
		return Box{}, corrupt(Type(u32(b[4:])).String(), s.off, "size 0 in a stream")
	case 1:
		need += 8
	}
	if Type(u32(b[4:])) == TypeUUID {
		need += 16
	}
	if b, err = s.peek(need); err != nil {
		return Box{}, err
	}
	h, err := parseHeader(b, s.off, math.MaxInt64-s.off)
	if err != nil {
		return h, err
	}
	s.box, s.left = h, h.Size-h.Header
	s.off += h.Header
	copy(s.head[:], b)
	_, err = s.r.Discard(need) // has been peeked at
	return h, err
}

// peek returns the next n bytes, which are in the header of a box.
func (s *StreamReader) peek(n int) ([]byte, error) {
	b, err := s.r.Peek(n)
	if err != nil {
		return nil, s.broken("box", s.off, err)
	}
	return b, nil
}

// Append appends the box at hand, header included, of which nothing has been read. It fails if the box is larger than
// limit, and lets dst grow no faster than the bytes come in.
func (s *StreamReader) Append(dst []byte, limit int64) ([]byte, error) {
	if s.box.Size > limit {
		return dst, tooLarge(s.box.Type.String(), s.box.Offset, "size %d is above the limit of %d", s.box.Size, limit)
	}
	start := len(dst)
	dst = append(dst, s.head[:s.box.Header]...)
	for s.left > 0 {
		const step = 64 << 10
		n := int(min(s.left, int64(max(step, len(dst)-start))))
		dst = slices.Grow(dst, n)
		dst = dst[:len(dst)+n]
		if err := s.ReadFull(dst[len(dst)-n:]); err != nil {
			return dst[:start], err
		}
	}
	return dst, nil
}

// ReadFull reads the next bytes of the box at hand, which must have as many left.
func (s *StreamReader) ReadFull(b []byte) error {
	if int64(len(b)) > s.left {
		return corrupt(s.box.Type.String(), s.box.Offset, "%d bytes left, need %d", s.left, len(b))
	}
	n, err := io.ReadFull(s.r, b)
	s.off += int64(n)
	s.left -= int64(n)
	if err != nil {
		return s.broken(s.box.Type.String(), s.box.Offset, err)
	}
	return nil
}

// Skip skips the next n bytes of the box at hand, which must have as many left.
func (s *StreamReader) Skip(n int64) error {
	if n < 0 || n > s.left {
		return corrupt(s.box.Type.String(), s.box.Offset, "%d bytes left, need %d", s.left, n)
	}
	for n > 0 {
		k, err := s.r.Discard(int(min(n, 1<<30)))
		s.off += int64(k)
		s.left -= int64(k)
		n -= int64(k)
		if err != nil {
			return s.broken(s.box.Type.String(), s.box.Offset, err)
		}
	}
	return nil
}

// Discard skips what is left of the box at hand. Callers bound it by the size in its header.
func (s *StreamReader) Discard() error { return s.Skip(s.left) }

// broken returns the error of a stream that breaks off inside a box.
func (s *StreamReader) broken(path string, offset int64, err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		reason := fmt.Sprintf("the stream ends at byte %d, %d bytes too early", s.off, s.left)
		if path == "box" {
			reason = "the stream breaks off before or in the header of a box"
		}
		return &Error{Path: path, Offset: offset, Reason: reason, Err: io.ErrUnexpectedEOF}
	}
	return &Error{Path: path, Offset: offset, Reason: err.Error(), Err: err}
}
