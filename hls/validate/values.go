package validate

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// valueKind is the type of an attribute value. See RFC 8216 section 4.2.
type valueKind uint8

const (
	kindInteger valueKind = iota
	kindHex
	kindFloat
	kindSignedFloat
	kindString
	kindEnum
	kindResolution
	kindEnumOrString // CLOSED-CAPTIONS
	kindAny          // attributes that clients define
)

var (
	hexPattern        = regexp.MustCompile(`^0[xX][0-9A-Fa-f]+$`)
	floatPattern      = regexp.MustCompile(`^[0-9]+(\.[0-9]*)?$|^\.[0-9]+$`)
	resolutionPattern = regexp.MustCompile(`^[1-9][0-9]{0,9}x[1-9][0-9]{0,9}$`)
)

// fits reports whether the value is one of the kind.
func (k valueKind) fits(a attr) bool {
	switch k {
	case kindString:
		return a.quoted
	case kindEnumOrString, kindAny:
		return true
	}
	if a.quoted {
		return false
	}
	switch k {
	case kindInteger:
		_, ok := integer(a.value)
		return ok
	case kindHex:
		return hexPattern.MatchString(a.value)
	case kindFloat:
		return floatPattern.MatchString(a.value)
	case kindSignedFloat:
		return floatPattern.MatchString(strings.TrimPrefix(a.value, "-"))
	case kindResolution:
		return resolutionPattern.MatchString(a.value)
	}
	return true
}

// String names the kind as the RFC does.
func (k valueKind) String() string {
	return [...]string{
		"decimal-integer", "hexadecimal-sequence", "decimal-floating-point", "signed-decimal-floating-point",
		"quoted-string", "enumerated-string", "decimal-resolution", "enumerated-string or quoted-string", "value",
	}[k]
}

// integer reads 1 to 20 digits that fit 64 bits.
func integer(s string) (uint64, bool) {
	if len(s) > 20 || s == "" || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// maxSeconds bounds durations, so that sums of all segments of a playlist fit.
const maxSeconds = 1 << 30 / 100

// seconds reads a decimal number of seconds, exact to the nanosecond.
func seconds(s string) (time.Duration, bool) {
	if !floatPattern.MatchString(s) {
		return 0, false
	}
	whole, fraction, _ := strings.Cut(s, ".")
	fraction = (fraction + "000000000")[:9]
	if whole == "" {
		whole = "0"
	}
	w, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || w > maxSeconds {
		return 0, false
	}
	f, err := strconv.ParseInt(fraction, 10, 64)
	return time.Duration(w)*time.Second + time.Duration(f), err == nil
}

// byteRange is a part of a resource.
type byteRange struct {
	length, offset uint64
	hasOffset      bool
}

// end is the first byte after the range.
func (r byteRange) end() uint64 { return r.offset + r.length }

// maxRange bounds ranges, so that their ends fit.
const maxRange = 1 << 62

// parseRange reads "length[@offset]".
func parseRange(s string) (byteRange, bool) {
	length, offset, has := strings.Cut(s, "@")
	n, ok := integer(length)
	r := byteRange{length: n, hasOffset: has}
	if has && ok {
		r.offset, ok = integer(offset)
	}
	return r, ok && n > 0 && n < maxRange && r.offset < maxRange
}

// dateLayouts are the forms of ISO 8601 that are accepted; those without a zone come last.
var dateLayouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07",
	"2006-01-02T15:04:05.999999999",
}

// parseDate reads a date and time, and whether it has a zone.
func parseDate(s string) (t time.Time, zone, ok bool) {
	for i, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, i < len(dateLayouts)-1, true
		}
	}
	return time.Time{}, false, false
}
