package bitrate

import (
	"encoding/binary"
	"strings"
)

// oggStream is what the first packet of a stream in Ogg says.
type oggStream struct {
	num, den uint64 // units of the granule in a second, as a fraction
	shift    uint   // Theora: bits of the granule that count frames since the key frame
	skip     uint64 // Opus: samples before the beginning
	nominal  int64  // stated bit/s, zero if not

	serial uint32
	ends   []uint64 // units before the ends of its first two pages
	last   uint64   // units before the end of its last page, zero if unknown
}

// length returns the units from the start of the stream to its last page. The start is zero but for what was cut out
// of a longer stream: there, the first page ends far later than a page lasts.
func (st *oggStream) length() uint64 {
	if len(st.ends) < 2 || st.ends[1] <= st.ends[0] {
		return st.last
	}
	page := st.ends[1] - st.ends[0]
	if st.ends[0] <= 4*page || mul(st.ends[0], st.den) <= st.num { // the latter: one second
		return st.last
	}
	start := st.ends[0] - page
	return st.last - min(start, st.last)
}

// units returns the units of content before a granule position, which is not negative.
func (st *oggStream) units(granule int64) uint64 {
	g := uint64(granule)
	if st.shift > 0 {
		g = g>>st.shift + g&(1<<st.shift-1)
	}
	return g
}

// oggCodec reads the first packet of a stream, or false for codecs without time, such as Skeleton, and unknown ones.
func oggCodec(b []byte) (st oggStream, ok bool) {
	for _, c := range []struct {
		signature string
		least     int // bytes
		read      func([]byte) oggStream
	}{
		{"\x01vorbis", 28, oggVorbis},
		{"OpusHead", 12, oggOpus},
		{"Speex   ", 56, oggSpeex},
		{"\x7FFLAC", 17 + 14, oggFLAC},
		{"\x80theora", 42, oggTheora},
	} {
		if strings.HasPrefix(string(b), c.signature) && len(b) >= c.least {
			st = c.read(b)
			return st, st.num > 0 && st.den > 0
		}
	}
	return oggStream{}, false
}

// oggVorbis: Vorbis I specification 4.2.2. Rates are signed, and zero or -1 if not set.
func oggVorbis(b []byte) oggStream {
	le := binary.LittleEndian
	most, nominal, least := int32(le.Uint32(b[16:])), int32(le.Uint32(b[20:])), int32(le.Uint32(b[24:]))
	st := oggStream{num: uint64(le.Uint32(b[12:])), den: 1, nominal: int64(max(nominal, 0))}
	if nominal <= 0 && most > 0 && least > 0 {
		st.nominal = (int64(most) + int64(least)) / 2
	}
	return st
}

// oggOpus: RFC 7845 section 5.1. The clock is 48 kHz whatever the rate of the source.
func oggOpus(b []byte) oggStream {
	return oggStream{num: 48000, den: 1, skip: uint64(binary.LittleEndian.Uint16(b[10:]))}
}

// oggSpeex: the Speex manual, Ogg file format.
func oggSpeex(b []byte) oggStream {
	le := binary.LittleEndian
	return oggStream{num: uint64(le.Uint32(b[36:])), den: 1, nominal: int64(max(int32(le.Uint32(b[52:])), 0))}
}

// oggFLAC: RFC 9639 section 10.1. STREAMINFO is 17 bytes into the packet.
func oggFLAC(b []byte) oggStream {
	return oggStream{num: uint64(binary.BigEndian.Uint32(b[17+10:]) >> 12), den: 1}
}

// oggTheora: Theora specification 6.2. The granule is the number of the key frame, and the frames since.
//
//	... frame rate(32/32) at 22, nominal rate(24) at 37, quality(6) granule shift(5) at 40
func oggTheora(b []byte) oggStream {
	be := binary.BigEndian
	return oggStream{
		num:     uint64(be.Uint32(b[22:])),
		den:     uint64(be.Uint32(b[26:])),
		shift:   uint(be.Uint16(b[40:]) >> 5 & 31),
		nominal: int64(be.Uint32(b[36:]) & 0xFF_FFFF),
	}
}
