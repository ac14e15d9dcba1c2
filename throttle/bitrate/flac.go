package bitrate

import "encoding/binary"

// isFLAC looks for the marker, at the beginning or behind an ID3v2 tag.
func isFLAC(s *source) bool { return s.has(s.afterTags(), "fLaC") }

// parseFLAC reads STREAMINFO, which is the first block of metadata (RFC 9639 section 8.2). The average is size of the
// file over duration. A live encoder leaves the number of samples zero: then the last frame says it.
//
//	"fLaC" last(1) type(7) length(24) | min, max block size(16, 16) min, max frame size(24, 24)
//	rate(20) channels-1(3) bits-1(5) samples(36) md5(128)
func parseFLAC(s *source) (Info, error) {
	start := s.afterTags()
	if !s.has(start, "fLaC") {
		return Info{}, s.fail(start, ErrCorrupt, "no fLaC marker")
	}
	b, err := s.at(start+4, 4+34)
	if err != nil {
		return Info{}, err
	}
	if b[0]&0x7F != 0 || binary.BigEndian.Uint32(b)&0xFF_FFFF < 34 {
		return Info{}, s.fail(start+4, ErrCorrupt, "first block % x is not STREAMINFO", b[:4])
	}
	info, samples, clock := b[4:], uint64(0), uint64(0)
	word := binary.BigEndian.Uint64(info[10:])
	clock, samples = word>>44, word&(1<<36-1)
	if clock == 0 {
		return Info{}, s.fail(start+4+4+10, ErrCorrupt, "zero samples per second")
	}
	found := Info{Method: "STREAMINFO"}
	if samples == 0 {
		found.Method = "frames"
		if samples, err = s.lastFLACSample(uint64(binary.BigEndian.Uint16(info))); err != nil {
			return Info{}, err
		}
	}
	found.Average, found.Duration = average(s.size, samples, clock)
	return found, nil
}

// flacTail is how many bytes at the end of a file are searched for a frame: frames of CD audio are up to 18 KiB.
const flacTail = 64 << 10

// lastFLACSample returns the number of the sample after the last frame that begins in the tail. block is the size of
// blocks where it is constant.
func (s *source) lastFLACSample(block uint64) (uint64, error) {
	off := max(0, s.size-flacTail)
	b, err := s.upTo(off, flacTail)
	if err != nil {
		return 0, err
	}
	for i := len(b) - 6; i >= 0; i-- {
		if b[i] != 0xFF || b[i+1]&0xFE != 0xF8 {
			continue
		}
		if last, ok := flacFrameEnd(b[i:], block); ok {
			return last, nil
		}
	}
	return 0, s.fail(off, ErrUnknownRate, "STREAMINFO without samples, and no frame in the last %d bytes", len(b))
}

// flacFrameEnd returns the number of the sample after a frame, by its header, whose CRC-8 must be right.
//
//	11111111 1111100V BBBBRRRR CCCCSSS0 number(8 to 56, like UTF-8) [block size-1(8 or 16)] [rate(8 or 16)] crc(8)
//
// RFC 9639 section 9.1.
func flacFrameEnd(b []byte, constant uint64) (uint64, bool) {
	number, n := flacNumber(b[4:])
	if n == 0 || b[3]&1 != 0 {
		return 0, false
	}
	n += 4
	size, code := uint64(0), b[2]>>4
	switch {
	case code == 1:
		size = 192
	case code >= 2 && code <= 5:
		size = 144 << code
	case code == 6 && len(b) > n:
		size = uint64(b[n]) + 1
		n++
	case code == 7 && len(b) > n+1:
		size = uint64(binary.BigEndian.Uint16(b[n:])) + 1
		n += 2
	case code >= 8:
		size = 1 << code
	}
	switch b[2] & 15 {
	case 12:
		n++
	case 13, 14:
		n += 2
	case 15:
		return 0, false
	}
	if size == 0 || len(b) <= n || flacCRC(b[:n]) != b[n] {
		return 0, false
	}
	if b[1]&1 == 0 { // the number is that of the frame, all of one size but for the last
		return number*max(constant, 1) + size, true
	}
	return number + size, true
}

// flacNumber reads the number of a frame or sample, of up to 36 bits, and returns its length: zero if it is none.
func flacNumber(b []byte) (uint64, int) {
	if len(b) == 0 || b[0] == 0xFF || b[0]&0xC0 == 0x80 {
		return 0, 0
	}
	n := 0
	for b[0]<<n&0x80 != 0 {
		n++
	}
	if n == 0 {
		return uint64(b[0]), 1
	}
	if len(b) < n {
		return 0, 0
	}
	v := uint64(b[0] & (0x7F >> n))
	for _, c := range b[1:n] {
		if c&0xC0 != 0x80 {
			return 0, 0
		}
		v = v<<6 | uint64(c&0x3F)
	}
	return v, n
}

// flacCRC is that of frame headers: polynomial x^8+x^2+x+1.
func flacCRC(b []byte) byte {
	var crc byte
	for _, c := range b {
		crc ^= c
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
