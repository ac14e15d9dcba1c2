package xmltree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/textenc"
)

// Reader reads a document element by element. Every element that a [Visit] receives must be consumed by exactly one of
// Children, Skip and Tree.
type Reader struct {
	// Doctype is called for a document type before the root, with what is between <! and >. Nil refuses it. Entities
	// are never expanded, whatever it declares.
	Doctype func(at Position, text string) error
	// Text is called for text in an element that is not only white space, which was trimmed. Nil ignores it.
	Text func(element string, at Position, text string)
	// Repeated lets pass what is not well-formed: attributes that an element has more than once. It is for callers that
	// find these themselves.
	Repeated bool

	limits   Limits
	dec      *xml.Decoder
	data     []byte // UTF-8 without byte order mark
	open     []string
	at       Position // where the last token began
	offset   int64    // the same in data
	elements int
}

// Visit consumes an element.
type Visit func(el *Element) error

// New returns a reader of a document in UTF-8 or UTF-16.
func New(data []byte, limits Limits) (*Reader, error) {
	if len(data) > limits.Bytes {
		return nil, &Error{Err: ErrTooLarge, Detail: fmt.Sprintf("%d bytes, limit %d", len(data), limits.Bytes)}
	}
	text, err := textenc.UTF8(data)
	if err != nil {
		return nil, &Error{Err: ErrSyntax, Detail: err.Error()}
	}
	r := &Reader{limits: limits, dec: xml.NewDecoder(bytes.NewReader(text)), data: text}
	// The bytes are UTF-8 by now, whatever the declaration says; what is not is an error of the decoder.
	r.dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	return r, nil
}

// Fail returns an error about a place in the innermost element.
func (r *Reader) Fail(at Position, sentinel error, format string, args ...any) error {
	return &Error{At: at, Element: r.innermost(), Detail: fmt.Sprintf(format, args...), Err: sentinel}
}

// innermost returns the name of the innermost element, empty outside of the root.
func (r *Reader) innermost() string {
	if n := len(r.open); n > 0 {
		return r.open[n-1]
	}
	return ""
}

// At returns where the last token began.
func (r *Reader) At() Position { return r.at }

// Depth returns the number of open elements.
func (r *Reader) Depth() int { return len(r.open) }

// token returns the next token, nil at the end of the document.
func (r *Reader) token() (xml.Token, error) {
	r.at.Line, r.at.Column = r.dec.InputPos()
	r.offset = r.dec.InputOffset()
	tok, err := r.dec.RawToken()
	var syntax *xml.SyntaxError
	switch {
	case err == io.EOF && len(r.open) == 0:
		return nil, nil
	case err == io.EOF:
		return nil, r.Fail(r.at, ErrSyntax, "unexpected end of input")
	case errors.As(err, &syntax):
		line, column := r.dec.InputPos()
		return nil, &Error{
			At: Position{line, column}, Inside: true, Element: r.innermost(), Detail: shorten(syntax.Msg, 128), Err: ErrSyntax,
		}
	case err != nil:
		return nil, r.Fail(r.at, ErrSyntax, "%v", err)
	}
	return tok, r.check(tok)
}

// check enforces the limits of one token.
func (r *Reader) check(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		if len(t.Attr) > r.limits.Attrs {
			return r.Fail(r.at, ErrTooLarge, "%d attributes, limit %d", len(t.Attr), r.limits.Attrs)
		}
		for i, a := range t.Attr {
			if len(a.Value) > r.limits.Value {
				return r.Fail(r.at, ErrTooLarge, "attribute %s of %d bytes, limit %d", Shorten(rawName(a.Name)),
					len(a.Value), r.limits.Value)
			}
			same := func(b xml.Attr) bool { return a.Name == b.Name }
			if !r.Repeated && slices.ContainsFunc(t.Attr[:i], same) {
				return r.Fail(r.at, ErrSyntax, "attribute %s twice", Shorten(rawName(a.Name)))
			}
		}
	case xml.CharData:
		if len(t) > r.limits.Value && len(bytes.TrimSpace(t)) > r.limits.Value {
			return r.Fail(r.at, ErrTooLarge, "text of %d bytes, limit %d", len(t), r.limits.Value)
		}
	}
	return nil
}

// Document reads what is outside of elements and visits each root. A visit may refuse a second one.
func (r *Reader) Document(root Visit) error {
	roots := 0
	for {
		tok, err := r.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case nil:
			return nil
		case xml.StartElement:
			roots++
			if err := r.enter(t, root); err != nil {
				return err
			}
		case xml.EndElement:
			return r.Fail(r.at, ErrSyntax, "</%s> closes nothing", Shorten(rawName(t.Name)))
		case xml.CharData:
			if text := bytes.TrimSpace(t); len(text) > 0 {
				return r.Fail(r.at, ErrSyntax, "text %q outside of elements", Shorten(string(text)))
			}
		case xml.Directive:
			if err := r.directive(t, roots == 0); err != nil {
				return err
			}
		}
	}
}

func (r *Reader) directive(t xml.Directive, allowed bool) error {
	if r.Doctype == nil || !allowed {
		return r.Fail(r.at, ErrSyntax, "document types are not allowed")
	}
	return r.Doctype(r.at, string(t))
}

// enter opens an element and has it consumed.
func (r *Reader) enter(t xml.StartElement, visit Visit) error {
	if err := r.push(t); err != nil {
		return err
	}
	if r.elements++; r.elements > r.limits.Elements {
		return r.Fail(r.at, ErrTooLarge, "more than %d elements", r.limits.Elements)
	}
	el := &Element{Name: rawName(t.Name), At: r.at}
	if len(t.Attr) > 0 {
		el.Attrs = make([]Attr, 0, len(t.Attr))
	}
	at := attrPositions(string(r.data[r.offset:r.dec.InputOffset()]), r.at, len(t.Attr))
	for i, a := range t.Attr {
		el.Attrs = append(el.Attrs, Attr{rawName(a.Name), a.Value, at[i]})
	}
	return visit(el)
}

func (r *Reader) push(t xml.StartElement) error {
	r.open = append(r.open, rawName(t.Name))
	if len(r.open) > r.limits.Depth {
		return r.Fail(r.at, ErrTooLarge, "more than %d nested elements", r.limits.Depth)
	}
	return nil
}

func (r *Reader) pop(t xml.EndElement) error {
	last := len(r.open) - 1
	if name := rawName(t.Name); name != r.open[last] {
		return r.Fail(r.at, ErrSyntax, "closed by </%s>", Shorten(name))
	}
	r.open = r.open[:last]
	return nil
}

// Children consumes the innermost element and visits the elements in it.
func (r *Reader) Children(child Visit) error {
	for {
		tok, err := r.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if err := r.enter(t, child); err != nil {
				return err
			}
		case xml.EndElement:
			return r.pop(t)
		case xml.CharData:
			r.text(string(t))
		case xml.Directive:
			return r.directive(t, false)
		}
	}
}

func (r *Reader) text(text string) {
	if r.Text == nil {
		return
	}
	const space = " \t\r\n"
	at := r.at.After(text[:len(text)-len(strings.TrimLeft(text, space))])
	if text = strings.Trim(text, space); text != "" {
		r.Text(r.innermost(), at, text)
	}
}

// Skip consumes the innermost element. It has the form of a [Visit].
func (r *Reader) Skip(*Element) error {
	for depth := len(r.open) - 1; len(r.open) > depth; {
		tok, err := r.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			err = r.push(t)
		case xml.EndElement:
			err = r.pop(t)
		case xml.Directive:
			err = r.directive(t, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Tree consumes the innermost element, which el is, and completes its children.
func (r *Reader) Tree(el *Element) error {
	return r.Children(func(child *Element) error {
		el.Children = append(el.Children, child)
		return r.Tree(child)
	})
}

func rawName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// attrPositions returns where the n attributes of a start tag begin. The tag is well-formed and begins at a position.
func attrPositions(tag string, at Position, n int) []Position {
	const space = " \t\r\n"
	if n == 0 {
		return nil
	}
	list := make([]Position, 0, n)
	skip := func(size int) { at, tag = at.After(tag[:size]), tag[size:] }
	to := func(set string) {
		if i := strings.IndexAny(tag, set); i >= 0 {
			skip(i)
		}
	}
	to(space + "/>")
	for len(list) < n {
		skip(len(tag) - len(strings.TrimLeft(tag, space)))
		list = append(list, at)
		to(`"'`)
		quote := tag[:min(1, len(tag))]
		skip(len(quote))
		to(quote)
		skip(min(1, len(tag)))
	}
	return list
}
