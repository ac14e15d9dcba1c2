package manage

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/smoothkit/smoothkit/internal/textenc"
)

// Namespaces.
const (
	nsAtom       = "http://www.w3.org/2005/Atom"
	nsManagement = "http://schemas.microsoft.com/iis/media/2011/03/streaming/management"
)

// Limits of documents that clients send.
const (
	// maxBody is the size in bytes.
	maxBody = 256 << 10
	// maxDepth is the number of nested elements, or of JSON objects and arrays.
	maxDepth = 32
	// maxElements and maxAttributes bound the elements of a document and the attributes of an element.
	maxElements, maxAttributes = 4096, 64
)

// element is an XML element as a tree. Text is what stands directly in it, joined.
type element struct {
	space, name string
	attrs       []attribute
	text        string
	children    []*element
	line        int // where it began, from 1
}

// attribute has no namespace: others are left out when a document is read.
type attribute struct{ name, value string }

// parseElement reads a document, which may be UTF-8 or UTF-16, within the limits and without a document type. Errors
// have [codeXML].
func parseElement(data []byte) (*element, error) {
	text, err := textenc.UTF8(data)
	if err != nil {
		return nil, fail(codeXML, "%v", err)
	}
	p := &parser{dec: xml.NewDecoder(bytes.NewReader(text))}
	// The bytes are UTF-8 by now, whatever the declaration says.
	p.dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return p.document()
}

// parser builds a tree from tokens whose nesting and prefixes the decoder has checked.
type parser struct {
	dec   *xml.Decoder
	open  []*element
	texts [][]byte // of the open elements
	count int
}

func (p *parser) fail(format string, args ...any) error {
	line, _ := p.dec.InputPos()
	return fail(codeXML, "line %d: %s", line, fmt.Sprintf(format, args...))
}

// document reads prolog, root element and what follows it.
func (p *parser) document() (root *element, err error) {
	for {
		tok, err := p.dec.Token()
		switch {
		case err == io.EOF && root == nil:
			return nil, p.fail("there is no element")
		case err == io.EOF:
			return root, nil
		case err != nil:
			return nil, p.syntax(err)
		}
		switch t := tok.(type) {
		case xml.Directive:
			return nil, p.fail("document type declarations are not allowed")
		case xml.CharData:
			if err := p.charData(t); err != nil {
				return nil, err
			}
		case xml.StartElement:
			if root != nil && len(p.open) == 0 {
				return nil, p.fail("a second root element")
			}
			e, err := p.start(t)
			if err != nil {
				return nil, err
			}
			if root == nil {
				root = e
			}
		case xml.EndElement:
			p.end()
		}
	}
}

func (p *parser) syntax(err error) error {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return fail(codeXML, "line %d: %s", syntax.Line, syntax.Msg)
	}
	return p.fail("%v", err)
}

func (p *parser) charData(text []byte) error {
	if n := len(p.open); n > 0 {
		p.texts[n-1] = append(p.texts[n-1], text...)
		return nil
	}
	if len(bytes.TrimSpace(text)) > 0 {
		return p.fail("text outside the root element")
	}
	return nil
}

// start opens an element.
func (p *parser) start(t xml.StartElement) (*element, error) {
	e := &element{space: t.Name.Space, name: t.Name.Local}
	e.line, _ = p.dec.InputPos()
	if p.count++; p.count > maxElements {
		return nil, p.fail("more than %d elements", maxElements)
	}
	if len(p.open) == maxDepth {
		return nil, p.fail("more than %d nested elements", maxDepth)
	}
	if len(t.Attr) > maxAttributes {
		return nil, p.fail("more than %d attributes", maxAttributes)
	}
	for i, a := range t.Attr {
		for _, b := range t.Attr[:i] {
			if a.Name == b.Name {
				return nil, p.fail("attribute %s twice", a.Name.Local)
			}
		}
		if a.Name.Space == "" && a.Name.Local != "xmlns" {
			e.attrs = append(e.attrs, attribute{a.Name.Local, a.Value})
		}
	}
	if n := len(p.open); n > 0 {
		p.open[n-1].children = append(p.open[n-1].children, e)
	}
	p.open, p.texts = append(p.open, e), append(p.texts, nil)
	return e, nil
}

// end closes the innermost element. Blanks between its children say nothing.
func (p *parser) end() {
	n := len(p.open) - 1
	e, text := p.open[n], p.texts[n]
	if len(e.children) == 0 || len(bytes.TrimSpace(text)) > 0 {
		e.text = string(text)
	}
	p.open, p.texts = p.open[:n], p.texts[:n]
}

// attr returns the value of an attribute.
func (e *element) attr(name string) (string, bool) {
	for _, a := range e.attrs {
		if a.name == name {
			return a.value, true
		}
	}
	return "", false
}

// fail returns an error about the element.
func (e *element) fail(c *code, format string, args ...any) error {
	return fail(c, "line %d: %s: %s", e.line, abbreviate(e.name), fmt.Sprintf(format, args...))
}

// fields are what an element may contain: a reader for each child.
type fields map[string]func(*element) error

// read hands each child to its reader. Children come in any order, each at most once; unknown ones, text, and
// attributes that are not listed break the schema.
func (e *element) read(f fields, attrs ...string) error {
	if strings.TrimSpace(e.text) != "" {
		return e.fail(codeSchema, "text between elements")
	}
	if err := e.onlyAttrs(attrs); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, c := range e.children {
		set, ok := f[c.name]
		switch {
		case c.space != nsManagement:
			return c.fail(codeSchema, "not in the namespace %s", nsManagement)
		case !ok:
			return c.fail(codeSchema, "unknown in %s", e.name)
		case seen[c.name]:
			return c.fail(codeSchema, "twice")
		}
		seen[c.name] = true
		if err := set(c); err != nil {
			return err
		}
	}
	return nil
}

func (e *element) onlyAttrs(names []string) error {
next:
	for _, a := range e.attrs {
		for _, n := range names {
			if a.name == n {
				continue next
			}
		}
		return e.fail(codeSchema, "unknown attribute %s", abbreviate(a.name))
	}
	return nil
}

// leaf returns the text of an element that has no children.
func (e *element) leaf(attrs ...string) (string, error) {
	if len(e.children) > 0 {
		return "", e.children[0].fail(codeSchema, "unknown in %s", e.name)
	}
	return strings.TrimSpace(e.text), e.onlyAttrs(attrs)
}

// xmlDeclaration begins a document.
const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// document returns a document with the element as its root.
func (e *element) document() []byte { return append(e.append([]byte(xmlDeclaration), "", "\n"), '\n') }

// append writes the element inside one of a namespace. Indent is a line break and blanks, or empty.
func (e *element) append(b []byte, space, indent string) []byte {
	b = append(append(b, '<'), e.name...)
	if e.space != space {
		b = appendAttr(b, "xmlns", e.space)
	}
	for _, a := range e.attrs {
		b = appendAttr(b, a.name, a.value)
	}
	if len(e.children) == 0 && e.text == "" {
		return append(b, " />"...)
	}
	b = append(b, '>')
	b = appendText(b, e.text)
	inner := indent + "  "
	if e.text != "" || indent == "" {
		inner, indent = "", ""
	}
	for _, c := range e.children {
		b = c.append(append(b, inner...), e.space, inner)
	}
	if len(e.children) > 0 {
		b = append(b, indent...)
	}
	b = append(append(b, "</"...), e.name...)
	return append(b, '>')
}

func appendAttr(b []byte, name, value string) []byte {
	b = append(append(b, ' '), name...)
	b = append(b, `="`...)
	return append(appendText(b, value), '"')
}

// appendText escapes what XML gives a meaning, and replaces what it cannot carry.
func appendText(b []byte, s string) []byte {
	w := bytes.NewBuffer(b)
	_ = xml.EscapeText(w, []byte(s)) // a buffer takes everything
	return w.Bytes()
}

// node returns an element of the management namespace with children. Nil ones are left out.
func node(name string, children ...*element) *element {
	e := &element{space: nsManagement, name: name}
	e.add(children...)
	return e
}

// textNode returns one with text.
func textNode(name, text string) *element {
	return &element{space: nsManagement, name: name, text: text}
}

// add appends children. Nil ones are left out.
func (e *element) add(children ...*element) {
	for _, c := range children {
		if c != nil {
			e.children = append(e.children, c)
		}
	}
}

// with adds an attribute.
func (e *element) with(name, value string) *element {
	e.attrs = append(e.attrs, attribute{name, value})
	return e
}
