package playlist

import (
	"math"
	"strings"
	"time"
)

// parseClock reads a time of ASX, hh:mm:ss.fract, of which hours and minutes may be missing, as in "1:01.5" and "5".
// Digits beyond nanoseconds are cut off. It returns false for anything else, and for more than a [time.Duration] holds.
func parseClock(s string) (time.Duration, bool) {
	whole, fraction, hasFraction := strings.Cut(strings.TrimSpace(s), ".")
	if hasFraction && fraction == "" {
		return 0, false
	}
	total, parts := int64(0), 0
	for more := true; more; {
		var part string
		part, whole, more = strings.Cut(whole, ":")
		n, ok := parseDigits(part)
		if parts++; !ok || parts > 3 || total > (math.MaxInt64-n)/60 {
			return 0, false
		}
		total = total*60 + n
	}
	if total > math.MaxInt64/int64(time.Second)-1 {
		return 0, false
	}
	nanos, ok := parseDigits((fraction + "000000000")[:9])
	if !ok || strings.Trim(fraction, "0123456789") != "" {
		return 0, false
	}
	return time.Duration(total)*time.Second + time.Duration(nanos), true
}

// parseDigits reads at most twelve decimal digits, at least one.
func parseDigits(s string) (n int64, ok bool) {
	if s == "" || len(s) > 12 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
