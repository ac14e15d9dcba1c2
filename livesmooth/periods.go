package livesmooth

import (
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Another server states the periods of its timeline, so that the one here has the same: nothing is guessed, and fragments
// keep their times. What has to be told apart is the timeline of an upstream event that has begun anew, with times that start
// again: by the wall clock, of which a timeline knows at every tick what time it was. Two servers that guessed it on
// their own do not differ by a minute.

// timeline is that of a server upstream.
type timeline struct {
	epoch int64 // see epochOf
	// offset is added to its times, and number to its discontinuities.
	offset int64
	number uint64
}

// samePeriod is how far apart the starts of one period may be on two servers, in ticks: they saw the same restart of an encoder
// a moment apart.
const samePeriod = 10 * scale

// epochOf returns the wall clock at tick zero, in ticks since 1970.
func epochOf(start uint64, wall time.Time) int64 {
	return wall.UnixNano()/int64(time.Second/scale) - int64(start)
}

// setPeriod takes the statement of a source that is a server: from now on its fragments keep their times.
func (b *broadcast) setPeriod(s *source, p pushPeriod) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || p.wall.IsZero() && len(b.periods) > 0 { // without a clock there is nothing to learn
		return
	}
	tl := b.timelineOf(s, p)
	s.stated, s.placed, s.offset = true, true, tl.offset
	b.stated = true
	start := uint64(max(int64(p.start)+tl.offset, 0))
	number := p.discontinuity + tl.number
	n := len(b.periods)
	switch {
	case n == 0:
		b.addPeriod(0, smooth.Period{Start: start, Wall: p.wall, Discontinuity: number})
	case start < b.periods[0].Start && number < b.periods[0].Discontinuity: // what this server has been given late
		b.addPeriod(0, smooth.Period{Start: start, Wall: p.wall, Discontinuity: number})
	case start > b.periods[n-1].Start && !b.knowsPeriod(start, number):
		last := b.periods[n-1]
		b.addPeriod(n, smooth.Period{Start: start, Wall: b.wallAt(start), Discontinuity: max(number, last.Discontinuity+1)})
	}
}

// knowsPeriod reports whether a period that begins after all others is none of its own: the first one of a server that began
// later, or the newest one as another server saw it. mu must be held.
func (b *broadcast) knowsPeriod(start, number uint64) bool {
	last := &b.periods[len(b.periods)-1]
	return number == 0 || number == last.Discontinuity && start-last.Start <= samePeriod
}

// addPeriod inserts a period. Snapshots keep the slice that they were made of. mu must be held.
func (b *broadcast) addPeriod(at int, p smooth.Period) {
	p.Tracks = b.currentTracks()
	b.periods = slices.Insert(slices.Clone(b.periods), at, p)
}

// timelineOf returns the timeline that a period belongs to: the one here, or that of an event upstream which has begun anew,
// then it is put where the wall clock says. mu must be held.
func (b *broadcast) timelineOf(s *source, p pushPeriod) timeline {
	epoch := epochOf(p.start, p.wall)
	most := int64(ticks(redundantLag))
	if b.saysOtherwise(s, epoch) {
		most = sameEpoch
	}
	if len(b.periods) == 0 || b.periods[0].Wall.IsZero() {
		return timeline{}
	}
	own := epochOf(b.periods[0].Start, b.periods[0].Wall)
	best, apart := timeline{}, distance(own, epoch)
	for _, tl := range b.timelines {
		if d := distance(tl.epoch, epoch); d < apart {
			best, apart = tl, d
		}
	}
	if apart < most {
		return best
	}
	return b.addTimeline(own, epoch, p)
}

// sameEpoch is how far apart in ticks one server's statements about one event may be. It knows what it has guessed.
const sameEpoch = 5 * scale

// saysOtherwise reports whether a server that is pulled from speaks of another event than the last time. mu must be held.
func (b *broadcast) saysOtherwise(s *source, epoch int64) bool {
	if s.info.Source != "HTTP Pull" { // then its address does not tell servers apart
		return false
	}
	before, known := b.epochs[s.info.Address]
	if b.epochs == nil {
		b.epochs = make(map[string]int64)
	}
	b.epochs[s.info.Address] = epoch
	return known && distance(before, epoch) >= sameEpoch
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// maxTimelines bounds how often the event upstream may begin anew before the oldest is forgotten.
const maxTimelines = 16

// addTimeline puts a timeline behind all that there is. The offset follows from the two epochs, so that all servers that follow
// the same ones upstream find the same. mu must be held.
func (b *broadcast) addTimeline(own, epoch int64, p pushPeriod) timeline {
	edge := uint64(0)
	for _, st := range b.streams {
		if !st.sparse {
			edge = max(edge, st.end())
		}
	}
	offset := epoch - own
	if least := int64(edge) + clockSlack - int64(p.start); offset < least {
		offset = least
	}
	last := b.periods[len(b.periods)-1]
	tl := timeline{epoch: epoch, offset: offset, number: last.Discontinuity + 1}
	tl.number -= min(p.discontinuity, tl.number) // those before it have left its window
	if len(b.timelines) == maxTimelines {
		b.timelines = b.timelines[1:]
	}
	b.timelines = append(b.timelines, tl)
	b.note(Event{Kind: ClockRestarted, Time: uint64(int64(p.start) + offset)})
	b.log.Warn("the event upstream has begun anew", "time", int64(p.start)+offset)
	return tl
}

// restated puts the codec configuration of a track, which changes at a time, into the periods from then on, where the periods
// are those that servers upstream state. It reports false where they are not. mu must be held.
func (b *broadcast) restated(tr *track, at uint64) bool {
	if !b.stated {
		return false
	}
	b.periods = slices.Clone(b.periods)
	for i := len(b.periods) - 1; i >= 0; i-- {
		p := &b.periods[i]
		p.Tracks = slices.Clone(p.Tracks)
		for k := range p.Tracks {
			if t := &p.Tracks[k]; t.Stream == tr.key.Stream && t.Attrs == tr.key.Attrs && t.Bitrate == tr.key.Bitrate {
				t.Codec = tr.codec
			}
		}
		if p.Start <= at {
			break
		}
	}
	return true
}

// gapWait is how long a gap is waited for. A server that is fed by another one lets that decide first.
func (b *broadcast) gapWait() time.Duration {
	wait := b.opts.Limits.GapWait
	if b.stated || b.set.Source == SourcePull {
		wait += wait / 2
	}
	return wait
}

// patience bounds how long required input streams are waited for when something is listed already, so that viewers wait.
// Before, it is Limits.HeaderTimeout.
func (b *broadcast) patience() time.Duration {
	for _, st := range b.streams {
		if st.listed > 0 {
			return b.gapWait()
		}
	}
	return b.opts.Limits.HeaderTimeout
}

// holds reports whether the timelines have to wait for input streams that are required and have not registered. One that does
// not come in time is given up. mu must be held.
func (b *broadcast) holds(now time.Time) bool {
	missing := b.missing()
	switch {
	case len(missing) == 0 || b.closed:
		b.heldUntil = time.Time{}
		return false
	case b.heldUntil.IsZero():
		b.heldUntil = now.Add(b.patience())
	case !now.Before(b.heldUntil):
		for _, id := range missing {
			delete(b.required, id)
		}
		b.heldUntil = time.Time{}
		b.log.Warn("required input streams do not come", "streams", missing)
		return false
	}
	b.alarm(b.heldUntil, now)
	return true
}

// expect makes the timelines wait for input streams, within bounds, before anything of others is listed.
func (b *broadcast) expect(ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(ids) > b.opts.Limits.Inputs {
		return
	}
	for _, id := range ids {
		if b.required == nil {
			b.required = make(map[string]bool)
		}
		b.required[id] = true
	}
}
