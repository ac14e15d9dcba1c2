package hls

import (
	"errors"
	"io"
	"math"
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

// writeBlocks writes the chunks of a segment and returns its size.
func writeBlocks(w io.Writer, chunks []cmafChunk) (int64, error) {
	buf := getBuffer(blockSize)
	defer putBuffer(buf)
	b := blockWriter{w: w, block: (*buf)[:0:blockSize]}
	for i := range chunks {
		if err := b.write(chunks[i].head); err != nil {
			return b.total, err
		}
		if err := b.payload(&chunks[i]); err != nil {
			return b.total, err
		}
	}
	err := b.flush()
	return b.total, err
}

// errTogether tells that the samples of a fragment lie together in a file.
var errTogether = errors.New("the samples lie together")

// payload writes the sample data of a chunk.
func (b *blockWriter) payload(c *cmafChunk) error {
	lent, err := c.fragment.Borrow(func(at func(off int64, n int) []byte) error { return b.collect(c, at) })
	if lent && err != errTogether {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	n, err := c.fragment.WritePayloadPart(b.w, c.offset, c.size)
	b.total += n
	return err
}

// collect adds the samples of a chunk that are in memory, unless they are many that lie together.
func (b *blockWriter) collect(c *cmafChunk, at func(off int64, n int) []byte) error {
	if c.size <= math.MaxInt && at(c.offset, int(c.size)) != nil {
		if c.size >= blockSize {
			return errTogether
		}
		return b.write(at(c.offset, int(c.size)))
	}
	for x, err := range c.fragment.Samples() {
		if err != nil {
			return err
		}
		if x.Offset < c.offset {
			continue
		}
		if x.Offset >= c.offset+c.size {
			return nil
		}
		if err := b.write(at(x.Offset, int(x.Size))); err != nil {
			return err
		}
	}
	return nil
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
