package hls

import (
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Segment is an entry of a plan as tests see it.
type Segment struct {
	First, Count       int
	Start, End, Number uint64
	Discontinuity, Gap bool
}

// Plan is a plan as tests see it.
type Plan struct{ p plan }

// NewPlan returns the plan for a stream of a snapshot.
func NewPlan(s *smooth.Snapshot, st *smooth.Stream, length time.Duration) *Plan {
	return &Plan{newPlan(s, st, length)}
}

// Segments returns the complete segments.
func (p *Plan) Segments() []Segment {
	var list []Segment
	for _, s := range p.p.segments(nil) {
		list = append(list, Segment{s.first, s.count, s.start, s.end, s.number, s.discontinuity, s.gap})
	}
	return list
}

// Number returns the media sequence number that the answer to a request for the segment from fragment i on has.
func (p *Plan) Number(i int) uint64 { return p.p.exactNumber(i, p.p.at(i, 0).number) }

// LiveTarget returns the target duration of a live list.
func (p *Plan) LiveTarget() uint64 { return p.p.liveTarget() }
