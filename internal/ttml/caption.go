package ttml

import (
	"slices"
	"strings"
)

// Caption is what is shown in one place from Begin to End: a cue, or a part of one whose content changes.
type Caption struct {
	// Begin and End are on the timeline of the document, in ticks, half-open. End is Forever if the document has none.
	Begin, End int64
	// Runs are the text in order, not empty. It neither begins nor ends with a line break.
	Runs []Run
	// Layout is where the text stands.
	Layout Layout
}

// Run is text of one style. Lines are separated by \n; a blank line is two of them.
type Run struct {
	Text                    string
	Italic, Bold, Underline bool
	// Color as written, such as "yellow" or "#ff0000", or empty.
	Color string
}

// Layout is where text stands, as far as the document says. The values are those of TTML1 8.2; empty is not stated.
type Layout struct {
	// TextAlign is start, left, center, right or end.
	TextAlign string
	// DisplayAlign is before, center or after.
	DisplayAlign string
	// Origin and Extent are x and y, width and height of the region in hundredths of a percent of the picture. They
	// count if HasOrigin and HasExtent are set.
	Origin, Extent       [2]int
	HasOrigin, HasExtent bool
}

// Captions returns what is shown, in the order of the document. Cues without visible text are left out. Text that is
// timed inside of its cue multiplies what there is to return, up to a bound in proportion to the document; an [*Error]
// says where it was exceeded.
func (d *Document) Captions() ([]Caption, error) {
	budget := budgetBase + budgetFactor*d.size
	var list []Caption
	for i := range d.Cues {
		var err error
		if list, err = d.appendCaptions(list, &d.Cues[i], &budget); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// The bound on what repeats parts of a document, such as the text that Captions looks at, in bytes and in multiples of
// the document's size, and what a run counts besides its text.
const (
	budgetBase   = 1 << 20
	budgetFactor = 16
	budgetRun    = 16
)

// appendCaptions cuts a cue where its content changes.
func (d *Document) appendCaptions(list []Caption, c *Cue, budget *int) ([]Caption, error) {
	base := d.regions[c.region]
	runs, cost := c.visible(base)
	if len(runs) == 0 {
		return list, nil
	}
	layout := d.root.layout(c.style.over(base))
	moments := moments(runs)
	first := len(list)
	for i := range len(moments) - 1 {
		if *budget -= cost; *budget < 0 {
			return nil, fault(c.line, tooLarge("the text changes too often within its p elements"))
		}
		shown := shownAt(runs, moments[i])
		switch last := len(list) - 1; {
		case len(shown) == 0:
		case last >= first && list[last].End == moments[i] && slices.Equal(list[last].Runs, shown):
			list[last].End = moments[i+1]
		default:
			list = append(list, Caption{Begin: moments[i], End: moments[i+1], Runs: shown, Layout: layout})
		}
	}
	return list, nil
}

// timedRun is a run that is visible at some time, with its style resolved.
type timedRun struct {
	Run
	interval
	preserve bool
}

// visible returns the runs of a cue that are shown at some time, on the style of its region, and what looking at them
// costs.
func (c *Cue) visible(base *style) (list []timedRun, cost int) {
	for i := range c.runs {
		r := &c.runs[i]
		s := r.style.over(base)
		if r.begin >= r.end || s != nil && (s.display == "none" || s.visibility == "hidden") {
			continue
		}
		list = append(list, timedRun{s.run(r.text), r.interval, r.preserve})
		cost += budgetRun + len(r.text)
	}
	return list, cost
}

// run returns text in this style, which may be nil.
func (s *style) run(text string) Run {
	if s == nil {
		return Run{Text: text}
	}
	return Run{
		Text:      text,
		Italic:    s.fontStyle == "italic" || s.fontStyle == "oblique",
		Bold:      s.fontWeight == "bold",
		Underline: slices.Contains(strings.Fields(s.textDecoration), "underline"),
		Color:     s.color,
	}
}

// moments returns when runs begin and end, each once, in order.
func moments(runs []timedRun) []int64 {
	list := make([]int64, 0, 2*len(runs))
	for i := range runs {
		list = append(list, runs[i].begin, runs[i].end)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// shownAt returns the runs that are active at a time, with white space as it is shown: none at the begin and the end
// of a line, and single spaces otherwise, unless it is preserved. Runs of one style become one.
func shownAt(runs []timedRun, at int64) []Run {
	var list []Run
	bare := true // at the begin of a line, or behind a space
	for i := range runs {
		r := &runs[i]
		if at < r.begin || at >= r.end {
			continue
		}
		text := r.Text
		if !r.preserve {
			text, bare = fitSpaces(text, bare)
			if strings.HasPrefix(text, "\n") {
				list = trimEnd(list, " ")
			}
		} else if text != "" {
			bare = strings.HasSuffix(text, "\n")
		}
		if text != "" {
			r := r.Run
			r.Text = text
			list = append(list, r)
		}
	}
	return joinRuns(trimBegin(trimEnd(list, " \n")))
}

// joinRuns makes neighbours of one style one run.
func joinRuns(list []Run) []Run {
	var joined []Run
	var text strings.Builder
	for i := range list {
		text.WriteString(list[i].Text)
		style := list[i]
		style.Text = ""
		if i+1 < len(list) {
			next := list[i+1]
			if next.Text = ""; next == style {
				continue
			}
		}
		style.Text = text.String()
		joined = append(joined, style)
		text.Reset()
	}
	return joined
}

// fitSpaces drops spaces at the begin, if bare, after another space, and around line breaks. It returns whether what
// follows is bare.
func fitSpaces(s string, bare bool) (string, bool) {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ' && bare:
		case c == ' ':
			b, bare = append(b, ' '), true
		case c == '\n':
			if n := len(b); n > 0 && b[n-1] == ' ' {
				b = b[:n-1]
			}
			b, bare = append(b, '\n'), true
		default:
			b, bare = append(b, c), false
		}
	}
	return string(b), bare
}

// trimEnd removes characters of cutset from the end, and runs that become empty.
func trimEnd(list []Run, cutset string) []Run {
	for n := len(list) - 1; n >= 0; n-- {
		if list[n].Text = strings.TrimRight(list[n].Text, cutset); list[n].Text != "" {
			break
		}
		list = list[:n]
	}
	return list
}

// trimBegin removes line breaks from the begin, and runs that become empty.
func trimBegin(list []Run) []Run {
	for len(list) > 0 {
		if list[0].Text = strings.TrimLeft(list[0].Text, "\n"); list[0].Text != "" {
			break
		}
		list = list[1:]
	}
	return list
}
