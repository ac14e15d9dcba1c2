package validate

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

func resolution(w, h uint64) string { return fmt.Sprintf("%dx%d", w, h) }

// bitrate is bits per second.
func bitrate(bytes int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(bytes) * 8 / d.Seconds()
}

// measured are the bit rates of one media playlist, in bits per second.
type measured struct {
	peak    float64 // over groups of segments of 0.5 to 1.5 target durations, as RFC 8216 section 4.3.4.2 defines it
	average float64
}

// maxGroup bounds the segments of a group, for playlists that say that segments last no time.
const maxGroup = 1000

// measured computes the bit rates of the segments that were read.
func (l *list) measured() measured {
	var out measured
	var bytes int64
	var total time.Duration
	target := l.p.media.target
	for i, first := range l.measures {
		bytes += first.bytes
		total += first.duration
		var sum int64
		var d time.Duration
		for j, m := range l.measures[i:min(i+maxGroup, len(l.measures))] {
			if m.number != first.number+uint64(j) {
				break
			}
			sum += m.bytes
			if d += m.duration; 2*d > 3*target {
				break
			}
			if 2*d >= target {
				out.peak = max(out.peak, bitrate(sum, d))
			}
		}
	}
	out.average = bitrate(bytes, total)
	if out.peak == 0 {
		out.peak = out.average // all segments are shorter or longer than that
	}
	return out
}

// complete reports that all segments were read.
func (l *list) complete() bool {
	n := 0
	for _, s := range l.p.media.segments {
		if !s.gap {
			n++
		}
	}
	return len(l.measures) == n
}

// add adds the largest bit rates of a group: the variant is played with one of its members. It reports whether all of
// their segments were read.
func (m *measured) add(group []*list) bool {
	var worst measured
	whole := true
	for _, l := range group {
		x := l.measured()
		worst = measured{peak: max(worst.peak, x.peak), average: max(worst.average, x.average)}
		whole = whole && l.complete()
	}
	m.peak, m.average = m.peak+worst.peak, m.average+worst.average
	return whole
}

// shortest returns the highest bit rate of a segment, however short, with the renditions that are played with it:
// those of the same number.
func (l *list) shortest(with [][]*list) float64 {
	rates := make(map[uint64]float64, len(l.measures))
	for _, m := range l.measures {
		rates[m.number] = 0
		if !l.among(with) {
			rates[m.number] = bitrate(m.bytes, m.duration)
		}
	}
	for _, group := range with {
		worst := make(map[uint64]float64)
		for _, x := range group {
			for _, m := range x.measures {
				worst[m.number] = max(worst[m.number], bitrate(m.bytes, m.duration))
			}
		}
		for number := range rates {
			rates[number] += worst[number]
		}
	}
	highest := 0.0
	for _, r := range rates {
		highest = max(highest, r)
	}
	return highest
}

// among reports whether the list of a variant is one of its own renditions, such as the sound of one without picture.
// Then it counts once, and another of the group may be played in its place.
func (l *list) among(with [][]*list) bool {
	return slices.ContainsFunc(with, func(group []*list) bool { return slices.Contains(group, l) })
}

// rates compares what a variant says to what was measured, with the renditions that it needs.
func (w *walk) rates(l *list, v *variant, with [][]*list) {
	if len(l.measures) == 0 || v.bandwidth == 0 {
		return
	}
	m, whole := measured{}, true
	if !l.among(with) {
		m, whole = l.measured(), l.complete()
	}
	for _, group := range with {
		if !m.add(group) {
			whole = false
		}
	}
	short := l.shortest(with)
	p := Place{Document: w.master.name, Line: v.line}
	limit, live := float64(v.bandwidth), l.p.media.live()
	if live {
		limit *= 1.25
	}
	switch {
	case m.peak > limit:
		w.rec.Add("HC106", p, "BANDWIDTH is %d, the peak of %s %.0f", v.bandwidth, l.name, m.peak)
	case short > limit:
		w.rec.Add("HC107", p, "BANDWIDTH is %d, a segment of %s has %.0f", v.bandwidth, l.name, short)
	case whole && !live && float64(v.bandwidth) > 1.1*max(m.peak, short):
		w.rec.Add("HC108", p, "BANDWIDTH is %d, the peak of %s %.0f", v.bandwidth, l.name, max(m.peak, short))
	}
	if !whole {
		return
	}
	if a := float64(v.average); a > 0 && (a < m.average/1.1 || a > m.average*1.1) {
		w.rec.Add("HC109", p, "AVERAGE-BANDWIDTH is %d, the average of %s %.0f", v.average, l.name, m.average)
	}
	if m.peak > 2*m.average && !v.iframes && !live {
		w.rec.Add("HC110", p, "the peak of %s is %.0f, the average %.0f", l.name, m.peak, m.average)
	}
}
