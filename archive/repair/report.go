package repair

import (
	"fmt"
	"io"
	"strings"
)

// maxPerCode bounds the findings of one code in one asset, which damaged files could have millions of.
const maxPerCode = 20

// Report says what was found and done.
type Report struct {
	// Assets are the presentations that were found, in the order of their names.
	Assets []Asset `json:"assets"`
}

// Asset is what was found of one presentation.
type Asset struct {
	// Name is that of the server manifest in the store, which may be missing.
	Name string `json:"name"`
	// Findings in the order in which they were found; of one code the first 20.
	Findings []Finding `json:"findings,omitempty"`
	// Suppressed counts, per code, the findings beyond that.
	Suppressed map[string]int `json:"suppressed,omitempty"`
	// Done is what was changed.
	Done []Action `json:"done,omitempty"`
	// Plays reports that the presentation is served whole as it now lies there, and that the validator has no objections. Problem
	// says why not.
	Plays   bool   `json:"plays"`
	Problem string `json:"problem,omitempty"`
}

// Finding is a fault, or a note on something that repair leaves as it is.
type Finding struct {
	// Code is one of the constants of this package.
	Code string `json:"code"`
	// Note tells what cannot be made good from a fault.
	Note bool `json:"note,omitempty"`
	// File is the name in the store, and Offset the place in bytes, or -1.
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	// Text is for people.
	Text string `json:"text"`
}

// Action is a change that was made.
type Action struct {
	// File is the name in the store of what was changed or made.
	File string `json:"file"`
	// Text is for people.
	Text string `json:"text"`
}

// Faults returns the number of findings that are no notes.
func (a *Asset) Faults() int {
	n := 0
	for i := range a.Findings {
		if !a.Findings[i].Note {
			n++
		}
	}
	return n
}

// Has reports whether there is a finding of a code.
func (a *Asset) Has(code string) bool {
	for i := range a.Findings {
		if a.Findings[i].Code == code {
			return true
		}
	}
	return false
}

// Faults returns the number of findings in all assets that are no notes.
func (r *Report) Faults() int {
	n := 0
	for i := range r.Assets {
		n += r.Assets[i].Faults()
	}
	return n
}

// Done returns the number of changes.
func (r *Report) Done() int {
	n := 0
	for i := range r.Assets {
		n += len(r.Assets[i].Done)
	}
	return n
}

// add notes a finding.
func (a *Asset) add(f Finding) {
	n := 0
	for i := range a.Findings {
		if a.Findings[i].Code == f.Code {
			n++
		}
	}
	if n < maxPerCode {
		a.Findings = append(a.Findings, f)
		return
	}
	if a.Suppressed == nil {
		a.Suppressed = make(map[string]int)
	}
	a.Suppressed[f.Code]++
}

// fault and note add a finding with a text.
func (a *Asset) fault(code, file string, offset int64, format string, args ...any) {
	a.add(Finding{Code: code, File: file, Offset: offset, Text: fmt.Sprintf(format, args...)})
}

func (a *Asset) note(code, file string, offset int64, format string, args ...any) {
	a.add(Finding{Code: code, Note: true, File: file, Offset: offset, Text: fmt.Sprintf(format, args...)})
}

func (a *Asset) did(file, format string, args ...any) {
	a.Done = append(a.Done, Action{File: file, Text: fmt.Sprintf(format, args...)})
}

// String returns the report as text.
func (r *Report) String() string {
	var b strings.Builder
	for i := range r.Assets {
		r.Assets[i].text(&b)
	}
	if len(r.Assets) == 0 {
		b.WriteString("no presentation found\n")
	}
	return b.String()
}

// WriteTo writes the report as text. It implements [io.WriterTo].
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, r.String())
	return int64(n), err
}

func (a *Asset) text(b *strings.Builder) {
	state := "plays"
	if !a.Plays {
		state = "does not play: " + a.Problem
	}
	fmt.Fprintf(b, "%s: %s\n", a.Name, state)
	for _, f := range a.Findings {
		kind := "fault"
		if f.Note {
			kind = "note"
		}
		fmt.Fprintf(b, "  %s %s: %s", kind, f.Code, f.File)
		if f.Offset >= 0 {
			fmt.Fprintf(b, " at byte %d", f.Offset)
		}
		fmt.Fprintf(b, ": %s\n", f.Text)
		if n := a.Suppressed[f.Code]; n > 0 && a.last(f) {
			fmt.Fprintf(b, "  and %d more of %s\n", n, f.Code)
		}
	}
	for _, d := range a.Done {
		fmt.Fprintf(b, "  done: %s: %s\n", d.File, d.Text)
	}
}

// last reports whether f is the last finding of its code.
func (a *Asset) last(f Finding) bool {
	for i := len(a.Findings) - 1; i >= 0; i-- {
		if a.Findings[i].Code == f.Code {
			return a.Findings[i] == f
		}
	}
	return false
}
