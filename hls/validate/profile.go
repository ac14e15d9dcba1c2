package validate

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// The limits of [ProfileIIS].
const (
	profileBitrate  = 1_600_000
	profileSegment  = 2 * time.Second
	profileSegments = 3
)

// masterProfile checks the limits of devices in a master playlist.
func (c *checker) masterProfile(m *master) {
	if c.opts.Profile != ProfileIIS {
		return
	}
	for _, v := range m.variants {
		if v.bandwidth > profileBitrate {
			c.rec.Add("HD104", c.place(v.line), "BANDWIDTH is %d", v.bandwidth)
		}
		for _, s := range v.codecs {
			if id, text := profileCodec(s); id != "" {
				c.rec.Add(id, c.place(v.line), "CODECS has %s: %s", s, text)
			}
		}
	}
}

// profileCodec returns the rule that a codec breaks, or "".
func profileCodec(s string) (id, text string) {
	name, rest, _ := strings.Cut(s, ".")
	switch name {
	case "avc1", "avc3":
		if n, err := strconv.ParseUint(rest, 16, 32); err == nil {
			return profileAVC(byte(n>>16), byte(n))
		}
	case "mp4a":
		if rest != "40.2" && rest != "40.02" {
			return "HD102", "it is not AAC-LC"
		}
	case "wvtt", "stpp":
	default:
		return "HD106", "it is neither H.264 nor AAC"
	}
	return "", ""
}

// profileAVC checks profile_idc and level_idc: Baseline up to level 3.0, Main up to 3.1.
func profileAVC(profile, level byte) (id, text string) {
	switch {
	case profile == 66 && level <= 30, profile == 77 && level <= 31:
		return "", ""
	case profile == 66:
		return "HD101", "Baseline above level 3.0"
	case profile == 77:
		return "HD101", "Main above level 3.1"
	}
	return "HD101", "it is neither Baseline nor Main"
}

// profile checks the limits of devices in a media playlist.
func (r *mediaReader) profile() {
	if r.opts.Profile != ProfileIIS || r.m.iframes {
		return
	}
	m := r.m
	for i, s := range m.segments {
		last := i == len(m.segments)-1 && m.ended || i+1 < len(m.segments) && m.segments[i+1].discontinuity
		if s.duration < profileSegment && !last {
			r.rec.Add("HD103", r.place(s.line), "EXTINF is %s", s.duration)
		}
	}
	if m.live() && len(m.segments) < profileSegments {
		r.rec.Add("HD105", r.place(0), "there are %d segments", len(m.segments))
	}
	isMP4 := func(s *segment) bool { return s.init != nil && !isTransportName(s.init.uri) }
	if i := slices.IndexFunc(m.segments, isMP4); i >= 0 {
		r.rec.Add("HD107", r.place(m.segments[i].init.line), "there is EXT-X-MAP %q", m.segments[i].init.uri)
	}
}

func isTransportName(uri string) bool {
	path, _, _ := strings.Cut(uri, "?")
	return strings.HasSuffix(strings.ToLower(path), ".ts")
}
