package iisconfig

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// Attributes calls set for each attribute, its name in lower case, and tells whether all was well. Those that set does
// not know are read over with a warning. Names are taken in any case; IIS takes one only.
func (l *Log) Attributes(el *xmltree.Element, set func(name string, a xmltree.Attr) (known bool, err error)) bool {
	ok := true
	seen := make(map[string]xmltree.Position, len(el.Attrs))
	for _, a := range el.Attrs {
		name := strings.ToLower(a.Name)
		if at, twice := seen[name]; twice {
			l.FailAttr(el, a, fmt.Errorf("there is one at %v already", at))
			ok = false
			continue
		}
		seen[name] = a.At
		known, err := set(name, a)
		switch {
		case err != nil:
			l.FailAttr(el, a, err)
			ok = false
		case !known && !isDelegation(name):
			l.Warn(a.At, "%s: attribute %s is not known", l.Label(el), xmltree.Shorten(a.Name))
		}
	}
	return ok
}

// Require tells whether an element has the attributes that it must have.
func (l *Log) Require(el *xmltree.Element, names ...string) bool {
	ok := true
	for _, name := range names {
		if _, there := el.GetFold(name); !there {
			l.FailAttr(el, xmltree.Attr{Name: name, At: el.At}, ErrMissing)
			ok = false
		}
	}
	return ok
}

// NoAttributes is for elements that have none.
func (l *Log) NoAttributes(el *xmltree.Element) {
	l.Attributes(el, func(string, xmltree.Attr) (bool, error) { return false, nil })
}

// Unknown is about a child that its parent does not have.
func (l *Log) Unknown(el, child *xmltree.Element) {
	l.Warn(child.At, "%s: element %s is not known", l.Label(el), xmltree.Shorten(child.Name))
}

// NoChildren is for elements that have none.
func (l *Log) NoChildren(el *xmltree.Element) {
	for _, child := range el.Children {
		l.Unknown(el, child)
	}
}

// isDelegation tells whether an attribute, its name in lower case, says something about who may change what, which
// every element of IIS's configuration may have; or is a namespace.
func isDelegation(name string) bool {
	switch name {
	case "lockattributes", "lockallattributesexcept", "lockelements", "lockallelementsexcept", "lockitem", "xmlns":
		return true
	}
	return strings.HasPrefix(name, "xmlns:")
}

// SetBool reads a boolean.
func SetBool(to *bool, s string) error {
	switch {
	case strings.EqualFold(s, "true"):
		*to = true
	case strings.EqualFold(s, "false"):
		*to = false
	default:
		return errors.New("neither true nor false")
	}
	return nil
}

// SetWhole reads a decimal number between low and high, which T holds.
func SetWhole[T ~int | ~uint32 | ~int64](to *T, s string, low, high int64) error {
	s = strings.TrimSpace(s)
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return errors.New("not a whole number")
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < low || v > high {
		return fmt.Errorf("not between %d and %d", low, high)
	}
	*to = T(v)
	return nil
}
