package cut

import (
	"math"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// rendition walks over the sync samples of a video track.
type rendition struct {
	t      *Track
	ts     uint64
	extent extent
	cursor fmp4.SampleCursor
	number uint32 // of the sample that cursor returns next

	// The current sync sample.
	sample   uint32
	pts, dts int64 // in ticks of the result; dts is moved ahead by extent.lead

	first   int64 // pts of the first sync sample
	skipped int   // sync samples that others do not have, since the last point
}

// advance moves to the next sync sample and reports whether there is one.
func (r *rendition) advance() bool {
	for {
		s, ok := r.cursor.Next()
		if !ok {
			return false
		}
		r.number++
		if s.Sync {
			r.sample = r.number - 1
			r.pts = r.t.Ticks(int64(s.DTS)+int64(s.CTS), r.ts)
			r.dts = r.t.Ticks(int64(s.DTS), r.ts) - r.extent.lead
			return true
		}
	}
}

// point is a time at which all renditions have a sync sample.
type point struct {
	pts     int64
	dts     int64 // the smallest of all renditions
	end     int64 // where the longest rendition ends when its decode times are moved to dts
	samples []uint32
	valid   bool // for the user
}

// matcher finds the points of some renditions in ascending order.
type matcher struct {
	all       []rendition
	tolerance int64 // half a frame
	started   bool
	odd       int // the rendition that was behind most recently, other than the first
}

func (p *planner) matcher(video []Track) (*matcher, error) {
	m := &matcher{all: make([]rendition, len(video)), tolerance: math.MaxInt64}
	for i := range video {
		e, err := p.extent(&video[i])
		if err != nil {
			return nil, &TrackError{Track: i, Err: err}
		}
		r := &m.all[i]
		*r = rendition{t: &video[i], ts: p.ts, extent: e, cursor: video[i].Table.At(0)}
		if !r.advance() {
			return nil, &TrackError{Track: i, Err: ErrEmpty}
		}
		r.first = r.pts
		m.tolerance = min(m.tolerance, e.frame/2)
	}
	return m, nil
}

// next stores the next point in pt, or reports false.
func (m *matcher) next(pt *point) bool {
	if m.started {
		for i := range m.all {
			if !m.all[i].advance() {
				return false
			}
		}
	}
	m.started = true
	for {
		moved, ok := m.level()
		if !ok {
			return false
		}
		if !moved {
			break
		}
	}
	pt.pts, pt.dts, pt.end, pt.samples = m.all[0].pts, m.all[0].dts, math.MinInt64, pt.samples[:0]
	for i := range m.all {
		pt.dts = min(pt.dts, m.all[i].dts)
		pt.samples = append(pt.samples, m.all[i].sample)
	}
	for i := range m.all {
		pt.end = max(pt.end, m.all[i].extent.end+pt.dts-m.all[i].dts)
	}
	return true
}

// level moves those renditions forward that are behind another one.
func (m *matcher) level() (moved, ok bool) {
	latest := m.all[0].pts
	for i := range m.all {
		latest = max(latest, m.all[i].pts)
	}
	for i := range m.all {
		r := &m.all[i]
		for r.pts < latest-m.tolerance {
			if moved = true; i > 0 {
				m.odd = i
			}
			r.skipped++
			if !r.advance() {
				return true, false
			}
		}
	}
	return moved, true
}

// drain counts what is left after the last point as skipped.
func (m *matcher) drain() {
	for i := range m.all {
		for m.all[i].advance() {
			m.all[i].skipped++
		}
	}
}

// end returns where the longest rendition ends.
func (m *matcher) end() int64 {
	end := int64(math.MinInt64)
	for i := range m.all {
		end = max(end, m.all[i].extent.end)
	}
	return end
}
