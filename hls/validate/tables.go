package validate

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// misplaced notes what is wrong with the order of the tables, once.
func (c *tsChecker) misplaced(format string, args ...any) {
	if c.order == "" {
		c.order = fmt.Sprintf(format, args...)
	}
}

// mapped reports that EXT-X-MAP has the tables.
func (c *tsChecker) mapped() bool { return c.want.init != nil && c.want.init.transport != nil }

// broken reports a table that cannot be read. What follows from that is left out.
func (c *tsChecker) broken(p Place, format string, args ...any) {
	c.rec.Add("HT113", p, format, args...)
	c.wrong = true
}

// table reads the section of a table.
func (c *tsChecker) table(name string, id byte, payload []byte, starts bool, p Place) ([]byte, bool) {
	if !starts {
		c.broken(p, "the %s goes on in a second packet", name)
		return nil, false
	}
	body, crc, err := section(payload, id)
	if err != nil {
		c.broken(p, "%s: %v", name, err)
		return nil, false
	}
	if !crc {
		c.rec.Add("HT114", p, "the CRC of the %s is wrong", name)
		c.wrong = true
	}
	return body, crc
}

// pat reads a program association table.
func (c *tsChecker) pat(payload []byte, starts bool, p Place) {
	body, ok := c.table("PAT", 0, payload, starts, p)
	if !ok {
		return
	}
	if len(body)%4 != 0 {
		c.broken(p, "PAT: %d bytes are no list of programs", len(body))
		return
	}
	programs, pid := 0, -1
	for ; len(body) >= 4; body = body[4:] {
		if binary.BigEndian.Uint16(body) == 0 {
			continue // the network PID
		}
		if programs++; programs == 1 {
			pid = int(binary.BigEndian.Uint16(body[2:]) & 0x1FFF)
		}
	}
	if programs != 1 {
		c.rec.Add("HT115", p, "there are %d programs", programs)
	}
	if c.pmtPID < 0 && c.packet > 0 {
		c.misplaced("the PAT is packet %d", c.packet)
	}
	if pid >= 0 {
		c.pmtPID = pid
	}
}

// pmt reads a program map table.
func (c *tsChecker) pmt(payload []byte, starts bool, p Place) {
	body, ok := c.table("PMT", 2, payload, starts, p)
	if !ok {
		return
	}
	pcr, streams, ok := parsePMT(body)
	if !ok {
		c.broken(p, "PMT: lengths do not fit the section")
		return
	}
	if c.gotPMT {
		if !bytes.Equal(body, c.state.pmt) {
			c.rec.Add("HT120", p, "the PMT changes within the segment")
		}
		return
	}
	if c.packet > 1 {
		c.misplaced("the PMT is packet %d", c.packet)
	}
	if c.state.pmt != nil && !bytes.Equal(body, c.state.pmt) {
		c.rec.Add("HT120", p, "the PMT is %x, in the segment before %x", clipBytes(body), clipBytes(c.state.pmt))
	}
	c.gotPMT, c.pcrPID, c.state.pmt = true, pcr, bytes.Clone(body)
	c.program(streams, p)
}

func clipBytes(b []byte) []byte { return b[:min(len(b), 40)] }

// program takes the streams of the PMT.
func (c *tsChecker) program(streams []pmtStream, p Place) {
	known := false
	for _, s := range streams {
		f := streamFormats[s.typ]
		if f.codec == "" {
			c.rec.Add("HT119", p, "stream_type of PID %d is %#x", s.pid, s.typ)
		}
		known = known || s.pid == c.pcrPID
		if c.byPID[s.pid] != nil || len(c.streams) == maxPIDs {
			c.rec.Add("HT116", p, "PID %d is listed twice, or too many are", s.pid)
			continue
		}
		c.protection(s, f, p)
		info := &trackInfo{id: uint32(s.pid), video: f.isVideo(), audio: f.isAudio()}
		es := &esStream{c: c, pmtStream: s, format: f, info: info}
		c.streams = append(c.streams, es)
		c.byPID[s.pid] = es
		if f.codec == "hevc" {
			c.rec.Add("HT123", p, "PID %d is HEVC", s.pid)
		}
	}
	if len(streams) == 0 || !known {
		c.rec.Add("HT116", p, "there are %d streams, and PCR_PID %d is one: %t", len(streams), c.pcrPID, known)
	}
}

// protection checks what SAMPLE-AES asks of the PMT.
func (c *tsChecker) protection(s pmtStream, f streamFormat, p Place) {
	wanted := c.want.method == "SAMPLE-AES" && (f.isVideo() || f.isAudio())
	switch {
	case wanted != f.encrypted && (c.want.method != "" || f.encrypted):
		c.rec.Add("HK121", p, "stream_type of PID %d is %#x, METHOD is %q", s.pid, s.typ, c.want.method)
	case f.encrypted && !names(s.descriptors, 15, f.indicator):
		c.rec.Add("HK122", p, "PID %d with stream_type %#x has no private_data_indicator %q", s.pid, s.typ, f.indicator)
	case f.encrypted && f.isAudio() && !names(s.descriptors, 5, "apad"):
		c.rec.Add("HK123", p, "PID %d with stream_type %#x has no registration descriptor apad", s.pid, s.typ)
	}
}
