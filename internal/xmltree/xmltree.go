// Package xmltree reads XML documents of small vocabularies within limits, and says where each element and attribute
// is, which encoding/xml does not. Namespaces are not looked at: a name is what is written, with its prefix.
package xmltree

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that an [Error] wraps.
var (
	// ErrSyntax: the document is not well-formed, or has a declaration that is not allowed.
	ErrSyntax = errors.New("syntax error")
	// ErrTooLarge: the document is above one of its [Limits].
	ErrTooLarge = errors.New("above the limit")
)

// Position is a place in a document. The first line and column are 1; zero is no place. Columns count bytes of UTF-8.
type Position struct{ Line, Column int }

// String returns the line, which is what messages refer to.
func (p Position) String() string { return fmt.Sprintf("line %d", p.Line) }

// After returns the position behind text that begins at p.
func (p Position) After(text string) Position {
	if n := strings.Count(text, "\n"); n > 0 {
		return Position{p.Line + n, len(text) - strings.LastIndexByte(text, '\n')}
	}
	return Position{p.Line, p.Column + len(text)}
}

// Error says where and why a document cannot be read.
type Error struct {
	At Position
	// Inside tells that At is not where something begins, but where in a tag or a text the decoder gave up.
	Inside  bool
	Element string // the innermost element, empty outside of the root
	Detail  string
	Err     error // ErrSyntax or ErrTooLarge
}

// Error implements error.
func (e *Error) Error() string {
	if e.Element == "" {
		return fmt.Sprintf("%v: %s", e.At, e.Detail)
	}
	return fmt.Sprintf("%v: %s: %s", e.At, Shorten(e.Element), e.Detail)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Limits bound what is read. None may be zero.
type Limits struct {
	Bytes    int // of the document, in whatever encoding it is in
	Depth    int // nested elements
	Attrs    int // of one element
	Value    int // bytes of an attribute or of a piece of text
	Elements int // that are visited; those that are skipped do not count
}

// Attr is an attribute.
type Attr struct {
	Name, Value string
	At          Position
}

// Element is an element. Children are only those that [Reader.Tree] read.
type Element struct {
	Name     string
	At       Position
	Attrs    []Attr
	Children []*Element
}

// Local returns the name without its prefix.
func (e *Element) Local() string { return e.Name[strings.IndexByte(e.Name, ':')+1:] }

// Is tells whether the element has a name, in any case.
func (e *Element) Is(name string) bool { return strings.EqualFold(e.Name, name) }

// Get returns the attribute of exactly a name.
func (e *Element) Get(name string) (Attr, bool) {
	for _, a := range e.Attrs {
		if a.Name == name {
			return a, true
		}
	}
	return Attr{}, false
}

// GetFold returns the first attribute of a name in any case.
func (e *Element) GetFold(name string) (Attr, bool) {
	for _, a := range e.Attrs {
		if strings.EqualFold(a.Name, name) {
			return a, true
		}
	}
	return Attr{}, false
}

// Shorten keeps messages short.
func Shorten(s string) string { return shorten(s, 64) }

func shorten(s string, limit int) string {
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return s
}
