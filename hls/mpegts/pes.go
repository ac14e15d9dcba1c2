package mpegts

import "encoding/binary"

// Sizes of a PES packet, ISO/IEC 13818-1 2.4.3.6: what comes before PES_packet_length counts, the header with one and
// with two times, and what the length can express.
const (
	pesPrefix    = 6
	pesHeaderPTS = 14
	pesHeaderDTS = 19
	maxPESLength = 1<<16 - 1
)

// timeMask keeps the 33 bits of a time.
const timeMask = 1<<33 - 1

// Values of stream_id. Of the first two, a range counts streams.
const (
	streamVideo   = 0xE0
	streamAudio   = 0xC0
	streamPrivate = 0xBD
)

// pesHeader is the header of a PES packet whose payload begins with an access unit.
type pesHeader struct {
	stream   byte
	pts, dts uint64
	hasDTS   bool
	payload  int // bytes behind the header
	stuffing int // stuffing bytes that end the header
}

// size returns the bytes of the header without stuffing.
func (h *pesHeader) size() int {
	if h.hasDTS {
		return pesHeaderDTS
	}
	return pesHeaderPTS
}

// append appends the header. A length that cannot be expressed is 0, as the length of video may be.
func (h *pesHeader) append(dst []byte) []byte {
	size := h.size() + h.stuffing
	length := size - pesPrefix + h.payload
	if length > maxPESLength {
		length = 0
	}
	const aligned = 0x84 // '10', data_alignment_indicator
	fields := byte(0x80)
	if h.hasDTS {
		fields = 0xC0
	}
	dst = append(dst, 0, 0, 1, h.stream, byte(length>>8), byte(length), aligned, fields, byte(size-9))
	if h.hasDTS {
		dst = appendTime(dst, 3, h.pts)
		dst = appendTime(dst, 1, h.dts)
	} else {
		dst = appendTime(dst, 2, h.pts)
	}
	return append(dst, filler[:h.stuffing]...)
}

// appendTime appends a PTS or DTS behind its prefix of four bits, with a marker bit after each of its three parts.
func appendTime(dst []byte, prefix byte, t uint64) []byte {
	dst = append(dst, prefix<<4|byte(t>>29)&0x0E|1)
	dst = binary.BigEndian.AppendUint16(dst, uint16(t>>14)|1)
	return binary.BigEndian.AppendUint16(dst, uint16(t<<1)|1)
}
