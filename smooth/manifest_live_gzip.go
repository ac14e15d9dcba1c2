package smooth

import (
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"sync"
)

// wholeText is the size of a live manifest in bytes from which on its blocks are compressed one by one: smaller ones are
// faster, and smaller, in one piece.
const wholeText = 32 << 10

// gzipHead begins a gzip file: deflate, without name, time and system. See RFC 1952 2.3.
const gzipHead = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// lastBlock ends a deflate stream: a final block with fixed codes that has nothing but its end. See RFC 1951 3.2.6.
const lastBlock = "\x03\x00"

// gzip returns the text as one gzip member, in which every block of chunks is compressed by itself, so that blocks
// compressed earlier can be put in.
func (t *liveText) gzip() []byte {
	sum := uint32(0)
	out := append(make([]byte, 0, 4<<10+t.size/32), gzipHead...)
	if t.size < wholeText {
		text := t.plain()
		out, sum = deflate(out, text), crc32.ChecksumIEEE(text)
	} else {
		for _, p := range t.pieces {
			sum = crc32.Update(sum, crc32.IEEETable, p.text)
			if p.block != nil {
				out = append(out, p.block.compressed()...)
			} else {
				out = deflate(out, p.text)
			}
		}
	}
	out = append(out, lastBlock...)
	out = binary.LittleEndian.AppendUint32(out, sum)
	return binary.LittleEndian.AppendUint32(out, uint32(t.size))
}

// deflater is a compressor that appends to a slice.
type deflater struct {
	w   *flate.Writer
	out []byte
}

var deflaters = sync.Pool{New: func() any {
	d := &deflater{}
	d.w, _ = flate.NewWriter(d, flate.DefaultCompression) // which is a level that there is
	return d
}}

// Write implements [io.Writer].
func (d *deflater) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

// deflate appends text as a part of a deflate stream that needs nothing before it and ends at a byte. An empty stored
// block ends it, as flushing does in RFC 1951 implementations since zlib.
func deflate(dst, text []byte) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.out = dst
	d.w.Reset(d)
	_, _ = d.w.Write(text) // neither fails, as Write does not
	_ = d.w.Flush()
	dst, d.out = d.out, nil
	return dst
}
