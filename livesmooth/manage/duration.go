package manage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// parseDuration reads an xs:duration that is not negative, such as PT1H15M30.5S. Years count 365 days and months 30, as
// in the framework that clients of IIS were written with. Digits beyond nanoseconds are dropped. See XML Schema Part 2,
// section 3.2.6.
func parseDuration(text string) (time.Duration, error) {
	s := strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" {
		return 0, badDuration(s)
	}
	date, clock, hasClock := strings.Cut(rest, "T")
	if hasClock && clock == "" {
		return 0, badDuration(s)
	}
	total, ok := addFields(0, date, "YMD", []time.Duration{365 * day, 30 * day, day})
	if !ok {
		return 0, badDuration(s)
	}
	if total, ok = addFields(total, clock, "HMS", []time.Duration{time.Hour, time.Minute, time.Second}); !ok {
		return 0, badDuration(s)
	}
	return total, nil
}

func badDuration(s string) error {
	return fmt.Errorf("%q is not a duration such as PT1H30M", abbreviate(s))
}

// addFields adds numbers that are followed by their designators, each at most once and in order.
func addFields(total time.Duration, s, designators string, units []time.Duration) (time.Duration, bool) {
	for s != "" {
		i := strings.IndexAny(s, designators)
		if i < 1 {
			return 0, false
		}
		at := strings.IndexByte(designators, s[i])
		d, ok := scale(s[:i], units[at], designators[at] == 'S')
		if !ok || d > math.MaxInt64-total {
			return 0, false
		}
		total += d
		designators, units = designators[at+1:], units[at+1:]
		s = s[i+1:]
		if designators == "" && s != "" {
			return 0, false
		}
	}
	return total, true
}

// scale returns a decimal number of units. Only seconds have a fraction.
func scale(number string, unit time.Duration, fraction bool) (time.Duration, bool) {
	whole, part, hasPart := strings.Cut(number, ".")
	n, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || n > uint64(math.MaxInt64/unit) || hasPart && (!fraction || part == "") {
		return 0, false
	}
	d := time.Duration(n) * unit
	for i, c := range []byte(part) {
		if c < '0' || c > '9' {
			return 0, false
		}
		if i < 9 {
			d += time.Duration(c-'0') * time.Duration(math.Pow10(8-i))
		}
	}
	return d, d >= 0
}

// formatDuration writes an xs:duration that is not negative.
func formatDuration(d time.Duration) string {
	if d <= 0 {
		return "PT0S"
	}
	b := []byte{'P'}
	if n := d / day; n > 0 {
		b = append(strconv.AppendInt(b, int64(n), 10), 'D')
		d -= n * day
	}
	if d == 0 {
		return string(b)
	}
	b = append(b, 'T')
	for _, u := range []struct {
		unit       time.Duration
		designator byte
	}{{time.Hour, 'H'}, {time.Minute, 'M'}} {
		if n := d / u.unit; n > 0 {
			b = append(strconv.AppendInt(b, int64(n), 10), u.designator)
			d -= n * u.unit
		}
	}
	if d > 0 {
		b = strconv.AppendInt(b, int64(d/time.Second), 10)
		if part := d % time.Second; part > 0 {
			b = append(b, '.')
			b = append(b, strings.TrimRight(fmt.Sprintf("%09d", part), "0")...)
		}
		b = append(b, 'S')
	}
	return string(b)
}

// formatWait writes a short time in seconds with three digits of fraction, as IIS wrote the times of its statistics.
func formatWait(d time.Duration) string {
	return fmt.Sprintf("PT%.3fS", max(d, 0).Round(time.Millisecond).Seconds())
}

// formatTime writes a time stamp with milliseconds, of which zeros at the end are left out.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z07:00") }

// abbreviate keeps messages short.
func abbreviate(s string) string {
	const limit = 40
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
