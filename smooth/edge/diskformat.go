package edge

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"
)

// A file of the disk tier is
//
//	offset  bytes
//	     0      8  magic, "edgeobj" and the version of the format
//	     8      4  length of the header, little endian as all numbers
//	    12      8  length of the body
//	    20      4  CRC-32C of the body
//	    24      4  CRC-32C of the bytes 8 to 23 and of the header
//	    28         header, see appendHeader
//	             body
const (
	diskMagic  = "edgeobj\x01"
	diskPrefix = 28
	// maxDiskHeader bounds the header of a file: what is stored has at most maxHeader bytes of fields, maxKey of key, and
	// selectors.
	maxDiskHeader = 128 << 10
	// maxStrings bounds a list of strings in a header.
	maxStrings = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// diskHeader is the header of a file.
type diskHeader struct {
	key     key
	object  *object // without body and file
	bodySum uint32
}

// encodeDisk returns everything in a file but the body.
func encodeDisk(k key, o *object, bodySum uint32) []byte {
	b := make([]byte, diskPrefix, 1024)
	copy(b, diskMagic)
	b = appendHeader(b, k, o)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-diskPrefix))
	binary.LittleEndian.PutUint64(b[12:], uint64(o.size))
	binary.LittleEndian.PutUint32(b[20:], bodySum)
	sum := crc32.Update(crc32.Checksum(b[8:24], castagnoli), castagnoli, b[diskPrefix:])
	binary.LittleEndian.PutUint32(b[24:], sum)
	return b
}

// diskLengths returns the lengths of the header and of the body that the first diskPrefix bytes of a file state.
func diskLengths(b []byte, fileSize int64) (header int, body int64, err error) {
	if len(b) < diskPrefix || string(b[:8]) != diskMagic {
		return 0, 0, fmt.Errorf("%w: no object of this version", errCorrupt)
	}
	n, size := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint64(b[12:])
	if n > maxDiskHeader || size > math.MaxInt64-diskPrefix-maxDiskHeader || int64(n)+int64(size)+diskPrefix != fileSize {
		return 0, 0, fmt.Errorf("%w: header %d and body %d bytes in a file of %d", errCorrupt, n, size, fileSize)
	}
	return int(n), int64(size), nil
}

// decodeDisk decodes the first part of a file, as long as diskLengths says.
func decodeDisk(b []byte) (diskHeader, error) {
	if len(b) < diskPrefix {
		return diskHeader{}, fmt.Errorf("%w: %d bytes", errCorrupt, len(b))
	}
	sum := crc32.Update(crc32.Checksum(b[8:24], castagnoli), castagnoli, b[diskPrefix:])
	if stated := binary.LittleEndian.Uint32(b[24:]); stated != sum {
		return diskHeader{}, fmt.Errorf("%w: header has checksum %08x, states %08x", errCorrupt, sum, stated)
	}
	d := diskHeader{bodySum: binary.LittleEndian.Uint32(b[20:])}
	c := cursor{b: b[diskPrefix:]}
	d.key, d.object = c.header()
	d.object.size = int64(binary.LittleEndian.Uint64(b[12:]))
	if c.bad || len(c.b) != 0 || !isStored(d.object.status) {
		return diskHeader{}, fmt.Errorf("%w: header does not parse, %d bytes left", errCorrupt, len(c.b))
	}
	return d, nil
}

// Flags of an object in a header.
const (
	flagValidate = 1 << iota
	flagStrict
	flagShared
)

// appendHeader appends key, status, flags, the freshness in nanoseconds, the selectors and the fields; a string as its
// length and its bytes, a list as its length and its elements.
func appendHeader(b []byte, k key, o *object) []byte {
	b = appendString(appendString(appendString(b, k.host), k.path), k.query)
	b = binary.AppendUvarint(b, uint64(o.status))
	b = binary.AppendUvarint(b, flag(o.validate, flagValidate)|flag(o.strict, flagStrict)|flag(o.shared, flagShared))
	for _, n := range []int64{
		o.received.UnixNano(), int64(o.initialAge), int64(o.lifetime), int64(o.staleWhile), int64(o.staleIfError),
	} {
		b = binary.AppendVarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(o.vary)))
	for _, s := range o.vary {
		b = appendString(appendString(b, s.name), s.value)
	}
	b = binary.AppendUvarint(b, uint64(len(o.fields)))
	for _, f := range o.fields {
		b = binary.AppendUvarint(appendString(b, f.name), uint64(len(f.values)))
		for _, v := range f.values {
			b = appendString(b, v)
		}
	}
	return b
}

// flag returns a bit if it is set.
func flag(set bool, bit uint64) uint64 {
	if set {
		return bit
	}
	return 0
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cursor reads a header. What is not there reads as zero, and is noted.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) header() (key, *object) {
	k := key{host: c.text(), path: c.text(), query: c.text()}
	o := &object{status: int(min(c.uint(), 999))}
	flags := c.uint()
	o.validate, o.strict, o.shared = flags&flagValidate != 0, flags&flagStrict != 0, flags&flagShared != 0
	o.received = time.Unix(0, c.int())
	o.initialAge, o.lifetime = time.Duration(c.int()), time.Duration(c.int())
	o.staleWhile, o.staleIfError = time.Duration(c.int()), time.Duration(c.int())
	for range c.count() {
		o.vary = append(o.vary, selector{c.text(), c.text()})
	}
	for range c.count() {
		f := field{name: c.text()}
		for range c.count() {
			f.values = append(f.values, c.text())
		}
		o.fields = append(o.fields, f)
	}
	return k, o
}

func (c *cursor) uint() uint64 {
	v, n := binary.Uvarint(c.b)
	return takeNumber(c, v, n)
}

func (c *cursor) int() int64 {
	v, n := binary.Varint(c.b)
	return takeNumber(c, v, n)
}

func takeNumber[N uint64 | int64](c *cursor, v N, n int) N {
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

// count reads the length of a list, of which each element has a byte at least.
func (c *cursor) count() int {
	n := c.uint()
	if n > maxStrings || n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return 0
	}
	return int(n)
}

func (c *cursor) text() string {
	n := c.uint()
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return ""
	}
	s := string(c.b[:n])
	c.b = c.b[n:]
	return s
}
