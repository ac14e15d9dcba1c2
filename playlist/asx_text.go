package playlist

import "unicode/utf8"

// isXMLChar tells whether XML 1.0 has a form for a character. See XML 1.0 section 2.2.
func isXMLChar(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r >= 0xD800 && r < 0xE000, r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return r <= utf8.MaxRune
}

// invalidXML returns where the first character is that XML has no form for, or -1.
func invalidXML(s string) int {
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			if r, size = utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
		if !isXMLChar(r) {
			return i
		}
		i += size
	}
	return -1
}

// appendEscaped appends s as character data or as an attribute value in double quotes, with a form of the apostrophe.
// Tabs and line breaks become references, so that a reader gets them back; what XML has no form for becomes U+FFFD.
// It does not allocate but for dst: a list is made for every session.
func appendEscaped(dst []byte, s, apostrophe string) []byte {
	last := 0
	for i := 0; i < len(s); {
		size, form := 1, ""
		switch c := s[i]; {
		case c > '>' && c < utf8.RuneSelf, c > '\'' && c < '<': // most of a URL
		case c == '&':
			form = "&amp;"
		case c == '<':
			form = "&lt;"
		case c == '>':
			form = "&gt;"
		case c == '"':
			form = "&quot;"
		case c == '\'':
			form = apostrophe
		case c == '\t':
			form = "&#x9;"
		case c == '\n':
			form = "&#xA;"
		case c == '\r':
			form = "&#xD;"
		case c < 0x20:
			form = "\uFFFD"
		case c >= utf8.RuneSelf:
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); size == 1 || !isXMLChar(r) {
				form = "\uFFFD"
			}
		}
		if form != "" {
			dst = append(append(dst, s[last:i]...), form...)
			last = i + size
		}
		i += size
	}
	return append(dst, s[last:]...)
}

// isPlain tells whether appendEscaped writes s in ASCII.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}
