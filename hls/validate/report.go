package validate

import (
	"strings"

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

// recorder collects violations.
type recorder = base.Recorder

func newRecorder(max int) *recorder { return base.NewRecorder(Rules(), max) }

// clip bounds what is quoted of the input, so that there is room for what is said of it, and makes it printable.
func clip(s string) string {
	const limit = 300
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
