package iis

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// xmlAttr stands for an attribute that is missing.
func xmlAttr(n *node, name string) xmltree.Attr { return xmltree.Attr{Name: name, At: n.At} }

// require tells whether an element has attributes that it must have. Their values may be empty.
func (b *builder) require(n *node, names ...string) bool { return b.log.Require(n.Element, names...) }

// str reads an attribute if it is there.
func (b *builder) str(n *node, name string, to *string) {
	if a, ok := n.attr(name); ok {
		*to = a.Value
	}
}

// bool reads a boolean if it is there.
func (b *builder) bool(n *node, name string, to *bool) {
	a, ok := n.attr(name)
	if !ok {
		return
	}
	if err := iisconfig.SetBool(to, a.Value); err != nil {
		b.log.FailAttr(n.Element, a, err)
	}
}

// whole reads a number if it is there.
func (b *builder) whole(n *node, name string, to *int64, low, high int64) {
	a, ok := n.attr(name)
	if !ok {
		return
	}
	if err := iisconfig.SetWhole(to, a.Value, low, high); err != nil {
		b.log.FailAttr(n.Element, a, err)
	}
}

// choice reads one of several words, in any case, if it is there, and returns it as it is in the list.
func (b *builder) choice(n *node, name string, to *string, words ...string) {
	a, ok := n.attr(name)
	if !ok {
		return
	}
	for _, w := range words {
		if strings.EqualFold(w, a.Value) {
			*to = w
			return
		}
	}
	b.log.FailAttr(n.Element, a, errors.New("none of "+strings.Join(words, ", ")))
}

// span reads a time span of .NET if it is there.
func (b *builder) span(n *node, name string, to *time.Duration) {
	a, ok := n.attr(name)
	if !ok {
		return
	}
	d, err := parseSpan(a.Value)
	if err != nil {
		b.log.FailAttr(n.Element, a, err)
		return
	}
	*to = d
}

// maxSpanDays keeps spans far from the end of what a time.Duration holds.
const maxSpanDays = 36_500

// parseSpan reads a time span of .NET: [days.]hours:minutes:seconds, or days alone.
func parseSpan(s string) (time.Duration, error) {
	errSpan := errors.New("not a time span such as 1.00:00:00")
	days, clock, hasDays := strings.Cut(s, ".")
	if !hasDays {
		days, clock = "0", s
		if !strings.Contains(s, ":") {
			days, clock = s, "0:0:0"
		}
	}
	parts := strings.Split(clock, ":")
	if len(parts) == 2 {
		parts = append(parts, "0")
	}
	if len(parts) != 3 {
		return 0, errSpan
	}
	var total time.Duration
	units := []struct {
		text  string
		unit  time.Duration
		bound uint64
	}{
		{days, 24 * time.Hour, maxSpanDays}, {parts[0], time.Hour, 23}, {parts[1], time.Minute, 59}, {parts[2], time.Second, 59},
	}
	for _, u := range units {
		v, err := strconv.ParseUint(u.text, 10, 32)
		if err != nil || v > u.bound {
			return 0, errSpan
		}
		total += time.Duration(v) * u.unit
	}
	return total, nil
}
