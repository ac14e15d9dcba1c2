package validate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

const (
	packetSize = 188
	syncByte   = 0x47
	nullPID    = 0x1FFF
	// clockModulus is where 33-bit timestamps of 90 kHz wrap.
	clockModulus = int64(1) << 33
)

// ticks converts a time of the 90 kHz clock.
func ticks(t int64) time.Duration { return time.Duration(t) * 100_000 / 9 }

// unwrap returns the time that v stands for: the one nearest to the time before.
func unwrap(v, before int64) int64 {
	d := (v - before) & (clockModulus - 1)
	if d >= clockModulus/2 {
		d -= clockModulus
	}
	return before + d
}

// tsState is what goes from one segment to the next.
type tsState struct {
	counters map[uint16]counter
	pmt      []byte // the section of the segment before
	clock    int64  // the last time seen, for unwrapping
	hasClock bool
	pcr      int64
	hasPCR   bool
}

func newTSState() *tsState { return &tsState{counters: make(map[uint16]counter)} }

// counter is the continuity counter of a PID.
type counter struct {
	value    byte
	repeated bool
	before   bool // it is of an earlier segment
	payload  []byte
}

// tsChecker walks one transport stream segment.
type tsChecker struct {
	rec   *recorder
	want  expect
	state *tsState
	out   *content

	packet  int // number of the packet
	pmtPID  int // -1 before the PAT
	gotPMT  bool
	wrong   bool   // a table or the packets are broken, and that was reported
	order   string // what is wrong with the order of the tables, or empty
	pcrPID  uint16
	streams []*esStream
	byPID   map[uint16]*esStream
	unknown map[uint16]bool
	pcrs    int // in this segment
}

// place is that of the current packet.
func (c *tsChecker) place(format string, args ...any) Place {
	offset := c.want.offset + int64(c.packet)*packetSize
	return Place{Document: c.want.name, Box: fmt.Sprintf(format, args...), Offset: offset}
}

// checkTransport checks a transport stream segment. The state is that after the segment before.
func checkTransport(rec *recorder, data []byte, want expect, state *tsState) *content {
	c := &tsChecker{
		rec: rec, want: want, state: state, out: &content{format: formatTransport, bytes: len(data)},
		pmtPID: -1, byPID: make(map[uint16]*esStream), unknown: make(map[uint16]bool),
	}
	if want.init != nil && want.init.transport != nil {
		c.tables(want.init.transport)
	}
	c.packets(data)
	c.finish()
	return c.out
}

// tables reads the packets of an EXT-X-MAP, which are checked as part of the first segment only.
func (c *tsChecker) tables(data []byte) {
	quiet := *c
	quiet.rec, quiet.state = newRecorder(0), newTSState()
	quiet.packets(data)
	c.pmtPID, c.gotPMT, c.pcrPID = quiet.pmtPID, quiet.gotPMT, quiet.pcrPID
	c.streams, c.byPID = quiet.streams, quiet.byPID
	for _, s := range c.streams {
		s.c = c
	}
}

func (c *tsChecker) packets(data []byte) {
	if len(data) == 0 || len(data)%packetSize != 0 {
		c.rec.Add("HT101", c.place("packets"), "there are %d bytes, %d packets and %d",
			len(data), len(data)/packetSize, len(data)%packetSize)
	}
	for pid, n := range c.state.counters {
		n.before = true
		c.state.counters[pid] = n
	}
	for c.packet = 0; len(data) >= packetSize; c.packet++ {
		if data[0] != syncByte {
			c.rec.Add("HT102", c.place("packet"), "the packet begins with %#x", data[0])
			c.wrong = true
			return
		}
		c.one(data[:packetSize])
		data = data[packetSize:]
	}
}

// one reads a packet.
//
//	sync u8 | error u1, unit_start u1, priority u1, PID u13 | scrambling u2, adaptation u1, payload u1, counter u4 |
//	[adaptation field] | [payload]
//
// See ISO/IEC 13818-1 section 2.4.3.2.
func (c *tsChecker) one(b []byte) {
	pid := binary.BigEndian.Uint16(b[1:]) & 0x1FFF
	if pid == nullPID {
		return
	}
	p := c.place("PID %d", pid)
	if b[1]&0x80 != 0 || b[3]&0xC0 != 0 {
		c.rec.Add("HT103", p, "transport_error_indicator is %d, transport_scrambling_control %d", b[1]>>7, b[3]>>6)
	}
	hasField, hasPayload := b[3]&0x20 != 0, b[3]&0x10 != 0
	var field adaptation
	payload := b[4:]
	if hasField {
		n := int(b[4])
		if n > 183 || hasPayload && n > 182 || !hasPayload && n != 183 {
			c.rec.Add("HT104", p, "adaptation_field_length is %d, payload is there: %t", n, hasPayload)
			if n > 183 {
				return
			}
		}
		field = c.adaptation(b[5:5+n], p)
		payload = b[5+n:]
	} else if !hasPayload {
		c.rec.Add("HT104", p, "adaptation_field_control is 0")
		return
	}
	repeated := c.continuity(pid, b[3]&0xF, hasPayload, field.discontinuity, payload, p)
	if field.hasPCR {
		c.clock(pid, field.pcr, p)
	}
	if hasPayload && !repeated {
		c.payload(pid, b[1]&0x40 != 0, field.randomAccess, payload, p)
	}
}

// adaptation is what counts of an adaptation field.
type adaptation struct {
	discontinuity, randomAccess, hasPCR bool
	pcr                                 int64 // base, 90 kHz
}

// adaptation reads an adaptation field without its length.
//
//	discontinuity u1, random_access u1, priority u1, PCR u1, OPCR u1, splice u1, private u1, extension u1 |
//	[PCR 6] [OPCR 6] [splice 1] [private: length u8, bytes] [extension: length u8, bytes] | stuffing 0xff
func (c *tsChecker) adaptation(b []byte, p Place) (f adaptation) {
	if len(b) == 0 {
		return f
	}
	flags, rest := b[0], b[1:]
	f.discontinuity, f.randomAccess = flags&0x80 != 0, flags&0x40 != 0
	bad := false
	take := func(n int) []byte {
		if n > len(rest) {
			bad, rest = true, nil
			return make([]byte, n)
		}
		out := rest[:n]
		rest = rest[n:]
		return out
	}
	if flags&0x10 != 0 {
		v := take(6)
		f.hasPCR = !bad
		f.pcr = int64(binary.BigEndian.Uint32(v))<<1 | int64(v[4]>>7)
	}
	if flags&0x08 != 0 {
		take(6)
	}
	if flags&0x04 != 0 {
		take(1)
	}
	for _, bit := range []byte{2, 1} {
		if flags&bit != 0 {
			take(int(take(1)[0]))
		}
	}
	switch {
	case bad:
		c.rec.Add("HT105", p, "the adaptation field has %d bytes, its flags %#x need more", len(b), flags)
	case len(bytes.TrimLeft(rest, "\xFF")) > 0:
		c.rec.Add("HT105", p, "the adaptation field is filled up with other bytes than 0xff")
	}
	return f
}

// continuity checks the counter, and reports a packet that repeats the one before.
func (c *tsChecker) continuity(pid uint16, value byte, hasPayload, indicated bool, payload []byte, p Place) bool {
	last, known := c.state.counters[pid]
	next := counter{value: value, payload: payload}
	if !known && len(c.state.counters) >= maxPIDs {
		return false
	}
	switch {
	case !known || indicated:
	case !hasPayload && value == last.value:
		next.payload, next.repeated = last.payload, last.repeated
	case hasPayload && value == (last.value+1)&0xF:
	case hasPayload && value == last.value && !last.repeated && !last.before && bytes.Equal(payload, last.payload):
		next.repeated = true
	case last.before:
		c.rec.Add("HT122", p, "the counter is %d, the last one of the segment before %d", value, last.value)
	default:
		c.rec.Add("HT121", p, "the counter is %d after %d, payload is there: %t", value, last.value, hasPayload)
	}
	c.state.counters[pid] = next
	return next.repeated && hasPayload
}

// clock checks a PCR. The interval is that of ISO/IEC 13818-1 section 2.7.2.
func (c *tsChecker) clock(pid uint16, base int64, p Place) {
	if c.gotPMT && pid != c.pcrPID {
		return
	}
	c.pcrs++
	if c.state.hasClock {
		base = unwrap(base, c.state.clock)
	}
	if c.state.hasPCR {
		switch d := base - c.state.pcr; {
		case d < 0:
			c.rec.Add("HT132", p, "the PCR is %d after %d", base, c.state.pcr)
		case d > 9000 && !c.want.iframes:
			c.rec.Add("HT131", p, "the PCR is %d, the one before %d: %s later", base, c.state.pcr, ticks(d))
		}
	}
	c.state.pcr, c.state.hasPCR = max(base, c.state.pcr), true
	c.state.clock, c.state.hasClock = base, true
}

// payload hands the payload of a packet to whom it belongs.
func (c *tsChecker) payload(pid uint16, starts, randomAccess bool, payload []byte, p Place) {
	switch {
	case pid == 0:
		c.pat(payload, starts, p)
		return
	case int(pid) == c.pmtPID:
		c.pmt(payload, starts, p)
		return
	case c.pmtPID < 0 || !c.gotPMT:
		c.misplaced("packet %d has PID %d, and comes before the tables", c.packet, pid)
		return
	}
	if s := c.byPID[pid]; s != nil {
		if c.want.iframes && !s.format.isVideo() {
			return
		}
		s.payload(starts, randomAccess, payload)
	} else if pid > 0x1F && !c.unknown[pid] && len(c.unknown) < maxPIDs {
		c.unknown[pid] = true
		c.rec.Add("HT117", p, "the PMT does not list the PID")
	}
}

// finish checks what only the end shows.
func (c *tsChecker) finish() {
	c.packet = 0
	top := c.place("packets")
	switch {
	case c.out.bytes < packetSize:
	case c.wrong:
	case c.pmtPID < 0:
		c.rec.Add("HT111", top, "there is no PAT")
	case !c.gotPMT:
		c.rec.Add("HT111", top, "there is no PMT on PID %d", c.pmtPID)
	case c.order != "" && !c.mapped():
		c.rec.Add("HT112", top, "%s", c.order)
	}
	if c.gotPMT && c.pcrs == 0 && !c.want.iframes && c.byPID[c.pcrPID] != nil {
		c.rec.Add("HT131", top, "there is no PCR on PID %d", c.pcrPID)
	}
	samples := 0
	for _, s := range c.streams {
		if c.want.iframes && !s.format.isVideo() {
			continue // a range of a segment has none of it, or a part
		}
		s.flush()
		s.end()
		if s.info.frames == 0 && s.format.codec != "id3" && !c.wrong {
			c.rec.Add("HT118", top, "the PMT lists PID %d with stream_type %#x, and there is no data of it",
				s.pid, s.typ)
		}
		if s.format.isVideo() || s.format.isAudio() {
			c.out.tracks = append(c.out.tracks, s.info)
		}
		samples += s.info.frames
	}
	c.rec.Tally(func(n *Counts) { n.Samples += samples })
}
