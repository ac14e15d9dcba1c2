package validate_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/validate"
)

// tsFixture breaks one rule in a muxed segment.
type tsFixture struct {
	rule   string
	change func(*spec)
}

// nth returns the n-th packet of a PID, to be changed.
func nth(b []byte, pid uint16, n int) []byte {
	for ; len(b) >= 188; b = b[188:] {
		if uint16(b[1]&0x1F)<<8|uint16(b[2]) != pid {
			continue
		}
		if n == 0 {
			return b[:188]
		}
		n--
	}
	panic("no such packet")
}

// onPacket changes the n-th packet of a PID.
func onPacket(pid uint16, n int, f func(p []byte)) func(*spec) {
	return func(s *spec) {
		s.packets = func(b []byte) []byte {
			f(nth(b, pid, n))
			return b
		}
	}
}

// find returns the n-th unit of a PID.
func (s *spec) find(pid uint16, n int) *unit {
	for i := range s.units {
		if s.units[i].pid != pid {
			continue
		}
		if n == 0 {
			return &s.units[i]
		}
		n--
	}
	panic("no such unit")
}

// picture and sounds return the n-th unit of video and sound.
func (s *spec) picture(n int) *unit { return s.find(videoPID, n) }
func (s *spec) sounds(n int) *unit  { return s.find(audioPID, n) }

// onPES changes the PES packet of the fourth unit of a PID.
func onPES(pid uint16, f func(b []byte) []byte) func(*spec) {
	return func(s *spec) {
		s.pes = func(i int, b []byte) []byte {
			if &s.units[i] == s.find(pid, 3) {
				return f(b)
			}
			return b
		}
	}
}

func onSection(table byte, f func(b []byte) []byte) func(*spec) {
	return func(s *spec) {
		s.section = func(t byte, b []byte) []byte {
			if t == table {
				return f(b)
			}
			return b
		}
	}
}

func tsFixtures() []tsFixture {
	onSound := func(f func(b []byte) []byte) func(*spec) { return onPES(audioPID, f) }
	set := func(at int, v byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = v; return b }
	}
	return []tsFixture{
		{"HT101", func(s *spec) { s.packets = func(b []byte) []byte { return append(b, 0x47, 0x1F, 0xFF) } }},
		{"HT102", func(s *spec) {
			s.packets = func(b []byte) []byte { return append(b, make([]byte, 188)...) }
		}},
		{"HT102", func(s *spec) { s.packets = func(b []byte) []byte { b[0] = 0; return b } }},
		{"HT103", onPacket(videoPID, 3, func(p []byte) { p[1] |= 0x80 })},
		{"HT103", onPacket(videoPID, 3, func(p []byte) { p[3] |= 0x80 })},
		{"HT104", func(s *spec) { // a packet with neither
			s.packets = func(b []byte) []byte {
				p := append([]byte(nil), nth(b, videoPID, 0)...)
				p[1], p[3] = p[1]&^0x40, p[3]&0xF
				return append(b, p...)
			}
		}},
		{"HT104", func(s *spec) { // the filler of a counter, with a payload of no byte
			s.packets = func(b []byte) []byte {
				p := bytes.Repeat([]byte{0xFF}, 188)
				copy(p, []byte{0x47, 1, 0, 0x30 | s.cc[videoPID], 183, 0})
				return append(b, p...)
			}
		}},
		{"HT105", onPacket(videoPID, 4, func(p []byte) { p[5+7] = 0 })},
		{"HT105", onPacket(videoPID, 0, func(p []byte) { p[5] |= 8 })},
		{"HT111", func(s *spec) { s.noTables = true }},
		{"HT111", func(s *spec) {
			s.packets = func(b []byte) []byte { return slices.Concat(b[:188], b[376:]) }
		}},
		{"HT112", func(s *spec) {
			s.packets = func(b []byte) []byte { return slices.Concat(sdt(), b) }
		}},
		{"HT112", func(s *spec) {
			s.packets = func(b []byte) []byte { return slices.Concat(b[:188], sdt(), b[188:]) }
		}},
		{"HT113", onSection(2, set(0, 3))},
		{"HT113", onSection(2, set(1, 0x30))},
		{"HT113", onSection(2, set(2, 250))},
		{"HT113", onSection(2, func(b []byte) []byte { b[len(b)-1] = 9; return b })},
		{"HT113", onPacket(pmtPID, 0, func(p []byte) { p[187] = 0 })},
		{"HT114", onPacket(0, 0, func(p []byte) { p[16] ^= 1 })},
		{"HT114", onPacket(pmtPID, 0, func(p []byte) { p[8] ^= 2 })},
		{"HT115", func(s *spec) { s.programs = append(s.programs, 0x1001) }},
		{"HT116", func(s *spec) { s.pcrPID = 0x1FFF; s.units = noPCR(s.units) }},
		{"HT117", func(s *spec) {
			s.units = append(s.units, unit{pid: 0x200, id: 0xE0, pts: 1, dts: -1, pcr: -1, payload: fill(9)})
		}},
		{"HT118", func(s *spec) { s.streams = append(s.streams, es{typ: 0x0F, pid: 0x105}) }},
		{"HT119", func(s *spec) {
			s.streams = append(s.streams, es{typ: 0x06, pid: 0x105})
			s.units = append(s.units, unit{pid: 0x105, id: 0xBD, pts: clockStart + 180_000, dts: -1, pcr: -1, payload: fill(9)})
		}},
		{"HT121", onPacket(videoPID, 3, func(p []byte) { p[3] ^= 8 })},
		{"HT131", func(s *spec) { s.units = noPCR(s.units) }},
		{"HT131", func(s *spec) { s.picture(3).pcr, s.picture(4).pcr = -1, -1 }},
		{"HT132", func(s *spec) {
			s.units = append(s.units, unit{pid: videoPID, pcr: s.picture(20).pcr})
		}},
		{"HT133", func(s *spec) {
			for i := range s.units {
				if s.units[i].pcr >= 0 {
					s.units[i].pcr += 4501
				}
			}
		}},
		{"HT133", func(s *spec) {
			for i := range s.units {
				if s.units[i].pcr >= 0 {
					s.units[i].pcr -= 11 * 90_000
				}
			}
		}},
		{"HT141", onPES(videoPID, set(2, 2))},
		{"HT141", onPES(videoPID, set(3, 0xC0))},
		{"HT142", onPES(videoPID, set(6, 0))},
		{"HT142", onPES(videoPID, set(8, 255))},
		{"HT142", onPES(videoPID, func(b []byte) []byte { b[9] = b[9]&0xF | 0x20; return b })},
		{"HT142", onPES(videoPID, func(b []byte) []byte { b[11] &^= 1; return b })},
		{"HT143", func(s *spec) {
			onPES(videoPID, func(b []byte) []byte {
				return append([]byte{0, 0, 1, 0xE0, 0, 0, 0x80, 0, 0}, b[19:]...)
			})(s)
		}},
		{"HT144", onSound(set(5, 7))},
		{"HT144", onSound(func(b []byte) []byte { b[4], b[5] = 0, 0; return b })},
		{"HT145", func(s *spec) {
			s.packets = func(b []byte) []byte {
				first := nth(b, audioPID, 0)
				first[1] &^= 0x40
				nth(b, audioPID, 0)[3] |= 0
				return b
			}
		}},
		{"HT146", func(s *spec) { s.picture(24).dts, s.picture(24).pcr = s.picture(23).dts, -1 }},
		{"HT147", func(s *spec) { s.picture(4).pts = s.picture(4).dts - 1 }},
		{"HT151", func(s *spec) { s.picture(4).payload = s.picture(4).payload[4:] }},
		{"HT152", func(s *spec) { s.picture(4).payload = annexB(slice) }},
		{"HT153", func(s *spec) { s.picture(4).payload = append(annexB(aud, slice), annexB(aud, slice)...) }},
		{"HT154", func(s *spec) { s.picture(0).payload = annexB(aud, unhex(spsHex), idr) }},
		{"HT154", func(s *spec) { s.picture(0).payload = annexB(aud, idr, unhex(spsHex), unhex(ppsHex)) }},
		{"HT155", func(s *spec) { s.picture(0).payload, s.picture(0).random = annexB(aud, slice), false }},
		{"HT156", func(s *spec) { s.picture(0).random = false }},
		{"HT156", func(s *spec) { s.picture(4).random = true }},
		{"HT157", func(s *spec) { s.picture(4).payload = annexB(aud, []byte{0xC1, 1, 2}) }},
		{"HT158", func(s *spec) { s.picture(0).payload = annexB(aud, unhex(spsHex[:10]), unhex(ppsHex), idr) }},
		{"HT161", func(s *spec) { s.sounds(2).payload[100] = 0 }},
		{"HT161", func(s *spec) { s.sounds(2).payload[2] |= 0x3C }},
		{"HT161", func(s *spec) { s.sounds(2).payload[3] &^= 0xC0 }},
		{"HT162", func(s *spec) {
			a, b := s.sounds(0), s.sounds(1)
			b.payload = append(append([]byte(nil), a.payload[550:]...), b.payload...)
			a.payload = a.payload[:550]
		}},
		{"HT163", func(s *spec) { s.sounds(2).pts += 200 }},
		{"HT164", func(s *spec) { s.sounds(2).payload[103] ^= 0xC0 }},
		{"HT171", func(s *spec) { withID3(s, append(id3Tag(), 0)) }},
		{"HT171", func(s *spec) { withID3(s, fill(30)) }},
		{"HT172", func(s *spec) { withID3(s, id3Tag()); s.units[len(s.units)-1].aligned = false }},
	}
}

// sdt is a packet that DVB multiplexers write.
func sdt() []byte {
	p := bytes.Repeat([]byte{0xFF}, 188)
	copy(p, []byte{0x47, 0x40, 0x11, 0x10, 0})
	return p
}

func noPCR(units []unit) []unit {
	for i := range units {
		units[i].pcr = -1
	}
	return units
}

func withID3(s *spec, payload []byte) {
	s.streams = append(s.streams, es{typ: 0x15, pid: id3PID})
	s.units = append(s.units, unit{pid: id3PID, id: 0xBD, pts: clockStart + 180_000, dts: -1, pcr: -1, aligned: true, payload: payload})
}

// id3Tag is a tag with one frame.
func id3Tag() []byte {
	body := append([]byte{'T', 'X', 'X', 'X', 0, 0, 0, 4, 0, 0}, 3, 'a', 0, 'b')
	return append([]byte{'I', 'D', '3', 4, 0, 0, 0, 0, 0, byte(len(body))}, body...)
}

func checkBytes(t *testing.T, data []byte, opts *validate.Options) *validate.Report {
	t.Helper()
	r, err := validate.Bytes("a.ts", data, opts)
	require.NoError(t, err)
	return r
}

func TestTransportClean(t *testing.T) {
	for _, s := range []*spec{muxedSegment(0), videoSegment(3), soundOnly()} {
		assert.Empty(t, checkBytes(t, s.build(), nil).Violations)
	}
	s := muxedSegment(0)
	withID3(s, id3Tag())
	r := checkBytes(t, s.build(), nil)
	assert.Empty(t, r.Violations)
	assert.Equal(t, 25+94+1, r.Checked.Samples)
}

// soundOnly has its PCR on the audio PID.
func soundOnly() *spec {
	s := &spec{programs: []uint16{pmtPID}, pcrPID: audioPID, streams: []es{{typ: 0x0F, pid: audioPID}}, units: soundUnits(0, 94, 4)}
	for i := range s.units {
		s.units[i].pcr = s.units[i].pts - 4500
	}
	return s
}

func TestTransportRules(t *testing.T) {
	for _, f := range tsFixtures() {
		t.Run(f.rule, func(t *testing.T) {
			s := muxedSegment(0)
			f.change(s)
			r := checkBytes(t, s.build(), nil)
			assert.Equal(t, []string{f.rule}, rulesOf(r), "%v", r.Violations)
		})
	}
}

// TestTransportWrap checks a segment in which the clock wraps.
func TestTransportWrap(t *testing.T) {
	s := muxedSegment(0)
	shift := int64(1)<<33 - clockStart - 90_000
	for i := range s.units {
		u := &s.units[i]
		u.pts = (u.pts + shift) & (1<<33 - 1)
		if u.dts >= 0 {
			u.dts = (u.dts + shift) & (1<<33 - 1)
		}
		if u.pcr >= 0 {
			u.pcr = (u.pcr + shift) & (1<<33 - 1)
		}
	}
	assert.Empty(t, checkBytes(t, s.build(), nil).Violations)
}

// TestTransportRepeated checks that a packet may be sent twice, but not three times.
func TestTransportRepeated(t *testing.T) {
	s := muxedSegment(0)
	repeat := func(n int) func([]byte) []byte {
		return func(b []byte) []byte {
			at := slices.Index(b[188*4:], 0x47) + 188*4
			p := b[at : at+188]
			return append(append(append([]byte(nil), b[:at]...), bytes.Repeat(p, n)...), b[at+188:]...)
		}
	}
	s.packets = repeat(2)
	assert.Empty(t, checkBytes(t, s.build(), nil).Violations)
	s.cc, s.packets = nil, repeat(3)
	assert.Equal(t, []string{"HT121"}, rulesOf(checkBytes(t, s.build(), nil)))
}

// TestTransportProfile checks what only devices refuse.
func TestTransportProfile(t *testing.T) {
	o := &validate.Options{Profile: validate.ProfileIIS}
	assert.Empty(t, checkBytes(t, muxedSegment(0).build(), o).Violations)
	s := muxedSegment(0)
	sps := unhex(spsHex)
	sps[1] = 100
	s.picture(0).payload = annexB(aud, sps, unhex(ppsHex), idr)
	assert.Contains(t, rulesOf(checkBytes(t, s.build(), o)), "HD101")
	s = soundOnly()
	for i := range s.units {
		for at := 0; at < len(s.units[i].payload); at += 100 {
			s.units[i].payload[at+2] |= 1 // six channels
		}
	}
	assert.Equal(t, []string{"HD102"}, rulesOf(checkBytes(t, s.build(), o)))
}

// TestTransportFormats checks the headers of the other formats of sound.
func TestTransportFormats(t *testing.T) {
	ac3 := append([]byte{0x0B, 0x77, 0, 0, 0x14, 0x40, 0x40}, fill(768-7)...)        // 192 kbit/s
	eac3 := append([]byte{0x0B, 0x77, 0x01, 0x7F, 0x34, 0x80, 0x40}, fill(768-7)...) // six blocks
	mp3 := append([]byte{0xFF, 0xFB, 0x94, 0x00}, fill(384-4)...)                    // 128 kbit/s, 48 kHz
	mp3Half := append([]byte{0xFF, 0xF3, 0x84, 0x00}, fill(192-4)...)                // MPEG-2, 64 kbit/s, 24 kHz
	for _, f := range []struct {
		typ, id byte
		frame   []byte
		ticks   int64
	}{{0x81, 0xBD, ac3, 2880}, {0x87, 0xBD, eac3, 2880}, {0x03, 0xC0, mp3, 2160}, {0x04, 0xC0, mp3Half, 2160}} {
		s := &spec{programs: []uint16{pmtPID}, pcrPID: audioPID, streams: []es{{typ: f.typ, pid: audioPID}}}
		for i := range int64(20) {
			pts := clockStart + i*2*f.ticks
			s.units = append(s.units, unit{pid: audioPID, id: f.id, pts: pts, dts: -1, pcr: pts - 900, payload: append(f.frame, f.frame...)})
		}
		r := checkBytes(t, s.build(), nil)
		assert.Empty(t, r.Violations, "stream type %#x", f.typ)
		assert.Equal(t, 40, r.Checked.Samples)
		s.sounds(3).payload = append([]byte(nil), s.sounds(3).payload...)
		s.sounds(3).payload[0] = 0
		assert.Equal(t, []string{"HT161"}, rulesOf(checkBytes(t, s.build(), nil)), "stream type %#x", f.typ)
	}
}
