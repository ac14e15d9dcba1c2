package alias

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Why a rule was refused. A [RuleError] wraps one of them.
var (
	// ErrSyntax: a line of a map file does not follow the grammar.
	ErrSyntax = errors.New("malformed line")
	// ErrPattern: what the rule matches is malformed.
	ErrPattern = errors.New("malformed pattern")
	// ErrTarget: what the rule leads to is malformed, or leads where a rule may not lead.
	ErrTarget = errors.New("bad target")
	// ErrStatus: the status is none that a rule may have.
	ErrStatus = errors.New("bad status")
	// ErrDuplicate: another rule matches the same paths of the same host.
	ErrDuplicate = errors.New("duplicate rule")
	// ErrLoop: redirects lead in a circle, or never end.
	ErrLoop = errors.New("redirects without end")
)

// Why an input was refused as a whole.
var (
	// ErrTooLarge: a file, or the number of rules or containers, is above a documented limit.
	ErrTooLarge = errors.New("too large")
	// ErrCatalog: a list of locators or assets is in no form that is known.
	ErrCatalog = errors.New("malformed catalog")
)

// maxErrors bounds the errors that are reported for one input.
const maxErrors = 20

// RuleError says which rule is wrong and why.
type RuleError struct {
	// Line of the map file, from 1, or 0 for rules of a program.
	Line int
	// Index among the rules, from 0.
	Index int
	// Text is the rule, shortened.
	Text string
	// Err wraps one of the sentinels.
	Err error
}

// Error implements error.
func (e *RuleError) Error() string {
	where := "rule " + strconv.Itoa(e.Index+1)
	if e.Line > 0 {
		where = "line " + strconv.Itoa(e.Line)
	}
	return fmt.Sprintf("alias: %s: %s: %v", where, e.Text, e.Err)
}

// Unwrap returns Err.
func (e *RuleError) Unwrap() error { return e.Err }

// errorList collects the first errors of an input and counts the others.
type errorList struct {
	list []error
	more int
}

func (l *errorList) add(err error) {
	if len(l.list) == maxErrors {
		l.more++
		return
	}
	l.list = append(l.list, err)
}

// join returns nil if there were none.
func (l *errorList) join() error {
	if l.more > 0 {
		return errors.Join(append(l.list[:maxErrors:maxErrors], fmt.Errorf("alias: and %d more", l.more))...)
	}
	return errors.Join(l.list...)
}

// shorten cuts text for a message, and quotes it where it has other than printable characters.
func shorten(text string) string {
	const most = 120
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	if strings.ContainsFunc(text, func(c rune) bool { return !strconv.IsPrint(c) }) {
		return strconv.Quote(text)
	}
	return text
}
