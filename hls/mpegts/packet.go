package mpegts

import "encoding/binary"

// PacketSize is the size of a transport packet in bytes, ISO/IEC 13818-1 2.4.3.2.
const PacketSize = 188

// What a transport packet consists of.
const (
	headerSize  = 4
	payloadSize = PacketSize - headerSize
)

// Parts of a packet header, as a number of 32 bits.
const (
	syncByte       = 0x47 << 24
	flagStart      = 1 << 22 // payload_unit_start_indicator
	flagAdaptation = 1 << 5
	flagPayload    = 1 << 4
	counterMask    = 15
)

// Flags of an adaptation field, ISO/IEC 13818-1 2.4.3.4.
const (
	adaptDiscontinuity = 0x80
	adaptRandomAccess  = 0x40
	adaptPCR           = 0x10
)

func packetHeader(pid uint16) uint32 { return syncByte | uint32(pid)<<8 }

// filler is a packet of stuffing bytes.
var filler = func() (p [PacketSize]byte) {
	for i := range p {
		p[i] = 0xFF
	}
	return p
}()

// adaptation is the content of the adaptation field of the first packet of a unit.
type adaptation struct {
	flags byte
	pcr   uint64 // if flags has adaptPCR
}

// size returns the bytes of the field with its length, or 0 if it has no content.
func (a adaptation) size() int {
	switch {
	case a.flags&adaptPCR != 0:
		return 8
	case a.flags != 0:
		return 2
	}
	return 0
}

// put writes header and adaptation field of a packet with n bytes of payload and returns where these go. All between is
// stuffing. There must be room for the content of the field.
func (a adaptation) put(packet []byte, header uint32, n int) []byte {
	p := (*[PacketSize]byte)(packet)
	size := payloadSize - n
	if size == 0 {
		binary.BigEndian.PutUint32(p[:], header)
		return p[headerSize:]
	}
	*p = filler
	binary.BigEndian.PutUint32(p[:], header|flagAdaptation)
	p[4] = byte(size - 1)
	if size > 1 {
		p[5] = a.flags
		if a.flags&adaptPCR != 0 {
			putPCR(p[6:12], a.pcr)
		}
	}
	return p[PacketSize-n:]
}

// putPCR writes a time of 90 kHz as 33 bits of base, 6 reserved bits and an extension of 0.
func putPCR(p []byte, base uint64) {
	base &= timeMask
	binary.BigEndian.PutUint32(p, uint32(base>>1))
	binary.BigEndian.PutUint16(p[4:], uint16(base&1)<<15|0x7E00)
}

// layout says how the bytes of a PES packet are divided among transport packets: one with first bytes, which holds the
// whole PES header, some full ones, one with part bytes, and the rest with one byte each.
type layout struct {
	packets  int
	first    int
	full     int
	part     int
	stuffing int // stuffing bytes to add to the PES header
}

// divide makes the layout of a PES packet of pes bytes, of which header bytes are its header. The first transport
// packet has the given continuity counter and an adaptation field of fixed bytes. If the cycle of the counter is to be
// closed, up to 15 more packets than needed are used, each with at least one byte of payload. Should there be too few
// bytes behind the PES header for that, it gets stuffing bytes, up to 14 of the 32 that ISO/IEC 13818-1 allows. Among
// real units only an AAC frame below 8 bytes all by itself needs them; no unit is too short.
func divide(pes, header, fixed int, counter uint32, closing bool) layout {
	n := (pes + fixed + payloadSize - 1) / payloadSize
	if closing {
		n += int(-(counter + uint32(n)) & counterMask)
	}
	l := layout{packets: n, stuffing: max(0, header+n-1-pes)}
	pes += l.stuffing
	l.first = min(payloadSize-fixed, pes-(n-1))
	beyond := pes - l.first - (n - 1) // one byte in each of the others
	l.full, l.part = beyond/(payloadSize-1), 1+beyond%(payloadSize-1)
	return l
}

// packer writes the payload of a unit into its packets behind the first.
type packer struct {
	room   []byte // payload bytes left in the current packet
	rest   []byte // packets not yet begun
	header uint32 // header of the next packet
	full   int    // full packets among them, which come first
	part   int    // payload of the packet after these
}

// begin writes the first packet of a unit up to its payload.
func (l *layout) begin(packets []byte, header uint32, a adaptation) packer {
	return packer{
		room:   a.put(packets, header|flagStart, l.first),
		rest:   packets[PacketSize:],
		header: advance(header),
		full:   l.full,
		part:   l.part,
	}
}

// advance returns a packet header with the next continuity counter.
func advance(header uint32) uint32 { return header&^counterMask | (header+1)&counterMask }

// write writes bytes of payload. All of them fit, or the layout was not made for them.
func (p *packer) write(src []byte) {
	n := copy(p.room, src)
	p.room, src = p.room[n:], src[n:]
	for len(src) > 0 {
		if len(src) >= payloadSize && p.full > 0 {
			src = p.writeFull(src)
			continue
		}
		p.next()
		n := copy(p.room, src)
		p.room, src = p.room[n:], src[n:]
	}
}

// writeFull writes as many full packets as there are and as can be filled, and returns the remaining bytes. This is
// where the time of the whole package goes: the compiler makes two instructions of each of these moves, but a
// call of one move of 184 bytes, which takes twice as long if the bytes are in the cache.
func (p *packer) writeFull(src []byte) []byte {
	n := min(len(src)/payloadSize, p.full)
	dst, header := p.rest, p.header
	for range n {
		d, s := (*[PacketSize]byte)(dst), (*[payloadSize]byte)(src)
		binary.BigEndian.PutUint32(d[:], header)
		*(*[16]byte)(d[4:]) = *(*[16]byte)(s[0:])
		*(*[16]byte)(d[20:]) = *(*[16]byte)(s[16:])
		*(*[16]byte)(d[36:]) = *(*[16]byte)(s[32:])
		*(*[16]byte)(d[52:]) = *(*[16]byte)(s[48:])
		*(*[16]byte)(d[68:]) = *(*[16]byte)(s[64:])
		*(*[16]byte)(d[84:]) = *(*[16]byte)(s[80:])
		*(*[16]byte)(d[100:]) = *(*[16]byte)(s[96:])
		*(*[16]byte)(d[116:]) = *(*[16]byte)(s[112:])
		*(*[16]byte)(d[132:]) = *(*[16]byte)(s[128:])
		*(*[16]byte)(d[148:]) = *(*[16]byte)(s[144:])
		*(*[16]byte)(d[164:]) = *(*[16]byte)(s[160:])
		*(*[8]byte)(d[180:]) = *(*[8]byte)(s[176:])
		header = advance(header)
		dst, src = dst[PacketSize:], src[payloadSize:]
	}
	p.rest, p.header = dst, header
	p.full -= n
	return src
}

// next begins the next packet.
func (p *packer) next() {
	if p.full > 0 {
		p.full--
		p.room = adaptation{}.put(p.rest, p.header, payloadSize)
	} else {
		p.room = adaptation{}.put(p.rest, p.header, p.part)
		p.part = 1
	}
	p.rest = p.rest[PacketSize:]
	p.header = advance(p.header)
}
