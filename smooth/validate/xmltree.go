package validate

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// element is a node of a parsed document with its line.
type element struct {
	name, space string
	line        int
	attrs       []xmlAttr
	children    []*element
	text        []byte
}

type xmlAttr struct{ name, space, value string }

// attr returns the value of an attribute; a name that differs in case counts, since that is reported on its own.
func (e *element) attr(name string) (string, bool) {
	for _, a := range e.attrs {
		if a.name == name && a.space == "" {
			return a.value, true
		}
	}
	for _, a := range e.attrs {
		if strings.EqualFold(a.name, name) && a.space == "" {
			return a.value, true
		}
	}
	return "", false
}

// all returns the children called name.
func (e *element) all(name string) []*element {
	var out []*element
	for _, c := range e.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// errTooLarge stops the parser at a limit of this package.
var errTooLarge = errors.New("too large to check")

// xmlDocument is what the strict reader found in a document.
type xmlDocument struct {
	root      *element
	dtdLine   int    // line of a document type declaration, or 0
	duplicate string // the first repeated attribute, or empty
	dupLine   int    // its line
	label     string // encoding in the XML declaration, lower case
	actual    string // encoding of the bytes: utf-8 or utf-16
}

// parseXML reads a whole document. The error is a syntax error with its line, or wraps [errTooLarge].
func parseXML(data []byte) (*xmlDocument, int, error) {
	if len(data) > MaxManifestSize {
		return nil, 0, fmt.Errorf("%d bytes, limit %d: %w", len(data), MaxManifestSize, errTooLarge)
	}
	doc := &xmlDocument{actual: "utf-8"}
	text := decodeText(data, doc)
	if !utf8.Valid(text) {
		return doc, 1, errors.New("the bytes are not valid UTF-8, and there is no UTF-16 byte order mark")
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // decoded above
	b := &treeBuilder{doc: doc, d: d}
	if err := b.run(); err != nil {
		line, _ := d.InputPos()
		return doc, line, err
	}
	return doc, 0, nil
}

// decodeText returns the document as UTF-8 without a byte order mark.
func decodeText(data []byte, doc *xmlDocument) []byte {
	var big bool
	switch {
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		big = true
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
	default:
		return bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	}
	doc.actual = "utf-16"
	return []byte(decodeUTF16(data[2:], big))
}

func decodeUTF16(data []byte, big bool) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		a, b := uint16(data[2*i]), uint16(data[2*i+1])
		if big {
			a, b = b, a
		}
		units[i] = b<<8 | a
	}
	return string(utf16.Decode(units))
}

type treeBuilder struct {
	doc   *xmlDocument
	d     *xml.Decoder
	stack []*element
	count int
}

func (b *treeBuilder) run() error {
	for {
		line, _ := b.d.InputPos()
		tok, err := b.d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := b.token(tok, line); err != nil {
			return err
		}
	}
	if b.doc.root == nil {
		return errors.New("there is no root element")
	}
	return nil
}

func (b *treeBuilder) token(tok xml.Token, line int) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return b.start(t, line)
	case xml.EndElement:
		b.stack = b.stack[:len(b.stack)-1]
	case xml.CharData:
		return b.chars(t)
	case xml.Directive:
		if b.doc.dtdLine == 0 {
			b.doc.dtdLine = line
		}
	case xml.ProcInst:
		if t.Target == "xml" {
			b.doc.label = encodingLabel(string(t.Inst))
		}
	}
	return nil
}

func (b *treeBuilder) start(t xml.StartElement, line int) error {
	b.count++
	if b.count > maxElements || len(b.stack) >= maxDepth || len(t.Attr) > maxAttrs {
		return fmt.Errorf("%d elements, %d deep, %d attributes, limits %d, %d and %d: %w",
			b.count, len(b.stack)+1, len(t.Attr), maxElements, maxDepth, maxAttrs, errTooLarge)
	}
	e := &element{name: t.Name.Local, space: t.Name.Space, line: line}
	seen := make(map[xml.Name]bool, len(t.Attr))
	for _, a := range t.Attr {
		if seen[a.Name] && b.doc.duplicate == "" {
			b.doc.duplicate = fmt.Sprintf("%s has two attributes %s", e.name, a.Name.Local)
			b.doc.dupLine = line
		}
		seen[a.Name] = true
		e.attrs = append(e.attrs, xmlAttr{a.Name.Local, a.Name.Space, a.Value})
	}
	switch {
	case len(b.stack) > 0:
		parent := b.stack[len(b.stack)-1]
		parent.children = append(parent.children, e)
	case b.doc.root != nil:
		return errors.New("there is a second root element")
	default:
		b.doc.root = e
	}
	b.stack = append(b.stack, e)
	return nil
}

func (b *treeBuilder) chars(t xml.CharData) error {
	if len(b.stack) > 0 {
		top := b.stack[len(b.stack)-1]
		top.text = append(top.text, bytes.TrimSpace(t)...)
		return nil
	}
	if len(bytes.TrimSpace(t)) > 0 {
		return errors.New("there is text outside the root element")
	}
	return nil
}

// encodingLabel returns the value of encoding="..." in an XML declaration, in lower case.
func encodingLabel(decl string) string {
	_, rest, ok := strings.Cut(decl, "encoding")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t\r\n=")
	if rest == "" || (rest[0] != '"' && rest[0] != '\'') {
		return ""
	}
	value, _, _ := strings.Cut(rest[1:], rest[:1])
	return strings.ToLower(value)
}
