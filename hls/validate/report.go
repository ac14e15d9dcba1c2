package validate

import (
	"fmt"
	"sort"
	"strings"
	"sync"

	base "github.com/smoothkit/smoothkit/smooth/validate"
)

// The types of reports are those of package smooth/validate. In a [Place], Line counts lines of a playlist, Box names
// a part of a segment, such as "PID 256 PES" or "moof/traf", and Offset is that part's first byte in the segment.
type (
	Report    = base.Report
	Violation = base.Violation
	Rule      = base.Rule
	Severity  = base.Severity
	Place     = base.Place
	Counts    = base.Counts
)

// The severities of rules.
const (
	// Error is a breach of a specification.
	Error = base.Error
	// Warning is something allowed, or tolerated, that a known client stumbles over or Apple advises against.
	Warning = base.Warning
)

// recorder collects violations. It is safe for concurrent use.
type recorder struct {
	rules map[string]Rule // read only
	max   int

	mu     sync.Mutex // guards the fields below
	report *Report
	seen   map[string]int
}

func newRecorder(max int) *recorder {
	r := &recorder{rules: make(map[string]Rule), max: max, report: &Report{}, seen: make(map[string]int)}
	for _, rule := range Rules() {
		r.rules[rule.ID] = rule
	}
	return r
}

// add records a violation of the rule with that id.
func (r *recorder) add(id string, p Place, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[id]++
	if r.seen[id] > r.max {
		if r.report.Suppressed == nil {
			r.report.Suppressed = make(map[string]int)
		}
		r.report.Suppressed[id]++
		return
	}
	v := Violation{Rule: r.rules[id], Place: p, Text: clip(fmt.Sprintf(format, args...))}
	r.report.Violations = append(r.report.Violations, v)
}

// tally changes the counts.
func (r *recorder) tally(f func(*Counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.report.Checked)
}

// finish sorts and returns the report.
func (r *recorder) finish() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.report.Violations
	sort.SliceStable(v, func(i, j int) bool { return less(v[i], v[j]) })
	return r.report
}

func less(a, b Violation) bool {
	p, q := a.Place, b.Place
	switch {
	case p.Document != q.Document:
		return p.Document < q.Document
	case p.Line != q.Line:
		return p.Line < q.Line
	case p.Offset != q.Offset:
		return p.Offset < q.Offset
	}
	return a.Rule.ID < b.Rule.ID
}

// clip bounds text that quotes the input, and makes it printable.
func clip(s string) string {
	const limit = 400
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
