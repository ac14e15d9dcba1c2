package hls

import (
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// withKept returns a snapshot in which the fragments that have left the window of a live presentation a short while ago are
// there as well: a player may ask for segments of the list before. See RFC 8216 6.2.2. It is made once per snapshot.
func withKept(s *smooth.Snapshot) *smooth.Snapshot {
	if !slices.ContainsFunc(s.Edges, func(e smooth.Edge) bool { return len(e.Kept) > len(e.Received) }) {
		return s
	}
	type key struct{}
	v, err := s.Derive(key{}, func() (any, error) { return makeKept(s), nil })
	if err != nil {
		return s
	}
	return v.(*smooth.Snapshot)
}

func makeKept(s *smooth.Snapshot) *smooth.Snapshot {
	m := *s.Manifest
	m.Streams = slices.Clone(m.Streams)
	for i, st := range m.Streams {
		if i >= len(s.Edges) {
			break
		}
		whole := *st
		for _, line := range []smooth.Timeline{s.Edges[i].Received, s.Edges[i].Kept} {
			if len(line) > len(whole.Timeline) {
				whole.Timeline = line
			}
		}
		whole.Embedded = nil
		m.Streams[i] = &whole
	}
	kept := smooth.NewSnapshot(&m, s.Validator)
	kept.Periods, kept.Gaps, kept.Ended, kept.ModTime = s.Periods, s.Gaps, s.Ended, s.ModTime
	return kept
}
