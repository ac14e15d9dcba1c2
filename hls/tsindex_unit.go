package hls

import (
	"bytes"
	"encoding/binary"

	"github.com/smoothkit/smoothkit/smooth"
)

// A tsUnit is a PES packet under examination: whether decoding can begin with it.
type tsUnit struct {
	offset int64 // of its first packet
	time   uint64
	first  bool // of its stream in the file
	tabled bool // as in tsPoint
	random bool // random_access_indicator
	added  bool // it is a point; only the parameter sets are still wanted
	data   []byte
}

// A tsClock follows the times of one stream.
type tsClock struct {
	units     uint64
	last      uint64 // latest time, in 64 bits
	dts       uint64 // of the last unit, in 33 bits
	offset    uint64 // that makes the times go on after they have started anew
	restarted bool   // they have, since the last point
}

const (
	// maxReorder is how far times may go back between units without having started anew, in ticks of 90 kHz: much more
	// than B-frames need.
	maxReorder = 5 * mpegScale
	// maxDistance is the longest time between two units that is not a gap.
	maxDistance = mpegScale
	// wrap is where times begin again at zero.
	wrap = 1 << 33
	// maxPeek is how much of an access unit is looked at for its kind, and maxSets for its parameter sets.
	maxPeek = 2 << 10
	maxSets = 16 << 10
)

// difference returns a-b of times of 33 bits, between -2^32 and 2^32.
func difference(a, b uint64) int64 { return int64((a-b)<<31) >> 31 }

// take returns the time of a unit in 64 bits, and the distance from the one before in the order of decoding, or 0.
func (c *tsClock) take(t pesTimes) (time, distance uint64) {
	if c.units++; c.units == 1 {
		c.last, c.dts = t.pts, t.dts
		return t.pts, 0
	}
	if d := difference(t.dts, c.dts); d > 0 && d <= maxDistance {
		distance = uint64(d)
	}
	c.dts = t.dts
	d := difference(t.pts+c.offset, c.last)
	if d < -maxReorder {
		// Going on at whole seconds makes renditions agree that do not end at the same tick.
		c.offset += uint64(-d) + mpegScale - 1
		c.offset -= c.offset % mpegScale
		c.restarted = true
		d = difference(t.pts+c.offset, c.last)
	}
	if d < 0 && uint64(-d) > c.last {
		return 0, distance
	}
	time = c.last + uint64(d)
	c.last = max(c.last, time)
	return time, distance
}

// pesTimes are the times of a PES packet in ticks of 90 kHz, of 33 bits.
type pesTimes struct{ pts, dts uint64 }

// parsePES reads the header of a PES packet of sound or picture, as far as it is there. ok is false if it has no time.
// See ISO/IEC 13818-1 2.4.3.6.
func parsePES(b []byte) (t pesTimes, rest []byte, ok bool) {
	const head, size = 9, 5
	if len(b) < head+size || b[0] != 0 || b[1] != 0 || b[2] != 1 || b[6]>>6 != 2 || b[7]&0x80 == 0 {
		return t, nil, false
	}
	t.pts = pesTime(b[head:])
	t.dts = t.pts
	if b[7]&0x40 != 0 && len(b) >= head+2*size {
		t.dts = pesTime(b[head+size:])
	}
	return t, b[min(head+int(b[8]), len(b)):], true
}

// pesTime reads a time that is interleaved with marker bits.
func pesTime(b []byte) uint64 {
	return uint64(b[0]>>1&7)<<30 | uint64(binary.BigEndian.Uint16(b[1:])>>1)<<15 | uint64(binary.BigEndian.Uint16(b[3:])>>1)
}

// mainPacket reads a packet of the stream that has the points.
func (s *tsScanner) mainPacket(p []byte, h uint32, body []byte) error {
	if h&flagUnitStart == 0 {
		s.unit.data = append(s.unit.data, body...)
		return s.decide(false)
	}
	if err := s.decide(true); err != nil {
		return err
	}
	t, rest, ok := parsePES(body)
	if !ok {
		return nil
	}
	first := s.clock.units == 0
	time, distance := s.clock.take(t)
	if distance > 0 {
		s.index.ticks += distance
		s.index.units++
	}
	s.unit = tsUnit{
		offset: s.base + int64(s.pos), time: time, first: first, tabled: s.tabledBefore(), random: isRandomAccess(p, h),
		data: append(s.unit.data[:0], rest...),
	}
	if s.program.video == 0 {
		return s.sound()
	}
	s.watch = s.program.video
	return s.decide(false)
}

// note moves the end of the last point on.
func (s *tsScanner) note(time uint64) {
	if n := len(s.index.points); n > 0 && !s.clock.restarted {
		p := &s.index.points[n-1]
		p.end = max(p.end, time)
	}
}

// sound takes a PES packet of sound in a file without picture: decoding can begin with each.
func (s *tsScanner) sound() error {
	if s.index.audio == nil {
		s.index.audio = adtsCodec(s.unit.data)
	}
	if s.index.audio == nil {
		return nil
	}
	err := s.addPoint(&s.unit, minSound)
	s.note(s.unit.time)
	return err
}

// decide looks at what is known of an access unit. whole tells that nothing of it is still to come.
func (s *tsScanner) decide(whole bool) error {
	if s.watch == noPID {
		return nil
	}
	u := &s.unit
	if !u.added {
		key, known := isKeyFrame(u.data)
		key = key || u.random
		if !key && !known && !whole && len(u.data) < maxPeek {
			return nil
		}
		if key {
			if err := s.addPoint(u, minPicture); err != nil {
				return err
			}
		}
		s.note(u.time)
		if u.added = key; !key {
			s.watch = noPID
			return nil
		}
	}
	if s.index.video == nil {
		if s.index.video = avcCodec(u.data, whole); s.index.video == nil && !whole && len(u.data) < maxSets {
			return nil
		}
	}
	s.watch = noPID
	return nil
}

// Values of nal_unit_type, ISO/IEC 14496-10 table 7-1.
const (
	naluDataPart = 4 // the last kind of slice that is not IDR
	naluSPS      = 7
	naluPPS      = 8
)

// nalus calls yield for the NAL units of a byte stream, with what follows the type. whole tells that the unit ends there:
// the last one may go on.
func nalus(b []byte, yield func(kind byte, unit []byte, whole bool) bool) {
	for {
		i := bytes.Index(b, []byte{0, 0, 1})
		if i < 0 || i+3 >= len(b) {
			return
		}
		b = b[i+3:]
		end := bytes.Index(b, []byte{0, 0, 1})
		unit := b
		if end >= 0 {
			unit = b[:end]
		}
		if !yield(b[0]&0x1F, unit, end >= 0) {
			return
		}
	}
}

// isKeyFrame reports whether an access unit is an IDR picture or begins with a sequence parameter set, and whether what
// is there of it is enough to tell.
func isKeyFrame(b []byte) (key, known bool) {
	nalus(b, func(kind byte, _ []byte, _ bool) bool {
		switch {
		case kind == naluIDR || kind == naluSPS:
			key, known = true, true
		case kind >= naluSlice && kind <= naluDataPart:
			known = true
		}
		return !known
	})
	return key, known
}

// avcCodec returns the configuration that the parameter sets in an access unit make, or nil. whole tells that nothing of
// the unit is still to come.
func avcCodec(b []byte, whole bool) *smooth.Codec {
	var sets []byte
	var sps, pps bool
	nalus(b, func(kind byte, unit []byte, ended bool) bool {
		if kind == naluSPS || kind == naluPPS {
			if !ended && !whole {
				return false
			}
			sps, pps = sps || kind == naluSPS, pps || kind == naluPPS
			sets = append(append(sets, 0, 0, 0, 1), bytes.TrimRight(unit, "\x00")...)
		}
		return kind > naluIDR || kind == 0 // the sets come before the slices
	})
	if !sps || !pps {
		return nil
	}
	c, err := smooth.CodecFromQualityLevel(smooth.Video, nil, &smooth.QualityLevel{FourCC: "H264", CodecPrivateData: sets})
	if err != nil || c.Codecs() == "" {
		return nil
	}
	return c
}

// adtsCodec returns the configuration of the first frame of AAC, or nil. See ISO/IEC 13818-7 6.2.
//
//	syncword 12, ID 1, layer 2, protection_absent 1, profile 2, sampling_frequency_index 4, private 1, channels 3
func adtsCodec(b []byte) *smooth.Codec {
	if len(b) < 4 || b[0] != 0xFF || b[1]&0xF6 != 0xF0 {
		return nil
	}
	object, rate, channels := b[2]>>6+1, b[2]>>2&15, b[2]<<2&4|b[3]>>6
	config := []byte{object<<3 | rate>>1, rate<<7 | channels<<3}
	c, err := smooth.CodecFromQualityLevel(smooth.Audio, nil, &smooth.QualityLevel{FourCC: "AACL", CodecPrivateData: config})
	if err != nil || c.Codecs() == "" {
		return nil
	}
	return c
}
