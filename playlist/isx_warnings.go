package playlist

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// maxWarnings is the most warnings that are kept of one document; a last one counts the others.
const maxWarnings = 256

// warnings collects what a parser has to say besides errors.
type warnings struct {
	list []Warning
	more int
	last xmltree.Position
}

func (w *warnings) add(at xmltree.Position, format string, args ...any) {
	if len(w.list) == maxWarnings {
		w.more++
		w.last = at
		return
	}
	w.list = append(w.list, Warning{at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// all returns the warnings in order of the document, nil if there are none.
func (w *warnings) all() []Warning {
	slices.SortStableFunc(w.list, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if w.more == 0 {
		return w.list
	}
	return append(w.list, Warning{w.last.Line, w.last.Column, fmt.Sprintf("%d more warnings up to here", w.more)})
}
