package iis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// maxLocation bounds the path of a location, in bytes.
const maxLocation = 4096

// section is a section with the location that it is in.
type section struct {
	*node
	path     string // such as system.webServer/staticContent
	location string // without slashes at its ends
	lock     lockMode
}

// lockMode is what a location says about configurations below.
type lockMode int

const (
	lockInherit lockMode = iota
	lockDeny
	lockAllow
)

// document is what was found in a document before it is read.
type document struct {
	sections []section
	sites    []Site
	defaults map[string]string // sections that are locked by their definition
}

// config makes a configuration of the roots of a document.
func (b *builder) config(parent *Settings, roots []*node) (*Config, error) {
	d := &document{}
	for _, root := range roots {
		if err := b.root(d, root); err != nil {
			return nil, err
		}
	}
	base := *parent
	base.locked = locksOver(parent.locked, d.defaults)
	c := &Config{locations: make(map[string]*Settings)}
	b.layers(c, parent, &base, d.sections)
	for _, root := range roots {
		b.account(root, "")
	}
	if err := b.log.Err(configError); err != nil {
		return nil, err
	}
	c.Sites, c.Media, c.Notes = d.sites, b.media, b.finish()
	return c, nil
}

// root finds the sections of a root.
func (b *builder) root(d *document, n *node) error {
	switch {
	case n.Is("configuration"):
		b.server = slices.ContainsFunc(n.children, func(c *node) bool { return c.Is("system.applicationHost") })
		n.take()
		for _, c := range n.children {
			b.top(d, c, section{})
		}
	case n.Is("location"), n.Is("system.webServer"), n.Is("system.applicationHost"), n.Is("configSections"):
		b.server = n.Is("system.applicationHost")
		b.top(d, n, section{})
	default:
		return &ConfigError{Line: n.At.Line, Column: n.At.Column, Element: n.Name, Err: ErrNoConfiguration}
	}
	return nil
}

// top finds the sections of a child of the configuration or of a location.
func (b *builder) top(d *document, n *node, in section) {
	switch {
	case n.Is("configSections"):
		n.take()
		d.defaults = b.definitions(n)
	case n.Is("location"):
		b.location(d, n, in)
	case n.Is("system.applicationHost"):
		n.take()
		for _, c := range n.children {
			if c.Is("sites") {
				d.sites = append(d.sites, b.sites(c, "system.applicationHost/sites")...)
			}
		}
	case n.Is("system.webServer"):
		b.group(d, n, "system.webServer", in)
	}
}

// group finds the sections of a group of them.
func (b *builder) group(d *document, n *node, path string, in section) {
	n.take()
	for _, c := range n.children {
		p := path + "/" + c.Name
		switch {
		case isGroup(p):
			b.group(d, c, p, in)
		case strings.EqualFold(path, "system.webServer/media"):
			b.mediaSection(c, p, in.location)
		case sectionReader(p) != nil:
			d.sections = append(d.sections, section{c, p, in.location, in.lock})
		}
	}
}

// isGroup tells whether an element is a group of sections.
func isGroup(path string) bool {
	switch strings.ToLower(path) {
	case "system.webserver/security", "system.webserver/security/authentication", "system.webserver/media",
		"system.webserver/rewrite":
		return true
	}
	return false
}

// location finds the sections of a location.
func (b *builder) location(d *document, n *node, in section) {
	n.take()
	var path, mode string
	var allow, inherit = true, true
	b.str(n, "path", &path)
	b.choice(n, "overrideMode", &mode, "Inherit", "Allow", "Deny")
	b.bool(n, "allowOverride", &allow)
	b.bool(n, "inheritInChildApplications", &inherit)
	switch {
	case in.location != "":
		b.log.FailElement(n.Element, "a location in that of %.100q", in.location)
		return
	case len(path) > maxLocation:
		b.log.FailElement(n.Element, "path of %d bytes, limit %d", len(path), maxLocation)
		return
	}
	in.location = iisconfig.CleanPath(path)
	switch {
	case mode == "Deny" || !allow:
		in.lock = lockDeny
	case mode == "Allow":
		in.lock = lockAllow
	}
	if !inherit {
		b.note(n.At, "location", false, "inheritInChildApplications: applications below inherit all the same")
	}
	b.note(n.At, "location", true, "for %q", in.location)
	for _, c := range n.children {
		b.top(d, c, in)
	}
}

// definitions reads configSections: which sections a web.config must not have.
func (b *builder) definitions(n *node) map[string]string {
	locked := make(map[string]string)
	total := b.sectionGroup(n, "", locked)
	b.say(n, "configSections", "%d sections, %d of them locked; where a section may be is not looked at", total, len(locked))
	return locked
}

func (b *builder) sectionGroup(n *node, path string, locked map[string]string) (total int) {
	n.take()
	for i := range n.used {
		n.used[i] = true // types of .NET and so on
	}
	for _, c := range n.children {
		name := ""
		b.str(c, "name", &name)
		p := strings.ToLower(strings.TrimPrefix(path+"/"+name, "/"))
		switch {
		case c.Is("sectionGroup"):
			total += b.sectionGroup(c, p, locked)
		case c.Is("section"):
			total++
			mode := "Inherit"
			b.choice(c, "overrideModeDefault", &mode, "Inherit", "Allow", "Deny")
			if mode == "Deny" {
				locked[p] = fmt.Sprintf("line %d of the configuration above", c.At.Line)
			}
			b.sectionGroup(c, p, locked)
		}
	}
	return total
}

// locksOver returns locks with further ones, as a map of its own if there are any.
func locksOver(locked, more map[string]string) map[string]string {
	if len(more) == 0 {
		return locked
	}
	all := make(map[string]string, len(locked)+len(more))
	maps.Copy(all, locked)
	maps.Copy(all, more)
	return all
}

// layers reads sections from the server down, each location over what it inherits.
func (b *builder) layers(c *Config, parent, base *Settings, sections []section) {
	slices.SortStableFunc(sections, func(x, y section) int { return cmp.Compare(depth(x.location), depth(y.location)) })
	c.base = base
	c.locations[""] = base
	seen := make(map[string]xmltree.Position)
	for _, s := range sections {
		key := keyOf(s.location)
		if at, twice := seen[key+"\x00"+strings.ToLower(s.path)]; twice {
			b.log.FailElement(s.Element, "there is one for this location at %v already", at)
			s.told = true
			continue
		}
		seen[key+"\x00"+strings.ToLower(s.path)] = s.At
		to := c.locations[key]
		if to == nil {
			inherited := *iisconfig.Above(c.locations, key)
			to = &inherited
			c.locations[key] = to
		}
		b.section(parent, to, s)
	}
}

// depth is the number of names in the path of a location.
func depth(path string) int {
	if path == "" {
		return 0
	}
	return 1 + strings.Count(path, "/")
}

// section reads one section into the settings of its location.
func (b *builder) section(parent, to *Settings, s section) {
	path := strings.ToLower(s.path)
	if why, locked := parent.locked[path]; locked {
		b.refuse(s.node, s.path, "locked at %s; IIS answers 500.19 to every request here", why)
		return
	}
	b.inLocation = s.location
	s.take()
	sectionReader(s.path)(b, to, s.node, s.path)
	switch s.lock {
	case lockDeny:
		to.locked = locksOver(to.locked, map[string]string{path: fmt.Sprintf("line %d of the configuration above", s.At.Line)})
	case lockAllow:
		to.locked = maps.Clone(to.locked)
		delete(to.locked, path)
	}
}

// ownPart tells whether what is being read is the part of a server's configuration that is for all of it.
func (b *builder) ownPart() bool { return b.server && b.inLocation == "" }

// mediaSection notes a section of IIS Media Services.
func (b *builder) mediaSection(n *node, path, location string) {
	b.media = append(b.media, MediaSection{Name: n.Name, Location: location, Line: n.At.Line})
	switch strings.ToLower(n.Name) {
	case "bitratethrottling":
		b.note(n.At, path, true, "read by package throttle")
	case "playlist":
		b.note(n.At, path, true, "read by package playlist")
	case "livestreaming":
		b.note(n.At, path, false, "publishing points are read from their .isml files by package livesmooth")
	default:
		b.note(n.At, path, false, "no section of IIS Media Services that is known")
	}
	n.taken, n.told = true, true
}

// reader reads a section into settings.
type reader func(b *builder, to *Settings, n *node, path string)

// sectionReader returns the reader of a section, nil if it is not known.
func sectionReader(path string) reader {
	rest, ok := strings.CutPrefix(strings.ToLower(path), "system.webserver/")
	if !ok {
		return nil
	}
	switch rest {
	case "defaultdocument":
		return (*builder).defaultDocument
	case "staticcontent":
		return (*builder).staticContent
	case "directorybrowse":
		return (*builder).directoryBrowse
	case "httpredirect":
		return (*builder).httpRedirect
	case "httpprotocol":
		return (*builder).httpProtocol
	case "handlers":
		return (*builder).handlers
	case "security/requestfiltering":
		return (*builder).requestFiltering
	case "security/access":
		return (*builder).access
	case "security/authorization":
		return (*builder).authorization
	case "security/ipsecurity":
		return (*builder).ipSecurity
	case "security/authentication/anonymousauthentication", "security/authentication/basicauthentication",
		"security/authentication/windowsauthentication", "security/authentication/digestauthentication":
		return (*builder).authentication
	case "rewrite/rules", "rewrite/globalrules":
		return (*builder).rewriteRules
	case "rewrite/rewritemaps":
		return (*builder).rewriteMaps
	}
	return nil
}
