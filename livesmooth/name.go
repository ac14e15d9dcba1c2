package livesmooth

import (
	"io/fs"
	"net/url"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// pointExtension ends the name of every publishing point.
const pointExtension = ".isml"

// maxPointName bounds the name of a publishing point, in bytes.
const maxPointName = 1024

// isPointName reports whether the last element of a path names a publishing point.
func isPointName(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	return len(last) > len(pointExtension) && equalFold(last[len(last)-len(pointExtension):], pointExtension)
}

// validPointName reports whether a name can be that of a publishing point on every system: a valid path in the sense of
// io/fs that a viewer's URL can name, so without control characters, backslashes, colons, devices of Windows and what
// would turn into something else when it is decoded once more; also without characters that Windows does not allow, and
// not in a directory that is named like a publishing point itself.
func validPointName(name string) bool {
	if !fs.ValidPath(name) || !isPointName(name) || len(name) > maxPointName || strings.ContainsAny(name, `*?"<>|`) {
		return false
	}
	for i := range len(name) {
		if name[i] == '/' && isPointName(name[:i]) {
			return false
		}
	}
	q, err := smooth.ParseRequest(&url.URL{Path: "/" + name + "/Manifest"})
	return err == nil && q.Presentation == name
}

// equalFold compares ASCII without regard to case.
func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
