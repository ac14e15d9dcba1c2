package validate

import (
	"encoding/binary"
	"fmt"
)

// mpegCRC computes the CRC of a section: polynomial 0x04C11DB7, all ones at first, nothing reflected. Over a section
// with its own CRC it is zero. See ISO/IEC 13818-1 annex A.
func mpegCRC(data []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range data {
		crc ^= uint32(b) << 24
		for range 8 {
			if crc>>31 == 1 {
				crc = crc<<1 ^ 0x04C11DB7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// section cuts a section out of the payload of the packet that starts it. The body is what follows
// last_section_number, without the CRC.
//
//	pointer_field u8, skipped bytes | table_id u8 | 1, 0, reserved u2, section_length u12 | id u16 |
//	reserved u2, version u5, current u1 | section_number u8 | last_section_number u8 | body | CRC u32
//
// See ISO/IEC 13818-1 section 2.4.4.
func section(payload []byte, table byte) (body []byte, crc bool, err error) {
	if len(payload) == 0 || int(payload[0])+1+12 > len(payload) {
		return nil, false, fmt.Errorf("the payload of %d bytes has no room for a section", len(payload))
	}
	s := payload[1+int(payload[0]):]
	length := int(binary.BigEndian.Uint16(s[1:]) & 0xFFF)
	switch {
	case s[0] != table:
		return nil, false, fmt.Errorf("table_id is %d, expected %d", s[0], table)
	case s[1]&0xC0 != 0x80:
		return nil, false, fmt.Errorf("section_syntax_indicator and the bit after it are %d", s[1]>>6)
	case length < 9 || length > 1021:
		return nil, false, fmt.Errorf("section_length is %d", length)
	case 3+length > len(s):
		return nil, false, fmt.Errorf("section_length is %d, the packet has %d bytes: it should fit one packet", length, len(s)-3)
	}
	for _, b := range s[3+length:] {
		if b != 0xFF {
			return nil, false, fmt.Errorf("after the section there is a byte %#x instead of 0xff", b)
		}
	}
	whole := s[:3+length]
	return whole[8 : len(whole)-4], mpegCRC(whole) == 0, nil
}

// descriptor is one of a table.
type descriptor struct {
	tag  byte
	body []byte
}

// descriptors cuts a loop: tag u8, length u8, body.
func descriptors(data []byte) ([]descriptor, bool) {
	var out []descriptor
	for len(data) > 0 {
		if len(data) < 2 || int(data[1])+2 > len(data) {
			return out, false
		}
		out = append(out, descriptor{data[0], data[2 : 2+int(data[1])]})
		data = data[2+int(data[1]):]
	}
	return out, true
}

// names reports a descriptor of that tag whose body begins with text.
func names(list []descriptor, tag byte, text string) bool {
	for _, d := range list {
		if d.tag == tag && len(d.body) >= len(text) && string(d.body[:len(text)]) == text {
			return true
		}
	}
	return false
}

// pmtStream is one elementary stream of a PMT.
type pmtStream struct {
	typ         byte
	pid         uint16
	descriptors []descriptor
}

// parsePMT reads the body of a PMT section.
//
//	reserved u3, PCR_PID u13 | reserved u4, program_info_length u12 | descriptors |
//	{ stream_type u8 | reserved u3, elementary_PID u13 | reserved u4, ES_info_length u12 | descriptors }...
func parsePMT(body []byte) (pcr uint16, streams []pmtStream, ok bool) {
	if len(body) < 4 {
		return 0, nil, false
	}
	pcr = binary.BigEndian.Uint16(body) & 0x1FFF
	skip := 4 + int(binary.BigEndian.Uint16(body[2:])&0xFFF)
	if skip > len(body) {
		return pcr, nil, false
	}
	if _, ok := descriptors(body[4:skip]); !ok {
		return pcr, nil, false
	}
	for body = body[skip:]; len(body) > 0; {
		if len(body) < 5 {
			return pcr, streams, false
		}
		n := 5 + int(binary.BigEndian.Uint16(body[3:])&0xFFF)
		if n > len(body) {
			return pcr, streams, false
		}
		s := pmtStream{typ: body[0], pid: binary.BigEndian.Uint16(body[1:]) & 0x1FFF}
		if s.descriptors, ok = descriptors(body[5:n]); !ok {
			return pcr, streams, false
		}
		streams, body = append(streams, s), body[n:]
	}
	return pcr, streams, true
}

// streamFormat is what the checks need to know of a stream type.
type streamFormat struct {
	codec     string // avc, hevc, aac, latm, ac3, eac3, mp3, id3 or empty
	encrypted bool
	indicator string // of the private_data_indicator descriptor, if encrypted
}

// streamFormats are the stream types of HLS.
var streamFormats = map[byte]streamFormat{
	0x1B: {codec: "avc"}, 0x24: {codec: "hevc"}, 0x0F: {codec: "aac"}, 0x11: {codec: "latm"}, 0x81: {codec: "ac3"},
	0x87: {codec: "eac3"}, 0x03: {codec: "mp3"}, 0x04: {codec: "mp3"}, 0x15: {codec: "id3"},
	0xDB: {"avc", true, "zavc"}, 0xCF: {"aac", true, "aacd"}, 0xC1: {"ac3", true, "ac3d"}, 0xC2: {"eac3", true, "ec3d"},
}

// isVideo reports the formats of pictures.
func (f streamFormat) isVideo() bool { return f.codec == "avc" || f.codec == "hevc" }

// isAudio reports the formats of sound.
func (f streamFormat) isAudio() bool {
	return f.codec == "aac" || f.codec == "latm" || f.codec == "ac3" || f.codec == "eac3" || f.codec == "mp3"
}
