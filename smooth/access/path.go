package access

import (
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// onWindows is where several names lead to one file.
const onWindows = runtime.GOOS == "windows"

// CheckPath returns an error that wraps [ErrPath] if the path of a URL could be taken for another one further on, as
// [Handler] does for requests: see there. It is for those behind one who make another path of what a client sends.
func CheckPath(u *url.URL) error { return checkPath(u, onWindows) }

// checkPath returns an error that wraps [ErrPath] if a path could be taken for another one further on: by a file system,
// a proxy, or by decoding it once more. Such paths are refused instead of cleaned, so that what has been authorised and
// what is served are the same bytes.
func checkPath(u *url.URL, windows bool) error {
	p := u.Path
	if p == "" || p[0] != '/' {
		return fmt.Errorf("access: path does not begin with a slash: %w", ErrPath)
	}
	if hidesSeparator(u.RawPath) || encodedTwice(p) {
		return fmt.Errorf("access: path with an encoded separator, or encoded twice: %w", ErrPath)
	}
	ascii := true
	for i := range len(p) {
		c := p[i]
		if c < ' ' || c == 0x7f || c == '\\' {
			return fmt.Errorf("access: path with character %#02x: %w", c, ErrPath)
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !utf8.ValidString(p) {
		return fmt.Errorf("access: path is not UTF-8: %w", ErrPath)
	}
	for rest, more := p[1:], true; more; {
		var element string
		element, rest, more = strings.Cut(rest, "/")
		if element == "" && more || element == "." || element == ".." {
			return fmt.Errorf("access: path with element %q: %w", element, ErrPath)
		}
		if windows && windowsAlias(element) {
			return fmt.Errorf("access: path with a name of Windows: %w", ErrPath)
		}
	}
	return nil
}

// hidesSeparator reports whether a path in its encoded form has an encoded slash or backslash.
func hidesSeparator(raw string) bool {
	for {
		i := strings.IndexByte(raw, '%')
		if i < 0 || len(raw)-i < 3 {
			return false
		}
		if hex := raw[i+1 : i+3]; hex == "2f" || hex == "2F" || hex == "5c" || hex == "5C" {
			return true
		}
		raw = raw[i+1:]
	}
}

// encodedTwice reports whether a decoded path would turn into something else when it is decoded once more.
func encodedTwice(path string) bool {
	for {
		i := strings.IndexByte(path, '%')
		if i < 0 || len(path)-i < 3 {
			return false
		}
		if isHex(path[i+1]) && isHex(path[i+2]) {
			return true
		}
		path = path[i+1:]
	}
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// windowsAlias reports whether Windows may take an element of a path for a file with another name: dots and spaces at
// the end do not count there, a colon begins a stream of the file, and a tilde with a digit is in short names.
func windowsAlias(element string) bool {
	if element == "" {
		return false
	}
	if end := element[len(element)-1]; end == '.' || end == ' ' || strings.IndexByte(element, ':') >= 0 {
		return true
	}
	for i := 0; i < len(element)-1; i++ {
		if element[i] == '~' && element[i+1] >= '0' && element[i+1] <= '9' {
			return true
		}
	}
	return false
}

// pattern is a path that is granted: that alone, or, if it ends in "/*", everything below it.
type pattern struct {
	path  string // with the slash at the end if below
	below bool
}

// parsePattern reads a pattern. The error has no prefix.
func parsePattern(s string) (pattern, error) {
	p := pattern{path: s}
	if strings.HasSuffix(s, "/*") {
		p = pattern{path: s[:len(s)-1], below: true}
	}
	if strings.IndexByte(p.path, '*') >= 0 {
		return pattern{}, fmt.Errorf("path %q has a * that is not its last element", s)
	}
	if err := checkPath(&url.URL{Path: p.path}, false); err != nil {
		return pattern{}, fmt.Errorf("path %q: %w", s, err)
	}
	return p, nil
}

// matches reports whether the pattern covers a path that checkPath has passed. Case matters.
func (p pattern) matches(path string) bool {
	if p.below {
		return strings.HasPrefix(path, p.path)
	}
	return path == p.path
}

// fold returns a path in a form in which those that differ only in case are equal, as file systems of Windows and macOS
// see them, and handlers that find files as those do.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

// foldRune returns the least of the runes that differ from r in case, but lower case for letters of ASCII. The Turkish i
// without and I with a dot are among those of i, as some take them for that and others do not.
func foldRune(r rune) rune {
	r = unicode.ToLower(unicode.ToUpper(r))
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least >= 'A' && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
