package playlist

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isSeparator reports whether a byte separates the elements of paths: both kinds of slash do, on every system.
func isSeparator(c byte) bool { return c == '/' || c == '\\' }

// walk returns the elements of a path from its root, without those that are dots, or why there are none: the path leads
// above the root, or an element does not name the same file on every system.
func walk(name string) (elements []string, why string) {
	if why := badText(name); why != "" {
		return nil, why
	}
	for _, e := range strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		switch e {
		case ".":
		case "..":
			if len(elements) == 0 {
				return nil, "leads out of the root"
			}
			elements = elements[:len(elements)-1]
		default:
			if why := badElement(e); why != "" {
				return nil, why
			}
			elements = append(elements, e)
		}
	}
	return elements, ""
}

// badText says why a text cannot be a path, or nothing.
func badText(s string) string {
	if !utf8.ValidString(s) {
		return "not UTF-8"
	}
	if strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return "control character"
	}
	return ""
}

// badElement says why an element that is not empty cannot be one of a path, or nothing: Windows ignores dots and spaces
// at the end, takes a colon for that of a drive or of an alternate data stream, and opens devices by name in any
// directory; and what still has an escape in it would become something else if a careless layer decoded it again.
func badElement(e string) string {
	switch last := e[len(e)-1]; {
	case last == '.' || last == ' ':
		return "name that ends in a dot or space"
	case strings.Contains(e, ":"):
		return "name with a colon"
	case isDevice(e):
		return "name of a device"
	case hidesEscape(e):
		return "encoded twice"
	}
	return ""
}

// isDevice reports whether Windows opens a device by this name, whatever the extension: CON, PRN, AUX, NUL, CONIN$,
// CONOUT$, CLOCK$, and COM and LPT with a digit or the superscript of 1, 2 or 3.
func isDevice(element string) bool {
	stem, _, _ := strings.Cut(element, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		port, ok = strings.CutPrefix(stem, "LPT")
	}
	if !ok {
		return false
	}
	switch port {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "\u00b9", "\u00b2", "\u00b3":
		return true
	}
	return false
}

// hidesSeparator reports whether a URI carries an encoded separator or NUL.
func hidesSeparator(s string) bool {
	return hidesByte(s, func(c byte) bool { return c == 0 || isSeparator(c) })
}

// hidesEscape reports whether a decoded name still has an encoded separator, dot, colon, percent sign or control
// character.
func hidesEscape(s string) bool {
	return hidesByte(s, func(c byte) bool { return isSeparator(c) || c == '.' || c == '%' || c == ':' || c < ' ' })
}

// hidesByte reports whether s has a percent escape of such a byte.
func hidesByte(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if c, ok := escapeAt(s, i); ok && is(c) {
			return true
		}
	}
	return false
}

// decodeEscapes decodes percent escapes. What looks like one but is none stays as written, as in "100% live.wmv".
func decodeEscapes(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := escapeAt(s, i); ok {
			b = append(b, c)
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// escapeAt returns the byte that the three characters at i stand for, if they are a percent escape.
func escapeAt(s string, i int) (byte, bool) {
	if s[i] != '%' || len(s)-i < 3 {
		return 0, false
	}
	high, ok := hexDigit(s[i+1])
	low, also := hexDigit(s[i+2])
	return high<<4 | low, ok && also
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
