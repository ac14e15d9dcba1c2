package hls

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// A tsProgram is what the tables tell. PIDs are zero if they are not known.
type tsProgram struct {
	pmt          uint32
	video, audio uint32
	pat          [mpegts.PacketSize]byte // the last packet
	patAt        int64                   // its offset
	counters     uint8                   // as in tsPoint
	found        int64                   // offset behind the first PMT
	foundWith    uint8                   // counters there
	joined       bool                    // the first PMT is the packet behind its PAT
}

// main returns the PID of the picture or, if there is none, of the sound.
func (p *tsProgram) main() uint32 {
	if p.video != 0 {
		return p.video
	}
	return p.audio
}

// side returns the PID of the sound that goes with a picture, or 0.
func (p *tsProgram) side() uint32 {
	if p.video != 0 {
		return p.audio
	}
	return 0
}

const patPID = 0

// Values of table_id and stream_type, ISO/IEC 13818-1 tables 2-31 and 2-34.
const (
	tablePAT      = 0x00
	tablePMT      = 0x02
	streamTypeAAC = 0x0F
	streamTypeAVC = 0x1B
)

// table reads a packet that begins with a PAT or PMT. Those that do not fit in one packet are not read.
func (s *tsScanner) table(p []byte, pid uint32, body []byte) error {
	if binary.BigEndian.Uint32(p)&flagUnitStart == 0 {
		return nil
	}
	section := sectionOf(body)
	at, counter := s.base+int64(s.pos), p[3]&15
	switch {
	case pid == patPID && len(section) > 0 && section[0] == tablePAT:
		s.index.repeats = s.index.repeats || s.program.found > 0
		s.program.pat, s.program.patAt = [mpegts.PacketSize]byte(p), at
		s.program.counters = s.program.counters&15 | counter<<4
		s.program.readPAT(section)
	case pid != patPID && pid == s.program.pmt && len(section) > 0 && section[0] == tablePMT:
		if !s.program.readPMT(section) {
			return nil
		}
		s.program.counters = s.program.counters&0xF0 | counter
		if s.program.found == 0 {
			s.program.foundWith = s.program.counters
			s.program.found, s.program.joined = at+mpegts.PacketSize, at == s.program.patAt+mpegts.PacketSize
		}
		return s.addTables(p)
	}
	return nil
}

// sectionOf returns a section without its checksum, which is found to be right, or nothing. See ISO/IEC 13818-1 2.4.4.
func sectionOf(body []byte) []byte {
	pointer := int(body[0])
	if len(body) < 1+pointer+3 {
		return nil
	}
	section := body[1+pointer:]
	n := 3 + int(binary.BigEndian.Uint16(section[1:])&0xFFF)
	const head, sum = 8, 4
	if n > len(section) || n < head+sum || section[5]&1 == 0 || tableSum(section[:n]) != 0 {
		return nil
	}
	return section[:n-sum]
}

// tableSum returns the checksum of a section, which is zero if it is taken over a section with its own. See ISO/IEC
// 13818-1 annex A.
func tableSum(b []byte) uint32 {
	sum := ^uint32(0)
	for _, c := range b {
		sum ^= uint32(c) << 24
		for range 8 {
			sum = sum<<1 ^ 0x04C11DB7&-(sum>>31)
		}
	}
	return sum
}

// readPAT takes the first program. See ISO/IEC 13818-1 2.4.4.3.
func (p *tsProgram) readPAT(section []byte) {
	for list := section[8:]; len(list) >= 4; list = list[4:] {
		if binary.BigEndian.Uint16(list) != 0 {
			p.pmt = uint32(binary.BigEndian.Uint16(list[2:]) & 0x1FFF)
			return
		}
	}
}

// readPMT takes the first stream of H.264 and the first one of AAC, and reports whether there is any. See ISO/IEC 13818-1
// 2.4.4.8.
func (p *tsProgram) readPMT(section []byte) bool {
	const head = 12
	if len(section) < head {
		return false
	}
	skip := head + int(binary.BigEndian.Uint16(section[10:])&0xFFF)
	if skip > len(section) {
		return false
	}
	var video, audio uint32
	for list := section[skip:]; len(list) >= 5; {
		pid := uint32(binary.BigEndian.Uint16(list[1:]) & 0x1FFF)
		switch {
		case list[0] == streamTypeAVC && video == 0:
			video = pid
		case list[0] == streamTypeAAC && audio == 0:
			audio = pid
		}
		list = list[min(5+int(binary.BigEndian.Uint16(list[3:])&0xFFF), len(list)):]
	}
	if video == 0 && audio == 0 || p.video != 0 && video == 0 { // a change that takes the picture away is not followed
		return false
	}
	p.video, p.audio = video, audio
	return true
}

// addTables notes tables that differ from the last ones in more than the counter.
func (s *tsScanner) addTables(pmt []byte) error {
	t := tsTables{s.program.pat, [mpegts.PacketSize]byte(pmt)}
	t.pat[3] &= 0xF0
	t.pmt[3] &= 0xF0
	if n := len(s.index.tables); n > 0 {
		if last := &s.index.tables[n-1]; bytes.Equal(last.pat[:], t.pat[:]) && bytes.Equal(last.pmt[:], t.pmt[:]) {
			return nil
		}
		if n == maxTables {
			return fmt.Errorf("hls: tables change more than %d times: %w", maxTables, smooth.ErrTooLarge)
		}
	}
	s.index.tables = append(s.index.tables, t)
	return nil
}
