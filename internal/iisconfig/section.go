package iisconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// MaxBytes is the size of a document. A server with many sites has a large one, of which only sections are kept.
const MaxBytes = 8 << 20

const (
	maxPath  = 4096           // bytes of the path of a location
	maxAttrs = 4 * MaxEntries // of all elements in sections
)

// limits are those of documents. Depth and Attrs hold everywhere; what is in foreign sections has no others but the size
// of the document.
func limits() xmltree.Limits {
	return xmltree.Limits{Bytes: MaxBytes, Depth: 64, Attrs: 256, Value: MaxBytes, Elements: MaxBytes}
}

// Form says what a section looks like.
type Form struct {
	// Name is that of its element.
	Name string
	// Parts are children of the section that may be roots of a document, one or several, as if the section were around
	// them.
	Parts []string
	// PartOf names the one of Parts that an add belongs to which is a root, empty if that is not clear. Nil means that
	// there are no such documents.
	PartOf func(add *xmltree.Element) string
}

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
	form     Form
	log      *Log
	location string // the path of the location that is being read
	found    []Section
	first    *xmltree.Element   // the first root
	parts    []*xmltree.Element // roots that are children of a section

	in       *xmltree.Element // the innermost element of a section, nil outside of sections
	elements int              // in sections so far
	attrs    int              // of these
}

// Sections returns the sections system.webServer/media/NAME of a document, at least one. The document may also be a
// part of a configuration: the section, media, system.webServer, locations, or what the form allows. If it returns nil
// there is one error in the log, which wraps ErrNoSection if that is what is wrong.
func Sections(data []byte, form Form, log *Log) []Section {
	s := &sectionReader{form: form, log: log}
	if err := s.read(data); err != nil {
		log.Fail(asError(err))
		return nil
	}
	return s.found
}

func (s *sectionReader) read(data []byte) (err error) {
	if s.Reader, err = xmltree.New(data, limits()); err != nil {
		return err
	}
	s.Repeated = true // Log.Attributes finds them
	s.Text = func(_ string, at xmltree.Position, text string) {
		if s.in != nil {
			s.log.Warn(at, "%s: text %q is ignored", s.log.Label(s.in), xmltree.Shorten(text))
		}
	}
	if err := s.Document(s.root); err != nil {
		return err
	}
	if s.first == nil {
		return &Error{At: s.At(), Err: errors.New("no element")}
	}
	if len(s.parts) > 0 {
		s.found = append(s.found, Section{"", &xmltree.Element{Name: s.form.Name, At: s.parts[0].At, Children: s.parts}})
	}
	if len(s.found) == 0 {
		return &Error{At: s.first.At, Element: s.first.Name, Err: fmt.Errorf("%w %s", ErrNoSection, s.form.Name)}
	}
	return nil
}

// asError returns an error of a reader in the form of this package.
func asError(err error) *Error {
	var own *Error
	var e *xmltree.Error
	switch {
	case errors.As(err, &own):
		return own
	case !errors.As(err, &e):
		return &Error{Err: err}
	}
	at := e.At
	if e.Inside {
		at.Column = 0 // columns are those of elements and attributes
	}
	return &Error{At: at, Element: e.Element, Err: errors.New(e.Detail)}
}

// root reads a root. Several are possible only as locations and as parts of a section.
func (s *sectionReader) root(el *xmltree.Element) error {
	if s.first == nil {
		s.first = el
	} else if !s.repeats(s.first) || !s.repeats(el) {
		return s.Fail(el.At, xmltree.ErrSyntax, "a second root element, the first is %s of %v",
			xmltree.Shorten(s.first.Name), s.first.At)
	}
	switch {
	case el.Is("configuration"):
		return s.Children(s.configuration)
	case el.Is("media"):
		return s.Children(s.media)
	case el.Is(s.form.Name):
		return s.media(el)
	case s.isPart(el):
		s.parts = append(s.parts, el)
		return s.tree(el)
	case s.isEntry(el):
		return s.entry(el)
	}
	return s.configuration(el)
}

// repeats tells whether a root may be one of several.
func (s *sectionReader) repeats(el *xmltree.Element) bool {
	return el.Is("location") || s.isPart(el) || s.isEntry(el)
}

func (s *sectionReader) isPart(el *xmltree.Element) bool {
	return slices.ContainsFunc(s.form.Parts, el.Is)
}

func (s *sectionReader) isEntry(el *xmltree.Element) bool {
	return s.form.PartOf != nil && el.Is("add")
}

// entry reads an entry that is not in a collection.
func (s *sectionReader) entry(el *xmltree.Element) error {
	if err := s.tree(el); err != nil {
		return err
	}
	name := s.form.PartOf(el)
	if name == "" {
		return s.Fail(el.At, xmltree.ErrSyntax, "add outside of a collection could be of several of them")
	}
	if len(s.parts) == 0 {
		s.parts = append(s.parts, &xmltree.Element{Name: name, At: el.At})
	}
	part := s.parts[0]
	if len(s.parts) > 1 || !part.Is(name) {
		return s.Fail(el.At, xmltree.ErrSyntax, "add outside of a collection seems to be of %s, which %s of %v is not",
			name, part.Name, part.At)
	}
	part.Children = append(part.Children, el)
	return nil
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
	for _, a := range el.Attrs {
		if strings.EqualFold(a.Name, "path") { // of several the last one counts
			s.location = CleanPath(a.Value)
		}
	}
	if len(s.location) > maxPath {
		return s.Fail(el.At, xmltree.ErrTooLarge, "path of %d bytes, limit %d", len(s.location), maxPath)
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
	if !el.Is(s.form.Name) {
		return s.Skip(el)
	}
	s.found = append(s.found, Section{s.location, el})
	return s.tree(el)
}

// tree completes the children of an element of a section.
func (s *sectionReader) tree(el *xmltree.Element) error {
	s.elements++
	s.attrs += len(el.Attrs)
	switch {
	case s.elements > MaxEntries:
		return s.Fail(el.At, xmltree.ErrTooLarge, "more than %d elements in sections", MaxEntries)
	case s.attrs > maxAttrs:
		return s.Fail(el.At, xmltree.ErrTooLarge, "more than %d attributes in sections", maxAttrs)
	}
	outer := s.in
	s.in = el
	err := s.Children(func(child *xmltree.Element) error {
		el.Children = append(el.Children, child)
		return s.tree(child)
	})
	s.in = outer
	return err
}
