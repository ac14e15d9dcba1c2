package validate

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// cue is one cue of a WebVTT segment, in time of the media.
type cue struct {
	start, end time.Duration
	line       int
}

var (
	timingPattern  = regexp.MustCompile(`^([0-9:.]+)[ \t]+-->[ \t]+([0-9:.]+)(?:[ \t].*)?$`)
	vttTimePattern = regexp.MustCompile(`^(?:([0-9]{2,6}):)?([0-5][0-9]):([0-5][0-9])\.([0-9]{3})$`)
)

// vttTime reads [hh:]mm:ss.ttt.
func vttTime(s string) (time.Duration, bool) {
	m := vttTimePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	var n [4]int64
	for i := range n {
		n[i], _ = strconv.ParseInt("0"+m[i+1], 10, 64)
	}
	return time.Duration(n[0])*time.Hour + time.Duration(n[1])*time.Minute + time.Duration(n[2])*time.Second +
		time.Duration(n[3])*time.Millisecond, true
}

// isText tells a WebVTT segment.
func isText(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimPrefix(data, byteOrderMark), []byte("WEBVTT"))
}

// textChecker walks a WebVTT segment.
type textChecker struct {
	rec   *recorder
	want  expect
	out   *content
	shift time.Duration // media time minus cue time
	state *tsState
}

func (c *textChecker) place(line int) Place {
	return Place{Document: c.want.name, Line: line, Box: "line " + strconv.Itoa(line), Offset: c.want.offset}
}

// checkText checks a WebVTT segment. See RFC 8216 section 3.5, W3C WebVTT sections 4.1 and 6.
func checkText(rec *recorder, data []byte, want expect, state *tsState) *content {
	c := &textChecker{rec: rec, want: want, out: &content{format: formatText, bytes: len(data)}, state: state}
	if !utf8.Valid(data) {
		rec.Add("HV102", c.place(0), "the segment is no UTF-8")
		return c.out
	}
	text := strings.ReplaceAll(string(bytes.TrimPrefix(data, byteOrderMark)), "\r\n", "\n")
	lines := strings.Split(strings.ReplaceAll(text, "\r", "\n"), "\n")
	if h := lines[0]; h != "WEBVTT" && !strings.HasPrefix(h, "WEBVTT ") && !strings.HasPrefix(h, "WEBVTT\t") {
		rec.Add("HV101", c.place(1), "the first line is %q", h)
	}
	at := c.header(lines)
	c.cues(lines, at)
	rec.Tally(func(n *Counts) { n.Samples += len(c.out.cues) })
	return c.out
}

// header reads the lines up to the first blank one, and returns its number.
func (c *textChecker) header(lines []string) int {
	at, mapped := 1, false
	for ; at < len(lines) && lines[at] != ""; at++ {
		if strings.Contains(lines[at], "-->") {
			c.rec.Add("HV101", c.place(at+1), "there is no blank line before the first cue")
			break
		}
		if value, ok := strings.CutPrefix(lines[at], "X-TIMESTAMP-MAP="); ok {
			mapped = true
			c.timestampMap(value, at+1)
		}
	}
	if !mapped {
		c.rec.Add("HV103", c.place(1), "there is no X-TIMESTAMP-MAP")
	}
	return at
}

// timestampMap reads LOCAL:time,MPEGTS:number in either order.
func (c *textChecker) timestampMap(value string, line int) {
	local, mpeg := time.Duration(-1), int64(-1)
	for _, part := range strings.Split(value, ",") {
		name, text, _ := strings.Cut(part, ":")
		switch name {
		case "LOCAL":
			if t, ok := vttTime(text); ok {
				local = t
			}
		case "MPEGTS":
			if n, ok := integer(text); ok && n < uint64(clockModulus) {
				mpeg = int64(n)
			}
		}
	}
	if local < 0 || mpeg < 0 {
		c.rec.Add("HV104", c.place(line), "X-TIMESTAMP-MAP is %q", value)
		return
	}
	if c.state.hasClock {
		mpeg = unwrap(mpeg, c.state.clock)
	}
	c.state.clock, c.state.hasClock = mpeg, true
	c.shift = ticks(mpeg) - local
}

// cues reads the cues from line at on. Blocks of notes, styles and regions are left out.
func (c *textChecker) cues(lines []string, at int) {
	skip := false
	var last time.Duration
	for ; at < len(lines); at++ {
		line := lines[at]
		switch {
		case line == "":
			skip = false
			continue
		case skip:
			continue
		case line == "STYLE" || line == "REGION" || strings.HasPrefix(line, "NOTE"):
			skip = true
			continue
		case !strings.Contains(line, "-->"):
			continue // an identifier
		}
		skip = true // the text of the cue
		m := timingPattern.FindStringSubmatch(line)
		if m == nil {
			c.rec.Add("HV105", c.place(at+1), "the timing is %q", clip(line))
			continue
		}
		start, ok1 := vttTime(m[1])
		end, ok2 := vttTime(m[2])
		if !ok1 || !ok2 {
			c.rec.Add("HV105", c.place(at+1), "the timing is %q", clip(line))
			continue
		}
		if end <= start {
			c.rec.Add("HV106", c.place(at+1), "the cue ends at %s and begins at %s", m[2], m[1])
		}
		if start < last {
			c.rec.Add("HV107", c.place(at+1), "the cue begins at %s, the one before at %s", start, last)
		}
		last = start
		c.out.cues = append(c.out.cues, cue{start + c.shift, end + c.shift, at + 1})
	}
}
