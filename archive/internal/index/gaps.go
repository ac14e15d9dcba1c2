package index

import (
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// gapList holds the gaps of one stream in ascending order; none touches the next.
type gapList struct {
	stream string
	gaps   []smooth.Gap
}

// AddGap notes a span without content. Spans of a stream that touch become one.
func (x *Index) AddGap(g smooth.Gap) {
	g.Duration = min(g.Duration, ^uint64(0)-g.Time)
	if g.Duration == 0 {
		return
	}
	x.mu.Lock()
	i := x.gapsOf(g.Stream)
	if i < 0 {
		i = len(x.gaps)
		x.gaps = append(x.gaps, gapList{stream: g.Stream})
	}
	l := &x.gaps[i]
	l.gaps = mergeGap(l.gaps, g)
	x.allGaps = nil
	old := x.invalidate()
	x.mu.Unlock()
	old.supersede()
}

// gapsOf returns the position of the gaps of a stream, or -1. mu must be held.
func (x *Index) gapsOf(stream string) int {
	return slices.IndexFunc(x.gaps, func(l gapList) bool { return l.stream == stream })
}

// mergeGap returns list with a gap in its place.
func mergeGap(list []smooth.Gap, g smooth.Gap) []smooth.Gap {
	start, end := g.Time, g.Time+g.Duration
	from := 0
	for from < len(list) && list[from].Time+list[from].Duration < start {
		from++
	}
	to := from
	for to < len(list) && list[to].Time <= end {
		start, end = min(start, list[to].Time), max(end, list[to].Time+list[to].Duration)
		to++
	}
	g.Time, g.Duration = start, end-start
	return slices.Replace(list, from, to, g)
}

// fillGaps takes the span of a late fragment out of the gaps of its stream, and reports whether it was in any. mu must be held.
func (x *Index) fillGaps(stream string, c smooth.Chunk) bool {
	i := x.gapsOf(stream)
	if i < 0 {
		return false
	}
	var left []smooth.Gap
	filled := false
	for _, g := range x.gaps[i].gaps {
		end := g.Time + g.Duration
		if end <= c.Time || g.Time >= c.End() {
			left = append(left, g)
			continue
		}
		filled = true
		if g.Time < c.Time {
			left = append(left, smooth.Gap{Stream: stream, Time: g.Time, Duration: c.Time - g.Time})
		}
		if end > c.End() {
			left = append(left, smooth.Gap{Stream: stream, Time: c.End(), Duration: end - c.End()})
		}
	}
	if filled {
		x.gaps[i].gaps, x.allGaps = left, nil
	}
	return filled
}

// Gaps returns the gaps, stream after stream in the order in which they were declared, in ascending order of time in each.
// They must not be changed.
func (x *Index) Gaps() []smooth.Gap {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.listGaps()
}

// listGaps returns the gaps of all streams. mu must be held.
func (x *Index) listGaps() []smooth.Gap {
	if x.allGaps != nil {
		return x.allGaps
	}
	x.allGaps = []smooth.Gap{}
	for _, s := range x.streams {
		if i := x.gapsOf(s.name); i >= 0 {
			x.allGaps = append(x.allGaps, x.gaps[i].gaps...)
		}
	}
	for _, l := range x.gaps {
		if !slices.ContainsFunc(x.streams, func(s *stream) bool { return s.name == l.stream }) {
			x.allGaps = append(x.allGaps, l.gaps...)
		}
	}
	x.gapSum = 0
	for _, g := range x.allGaps {
		x.gapSum = mix(x.gapSum ^ mix(g.Time) ^ g.Duration)
	}
	return x.allGaps
}
