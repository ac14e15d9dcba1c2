package ttml

import (
	"encoding/xml"
	"errors"
	"strings"
)

// style is the style properties that are read, as written; empty is not stated. It is immutable once made.
type style struct {
	fontStyle, fontWeight, textDecoration, color, display string
	textAlign, displayAlign, origin, extent, visibility   string
}

// property returns the field for an attribute, or nil.
func (s *style) property(n xml.Name) *string {
	if n.Space == "" || n.Space == "xml" || n.Space == "xmlns" {
		return nil
	}
	switch n.Local {
	case "fontStyle":
		return &s.fontStyle
	case "fontWeight":
		return &s.fontWeight
	case "textDecoration":
		return &s.textDecoration
	case "color":
		return &s.color
	case "display":
		return &s.display
	case "visibility":
		return &s.visibility
	case "textAlign":
		return &s.textAlign
	case "displayAlign":
		return &s.displayAlign
	case "origin":
		return &s.origin
	case "extent":
		return &s.extent
	}
	return nil
}

// fields returns all properties.
func (s *style) fields() [10]*string {
	return [...]*string{
		&s.fontStyle, &s.fontWeight, &s.textDecoration, &s.color, &s.display, &s.visibility,
		&s.textAlign, &s.displayAlign, &s.origin, &s.extent,
	}
}

// over returns s, with what it leaves open taken from below. Either may be nil.
func (s *style) over(below *style) *style {
	if s == nil || below == nil {
		if s == nil {
			return below
		}
		return s
	}
	merged := *s
	from := below.fields()
	for i, to := range merged.fields() {
		if *to == "" {
			*to = *from[i]
		}
	}
	return &merged
}

// styleSheet holds the style elements of head.
type styleSheet struct {
	declared map[string]*declaration
}

// declaration is a style element, or one inside a region.
type declaration struct {
	inline     *style // stated by the element itself
	references []string
	resolved   *style
	state      int8 // 0, resolving or resolved
}

const (
	resolving = 1
	resolved  = 2
)

func newStyleSheet() styleSheet { return styleSheet{make(map[string]*declaration)} }

// add declares a style element.
func (s styleSheet) add(attrs []xml.Attr) {
	if id := identifier(attrs); id != "" {
		s.declared[id] = &declaration{inline: inline(attrs), references: references(attrs)}
	}
}

// apply returns a style with what an element states by its attributes and by reference: its own attributes rule,
// then the style referred to last. See TTML1 8.4.1.
func (s styleSheet) apply(outer *style, attrs []xml.Attr) *style {
	return inline(attrs).over(s.refer(references(attrs), 0).over(outer))
}

// refer returns what the styles of these names state together.
func (s styleSheet) refer(names []string, depth int) *style {
	var sum *style
	for _, name := range names {
		sum = s.lookup(name, depth).over(sum)
	}
	return sum
}

// maxChain bounds the styles that refer to one another in a row.
const maxChain = 64

// lookup returns the style of that name with what it refers to itself, or nil. A style that refers to itself, which
// is an error, does so in vain. depth is the number of styles that have led here.
func (s styleSheet) lookup(name string, depth int) *style {
	d := s.declared[name]
	if d == nil || d.state == resolving || depth == maxChain {
		return nil
	}
	if d.state != resolved {
		d.state = resolving
		d.resolved = d.inline.over(s.refer(d.references, depth+1))
		d.state = resolved
	}
	return d.resolved
}

// inline returns what attributes state, or nil.
func inline(attrs []xml.Attr) *style {
	var s *style
	for _, a := range attrs {
		var probe style
		if probe.property(a.Name) == nil {
			continue
		}
		if s == nil {
			s = new(style)
		}
		*s.property(a.Name) = strings.TrimSpace(a.Value)
	}
	return s
}

// maxReferences bounds the styles that one element refers to.
const maxReferences = 16

func references(attrs []xml.Attr) []string {
	for _, a := range attrs {
		if a.Name.Space == "" && a.Name.Local == "style" {
			names := strings.Fields(a.Value)
			return names[:min(len(names), maxReferences)]
		}
	}
	return nil
}

// identifier returns xml:id. The first drafts had an attribute id.
func identifier(attrs []xml.Attr) (id string) {
	for _, a := range attrs {
		if a.Name.Local == "id" && (a.Name.Space == "xml" || a.Name.Space == "" && id == "") {
			id = a.Value
		}
	}
	return id
}

// head reads the head element that starts at that offset: it is copied, and its styles and regions are noted.
func (p *parser) head(start int64) error {
	if p.body {
		return errors.New("head after body")
	}
	if err := p.headContent(); err != nil {
		return err
	}
	p.open.WriteByte('\n')
	p.open.Write(p.data[start:p.dec.InputOffset()])
	return nil
}

// region is a region element that is being read. Styles may be declared behind it, so it is resolved at the end.
type region struct {
	id     string
	attrs  []xml.Attr
	nested [][]xml.Attr // of its style elements
}

func (p *parser) headContent() error {
	var regions []region
	inside := 0 // depth of the region element, or 0
	for depth := len(p.names); len(p.names) >= depth; {
		tok, err := p.token()
		if err != nil {
			return err
		}
		if len(p.names) < inside {
			inside = 0
		}
		t, ok := tok.(xml.StartElement)
		switch {
		case !ok:
		case t.Name.Local == "region":
			inside = len(p.names)
			regions = append(regions, region{id: identifier(t.Attr), attrs: t.Attr})
		case t.Name.Local == "style" && inside > 0:
			r := &regions[len(regions)-1]
			r.nested = append(r.nested, t.Attr)
		case t.Name.Local == "style":
			p.doc.styles.add(t.Attr)
		}
	}
	for _, r := range regions {
		p.doc.regions[r.id] = p.doc.styles.region(r)
	}
	return nil
}

// region resolves a region: its own attributes rule, then its style elements, then the styles it refers to. See TTML1
// 9.1.2.
func (s styleSheet) region(r region) *style {
	sum := s.refer(references(r.attrs), 0)
	for _, attrs := range r.nested {
		sum = s.apply(sum, attrs)
	}
	return inline(r.attrs).over(sum)
}
