package bitrate

import "encoding/binary"

// isAIFF looks for an IFF form of AIFF or AIFC.
func isAIFF(s *source) bool {
	return s.has(0, "FORM") && (s.has(8, "AIFF") || s.has(8, "AIFC"))
}

// parseAIFF reads the COMM chunk of AIFF and AIFF-C. The average is size of the file over duration.
//
//	"COMM" size(4) channels(2) frames(4) bits(2) rate(10, extended) [compression(4) in AIFF-C]
//
// See Audio Interchange File Format 1.3 and its draft for compression.
func parseAIFF(s *source) (Info, error) {
	off := int64(12)
	for range maxChunks {
		h, err := s.upTo(off, 8)
		if err != nil {
			return Info{}, err
		}
		if len(h) < 8 {
			break
		}
		size := int64(binary.BigEndian.Uint32(h[4:]))
		if string(h[:4]) == "COMM" {
			return s.aiffCommon(off+8, size)
		}
		if size > s.size-off {
			break
		}
		off += 8 + size + size&1
	}
	return Info{}, s.fail(min(off, s.size), ErrCorrupt, "no COMM chunk")
}

func (s *source) aiffCommon(off, size int64) (Info, error) {
	if size < 18 {
		return Info{}, s.fail(off, ErrCorrupt, "COMM chunk of %d bytes", size)
	}
	b, err := s.at(off, 18)
	if err != nil {
		return Info{}, err
	}
	frames := uint64(binary.BigEndian.Uint32(b[2:]))
	millihertz, ok := extended(b[8:])
	if !ok {
		return Info{}, s.fail(off+8, ErrCorrupt, "sample rate % x", b[8:18])
	}
	block := uint64(binary.BigEndian.Uint16(b)) * ((uint64(binary.BigEndian.Uint16(b[6:])) + 7) / 8)
	plain, err := s.aiffPlain(off, size)
	if err != nil {
		return Info{}, err
	}
	if plain && block > 0 && (frames == 0 || frames > uint64(s.size)/block) { // a stream, or a file that was cut
		frames = uint64(s.size) / block
	}
	info := Info{Method: "COMM"}
	info.Average, info.Duration = average(s.size, frames*1000, millihertz)
	return info, nil
}

// aiffPlain reports whether sound takes as many bytes as COMM says: no compression.
func (s *source) aiffPlain(off, size int64) (bool, error) {
	if s.has(8, "AIFF") {
		return true, nil
	}
	if size < 22 {
		return false, nil
	}
	b, err := s.at(off, 22)
	if err != nil {
		return false, err
	}
	switch string(b[18:]) {
	case "NONE", "twos", "sowt", "raw ", "in24", "in32", "fl32", "FL32", "fl64", "FL64":
		return true, nil
	}
	return false, nil
}

// extended returns thousandths of an 80-bit number of IEEE 754 between 1 and 2^31, or false.
func extended(b []byte) (uint64, bool) {
	exponent := int(binary.BigEndian.Uint16(b)) - 16383 // a negative number has too large an exponent
	mantissa := binary.BigEndian.Uint64(b[2:])
	if exponent < 0 || exponent > 31 || mantissa>>63 == 0 {
		return 0, false
	}
	return uint64(muldiv(mantissa, 1000, 1<<(63-exponent))), true
}
