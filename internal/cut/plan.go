package cut

import "math"

// hiddenAudio: a fourth of a second of audio before the start is kept although an edit list hides it, since
// decoders need some frames before the first that is heard. More of it is kept where video needs decoding earlier.
const hiddenAudio = 4

// maxStretch is how many times the wanted duration a part without common sync samples may last before renditions that
// all have sync samples of their own in it are refused.
const maxStretch = 3

// Plan chooses the cuts of all tracks of a presentation. video are renditions of one picture; their cuts come out
// with equal times and lie at sync samples that all of them have, nearest to the wanted duration after the one before.
// Audio is cut at the frame boundary nearest to each video cut; without video, nearest to multiples of the wanted
// duration. The last cut of each track is its end: Sample is the number of samples. A fragment is never empty, so
// audio that starts later or ends earlier than the video has fewer of them.
//
// Leading samples that the edit lists hide are left out, except those needed to decode the first that is shown.
//
// shift, in ticks of the result, has been added to all times and has to be given to [Track.Gather]. The error is an
// [*AlignError], a [*TrackError], or [ErrTimes] if the timescale of opts is too large.
func Plan(video, audio []Track, opts Options) (videoCuts, audioCuts [][]Cut, shift uint64, err error) {
	p := planner{ts: opts.timescale(), target: opts.target(), start: math.MaxInt64}
	if p.ts > maxTimescale {
		return nil, nil, 0, ErrTimes
	}
	if len(video) > 0 {
		if videoCuts, err = p.video(video); err != nil {
			return nil, nil, 0, err
		}
		p.grid, p.start = videoCuts[0], int64(videoCuts[0][0].Time)
	}
	audioCuts = make([][]Cut, len(audio))
	for i := range audio {
		if audioCuts[i], err = p.audio(&audio[i]); err != nil {
			return nil, nil, 0, &TrackError{Audio: true, Track: i, Err: err}
		}
	}
	return videoCuts, audioCuts, p.shift(videoCuts, audioCuts), nil
}

// planner holds signed times in Cut.Time, as two's complement, until shift has made them non-negative.
type planner struct {
	ts     uint64
	target int64
	start  int64 // of the video, MaxInt64 if there is none
	grid   []Cut // of the first video track
}

// shift moves all cuts so that none is negative and returns by how much.
func (p *planner) shift(lists ...[][]Cut) uint64 {
	var first int64
	for _, list := range lists {
		for _, cuts := range list {
			first = min(first, int64(cuts[0].Time))
		}
	}
	for _, list := range lists {
		for _, cuts := range list {
			for i := range cuts {
				cuts[i].Time -= uint64(first)
			}
		}
	}
	return uint64(-first)
}

// extent is what a pass over all samples of a track finds, in ticks of the result.
type extent struct {
	lead  int64 // how much decode times move ahead so that no composition offset is negative
	end   int64 // end of the last sample in decode order
	frame int64 // average duration of a sample
}

func (p *planner) extent(t *Track) (extent, error) {
	n := t.Table.Len()
	if n == 0 || t.Timescale == 0 {
		return extent{}, ErrEmpty
	}
	var lead, last int64
	c := t.Table.At(0)
	for s, ok := c.Next(); ok; s, ok = c.Next() {
		lead = max(lead, -int64(s.CTS))
		last = int64(s.DTS) + int64(s.Duration)
	}
	limit := float64(maxTicks) / float64(p.ts) * float64(t.Timescale)
	if float64(last) > limit || math.Abs(float64(t.Shift)) > limit {
		return extent{}, ErrTimes
	}
	e := extent{end: t.Ticks(last, p.ts), frame: rescale(last, uint64(t.Timescale), p.ts) / int64(n)}
	if lead > 0 {
		e.lead = rescale(lead, uint64(t.Timescale), p.ts) + 1 // whatever the rounding of the two times
	}
	e.end -= e.lead
	return e, nil
}

// audio cuts one audio track.
func (p *planner) audio(t *Track) ([]Cut, error) {
	e, err := p.extent(t)
	if err != nil {
		return nil, err
	}
	hidden := min(p.start, -int64(p.ts/hiddenAudio))
	var cuts []Cut
	var goals goals
	c := t.Table.At(0)
	for i := uint32(0); ; i++ {
		s, ok := c.Next()
		if !ok {
			break
		}
		begin, end := t.Ticks(int64(s.DTS), p.ts)-e.lead, t.Ticks(int64(s.DTS)+int64(s.Duration), p.ts)-e.lead
		switch {
		case cuts == nil && end <= hidden:
			continue
		case cuts == nil:
			goals = p.goals(begin, e.end)
		case goals.next >= e.end || goals.next-begin >= end-goals.next:
			continue
		}
		cuts = append(cuts, Cut{uint64(begin), i})
		goals.advance(begin/2 + end/2)
	}
	if cuts == nil {
		return nil, ErrEmpty
	}
	return append(cuts, Cut{uint64(e.end), t.Table.Len()}), nil
}

// goals are the times at which audio should be cut.
type goals struct {
	grid        []Cut // what is left of the video's
	step        int64
	next, limit int64 // there is none after limit
}

// goals returns those of a track from start to end. What is left after the last one is not shorter than a quarter
// of a fragment.
func (p *planner) goals(start, end int64) goals {
	g := goals{step: p.target, next: start, limit: end - p.target/4}
	if len(p.grid) > 1 {
		g.grid = p.grid[1:]
		g.next = int64(p.grid[0].Time)
	}
	g.advance(g.next)
	return g
}

// advance moves to the first goal after time.
func (g *goals) advance(time int64) {
	for g.next <= time && len(g.grid) > 0 {
		g.next, g.grid = int64(g.grid[0].Time), g.grid[1:]
	}
	if g.next <= time {
		g.next += ((time-g.next)/g.step + 1) * g.step
	}
	if g.next > g.limit {
		g.next = math.MaxInt64
	}
}
