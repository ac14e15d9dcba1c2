package alias

import (
	"unicode"
	"unicode/utf8"
)

// segmented is the path of a request, folded and taken apart as far as patterns go.
type segmented struct {
	folded []byte // begins with "/"
	// ends[i] is where segment i ends in folded; it begins behind the slash at ends[i-1], or at 1.
	ends  [MaxSegments]int32
	n     int  // segments, also those behind the ones that were folded
	slash bool // the path ends with a slash
}

// parse takes a path apart, of which it appends the first depth segments folded to b, for folded: an assignment here
// would put the array behind b on the heap. It is false for a path that is not clean.
func (s *segmented) parse(path string, depth int, b []byte) (folded []byte, ok bool) {
	if path == "" || path[0] != '/' {
		return nil, false
	}
	s.n, s.slash = 0, false
	for i := 0; i < len(path); { // at a slash
		end := i + 1
		for ; end < len(path) && path[end] != '/'; end++ {
			if c := path[end]; c < ' ' || c == '\\' || c == 0x7f {
				return nil, false
			}
		}
		text := path[i+1 : end]
		switch {
		case text == "" && end < len(path), isDots(text):
			return nil, false
		case text == "":
			s.slash = true
		default:
			if s.n < depth {
				b = appendFolded(append(b, '/'), text)
				s.ends[s.n] = int32(len(b))
			}
			s.n++
		}
		i = end
	}
	return b, true
}

// segment returns segment i, which was folded.
func (s *segmented) segment(i int) []byte {
	begin := int32(1)
	if i > 0 {
		begin = s.ends[i-1] + 1
	}
	return s.folded[begin:s.ends[i]]
}

// appendFolded appends text in lower case.
func appendFolded(b []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= utf8.RuneSelf {
			return appendFoldedRunes(b, text[i:])
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// appendFoldedRunes does so beyond ASCII. Bytes that are no UTF-8 stay as they are, so they match nothing.
func appendFoldedRunes(b []byte, text string) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		lower := unicode.ToLower(r)
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, text[0])
		case lower < utf8.RuneSelf && r >= utf8.RuneSelf: // the Kelvin sign is no k: ASCII stays one byte for one
			b = append(b, text[:size]...)
		default:
			b = utf8.AppendRune(b, lower)
		}
		text = text[size:]
	}
	return b
}

// clean tells whether a decoded path can be taken as it is: no empty or dot segments, no backslashes, no control
// characters.
func clean(path string) bool {
	var s segmented
	_, ok := s.parse(path, 0, nil)
	return ok
}

// encodes tells whether raw is a percent-encoding of path in which no slash is encoded. It does not allocate.
func encodes(raw, path string) bool {
	j := 0
	for i := 0; i < len(raw); i, j = i+1, j+1 {
		c := raw[i]
		if c == '%' {
			if i+2 >= len(raw) {
				return false
			}
			high, low := unhex(raw[i+1]), unhex(raw[i+2])
			if high > 15 || low > 15 {
				return false
			}
			c = high<<4 | low
			i += 2
			if c == '/' {
				return false
			}
		}
		if j >= len(path) || path[j] != c {
			return false
		}
	}
	return j == len(path)
}

// unhex returns the value of a hexadecimal digit, or 255.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// encodedSlice returns the part of an encoded text whose decoded form is decoded[from:to].
func encodedSlice(raw string, from, to int) string {
	begin, at := len(raw), 0
	for i := 0; i < len(raw); at++ {
		if at == from {
			begin = i
		}
		if at == to {
			return raw[begin:i]
		}
		if raw[i] == '%' {
			i += 2
		}
		i++
	}
	return raw[min(begin, len(raw)):]
}
