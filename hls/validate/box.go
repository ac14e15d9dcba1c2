package validate

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// box is an ISO box that was cut out of a buffer. A size must be exact.
type box struct {
	typ    string
	offset int64 // of the first byte, in the document
	header int   // bytes of header
	body   []byte
}

// size is that of the whole box.
func (b box) size() int { return b.header + len(b.body) }

// splitBoxes cuts data, which lies at offset of the document, into boxes that fill it exactly. It returns the boxes
// before the fault with the error.
//
//	size u32 | type 4 | [size u64 if size = 1] | body
func splitBoxes(data []byte, offset int64) ([]box, error) {
	var out []box
	for len(data) > 0 {
		if len(data) < 8 {
			return out, fmt.Errorf("%d bytes at byte %d are no box", len(data), offset)
		}
		if len(out) == maxBoxes {
			return out, fmt.Errorf("there are more than %d boxes before byte %d", maxBoxes, offset)
		}
		b := box{typ: string(data[4:8]), offset: offset, header: 8}
		size := uint64(binary.BigEndian.Uint32(data))
		switch {
		case size == 1 && len(data) >= 16:
			b.header, size = 16, binary.BigEndian.Uint64(data[8:])
		case size == 0:
			size = uint64(len(data))
		}
		if size < uint64(b.header) || size > uint64(len(data)) {
			return out, fmt.Errorf("box %q at byte %d has a size of %d, %d bytes are there", b.typ, offset, size, len(data))
		}
		b.body = data[b.header:size]
		out = append(out, b)
		data = data[size:]
		offset += int64(size)
	}
	return out, nil
}

// children cuts the body of a container into boxes. A fault is for the caller that cares; what comes before it stays.
func (b box) children() []box {
	kids, _ := splitBoxes(b.body, b.offset+int64(b.header))
	return kids
}

// full splits the body of a FullBox. It reports false if the body is too short.
func (b box) full() (version byte, flags uint32, rest []byte, ok bool) {
	if len(b.body) < 4 {
		return 0, 0, nil, false
	}
	v := binary.BigEndian.Uint32(b.body)
	return byte(v >> 24), v & 0xFFFFFF, b.body[4:], true
}

// ofType picks the boxes of a type.
func ofType(boxes []box, typ string) []box {
	var out []box
	for _, b := range boxes {
		if b.typ == typ {
			out = append(out, b)
		}
	}
	return out
}

// descend returns the first box at the path below b.
func (b box) descend(path string) (box, bool) {
	for _, typ := range strings.Split(path, "/") {
		found := ofType(b.children(), typ)
		if len(found) == 0 {
			return box{}, false
		}
		b = found[0]
	}
	return b, true
}

// types lists the types of boxes for messages.
func types(boxes []box) string {
	var out []string
	for i, b := range boxes {
		if i == 12 {
			return strings.Join(out, " ") + fmt.Sprintf(" and %d more", len(boxes)-i)
		}
		out = append(out, b.typ)
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, " ")
}

// cursor reads fields. After a read beyond the end all reads return zero and bad is set.
type cursor struct {
	data []byte
	bad  bool
}

func (r *cursor) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.bad, r.data = true, nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *cursor) uint(n int) uint64 {
	var v uint64
	for _, b := range r.take(n) {
		v = v<<8 | uint64(b)
	}
	return v
}
