package validate_test

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// The parameter sets of a real encoding, 400x224, Baseline level 1.3.
const (
	spsHex = "6742800d8d6506476ffc03800385a828282a00000300020000030065c0000249e00036ed3f89f076860a96"
	ppsHex = "68c92352"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// annexB joins NAL units with start codes.
func annexB(nalus ...[]byte) []byte {
	var out []byte
	for _, n := range nalus {
		out = append(append(out, 0, 0, 0, 1), n...)
	}
	return out
}

var (
	aud   = []byte{9, 0xF0}
	idr   = append([]byte{0x65, 0x88}, fill(300)...)
	slice = append([]byte{0x41, 0x9A}, fill(100)...)
)

// fill is data without zeros.
func fill(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i%250 + 1)
	}
	return b
}

// adts makes a frame of AAC-LC, 48 kHz, stereo, of n bytes.
func adts(n int) []byte {
	h := []byte{0xFF, 0xF1, 0x4C, 0x80, 0, 0x1F, 0xFC}
	h[3] |= byte(n >> 11)
	h[4] = byte(n >> 3)
	h[5] |= byte(n << 5)
	return append(h, fill(n-7)...)
}

// es is an elementary stream in a PMT.
type es struct {
	typ  byte
	pid  uint16
	desc []byte
}

// unit is one PES packet, or a packet with a PCR alone.
type unit struct {
	pid      uint16
	id       byte
	pts, dts int64 // dts -1: none of its own
	pcr      int64 // -1: none
	random   bool
	aligned  bool
	payload  []byte
}

// time is when a unit is due.
func (u unit) time() int64 {
	if u.dts >= 0 {
		return u.dts
	}
	return u.pts
}

// spec is a transport stream segment.
type spec struct {
	programs []uint16
	pcrPID   uint16
	streams  []es
	units    []unit
	noTables bool
	cc       map[uint16]byte // goes on from segment to segment
	// section changes a section before its CRC is computed; pes a PES packet; packets the whole.
	section func(table byte, s []byte) []byte
	pes     func(i int, b []byte) []byte
	packets func(b []byte) []byte

	out []byte
}

const (
	pmtPID   = 0x1000
	videoPID = 0x100
	audioPID = 0x101
	id3PID   = 0x102
	frame    = 7200 // ticks of a picture
	sound    = 1920 // ticks of a frame of AAC
)

// videoUnit is the picture at a position of the stream.
func videoUnit(i int64, offset int64) unit {
	t := offset + i*frame
	u := unit{pid: videoPID, id: 0xE0, pts: t + frame, dts: t, pcr: t - 4500}
	if u.payload = annexB(aud, slice); i%25 == 0 {
		u.random = true
		u.payload = annexB(aud, unhex(spsHex), unhex(ppsHex), idr)
	}
	return u
}

// clockStart is the first DTS.
const clockStart = 900_000

// videoSegment is segment n of a stream with 25 pictures in two seconds, one IDR each.
func videoSegment(n int64) *spec {
	s := &spec{programs: []uint16{pmtPID}, pcrPID: videoPID, streams: []es{{typ: 0x1B, pid: videoPID}}}
	for i := range int64(25) {
		s.units = append(s.units, videoUnit(n*25+i, clockStart))
	}
	return s
}

// soundUnits are frames from a to b of an audio stream, n of them in one PES packet.
func soundUnits(a, b, n int64) []unit {
	var out []unit
	for ; a < b; a += n {
		u := unit{pid: audioPID, id: 0xC0, pts: clockStart + a*sound, dts: -1, pcr: -1, aligned: true}
		for range min(n, b-a) {
			u.payload = append(u.payload, adts(100)...)
		}
		out = append(out, u)
	}
	return out
}

// soundFrames is the number of the first frame of sound that begins in segment n.
func soundFrames(n int64) int64 { return (n*180_000 + sound - 1) / sound }

// muxedSegment is segment n with sound: the frames that begin in it.
func muxedSegment(n int64) *spec {
	s := videoSegment(n)
	s.streams = append(s.streams, es{typ: 0x0F, pid: audioPID})
	s.units = append(s.units, soundUnits(soundFrames(n), soundFrames(n+1), 6)...)
	s.sort()
	return s
}

// sort puts the units in the order of time.
func (s *spec) sort() {
	slices.SortStableFunc(s.units, func(a, b unit) int { return cmp.Compare(a.time(), b.time()) })
}

// crc is that of sections, by its definition.
func crc(data []byte) []byte {
	c := uint32(0xFFFFFFFF)
	for _, b := range data {
		for bit := 7; bit >= 0; bit-- {
			top := c>>31 ^ uint32(b>>bit&1)
			c <<= 1
			if top == 1 {
				c ^= 0x04C11DB7
			}
		}
	}
	return binary.BigEndian.AppendUint32(nil, c)
}

// psi makes a section of one packet, with its pointer_field.
func (s *spec) psi(table byte, body []byte) []byte {
	x := []byte{table, 0xB0, byte(len(body) + 9), 0, 1, 0xC1, 0, 0}
	x = append(x, body...)
	if s.section != nil {
		x = s.section(table, x)
	}
	return append([]byte{0}, append(x, crc(x)...)...)
}

// packet writes one packet with the payload that fits, and returns the rest.
func (s *spec) packet(pid uint16, start bool, field, payload []byte, stuffing bool) []byte {
	b := []byte{0x47, byte(pid >> 8), byte(pid), 0x10 | s.cc[pid]}
	if start {
		b[1] |= 0x40
	}
	room := 184
	if field != nil {
		room -= 1 + len(field)
	}
	pad := max(room-len(payload), 0)
	if pad > 0 && !stuffing {
		if field == nil {
			pad-- // the length
			field = []byte{}
			if pad > 0 {
				field, pad = []byte{0}, pad-1
			}
		}
		for range pad {
			field = append(field, 0xFF)
		}
		pad = 0
	}
	if field != nil {
		b[3] |= 0x20
		b = append(append(b, byte(len(field))), field...)
	}
	if len(payload) == 0 {
		b[3] &^= 0x10
		b[3] = b[3]&0xF0 | (s.cc[pid]-1)&0xF
	} else {
		s.cc[pid] = (s.cc[pid] + 1) & 0xF
	}
	n := min(188-len(b), len(payload))
	b = append(b, payload[:n]...)
	for len(b) < 188 {
		b = append(b, 0xFF)
	}
	s.out = append(s.out, b...)
	return payload[n:]
}

func pcrField(flags byte, pcr int64) []byte {
	if pcr < 0 {
		return []byte{flags}
	}
	pcr &= 1<<33 - 1
	return []byte{flags | 0x10, byte(pcr >> 25), byte(pcr >> 17), byte(pcr >> 9), byte(pcr >> 1), byte(pcr<<7) | 0x7E, 0}
}

func stamp(prefix byte, t int64) []byte {
	return []byte{prefix<<4 | byte(t>>29)&0xE | 1, byte(t >> 22), byte(t>>14) | 1, byte(t >> 7), byte(t<<1) | 1}
}

// header makes a PES packet.
func (u unit) pes() []byte {
	times := stamp(2, u.pts)
	flags := byte(0x80)
	if u.dts >= 0 {
		times, flags = append(stamp(3, u.pts), stamp(1, u.dts)...), 0xC0
	}
	b := []byte{0, 0, 1, u.id, 0, 0, 0x80, flags, byte(len(times))}
	if u.aligned {
		b[6] |= 4
	}
	b = append(append(b, times...), u.payload...)
	if u.id != 0xE0 {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-6))
	}
	return b
}

func (s *spec) tables() {
	var pat []byte
	for i, pid := range s.programs {
		pat = append(pat, 0, byte(i+1), 0xE0|byte(pid>>8), byte(pid))
	}
	s.packet(0, true, nil, s.psi(0, pat), true)
	pmt := []byte{0xE0 | byte(s.pcrPID>>8), byte(s.pcrPID), 0xF0, 0}
	for _, e := range s.streams {
		pmt = append(pmt, e.typ, 0xE0|byte(e.pid>>8), byte(e.pid), 0xF0, byte(len(e.desc)))
		pmt = append(pmt, e.desc...)
	}
	s.packet(pmtPID, true, nil, s.psi(2, pmt), true)
}

// build writes the segment.
func (s *spec) build() []byte {
	s.out = nil
	if s.cc == nil {
		s.cc = map[uint16]byte{}
	}
	if !s.noTables {
		s.tables()
	}
	for i, u := range s.units {
		var field []byte
		flags := byte(0)
		if u.random {
			flags = 0x40
		}
		if u.random || u.pcr >= 0 {
			field = pcrField(flags, u.pcr)
		}
		if u.payload == nil {
			s.packet(u.pid, false, field, nil, false)
			continue
		}
		rest := u.pes()
		if s.pes != nil {
			rest = s.pes(i, rest)
		}
		rest = s.packet(u.pid, true, field, rest, false)
		for len(rest) > 0 {
			rest = s.packet(u.pid, false, nil, rest, false)
		}
	}
	if s.packets != nil {
		return s.packets(s.out)
	}
	return s.out
}
