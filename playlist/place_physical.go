package playlist

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// physicalRoots maps physical paths to file systems. It is not changed after it has been made.
type physicalRoots struct {
	roots []physicalRoot // more elements first
}

// physicalRoot is a directory whose files are those of a file system.
type physicalRoot struct {
	volume   string
	elements []string
	name     string // of the file system
}

// newPhysicalRoots makes a map from a table of directories, such as C:\inetpub\wwwroot, \\server\share\media or
// /srv/media, to names of file systems, of which the empty one is that of the handler.
func newPhysicalRoots(table map[string]string) (*physicalRoots, error) {
	p := &physicalRoots{}
	for dir, name := range table {
		volume, rest, why := splitVolume(strings.TrimSpace(dir))
		if why != "" {
			return nil, fmt.Errorf("playlist: root %q: %s", dir, why)
		}
		elements, why := walk(rest)
		if why != "" {
			return nil, fmt.Errorf("playlist: root %q: %s", dir, why)
		}
		root := physicalRoot{volume, elements, name}
		if i := slices.IndexFunc(p.roots, root.same); i >= 0 {
			return nil, fmt.Errorf("playlist: root %q is there twice, as %q and %q", dir, p.roots[i].name, name)
		}
		p.roots = append(p.roots, root)
	}
	slices.SortFunc(p.roots, func(a, b physicalRoot) int { return cmp.Compare(len(b.elements), len(a.elements)) })
	return p, nil
}

// same reports whether two roots are the same directory.
func (r physicalRoot) same(o physicalRoot) bool {
	return len(r.elements) == len(o.elements) && r.holds(o.volume, o.elements)
}

// holds reports whether a path is in the directory, or is it. Case does not matter, as it does not to Windows.
func (r physicalRoot) holds(volume string, elements []string) bool {
	return strings.EqualFold(r.volume, volume) && len(elements) >= len(r.elements) &&
		slices.EqualFunc(r.elements, elements[:len(r.elements)], strings.EqualFold)
}

// resolve returns the place of a physical path: in the root with the longest path that it is in. The path is made plain
// first, so what leads out of a root by ".." is not in it. Errors wrap [ErrForbiddenSource].
func (p *physicalRoots) resolve(src string) (place, error) {
	volume, rest, why := splitVolume(src)
	if why != "" {
		return place{}, forbidden(why, src)
	}
	file, why := joinFile(rest)
	if why != "" {
		return place{}, forbidden(why, src)
	}
	elements := strings.Split(file, "/")
	for _, r := range p.roots {
		if len(elements) > len(r.elements) && r.holds(volume, elements) {
			return place{root: r.name, file: strings.Join(elements[len(r.elements):], "/")}, nil
		}
	}
	return place{}, forbidden("in no root of physical paths", src)
}

// splitVolume splits an absolute path into its volume and the path below it. The volume is a drive ("C:"), a share
// ("\\server\share"), or empty for a path that begins with one separator. Paths relative to the directory of a drive
// ("C:a.wmv") and those of the namespaces of devices ("\\?\", "\\.\") are none.
func splitVolume(s string) (volume, rest, why string) {
	switch {
	case len(s) >= 3 && isLetter(s[0]) && s[1] == ':' && isSeparator(s[2]):
		return s[:2], s[3:], ""
	case len(s) >= 2 && isSeparator(s[0]) && isSeparator(s[1]):
		return splitShare(s[2:])
	case s != "" && isSeparator(s[0]):
		if strings.HasPrefix(s[1:], "??") { // the namespace of the kernel
			return "", "", "path of the device namespace"
		}
		return "", s[1:], ""
	}
	return "", "", "no absolute path"
}

// splitShare is [splitVolume] after the two separators.
func splitShare(s string) (volume, rest, why string) {
	server, s, _ := cutSeparator(s)
	share, rest, _ := cutSeparator(s)
	switch {
	case server == "?" || server == ".":
		return "", "", "path of the device namespace"
	case server == "" || share == "":
		return "", "", "share without a name"
	}
	for _, name := range []string{server, share} {
		if why := cmp.Or(badText(name), badElement(name)); why != "" {
			return "", "", why
		}
	}
	return `\\` + server + `\` + share, rest, ""
}

// cutSeparator is [strings.Cut] at the first separator of either kind.
func cutSeparator(s string) (before, after string, found bool) {
	if i := strings.IndexAny(s, `/\`); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
