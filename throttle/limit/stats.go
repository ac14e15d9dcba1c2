package limit

import (
	"cmp"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// Counts are the counters of players, or of distribution connections.
type Counts struct {
	// Now is how many there are: ConnectedPlayers, OutgoingDistributionConnections. Peak is the most since
	// [Stats].Since.
	Now, Peak int
	// Allocated is the bandwidth that is set aside for them: PlayerAllocatedBandwidth. See [Options].Bandwidth.
	Allocated throttle.Rate
	// Bandwidth is what was sent in the last five seconds, and Bytes all that was, where it is measured.
	Bandwidth throttle.Rate
	Bytes     int64
}

// PointStats are the counters of a point.
type PointStats struct {
	Path                  string
	Players, Distribution Counts
}

// GroupStats are the counters of a group.
type GroupStats struct {
	Name      string
	Now, Peak int
}

// FileStats are the viewers of a file.
type FileStats struct {
	File, Point           string
	Players, Distribution int
}

// Stats are the counters of a [Handler]. Windows Media Services has them as current and peak counters.
type Stats struct {
	// Since is when the peaks began.
	Since time.Time
	// Players and Distribution are those of the server with all points but those that replace its limits.
	Players, Distribution Counts
	// Sessions is the size of the table of sessions: one for each viewer and file.
	Sessions int
	// Admitted and Ended count sessions, Denied the requests that were refused, by the limit; since the beginning.
	Admitted, Ended int64
	Denied          map[Reason]int64
	Points          []PointStats
	Groups          []GroupStats
	// Files have most viewers, the first the most.
	Files []FileStats
}

// Stats returns the counters, with the given number of files.
func (h *Handler) Stats(files int) Stats {
	now := h.opts.Now()
	h.settle(now)
	top := h.topFiles(files)
	h.mu.Lock()
	defer h.mu.Unlock()
	at := now.Sub(h.epoch)
	s := Stats{
		Since: h.since, Sessions: len(h.all.all), Admitted: h.admitted, Ended: h.ended, Denied: make(map[Reason]int64),
		Players: h.server.stats(player, at), Distribution: h.server.stats(distribution, at), Files: top,
	}
	for r, n := range h.denied {
		if n > 0 {
			s.Denied[Reason(r)] = n
		}
	}
	for _, l := range h.levels[1:] {
		s.Points = append(s.Points, PointStats{l.path, l.stats(player, at), l.stats(distribution, at)})
	}
	for _, g := range h.groups {
		s.Groups = append(s.Groups, GroupStats{g.name, g.tally.now, g.tally.peak})
	}
	slices.SortFunc(s.Points, func(a, b PointStats) int { return cmp.Compare(a.Path, b.Path) })
	slices.SortFunc(s.Groups, func(a, b GroupStats) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// stats returns the counters of a kind.
func (l *level) stats(k kind, at time.Duration) Counts {
	return Counts{
		Now: l.tallies[k].now, Peak: l.tallies[k].peak, Allocated: l.allotted[k],
		Bandwidth: l.meters[k].rate(at), Bytes: l.meters[k].bytes(),
	}
}

// topFiles returns the n files with most viewers, in steps as there may be many.
func (h *Handler) topFiles(n int) []FileStats {
	if n <= 0 {
		return nil
	}
	var top []FileStats
	seen := make(map[FileStats]bool, walkStep)
	keep := func() bool {
		slices.SortFunc(top, compareFiles)
		top = top[:min(n, len(top))]
		return true
	}
	walk(h, &h.allFiles, func(f *file) {
		v := FileStats{f.name, f.level.path, f.viewers[player], f.viewers[distribution]}
		top = append(top, v)
	}, keep)
	// A file may have been seen twice.
	return slices.DeleteFunc(top, func(v FileStats) bool {
		id := FileStats{File: v.File, Point: v.Point}
		again := seen[id]
		seen[id] = true
		return again
	})
}

// compareFiles sorts by viewers, then by name.
func compareFiles(a, b FileStats) int {
	return cmp.Or(cmp.Compare(b.Players, a.Players), cmp.Compare(b.Distribution, a.Distribution),
		cmp.Compare(a.File, b.File), cmp.Compare(a.Point, b.Point))
}

// ResetPeaks makes the peaks what there is now.
func (h *Handler) ResetPeaks() {
	now := h.opts.Now()
	h.settle(now)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since = now
	for _, l := range h.levels {
		for k := range l.tallies {
			l.tallies[k].peak = l.tallies[k].now
		}
	}
	for _, g := range h.groups {
		g.tally.peak = g.tally.now
	}
}
