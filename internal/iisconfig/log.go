// Package iisconfig reads sections below system.webServer/media of an applicationHost.config or a web.config of IIS:
// it finds them, also in location elements, says where everything is, and knows how collections inherit.
package iisconfig

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// ErrNoSection: the document has no section of the name.
var ErrNoSection = errors.New("no section")

// ErrMissing is about a required attribute.
var ErrMissing = errors.New("missing")

// Error says what is wrong in a configuration, and where.
type Error struct {
	At xmltree.Position // of the attribute or the element; zero means that it is about the whole
	// Element is its name and key, such as "remove asx". It may be empty.
	Element string
	// Attribute and Value are as they are written. They are empty if it is not about an attribute.
	Attribute, Value string
	Err              error
}

// Error implements error. Packages put their name in front of it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("config")
	if e.At.Line > 0 {
		fmt.Fprintf(&b, " line %d", e.At.Line)
	}
	if e.Element != "" {
		b.WriteString(": " + xmltree.Shorten(e.Element))
	}
	switch {
	case e.Attribute == "":
	case errors.Is(e.Err, ErrMissing):
		b.WriteString(": " + xmltree.Shorten(e.Attribute))
	default:
		fmt.Fprintf(&b, ": %s %q", xmltree.Shorten(e.Attribute), xmltree.Shorten(e.Value))
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Warning is about a part of a configuration that has no effect, or perhaps not the one that was meant.
type Warning struct {
	At   xmltree.Position
	Text string
}

// The most errors and warnings that are kept of one document.
const (
	MaxErrors   = 32
	MaxWarnings = 256
)

// MaxEntries is the number of entries of collections in all sections of a document, inherited ones counted wherever
// they are inherited; and that of elements in these sections.
const MaxEntries = 1 << 17

// Log collects errors and warnings. The zero value is ready.
type Log struct {
	// Keys are the attributes that distinguish an element from its siblings, for messages.
	Keys []string
	// Secrets are the attributes whose values are in no message.
	Secrets []string

	errs                   []*Error
	warnings               []Warning
	moreErrs, moreWarnings int
	entries                int
}

// Grow counts entries before they are made, and tells whether there may be as many.
func (l *Log) Grow(at xmltree.Position, n int) bool {
	if l.entries > MaxEntries {
		return false
	}
	if l.entries += n; l.entries > MaxEntries {
		l.Fail(&Error{At: at, Err: fmt.Errorf("more than %d entries with those inherited", MaxEntries)})
		return false
	}
	return true
}

// Label returns the name of an element and what distinguishes it from its siblings.
func (l *Log) Label(el *xmltree.Element) string {
	for _, key := range l.Keys {
		if a, ok := el.GetFold(key); ok {
			return xmltree.Shorten(el.Name + " " + a.Value)
		}
	}
	return xmltree.Shorten(el.Name)
}

// Fail keeps an error.
func (l *Log) Fail(e *Error) {
	if len(l.errs) == MaxErrors {
		l.moreErrs++
		return
	}
	l.errs = append(l.errs, e)
}

// FailElement is about an element.
func (l *Log) FailElement(el *xmltree.Element, format string, args ...any) {
	l.Fail(&Error{At: el.At, Element: l.Label(el), Err: fmt.Errorf(format, args...)})
}

// FailAttr is about an attribute of an element.
func (l *Log) FailAttr(el *xmltree.Element, a xmltree.Attr, err error) {
	if slices.ContainsFunc(l.Secrets, func(name string) bool { return strings.EqualFold(name, a.Name) }) {
		a.Value = ""
	}
	l.Fail(&Error{At: a.At, Element: l.Label(el), Attribute: a.Name, Value: a.Value, Err: err})
}

// Warn keeps a warning.
func (l *Log) Warn(at xmltree.Position, format string, args ...any) {
	if len(l.warnings) == MaxWarnings {
		l.moreWarnings++
		return
	}
	l.warnings = append(l.warnings, Warning{at, fmt.Sprintf(format, args...)})
}

// Errors returns the errors that were kept, and one that counts the others.
func (l *Log) Errors() []*Error {
	if l.moreErrs == 0 {
		return l.errs
	}
	return append(l.errs, &Error{Err: fmt.Errorf("%d more errors", l.moreErrs)})
}

// Err returns the errors as they are in the form of a package, joined if there are several; nil if there are none.
func (l *Log) Err(as func(*Error) error) error {
	var list []error
	for _, e := range l.Errors() {
		list = append(list, as(e))
	}
	if len(list) == 1 {
		return list[0]
	}
	return errors.Join(list...)
}

// SortWarnings brings the warnings that were kept into the order of the document.
func (l *Log) SortWarnings() {
	slices.SortStableFunc(l.warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column))
	})
}

// Warnings returns the warnings that were kept, in the order they came or were sorted in, and one that counts the others.
func (l *Log) Warnings() []Warning {
	if l.moreWarnings == 0 {
		return l.warnings
	}
	return append(l.warnings, Warning{Text: fmt.Sprintf("%d more warnings", l.moreWarnings)})
}
