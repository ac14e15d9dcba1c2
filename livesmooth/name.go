package livesmooth

import (
	"io/fs"
	"strings"
)

// pointExtension ends the name of every publishing point.
const pointExtension = ".isml"

// isPointName reports whether the last element of a path names a publishing point.
func isPointName(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	return len(last) > len(pointExtension) && equalFold(last[len(last)-len(pointExtension):], pointExtension)
}

// validPointName reports whether a name can be that of a publishing point on every system: a valid path in the sense of
// io/fs without control characters, backslashes, colons, and elements that Windows changes.
func validPointName(name string) bool {
	if !fs.ValidPath(name) || !isPointName(name) || len(name) > 1024 {
		return false
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`\:*?"<>|`, r) {
			return false
		}
	}
	for element := range strings.SplitSeq(name, "/") {
		if strings.HasSuffix(element, ".") || strings.HasSuffix(element, " ") {
			return false
		}
	}
	return true
}

// equalFold compares ASCII without regard to case.
func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
