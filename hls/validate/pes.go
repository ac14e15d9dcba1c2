package validate

import (
	"encoding/binary"
	"time"
)

// esStream is an elementary stream of one segment.
type esStream struct {
	c *tsChecker
	pmtStream
	format streamFormat
	info   *trackInfo

	buffer  []byte // of the PES packet that is being read
	open    bool
	lost    bool // data before the first PES packet was reported
	at      Place
	random  bool  // random_access_indicator
	pcr     int64 // before the packet
	hasPCR  bool
	last    int64 // DTS of the unit before
	hasLast bool
	carry   []byte // the beginning of an audio frame
	due     int64  // PTS that continues the audio
	hasDue  bool
}

// payload takes the payload of a packet.
func (s *esStream) payload(starts, randomAccess bool, data []byte) {
	if starts {
		s.flush()
		s.open, s.random, s.at = true, randomAccess, s.c.place("PID %d PES", s.pid)
		s.pcr, s.hasPCR = s.c.state.pcr, s.c.state.hasPCR
	}
	if !s.open {
		if !s.lost {
			s.c.rec.Add("HT145", s.c.place("PID %d", s.pid), "the first packet of the PID does not start a PES packet")
		}
		s.lost = true
		return
	}
	s.buffer = append(s.buffer, data...)
}

// pes is a PES packet.
type pes struct {
	id       byte
	aligned  bool
	pts, dts int64 // unwrapped
	timed    bool
	payload  []byte
}

// flush checks the PES packet that is complete.
func (s *esStream) flush() {
	if !s.open {
		return
	}
	s.open = false
	u, ok := s.parse(s.buffer)
	if ok {
		s.unit(u)
	}
	s.buffer = s.buffer[:0]
}

// parse reads a PES packet.
//
//	start code 00 00 01 | stream_id u8 | length u16 | 10, scrambling u2, priority u1, alignment u1, copyright u1,
//	original u1 | PTS_DTS u2, ESCR u1, ES_rate u1, trick u1, copy u1, CRC u1, extension u1 | header length u8 |
//	[PTS 5] [DTS 5] ... stuffing | payload
//
// See ISO/IEC 13818-1 section 2.4.3.6.
func (s *esStream) parse(b []byte) (u pes, ok bool) {
	rec := s.c.rec
	if len(b) < 9 || b[0] != 0 || b[1] != 0 || b[2] != 1 {
		rec.Add("HT141", s.at, "the PES packet begins with %x", b[:min(len(b), 4)])
		return u, false
	}
	u.id, u.aligned = b[3], b[6]&4 != 0
	if !s.fitsID(u.id) {
		rec.Add("HT141", s.at, "stream_id is %#x, stream_type %#x", u.id, s.typ)
	}
	length, head := int(binary.BigEndian.Uint16(b[4:])), int(b[8])
	if b[6]>>6 != 2 || 9+head > len(b) {
		rec.Add("HT142", s.at, "the header begins with %x, it has %d bytes of %d", b[6:9], 9+head, len(b))
		return u, false
	}
	switch {
	case length == 0 && !s.format.isVideo():
		rec.Add("HT144", s.at, "PES_packet_length is 0, which is for video only")
	case length != 0 && length != len(b)-6:
		rec.Add("HT144", s.at, "PES_packet_length is %d, there are %d bytes", length, len(b)-6)
	}
	s.times(b[7]>>6, b[9:9+head], &u)
	u.payload = b[9+head:]
	return u, true
}

// fitsID reports whether a stream_id is one of the stream type.
func (s *esStream) fitsID(id byte) bool {
	switch s.format.codec {
	case "avc", "hevc":
		return id >= 0xE0 && id <= 0xEF
	case "aac", "latm", "mp3":
		return id >= 0xC0 && id <= 0xDF
	case "ac3", "eac3":
		return id == 0xBD || id == 0xFD
	case "id3":
		return id == 0xBD
	}
	return true
}

// times reads PTS and DTS: prefix u4, 3 bits, marker, 15 bits, marker, 15 bits, marker.
func (s *esStream) times(flags byte, b []byte, u *pes) {
	need := map[byte]int{2: 5, 3: 10}[flags]
	if need == 0 || len(b) < need {
		s.c.rec.Add("HT143", s.at, "PTS_DTS_flags is %d, the header has %d bytes for them", flags, len(b))
		return
	}
	read := func(b []byte, prefix byte) int64 {
		if b[0]>>4 != prefix || b[0]&b[2]&b[4]&1 == 0 {
			s.c.rec.Add("HT142", s.at, "the timestamp %x has a wrong prefix or marker", b)
		}
		return int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4]>>1)
	}
	u.timed = true
	u.pts = read(b, flags)
	u.dts = u.pts
	if flags == 3 {
		u.dts = read(b[5:10], 1)
	}
	state := s.c.state
	if !state.hasClock {
		state.clock, state.hasClock = u.dts, true
	}
	u.dts = unwrap(u.dts, state.clock)
	u.pts = unwrap(u.pts, u.dts)
	state.clock = u.dts
}

// unit checks what all units have, and hands on to the format.
func (s *esStream) unit(u pes) {
	if u.timed {
		s.order(u)
	}
	switch s.format.codec {
	case "avc", "hevc":
		s.video(u)
	case "aac", "ac3", "eac3", "mp3":
		s.audio(u)
	case "latm":
		s.count(u)
	case "id3":
		s.metadata(u)
	default:
		s.info.frames++
	}
}

// order checks timestamps against the clock and those before.
func (s *esStream) order(u pes) {
	rec := s.c.rec
	if u.pts < u.dts {
		rec.Add("HT147", s.at, "PTS %d is before DTS %d", u.pts, u.dts)
	}
	if s.hasLast && u.dts <= s.last && s.format.codec != "id3" {
		rec.Add("HT146", s.at, "DTS %d is not after %d", u.dts, s.last)
	}
	if s.hasPCR && (u.dts < s.pcr || u.dts-s.pcr > 10*90_000) {
		rec.Add("HT133", s.at, "DTS is %d, the PCR before it %d, %s earlier", u.dts, s.pcr, ticks(u.dts-s.pcr))
	}
}

// count notes the times of a unit that is one frame.
func (s *esStream) count(u pes) {
	i := s.info
	if !u.timed {
		i.frames++
		return
	}
	switch {
	case !s.hasLast:
		i.first, i.present = ticks(u.dts), ticks(u.pts)
	default:
		s.spread(ticks(u.dts) - ticks(s.last))
	}
	i.present = min(i.present, ticks(u.pts))
	i.frames++
	s.last, s.hasLast = u.dts, true
	i.end = ticks(u.dts) + i.longest
}

// spread notes the duration of a frame.
func (s *esStream) spread(d time.Duration) {
	if s.info.longest == 0 || d < s.info.shortest {
		s.info.shortest = d
	}
	s.info.longest = max(s.info.longest, d)
}

// audio checks the frames of a PES packet and that they continue those before.
func (s *esStream) audio(u pes) {
	i := s.info
	data := append(s.carry, u.payload...)
	begun := len(s.carry) > 0
	n, rest := 0, data
	var samples int64
	bad := false
	for len(rest) > 0 {
		f, err := parseAudio(s.format.codec, rest)
		if err == errShort {
			break
		}
		if err != nil {
			s.c.rec.Add("HT161", s.at, "frame %d: %v", n, err)
			rest, bad = nil, true
			break
		}
		s.audioFormat(f)
		n, samples, rest = n+1, samples+f.samples, rest[f.size:]
	}
	if len(rest) > 0 {
		s.c.rec.Add("HT162", s.at, "%d bytes at the end are no whole frame", len(rest))
	}
	s.carry = append([]byte(nil), rest...)
	if i.rate == 0 || n == 0 {
		s.hasDue = s.hasDue && !bad
		return
	}
	duration := samples * 90_000 / int64(i.rate)
	if u.timed {
		s.audioTime(u, begun)
	}
	if s.hasDue || u.timed {
		start := s.due
		s.due = start + duration
		i.end = ticks(start) + time.Duration(samples)*time.Second/time.Duration(i.rate)
	}
	s.hasDue = s.hasDue && !bad
	i.frames += n
	s.spread(time.Duration(samples) * time.Second / time.Duration(int64(i.rate)*int64(n)))
}

// audioTime takes the PTS of a PES packet, that of the first frame that begins in it. begun says that a frame goes on
// from the packet before.
func (s *esStream) audioTime(u pes, begun bool) {
	s.last, s.hasLast = u.dts, true
	if s.hasDue && !begun {
		if off := u.pts - s.due; off > 180 || off < -180 {
			s.c.rec.Add("HT163", s.at, "PTS is %d, the frames before end at %d, %s away", u.pts, s.due, ticks(off))
		}
	}
	if s.info.frames == 0 {
		s.info.first, s.info.present = ticks(u.pts), ticks(u.pts)
	}
	if !begun || !s.hasDue {
		s.due, s.hasDue = u.pts, true
	}
}

// audioFormat takes the format of a frame, and compares it to that of the first.
func (s *esStream) audioFormat(f audioFrame) {
	i := s.info
	if i.rate == 0 {
		i.rate, i.channels, i.codec = f.rate, f.channels, f.codec
		s.c.profileAudio(f, s.at)
		return
	}
	if f.rate != i.rate || f.channels != i.channels {
		s.c.rec.Add("HT164", s.at, "a frame has %d Hz and %d channels, the first %d and %d",
			f.rate, f.channels, i.rate, i.channels)
		i.rate, i.channels = f.rate, f.channels
	}
}

// profileAudio is called once per stream and segment.
func (c *tsChecker) profileAudio(f audioFrame, p Place) {
	if text := f.beyondProfile(); c.want.profile == ProfileIIS && text != "" {
		c.rec.Add("HD102", p, "%s", text)
	}
}

// metadata checks timed ID3 metadata.
func (s *esStream) metadata(u pes) {
	if !u.aligned {
		s.c.rec.Add("HT172", s.at, "data_alignment_indicator is 0")
	}
	if _, rest, err := parseID3(u.payload); err != nil || len(rest) > 0 {
		s.c.rec.Add("HT171", s.at, "%d bytes, %d of them after the tag: %v", len(u.payload), len(rest), err)
	}
	s.info.frames++
}

// end settles what the end of the segment shows.
func (s *esStream) end() {
	i := s.info
	if i.longest == 0 && i.frames > 0 && s.format.codec != "id3" { // one frame: it lasts as long as the playlist says
		i.shortest, i.longest = s.c.want.duration, s.c.want.duration
		i.end = i.first + i.longest
	}
}
