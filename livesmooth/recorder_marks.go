package livesmooth

import (
	"slices"
	"sort"
)

// maxLostSpans bounds the spans of lost fragments that are told apart, per track.
const maxLostSpans = 1024

// recordedMarks says of each fragment of a track whether it has been recorded, in a few words for the whole track: all up to a
// mark have been, but for the spans that were lost and the late ones that wait. Times are in ticks.
type recordedMarks struct {
	begun   bool
	offered uint64 // the newest fragment that was queued
	mark    uint64 // the newest fragment that was recorded
	marked  bool
	late    []uint64    // queued ones before offered, in ascending order
	lost    []ticksSpan // in ascending order, apart from each other
}

// A ticksSpan holds the times from first to last, both included.
type ticksSpan struct{ first, last uint64 }

// offer notes that a fragment is queued.
func (m *recordedMarks) offer(t uint64) {
	m.find(t)
	if m.begun && t <= m.offered {
		if i, found := slices.BinarySearch(m.late, t); !found {
			m.late = slices.Insert(m.late, i, t)
		}
		return
	}
	m.begun, m.offered = true, t
}

// find takes a fragment out of those that were lost.
func (m *recordedMarks) find(t uint64) {
	i, in := m.lostAt(t)
	if !in {
		return
	}
	s, rest := m.lost[i], make([]ticksSpan, 0, 2)
	if s.first < t {
		rest = append(rest, ticksSpan{s.first, t - 1})
	}
	if s.last > t {
		rest = append(rest, ticksSpan{t + 1, s.last})
	}
	m.lost = slices.Replace(m.lost, i, i+1, rest...)
}

// keep notes that a fragment that was queued has been recorded.
func (m *recordedMarks) keep(t uint64) {
	m.arrive(t)
	m.find(t) // others around it may have been lost since it was queued
	if !m.marked || t > m.mark {
		m.marked, m.mark = true, t
	}
}

// lose notes that a fragment will not be recorded. queued tells whether it was offered before.
func (m *recordedMarks) lose(t uint64, queued bool) {
	newest := m.offered // no fragment after this one is recorded or will be
	known := m.begun
	if queued {
		m.arrive(t)
		newest, known = m.mark, m.marked
	}
	i, in := m.lostAt(t)
	switch {
	case in:
	case i > 0 && (!known || newest <= m.lost[i-1].last): // nothing but lost ones in between
		m.lost[i-1].last = t
	default:
		m.lost = slices.Insert(m.lost, i, ticksSpan{t, t})
	}
	if len(m.lost) > maxLostSpans { // the oldest is the first that nobody will ask for
		m.lost[1].first = m.lost[0].first
		m.lost = slices.Delete(m.lost, 0, 1)
	}
}

// arrive takes a late fragment out of those that wait.
func (m *recordedMarks) arrive(t uint64) {
	if i, found := slices.BinarySearch(m.late, t); found {
		m.late = slices.Delete(m.late, i, i+1)
	}
}

// lostAt returns the position of the span that holds a time and true, or that of the first span after it.
func (m *recordedMarks) lostAt(t uint64) (int, bool) {
	i := sort.Search(len(m.lost), func(i int) bool { return m.lost[i].last >= t })
	return i, i < len(m.lost) && m.lost[i].first <= t
}

// has reports whether a fragment has been recorded.
func (m *recordedMarks) has(t uint64) bool {
	if !m.marked || t > m.mark {
		return false
	}
	if _, waits := slices.BinarySearch(m.late, t); waits {
		return false
	}
	_, lost := m.lostAt(t)
	return !lost
}

// given reports whether a fragment has been given up.
func (m *recordedMarks) given(t uint64) bool {
	if _, waits := slices.BinarySearch(m.late, t); waits {
		return false
	}
	_, lost := m.lostAt(t)
	return lost
}

// trim forgets what was lost before a time.
func (m *recordedMarks) trim(before uint64) {
	n := sort.Search(len(m.lost), func(i int) bool { return m.lost[i].last >= before })
	m.lost = slices.Delete(m.lost, 0, n)
}
