package smooth

import (
	"strings"
	"unicode/utf8"
)

// safePath reports whether a decoded path is valid UTF-8 without control characters and backslashes. Names of
// presentations have to satisfy more, see [validName].
func safePath(path string) bool {
	for i := range len(path) {
		if c := path[i]; c-' ' >= 0x7f-' ' || c == '\\' {
			return c > 0x7f && safeUnicode(path[i:])
		}
	}
	return true
}

// safeUnicode is safePath beyond ASCII.
func safeUnicode(path string) bool {
	for _, r := range path {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\\' {
			return false
		}
	}
	return utf8.ValidString(path)
}

// hidesSeparator reports whether a path in its encoded form carries an encoded slash or backslash.
func hidesSeparator(raw string) bool {
	for {
		i := strings.IndexByte(raw, '%')
		if i < 0 || len(raw)-i < 3 {
			return false
		}
		if c, ok := unhex(raw[i+1], raw[i+2]); ok && (c == '/' || c == '\\') {
			return true
		}
		raw = raw[i+1:]
	}
}

// validName reports whether a decoded path that is safe may be the name of a presentation on every operating system: a
// valid path in the sense of [io/fs.ValidPath] whose last element has a stem and an extension, and in which no element
// is the name of a Windows device, ends in a dot or space (which Windows ignores), contains a colon (an NTFS stream or
// drive), or would turn into something else when a careless layer decodes it once more.
func validName(name string) bool {
	_, last := cutLast(name)
	if dot := strings.LastIndexByte(last, '.'); dot < 1 || dot == len(last)-1 || encodedTwice(name) {
		return false
	}
	for rest, more := name, true; more; {
		var element string
		element, rest, more = strings.Cut(rest, "/")
		if element == "" || !portable(element) {
			return false
		}
	}
	return true
}

// portable reports whether a path element names the same file on every operating system. "." and ".." do not.
func portable(element string) bool {
	if end := element[len(element)-1]; end == '.' || end == ' ' || strings.IndexByte(element, ':') >= 0 {
		return false
	}
	return !isDevice(element)
}

// isDevice reports whether Windows takes a path element for a device: CON, NUL, COM1 and so on in any case, also
// with an extension. COM and LPT are also followed by the superscripts of 1, 2 and 3.
func isDevice(element string) bool {
	if strings.IndexByte("CcPpAaNnLl", element[0]) < 0 {
		return false
	}
	stem, _, _ := strings.Cut(element, ".")
	stem = strings.TrimRight(stem, " ")
	switch len(stem) {
	case 3:
		return equalFoldASCII(stem, "con") || equalFoldASCII(stem, "prn") || equalFoldASCII(stem, "aux") || equalFoldASCII(stem, "nul")
	case 6, 7:
		if equalFoldASCII(stem, "conin$") || equalFoldASCII(stem, "conout$") {
			return true
		}
	}
	if len(stem) < 4 || !equalFoldASCII(stem[:3], "com") && !equalFoldASCII(stem[:3], "lpt") {
		return false
	}
	number := stem[3:]
	return len(number) == 1 && isDigit(number[0]) || number == "\u00b9" || number == "\u00b2" || number == "\u00b3"
}

// encodedTwice reports whether a decoded path still contains an encoded separator, dot, percent sign or control
// character.
func encodedTwice(path string) bool {
	for {
		i := strings.IndexByte(path, '%')
		if i < 0 || len(path)-i < 3 {
			return false
		}
		c, ok := unhex(path[i+1], path[i+2])
		if ok && (c == '/' || c == '\\' || c == '.' || c == '%' || c == ':' || c < ' ') {
			return true
		}
		path = path[i+1:]
	}
}
