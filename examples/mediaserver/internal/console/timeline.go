package console

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of timelines.
const (
	levelPoints   = 600 // drawn of each level; more fragments are put together
	levelsDrawn   = 8   // of each stream, as many as there are colours
	timelinesDraw = 8   // streams of a presentation
	marksDrawn    = 150 // boundaries of fragments
	gapsDrawn     = 500
	shortestView  = 1.0 // second
)

// timeline is the bit rate of the levels of a stream over time.
type timeline struct {
	ID, Title, Summary string
	Ticks, Times       []string
	Levels             []timelineLevel
	Gaps               []bar
	Marks              []string // places of boundaries between fragments
	X, Labels          string
	// Merged is how many fragments a drawn one stands for at most.
	Merged int
}

// timelineLevel is a line, with what it is.
type timelineLevel struct {
	Color      int
	Name       string
	Line, Peak string
	Average    string
	Highest    string
	Fragments  int
}

// bar is a part of the width.
type bar struct{ X, Width string }

// bucket is what is drawn as one: a fragment, or several.
type bucket struct {
	start, end    float64
	length        float64 // of the fragments, which is less than end - start if some are missing between them
	average, peak float64
}

// newTimeline draws what is between two times, in seconds.
func newTimeline(id string, s *Stream, from, to float64) *timeline {
	t := &timeline{ID: id, Title: streamTitle(s), Merged: 1}
	var drawn [][]bucket
	peak := 0.0
	for i := range s.Levels[:min(len(s.Levels), levelsDrawn)] {
		points := within(s.Levels[i].Points, from, to)
		list, merged := merge(points)
		t.Merged = max(t.Merged, merged)
		for _, b := range list {
			peak = max(peak, b.peak)
		}
		drawn = append(drawn, list)
	}
	top := niceTop(peak)
	for i := range 3 {
		t.Ticks = append(t.Ticks, tick(rate(top*float64(2-i)/2)))
	}
	for i := range 5 {
		t.Times = append(t.Times, seconds(from+(to-from)*float64(i)/4, to-from))
	}
	a := axes{from: from, to: to, top: top}
	for i, list := range drawn {
		t.Levels = append(t.Levels, newTimelineLevel(i, &s.Levels[i], list, t.Merged > 1, a))
	}
	t.Gaps = gapBars(s.Gaps, a)
	t.mark(drawn, a)
	t.Summary = t.describe(s, from, to)
	return t
}

// axes turn seconds and bit rates into places.
type axes struct{ from, to, top float64 }

func (a axes) x(s float64) string {
	return coordinate(plotWidth * min(max((s-a.from)/(a.to-a.from), 0), 1))
}

func (a axes) y(v float64) string { return coordinate(plotHeight - plotHeight*min(clean(v)/a.top, 1)) }

// within returns the fragments between two times. Some that cannot be drawn are left out.
func within(points []FragmentPoint, from, to float64) []FragmentPoint {
	var list []FragmentPoint
	for _, p := range points {
		if p.Duration > 0 && !math.IsInf(p.Duration, 0) && p.Start < to && p.Start+p.Duration > from {
			list = append(list, p)
		}
	}
	return list
}

// merge puts as many fragments in a row together as it takes to have few enough, and returns how many that are at most.
func merge(points []FragmentPoint) ([]bucket, int) {
	each := max(1, (len(points)+levelPoints-1)/levelPoints)
	list := make([]bucket, 0, (len(points)+each-1)/each)
	for len(points) > 0 {
		n := min(each, len(points))
		b := bucket{start: points[0].Start, end: points[n-1].Start + points[n-1].Duration}
		bits := 0.0
		for _, p := range points[:n] {
			bits += clean(p.BitsPerSecond) * p.Duration
			b.length += p.Duration
			b.peak = max(b.peak, clean(p.BitsPerSecond))
		}
		b.average = bits / b.length
		list = append(list, b)
		points = points[n:]
	}
	return list, each
}

func newTimelineLevel(i int, l *Level, list []bucket, peaks bool, a axes) timelineLevel {
	t := timelineLevel{
		Color: i, Name: levelTitle(l), Line: steps(list, a, func(b bucket) float64 { return b.average }), Fragments: len(l.Points),
	}
	if peaks {
		t.Peak = steps(list, a, func(b bucket) float64 { return b.peak })
	}
	bits, length, peak := 0.0, 0.0, 0.0
	for _, b := range list {
		bits += b.average * b.length
		length += b.length
		peak = max(peak, b.peak)
	}
	if length > 0 {
		t.Average, t.Highest = rate(bits/length), rate(peak)
	}
	return t
}

// steps draws a line that keeps its height for the length of a fragment. It is broken where there is none.
func steps(list []bucket, a axes, height func(bucket) float64) string {
	var b strings.Builder
	for i, k := range list {
		y := a.y(height(k))
		if i == 0 || k.start > list[i-1].end+0.01 {
			b.WriteString("M" + a.x(k.start) + " " + y)
		} else {
			b.WriteString("V" + y)
		}
		b.WriteString("H" + a.x(k.end))
	}
	return b.String()
}

func gapBars(gaps []Span, a axes) []bar {
	var bars []bar
	for _, g := range gaps {
		if g.End <= a.from || g.Start >= a.to || !(g.End > g.Start) {
			continue
		}
		if len(bars) == gapsDrawn {
			break
		}
		start, end := max(g.Start, a.from), min(g.End, a.to)
		width := max(plotWidth*(end-start)/(a.to-a.from), 1.5) // it must be seen
		bars = append(bars, bar{X: a.x(start), Width: coordinate(width)})
	}
	return bars
}

// mark writes where fragments begin, if they are few enough, and the labels for the cursor, both of the first level with any.
func (t *timeline) mark(drawn [][]bucket, a axes) {
	lead := 0
	for lead < len(drawn)-1 && len(drawn[lead]) == 0 {
		lead++
	}
	if lead >= len(drawn) {
		return
	}
	next := make([]int, len(drawn))
	var xs, labels []string
	for i, b := range drawn[lead] {
		if len(drawn[lead]) <= marksDrawn && t.Merged == 1 && i > 0 {
			t.Marks = append(t.Marks, a.x(b.start))
		}
		middle := (max(b.start, a.from) + min(b.end, a.to)) / 2
		xs = append(xs, a.x(middle))
		labels = append(labels, seconds(b.start, a.to-a.from)+" · "+ratesAt(drawn, next, middle))
	}
	t.X, t.Labels = strings.Join(xs, " "), strings.Join(labels, "|")
}

// ratesAt returns the bit rates of all levels at a time. next has the places in their lists up to which has been looked.
func ratesAt(drawn [][]bucket, next []int, at float64) string {
	var list []string
	for i, level := range drawn {
		for next[i] < len(level) && level[next[i]].end <= at {
			next[i]++
		}
		if n := next[i]; n < len(level) && level[n].start <= at {
			list = append(list, strconv.FormatFloat(level[n].average/1000, 'f', 0, 64))
		} else {
			list = append(list, "–")
		}
	}
	return strings.Join(list, " / ") + " kbit/s"
}

func (t *timeline) describe(s *Stream, from, to float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s from %s to %s: ", t.Title, seconds(from, 0), seconds(to, 0))
	for i, l := range t.Levels {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s has %s on average and %s at most", l.Name, orUnknown(l.Average), orUnknown(l.Highest))
	}
	b.WriteString("; " + several(len(s.Gaps), "gap", "gaps"))
	return b.String()
}

func orUnknown(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func streamTitle(s *Stream) string {
	title := s.Name
	if s.Type != "" && s.Type != s.Name {
		title = s.Name + " (" + s.Type + ")"
	}
	if l := language(s.Language); l != "" {
		title += ", " + l
	}
	return title
}

func levelTitle(l *Level) string {
	if l.Height > 0 {
		return fmt.Sprintf("%dp at %s", l.Height, tick(rate(l.Bitrate)))
	}
	return tick(rate(l.Bitrate))
}

// seconds writes a time of the presentation, with tenths if little of it is shown.
func seconds(s, shown float64) string {
	s = clean(s)
	if s > float64(math.MaxInt32) {
		return "?"
	}
	text := span(time.Duration(s * float64(time.Second)))
	if shown > 0 && shown < 20 {
		text += strconv.FormatFloat(math.Floor(math.Mod(s, 1)*10)/10, 'f', 1, 64)[1:]
	}
	return text
}

// zoom is what part of a presentation is shown, and the ways to another.
type zoom struct {
	From, To, Start, End float64
	Links                []zoomLink
}

// zoomLink is one of them. An empty URL is no way.
type zoomLink struct{ ID, Name, URL string }

// newZoom reads from and to, in seconds, and brings them into what there is.
func newZoom(q url.Values, name string, start, end float64) zoom {
	z := zoom{From: start, To: end, Start: start, End: end}
	if from, err := strconv.ParseFloat(q.Get("from"), 64); err == nil && from > start && from < end {
		z.From = from
	}
	if to, err := strconv.ParseFloat(q.Get("to"), 64); err == nil && to > z.From && to < end {
		z.To = to
	}
	if z.To-z.From < shortestView {
		z.To = z.From + shortestView
	}
	length := z.To - z.From
	middle := z.From + length/2
	way := func(id, text string, from, to float64) {
		from, to = max(from, start), min(to, end)
		l := zoomLink{ID: id, Name: text}
		if to-from >= shortestView && (from != z.From || to != z.To) {
			l.URL = timelineURL(url.Values{"name": {name}, "from": {fixed(from)}, "to": {fixed(to)}})
		}
		z.Links = append(z.Links, l)
	}
	way("in", "Zoom in", middle-length/4, middle+length/4)
	way("out", "Zoom out", middle-length, middle+length)
	way("earlier", "Earlier", max(z.From-length/2, start), max(z.From-length/2, start)+length)
	way("later", "Later", min(z.To+length/2, end)-length, min(z.To+length/2, end))
	if way("all", "All of it", start, end); z.Links[4].URL != "" {
		z.Links[4].URL = timelineURL(url.Values{"name": {name}}) // also of what will be there later
	}
	return z
}

func timelineURL(q url.Values) string { return "presentation?" + q.Encode() + "#timeline" }
