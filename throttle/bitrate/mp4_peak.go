package bitrate

import "encoding/binary"

// mp4Peak returns the largest rate that the first sample entry of stsd states, in bit/s, or zero.
//
//	stsd   version:8 flags:24 entries:32, then sample entries
//	video  header:64 78 bytes of fields, then boxes
//	audio  header:64 28 bytes of fields, in QuickTime's versions 1 and 2 44 and 64, then boxes
//
// See ISO/IEC 14496-12 8.5.2 and 12, and the QuickTime File Format Specification for the versions.
func (s *source) mp4Peak(stsd mp4Box, handler string) int64 {
	entries := s.insideAfter(stsd, 8)
	entry, ok := entries.next()
	if !ok {
		return 0
	}
	fields := int64(78)
	if handler != "vide" {
		b, err := s.mp4Bytes(entry, 28)
		if err != nil || handler != "soun" {
			return 0
		}
		fields = 28
		switch binary.BigEndian.Uint16(b[8:]) {
		case 1:
			fields = 44
		case 2:
			fields = 64
		}
	}
	return s.mp4PeakIn(s.insideAfter(entry, fields))
}

// mp4PeakIn looks for btrt and esds, and for the latter in QuickTime's wave.
//
//	btrt  buffer size:32 largest:32 average:32
func (s *source) mp4PeakIn(c mp4Cursor) (peak int64) {
	for {
		x, ok := c.next()
		if !ok {
			return peak
		}
		if x.name == "wave" {
			if x, ok = s.find(x, "esds"); !ok {
				continue
			}
		}
		switch x.name {
		case "btrt":
			if b, err := s.mp4Bytes(x, 12); err == nil {
				peak = max(peak, int64(binary.BigEndian.Uint32(b[4:])))
			}
		case "esds":
			peak = max(peak, s.mp4PeakOfESDS(x))
		}
	}
}

// mp4PeakOfESDS reads the descriptors of esds:
//
//	version:8 flags:24
//	3 length  ES id:16 flags:8 [depends on:16] [url length:8 url] [OCR id:16]
//	4 length  object:8 stream:8 buffer size:24 largest:32 average:32
//
// See ISO/IEC 14496-1 7.2.6.5 and 7.2.6.6.
func (s *source) mp4PeakOfESDS(x mp4Box) int64 {
	b, err := s.at(x.body, int(min(x.end-x.body, 512)))
	if err != nil || len(b) < 4 {
		return 0
	}
	b, ok := descriptor(b[4:], 3)
	if !ok || len(b) < 3 {
		return 0
	}
	flags := b[2]
	b = b[3:]
	for _, f := range []struct {
		flag byte
		size int
	}{{0x80, 2}, {0x40, -1}, {0x20, 2}} {
		if flags&f.flag == 0 {
			continue
		}
		if f.size < 0 && len(b) > 0 {
			f.size = 1 + int(b[0])
		}
		if f.size < 0 || f.size > len(b) {
			return 0
		}
		b = b[f.size:]
	}
	if b, ok = descriptor(b, 4); !ok || len(b) < 13 {
		return 0
	}
	return int64(binary.BigEndian.Uint32(b[5:]))
}

// descriptor returns what follows the tag and length of a descriptor. The length has up to four bytes of seven bits; it
// is not compared with what is there, as only the first fields are wanted.
func descriptor(b []byte, tag byte) ([]byte, bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, false
	}
	b = b[1:]
	for n := 0; n < 4 && len(b) > 0; n++ {
		more := b[0]&0x80 != 0
		b = b[1:]
		if !more {
			return b, true
		}
	}
	return nil, false
}
