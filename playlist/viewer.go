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
	var b [32]byte
	return string(p.append(b[:0]))
}

func (p path) append(b []byte) []byte {
	for i, n := range p {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return b
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
	// At is the entry that was asked for last of those that were admitted, nil before the first.
	At path
	// Last is when something was last delivered.
	Last time.Time
	// Done are the entries that have been delivered to their end: those of the outermost list by their bits, the rest
	// by their paths until the entry that they are nested in is done.
	Done   []uint64
	Nested []string
	// States are entries that are not done, in order of use, and the one where the viewer is.
	States []progress
}

// rules are what enforcement goes by, the same for all entries.
type rules struct {
	// percent of an entry that must have been delivered, and of its duration that must have passed, before it counts
	// as done: 100 unless the operator has set allowSkipAfterMinPercent. With 0 any entry may be left at once.
	percent int
	// early is how much before the end of an entry the next may be asked for, as players do to play without a pause.
	early time.Duration
}

const (
	// tolerance is what a player may leave out at the end of an entry, in percent of its size: many stop reading before
	// the last bytes, such as an index.
	tolerance = 2
	// probing is how long players may open an entry again and again as they begin, also if it has been delivered by then:
	// many look at the beginning, then at an index at the end, then at the beginning once more.
	probing = 10 * time.Second
)

// anywhere is the position of what is asked for without one that matters: an index, or what another server sends.
const anywhere = -1

// share returns a percentage of a size, rounded down.
func share(size, percent int64) int64 { return size/100*percent + size%100*percent/100 }

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

// finish notes that an entry is done, with all that is nested in it. What was delivered of the entry where the viewer is
// stays known.
func (v *viewer) finish(p path) {
	name, here := p.String(), v.At.String()
	v.States = slices.DeleteFunc(v.States, func(g progress) bool {
		return g.Entry != here && (g.Entry == name || strings.HasPrefix(g.Entry, name+"."))
	})
	v.Nested = slices.DeleteFunc(v.Nested, func(s string) bool { return strings.HasPrefix(s, name+".") })
	if len(p) > 1 {
		if !slices.Contains(v.Nested, name) {
			v.Nested = append(v.Nested, name)
		}
		return
	}
	i := p[0] - 1
	for i/64 >= len(v.Done) {
		v.Done = append(v.Done, 0)
	}
	v.Done[i/64] |= 1 << (i % 64)
}

// finishLists notes that the lists that an entry is the last of are done.
func (v *viewer) finishLists(now time.Time, r *rules, at lists, p path) {
	for n := len(p) - 1; n > 0; n-- {
		nested := at(p[:n])
		if nested == nil || !v.over(now, r, at, p[:n], nested) {
			return
		}
		v.finish(p[:n])
	}
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
		if level+1 < len(p) && v.sameBranch(p[:level+1]) { // inside it already
			continue
		}
		if err := v.admitLevel(now, r, at, p[:level], entries, p[:level+1], from); err != nil {
			return err
		}
	}
	e := entryOf(at, p)
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

// entryOf returns an entry, nil if its list is not known.
func entryOf(at lists, p path) *Entry {
	if len(p) == 0 {
		return nil
	}
	entries := at(p[:len(p)-1])
	if n := p[len(p)-1]; n <= len(entries) {
		return &entries[n-1]
	}
	return nil
}

// sameBranch reports whether the viewer is inside p.
func (v *viewer) sameBranch(p path) bool {
	return len(v.At) >= len(p) && slices.Equal(v.At[:len(p)], p)
}

// admitLevel checks the way from where the viewer is to an entry of one list.
func (v *viewer) admitLevel(now time.Time, r *rules, at lists, parent path, entries []Entry, p path, from int64) error {
	cur, n := 0, p[len(parent)] // before the first
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
	if n > cur || n == cur && (!v.done(p) || v.goesOn(now, p, from)) {
		return nil
	}
	for i := n; i <= cur; i++ {
		if entries[i-1].NoSkipBack {
			return &RuleError{Rule: NoSkipBack, Entry: append(slices.Clone(parent), i).String()}
		}
	}
	return nil
}

// goesOn reports whether a request for the entry where the viewer is, which is done, does not play it again: it reads on,
// also after a drop of the network, or the player is about to begin.
func (v *viewer) goesOn(now time.Time, p path, from int64) bool {
	g := v.state(p.String())
	return g != nil && (from < 0 || from > share(g.Size, tolerance) || now.Sub(g.Began) < probing)
}

// left checks whether an entry may be left for one after it.
func (v *viewer) left(now time.Time, r *rules, at lists, p path, e *Entry) error {
	if v.done(p) || r.percent == 0 {
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
	if have, need := g.delivered(), share(g.Size, min(percent, 100-tolerance)); g.Size <= 0 || have < need {
		return &RuleError{Rule: NoSkipForward, Entry: g.Entry, Detail: strconv.FormatInt(have, 10) + " of " + strconv.FormatInt(g.Size, 10) + " delivered, " + strconv.Itoa(r.percent) + " percent needed"}
	}
	if wait := max(e.Duration, g.Plays)*time.Duration(percent)/100 - r.early - now.Sub(g.Began); wait > 0 {
		return &RuleError{Rule: NoSkipForward, Entry: g.Entry, Wait: wait, Detail: "delivered faster than it plays"}
	}
	return nil
}

// enter makes p the entry where the viewer is, after it was admitted, and begins the clock of an entry that is locked.
func (v *viewer) enter(now time.Time, r *rules, at lists, p path, e *Entry) {
	if !slices.Equal(v.At, p) {
		v.leave(now, r, at, p)
		v.At = slices.Clone(p)
	}
	if e.NoSkipForward && !v.done(p) {
		g := v.begin(now, p)
		g.Plays = max(g.Plays, e.Duration)
	}
}

// leave notes what is over of where the viewer is and next is not: the entry, and the lists that it is in. Whoever comes
// back later and goes on again need not watch them again.
func (v *viewer) leave(now time.Time, r *rules, at lists, next path) {
	old := v.At
	v.At = nil // nothing stays known of what is done
	if g := v.state(old.String()); g != nil {
		e := entryOf(at, old)
		if v.done(old) || e != nil && e.NoSkipForward && g.over(now, r, e) == nil {
			v.finish(old)
		}
	}
	for n := len(old) - 1; n > 0 && !slices.Equal(next[:min(n, len(next))], old[:n]); n-- {
		if nested := at(old[:n]); nested != nil && v.over(now, r, at, old[:n], nested) {
			v.finish(old[:n])
		}
	}
}

// begin returns the progress of an entry, which begins now if there is none.
func (v *viewer) begin(now time.Time, p path) *progress {
	name := p.String()
	if g := v.state(name); g != nil {
		return g
	}
	if len(v.States) >= maxStates {
		v.States = slices.Delete(v.States, 0, 1)
	}
	v.States = append(v.States, progress{Entry: name, Began: now})
	return &v.States[len(v.States)-1]
}

// deliver notes that [from, to) of an entry has been delivered, of which the whole size is known or zero.
func (v *viewer) deliver(now time.Time, r *rules, at lists, p path, e *Entry, from, to, size int64) {
	if to <= from {
		return
	}
	v.pause(now, p)
	if v.done(p) && v.state(p.String()) == nil {
		return
	}
	g := v.begin(now, p)
	g.Size = max(g.Size, size)
	g.Plays = max(g.Plays, e.Duration)
	g.add(from, to)
	if g.Size > 0 && g.delivered() >= share(g.Size, 100-tolerance) && !v.done(p) && g.over(now, r, e) == nil {
		v.finish(p)
		v.finishLists(now, r, at, p)
	}
}

// pause stops the clocks of entries behind p, to which the viewer has gone back: what plays meanwhile is p.
func (v *viewer) pause(now time.Time, p path) {
	if slices.Equal(v.At, p) && now.After(v.Last) && !v.Last.IsZero() {
		for i := range v.States {
			g := &v.States[i]
			if slices.Compare(parsePath(g.Entry), p) > 0 && v.Last.After(g.Began) {
				g.Began = g.Began.Add(now.Sub(v.Last))
			} else if slices.Compare(parsePath(g.Entry), p) > 0 {
				g.Began = now
			}
		}
	}
	v.Last = now
}

// skip notes that an entry was asked for, was admitted and cannot be delivered: it is in nobody's way.
func (v *viewer) skip(now time.Time, r *rules, at lists, p path) {
	v.leave(now, r, at, p)
	v.At = slices.Clone(p)
	v.finish(p)
	v.finishLists(now, r, at, p)
}

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
