package throttle

import (
	"errors"
	"fmt"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// ErrNoSection is wrapped by the error of [ParseConfig] for a document without a section bitrateThrottling, which is
// what most web.config files are. What such a file inherits holds unchanged.
var ErrNoSection = errors.New("no section bitrateThrottling")

// ConfigError says what is wrong in a configuration, and where.
type ConfigError struct {
	// Line and Column are where the attribute or the element begins, from 1. Columns count bytes of UTF-8. Zero means
	// that it is about the whole.
	Line, Column int
	// Element is its name and key, such as "add .wmv". It may be empty.
	Element string
	// Attribute and Value are as they are written. They are empty if it is not about an attribute.
	Attribute, Value string
	Err              error
}

// Error implements error, such as: throttle: config line 12: add .wmv: throttleRatePercentage "abc": not a whole number.
func (e *ConfigError) Error() string {
	inner := iisconfig.Error{
		At: xmltree.Position{Line: e.Line, Column: e.Column}, Element: e.Element, Attribute: e.Attribute, Value: e.Value, Err: e.Err,
	}
	return "throttle: " + inner.Error()
}

// Unwrap returns Err.
func (e *ConfigError) Unwrap() error { return e.Err }

// Warning is about a part of a configuration that has no effect, or perhaps not the one that was meant.
type Warning struct {
	Line, Column int // as those of [ConfigError]
	Text         string
}

// String returns the warning with its line.
func (w Warning) String() string { return fmt.Sprintf("line %d: %s", w.Line, w.Text) }

// configError returns an error in the form of this package.
func configError(e *iisconfig.Error) error {
	inner := e.Err
	if errors.Is(inner, iisconfig.ErrNoSection) {
		inner = ErrNoSection
	}
	return &ConfigError{
		Line: e.At.Line, Column: e.At.Column, Element: e.Element, Attribute: e.Attribute, Value: e.Value, Err: inner,
	}
}
