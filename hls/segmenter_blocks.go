package hls

import (
	"io"
	"math"

	"github.com/smoothkit/smoothkit/smooth"
)

// blockSize is the size of the writes that small parts are collected for, in bytes.
const blockSize = 256 << 10

// A blockWriter writes the parts of a segment of fragmented MP4: the samples straight from the page cache of their file
// where they lie together, else from a block in which they are collected.
type blockWriter struct {
	w     io.Writer
	block []byte
	total int64 // bytes written
}

// writeBlocks writes a segment and returns its size.
func writeBlocks(w io.Writer, c *cmafSegment) (int64, error) {
	buf := getBuffer(blockSize)
	defer putBuffer(buf)
	b := blockWriter{w: w, block: (*buf)[:0:blockSize]}
	for _, p := range c.parts {
		if err := b.write(p.head); err != nil {
			return b.total, err
		}
		if err := b.payload(p.fragment); err != nil {
			return b.total, err
		}
	}
	err := b.flush()
	return b.total, err
}

// payload writes the sample data of a fragment.
func (b *blockWriter) payload(f *smooth.Fragment) error {
	lent, err := f.Borrow(func(at func(off int64, n int) []byte) error {
		if n := f.PayloadSize(); n <= math.MaxInt {
			if p := at(0, int(n)); p != nil {
				return b.write(p)
			}
		}
		for x, err := range f.Samples() {
			if err == nil {
				err = b.write(at(x.Offset, int(x.Size)))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if lent {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	n, err := f.WritePayload(b.w)
	b.total += n
	return err
}

// write writes a part, a large one without a copy.
func (b *blockWriter) write(p []byte) error {
	if len(p) >= blockSize {
		if err := b.flush(); err != nil {
			return err
		}
		n, err := b.w.Write(p)
		b.total += int64(n)
		return err
	}
	for len(p) > 0 {
		n := copy(b.block[len(b.block):cap(b.block)], p)
		b.block, p = b.block[:len(b.block)+n], p[n:]
		if len(b.block) == cap(b.block) {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes what has been collected.
func (b *blockWriter) flush() error {
	if len(b.block) == 0 {
		return nil
	}
	n, err := b.w.Write(b.block)
	b.total += int64(n)
	b.block = b.block[:0]
	return err
}
