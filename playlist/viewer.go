package playlist

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of what is remembered of a viewer.
const (
	// maxSpans is the number of separate parts of an entry that are remembered as delivered; players read a header, an
	// index at the end and the rest.
	maxSpans = 12
	// maxStates is the number of entries whose progress is remembered beside those that are done: where the viewer is, and
	// where it was last.
	maxStates = 4
)

// path names an entry by its number in each list from the outermost on, counted from 1.
type path []int

// parsePath reads the form that URLs have, such as "2" or "2.1". It returns nil for anything else, also for numbers
// that are written in another way than they are.
func parsePath(s string) path {
	if len(s) > 64 {
		return nil
	}
	var p path
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > MaxEntries || strconv.Itoa(n) != part {
			return nil
		}
		p = append(p, n)
	}
	return p
}

// String returns the form of URLs.
func (p path) String() string {
	var b []byte
	for i, n := range p {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(b)
}

// span is a part of an entry that has been delivered, [From, To), in bytes or in milliseconds of media.
type span struct{ From, To int64 }

// progress is how much of an entry has been delivered.
type progress struct {
	Entry string    // its path
	Size  int64     // in the unit of spans, zero if unknown
	Began time.Time // when the first part of it was
	// Plays is how long the entry plays, found when it was sent: the list may not say. Zero means unknown.
	Plays time.Duration
	Spans []span // in order, apart from each other
}

// delivered returns how much of the entry has been delivered at least once.
func (g *progress) delivered() (n int64) {
	for _, s := range g.Spans {
		n += s.To - s.From
	}
	return n
}

// covered returns how far the entry has been delivered without a hole.
func (g *progress) covered() int64 {
	if len(g.Spans) == 0 || g.Spans[0].From > 0 {
		return 0
	}
	return g.Spans[0].To
}

// add notes that [from, to) has been delivered. Of too many parts the smallest is forgotten, which is to the viewer's
// disadvantage.
func (g *progress) add(from, to int64) {
	if to <= from {
		return
	}
	i, _ := slices.BinarySearchFunc(g.Spans, from, func(s span, from int64) int { return cmp.Compare(s.To, from) })
	j := i
	for j < len(g.Spans) && g.Spans[j].From <= to {
		from, to = min(from, g.Spans[j].From), max(to, g.Spans[j].To)
		j++
	}
	g.Spans = slices.Replace(g.Spans, i, j, span{from, to})
	if len(g.Spans) > maxSpans {
		least := slices.MinFunc(g.Spans[1:], func(a, b span) int { return cmp.Compare(a.To-a.From, b.To-b.From) })
		g.Spans = slices.DeleteFunc(g.Spans, func(s span) bool { return s == least })
	}
}

// viewer is the position and the rights of one viewer in a playlist and those nested in it. It is a value without a
// clock: what a viewer may do is a function of what has been delivered and of now.
type viewer struct {
	// At is the entry that was delivered last, nil before the first.
	At path
	// Done are the entries that have been delivered to their end: those of the outermost list by their bits, the rest
	// by their paths until the entry that they are nested in is done.
	Done   []uint64
	Nested []string
	// States are entries that are not done, in order of use.
	States []progress
}

// rules are what enforcement goes by, the same for all entries.
type rules struct {
	// percent of an entry that must have been delivered, and of its duration that must have passed, before it counts
	// as done: 100 unless the operator has set allowSkipAfterMinPercent.
	percent int
	// early is how much before the end of an entry the next may be asked for, as players do to play without a pause.
	early time.Duration
}

// tolerance is what a player may leave out at the end of an entry, in percent of its size: many stop reading before
// the last bytes, such as an index.
const tolerance = 2

// lists gives the entries of the lists on the way to an entry: at(nil) those of the outermost, at("2") those of the
// list that its second entry is, nil if that has not been opened.
type lists func(parent path) []Entry

func (v *viewer) done(p path) bool {
	for n := 1; n <= len(p); n++ { // what is nested in an entry that is done is done
		if n == 1 {
			if i := p[0] - 1; i/64 < len(v.Done) && v.Done[i/64]>>(i%64)&1 == 1 {
				return true
			}
		} else if slices.Contains(v.Nested, p[:n].String()) {
			return true
		}
	}
	return false
}

// finish notes that an entry is done, with all that is nested in it.
func (v *viewer) finish(p path) {
	name := p.String()
	v.States = slices.DeleteFunc(v.States, func(g progress) bool { return g.Entry == name || strings.HasPrefix(g.Entry, name+".") })
	v.Nested = slices.DeleteFunc(v.Nested, func(s string) bool { return strings.HasPrefix(s, name+".") })
	if len(p) > 1 {
		v.Nested = append(v.Nested, name)
		return
	}
	i := p[0] - 1
	for i/64 >= len(v.Done) {
		v.Done = append(v.Done, 0)
	}
	v.Done[i/64] |= 1 << (i % 64)
}

// state returns the progress of an entry, nil if there is none.
func (v *viewer) state(name string) *progress {
	for i := range v.States {
		if v.States[i].Entry == name {
			return &v.States[i]
		}
	}
	return nil
}

// admit reports whether the viewer may be sent an entry from a position on: nil, or a *[RuleError] that says which
// rule of which entry is against it.
func (v *viewer) admit(now time.Time, r *rules, at lists, p path, from int64) error {
	for level := range p {
		entries := at(p[:level])
		if p[level] > len(entries) {
			return ErrNotFound
		}
		if err := v.admitLevel(now, r, at, p[:level], entries, p[level]); err != nil {
			return err
		}
		if level+1 < len(p) && v.sameBranch(p[:level+1]) {
			continue
		}
	}
	e := &at(p[:len(p)-1])[p[len(p)-1]-1]
	if e.NoSeek && !v.done(p) {
		var covered int64
		if g := v.state(p.String()); g != nil {
			covered = g.covered()
		}
		if from > covered {
			return &RuleError{Rule: NoSeek, Entry: p.String(), Detail: "delivered to " + strconv.FormatInt(covered, 10) + ", asked from " + strconv.FormatInt(from, 10)}
		}
	}
	return nil
}

// sameBranch reports whether the viewer is inside p.
func (v *viewer) sameBranch(p path) bool {
	return len(v.At) >= len(p) && slices.Equal(v.At[:len(p)], p)
}

// admitLevel checks the way from where the viewer is to entry n of one list.
func (v *viewer) admitLevel(now time.Time, r *rules, at lists, parent path, entries []Entry, n int) error {
	cur := 0 // before the first
	if v.sameBranch(parent) && len(v.At) > len(parent) {
		cur = v.At[len(parent)]
	}
	if cur > len(entries) { // the list was longer
		cur = len(entries)
	}
	for i := max(cur, 1); i < n; i++ {
		if err := v.left(now, r, at, append(slices.Clone(parent), i), &entries[i-1]); err != nil {
			return err
		}
	}
	if n > cur || n == cur && !v.done(append(slices.Clone(parent), n)) {
		return nil
	}
	for i := n; i <= cur; i++ {
		if entries[i-1].NoSkipBack {
			return &RuleError{Rule: NoSkipBack, Entry: append(slices.Clone(parent), i).String()}
		}
	}
	return nil
}

// left checks whether an entry may be left for one after it.
func (v *viewer) left(now time.Time, r *rules, at lists, p path, e *Entry) error {
	if v.done(p) {
		return nil
	}
	if nested := at(p); nested != nil && v.sameBranch(p) { // inside, from the entry where the viewer is on
		for i := v.inside(p); i <= len(nested); i++ {
			if err := v.left(now, r, at, append(slices.Clone(p), i), &nested[i-1]); err != nil {
				return err
			}
		}
		if e.NoSkipForward && !v.over(now, r, at, p, nested) {
			return &RuleError{Rule: NoSkipForward, Entry: p.String(), Detail: "the list in it is not over"}
		}
		return nil
	}
	if !e.NoSkipForward {
		return nil
	}
	g := v.state(p.String())
	if g == nil {
		return &RuleError{Rule: NoSkipForward, Entry: p.String(), Detail: "nothing delivered"}
	}
	return g.over(now, r, e)
}

// inside returns the number of the entry of the list in p where the viewer is.
func (v *viewer) inside(p path) int {
	if v.sameBranch(p) && len(v.At) > len(p) {
		return v.At[len(p)]
	}
	return 1
}

// over reports whether the list in an entry has been played to its last entry, and that to its end.
func (v *viewer) over(now time.Time, r *rules, at lists, p path, nested []Entry) bool {
	if len(nested) == 0 {
		return true
	}
	last := append(slices.Clone(p), len(nested))
	if v.done(last) {
		return true
	}
	g := v.state(last.String())
	return g != nil && g.over(now, r, &nested[len(nested)-1]) == nil
}

// over returns nil once enough of the entry has been delivered and enough time has passed for it to have been watched:
// delivery alone can be as fast as the network.
func (g *progress) over(now time.Time, r *rules, e *Entry) error {
	percent := int64(r.percent)
	if have, need := g.delivered(), g.Size/100*min(percent, 100-tolerance); g.Size <= 0 || have < need {
		return &RuleError{Rule: NoSkipForward, Entry: g.Entry, Detail: strconv.FormatInt(have, 10) + " of " + strconv.FormatInt(g.Size, 10) + " delivered, " + strconv.Itoa(r.percent) + " percent needed"}
	}
	if wait := max(e.Duration, g.Plays)*time.Duration(percent)/100 - r.early - now.Sub(g.Began); wait > 0 {
		return &RuleError{Rule: NoSkipForward, Entry: g.Entry, Wait: wait, Detail: "delivered faster than it plays"}
	}
	return nil
}

// deliver notes that [from, to) of an entry has been delivered, of which the whole size is known or zero.
func (v *viewer) deliver(now time.Time, r *rules, p path, e *Entry, from, to, size int64) {
	if to <= from {
		return
	}
	name := p.String()
	if !v.sameBranch(p) || len(v.At) != len(p) {
		v.move(p)
	}
	if v.done(p) {
		return
	}
	g := v.state(name)
	if g == nil {
		if len(v.States) >= maxStates {
			v.States = slices.Delete(v.States, 0, 1)
		}
		v.States = append(v.States, progress{Entry: name, Began: now})
		g = &v.States[len(v.States)-1]
	}
	g.Size = max(g.Size, size)
	g.Plays = max(g.Plays, e.Duration)
	g.add(from, to)
	if g.delivered() >= g.Size/100*(100-tolerance) && g.Size > 0 && g.over(now, r, e) == nil {
		v.finish(p)
	}
}

// move makes p the entry where the viewer is. Progress of entries that may be left at any time is forgotten.
func (v *viewer) move(p path) { v.At = slices.Clone(p) }

// Rule is what an entry forbids.
type Rule string

// The rules of entries.
const (
	NoSeek        Rule = "no-seek"
	NoSkipForward Rule = "no-skip-forward"
	NoSkipBack    Rule = "no-skip-back"
)

// RuleError says which rule of which entry forbids what was asked for. It unwraps to [ErrNotAllowed].
type RuleError struct {
	Rule   Rule
	Entry  string        // its ID
	Wait   time.Duration // after which it would be allowed, zero if time alone does not help
	Detail string        // for the log
}

// Error implements error.
func (e *RuleError) Error() string {
	s := "playlist: entry " + e.Entry + ": " + string(e.Rule)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap implements the interface of package errors.
func (e *RuleError) Unwrap() error { return ErrNotAllowed }
