package throttle

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoSection is wrapped by the error of [ParseConfig] for a document without a section bitrateThrottling, which is
// what most web.config files are. What such a file inherits holds unchanged.
var ErrNoSection = errors.New("no section bitrateThrottling")

// errMissing is about a required attribute.
var errMissing = errors.New("missing")

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
	var b strings.Builder
	b.WriteString("throttle: config")
	if e.Line > 0 {
		fmt.Fprintf(&b, " line %d", e.Line)
	}
	if e.Element != "" {
		b.WriteString(": " + shorten(e.Element))
	}
	switch {
	case e.Attribute == "":
	case errors.Is(e.Err, errMissing):
		b.WriteString(": " + shorten(e.Attribute))
	default:
		fmt.Fprintf(&b, ": %s %q", shorten(e.Attribute), shorten(e.Value))
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
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

// position is a place in a document, from 1; zero is none.
type position struct{ line, column int }

// String implements fmt.Stringer.
func (p position) String() string { return fmt.Sprintf("line %d", p.line) }

// The most errors and warnings that are kept of one document.
const (
	maxConfigErrors   = 32
	maxConfigWarnings = 256
)

// configLog collects errors and warnings.
type configLog struct {
	errs     []error
	warnings []Warning
	// The number of those that were not kept.
	moreErrs, moreWarnings int
}

func (l *configLog) fail(e *ConfigError) {
	if len(l.errs) == maxConfigErrors {
		l.moreErrs++
		return
	}
	l.errs = append(l.errs, e)
}

// failElement is about an element.
func (l *configLog) failElement(el *element, format string, args ...any) {
	l.fail(&ConfigError{Line: el.at.line, Column: el.at.column, Element: el.label(), Err: fmt.Errorf(format, args...)})
}

// failAttribute is about an attribute of an element.
func (l *configLog) failAttribute(el *element, a attribute, err error) {
	l.fail(&ConfigError{
		Line: a.at.line, Column: a.at.column, Element: el.label(), Attribute: a.name, Value: a.value, Err: err,
	})
}

func (l *configLog) missing(el *element, name string) {
	l.failAttribute(el, attribute{name: name, at: el.at}, errMissing)
}

func (l *configLog) warn(at position, format string, args ...any) {
	if len(l.warnings) == maxConfigWarnings {
		l.moreWarnings++
		return
	}
	l.warnings = append(l.warnings, Warning{at.line, at.column, fmt.Sprintf(format, args...)})
}

// err returns the errors, joined.
func (l *configLog) err() error {
	if l.moreErrs > 0 {
		return errors.Join(append(l.errs, fmt.Errorf("throttle: config: %d more errors", l.moreErrs))...)
	}
	return errors.Join(l.errs...)
}

// all returns the warnings.
func (l *configLog) all() []Warning {
	if l.moreWarnings == 0 {
		return l.warnings
	}
	return append(l.warnings, Warning{Text: fmt.Sprintf("%d more warnings", l.moreWarnings)})
}

// shorten keeps messages short.
func shorten(s string) string {
	const limit = 64
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
