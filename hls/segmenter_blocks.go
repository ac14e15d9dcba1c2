package hls

import (
	"errors"
	"io"
	"math"

	"github.com/smoothkit/smoothkit/smooth"
)

// blockSize is the size of the writes that small parts are collected for, in bytes.
const blockSize = 256 << 10

// A blockWriter writes the parts of a segment of fragmented MP4. Samples that lie together in a file are left to the system,
// by way of [io.ReaderFrom] where the sink has it; those that lie apart, or in memory, are collected in blocks.
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

// errTogether tells that the samples of a fragment lie together in a file.
var errTogether = errors.New("the samples lie together")

// payload writes the sample data of a fragment.
func (b *blockWriter) payload(f *smooth.Fragment) error {
	lent, err := f.Borrow(func(at func(off int64, n int) []byte) error {
		if size := f.PayloadSize(); size <= math.MaxInt && at(0, int(size)) != nil {
			if size >= blockSize {
				return errTogether
			}
			return b.write(at(0, int(size)))
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
	if lent && err != errTogether {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	n, err := f.WritePayload(b.w)
	b.total += n
	return err
}

// write adds a part.
func (b *blockWriter) write(p []byte) error {
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
