package cut

import "fmt"

// video cuts the renditions of one picture.
func (p *planner) video(video []Track) ([][]Cut, error) {
	m, err := p.matcher(video)
	if err != nil {
		return nil, err
	}
	if err := p.sameEnd(m); err != nil {
		return nil, err
	}
	cuts := make([][]Cut, len(video))
	add := func(pt *point) {
		for i := range cuts {
			cuts[i] = append(cuts[i], Cut{uint64(pt.dts), pt.samples[i]})
		}
	}
	var last, near, pt point // the last cut, the best candidate for the next one, the point at hand
	more, err := p.begin(m, &last, &pt)
	if err != nil {
		return nil, err
	}
	add(&last)
	before := last.pts
	for ; more; more = m.next(&pt) {
		if err := p.gap(m, before, pt.pts); err != nil {
			return nil, err
		}
		before = pt.pts
		if goal := last.pts + p.target; near.valid && distance(pt.pts, goal) > distance(near.pts, goal) {
			add(&near)
			near, last = last, near
		}
		near, pt = pt, near
		near.valid = true
	}
	m.drain()
	if err := p.gap(m, before, m.end()); err != nil {
		return nil, err
	}
	if near.valid && p.cutBeforeEnd(last.pts, near.pts, m.end()) {
		add(&near)
		last = near
	}
	for i := range cuts {
		cuts[i] = append(cuts[i], Cut{uint64(max(last.end, last.dts+1)), video[i].Table.Len()})
	}
	return cuts, nil
}

// cutBeforeEnd reports whether the last candidate becomes a cut: if it is nearer to the wanted time than the end is, and
// leaves a piece worth having, or if there would be too long a piece without it.
func (p *planner) cutBeforeEnd(last, near, end int64) bool {
	goal := last + p.target
	return distance(near, goal) < distance(end, goal) && end-near >= p.target/4 || end-last > 2*p.target
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// begin finds the first cut: the last point that is not after the start of the presentation, or else the first one.
// It stores the point after it in following, and reports whether there is one.
func (p *planner) begin(m *matcher, first, following *point) (bool, error) {
	if !m.next(first) {
		return false, p.misaligned(m, 0, m.end(), "no common sync sample")
	}
	more := m.next(following)
	for more && following.pts <= m.tolerance {
		*first, *following = *following, *first
		more = m.next(following)
	}
	for i := range m.all {
		if start := max(m.all[i].first, 0); first.pts-start > p.target {
			return false, p.misaligned(m, start, first.pts, "the first common sync sample comes late")
		}
	}
	return more, nil
}

// gap fails if there is much between two neighbouring points and every rendition has sync samples there. If one has
// none, its groups of pictures are just long. It starts the next gap.
func (p *planner) gap(m *matcher, from, to int64) error {
	long := to-from > maxStretch*p.target
	all := len(m.all) > 1
	for i := range m.all {
		all = all && m.all[i].skipped > 0
		m.all[i].skipped = 0
	}
	if long && all {
		return p.misaligned(m, from, to, "no common sync sample")
	}
	return nil
}

// sameEnd fails if the renditions are not about equally long.
func (p *planner) sameEnd(m *matcher) error {
	short, long := 0, 0
	for i := range m.all {
		if m.all[i].extent.end < m.all[short].extent.end {
			short = i
		}
		if m.all[i].extent.end > m.all[long].extent.end {
			long = i
		}
	}
	from, to := m.all[short].extent.end, m.all[long].extent.end
	if to-from <= p.target {
		return nil
	}
	return &AlignError{
		Tracks: [2]int{short, long}, From: p.seconds(from), To: p.seconds(to),
		Reason: fmt.Sprintf("one ends %.3f s before the other", p.seconds(to-from)),
	}
}

// misaligned returns the error for a part without points. It names the first rendition and the one whose sync samples
// it meets least.
func (p *planner) misaligned(m *matcher, from, to int64, reason string) error {
	return &AlignError{Tracks: [2]int{0, m.odd}, From: p.seconds(from), To: p.seconds(to), Reason: reason}
}

func (p *planner) seconds(ticks int64) float64 { return float64(ticks) / float64(p.ts) }
