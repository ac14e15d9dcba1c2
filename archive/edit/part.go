package edit

import (
	"context"
	"fmt"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// maxParts bounds the parts that are open at a time. Two overlap at a boundary.
const maxParts = 4

// A part is a presentation that gives fragments.
type part struct {
	name string                                             // for errors, empty if there is one part only
	open func(context.Context) (smooth.Presentation, error) // nil if p is open throughout
	p    smooth.Presentation                                // nil if it is not open
	snap *smooth.Snapshot                                   // nil if nothing of it is wanted
}

// fault names the part in an error.
func (p *part) fault(err error) error {
	if p.name == "" {
		return err
	}
	return fmt.Errorf("%s: %w", p.name, err)
}

// use returns the presentation of a part, which is opened if need be; the one that has not been used for the longest time is closed.
func (w *writing) use(ctx context.Context, i int) (smooth.Presentation, error) {
	p := &w.parts[i]
	if p.open == nil {
		return p.p, nil
	}
	if at := slices.Index(w.open, i); at >= 0 {
		w.open = slices.Delete(w.open, at, at+1)
	} else {
		w.closeParts(maxParts - 1)
		var err error
		if p.p, err = p.open(ctx); err != nil {
			p.p = nil
			return nil, err
		}
	}
	w.open = append(w.open, i)
	return p.p, nil
}

// closeParts closes all parts but as many.
func (w *writing) closeParts(keep int) {
	for len(w.open) > keep {
		p := &w.parts[w.open[0]]
		_ = p.p.Close()
		p.p, w.open = nil, w.open[1:]
	}
}

// first returns the snapshot of the first part that is wanted.
func (w *writing) first() *smooth.Snapshot {
	return w.parts[slices.IndexFunc(w.parts, func(p part) bool { return p.snap != nil })].snap
}
