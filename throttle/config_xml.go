package throttle

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/smoothkit/smoothkit/internal/textenc"
)

// Limits of documents besides the exported ones.
const (
	maxConfigDepth      = 64                   // nested elements
	maxConfigAttributes = 256                  // of one element of a section
	maxConfigAllAttrs   = 4 * MaxConfigEntries // of all elements of sections
	maxConfigPath       = 4096                 // bytes of the path of a location
)

// section is a section with the location that it is in, whose path is empty for the whole server.
type section struct {
	path string
	el   *element
}

// element is an element of a section.
type element struct {
	name     string // with its prefix, if any
	at       position
	attrs    []attribute
	children []*element
}

type attribute struct {
	name, value string
	at          position
}

// is tells whether the element has a name. IIS takes names in one case only; we take any.
func (el *element) is(name string) bool { return strings.EqualFold(el.name, name) }

// get returns the first attribute of a name.
func (el *element) get(name string) (attribute, bool) {
	for _, a := range el.attrs {
		if strings.EqualFold(a.name, name) {
			return a, true
		}
	}
	return attribute{}, false
}

// label returns the name and what distinguishes the element from its siblings, for messages.
func (el *element) label() string {
	for _, key := range []string{"fileExtension", "name", "searchPattern"} {
		if a, ok := el.get(key); ok {
			return shorten(el.name + " " + a.value)
		}
	}
	return shorten(el.name)
}

// configReader is a bounded pull parser that keeps only the sections of a document. Every element that a visit
// receives must be consumed by exactly one of children, skip or tree.
type configReader struct {
	dec      *xml.Decoder
	data     []byte // UTF-8 without byte order mark
	log      *configLog
	open     []string // names of the open elements
	at       position // where the last token began
	offset   int64    // the same in data
	elements int      // of the sections so far
	attrs    int      // of these

	location string // the path of the location that is being read
	sections []section

	first    *element   // the first root
	whole    bool       // there was a root that stands alone
	fragment []*element // roots that are children of a section
}

type visit func(t xml.StartElement) error

// readSections returns the sections of a document, at least one.
func readSections(data []byte, log *configLog) ([]section, error) {
	if len(data) > MaxConfigBytes {
		return nil, &ConfigError{Err: fmt.Errorf("more than %d bytes", MaxConfigBytes)}
	}
	text, err := textenc.UTF8(data)
	if err != nil {
		return nil, &ConfigError{Err: err}
	}
	r := &configReader{dec: xml.NewDecoder(bytes.NewReader(text)), data: text, log: log}
	// The bytes are UTF-8 by now, whatever the declaration says; what is not is an error of the decoder.
	r.dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	if err := r.document(); err != nil {
		return nil, err
	}
	return r.sections, nil
}

func (r *configReader) fail(format string, args ...any) error {
	element := ""
	if n := len(r.open); n > 0 {
		element = r.open[n-1]
	}
	return &ConfigError{Line: r.at.line, Column: r.at.column, Element: element, Err: fmt.Errorf(format, args...)}
}

// token returns the next token, nil at the end of input.
func (r *configReader) token() (xml.Token, error) {
	r.at.line, r.at.column = r.dec.InputPos()
	r.offset = r.dec.InputOffset()
	tok, err := r.dec.RawToken()
	if err == io.EOF && len(r.open) == 0 {
		return nil, nil
	}
	var syntax *xml.SyntaxError
	switch {
	case err == io.EOF:
		return nil, r.fail("unexpected end of input")
	case errors.As(err, &syntax):
		r.at = position{line: syntax.Line}
		return nil, r.fail("%s", syntax.Msg)
	case err != nil:
		return nil, r.fail("%w", err)
	}
	if _, ok := tok.(xml.Directive); ok {
		return nil, r.fail("document types are not allowed")
	}
	return tok, nil
}

// document reads the roots.
func (r *configReader) document() error {
	for {
		tok, err := r.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case nil:
			return r.finish()
		case xml.StartElement:
			if err := r.enter(t, r.root); err != nil {
				return err
			}
		case xml.EndElement:
			return r.fail("</%s> closes nothing", shorten(rawName(t.Name)))
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return r.fail("text %q outside of elements", shorten(string(bytes.TrimSpace(t))))
			}
		}
	}
}

// finish makes a section of the roots that are parts of one.
func (r *configReader) finish() error {
	if r.first == nil {
		return r.fail("no element")
	}
	if len(r.fragment) > 0 {
		el := &element{name: "bitrateThrottling", at: r.fragment[0].at, children: r.fragment}
		r.sections = append(r.sections, section{el: el})
	}
	if len(r.sections) == 0 {
		return &ConfigError{Line: r.first.at.line, Column: r.first.at.column, Element: r.first.name, Err: ErrNoSection}
	}
	return nil
}

// root reads a root. Several are possible only as parts of a section, and as locations.
func (r *configReader) root(t xml.StartElement) error {
	name, part := rawName(t.Name), false
	switch strings.ToLower(name) {
	case "throttlesettings", "connectionlimitgroups", "mediaformats", "add", "location":
		part = true
	}
	if r.first != nil && (r.whole || !part) {
		return r.fail("a second root element, the first is %s of %v", r.first.name, r.first.at)
	}
	if r.first == nil {
		r.first = &element{name: name, at: r.at}
	}
	r.whole = !part
	switch strings.ToLower(name) {
	case "add":
		return r.bareAdd(t)
	case "throttlesettings", "connectionlimitgroups", "mediaformats":
		el, err := r.tree(t)
		r.fragment = append(r.fragment, el)
		return err
	case "configuration":
		return r.children(r.configuration)
	}
	return r.configuration(t)
}

// configuration reads a child of the configuration, or a root that may also be one.
func (r *configReader) configuration(t xml.StartElement) error {
	switch strings.ToLower(rawName(t.Name)) {
	case "location":
		return r.locationElement(t)
	case "system.webserver":
		return r.children(r.webServer)
	}
	if len(r.open) > 1 {
		return r.skip(t)
	}
	return r.webServer(t)
}

func (r *configReader) locationElement(t xml.StartElement) error {
	at, found := r.at, len(r.sections)
	for _, a := range t.Attr {
		if strings.EqualFold(a.Name.Local, "path") {
			r.location = cleanLocation(a.Value)
		}
	}
	if len(r.location) > maxConfigPath {
		return r.fail("path of %d bytes, limit %d", len(r.location), maxConfigPath)
	}
	err := r.children(func(t xml.StartElement) error {
		if strings.EqualFold(rawName(t.Name), "system.webServer") {
			return r.children(r.webServer)
		}
		return r.skip(t)
	})
	r.location = ""
	for _, a := range t.Attr {
		if len(r.sections) > found && strings.EqualFold(a.Name.Local, "inheritInChildApplications") &&
			!strings.EqualFold(a.Value, "true") {
			r.log.warn(at, "location: inheritInChildApplications is not known here, everything inherits")
		}
	}
	return err
}

func (r *configReader) webServer(t xml.StartElement) error {
	if strings.EqualFold(rawName(t.Name), "media") {
		return r.children(r.media)
	}
	if len(r.open) > 1 {
		return r.skip(t)
	}
	return r.media(t)
}

func (r *configReader) media(t xml.StartElement) error {
	if !strings.EqualFold(rawName(t.Name), "bitrateThrottling") {
		return r.skip(t)
	}
	el, err := r.tree(t)
	r.sections = append(r.sections, section{r.location, el})
	return err
}

// bareAdd reads an entry that is not in a collection. Its attributes and children tell of which it is.
func (r *configReader) bareAdd(t xml.StartElement) error {
	el, err := r.tree(t)
	if err != nil {
		return err
	}
	collection := el.collection()
	if collection == "" {
		r.at = el.at
		return r.fail("add outside of a collection could be of several of them")
	}
	n := len(r.fragment)
	if n == 0 {
		r.fragment = append(r.fragment, &element{name: collection, at: el.at})
		n = 1
	}
	parent := r.fragment[n-1]
	if n > 1 || parent.name != collection {
		r.at = el.at
		return r.fail("add outside of a collection seems to be of %s, which %s of %v is not", collection, parent.name, parent.at)
	}
	parent.children = append(parent.children, el)
	return nil
}

// collection returns the name of the collection that an add belongs to, empty if that is not clear.
func (el *element) collection() string {
	found := make(map[string]bool)
	for _, c := range el.children {
		if c.is("bitrateRules") || c.is("durationRule") {
			found["mediaFormats"] = true
		}
	}
	for name, list := range map[string][]string{
		"throttleSettings": {
			"settingType", "initialBufferTimeSeconds", "throttleRatePercentage", "initialSendSizeKBytes", "throttleRateKbps",
			"connectionLimitGroup",
		},
		"connectionLimitGroups": {"name", "connectionLimit"},
	} {
		for _, a := range list {
			if _, ok := el.get(a); ok {
				found[name] = true
			}
		}
	}
	if len(found) != 1 {
		return ""
	}
	for name := range found {
		return name
	}
	return ""
}
