package bitrate

import (
	"encoding/binary"
	"math"
)

// mp4Movie is what moov says. Durations of zero are unknown.
type mp4Movie struct {
	off, end      int64 // end may lie beyond the file
	timescale     uint32
	duration      uint64 // in timescale
	withFragments uint64 // in timescale, of mehd
	fragmented    bool   // has mvex
	tracks        []mp4Track
	defaults      []mp4Default
	err           error // what ended the walk early
}

// mp4Track is what a trak says.
type mp4Track struct {
	id        uint32
	handler   string
	timescale uint32 // of mdhd
	duration  uint64 // of mdhd, in timescale
	inMovie   uint64 // of tkhd, in the timescale of the movie
	peak      int64  // bit/s
}

// mp4Default is a trex: the duration of samples that do not state one, in the timescale of the track.
type mp4Default struct{ track, duration uint32 }

// track returns the track of an id, or nil.
func (m *mp4Movie) track(id uint32) *mp4Track {
	for i := range m.tracks {
		if m.tracks[i].id == id {
			return &m.tracks[i]
		}
	}
	return nil
}

// begin returns when the media of a file begin whose first fragment of the track begins at a time, in the timescale of
// the track. They begin with it, except in a file whose moov has samples of its own: those last up to the fragments.
func (t *mp4Track) begin(fragment uint64) uint64 {
	if t.duration > 0 && max(fragment, t.duration)-min(fragment, t.duration) <= uint64(t.timescale)/2 {
		return 0
	}
	return fragment
}

// sampleDuration returns the default of a track.
func (m *mp4Movie) sampleDuration(track uint32) uint32 {
	for _, d := range m.defaults {
		if d.track == track {
			return d.duration
		}
	}
	return 0
}

// longestMedia returns the longest duration of mdhd, in microseconds.
func (m *mp4Movie) longestMedia() (longest uint64) {
	for _, t := range m.tracks {
		longest = max(longest, micros(t.duration, t.timescale))
	}
	return longest
}

// longestTrack returns the longest duration of tkhd, in the timescale of the movie.
func (m *mp4Movie) longestTrack() (longest uint64) {
	for _, t := range m.tracks {
		longest = max(longest, t.inMovie)
	}
	return longest
}

// peak adds the largest rates of the tracks, in bit/s. It is zero unless all audio and video tracks state one, as part
// of a sum is below the average.
func (m *mp4Movie) peak() (sum int64) {
	for _, t := range m.tracks {
		if t.handler != "vide" && t.handler != "soun" {
			continue
		}
		if t.peak == 0 {
			return 0
		}
		sum += t.peak
	}
	return sum
}

// micros converts ticks to microseconds. A timescale of zero gives zero.
func micros(ticks uint64, timescale uint32) uint64 {
	if timescale == 0 {
		return 0
	}
	return uint64(muldiv(ticks, mp4Seconds, uint64(timescale)))
}

// mp4Movie walks moov by the headers of its boxes: sample tables are stepped over, whatever their size. What it cannot
// read ends the walk, as what precedes it can be enough.
func (s *source) mp4Movie(moov mp4Box) (*mp4Movie, error) {
	m := &mp4Movie{off: moov.off, end: moov.end}
	c := s.inside(moov)
	for m.err == nil {
		x, ok := c.next()
		if !ok {
			m.err = c.err
			break
		}
		switch x.name {
		case "cmov":
			return nil, s.fail(x.off, ErrUnknownRate, "the movie header is compressed (cmov)")
		case "rmra":
			return nil, s.fail(x.off, ErrUnknownRate, "the movie only refers to others (rmra)")
		case "mvhd":
			m.timescale, m.duration, m.err = s.mp4Duration(x)
		case "mvex":
			m.fragmented = true
			m.err = s.mp4Extends(x, m)
		case "trak":
			m.tracks = append(m.tracks, s.mp4Track(x))
		}
	}
	return m, nil
}

// mp4Duration reads mvhd or mdhd:
//
//	version:8 flags:24 created:32 modified:32 timescale:32 duration:32
//
// of which all but the timescale have 64 bits in version 1. A duration of all ones is unknown.
// See ISO/IEC 14496-12 8.2.2 and 8.4.2.
func (s *source) mp4Duration(x mp4Box) (timescale uint32, duration uint64, err error) {
	b, err := s.mp4Bytes(x, 20)
	if err != nil {
		return 0, 0, err
	}
	if b[0] == 0 {
		return binary.BigEndian.Uint32(b[12:]), known32(b[16:]), nil
	}
	if b, err = s.mp4Bytes(x, 32); err != nil {
		return 0, 0, err
	}
	return binary.BigEndian.Uint32(b[20:]), known64(b[24:]), nil
}

// known32 reads a duration of 32 bits. All ones are unknown, so zero.
func known32(b []byte) uint64 {
	v := binary.BigEndian.Uint32(b)
	if v == math.MaxUint32 {
		return 0
	}
	return uint64(v)
}

// known64 is known32 for 64 bits. Some writers fill only the lower half with ones.
func known64(b []byte) uint64 {
	v := binary.BigEndian.Uint64(b)
	if v == math.MaxUint64 || v == math.MaxUint32 {
		return 0
	}
	return v
}

// mp4Extends reads the boxes of mvex.
//
//	mehd  version:8 flags:24 duration:32, or :64 in version 1
//	trex  version:8 flags:24 track:32 description:32 sample duration:32 ...
//
// See ISO/IEC 14496-12 8.8.2 and 8.8.3.
func (s *source) mp4Extends(mvex mp4Box, m *mp4Movie) error {
	for c := s.inside(mvex); ; {
		x, ok := c.next()
		if !ok {
			return c.err
		}
		switch x.name {
		case "mehd":
			b, err := s.mp4Bytes(x, 8)
			if err != nil {
				return err
			}
			if b[0] == 0 {
				m.withFragments = known32(b[4:])
				continue
			}
			if b, err = s.mp4Bytes(x, 12); err != nil {
				return err
			}
			m.withFragments = known64(b[4:])
		case "trex":
			b, err := s.mp4Bytes(x, 16)
			if err != nil {
				return err
			}
			m.defaults = append(m.defaults, mp4Default{binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[12:])})
		}
	}
}

// mp4Track reads what it can of a trak. The sample tables behind the description are not looked at.
func (s *source) mp4Track(trak mp4Box) (t mp4Track) {
	for c := s.inside(trak); ; {
		x, ok := c.next()
		if !ok {
			return t
		}
		switch x.name {
		case "tkhd":
			s.mp4TrackHeader(x, &t)
		case "mdia":
			s.mp4Media(x, &t)
			if t.id != 0 {
				return t
			}
		}
	}
}

// mp4TrackHeader reads
//
//	version:8 flags:24 created:32 modified:32 track:32 reserved:32 duration:32
//
// with times of 64 bits in version 1. See ISO/IEC 14496-12 8.3.2.
func (s *source) mp4TrackHeader(x mp4Box, t *mp4Track) {
	b, err := s.mp4Bytes(x, 24)
	if err != nil {
		return
	}
	if b[0] == 0 {
		t.id, t.inMovie = binary.BigEndian.Uint32(b[12:]), known32(b[20:])
		return
	}
	if b, err = s.mp4Bytes(x, 36); err == nil {
		t.id, t.inMovie = binary.BigEndian.Uint32(b[20:]), known64(b[28:])
	}
}

// mp4Media reads mdhd, the handler and the peak rate of a mdia.
func (s *source) mp4Media(mdia mp4Box, t *mp4Track) {
	for c := s.inside(mdia); ; {
		x, ok := c.next()
		if !ok {
			return
		}
		switch x.name {
		case "mdhd":
			t.timescale, t.duration, _ = s.mp4Duration(x)
		case "hdlr":
			if b, err := s.mp4Bytes(x, 12); err == nil {
				t.handler = string(b[8:12])
			}
		case "minf":
			if stbl, ok := s.find(x, "stbl"); ok {
				if stsd, ok := s.find(stbl, "stsd"); ok {
					t.peak = s.mp4Peak(stsd, t.handler)
				}
			}
			return
		}
	}
}
