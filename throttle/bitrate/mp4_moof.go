package bitrate

import (
	"encoding/binary"
	"math"
)

// Limits of a fragment that is read.
const (
	moofRead       = 64 << 10 // bytes of a moof that are read at once
	moofMaxTrafs   = 64
	trunMaxTable   = 128 << 10 // bytes of the table of a trun
	trunMaxSamples = 1 << 24   // samples of a trun without a table
)

// tfxd is the user type of the box of Smooth Streaming that says the time of a fragment. See [MS-SSTR] 2.2.4.4.
const tfxd = "\x6d\x1d\x9b\x05\x42\xd5\x44\xe6\x80\xe2\x14\x1d\xaf\xf7\x57\xb2"

// mp4Fragment is the part of a track in a fragment, with times in the timescale of the track.
type mp4Fragment struct {
	track    uint32
	start    uint64
	hasStart bool
	duration uint64
}

// end returns the end of the fragment. If it has no time of its own it starts at the time given.
func (t mp4Fragment) end(start uint64) uint64 {
	if t.hasStart {
		start = t.start
	}
	if t.duration > math.MaxUint64-start {
		return start
	}
	return start + t.duration
}

// moof reads the times of the tracks in a fragment. See ISO/IEC 14496-12 8.8.4 to 8.8.8 and 8.8.12.
func (s *source) moof(moof mp4Box, m *mp4Movie) ([]mp4Fragment, error) {
	if size := min(moof.end, s.size) - moof.off; size <= moofRead {
		if _, err := s.at(moof.off, int(size)); err != nil {
			return nil, err
		}
	}
	var fragments []mp4Fragment
	for c := s.inside(moof); len(fragments) < moofMaxTrafs; {
		x, ok := c.next()
		if !ok {
			return fragments, c.err
		}
		if x.name != "traf" {
			continue
		}
		t, err := s.traf(x, m)
		if err != nil {
			return nil, err
		}
		fragments = append(fragments, t)
	}
	return fragments, nil
}

// traf reads one track of a fragment. A tfxd says the time and the duration itself.
func (s *source) traf(traf mp4Box, m *mp4Movie) (mp4Fragment, error) {
	var t mp4Fragment
	var sample uint32
	smooth := false
	for c := s.inside(traf); ; {
		x, ok := c.next()
		if !ok {
			return t, c.err
		}
		var err error
		switch x.name {
		case "tfhd":
			t.track, sample, err = s.tfhd(x, m)
		case "tfdt":
			if !smooth {
				t.start, err = s.tfdt(x)
				t.hasStart = err == nil
			}
		case "trun":
			var d uint64
			if !smooth {
				d, err = s.trun(x, sample)
				t.duration += d
			}
		case "uuid":
			if s.has(x.body, tfxd) {
				smooth = true
				t.start, t.duration, err = s.tfxd(x)
				t.hasStart = err == nil
			}
		}
		if err != nil {
			return t, err
		}
	}
}

// tfhd returns the track and the duration of samples that do not state one.
//
//	version:8 flags:24 track:32 [base:64 if 1] [description:32 if 2] [sample duration:32 if 8] ...
func (s *source) tfhd(x mp4Box, m *mp4Movie) (track, sample uint32, err error) {
	b, err := s.mp4Bytes(x, 8)
	if err != nil {
		return 0, 0, err
	}
	flags := binary.BigEndian.Uint32(b)
	track = binary.BigEndian.Uint32(b[4:])
	if flags&8 == 0 {
		return track, m.sampleDuration(track), nil
	}
	off := 8
	if flags&1 != 0 {
		off += 8
	}
	if flags&2 != 0 {
		off += 4
	}
	if b, err = s.mp4Bytes(x, off+4); err != nil {
		return 0, 0, err
	}
	return track, binary.BigEndian.Uint32(b[off:]), nil
}

// tfdt returns the time of the first sample: version:8 flags:24 time:32, or :64 in version 1.
func (s *source) tfdt(x mp4Box) (uint64, error) {
	b, err := s.mp4Bytes(x, 8)
	if err != nil {
		return 0, err
	}
	if b[0] == 0 {
		return uint64(binary.BigEndian.Uint32(b[4:])), nil
	}
	if b, err = s.mp4Bytes(x, 12); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b[4:]), nil
}

// tfxd returns the time and duration of a fragment:
//
//	usertype:128 version:8 flags:24 time:32 duration:32, or :64 each in version 1
func (s *source) tfxd(x mp4Box) (start, duration uint64, err error) {
	b, err := s.mp4Bytes(x, 28)
	if err != nil {
		return 0, 0, err
	}
	if b[16] == 0 {
		return uint64(binary.BigEndian.Uint32(b[20:])), uint64(binary.BigEndian.Uint32(b[24:])), nil
	}
	if b, err = s.mp4Bytes(x, 36); err != nil {
		return 0, 0, err
	}
	return binary.BigEndian.Uint64(b[20:]), binary.BigEndian.Uint64(b[28:]), nil
}

// trun adds up the durations of samples.
//
//	version:8 flags:24 count:32 [data offset:32 if 1] [first flags:32 if 4]
//	count * ([duration:32 if 0x100] [size:32 if 0x200] [flags:32 if 0x400] [composition offset:32 if 0x800])
func (s *source) trun(x mp4Box, sample uint32) (sum uint64, err error) {
	b, err := s.mp4Bytes(x, 8)
	if err != nil {
		return 0, err
	}
	flags, count := binary.BigEndian.Uint32(b), int64(binary.BigEndian.Uint32(b[4:]))
	fields, entry := int64(8), int64(0)
	for f := uint32(1); f <= 4; f <<= 2 {
		if flags&f != 0 {
			fields += 4
		}
	}
	for f := uint32(0x100); f <= 0x800; f <<= 1 {
		if flags&f != 0 {
			entry += 4
		}
	}
	table := count * entry
	if table > x.end-x.body-fields {
		return 0, s.fail(x.off, ErrCorrupt, "trun of %d samples in %d bytes", count, x.end-x.off)
	}
	if table > trunMaxTable || count > trunMaxSamples {
		return 0, s.fail(x.off, ErrLimit, "trun of %d samples", count)
	}
	if flags&0x100 == 0 {
		return uint64(count) * uint64(sample), nil
	}
	if b, err = s.at(x.body+fields, int(table)); err != nil {
		return 0, err
	}
	for ; int64(len(b)) >= entry; b = b[entry:] {
		sum += uint64(binary.BigEndian.Uint32(b))
	}
	return sum, nil
}
