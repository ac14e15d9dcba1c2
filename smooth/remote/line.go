package remote

import (
	"slices"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// line is what is known of the timeline of a stream. It is immutable; published timelines only ever grow at the end of
// their array.
type line struct {
	// listed is what the origin gives out: what a manifest lists, and what has been fetched since.
	listed smooth.Timeline
	// confirmed is the end of what a manifest has listed.
	confirmed uint64
	// next are fragments that a tfrf box has announced and that are not listed yet; by is the time of the one that had
	// it.
	next smooth.Timeline
	by   uint64
	// embedded is the data in the manifest, as long as listed, or nil.
	embedded [][]smooth.ChunkData
	// follows tells that fragments which pass through lengthen the line. It is not so for sparse and control streams,
	// whose content is in the manifest and which have no tfrf.
	follows bool
}

// newLine returns the line of a stream as a manifest lists it.
func newLine(s *smooth.Stream) line {
	return line{
		listed: s.Timeline, confirmed: s.Timeline.End(), embedded: s.Embedded,
		follows: s.Parent == "" && !s.ManifestOutput && s.Embedded == nil,
	}
}

// verdict says how a newer manifest continues a line.
type verdict uint8

const (
	// continued: the same fragments, less at the beginning, more at the end, or none of both.
	continued verdict = iota
	// behind: the manifest ends before an earlier one did, and agrees with it otherwise: a copy in a cache, another
	// origin that lags, or an origin that has begun anew.
	behind
	// restarted: the manifest contradicts what was listed.
	restarted
)

// follow returns the line after a newer manifest.
func (l *line) follow(s *smooth.Stream) (line, verdict) {
	fresh := newLine(s)
	if !fresh.follows {
		if len(fresh.listed) > 0 && fresh.listed.End() < l.listed.End() {
			return *l, continued
		}
		return fresh, continued
	}
	switch {
	case len(l.listed) == 0:
		return fresh, continued
	case len(fresh.listed) == 0:
		return *l, continued
	case fresh.listed.End() <= l.listed.Start():
		return fresh, restarted
	case fresh.listed.Start() >= l.listed.End():
		fresh.keepNext(l)
		return fresh, continued
	}
	return l.merge(&fresh)
}

// merge returns l with the fragments of a manifest that overlaps it.
func (l *line) merge(fresh *line) (line, verdict) {
	out := *l
	lo, exact := l.listed.Find(fresh.listed.Start())
	old, added := l.listed[lo:], fresh.listed
	if !exact && lo > 0 { // the window of the manifest begins inside a fragment that was listed
		return *fresh, restarted
	}
	if lo == 0 { // fragments before what is listed have left it for good
		skip, found := added.Find(old.Start())
		if !found {
			return *fresh, restarted
		}
		added = added[skip:]
	}
	same := 0
	for same < len(old) && same < len(added) && old[same] == added[same] {
		same++
	}
	out.confirmed = max(l.confirmed, fresh.confirmed)
	switch {
	case same == len(old): // nearly always
		out.listed = append(old, added[same:]...)
	case same == len(added):
		out.listed = old
		if fresh.confirmed < l.confirmed {
			out.confirmed = l.confirmed
			return out, behind
		}
	case old[same].Time >= l.confirmed || same == len(old)-1 && old[same].Time == added[same].Time:
		// What only tfrf has told was not so, or the length of the last fragment was an estimate.
		out.listed = append(slices.Clip(old[:same]), added[same:]...)
	default:
		return *fresh, restarted
	}
	out.keepNext(l)
	return out, continued
}

// keepNext takes over from another line what is announced behind the end.
func (l *line) keepNext(from *line) {
	l.next, l.by = behindEnd(from.next, l.listed.End()), from.by
}

// behindEnd returns the fragments of a timeline that start at or after a time.
func behindEnd(tl smooth.Timeline, end uint64) smooth.Timeline {
	i, _ := slices.BinarySearchFunc(tl, end, func(c smooth.Chunk, t uint64) int {
		if c.Time < t {
			return -1
		}
		return 1
	})
	return tl[i:]
}

// knownEnd returns the end of what is listed or announced.
func (l *line) knownEnd() uint64 { return max(l.listed.End(), l.next.End()) }

// proven returns the line after a fragment that was not listed has been fetched, and so is given out. It reports false
// if it does not continue what is known.
func (l *line) proven(c smooth.Chunk) (line, bool) {
	if !l.follows || c.Duration == 0 || c.End() < c.Time {
		return *l, false
	}
	out := *l
	if i, ok := l.next.Find(c.Time); ok {
		out.listed = append(append(l.listed, l.next[:i]...), c)
		out.next = behindEnd(l.next, c.End())
		return out, true
	}
	if len(l.listed) > 0 && c.Time == l.knownEnd() {
		out.listed = append(append(l.listed, l.next...), c)
		out.next = nil
		return out, true
	}
	return *l, false
}

// announce returns the line after the fragment of a time has announced others. It reports false if that tells nothing
// new.
func (l *line) announce(time uint64, spans []fmp4.FragmentSpan) (line, bool) {
	if !l.follows || len(spans) == 0 || time < l.by {
		return *l, false
	}
	var next smooth.Timeline
	end := l.listed.End()
	for _, s := range spans {
		if s.Time < end || s.Duration == 0 || s.Time < next.End() || len(next) == maxAnnounced {
			continue
		}
		next = append(next, smooth.Chunk{Time: s.Time, Duration: s.Duration})
	}
	if slices.Equal(next, l.next) {
		return *l, false
	}
	out := *l
	out.next, out.by = next, time
	return out, true
}
