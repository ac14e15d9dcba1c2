package validate

import (
	"fmt"
	"slices"
	"time"
)

// expect is what a segment should be, as the playlist says.
type expect struct {
	name     string
	duration time.Duration
	method   string // of encryption, or empty
	iframes  bool
	profile  Profile
	init     *initSegment // of EXT-X-MAP
	offset   int64        // of the segment in its resource, for places
}

// content is what was found in a segment.
type content struct {
	format format
	bytes  int
	tracks []*trackInfo
	cues   []cue // of WebVTT
}

// format is that of a segment.
type format uint8

const (
	formatUnknown format = iota
	formatTransport
	formatFragment
	formatAudio
	formatText
)

// String names the format.
func (f format) String() string {
	return [...]string{"no known format", "transport stream", "fragmented MP4", "packed audio", "WebVTT"}[f]
}

// trackInfo is one elementary stream of one segment. Times are of the stream, wrap of the clock undone.
type trackInfo struct {
	id       uint32 // PID or track_ID
	video    bool
	audio    bool
	codec    string // RFC 6381, or empty
	width    uint64
	height   uint64
	rate     int // of audio, Hz
	channels int

	first, end time.Duration // decode times; end is exclusive
	present    time.Duration // the least presentation time
	shortest   time.Duration // of the frames
	longest    time.Duration
	frames     int
}

// name is for messages.
func (t *trackInfo) name() string {
	switch {
	case t.video:
		return fmt.Sprintf("video %d", t.id)
	case t.audio:
		return fmt.Sprintf("audio %d", t.id)
	}
	return fmt.Sprintf("track %d", t.id)
}

// tolerance is how far timestamps may be off: half a frame where all last equally long, else one and a half.
func (t *trackInfo) tolerance() time.Duration {
	if t.longest-t.shortest <= t.longest/8 {
		return t.longest/2 + time.Millisecond
	}
	return t.longest*3/2 + time.Millisecond
}

// main is the track that times are compared by: video, or else audio.
func (c *content) main() *trackInfo {
	var audio *trackInfo
	for _, t := range c.tracks {
		switch {
		case t.frames == 0:
		case t.video:
			return t
		case t.audio && audio == nil:
			audio = t
		}
	}
	return audio
}

// series compares the segments of one media playlist with one another.
type series struct {
	rec *recorder

	last       *content
	lastNumber uint64
	origin     time.Duration // media time of the main track minus time in the playlist, at the last discontinuity
	hasOrigin  bool
	drifted    bool
}

// add checks a segment against the one before. Nothing is compared across holes of a sample.
func (s *series) add(c *content, seg *segment, p Place) {
	follows := s.last != nil && seg.number == s.lastNumber+1 && !seg.discontinuity
	if s.last != nil && !seg.discontinuity && c.format != s.last.format {
		s.rec.Add("HS106", p, "the segment is %s, the one before %s", c.format, s.last.format)
		follows = false
	}
	if seg.discontinuity {
		s.hasOrigin = false
	}
	if follows {
		s.follow(c, p)
	}
	s.duration(c, seg, p)
	s.last, s.lastNumber = c, seg.number
}

// follow compares tracks to those of the segment before.
func (s *series) follow(c *content, p Place) {
	for _, t := range c.tracks {
		i := slices.IndexFunc(s.last.tracks, func(o *trackInfo) bool { return o.id == t.id })
		if i < 0 {
			s.rec.Add("HS104", p, "%s was not in the segment before", t.name())
			return
		}
		o := s.last.tracks[i]
		if t.video != o.video || t.audio != o.audio || t.rate != o.rate || t.channels != o.channels {
			s.rec.Add("HS104", p, "%s is %s of %d Hz and %d channels, in the segment before %s of %d Hz and %d channels",
				t.name(), t.codec, t.rate, t.channels, o.codec, o.rate, o.channels)
			return
		}
		if t.frames == 0 || o.frames == 0 || !t.video && !t.audio {
			continue
		}
		if off := t.first - o.end; off.Abs() > max(t.tolerance(), o.tolerance()) {
			s.rec.Add("HS102", p, "%s begins at %s, and the segment before ends at %s, %s away",
				t.name(), t.first, o.end, off)
			s.hasOrigin = false
		}
	}
	if len(c.tracks) < len(s.last.tracks) {
		s.rec.Add("HS104", p, "there are %d tracks, in the segment before %d", len(c.tracks), len(s.last.tracks))
	}
}

// together checks that sound and picture of a segment end at the same time, but for a frame of each. What is shown
// last lags as far behind the decode times as what is shown first.
func (s *series) together(c *content, p Place) {
	for _, v := range c.tracks {
		for _, a := range c.tracks {
			if !v.video || !a.audio || v.frames == 0 || a.frames == 0 {
				continue
			}
			shown := v.end + v.present - v.first
			if off := shown - a.end; off.Abs() > v.longest+a.longest+50*time.Millisecond {
				s.rec.Add("HS105", p, "%s ends at %s, %s at %s, %s away", v.name(), shown, a.name(), a.end, off)
			}
		}
	}
}

// duration compares EXTINF to the media, alone and added up.
func (s *series) duration(c *content, seg *segment, p Place) {
	m := c.main()
	if m == nil || seg.duration == 0 {
		return
	}
	if off := m.end - m.first - seg.duration; off.Abs() > m.longest+2*time.Millisecond {
		s.rec.Add("HS101", p, "EXTINF is %s, %s lasts %s", seg.duration, m.name(), m.end-m.first)
		s.hasOrigin = false
		return
	}
	if !s.hasOrigin {
		s.origin, s.hasOrigin = m.first-seg.start, true
	}
	if off := m.first - seg.start - s.origin; off.Abs() > m.longest+50*time.Millisecond && !s.drifted {
		s.drifted = true
		s.rec.Add("HS103", p, "the segment begins at %s of the playlist, %s is %s away from that",
			seg.start, m.name(), off)
	}
}
