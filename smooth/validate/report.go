package validate

import (
	"fmt"
	"strings"
)

// Severity tells errors from warnings.
type Severity uint8

const (
	// Error is a breach of the specification.
	Error Severity = iota
	// Warning is something allowed, or tolerated, that a known client stumbles over.
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Rule is one requirement. Its ID never changes its meaning.
type Rule struct {
	ID       string
	Severity Severity
	// Clause is where the requirement comes from, such as "[MS-SSTR] 2.2.2.6" or "client: VLC 3".
	Clause string
	// Text states the requirement in one line.
	Text string
}

// Place is where a violation is. Empty fields do not apply.
type Place struct {
	// Document is the URL or file name.
	Document string
	// Stream is the stream's name, Level the bit rate of the quality level, Time the start of the chunk in ticks.
	Stream, Level, Time string
	// Line in an XML document, counted from 1.
	Line int
	// Box is a box path such as "moof/traf/trun"; Offset is that box's first byte in the document.
	Box    string
	Offset int64
}

// String lists the parts that are known.
func (p Place) String() string {
	var parts []string
	add := func(format string, v any) { parts = append(parts, fmt.Sprintf(format, v)) }
	if p.Stream != "" {
		add("stream %s", p.Stream)
	}
	if p.Level != "" {
		add("level %s", p.Level)
	}
	if p.Time != "" {
		add("time %s", p.Time)
	}
	if p.Line > 0 {
		add("line %d", p.Line)
	}
	if p.Box != "" {
		add("%s", p.Box)
		add("byte %d", p.Offset)
	}
	if p.Document != "" {
		add("in %s", p.Document)
	}
	return strings.Join(parts, " ")
}

// Violation is one breach of a rule.
type Violation struct {
	Rule  Rule
	Place Place
	// Text names the numbers that disagree, and a remedy where there is an obvious one.
	Text string
}

// String returns the violation as one line: rule, severity, clause, place, text.
func (v Violation) String() string {
	return fmt.Sprintf("%s %s (%s) %s: %s", v.Rule.ID, v.Rule.Severity, v.Rule.Clause, v.Place, v.Text)
}

// Counts says how much was checked.
type Counts struct {
	Documents, Streams, Levels, Chunks, Fragments, Samples, Requests int
	Bytes                                                            int64
}

// Report is the outcome of a check.
type Report struct {
	// Violations in the order of document, place and rule.
	Violations []Violation
	// Suppressed counts, per rule id, the violations beyond [Options.MaxPerRule], which are not in Violations.
	Suppressed map[string]int
	Checked    Counts
}

// Errors returns the number of violations of severity [Error], suppressed ones not counted.
func (r *Report) Errors() int { return r.count(Error) }

// Warnings returns the number of violations of severity [Warning], suppressed ones not counted.
func (r *Report) Warnings() int { return r.count(Warning) }

func (r *Report) count(s Severity) int {
	n := 0
	for _, v := range r.Violations {
		if v.Rule.Severity == s {
			n++
		}
	}
	return n
}

// merge adds what another report has beyond r: a violation of the same rule with the same text is kept once.
func (r *Report) merge(o *Report) *Report {
	type key struct{ id, text string }
	have := make(map[key]bool)
	for _, v := range r.Violations {
		have[key{v.Rule.ID, v.Text}] = true
	}
	for _, v := range o.Violations {
		if !have[key{v.Rule.ID, v.Text}] {
			r.Violations = append(r.Violations, v)
		}
	}
	for id, n := range o.Suppressed {
		if r.Suppressed == nil {
			r.Suppressed = make(map[string]int)
		}
		r.Suppressed[id] = max(r.Suppressed[id], n)
	}
	a, b := &r.Checked, o.Checked
	a.Documents += b.Documents
	a.Streams, a.Levels, a.Chunks = max(a.Streams, b.Streams), max(a.Levels, b.Levels), max(a.Chunks, b.Chunks)
	a.Fragments += b.Fragments
	a.Samples += b.Samples
	a.Requests += b.Requests
	a.Bytes += b.Bytes
	return r
}
