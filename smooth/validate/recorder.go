package validate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Recorder collects violations into a [Report]. It is for validators, those of other formats too, and safe for
// concurrent use.
type Recorder struct {
	rules map[string]Rule // read only
	max   int

	mu     sync.Mutex // guards the fields below
	report Report
	seen   map[string]int
}

// NewRecorder returns a recorder for a set of rules that keeps up to max violations of each and counts the others.
func NewRecorder(rules []Rule, max int) *Recorder {
	r := &Recorder{rules: make(map[string]Rule, len(rules)), max: max, seen: make(map[string]int)}
	for _, rule := range rules {
		r.rules[rule.ID] = rule
	}
	return r
}

func newRecorder(max int) *Recorder { return NewRecorder(Rules(), max) }

// Add records a violation of the rule with that id. Its text, which may quote the input, is cut if it is long, and made
// printable.
func (r *Recorder) Add(id string, p Place, format string, args ...any) {
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
	r.report.Violations = append(r.report.Violations, Violation{r.rules[id], p, clip(fmt.Sprintf(format, args...))})
}

// Tally changes what the report says was checked. It calls f before it returns.
func (r *Recorder) Tally(f func(*Counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.report.Checked)
}

// Report returns what there is so far, the violations in order. It is a copy.
func (r *Recorder) Report() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.report
	c.Violations, c.Suppressed = slices.Clone(c.Violations), maps.Clone(c.Suppressed)
	slices.SortStableFunc(c.Violations, inOrder)
	return &c
}

func inOrder(a, b Violation) int {
	p, q := a.Place, b.Place
	return cmp.Or(cmp.Compare(p.Document, q.Document), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Offset, q.Offset),
		cmp.Compare(a.Rule.ID, b.Rule.ID))
}

// clip bounds text that quotes the input, and makes it printable.
func clip(s string) string {
	const limit = 400
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
