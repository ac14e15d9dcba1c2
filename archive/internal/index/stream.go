package index

import (
	"math"

	"github.com/smoothkit/smoothkit/smooth"
)

// stream holds tracks that share a timeline.
type stream struct {
	name   string
	tracks []*track
	// line is the timeline. Published snapshots have a part of the same array.
	line smooth.Timeline
	// listed is how many chunks snapshots have: as far as all tracks have come that go on. It grows only, but for Cut.
	listed int
	sum    uint64 // of the chunks that are listed
	// unseen tells that something has changed in what is listed since the last snapshot was given up.
	unseen bool
	// shown is as in the manifest, without timeline; levels are those of tracks, in the same order.
	shown  smooth.Stream
	levels []*smooth.QualityLevel
}

// describe takes over what the tracks say of the stream.
func (s *stream) describe() {
	t := s.tracks[len(s.tracks)-1]
	s.shown = smooth.Stream{}
	if t.Stream != nil {
		s.shown = *t.Stream
	}
	s.shown.Name, s.shown.Timescale = s.name, Scale
	s.shown.Levels, s.shown.Timeline, s.shown.Embedded, s.shown.DeclaredChunks = nil, nil, nil, 0
	s.levels = nil
	for i, t := range s.tracks {
		level := smooth.QualityLevel{Bitrate: t.Key.Bitrate}
		if t.Level != nil {
			level = *t.Level
		}
		level.Index = uint32(i)
		s.levels = append(s.levels, &level)
	}
}

// sparse reports whether the stream hangs on another one.
func (s *stream) sparse() bool { return s.shown.Parent != "" }

// find returns the position of the chunk at a time, or where it would be.
func (s *stream) find(time uint64) (int, bool) {
	if n := len(s.line); n == 0 || s.line[n-1].Time < time {
		return n, false
	}
	return s.line.Find(time)
}

// insert puts a chunk onto the timeline. It reports whether that is in the middle.
func (s *stream) insert(pos int, c smooth.Chunk) bool {
	c.Duration = min(c.Duration, math.MaxUint64-c.Time)
	// rx-player takes a tfrf entry of the same duration for the fragment right after the one it has, and asks for what is in
	// the gap until it gives up. A tick less, 100 ns, and it reads the time. Package livesmooth does the same.
	if pos > 0 && !s.sparse() && c.Duration > 1 && c.Duration == s.line[pos-1].Duration && c.Time > s.line[pos-1].End()+c.Duration/4 {
		c.Duration--
	}
	n := len(s.line)
	if pos == n {
		if n == cap(s.line) {
			s.line = append(make(smooth.Timeline, 0, room(n+1)), s.line...)
		}
		s.line = append(s.line, c)
		return false
	}
	line := append(make(smooth.Timeline, 0, room(n+1)), s.line[:pos]...) // snapshots keep what they have
	s.line = append(append(line, c), s.line[pos:]...)
	for _, t := range s.tracks {
		t.column.shift(pos)
	}
	if pos < s.listed {
		s.listed++
		s.sum += chunkSum(c)
		s.unseen = true
	}
	return true
}

// patience is how many chunks a track may be behind the others before they are listed without it.
const patience = 3

// settle lists the chunks that all tracks have, but for those that have not gone on lately, or all chunks if the
// presentation has ended. It reports whether there are any new ones.
func (s *stream) settle(ended bool) bool {
	to := len(s.line)
	for _, t := range s.tracks {
		if end := t.column.end(); !ended && end < to && len(s.line)-end <= patience {
			to = end
		}
	}
	if to <= s.listed {
		return false
	}
	s.list(to)
	return true
}

// list lists the chunks before a position.
func (s *stream) list(to int) {
	for ; s.listed < to; s.listed++ {
		c := s.line[s.listed]
		s.sum += chunkSum(c)
		for _, t := range s.tracks {
			if t.column.has(s.listed) {
				t.sum += t.column.at(s.listed, c).sum()
			}
		}
	}
}

func chunkSum(c smooth.Chunk) uint64 { return mix(mix(c.Time) ^ c.Duration) }
