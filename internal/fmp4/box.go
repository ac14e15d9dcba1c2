package fmp4

import (
	"encoding/binary"
	"math"
)

// Type is the four-character code of a box.
type Type uint32

// String returns the four characters; bytes that are not printable ASCII appear as dots.
func (t Type) String() string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(t))
	for i, c := range b {
		if c < 0x20 || c > 0x7e {
			b[i] = '.'
		}
	}
	return string(b[:])
}

// The box types this package looks at.
const (
	TypeCo64 Type = 'c'<<24 | 'o'<<16 | '6'<<8 | '4'
	TypeCtts Type = 'c'<<24 | 't'<<16 | 't'<<8 | 's'
	TypeEdts Type = 'e'<<24 | 'd'<<16 | 't'<<8 | 's'
	TypeElst Type = 'e'<<24 | 'l'<<16 | 's'<<8 | 't'
	TypeFtyp Type = 'f'<<24 | 't'<<16 | 'y'<<8 | 'p'
	TypeFree Type = 'f'<<24 | 'r'<<16 | 'e'<<8 | 'e'
	TypeHdlr Type = 'h'<<24 | 'd'<<16 | 'l'<<8 | 'r'
	TypeMdat Type = 'm'<<24 | 'd'<<16 | 'a'<<8 | 't'
	TypeMdhd Type = 'm'<<24 | 'd'<<16 | 'h'<<8 | 'd'
	TypeMdia Type = 'm'<<24 | 'd'<<16 | 'i'<<8 | 'a'
	TypeMehd Type = 'm'<<24 | 'e'<<16 | 'h'<<8 | 'd'
	TypeMfhd Type = 'm'<<24 | 'f'<<16 | 'h'<<8 | 'd'
	TypeMfra Type = 'm'<<24 | 'f'<<16 | 'r'<<8 | 'a'
	TypeMfro Type = 'm'<<24 | 'f'<<16 | 'r'<<8 | 'o'
	TypeMinf Type = 'm'<<24 | 'i'<<16 | 'n'<<8 | 'f'
	TypeMoof Type = 'm'<<24 | 'o'<<16 | 'o'<<8 | 'f'
	TypeMoov Type = 'm'<<24 | 'o'<<16 | 'o'<<8 | 'v'
	TypeMvex Type = 'm'<<24 | 'v'<<16 | 'e'<<8 | 'x'
	TypeMvhd Type = 'm'<<24 | 'v'<<16 | 'h'<<8 | 'd'
	TypePssh Type = 'p'<<24 | 's'<<16 | 's'<<8 | 'h'
	TypeSaio Type = 's'<<24 | 'a'<<16 | 'i'<<8 | 'o'
	TypeSaiz Type = 's'<<24 | 'a'<<16 | 'i'<<8 | 'z'
	TypeSdtp Type = 's'<<24 | 'd'<<16 | 't'<<8 | 'p'
	TypeSenc Type = 's'<<24 | 'e'<<16 | 'n'<<8 | 'c'
	TypeSidx Type = 's'<<24 | 'i'<<16 | 'd'<<8 | 'x'
	TypeSkip Type = 's'<<24 | 'k'<<16 | 'i'<<8 | 'p'
	TypeStbl Type = 's'<<24 | 't'<<16 | 'b'<<8 | 'l'
	TypeStco Type = 's'<<24 | 't'<<16 | 'c'<<8 | 'o'
	TypeStsc Type = 's'<<24 | 't'<<16 | 's'<<8 | 'c'
	TypeStsd Type = 's'<<24 | 't'<<16 | 's'<<8 | 'd'
	TypeStss Type = 's'<<24 | 't'<<16 | 's'<<8 | 's'
	TypeStsz Type = 's'<<24 | 't'<<16 | 's'<<8 | 'z'
	TypeStts Type = 's'<<24 | 't'<<16 | 't'<<8 | 's'
	TypeStyp Type = 's'<<24 | 't'<<16 | 'y'<<8 | 'p'
	TypeStz2 Type = 's'<<24 | 't'<<16 | 'z'<<8 | '2'
	TypeTfdt Type = 't'<<24 | 'f'<<16 | 'd'<<8 | 't'
	TypeTfhd Type = 't'<<24 | 'f'<<16 | 'h'<<8 | 'd'
	TypeTfra Type = 't'<<24 | 'f'<<16 | 'r'<<8 | 'a'
	TypeTkhd Type = 't'<<24 | 'k'<<16 | 'h'<<8 | 'd'
	TypeTraf Type = 't'<<24 | 'r'<<16 | 'a'<<8 | 'f'
	TypeTrak Type = 't'<<24 | 'r'<<16 | 'a'<<8 | 'k'
	TypeTrex Type = 't'<<24 | 'r'<<16 | 'e'<<8 | 'x'
	TypeTrun Type = 't'<<24 | 'r'<<16 | 'u'<<8 | 'n'
	TypeUUID Type = 'u'<<24 | 'u'<<16 | 'i'<<8 | 'd'
)

// Handler types of ISO/IEC 14496-12 8.4.3 and of PIFF.
const (
	HandlerVideo Type = 'v'<<24 | 'i'<<16 | 'd'<<8 | 'e'
	HandlerAudio Type = 's'<<24 | 'o'<<16 | 'u'<<8 | 'n'
	HandlerText  Type = 't'<<24 | 'e'<<16 | 'x'<<8 | 't'
	HandlerSubt  Type = 's'<<24 | 'u'<<16 | 'b'<<8 | 't'
	HandlerSubp  Type = 's'<<24 | 'b'<<16 | 't'<<8 | 'l'
	HandlerMeta  Type = 'm'<<24 | 'e'<<16 | 't'<<8 | 'a'
)

// UUID is the extended type of a uuid box.
type UUID [16]byte

// The uuid boxes of [MS-SSTR] 2.2.4.4, 2.2.4.5 and of PIFF 1.1.
var (
	UUIDTfxd = UUID{0x6d, 0x1d, 0x9b, 0x05, 0x42, 0xd5, 0x44, 0xe6, 0x80, 0xe2, 0x14, 0x1d, 0xaf, 0xf7, 0x57, 0xb2}
	UUIDTfrf = UUID{0xd4, 0x80, 0x7e, 0xf2, 0xca, 0x39, 0x46, 0x95, 0x8e, 0x54, 0x26, 0xcb, 0x9e, 0x46, 0xa7, 0x9f}
	// UUIDSampleEncryption is the box of initialisation vectors in a traf.
	UUIDSampleEncryption = UUID{0xa2, 0x39, 0x4f, 0x52, 0x5a, 0x9b, 0x4f, 0x14, 0xa2, 0x44, 0x6c, 0x42, 0x7c, 0x64, 0x8d, 0xf4}
	// UUIDTrackEncryption is the box of defaults in schi.
	UUIDTrackEncryption = UUID{0x89, 0x74, 0xdb, 0xce, 0x7b, 0xe7, 0x4c, 0x51, 0x84, 0xf9, 0x71, 0x48, 0xf9, 0x88, 0x25, 0x54}
	// UUIDProtectionHeader is the box of a protection system's header in moov.
	UUIDProtectionHeader = UUID{0xd0, 0x8a, 0x4f, 0x18, 0x10, 0xf3, 0x4a, 0x82, 0xb6, 0xc8, 0x32, 0xd8, 0xab, 0xa1, 0x83, 0xd3}
)

// box is a box inside a byte slice.
type box struct {
	typ    Type
	offset int64  // absolute, of the header
	raw    []byte // header included
	body   []byte // after the header; after the extended type for uuid
	uuid   UUID
}

// full splits the version and flags of a FullBox off the body.
func (x *box) full(path string) (version uint8, flags uint32, rest []byte, err error) {
	if len(x.body) < 4 {
		return 0, 0, nil, corrupt(path, x.offset, "body %d bytes, a full box needs 4", len(x.body))
	}
	v := binary.BigEndian.Uint32(x.body)
	return uint8(v >> 24), v & 0xffffff, x.body[4:], nil
}

// parseHeader reads the header of the box that b starts with. limit is the number of bytes up to the end of the
// container, which may be more than len(b). size 0 means up to the end of the container.
//
//	size:32 type:32 [largesize:64 if size == 1] [usertype:128 if type == uuid]
//
// See ISO/IEC 14496-12 4.2.
func parseHeader(b []byte, offset, limit int64) (Box, error) {
	if limit < 8 || len(b) < 8 {
		return Box{}, corrupt("box", offset, "%d bytes left, a box header needs 8", min(limit, int64(len(b))))
	}
	h := Box{
		Type:   Type(binary.BigEndian.Uint32(b[4:])),
		Offset: offset,
		Size:   int64(binary.BigEndian.Uint32(b)),
		Header: 8,
	}
	switch h.Size {
	case 0:
		h.Size = limit
	case 1:
		if len(b) < 16 || limit < 16 {
			return h, corrupt(h.Type.String(), offset, "%d bytes left, a large box header needs 16", min(limit, int64(len(b))))
		}
		large := binary.BigEndian.Uint64(b[8:])
		if large > math.MaxInt64 {
			return h, corrupt(h.Type.String(), offset, "size %d", large)
		}
		h.Size, h.Header = int64(large), 16
	}
	if h.Type == TypeUUID {
		if int64(len(b)) < h.Header+16 {
			return h, corrupt("uuid", offset, "%d bytes left, a uuid box header needs %d", len(b), h.Header+16)
		}
		copy(h.UUID[:], b[h.Header:])
		h.Header += 16
	}
	if h.Size < h.Header {
		return h, corrupt(h.Type.String(), offset, "size %d is less than its header", h.Size)
	}
	if h.Size > limit {
		return h, corrupt(h.Type.String(), offset, "size %d exceeds the %d bytes left", h.Size, limit)
	}
	return h, nil
}

// Box is the header of a box in a file.
type Box struct {
	Type Type
	// UUID is the extended type of a uuid box.
	UUID UUID
	// Offset is absolute, Size includes the header, Header is the size of the header, all in bytes.
	Offset, Size, Header int64
}

// End returns the offset of the first byte after the box.
func (b Box) End() int64 { return b.Offset + b.Size }

// cursor walks the boxes in a byte slice.
type cursor struct {
	b      []byte
	offset int64 // absolute offset of b
	path   string
	err    error
}

// next returns the next box, or false at the end or after an error. Fewer than 8 trailing bytes are ignored, as
// some writers terminate containers with zeros.
func (c *cursor) next() (box, bool) {
	if len(c.b) < 8 || c.err != nil {
		return box{}, false
	}
	if n, t := u32(c.b), Type(u32(c.b[4:])); n >= 8 && int64(n) <= int64(len(c.b)) && t != TypeUUID { // nearly all
		x := box{typ: t, offset: c.offset, raw: c.b[:n:n], body: c.b[8:n:n]}
		c.b = c.b[n:]
		c.offset += int64(n)
		return x, true
	}
	h, err := parseHeader(c.b, c.offset, int64(len(c.b)))
	if err != nil {
		e := err.(*Error)
		e.Path = c.path + "/" + e.Path
		c.err = e
		return box{}, false
	}
	x := box{typ: h.Type, offset: h.Offset, raw: c.b[:h.Size:h.Size], body: c.b[h.Header:h.Size:h.Size], uuid: h.UUID}
	c.b = c.b[h.Size:]
	c.offset += h.Size
	return x, true
}

// compact reports whether size and type take 8 bytes and the size is stated.
func (x *box) compact() bool { return int64(u32(x.raw)) == int64(len(x.raw)) }

// children returns a cursor over the boxes in the body of x.
func (x *box) children(path string) cursor {
	return cursor{b: x.body, offset: x.offset + int64(len(x.raw)-len(x.body)), path: path}
}

func u16(b []byte) uint32 { return uint32(binary.BigEndian.Uint16(b)) }
func u32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
