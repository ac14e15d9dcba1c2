package index

import (
	"github.com/smoothkit/smoothkit/smooth"
)

// Cut takes out the fragments that end after size bytes of a file. Chunks that no track has any more leave the timeline.
func (x *Index) Cut(file int, size int64) {
	x.mu.Lock()
	var old stale
	for _, s := range x.streams {
		if s.reaches(file, size) {
			s.cut(file, size)
			s.settle(x.ended)
			old = x.invalidate().and(old)
		}
	}
	x.mu.Unlock()
	old.supersede()
}

// reaches reports whether a track in a file has a fragment that ends after size bytes.
func (s *stream) reaches(file int, size int64) bool {
	for _, t := range s.tracks {
		if t.File != file {
			continue
		}
		for pos := t.column.first; pos < t.column.end(); pos++ {
			if t.column.has(pos) && t.column.at(pos, s.line[pos]).End() > size {
				return true
			}
		}
	}
	return false
}

// cut builds the timeline anew from what stays. Snapshots keep what they have.
func (s *stream) cut(file int, size int64) {
	columns := make([]column, len(s.tracks))
	line := make(smooth.Timeline, 0, room(len(s.line)))
	listed := 0
	for pos, c := range s.line {
		stays := false
		for i, t := range s.tracks {
			if !t.column.has(pos) {
				continue
			}
			if e := t.column.at(pos, c); t.File != file || e.End() <= size {
				columns[i].put(len(line), e, c)
				stays = true
			}
		}
		if !stays {
			continue
		}
		line = append(line, c)
		if pos < s.listed {
			listed++
		}
	}
	for i, t := range s.tracks {
		t.column, t.sum = columns[i], 0
	}
	s.line, s.listed, s.sum = line, 0, 0
	s.list(listed)
}
