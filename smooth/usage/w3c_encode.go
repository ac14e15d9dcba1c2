package usage

import (
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxValue bounds one value in a log, in bytes before it is encoded.
const maxValue = 4096

// unknown stands for a value that is empty or not known.
const unknown = '-'

const hexDigits = "0123456789ABCDEF"

func appendHex(b []byte, c byte) []byte { return append(b, '%', hexDigits[c>>4], hexDigits[c&15]) }

// appendText appends a value: spaces become underscores; what is not printable, so that it could end a line or mislead who
// looks at it, is percent-encoded; an empty one is a dash.
func appendText(b []byte, s string) []byte {
	if s == "" {
		return append(b, unknown)
	}
	s = clip(s, maxValue)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ':
			b = append(b, '_')
			i++
		case c > ' ' && c < 0x7f:
			b = append(b, c)
			i++
		case c < utf8.RuneSelf:
			b = appendHex(b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if n == 1 || !unicode.IsPrint(r) {
				for _, c := range []byte(s[i : i+n]) {
					b = appendHex(b, c)
				}
			} else {
				b = append(b, s[i:i+n]...)
			}
			i += n
		}
	}
	return b
}

// appendPath appends a decoded path, percent-encoded.
func appendPath(b []byte, s string) []byte {
	if s == "" {
		return append(b, unknown)
	}
	s = clip(s, maxValue)
	for i := range len(s) {
		if c := s[i]; isPathByte(c) {
			b = append(b, c)
		} else {
			b = appendHex(b, c)
		}
	}
	return b
}

// isPathByte reports whether a byte stands for itself in a path. See RFC 3986, 3.3.
func isPathByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	switch c {
	case '/', '-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@':
		return true
	}
	return false
}

// appendEncoded appends what is percent-encoded already, such as a query; what should have been is encoded.
func appendEncoded(b []byte, s string) []byte {
	if s == "" {
		return append(b, unknown)
	}
	s = clip(s, maxValue)
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f {
			b = append(b, c)
		} else {
			b = appendHex(b, c)
		}
	}
	return b
}

// appendPositive appends a number, or a dash for zero: unknown.
func appendPositive(b []byte, n int64) []byte {
	if n <= 0 {
		return append(b, unknown)
	}
	return strconv.AppendInt(b, n, 10)
}

// appendSeconds appends seconds with up to three digits behind the point.
func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, d.Truncate(time.Millisecond).Seconds(), 'f', -1, 64)
}

// roundUp returns whole seconds, rounded up.
func roundUp(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
