package validate

import (
	"regexp"
	"strconv"
)

// ttml checks a text sample.
func (c *fragmentChecker) ttml(body []byte, offset int64) {
	x, line, err := parseXML(body)
	if err != nil {
		c.rec.Add("SF171", c.place("mdat", offset), "the document of %d bytes, line %d: %v", len(body), line, err)
		return
	}
	var first float64
	known := false
	cues(x.root, func(begin float64) {
		if !known || begin < first {
			first, known = begin, true
		}
	})
	length := float64(c.want.Chunk.Duration) / float64(c.want.Timescale)
	if c.want.HasChunk && known && first >= length {
		c.rec.Add("SF173", c.place("mdat", offset), "the first cue begins at %.3f s, the fragment lasts %.3f s: are times absolute?",
			first, length)
	}
}

// cues calls yield with the begin of each p element, in seconds.
func cues(e *element, yield func(float64)) {
	if e.name == "p" {
		if text, ok := e.attr("begin"); ok {
			if t, ok := ttmlTime(text); ok {
				yield(t)
			}
		}
	}
	for _, child := range e.children {
		cues(child, yield)
	}
}

var (
	ttmlClock  = regexp.MustCompile(`^(\d{1,6}):(\d{2}):(\d{2}(?:\.\d{1,9})?)(?::\d+)?$`)
	ttmlOffset = regexp.MustCompile(`^(\d{1,9}(?:\.\d{1,9})?)(h|m|s|ms)$`)
)

// ttmlTime returns the seconds of a clock time or an offset time; frames and ticks are left out, since their rate is
// elsewhere. See TTML1 10.3.1.
func ttmlTime(text string) (float64, bool) {
	if m := ttmlClock.FindStringSubmatch(text); m != nil {
		return 3600*seconds(m[1]) + 60*seconds(m[2]) + seconds(m[3]), true
	}
	if m := ttmlOffset.FindStringSubmatch(text); m != nil {
		unit := map[string]float64{"h": 3600, "m": 60, "s": 1, "ms": 0.001}[m[2]]
		return seconds(m[1]) * unit, true
	}
	return 0, false
}

// seconds reads digits that a pattern has checked.
func seconds(s string) float64 {
	v, _ := strconv.ParseFloat(s, 64)
	return v
}
