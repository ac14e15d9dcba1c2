package hls_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

// timelineCase is a made-up presentation of one video stream.
type timelineCase struct {
	line      smooth.Timeline
	timescale uint64
	periods   []smooth.Period // in ticks of the timescale
	length    time.Duration
}

// randomTimeline returns a presentation with fragments of about one length or of any, with and without gaps and periods.
func randomTimeline(r *rand.Rand) *timelineCase {
	c := &timelineCase{
		timescale: []uint64{1000, 48_000, 90_000, smooth.DefaultTimescale}[r.IntN(4)],
		length:    []time.Duration{time.Second, 2 * time.Second, 6 * time.Second, 6400 * time.Millisecond, 10 * time.Second}[r.IntN(5)],
		periods:   []smooth.Period{{}},
	}
	second := float64(c.timescale)
	mean := []float64{0.5, 1, 2, 2.002, 4, 6.006, 9}[r.IntN(7)] * second
	spread := []float64{0, 0, 0.01, 0.5}[r.IntN(4)]
	gaps := []int{0, 0, 20, 5}[r.IntN(4)] // one in so many
	splits := []int{0, 0, 15}[r.IntN(3)]
	at := []uint64{0, 0, uint64(r.IntN(100)) * c.timescale, uint64(1.7e9) * c.timescale}[r.IntN(4)]
	for i := range 1 + r.IntN(60) {
		if gaps > 0 && r.IntN(gaps) == 0 {
			at += uint64(mean * r.Float64() * []float64{0.1, 2, 30}[r.IntN(3)])
		}
		if splits > 0 && i > 0 && r.IntN(splits) == 0 {
			before := c.periods[len(c.periods)-1].Discontinuity
			c.periods = append(c.periods, smooth.Period{Start: at, Discontinuity: before + 1 + uint64(r.IntN(6)/5)})
		}
		d := max(uint64(mean*(1+spread*(2*r.Float64()-1))), 1)
		c.line = append(c.line, smooth.Chunk{Time: at, Duration: d})
		at += d
	}
	return c
}

// snapshot returns the presentation as it is when the fragments from first to end are in the window.
func (c *timelineCase) snapshot(first, end int, live bool) (*smooth.Snapshot, *smooth.Stream) {
	st := &smooth.Stream{Type: smooth.Video, Name: "video", Timescale: c.timescale, Timeline: c.line[first:end:end]}
	m := &smooth.Manifest{Timescale: c.timescale, Streams: []*smooth.Stream{st}, IsLive: live}
	if live && first > 0 {
		m.DVRWindowLength = st.Timeline.End() - st.Timeline.Start()
	}
	s := smooth.NewSnapshot(m, "v")
	s.Periods = c.periods
	return s, st
}

func (c *timelineCase) plan(first, end int, live bool) *hls.Plan {
	s, st := c.snapshot(first, end, live)
	return hls.NewPlan(s, st, c.length)
}

// periodOf returns the index of the period of a time.
func (c *timelineCase) periodOf(t uint64) int {
	for i := len(c.periods) - 1; i > 0; i-- {
		if c.periods[i].Start <= t {
			return i
		}
	}
	return 0
}

func (c *timelineCase) seconds(ticks uint64) uint64 { return smooth.Rescale(ticks, c.timescale, 1) }

// randomCases calls f with many presentations. The seed is that of the case, so that one can be run again.
func randomCases(t *testing.T, count int, f func(t *testing.T, r *rand.Rand, c *timelineCase)) {
	t.Helper()
	for seed := range uint64(count) {
		r := rand.New(rand.NewPCG(seed, 1))
		f(t, r, randomTimeline(r))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// tiles returns what is wrong with the segments of a presentation that has ended, or "". Testify would take most of the
// time of the test.
func (c *timelineCase) tiles(p *hls.Plan, list []hls.Segment) string {
	next, at := 0, c.line.Start()
	for i, s := range list {
		switch {
		case s.Start != at:
			return fmt.Sprintf("segment %d starts at %d, the one before ends at %d", i, s.Start, at)
		case s.Number != list[0].Number+uint64(i):
			return fmt.Sprintf("segment %d after %d has number %d", i, list[0].Number, s.Number)
		}
		if at = s.End; s.Gap {
			continue
		}
		switch first, last := c.line[s.First].Time, c.line[s.First+max(s.Count, 1)-1].Time; {
		case s.First != next || s.Count < 1 || first != s.Start:
			return fmt.Sprintf("segment %d begins with fragment %d, not %d", i, s.First, next)
		case s.Number != p.Number(s.First):
			return fmt.Sprintf("segment %d is served with number %d, not %d", i, p.Number(s.First), s.Number)
		case c.periodOf(first) != c.periodOf(last):
			return fmt.Sprintf("segment %d spans periods", i)
		case s.Discontinuity != (i > 0 && c.periodOf(first) != c.periodOf(c.line[s.First-1].Time)):
			return fmt.Sprintf("segment %d: discontinuity %t", i, s.Discontinuity)
		}
		next += s.Count
	}
	if next != len(c.line) || at != c.line.End() {
		return fmt.Sprintf("%d fragments of %d until %d of %d", next, len(c.line), at, c.line.End())
	}
	return ""
}

func TestPlanTilesTheTimeline(t *testing.T) {
	gaps := 0
	randomCases(t, 10_000, func(t *testing.T, _ *rand.Rand, c *timelineCase) {
		p := c.plan(0, len(c.line), false)
		list := p.Segments()
		if wrong := c.tiles(p, list); wrong != "" {
			t.Error(wrong)
		}
		if slices.ContainsFunc(list, func(s hls.Segment) bool { return s.Gap }) {
			gaps++
		}
	})
	assert.Positive(t, gaps)
}

// listed is what a live list says of a number, whatever window it is seen through.
type listed struct {
	start, end uint64
	count      int
	gap        bool
}

func TestPlanOfWindowsAgree(t *testing.T) {
	randomCases(t, 10_000, func(t *testing.T, r *rand.Rand, c *timelineCase) {
		known := make(map[uint64]listed)
		first, end, sequence := 0, 1+r.IntN(len(c.line)), uint64(0)
		for end < len(c.line) {
			p := c.plan(first, end, true)
			list := p.Segments()
			target := p.LiveTarget()
			discontinuities := uint64(0)
			for i, s := range list {
				if s.Discontinuity {
					discontinuities++
				} else if i == 0 {
					discontinuities = c.periods[c.periodOf(s.Start)].Discontinuity
				}
				if !s.Gap && discontinuities != c.periods[c.periodOf(s.Start)].Discontinuity {
					t.Errorf("segment %d comes after %d discontinuities", i, discontinuities)
				}
				v := listed{s.Start, s.End, s.Count, s.Gap}
				old, seen := known[s.Number]
				switch {
				case s.Number != list[0].Number+uint64(i) || s.Number < sequence:
					t.Errorf("segment %d after %d has number %d; the list before began with %d", i, list[0].Number, s.Number, sequence)
				case c.seconds(s.End-s.Start) > target:
					t.Errorf("segment %d has %d ticks, the target is %d s", i, s.End-s.Start, target)
				case !s.Gap && s.Number != p.Number(s.First):
					t.Errorf("segment %d is served with number %d, not %d", i, p.Number(s.First), s.Number)
				case seen && v != old:
					t.Errorf("number %d was %+v, now %+v", s.Number, old, v)
				}
				known[s.Number] = v
			}
			if len(list) > 0 {
				sequence = list[0].Number
			}
			end = min(end+1+r.IntN(3), len(c.line))
			first = min(first+r.IntN(4), end-1)
		}
	})
}

// When a live presentation of regular fragments ends, its list is completed and nothing in it changes.
func TestPlanAfterTheEnd(t *testing.T) {
	c := &timelineCase{timescale: 1000, length: 6 * time.Second, periods: []smooth.Period{{}}}
	for i := range uint64(40) {
		c.line = append(c.line, smooth.Chunk{Time: 1_700_000_000_000 + i*2000, Duration: 2000})
	}
	live := c.plan(5, 30, true).Segments()
	all := c.plan(0, 40, false).Segments()
	require.Len(t, live, 8)
	byNumber := make(map[uint64]hls.Segment)
	for _, s := range all {
		byNumber[s.Number] = s
	}
	for _, s := range live {
		s.First += 5
		assert.Equal(t, byNumber[s.Number], s)
	}
}

func TestPlanShapes(t *testing.T) {
	chunks := func(durations ...uint64) (tl smooth.Timeline) {
		at := uint64(0)
		for _, d := range durations {
			if d > 1_000_000 { // a gap of the rest
				at += d - 1_000_000
				continue
			}
			tl = append(tl, smooth.Chunk{Time: at, Duration: d})
			at += d
		}
		return tl
	}
	const gap = 1_000_000
	repeat := func(n int, d uint64) []uint64 {
		list := make([]uint64, n)
		for i := range list {
			list[i] = d
		}
		return list
	}
	for _, tt := range []struct {
		name   string
		line   smooth.Timeline
		counts []int // of fragments; 0 for a gap
	}{
		{"whole spans", chunks(repeat(9, 2000)...), []int{3, 3, 3}},
		{"a rest", chunks(repeat(7, 2000)...), []int{3, 3, 1}},
		{"29.97 Hz", chunks(repeat(9, 2002)...), []int{3, 3, 3}},
		{"three seconds", chunks(repeat(4, 3000)...), []int{2, 2}},
		{"as long as a segment", chunks(repeat(3, 6000)...), []int{1, 1, 1}},
		{"a little longer", chunks(repeat(3, 7000)...), []int{1, 1, 1}},
		{"much longer", chunks(repeat(3, 20_000)...), []int{1, 1, 1}},
		{"one is very long", chunks(2000, 2000, 2000, 600_000, 2000, 2000, 2000), []int{3, 1, 3}},
		{"a short gap", chunks(2000, 2000, gap+1000, 2000, 2000), []int{2, 2}},
		{"a gap of two segments", chunks(2000, 2000, 2000, gap+12_000, 2000, 2000, 2000), []int{3, 0, 0, 3}},
		{"a gap in the middle of a segment", chunks(2000, gap+12_000, 2000, 2000), []int{1, 0, 2}},
		{"a jump of the clock", chunks(2000, 2000, 2000, gap+100_000_000, 2000), []int{3, 1}},
	} {
		c := &timelineCase{timescale: 1000, length: 6 * time.Second, periods: []smooth.Period{{}}, line: tt.line}
		var counts []int
		for _, s := range c.plan(0, len(c.line), false).Segments() {
			if s.Gap {
				s.Count = 0
			}
			counts = append(counts, s.Count)
		}
		assert.Equal(t, tt.counts, counts, tt.name)
	}
}

// The target duration of a live list is what players hold back three times, so it is no more than it has to be.
func TestPlanLiveTarget(t *testing.T) {
	for _, tt := range []struct {
		duration uint64 // of fragments, in ms
		length   time.Duration
		want     uint64
	}{
		{2000, 6 * time.Second, 6},
		{2002, 6 * time.Second, 6},
		{1995, 6 * time.Second, 6},
		{1000, 6 * time.Second, 6},
		{3000, 6 * time.Second, 6},
		{4000, 6 * time.Second, 8},
		{6000, 6 * time.Second, 6},
		{2000, 2 * time.Second, 2},
		{2000, 6400 * time.Millisecond, 8},
		{10_000, 6 * time.Second, 10},
	} {
		c := &timelineCase{timescale: 1000, length: tt.length, periods: []smooth.Period{{}}}
		for i := range uint64(30) {
			c.line = append(c.line, smooth.Chunk{Time: i * tt.duration, Duration: tt.duration})
		}
		for first := range 10 {
			assert.Equal(t, tt.want, c.plan(first, first+16, true).LiveTarget(), "%d ms in %v", tt.duration, tt.length)
		}
	}
}

// An encoder begins and ends in the middle of a fragment of sound. A list that is short all the same keeps its target duration then, as
// RFC 8216 section 6.2.1 asks for.
func TestPlanLiveTargetOfOddEnds(t *testing.T) {
	regular := slices.Repeat([]uint64{2000}, 6)
	for _, durations := range [][]uint64{regular, append([]uint64{300}, regular...), append(append([]uint64{300}, regular...), 400)} {
		c := &timelineCase{timescale: 1000, length: 4 * time.Second, periods: []smooth.Period{{}}}
		at := uint64(0)
		for _, d := range durations {
			c.line = append(c.line, smooth.Chunk{Time: at, Duration: d})
			at += d
		}
		assert.EqualValues(t, 4, c.plan(0, len(c.line), true).LiveTarget(), "%v", durations)
	}
}
