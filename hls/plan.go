package hls

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// A segment is one entry of a media playlist: whole fragments of one stream.
type segment struct {
	// first and count are positions in the timeline of the stream.
	first, count int
	// start is the time of the first fragment, end that of what follows: the next fragment, or else the end of the last
	// one. Both are ticks of the stream. The difference is the duration of the segment in the playlist.
	start, end uint64
	// number is the media sequence number.
	number uint64
	// discontinuity tells that another period than that of the segment before begins here.
	discontinuity bool
	// gap marks an entry without media, which keeps the numbers consecutive. first and count mean nothing then.
	gap bool
}

// A plan cuts the timeline of a stream into segments. Time is divided into spans of equal length, counted from zero of
// the timeline, and a segment holds the fragments of one period whose middle lies in one span; starts would be on either
// side of a boundary for sound, whose fragments are as long as those of the picture only on average. So the segments and
// their numbers do not depend on where a list begins or who makes it: a live window that moves, a server that starts anew
// and its twin agree. The number of a segment is that of its span plus the discontinuities before it.
type plan struct {
	line      smooth.Timeline
	timescale uint64
	span      uint64 // length of a span in ticks; at least 1
	open      bool   // the presentation goes on, so that the last span may be incomplete
	periods   []boundary
}

// boundary is where a period starts.
type boundary struct {
	start         uint64 // ticks of the stream
	discontinuity uint64
}

// newPlan returns the plan for a stream of a snapshot.
func newPlan(s *smooth.Snapshot, st *smooth.Stream, length time.Duration) plan {
	p := plan{line: st.Timeline, timescale: s.Manifest.TimescaleOf(st), open: !s.Ended}
	// Fragments longer than the wanted length would leave numbers without a segment. What such fragments are like in
	// the future of a live presentation is not known, so there the length stays as it is.
	if !s.Manifest.IsLive {
		length = max(length, longestFragment(s))
	}
	p.span = max(smooth.Rescale(uint64(length), uint64(time.Second), p.timescale), 1)
	if len(s.Periods) > 1 {
		scale := timescaleOf(s.Manifest)
		for i := range s.Periods {
			q := &s.Periods[i]
			p.periods = append(p.periods, boundary{smooth.Rescale(q.Start, scale, p.timescale), q.Discontinuity})
		}
	}
	return p
}

// timescaleOf returns the timescale of a manifest's own times.
func timescaleOf(m *smooth.Manifest) uint64 {
	if m.Timescale == 0 {
		return smooth.DefaultTimescale
	}
	return m.Timescale
}

// longestFragment returns the longest duration of a fragment of sound or picture. It is looked for once per snapshot.
func longestFragment(s *smooth.Snapshot) time.Duration {
	b, err := s.Memo("hls.longest", func() ([]byte, error) {
		longest := uint64(0)
		for _, st := range s.Manifest.Streams {
			if st.Type == smooth.Text || st.Parent != "" {
				continue
			}
			most := uint64(0)
			for _, c := range st.Timeline {
				most = max(most, c.Duration)
			}
			longest = max(longest, smooth.Rescale(most, s.Manifest.TimescaleOf(st), uint64(time.Second)))
		}
		return binary.BigEndian.AppendUint64(nil, longest), nil
	})
	if err != nil {
		return 0
	}
	return time.Duration(min(binary.BigEndian.Uint64(b), math.MaxInt64))
}

// period returns the index of the period that holds time t.
func (p *plan) period(t uint64) int {
	i := len(p.periods) - 1
	for i > 0 && p.periods[i].start > t {
		i--
	}
	return i
}

// bucket returns the span of a fragment.
func (p *plan) bucket(c smooth.Chunk) uint64 { return (c.Time + c.Duration/2) / p.span }

// number returns the media sequence number of a segment that starts with a fragment.
func (p *plan) number(c smooth.Chunk) uint64 {
	n := p.bucket(c)
	if i := p.period(c.Time); i >= 0 {
		n += p.periods[i].discontinuity
	}
	return n
}

// endOf returns the position after the last fragment of the segment that begins with fragment i, and whether it is
// known that no more will come.
func (p *plan) endOf(i int) (end int, closed bool) {
	bucket, period := p.bucket(p.line[i]), p.period(p.line[i].Time)
	for end = i + 1; end < len(p.line); end++ {
		if p.bucket(p.line[end]) != bucket || p.period(p.line[end].Time) != period {
			return end, true
		}
	}
	// A fragment that starts where the span has ended belongs to the next one: nothing can be added to this one.
	return end, !p.open || p.line[end-1].End()/p.span != bucket
}

// at returns the segment that starts with fragment i and has count fragments; a count of zero means all that belong to
// it. The number is right for a plan without gaps.
func (p *plan) at(i, count int) segment {
	if count == 0 {
		end, _ := p.endOf(i)
		count = end - i
	}
	s := segment{first: i, count: count, start: p.line[i].Time, number: p.number(p.line[i])}
	s.end = p.line[i+count-1].End()
	if i+count < len(p.line) && p.line[i+count].Time > s.end {
		s.end = p.line[i+count].Time
	}
	return s
}

// maxGaps bounds the entries that stand for one gap, so that a jump of the clock does not fill the memory.
const maxGaps = 10_000

// segments appends the complete segments in order.
func (p *plan) segments(dst []segment) []segment {
	period := -1
	for i := 0; i < len(p.line); {
		end, closed := p.endOf(i)
		if !closed {
			break
		}
		s := p.at(i, end-i)
		now := p.period(s.start)
		s.discontinuity = i > 0 && now != period
		period = now
		if n := len(dst); n > 0 {
			dst = p.fill(dst, &s)
		}
		dst = append(dst, s)
		i = end
	}
	return dst
}

// fill makes numbers consecutive before segment s is appended. Where media is missing it puts entries for the gap, which
// share the time that the segment before would otherwise have. On demand, where nothing ever leaves the list, segments
// that follow each other at once are simply counted.
func (p *plan) fill(dst []segment, s *segment) []segment {
	last := &dst[len(dst)-1]
	if s.number <= last.number {
		s.number = last.number + 1 // periods out of order; the list stays valid
	}
	missing := s.number - last.number - 1
	end := max(p.line[last.first+last.count-1].End(), last.start)
	if missing == 0 {
		return dst
	}
	if !p.open && last.end <= end || missing > maxGaps {
		s.number = last.number + 1
		return dst
	}
	each := uint64(0)
	if last.end > end {
		each = (last.end - end) / missing
	}
	until := last.end
	last.end = min(end, last.end)
	at := last.end
	for n := last.number + 1; n < s.number; n++ {
		dst = append(dst, segment{start: at, end: at + each, number: n, gap: true})
		at += each
	}
	dst[len(dst)-1].end = until
	return dst
}

// targetDuration returns the EXT-X-TARGETDURATION in seconds that the segments need: the longest one, rounded to the
// nearest second. See RFC 8216 section 4.3.3.1.
func targetDuration(list []segment, timescale uint64) uint64 {
	longest := uint64(0)
	for i := range list {
		longest = max(longest, list[i].end-list[i].start)
	}
	return max(smooth.Rescale(longest, timescale, 1), 1)
}

// liveTarget returns a target duration that stays the same while a live list changes, in seconds: that of a span if
// fragments of the usual length fill it, else up to a fragment more. Lengths are rounded to the nearest second.
func (p *plan) liveTarget() uint64 {
	longest := uint64(0)
	for _, c := range p.line {
		longest = max(longest, c.Duration)
	}
	span := max((p.span+p.timescale-1)/p.timescale, 1)
	if longest == 0 || longest > p.span {
		return max(span, smooth.Rescale(longest, p.timescale, 1))
	}
	k := (p.span + longest/2) / longest // fragments in a span
	if d := k * longest; d < span*p.timescale+p.timescale/2 && d > p.span-longest/4 {
		return span
	}
	return (p.span + longest + p.timescale - 1) / p.timescale
}
