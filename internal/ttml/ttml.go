package ttml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

const (
	// Second in the ticks of all times of this package.
	Second = 10_000_000
	// Forever is the end of what has none, in ticks.
	Forever = int64(1) << 60
)

// Bounds on documents. One above them is refused.
const (
	// MaxDocument is the largest document, in bytes.
	MaxDocument = 16 << 20
	// MaxDepth is the deepest nesting of elements.
	MaxDepth = 64
	// MaxCues is the largest number of p elements.
	MaxCues = 200_000
)

// Document is a TTML document whose p elements have been made cues. It is for one goroutine.
type Document struct {
	// Open is the XML declaration and all up to and including the start tag of body, without its times; what stands
	// in head is as it was.
	Open []byte
	// Divs are the places of cues, in document order.
	Divs []Div
	// Close is the end tags of body and tt.
	Close []byte
	// Language is xml:lang of tt, or empty.
	Language string
	// Cues in document order.
	Cues []Cue

	size    int // of the document read, in bytes
	styles  styleSheet
	regions map[string]*style
	root    rootParameters
}

// Div is the tags of the div elements around cues, without their times; both are empty directly in body.
type Div struct{ Open, Close string }

// Cue is a p element that is shown for some time.
type Cue struct {
	// Begin and End are on the timeline of the document, in ticks, half-open. End is Forever if the document has none.
	Begin, End int64
	// Div is the position of the place in [Document.Divs].
	Div int
	// Tag is the qualified name of the element.
	Tag string
	// Attributes are the other attributes than times, as written in a tag: each with a leading space.
	Attributes string
	// Inner is the content.
	Inner []Piece

	line   int // of the start tag
	runs   []run
	style  *style // stated by the elements around the text and by p itself
	region string
}

// Piece is a part of a cue's content: XML, or a time, which is to be written relative to Base.
type Piece struct {
	XML string
	// Time of an element and the begin of the element around it, both in ticks from the cue's begin.
	Time, Base int64
	IsTime     bool
}

// Error says where a document is wrong.
type Error struct {
	// Line counts from 1.
	Line int
	// Reason in lower case, or the text of an XML error.
	Reason string
	// TooLarge tells that the document exceeds a bound of this package.
	TooLarge bool
}

// tooLarge is the reason of an [*Error] that is TooLarge.
type tooLarge string

// Error implements error.
func (t tooLarge) Error() string { return string(t) }

// fault returns an error as an [*Error].
func fault(line int, err error) *Error {
	var t tooLarge
	return &Error{Line: line, Reason: err.Error(), TooLarge: errors.As(err, &t)}
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("ttml: line %d: %s", e.Line, e.Reason) }

// Escape returns s as XML text or attribute value. Characters that XML forbids become U+FFFD. Line breaks stay.
func Escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return strings.ReplaceAll(b.String(), "&#xA;", "\n")
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// startTag returns the tag of t.
func startTag(t xml.StartElement) string { return "<" + qualified(t.Name) + attributes(t.Attr) + ">" }

func attributes(list []xml.Attr) string {
	var b strings.Builder
	for _, a := range list {
		b.WriteString(" " + qualified(a.Name) + `="` + Escape(a.Value) + `"`)
	}
	return b.String()
}
