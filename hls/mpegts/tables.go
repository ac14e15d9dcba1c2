package mpegts

import (
	"encoding/binary"
	"fmt"
)

// Fixed numbers of a stream with one program. A muxer adds the index of a stream to firstPID.
const (
	programNumber = 1
	patPID        = 0x0000
	pmtPID        = 0x1000
	firstPID      = 0x0100
)

// Tags of descriptors, ISO/IEC 13818-1 table 2-45.
const (
	tagRegistration    = 0x05
	tagLanguage        = 0x0A
	tagPrivateData     = 0x0F
	tagMetadataPointer = 0x25
	tagMetadata        = 0x26
)

// table is a packet with a whole section. Its continuity counter is 0.
type table [PacketSize]byte

// newTable wraps a section, from table_id to before the CRC, in a packet of its own. The section length is filled in.
func newTable(pid uint16, section []byte) (*table, error) {
	const pointer, crc = 1, 4
	if size := pointer + len(section) + crc; size > payloadSize {
		return nil, fmt.Errorf("%d bytes of tables, %d fit in a packet: %w", size, payloadSize, ErrUnsupported)
	}
	binary.BigEndian.PutUint16(section[1:], 0xB000|uint16(len(section)-3+crc))
	section = binary.BigEndian.AppendUint32(section, crc32(section))
	t := table(filler)
	binary.BigEndian.PutUint32(t[:], packetHeader(pid)|flagStart|flagPayload)
	t[4] = 0 // pointer_field: the section begins at once; behind it stands 0xFF
	copy(t[5:], section)
	return &t, nil
}

// appendTo appends the packet with a continuity counter.
func (t *table) appendTo(dst []byte, counter uint64) []byte {
	dst = append(dst, t[:]...)
	dst[len(dst)-PacketSize+3] |= byte(counter & counterMask)
	return dst
}

// newPAT makes the program association table: one program, no network table. See ISO/IEC 13818-1 2.4.4.3.
func newPAT() (*table, error) {
	section := []byte{0x00, 0, 0, 0, 1, 0xC1, 0, 0} // transport_stream_id 1, version 0, current, section 0 of 0
	section = binary.BigEndian.AppendUint16(section, programNumber)
	section = binary.BigEndian.AppendUint16(section, 0xE000|pmtPID)
	return newTable(patPID, section)
}

// newPMT makes the program map table. See ISO/IEC 13818-1 2.4.4.8.
func newPMT(streams []Stream, pcrPID uint16) (*table, error) {
	section := []byte{0x02, 0, 0, 0, programNumber, 0xC1, 0, 0}
	section = binary.BigEndian.AppendUint16(section, 0xE000|pcrPID)
	section = appendInfo(section, programDescriptors(streams))
	for i := range streams {
		descriptors, err := streams[i].descriptors()
		if err != nil {
			return nil, fmt.Errorf("stream %d: %w", i, err)
		}
		section = append(section, streams[i].streamType())
		section = binary.BigEndian.AppendUint16(section, 0xE000|(firstPID+uint16(i)))
		section = appendInfo(section, descriptors)
		if len(section) > payloadSize {
			break // newTable refuses it
		}
	}
	return newTable(pmtPID, section)
}

// appendInfo appends descriptors with their length in 12 bits.
func appendInfo(dst, descriptors []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, 0xF000|uint16(len(descriptors)))
	return append(dst, descriptors...)
}

// id3Format says in the descriptors of metadata that both application format and format are ID3.
const id3Format = "\xFF\xFFID3 \xFFID3 "

// programDescriptors returns the metadata_pointer_descriptor that timed metadata demands.
func programDescriptors(streams []Stream) []byte {
	for i := range streams {
		if streams[i].Codec == ID3 {
			// metadata_service_id 0, no locator record, carried in this program
			return appendDescriptor(nil, tagMetadataPointer, id3Format+"\x00\x1F\x00\x01")
		}
	}
	return nil
}

// descriptors returns the descriptors of an elementary stream.
func (s *Stream) descriptors() ([]byte, error) {
	var d []byte
	switch s.Codec {
	case HEVC:
		d = appendDescriptor(d, tagRegistration, "HEVC")
	case AC3:
		d = appendDescriptor(d, tagRegistration, "AC-3")
	case EAC3:
		d = appendDescriptor(d, tagRegistration, "EAC3")
	case ID3:
		d = appendDescriptor(d, tagMetadata, id3Format+"\x00\x0F") // service 0, no decoder configuration
	}
	if s.SampleAES {
		var err error
		if d, err = s.encryptedDescriptors(); err != nil {
			return nil, err
		}
	}
	if s.Language != "" {
		d = appendDescriptor(d, tagLanguage, s.Language+"\x00")
	}
	return d, nil
}

// encryptedDescriptors returns what Apple's MPEG-2 Stream Encryption Format demands: an indicator of the format and,
// for audio, the audio setup information, since a decoder must know it before it has a key.
func (s *Stream) encryptedDescriptors() ([]byte, error) {
	indicator := map[Codec]string{AVC: "zavc", AAC: "aacd", AC3: "ac3d", EAC3: "ec3d"}[s.Codec]
	d := appendDescriptor(nil, tagPrivateData, indicator)
	if s.Codec == AVC {
		return d, nil
	}
	// The descriptor counts in one byte, and the whole has to fit in a packet.
	if len(s.AudioConfig) == 0 || len(s.AudioConfig) > 128 {
		return nil, fmt.Errorf("%d bytes of audio setup data: %w", len(s.AudioConfig), ErrUnsupported)
	}
	setup := s.audioType() + "\x00\x00\x01" // priming 0, version 1
	setup += string([]byte{byte(len(s.AudioConfig))}) + string(s.AudioConfig)
	return appendDescriptor(d, tagRegistration, "apad"+setup), nil
}

// audioType returns the audio_type of the audio setup information.
func (s *Stream) audioType() string {
	switch s.Codec {
	case AC3:
		return "zac3"
	case EAC3:
		return "zec3"
	}
	switch c, _ := parseAudioConfig(s.AudioConfig); c.extension {
	case objectSBR:
		return "zach"
	case objectPS:
		return "zacp"
	}
	return "zaac"
}

func appendDescriptor(dst []byte, tag byte, body string) []byte {
	dst = append(dst, tag, byte(len(body)))
	return append(dst, body...)
}

// crc32 is the checksum of sections, ISO/IEC 13818-1 annex A: not reflected, unlike that of hash/crc32. Tables are made
// once for a muxer, so it goes bit by bit.
func crc32(data []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range data {
		crc ^= uint32(b) << 24
		for range 8 {
			crc = crc<<1 ^ 0x04C11DB7&-(crc>>31)
		}
	}
	return crc
}
