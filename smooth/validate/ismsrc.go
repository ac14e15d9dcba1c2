package validate

import (
	"io/fs"
	"path"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// resolve returns the path of a file that a manifest names, or an empty string if it is outside. As servers do, it
// decodes percent escapes, but also finds a file whose name contains what looks like one, and disregards case.
func (c *serverChecker) resolve(src string) string {
	decoded := c.inside((&smooth.ServerTrack{Src: src}).SrcPath())
	found, ok := c.find(decoded)
	if ok || !strings.Contains(src, "%") {
		return found
	}
	if literal, ok := c.find(c.inside(strings.ReplaceAll(strings.TrimSpace(src), `\`, "/"))); ok {
		return literal
	}
	return found
}

// inside returns the path of a file below the file system's root that a manifest beside it names, or "".
func (c *serverChecker) inside(src string) string {
	if src == "" || strings.HasPrefix(src, "/") || strings.Contains(src, ":") {
		return ""
	}
	p := path.Join(path.Dir(c.name), src)
	if !fs.ValidPath(p) {
		return ""
	}
	return p
}

// find returns the name of an existing file: name itself, or the only one that differs in case. If there is none,
// it returns name and false.
func (c *serverChecker) find(name string) (string, bool) {
	if name == "" {
		return "", false
	}
	if _, err := fs.Stat(c.fsys, name); err == nil {
		return name, true
	}
	actual := "."
	for element := range strings.SplitSeq(name, "/") {
		spelled := c.spelling(actual, element)
		if spelled == "" {
			return name, false
		}
		actual = path.Join(actual, spelled)
	}
	return actual, true
}

// spelling returns how the file system spells one element of a path, or "" if it has none or several in other case.
func (c *serverChecker) spelling(dir, element string) string {
	entries, err := fs.ReadDir(c.fsys, dir)
	if err != nil {
		return ""
	}
	var folded []string
	for _, e := range entries {
		if e.Name() == element {
			return element
		}
		if strings.EqualFold(e.Name(), element) {
			folded = append(folded, e.Name())
		}
	}
	if len(folded) != 1 {
		return ""
	}
	return folded[0]
}
