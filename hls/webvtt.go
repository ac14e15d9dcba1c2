package hls

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// cueScale is the timescale of cues, that of MPEG-2 TS.
const cueScale = 90_000

// millisecond is the resolution of times in WebVTT and in the TTML of packagers, in ticks of cues.
const millisecond = cueScale / 1000

// cue is text that is shown for some time.
type cue struct {
	// begin and end are presentation times of 90 kHz, without the offset of TS segments, half-open.
	begin, end uint64
	// settings is the WebVTT settings that follow the times, or empty.
	settings string
	// text is WebVTT cue text: escaped, and without empty lines or an arrow, either of which would end the cue.
	text string
}

// appendWebVTT appends a WebVTT segment with the cues in order. offset is the time in the TS segments of the same
// presentation, in 90 kHz, that belongs to zero of the cues. A segment without cues is its header. See RFC 8216
// section 3.5 and WebVTT 4.1.
func appendWebVTT(dst []byte, cues []cue, offset uint64) []byte {
	const wrap = 1<<33 - 1
	dst = append(dst, "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:"...)
	dst = strconv.AppendUint(dst, offset&wrap, 10)
	dst = append(dst, ",LOCAL:00:00:00.000\n"...)
	for _, c := range arrange(cues) {
		dst = appendCue(dst, &c)
	}
	return dst
}

func appendCue(dst []byte, c *cue) []byte {
	begin, end := smooth.Rescale(c.begin, cueScale, 1000), smooth.Rescale(c.end, cueScale, 1000)
	dst = append(dst, '\n')
	dst = appendCueTime(dst, begin)
	dst = append(dst, " --> "...)
	dst = appendCueTime(dst, max(end, begin+1)) // the end must be greater than the begin
	if c.settings != "" {
		dst = append(append(dst, ' '), c.settings...)
	}
	dst = append(append(dst, '\n'), c.text...)
	return append(dst, '\n')
}

// appendCueTime appends milliseconds as h+:mm:ss.fff, hours of two digits at least.
func appendCueTime(dst []byte, ms uint64) []byte {
	dst = appendPadded(dst, ms/3_600_000, 2)
	dst = appendPadded(append(dst, ':'), ms/60_000%60, 2)
	dst = appendPadded(append(dst, ':'), ms/1000%60, 2)
	return appendPadded(append(dst, '.'), ms%1000, 3)
}

func appendPadded(dst []byte, v uint64, digits int) []byte {
	var buf [20]byte
	s := strconv.AppendUint(buf[:0], v, 10)
	for range digits - len(s) {
		dst = append(dst, '0')
	}
	return append(dst, s...)
}

// arrange returns cues in order of their begin, those of one begin as they were. Equal ones that overlap or touch
// become one: a cue that spans Smooth fragments stands in each of them, whole or cut to it, and cutting rounds to
// milliseconds.
func arrange(cues []cue) []cue {
	sorted := slices.Clone(cues)
	slices.SortStableFunc(sorted, func(a, b cue) int { return cmp.Compare(a.begin, b.begin) })
	list := sorted[:0]
	last := make(map[[2]string]int) // where the last cue of this content stands in list
	for _, c := range sorted {
		if c.end <= c.begin {
			continue
		}
		content := [2]string{c.settings, c.text}
		if i, ok := last[content]; ok && (c.begin <= list[i].end || c.begin-list[i].end <= millisecond) {
			list[i].end = max(list[i].end, c.end)
			continue
		}
		last[content] = len(list)
		list = append(list, c)
	}
	return list
}

// overlapping returns the cues that are shown in [start, end), in 90 kHz, so that a cue that spans segments stands in
// each of them. A rest of less than a millisecond does not count, since the times of cues are no more exact than that.
func overlapping(cues []cue, start, end uint64) []cue {
	var list []cue
	for _, c := range cues {
		if c.begin < end && c.end > start && c.begin < c.end && (c.begin >= start || c.end-start >= millisecond) {
			list = append(list, c)
		}
	}
	return list
}

// escapeCueText escapes text for a cue. See WebVTT 4.2.2.
var escapeCueText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// unsafeCueText replaces what must not stand in a cue as it is.
var unsafeCueText = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "\uFFFD", "-->", "--&gt;")

// safeCueText makes WebVTT markup safe to stand in a cue: no arrow and no empty line, which would end the cue, none of
// the characters that WebVTT reads differently, and no line break around it. It returns "" if nothing is left.
func safeCueText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Trim(unsafeCueText.Replace(s), "\n")
	if strings.Contains(s, "\n\n") {
		lines := strings.Split(s, "\n")
		for i := range lines {
			if lines[i] == "" {
				lines[i] = "&nbsp;"
			}
		}
		s = strings.Join(lines, "\n")
	}
	if strings.TrimSpace(s) == "" {
		return ""
	}
	return s
}
