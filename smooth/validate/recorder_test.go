package validate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/validate"
)

// TestRecorder: order, bounds, and reports that are copies.
func TestRecorder(t *testing.T) {
	rules := []validate.Rule{{ID: "X1", Severity: validate.Warning, Text: "one"}, {ID: "X2", Text: "two"}}
	r := validate.NewRecorder(rules, 2)
	add := func(id, document string, line int) {
		r.Add(id, validate.Place{Document: document, Line: line}, "%s %d", document, line)
	}
	add("X2", "b", 1)
	add("X2", "a", 2)
	add("X1", "a", 2)
	r.Tally(func(n *validate.Counts) { n.Documents = 2 })
	before := r.Report()
	add("X2", "c", 1)
	add("X1", "a", 1)
	after := r.Report()

	var texts []string
	for _, v := range after.Violations {
		texts = append(texts, v.Rule.ID+" "+v.Text)
	}
	assert.Equal(t, []string{"X1 a 1", "X1 a 2", "X2 a 2", "X2 b 1"}, texts)
	assert.Equal(t, map[string]int{"X2": 1}, after.Suppressed)
	assert.Equal(t, validate.Counts{Documents: 2}, after.Checked)
	assert.Equal(t, [2]int{2, 2}, [2]int{after.Errors(), after.Warnings()})

	require.Len(t, before.Violations, 3)
	assert.Empty(t, before.Suppressed)
}

// TestRecorderText: what is quoted of the input neither floods nor garbles a report.
func TestRecorderText(t *testing.T) {
	r := validate.NewRecorder([]validate.Rule{{ID: "X1"}}, 9)
	r.Add("X1", validate.Place{Line: 1}, "%s", strings.Repeat("x", 399)+"ü and more")
	r.Add("X1", validate.Place{Line: 2}, "a\xFFb")
	got := r.Report().Violations
	require.Len(t, got, 2)
	assert.Equal(t, strings.Repeat("x", 399)+"...", got[0].Text, "no half of a letter")
	assert.Equal(t, "a?b", got[1].Text)
}
