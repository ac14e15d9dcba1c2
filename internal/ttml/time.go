package ttml

import (
	"encoding/xml"
	"fmt"
	"math/bits"
	"strings"
)

// clock holds the timing parameters of a document. See TTML1 6.2.
type clock struct {
	frames, perSeconds uint64 // frame rate, as a fraction
	subFrames          uint64
	ticks              uint64 // per second; 0 until known
}

func defaultClock() clock { return clock{frames: 30, perSeconds: 1, subFrames: 1} }

// configure reads the ttp attributes of tt.
func (c *clock) configure(attrs []xml.Attr) error {
	numerator, denominator := uint64(1), uint64(1)
	explicit := false
	for _, a := range attrs {
		if a.Name.Space == "" || a.Name.Space == "xml" || a.Name.Space == "xmlns" {
			continue
		}
		ok := true
		switch a.Name.Local {
		case "frameRate":
			c.frames, ok = positive(a.Value, maxRate)
			explicit = true
		case "subFrameRate":
			c.subFrames, ok = positive(a.Value, maxRate)
		case "tickRate":
			c.ticks, ok = positive(a.Value, maxTickRate)
		case "frameRateMultiplier":
			f := strings.FieldsFunc(a.Value, func(r rune) bool { return r == ' ' || r == ':' })
			if ok = len(f) == 2; ok {
				var ok2 bool
				numerator, ok = positive(f[0], maxRate)
				denominator, ok2 = positive(f[1], maxRate)
				ok = ok && ok2
			}
		case "timeBase":
			ok = a.Value != "clock"
		}
		if !ok {
			return fmt.Errorf("attribute %s=%q is not supported", qualified(a.Name), a.Value)
		}
	}
	c.frames, c.perSeconds = c.frames*numerator, denominator
	if c.ticks == 0 {
		c.ticks = 1
		if explicit {
			c.ticks = max(c.frames*c.subFrames/c.perSeconds, 1)
		}
	}
	return nil
}

// Bounds on timing parameters, so that products of three fit into 64 bits.
const (
	maxRate     = 1_000_000
	maxTickRate = 1_000_000_000
)

// positive reads a whole number from 1 to limit.
func positive(s string, limit int64) (uint64, bool) {
	v, ok := ParseDecimal(s)
	return uint64(v / Second), ok && v >= Second && v%Second == 0 && v/Second <= limit
}

// timing is the timing attributes of an element.
type timing struct {
	begin, end, dur int64
	sequence        bool
}

// timing reads attributes and returns those that are others.
func (c *clock) timing(attrs []xml.Attr) (timing, []xml.Attr, error) {
	t := timing{end: Forever, dur: Forever}
	rest := make([]xml.Attr, 0, len(attrs))
	for _, a := range attrs {
		var to *int64
		switch {
		case a.Name.Space != "":
		case a.Name.Local == "begin":
			to = &t.begin
		case a.Name.Local == "end":
			to = &t.end
		case a.Name.Local == "dur":
			to = &t.dur
		case a.Name.Local == "timeContainer":
			t.sequence = a.Value == "seq"
			continue
		}
		if to == nil {
			rest = append(rest, a)
			continue
		}
		var ok bool
		if *to, ok = c.parse(strings.TrimSpace(a.Value)); !ok {
			return timing{}, nil, fmt.Errorf("time %s=%q", a.Name.Local, a.Value)
		}
	}
	return t, rest, nil
}

// within returns when the element is active, on the timeline of the document. Its times are relative to base: the
// begin of the element around it or, in a sequence, the end of the element before. It ends with the one around it.
func (t timing) within(base, limit int64) interval {
	end := min(t.end, t.begin+t.dur)
	return interval{min(base+t.begin, Forever), min(base+end, limit)}
}

// parse reads a time expression: a clock time h+:mm:ss[.fraction] or h+:mm:ss:frames[.subframes], or an offset such as
// 1.5s, 200ms, 10f, 90000t. See TTML1 10.3.1.
func (c *clock) parse(s string) (int64, bool) {
	if parts := strings.Split(s, ":"); len(parts) > 1 {
		return c.clockTime(parts)
	}
	i := len(s)
	for i > 0 && (s[i-1] < '0' || s[i-1] > '9') && s[i-1] != '.' {
		i--
	}
	v, ok := ParseDecimal(s[:i])
	if !ok {
		return 0, false
	}
	switch s[i:] {
	case "h":
		return times(v, 3600, 1)
	case "m":
		return times(v, 60, 1)
	case "s":
		return v, true
	case "ms":
		return times(v, 1, 1000)
	case "f":
		return times(v, c.perSeconds, c.frames)
	case "t":
		return times(v, 1, c.ticks)
	}
	return 0, false
}

func (c *clock) clockTime(parts []string) (int64, bool) {
	if len(parts) < 3 || len(parts) > 4 {
		return 0, false
	}
	v, ok := ParseClock(parts[:3])
	if !ok || len(parts) == 3 {
		return v, ok
	}
	frames, sub, hasSub := strings.Cut(parts[3], ".")
	f, ok := ParseDecimal(frames)
	if !ok {
		return 0, false
	}
	if hasSub {
		n, ok := ParseDecimal(sub)
		if !ok {
			return 0, false
		}
		f += n / int64(c.subFrames)
	}
	f, ok = times(f, c.perSeconds, c.frames)
	return v + f, ok
}

// times returns v * n / d and whether it is below Forever.
func times(v int64, n, d uint64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(v), n)
	if hi >= d {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, d)
	return int64(min(q, uint64(Forever))), q < uint64(Forever)
}

// ParseClock reads [hours,] minutes and seconds, the last with an optional fraction, into ticks. WebVTT has the same.
func ParseClock(parts []string) (int64, bool) {
	var total int64
	for i, s := range parts {
		v, ok := ParseDecimal(s)
		last := i == len(parts)-1
		if !ok || len(s) == 0 || !last && v%Second != 0 || i > 0 && v >= 60*Second+Second*btoi(last) || total > Forever/60-v {
			return 0, false
		}
		total = total*60 + v
	}
	return total, total < Forever
}

// btoi lets a leap second through.
func btoi(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// ParseDecimal reads up to eleven digits with an optional fraction into units of 1/[Second]; more than seven places
// are cut off.
func ParseDecimal(s string) (int64, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" || len(whole) > 11 {
		return 0, false
	}
	if len(fraction) > 7 {
		for _, c := range fraction[7:] {
			if c < '0' || c > '9' {
				return 0, false
			}
		}
		fraction = fraction[:7]
	}
	var v int64
	for _, c := range whole + fraction + "0000000"[len(fraction):] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, v < Forever
}
