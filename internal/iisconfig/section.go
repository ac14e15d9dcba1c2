package iisconfig

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// Limits are those of configuration files. A server with many sites has a large one, of which only sections are kept.
func Limits() xmltree.Limits {
	return xmltree.Limits{Bytes: 8 << 20, Depth: 64, Attrs: 256, Value: 64 << 10, Elements: 1 << 17}
}

// maxPath bounds the path of a location, in bytes.
const maxPath = 4096

// Section is a section with the location that it is in.
type Section struct {
	// Path is that of the location, such as "Default Web Site/videos", without slashes at its ends. It is empty for
	// the whole server, or the directory of a web.config.
	Path string
	*xmltree.Element
}

// sectionReader finds sections.
type sectionReader struct {
	*xmltree.Reader
	name     string
	log      *Log
	location string // the path of the location that is being read
	found    []Section
	first    *xmltree.Element // the first root
}

// Sections returns the sections system.webServer/media/NAME of a document, at least one. The document may also be a
// part of a configuration: the section, media, system.webServer or locations. Errors are *Error; one wraps ErrNoSection
// if there is no section.
func Sections(data []byte, name string, log *Log) ([]Section, error) {
	r, err := xmltree.New(data, Limits())
	if err != nil {
		return nil, wrap(err)
	}
	s := &sectionReader{Reader: r, name: name, log: log}
	r.Text = func(element string, at xmltree.Position, text string) {
		log.Warn(at, "%s: text %q is ignored", xmltree.Shorten(element), xmltree.Shorten(text))
	}
	switch err := r.Document(s.root); {
	case err != nil:
		return nil, wrap(err)
	case s.first == nil:
		return nil, &Error{At: r.At(), Err: errors.New("no element")}
	case len(s.found) == 0:
		return nil, &Error{At: s.first.At, Element: s.first.Name, Err: fmt.Errorf("%w %s", ErrNoSection, name)}
	}
	return s.found, nil
}

func wrap(err error) error {
	var e *xmltree.Error
	if !errors.As(err, &e) {
		return &Error{Err: err}
	}
	return &Error{At: e.At, Element: e.Element, Err: errors.New(e.Detail)}
}

// root reads a root. Several are possible only as locations.
func (s *sectionReader) root(el *xmltree.Element) error {
	if s.first != nil && !(el.Is("location") && s.first.Is("location")) {
		return s.Fail(el.At, xmltree.ErrSyntax, "a second root element, the first is %s of %v",
			xmltree.Shorten(s.first.Name), s.first.At)
	}
	if s.first == nil {
		s.first = el
	}
	switch {
	case el.Is("configuration"):
		return s.Children(s.configuration)
	case el.Is("media"):
		return s.Children(s.media)
	case el.Is(s.name):
		return s.media(el)
	}
	return s.configuration(el)
}

// configuration reads a child of the configuration.
func (s *sectionReader) configuration(el *xmltree.Element) error {
	switch {
	case el.Is("location"):
		return s.locationElement(el)
	case el.Is("system.webServer"):
		return s.Children(s.webServer)
	}
	return s.Skip(el)
}

func (s *sectionReader) locationElement(el *xmltree.Element) error {
	path, _ := el.GetFold("path")
	s.location = CleanPath(path.Value)
	if len(s.location) > maxPath {
		return s.Fail(path.At, xmltree.ErrTooLarge, "path of %d bytes, limit %d", len(s.location), maxPath)
	}
	found := len(s.found)
	err := s.Children(func(el *xmltree.Element) error {
		if el.Is("system.webServer") {
			return s.Children(s.webServer)
		}
		return s.Skip(el)
	})
	s.location = ""
	inherit, ok := el.GetFold("inheritInChildApplications")
	if ok && len(s.found) > found && !strings.EqualFold(inherit.Value, "true") {
		s.log.Warn(inherit.At, "location: inheritInChildApplications is not known here, everything inherits")
	}
	return err
}

func (s *sectionReader) webServer(el *xmltree.Element) error {
	if el.Is("media") {
		return s.Children(s.media)
	}
	return s.Skip(el)
}

func (s *sectionReader) media(el *xmltree.Element) error {
	if !el.Is(s.name) {
		return s.Skip(el)
	}
	s.found = append(s.found, Section{s.location, el})
	return s.Tree(el)
}

// CleanPath removes what does not matter in the path of a location: slashes at its ends, and the dot that stands for
// everything.
func CleanPath(path string) string {
	path = strings.TrimFunc(path, func(c rune) bool { return c == '/' || unicode.IsSpace(c) })
	if path == "." {
		return ""
	}
	return path
}

// PathKey is the same for equal locations, whose case does not matter.
func PathKey(path string) string { return strings.ToLower(CleanPath(path)) }

// IsWithin tells whether a location is the path or contains it. Both are keys.
func IsWithin(path, location string) bool {
	rest, ok := strings.CutPrefix(path, location)
	return ok && (rest == "" || location == "" || rest[0] == '/')
}
