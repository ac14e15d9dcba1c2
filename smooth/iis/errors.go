package iis

import (
	"errors"
	"fmt"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// ErrNoConfiguration is wrapped by the error of [Parse] for a document whose root is no element of a configuration of
// IIS.
var ErrNoConfiguration = errors.New("no configuration of IIS")

// Errors of the constructors of handlers.
var (
	// ErrPattern: a pattern of a rewrite rule is one that package regexp does not have, such as one that looks around.
	ErrPattern = errors.New("not a pattern of package regexp")
	// ErrRule: a rewrite rule has something that is not understood, or lacks something.
	ErrRule = errors.New("not something that rules have here")
	// ErrOptions: options do not fit together, or are out of range.
	ErrOptions = errors.New("options")
)

// ErrMapping is returned by [NewPaths] for a table that is wrong.
var ErrMapping = errors.New("mapping")

// ConfigError says what is wrong in a configuration, and where.
type ConfigError struct {
	// Line and Column are where the attribute or the element begins, from 1. Columns count bytes of UTF-8. Zero means
	// that it is about the whole.
	Line, Column int
	// Element is its name and key, such as "mimeMap .wmv". It may be empty.
	Element string
	// Attribute and Value are as they are written. They are empty if it is not about an attribute.
	Attribute, Value string
	Err              error
}

// Error implements error, such as: iis: config line 12: binding: bindingInformation "80": no address and port.
func (e *ConfigError) Error() string {
	inner := iisconfig.Error{
		At: xmltree.Position{Line: e.Line, Column: e.Column}, Element: e.Element, Attribute: e.Attribute, Value: e.Value, Err: e.Err,
	}
	return "iis: " + inner.Error()
}

// Unwrap returns Err.
func (e *ConfigError) Unwrap() error { return e.Err }

// configError returns an error in the form of this package.
func configError(e *iisconfig.Error) error {
	return &ConfigError{
		Line: e.At.Line, Column: e.At.Column, Element: e.Element, Attribute: e.Attribute, Value: e.Value, Err: e.Err,
	}
}

// readError returns an error of the reader of XML.
func readError(err error) error {
	var own *ConfigError
	var e *xmltree.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &e):
		return &ConfigError{Line: e.At.Line, Column: e.At.Column, Element: e.Element, Err: fmt.Errorf("%s: %w", e.Detail, e.Err)}
	}
	return &ConfigError{Err: err}
}
