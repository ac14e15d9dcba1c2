package hls

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// A segment is one entry of a media playlist: whole fragments of one stream.
type segment struct {
	// first and count are positions in the timeline of the stream.
	first, count int
	// start is the time of the first fragment, end that of what follows: the next fragment or, at the end and always in a
	// live presentation, where the next one must not change what is listed, the end of the last one. Both are ticks of
	// the stream. The difference is the duration of the segment in the playlist.
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
	live      bool   // or was: the numbers are those of spans, even if some have no media
	cut       bool   // fragments have left the window, so that the first span may be incomplete
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
	p.live = s.Manifest.IsLive || wasLive(s) && !p.jumps(length)
	// Fragments a little longer than the wanted length are best taken one by one. What such fragments are like in the
	// future of a live presentation is not known, so there the length stays as it is; and one fragment of an hour, such
	// as the sound of a file that was not cut, must not make segments of an hour of everything else.
	if longest := longestFragment(s); !p.live && longest <= 2*length {
		length = max(length, longest)
	}
	p.span = max(smooth.Rescale(uint64(length), uint64(time.Second), p.timescale), 1)
	p.cut = p.mayBeCut(s.Manifest)
	if len(s.Periods) > 1 || len(s.Periods) == 1 && s.Periods[0].Discontinuity > 0 { // of which the first may be forgotten
		scale := timescaleOf(s.Manifest)
		for i := range s.Periods {
			q := &s.Periods[i]
			p.periods = append(p.periods, boundary{smooth.Rescale(q.Start, scale, p.timescale), q.Discontinuity})
		}
	}
	return p
}

// wasLive reports whether a presentation, by its window or its wall-clock time, has been live. Its list keeps what players
// have seen of it when it ends: they go on with it, and the numbers are in the segments that they ask for.
func wasLive(s *smooth.Snapshot) bool {
	known := func(p smooth.Period) bool { return !p.Wall.IsZero() }
	return s.Manifest.DVRWindowLength > 0 || slices.ContainsFunc(s.Periods, known)
}

// jumps reports whether more is missing somewhere than a list has entries for. Then a list that is complete counts its
// segments, since otherwise it would begin anew there.
func (p *plan) jumps(length time.Duration) bool {
	span := max(smooth.Rescale(uint64(length), uint64(time.Second), p.timescale), 1)
	far := func(from, to uint64) bool { return to > from && (to-from)/(maxGaps-1) >= span }
	if len(p.line) == 0 || !far(p.line.Start(), p.line.End()) {
		return false
	}
	for i := 1; i < len(p.line); i++ {
		if far(p.line[i-1].End(), p.line[i].Time) {
			return true
		}
	}
	return false
}

// mayBeCut reports whether fragments may have left the window of a live presentation, also one that has ended since. A
// presentation that is longer than its window has been archived whole.
func (p *plan) mayBeCut(m *smooth.Manifest) bool {
	window := smooth.Rescale(m.DVRWindowLength, timescaleOf(m), p.timescale)
	return window > 0 && len(p.line) > 0 && (m.IsLive || p.line.End()-p.line.Start() < window+window/2)
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
	return p.bucket(c) + p.discontinuities(c.Time)
}

// endOf returns the position after the last fragment of the segment that begins with fragment i, and whether it is
// known that no more will come.
func (p *plan) endOf(i int) (end int, closed bool) {
	bucket, period := p.bucket(p.line[i]), p.period(p.line[i].Time)
	for end = i + 1; end < len(p.line); end++ {
		c := &p.line[end]
		if beyond := c.Time + c.Duration/2 - bucket*p.span; beyond >= p.span || len(p.periods) > 0 && p.period(c.Time) != period {
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
	if next := i + count; !p.live && next < len(p.line) {
		s.end = p.line[next].Time
	}
	return s
}

// maxGaps bounds the entries that stand for one gap, so that a jump of the clock does not fill the memory.
const maxGaps = 10_000

// segments appends the complete segments in order.
func (p *plan) segments(dst []segment) []segment {
	period := -1
	for i := p.firstWhole(); i < len(p.line); {
		end, closed := p.endOf(i)
		if !closed {
			break
		}
		s := p.at(i, end-i)
		now := p.period(s.start)
		s.discontinuity = len(dst) > 0 && now != period
		period = now
		if n := len(dst); n > 0 {
			dst = p.fill(dst, &s)
		}
		dst = append(dst, s)
		i = end
	}
	return dst
}

// firstWhole returns the position of the first fragment whose span is complete. Where fragments have left the window,
// the rest of a span is not listed: it would be another segment under the number of the whole one.
func (p *plan) firstWhole() int {
	if !p.cut || p.line[0].Time <= p.bucket(p.line[0])*p.span {
		return 0
	}
	end, _ := p.endOf(0)
	return end
}

// fill makes numbers consecutive before segment s is appended. Where media is missing it puts entries for the gap.
func (p *plan) fill(dst []segment, s *segment) []segment {
	last := &dst[len(dst)-1]
	if s.number <= last.number {
		s.number = last.number + 1 // fragments or periods out of order; the list stays valid
	}
	switch missing := s.number - last.number - 1; {
	case missing == 0:
		return dst
	case !p.live:
		return p.fillGap(dst, s, missing)
	case missing > maxGaps: // the clock has jumped: the list begins anew
		s.discontinuity = false
		return dst[:0]
	default:
		return p.fillNumbers(dst, s, missing)
	}
}

// fillNumbers puts an entry into a live list for each number without media. None is longer than a span, so that the
// target duration holds. Periods without media of the stream are among them: players count discontinuities to know what
// belongs together in several lists.
func (p *plan) fillNumbers(dst []segment, s *segment, missing uint64) []segment {
	last := dst[len(dst)-1]
	each := min((max(s.start, last.end)-last.end)/missing, p.span)
	before, now := p.discontinuities(last.start), p.discontinuities(s.start)
	for n := range missing {
		at := last.end + n*each
		g := segment{start: at, end: at + each, number: last.number + 1 + n, gap: true}
		g.discontinuity = before+n+1 < now // that of s is its own
		dst = append(dst, g)
	}
	return dst
}

// discontinuities returns how many there are before the period of time t.
func (p *plan) discontinuities(t uint64) uint64 {
	if i := p.period(t); i >= 0 {
		return p.periods[i].discontinuity
	}
	return 0
}

// fillGap puts entries for the numbers without media into a list that is complete. They take their time from the segment
// before, so that there are none where hardly any is missing: then the segments are counted. Otherwise the numbers are
// those that the list had when it was live.
func (p *plan) fillGap(dst []segment, s *segment, missing uint64) []segment {
	last := &dst[len(dst)-1]
	end := p.line[last.first+last.count-1].End()
	if missing > maxGaps || last.end < end || last.end-end < p.span/2 {
		s.number = last.number + 1
		return dst
	}
	each, until := (last.end-end)/missing, last.end
	last.end = end
	for n := range missing {
		at := end + n*each
		dst = append(dst, segment{start: at, end: at + each, number: last.number + 1 + n, gap: true})
	}
	dst[len(dst)-1].end = until
	return dst
}

// numbers returns the segments that have media if their numbers are not those of their spans, else nil: in a list that is
// complete and has gaps, fragments longer than a span or several periods, they are counted.
func (p *plan) numbers() []segment {
	if p.live || len(p.periods) < 2 && p.regular() {
		return nil
	}
	return slices.DeleteFunc(p.segments(nil), func(s segment) bool { return s.gap })
}

// regular reports whether every span of the timeline has a fragment.
func (p *plan) regular() bool {
	for i := 1; i < len(p.line); i++ {
		if b, before := p.bucket(p.line[i]), p.bucket(p.line[i-1]); b != before && b != before+1 {
			return false
		}
	}
	return true
}

// exactNumber returns the media sequence number of the segment that starts with fragment i: n, unless list, which is what
// numbers has returned, has another one.
func exactNumber(list []segment, i int, n uint64) uint64 {
	at, ok := slices.BinarySearchFunc(list, i, func(s segment, i int) int { return s.first - i })
	if !ok {
		return n
	}
	return list[at].number
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

// liveTarget returns a target duration that no segment of a live list exceeds and that hardly ever changes, in seconds.
// Fragments of about one length give segments of about one length. Of others, such as those of an encoder that begins
// them where scenes change, no segment is longer than a span and a fragment, since their middles lie in the span.
func (p *plan) liveTarget() uint64 {
	target := max((p.span+p.timescale-1)/p.timescale, 1)
	if len(p.line) == 0 {
		return target
	}
	inner := p.line
	if len(inner) > 2 { // an encoder may begin and end in the middle of a fragment
		inner = inner[1 : len(inner)-1]
	}
	sum, longest, odd := uint64(0), uint64(0), 0
	for _, c := range p.line {
		longest = max(longest, c.Duration)
	}
	for _, c := range inner {
		sum += c.Duration
	}
	mean := max(sum/uint64(len(inner)), 1)
	for _, c := range inner {
		if c.Duration < mean-mean/8 || c.Duration > mean+mean/8 {
			odd++
		}
	}
	if odd > len(p.line)/8 {
		return max(target, smooth.Rescale(p.span+longest, p.timescale, 1))
	}
	// All but the first begin before the last middle. The length of a fragment is known to a frame of sound or so.
	n := max((p.span+mean-mean/32-1)/mean, 1)
	target = max(target, smooth.Rescale(n*mean, p.timescale, 1))
	return max(target, targetDuration(p.segments(nil), p.timescale))
}
