package validate

import (
	"encoding/binary"
	"fmt"
)

// box is an ISO box that was cut out of a buffer. The walk is this package's own and strict: a size must be exact.
type box struct {
	typ    string
	uuid   [16]byte // of a uuid box
	offset int64    // of the first byte, in the document
	size   int64
	header int    // bytes of header, the uuid included
	body   []byte // aliases the buffer
}

// splitBoxes cuts data, which lies at offset of the document, into boxes that fill it exactly. It returns the boxes
// before the fault with the error.
//
//	size u32 | type 4 | [size u64 if size = 1] | [uuid 16 if type = uuid] | body
func splitBoxes(data []byte, offset int64) ([]box, error) {
	var out []box
	for len(data) > 0 {
		b, err := firstBox(data, offset)
		if err == nil && len(out) == maxBoxes {
			err = fmt.Errorf("there are more than %d boxes before byte %d", maxBoxes, offset)
		}
		if err != nil {
			return out, err
		}
		out = append(out, b)
		data = data[b.size:]
		offset += b.size
	}
	return out, nil
}

func firstBox(data []byte, offset int64) (box, error) {
	if len(data) < 8 {
		return box{}, fmt.Errorf("%d bytes at byte %d are no box", len(data), offset)
	}
	b := box{typ: string(data[4:8]), offset: offset, header: 8, size: int64(binary.BigEndian.Uint32(data))}
	switch {
	case b.size == 1 && len(data) >= 16:
		b.header, b.size = 16, int64(binary.BigEndian.Uint64(data[8:])) // negative if it has more than 63 bits
	case b.size == 0:
		b.size = int64(len(data))
	}
	if b.typ == "uuid" {
		if len(data) >= b.header+16 {
			copy(b.uuid[:], data[b.header:])
		}
		b.header += 16
	}
	if b.size < int64(b.header) || b.size > int64(len(data)) {
		return box{}, fmt.Errorf("box %q at byte %d has a size of %d, %d bytes are there", b.typ, offset, b.size, len(data))
	}
	b.body = data[b.header:b.size]
	return b, nil
}

// children cuts the body of a container into boxes.
func (b box) children() ([]box, error) { return splitBoxes(b.body, b.offset+int64(b.header)) }

// full splits the body of a FullBox. It reports false if the body is too short.
func (b box) full() (version byte, flags uint32, rest []byte, ok bool) {
	if len(b.body) < 4 {
		return 0, 0, nil, false
	}
	v := binary.BigEndian.Uint32(b.body)
	return byte(v >> 24), v & 0xFFFFFF, b.body[4:], true
}

// name is the type, or what is known of a uuid box.
func (b box) name() string {
	if b.typ != "uuid" {
		return b.typ
	}
	switch b.uuid {
	case uuidTfxd:
		return "tfxd"
	case uuidTfrf:
		return "tfrf"
	case uuidSenc:
		return "senc"
	}
	return fmt.Sprintf("uuid %x", b.uuid[:4])
}

// The uuid boxes of Smooth Streaming and PIFF.
var (
	uuidTfxd = [16]byte{0x6D, 0x1D, 0x9B, 0x05, 0x42, 0xD5, 0x44, 0xE6, 0x80, 0xE2, 0x14, 0x1D, 0xAF, 0xF7, 0x57, 0xB2}
	uuidTfrf = [16]byte{0xD4, 0x80, 0x7E, 0xF2, 0xCA, 0x39, 0x46, 0x95, 0x8E, 0x54, 0x26, 0xCB, 0x9E, 0x46, 0xA7, 0x9F}
	uuidSenc = [16]byte{0xA2, 0x39, 0x4F, 0x52, 0x5A, 0x9B, 0x4F, 0x14, 0xA2, 0x44, 0x6C, 0x42, 0x7C, 0x64, 0x8D, 0xF4}
)

// reader is a cursor over a body. After a read beyond the end all reads return zero and bad is set.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.bad = true
		r.data = nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) uint(n int) uint64 {
	var v uint64
	for _, b := range r.take(n) {
		v = v<<8 | uint64(b)
	}
	return v
}
