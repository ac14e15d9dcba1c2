package livesmooth

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/smoothkit/smoothkit/internal/textenc"
	"github.com/smoothkit/smoothkit/smooth"
)

const (
	// ismlFile is what errors call a definition whose name they do not know.
	ismlFile = "publishing point"
	// maxISMLDepth bounds nested elements, and maxISMLAttributes the attributes of one.
	maxISMLDepth      = 32
	maxISMLAttributes = 64
)

// ismlDocument is what a definition says, in its order.
type ismlDocument struct {
	metas []ismlMeta
	refs  []ismlRef
}

type ismlMeta struct {
	name, value string
	place       ismlPlace
}

type ismlRef struct {
	point RemotePoint
	list  string
	place ismlPlace
}

// ismlPlace is where an element stands.
type ismlPlace struct {
	path string
	line int
}

func (p ismlPlace) fail(sentinel error, format string, args ...any) error {
	return &smooth.FileError{
		File: ismlFile, Path: p.path, Offset: -1, Line: p.line, Reason: fmt.Sprintf(format, args...), Err: sentinel,
	}
}

// readISML reads the elements of a definition that have a meaning.
func readISML(data []byte) (*ismlDocument, error) {
	r := &ismlReader{doc: new(ismlDocument)}
	if len(data) > maxISMLBytes {
		return nil, r.fail(smooth.ErrTooLarge, "%d bytes, limit %d", len(data), maxISMLBytes)
	}
	text, err := textenc.UTF8(data)
	if err != nil {
		return nil, r.fail(smooth.ErrCorrupt, "%v", err)
	}
	r.dec = xml.NewDecoder(bytes.NewReader(text))
	// The bytes are UTF-8 by now, whatever the declaration says.
	r.dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		r.line, _ = r.dec.InputPos()
		switch tok, err := r.dec.Token(); {
		case err == io.EOF && r.roots == 0:
			return nil, r.fail(smooth.ErrCorrupt, "no smil element")
		case err == io.EOF:
			return r.doc, nil
		case err != nil:
			return nil, r.syntax(err)
		default:
			if err := r.token(tok); err != nil {
				return nil, err
			}
		}
	}
}

// ismlReader walks through a definition. The decoder sees to it that elements are closed as they should be.
type ismlReader struct {
	dec   *xml.Decoder
	doc   *ismlDocument
	stack []string // open elements
	roots int
	line  int // where the last token began
}

func (r *ismlReader) place() ismlPlace {
	return ismlPlace{path: strings.Join(r.stack, "/"), line: r.line}
}

func (r *ismlReader) fail(sentinel error, format string, args ...any) error {
	return r.place().fail(sentinel, format, args...)
}

func (r *ismlReader) syntax(err error) error {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		r.line = syntax.Line
		return r.fail(smooth.ErrCorrupt, "%s", syntax.Msg)
	}
	return r.fail(smooth.ErrCorrupt, "%v", err)
}

func (r *ismlReader) token(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.Directive:
		return r.fail(smooth.ErrCorrupt, "document type declarations are not allowed")
	case xml.CharData:
		if len(r.stack) == 0 && len(bytes.TrimSpace(t)) > 0 {
			return r.fail(smooth.ErrCorrupt, "text outside the root element")
		}
	case xml.EndElement:
		r.stack = r.stack[:len(r.stack)-1]
	case xml.StartElement:
		return r.element(t)
	}
	return nil
}

func (r *ismlReader) element(el xml.StartElement) error {
	if len(r.stack) == 0 {
		if r.roots++; r.roots > 1 || !equalFold(el.Name.Local, "smil") {
			return r.fail(smooth.ErrCorrupt, "root element %s, want one smil", shorten(el.Name.Local))
		}
	}
	if len(r.stack) >= maxISMLDepth {
		return r.fail(smooth.ErrTooLarge, "more than %d nested elements", maxISMLDepth)
	}
	r.stack = append(r.stack, shorten(el.Name.Local))
	switch {
	case len(r.stack) == 3 && equalFold(r.stack[1], "head") && equalFold(r.stack[2], "meta"):
		return r.meta(el)
	case len(r.stack) > 2 && equalFold(r.stack[1], "body") && equalFold(el.Name.Local, "ref"):
		return r.ref(el)
	}
	return nil
}

func (r *ismlReader) meta(el xml.StartElement) error {
	m := ismlMeta{place: r.place()}
	err := r.attributes(el, map[string]*string{"name": &m.name, "content": &m.value})
	if err == nil && m.name != "" {
		r.doc.metas = append(r.doc.metas, m)
	}
	return err
}

func (r *ismlReader) ref(el xml.StartElement) error {
	ref := ismlRef{place: r.place()}
	err := r.attributes(el, map[string]*string{"src": &ref.point.URL, "credentialname": &ref.point.Credential, "list": &ref.list})
	ref.point.URL, ref.list = strings.TrimSpace(ref.point.URL), strings.TrimSpace(ref.list)
	r.doc.refs = append(r.doc.refs, ref)
	return err
}

// attributes reads those attributes without prefix whose names, in lower case, are in want. Names must be unique.
func (r *ismlReader) attributes(el xml.StartElement, want map[string]*string) error {
	if len(el.Attr) > maxISMLAttributes {
		return r.fail(smooth.ErrTooLarge, "%d attributes, limit %d", len(el.Attr), maxISMLAttributes)
	}
	for _, a := range el.Attr {
		key := strings.ToLower(a.Name.Local)
		to, ok := want[key]
		switch {
		case a.Name.Space != "" || !ok:
			continue
		case to == nil:
			return r.fail(smooth.ErrCorrupt, "attribute %s twice", a.Name.Local)
		}
		*to, want[key] = a.Value, nil
	}
	return nil
}
