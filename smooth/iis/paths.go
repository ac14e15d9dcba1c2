package iis

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Paths maps the physical paths of a Windows server to directories of this one. It is safe for concurrent use.
type Paths struct {
	roots     []pathRoot // longer first
	variables map[string]string
}

// pathRoot is a directory of the Windows server.
type pathRoot struct {
	volume   string // "C:", `\\server\share`, or empty
	elements []string
	local    string
}

// MapPath maps one physical path, see [NewPaths]. It reports false if the table is wrong, too.
func MapPath(table map[string]string, physical string) (local string, ok bool) {
	p, err := NewPaths(table)
	if err != nil {
		return "", false
	}
	return p.Map(physical)
}

// NewPaths makes a map of a table from paths to directories of this system. The paths are of a drive ("D:\media", "C:"),
// of a share ("\\server\share\media"), or absolute ("/srv/media"); a slash counts as a backslash, and case does not
// matter. A key "%NAME%" gives a variable its value instead, such as {"%MEDIA%": "D:\media"}. Without that, SystemDrive
// is "C:", SystemRoot and windir are "C:\Windows". The environment of this system is not read. Keys may begin with
// variables, too.
//
// Errors wrap [ErrMapping].
func NewPaths(table map[string]string) (*Paths, error) {
	p := &Paths{variables: map[string]string{"systemdrive": "C:", "systemroot": `C:\Windows`, "windir": `C:\Windows`}}
	for key, value := range table {
		if name, ok := variableName(key); ok {
			p.variables[name] = value
		}
	}
	for key, local := range table {
		if _, ok := variableName(key); ok {
			continue
		}
		volume, elements, ok := p.split(key)
		if !ok || local == "" {
			return nil, fmt.Errorf("iis: %.200q to %.200q: %w", key, local, ErrMapping)
		}
		root := pathRoot{volume, elements, local}
		if i := slices.IndexFunc(p.roots, root.same); i >= 0 {
			return nil, fmt.Errorf("iis: %.200q is there twice, for %.200q and %.200q: %w", key, p.roots[i].local, local, ErrMapping)
		}
		p.roots = append(p.roots, root)
	}
	slices.SortFunc(p.roots, func(a, b pathRoot) int { return cmp.Compare(len(b.elements), len(a.elements)) })
	return p, nil
}

// variableName returns the name in a key such as "%MEDIA%", in lower case.
func variableName(key string) (string, bool) {
	if len(key) < 3 || key[0] != '%' || key[len(key)-1] != '%' {
		return "", false
	}
	name := strings.ToLower(key[1 : len(key)-1])
	return name, !strings.ContainsAny(name, `%\/`)
}

// Map returns the path on this system of a physical path such as %SystemDrive%\inetpub\wwwroot\video: below the
// directory of the longest path in the table that contains it. It reports false if there is none, and for paths that
// are not absolute, lead above their root, or have names that Windows takes for others, such as those of devices.
func (p *Paths) Map(physical string) (local string, ok bool) {
	volume, elements, ok := p.split(physical)
	if !ok {
		return "", false
	}
	for _, r := range p.roots {
		if r.holds(volume, elements) {
			return filepath.Join(append([]string{r.local}, elements[len(r.elements):]...)...), true
		}
	}
	return "", false
}

// same reports whether two roots are the same directory.
func (r pathRoot) same(o pathRoot) bool {
	return len(r.elements) == len(o.elements) && r.holds(o.volume, o.elements)
}

// holds reports whether a path is in the directory, or is it.
func (r pathRoot) holds(volume string, elements []string) bool {
	return strings.EqualFold(r.volume, volume) && len(elements) >= len(r.elements) &&
		slices.EqualFunc(r.elements, elements[:len(r.elements)], strings.EqualFold)
}

// split returns the volume of a path and the names below it, without dots.
func (p *Paths) split(s string) (volume string, elements []string, ok bool) {
	s, ok = p.expandVariables(strings.TrimSpace(s))
	if !ok || len(s) > maxName || !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return "", nil, false
	}
	volume, rest, ok := splitVolume(strings.ReplaceAll(s, "/", `\`))
	if !ok {
		return "", nil, false
	}
	for e := range strings.SplitSeq(rest, `\`) {
		switch {
		case e == "" || e == ".":
		case e == ".." && len(elements) == 0:
			return "", nil, false
		case e == "..":
			elements = elements[:len(elements)-1]
		case badLocalElement(e):
			return "", nil, false
		default:
			elements = append(elements, e)
		}
	}
	return volume, elements, true
}

// expandVariables replaces variables once. One that is not known makes it fail.
func (p *Paths) expandVariables(s string) (string, bool) {
	if len(s) > maxName {
		return "", false
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "%")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, closed := strings.Cut(rest, "%")
		value, known := p.variables[strings.ToLower(name)]
		if !closed || !known {
			return "", false
		}
		b.WriteString(value)
		s = after
	}
}

// splitVolume splits an absolute path with backslashes. Paths in the namespaces of devices and those that are relative
// to the directory of a drive are none.
func splitVolume(s string) (volume, rest string, ok bool) {
	isDrive := len(s) >= 2 && s[1] == ':' && 'a' <= s[0]|0x20 && s[0]|0x20 <= 'z'
	switch {
	case isDrive && (len(s) == 2 || s[2] == '\\'):
		return s[:2], s[2:], true
	case strings.HasPrefix(s, `\\`):
		server, rest, _ := strings.Cut(s[2:], `\`)
		share, rest, _ := strings.Cut(rest, `\`)
		if server == "" || share == "" || badElement(server) || badLocalElement(share) {
			return "", "", false
		}
		return `\\` + server + `\` + share, rest, true
	case strings.HasPrefix(s, `\??`):
		return "", "", false
	case strings.HasPrefix(s, `\`):
		return "", s, true
	}
	return "", "", false
}
