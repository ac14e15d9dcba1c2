package bitrate

import "encoding/binary"

// maxTags is how many tags in a row are skipped at one end of a file, so that a chain of empty ones ends.
const maxTags = 16

// afterTags returns the offset behind the ID3v2 tags (and APEv2 tags with a header, which some writers put there) at
// the beginning of the file: zero without any. Tags are skipped by their size, not read. The offset may be at or
// beyond the end of the file, when a size lies.
//
//	"ID3" version(2) flags(1) size(4, of 7 bits each)    flag 0x10: a footer of 10 bytes follows    (ID3v2.4 3.1)
func (s *source) afterTags() int64 {
	var off int64
	for range maxTags {
		h, err := s.upTo(off, 32)
		switch {
		case err != nil || len(h) < 10:
			return off
		case string(h[:3]) == "ID3" && h[3] != 0xFF && h[4] != 0xFF:
			off = s.afterID3(off, h)
		case len(h) == 32 && string(h[:8]) == "APETAGEX" && h[23]&0x20 != 0:
			off += 32 + int64(binary.LittleEndian.Uint32(h[12:]))
		default:
			return off
		}
	}
	return off
}

// afterID3 returns the offset behind the ID3v2 tag at off, whose header is h. Some writers state the size in plain 32
// bits: that is taken where a byte has its high bit, or where a stream begins behind the plain size and none behind
// the proper one.
func (s *source) afterID3(off int64, h []byte) int64 {
	header := int64(10)
	if h[5]&0x10 != 0 {
		header += 10
	}
	plain := off + header + int64(binary.BigEndian.Uint32(h[6:]))
	if (h[6]|h[7]|h[8]|h[9])&0x80 != 0 {
		return plain
	}
	proper := off + header + syncsafe(h[6:])
	if proper != plain && !s.begins(proper) && s.begins(plain) {
		return plain
	}
	return proper
}

// begins reports whether something that is known to follow a tag begins at an offset: another tag, FLAC, AC-3, or the
// sync word of MPEG audio and ADTS.
func (s *source) begins(off int64) bool {
	b, err := s.upTo(off, 4)
	if err != nil || len(b) < 4 {
		return false
	}
	return string(b[:3]) == "ID3" || string(b) == "fLaC" || string(b[:2]) == "\x0B\x77" || b[0] == 0xFF && b[1]&0xE0 == 0xE0
}

// syncsafe returns the number in four bytes of seven bits.
func syncsafe(b []byte) int64 {
	return int64(b[0]&0x7F)<<21 | int64(b[1]&0x7F)<<14 | int64(b[2]&0x7F)<<7 | int64(b[3]&0x7F)
}

// beforeTags returns the offset of the tags at the end of the file (ID3v1 with its extension, APE, Lyrics3, ID3v2
// with a footer), which is where the stream ends that begins at start. A size that reaches before start is not
// believed.
func (s *source) beforeTags(start int64) int64 {
	end := s.size
	for range maxTags {
		n := s.tagBefore(end)
		if n <= 0 || n > end-start {
			return end
		}
		end -= n
	}
	return end
}

// tagBefore returns the size of the tag that ends at end, or zero.
func (s *source) tagBefore(end int64) int64 {
	switch {
	case s.has(end-128, "TAG"):
		if s.has(end-128-227, "TAG+") {
			return 128 + 227
		}
		return 128
	case s.has(end-32, "APETAGEX"):
		return s.apeBefore(end)
	case s.has(end-9, "LYRICS200"):
		return s.lyricsBefore(end)
	case s.has(end-10, "3DI"):
		b, err := s.at(end-10, 10)
		if err != nil {
			return 0
		}
		return 20 + syncsafe(b[6:])
	}
	return 0
}

// apeBefore returns the size of the APE tag with its footer before end: the size in the footer leaves out the header.
func (s *source) apeBefore(end int64) int64 {
	b, err := s.at(end-32, 32)
	if err != nil {
		return 0
	}
	n := int64(binary.LittleEndian.Uint32(b[12:]))
	if b[23]&0x80 != 0 {
		n += 32
	}
	return max(n, 32)
}

// lyricsBefore returns the size of the Lyrics3v2 tag before end: six digits that count all before themselves.
func (s *source) lyricsBefore(end int64) int64 {
	b, err := s.at(end-15, 6)
	if err != nil {
		return 0
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n + 15
}
