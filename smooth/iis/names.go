package iis

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds the path of a file, in bytes.
const maxName = 4096

// nameKind tells what a path of a URL can be.
type nameKind int

const (
	// nameFile is a path that names the same file on every system.
	nameFile nameKind = iota
	// nameOther is none, but could be that of a fragment or so: it has an element that [badElement] refuses, or an
	// encoded separator.
	nameOther
	// nameWrong is none of anything: it has a backslash or a control character, is not UTF-8, or too long.
	nameWrong
)

// nameOf returns the name of the file or directory that a URL leads to, in the sense of [fs.ValidPath], and whether the
// URL ends in a slash. Several slashes are one, as they are to IIS. For a nameOther, it is the name of what is above the
// first element that is none.
func nameOf(u *url.URL) (name string, slash bool, kind nameKind) {
	p := u.Path
	if len(p) > maxName || !utf8.ValidString(p) || strings.Contains(p, `\`) || strings.IndexFunc(p, unicode.IsControl) >= 0 {
		return ".", false, nameWrong
	}
	if hidesSeparator(u.RawPath) {
		kind = nameOther
	}
	elements := splitPath(p)
	for i, e := range elements {
		if badElement(e) {
			elements, kind = elements[:i], nameOther
			break
		}
	}
	if len(elements) == 0 {
		return ".", strings.HasSuffix(p, "/"), kind
	}
	return strings.Join(elements, "/"), strings.HasSuffix(p, "/"), kind
}

// splitPath returns the elements of a path that are not empty.
func splitPath(p string) []string {
	return strings.FieldsFunc(p, func(c rune) bool { return c == '/' })
}

// hidesSeparator reports an encoded separator or zero byte in a path as it was sent.
func hidesSeparator(raw string) bool {
	for i := range len(raw) {
		if !isEscape(raw[i:]) {
			continue
		}
		switch strings.ToLower(raw[i+1 : i+3]) {
		case "2f", "5c", "00":
			return true
		}
	}
	return false
}

// badElement reports names of a URL that Windows takes for another file, or for none. They are refused on every system,
// as a folder is copied from one to another. Beside those of [badLocalElement], files have short names there, such as
// WEB~1.CON.
func badElement(e string) bool { return badLocalElement(e) || isShortName(e) }

// badLocalElement reports names that Windows does not open as they are: it ignores dots and spaces at the end, takes a
// colon for that of an alternate stream, and opens devices by name in any directory.
func badLocalElement(e string) bool {
	if e == "" {
		return true
	}
	last := e[len(e)-1]
	return last == '.' || last == ' ' || strings.ContainsAny(e, `:*?"<>|`) || isDevice(e)
}

// isDevice reports whether Windows opens a device by this name, whatever the extension.
func isDevice(element string) bool {
	stem, _, _ := strings.Cut(element, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		if port, ok = strings.CutPrefix(stem, "LPT"); !ok {
			return false
		}
	}
	switch port {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "\u00b9", "\u00b2", "\u00b3":
		return true
	}
	return false
}

// isShortName reports names of the form that Windows makes for programs of DOS: at most eight bytes with a tilde and
// digits at their end, and an extension of at most three.
func isShortName(element string) bool {
	stem, ext, _ := strings.Cut(element, ".")
	tilde := strings.LastIndexByte(stem, '~')
	if tilde < 1 || len(stem) > 8 || len(ext) > 3 {
		return false
	}
	digits := stem[tilde+1:]
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// isKeptBack reports files that are never sent as they are: the raw files of presentations and playlists, whose packages
// answer for them, configurations, and what begins with a dot, but for .well-known.
func isKeptBack(name string) bool {
	for element := range strings.SplitSeq(name, "/") {
		if element != "." && element[0] == '.' && !strings.EqualFold(element, ".well-known") {
			return true
		}
	}
	last := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	return last == "web.config" || isRaw(last)
}

// isRaw reports the extensions of raw files of presentations and playlists. The name is in lower case.
func isRaw(name string) bool {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "ism", "ismc", "ismv", "isma", "ismt", "isml", "ismx", "mpi", "isx", "csm":
		return strings.Contains(name, ".")
	}
	return false
}
