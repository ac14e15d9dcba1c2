package bitrate

import (
	"encoding/binary"
	"math"
)

// mp4Box is the header of a box. The end may lie beyond that of its parent: the file was cut short, or it is no box.
type mp4Box struct {
	name string // four characters
	off  int64  // of the header
	body int64  // of the content
	end  int64
}

// mp4Box reads the header of the box at an offset:
//
//	size:32 type:32 [largesize:64 if size == 1] [usertype:128 if type == uuid]
//
// A size of zero means up to limit, the end of the parent. See ISO/IEC 14496-12 4.2.
func (s *source) mp4Box(off, limit int64) (mp4Box, error) {
	if limit-off < 8 {
		return mp4Box{}, s.fail(off, ErrCorrupt, "%d bytes left, a box header needs 8", limit-off)
	}
	b, err := s.at(off, 8)
	if err != nil {
		return mp4Box{}, err
	}
	x := mp4Box{name: string(b[4:8]), off: off, body: off + 8}
	size := int64(binary.BigEndian.Uint32(b))
	switch size {
	case 0:
		size = limit - off
	case 1:
		if b, err = s.at(off+8, 8); err != nil {
			return x, err
		}
		large := binary.BigEndian.Uint64(b)
		if large > uint64(math.MaxInt64-off) {
			return x, s.fail(off, ErrCorrupt, "box %q of %d bytes", x.name, large)
		}
		size, x.body = int64(large), off+16
	}
	x.end = off + size
	if x.end < x.body {
		return x, s.fail(off, ErrCorrupt, "box %q of %d bytes is smaller than its header", x.name, size)
	}
	return x, nil
}

// mp4Bytes returns n bytes of the content, which is what the fields of a box need.
func (s *source) mp4Bytes(x mp4Box, n int) ([]byte, error) {
	if x.end-x.body < int64(n) {
		return nil, s.fail(x.off, ErrCorrupt, "box %q has %d bytes, its fields need %d", x.name, x.end-x.body, n)
	}
	return s.at(x.body, n)
}

// mp4Cursor walks boxes between two offsets.
type mp4Cursor struct {
	s          *source
	off, limit int64
	err        error
}

// inside returns a cursor over the boxes in a box.
func (s *source) inside(x mp4Box) mp4Cursor { return s.insideAfter(x, 0) }

// insideAfter returns a cursor over the boxes in a box that come after n bytes of fields.
func (s *source) insideAfter(x mp4Box, n int64) mp4Cursor {
	return mp4Cursor{s: s, off: x.body + n, limit: min(x.end, s.size)}
}

// next returns the next box, cut at the end of its parent, or false at the end and on an error, which err then is.
// Less than a header, and the four zero bytes that end user data of QuickTime, are no box.
func (c *mp4Cursor) next() (mp4Box, bool) {
	if c.limit-c.off < 8 {
		return mp4Box{}, false
	}
	x, err := c.s.mp4Box(c.off, c.limit)
	if err != nil {
		c.err = err
		return x, false
	}
	x.end = min(x.end, c.limit)
	c.off = x.end
	return x, true
}

// find returns the first box of a name in a box.
func (s *source) find(x mp4Box, name string) (mp4Box, bool) {
	for c := s.inside(x); ; {
		x, ok := c.next()
		if !ok || x.name == name {
			return x, ok
		}
	}
}
