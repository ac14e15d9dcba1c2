package validate

import (
	"regexp"

	"github.com/smoothkit/smoothkit/smooth"
)

// composite checks a composite manifest, whose root holds Clip elements in the vocabulary of version 1.
func (c *manifestChecker) composite(root *element) {
	major, _ := root.attr("MajorVersion")
	minor, _ := root.attr("MinorVersion")
	if major != "1" || minor != "0" {
		c.rec.Add("SM701", c.at(root, nil), "the version is %q.%q", major, minor)
	}
	if n := len(root.all("StreamIndex")); n > 0 {
		c.rec.Add("SM709", c.at(root, nil), "there are %d StreamIndex elements beside the clips", n)
	}
	var sum uint64
	known := true
	for _, e := range root.all("Clip") {
		begin, end, ok := c.clip(e)
		known = known && ok
		if ok {
			sum += end - begin
		}
	}
	v, present, ok := c.number(root, nil, "Duration", "SM115")
	switch {
	case !present:
		c.rec.Add("SM115", c.at(root, nil), "there is no Duration")
	case ok && known && distance(millis(v, c.p.timescale), millis(sum, c.p.timescale)) > durationTolerance:
		c.rec.Add("SM706", c.at(root, nil), "Duration is %d, the clips add up to %d", v, sum)
	}
}

var clipURL = regexp.MustCompile(`(?i)\.ism/manifest(\?.*)?$`)

// clip checks one Clip and returns its limits.
func (c *manifestChecker) clip(e *element) (begin, end uint64, ok bool) {
	p := c.at(e, nil)
	if url, _ := e.attr("Url"); !clipURL.MatchString(url) {
		c.rec.Add("SM702", p, "Url is %q", url)
	}
	begin, hasBegin, okBegin := c.number(e, nil, "ClipBegin", "SM703")
	end, hasEnd, okEnd := c.number(e, nil, "ClipEnd", "SM703")
	if !hasBegin || !hasEnd || okBegin && okEnd && end <= begin {
		c.rec.Add("SM703", p, "ClipBegin is %d, ClipEnd is %d", begin, end)
		okEnd = false
	}
	ok = okBegin && okEnd
	video, audio, single := 0, 0, 0
	for _, se := range e.all("StreamIndex") {
		s := c.stream(se, true)
		switch s.typ {
		case smooth.Video:
			video++
		case smooth.Audio:
			audio++
		}
		if n := c.clipChunks(se, s); n == 1 {
			single++
		}
		if ok && len(s.runs) > 0 {
			c.covers(s, begin, end)
		}
	}
	if video != 1 || audio != 1 {
		c.rec.Add("SM704", p, "there are %d video and %d audio streams", video, audio)
	} else if single == 2 {
		c.rec.Add("SM708", p, "there is one video and one audio fragment")
	}
	return begin, end, ok
}

// clipLevel checks a level in the vocabulary of version 1.
func (c *manifestChecker) clipLevel(e *element, s *stream) *level {
	l := &level{}
	p := c.at(e, s)
	c.bitrate(e, s, l)
	p.Level = l.bitrate
	c.customAttributes(e, p, l)
	return l
}

// clipChunks reads the c elements of a Clip's stream and returns their number.
func (c *manifestChecker) clipChunks(e *element, s *stream) int {
	els := e.all("c")
	if len(els) == 0 {
		c.rec.Add("SM413", c.at(e, s), "there is no c")
		return 0
	}
	list := make([]chunk, len(els))
	for i, el := range els {
		list[i] = c.chunk(el, s)
		last := i == len(els)-1
		if !list[i].bad && (!list[i].hasT || last && !list[i].hasD) {
			c.rec.Add("SM705", c.at(el, s), "has t: %t, has d: %t, is the last: %t", list[i].hasT, list[i].hasD, last)
			return len(els)
		}
	}
	c.timeline(list, s)
	return len(els)
}

// covers checks that the fragments span the clip and that the first and the last overlap it.
func (c *manifestChecker) covers(s *stream, begin, end uint64) {
	first, last := s.runs[0], s.runs[len(s.runs)-1]
	p := c.at(s.el, s)
	switch {
	case first.time > begin || last.end() < end:
		c.rec.Add("SM707", p, "the clip is [%d, %d), the fragments are [%d, %d)", begin, end, first.time, last.end())
	case first.time+first.duration <= begin || last.end()-last.duration >= end:
		c.rec.Add("SM707", p, "the clip is [%d, %d), the fragments [%d, %d) have one outside",
			begin, end, first.time, last.end())
	}
}
