package livesmooth

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// How the clock of an encoder is judged.
const (
	// resent is the number of fragments that an encoder sends again after a broken connection, with one to spare; Azure's
	// ingest guide asks for two.
	resent = 3
	// redundantLag is how far a redundant encoder may be behind the first one.
	redundantLag = time.Minute
	// leap is how far ahead of the wall clock a fragment may be before it is taken for one of another clock.
	leap = 10 * time.Minute
	// clockGrid is what a new offset is rounded up to, so that two origins that see the same restart a moment apart
	// usually find the same one.
	clockGrid = 2 * scale
	// clockSlack is kept free before the first fragment of a restarted clock: sound starts a little before picture.
	clockSlack = scale / 2
	// maxPeriods bounds the discontinuities in the window.
	maxPeriods = 1000
)

// place maps the time of a fragment onto the timeline. A source keeps the offset of its first fragment, unless its clock goes
// back or leaps. Smooth Streaming forbids times that go back, so what an encoder sends after a restart from zero is
// either refused or moved. mu must be held.
func (b *broadcast) place(s *source, tr *track, f *pushFragment, now time.Time) (uint64, error) {
	if s.stated {
		return b.clamp(f, f.time+s.offset), nil
	}
	edge, known := b.edgeOf(tr)
	if !s.placed {
		s.offset = b.offset
		if known && s.in.goesOn(tr, f, edge, now) {
			s.offset = s.in.offset // though another encoder has restarted its clock in the meantime
		}
	}
	defer func() { s.in.offset = s.offset }()
	at := f.time + s.offset
	if !known {
		s.placed = true
		return b.clamp(f, at), nil
	}
	own := int64(tr.progress[s].next) - 1 // -1 before the first
	behind := int64(edge) - at - int64(f.duration)
	back := behind > int64(resent*max(f.duration, scale/4)) && (own < 0 || at < own)
	back = back || own < 0 && b.startsOver(s, tr, f, at)
	ahead := at-int64(edge) > int64(ticks(leap+now.Sub(b.newest(tr))))
	if !back && !ahead || tr.stream.sparse {
		s.placed = true
		return b.clamp(f, at), nil
	}
	if back && own < 0 && b.fedByOthers(tr, s) {
		if behind <= int64(ticks(redundantLag)) {
			s.placed = true
			return b.clamp(f, at), nil
		}
		return 0, b.clockConflict(s, tr, f)
	}
	if b.opts.RefuseClockRestart || b.fedByOthers(tr, s) || len(b.periods) >= maxPeriods {
		return 0, b.clockConflict(s, tr, f)
	}
	b.restartClock(s, tr, f, now)
	return b.clamp(f, f.time+s.offset), nil
}

// startsOver reports whether a fragment stands where the whole track began, but has other content, and nobody else feeds the
// track: soon after its start an encoder that has been started again cannot be told from one that sends again what may
// have been lost in another way. mu must be held.
func (b *broadcast) startsOver(s *source, tr *track, f *pushFragment, at int64) bool {
	if tr.stream.sparse || s.info.Source == "HTTP Pull" || b.fedByOthers(tr, s) {
		return false
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.entries) == 0 || tr.evicted > 0 {
		return false
	}
	first := &tr.entries[0]
	return first.time == uint64(max(at, 0)) && first.buf != nil && !bytes.Equal(first.buf.Payload(), f.buf.Payload())
}

// goesOn reports whether a fragment, by the clock that the input stream had last, goes on where its track has ended.
func (in *input) goesOn(tr *track, f *pushFragment, edge uint64, now time.Time) bool {
	if tr.last() == nil {
		return false
	}
	ahead := f.time + in.offset - int64(edge)
	return ahead >= -int64(resent*max(f.duration, scale/4)) && ahead <= int64(ticks(redundantLag+max(now.Sub(tr.arrived), 0)))
}

func (b *broadcast) clockConflict(s *source, tr *track, f *pushFragment) error {
	edge, _ := b.edgeOf(tr)
	return fmt.Errorf("livesmooth: %s: stream %q from %s: fragment of track %s at %d, which is %d on the timeline, does not go on from %d: %w",
		b.name, s.info.Input, s.info.Address, tr.key.Stream, f.time, f.time+s.offset, edge, ErrConflict)
}

// clamp lets a fragment begin at zero at the earliest: ffmpeg's sound starts before it. Only what is before zero is lost.
func (b *broadcast) clamp(f *pushFragment, at int64) uint64 {
	if at >= 0 {
		return uint64(at)
	}
	if cut := uint64(-at); cut < f.duration {
		f.duration -= cut
	}
	return 0
}

// edgeOf returns how far a track has come, or the presentation if the track is new. mu must be held.
func (b *broadcast) edgeOf(tr *track) (uint64, bool) {
	if e := tr.last(); e != nil {
		return e.time + e.duration, true
	}
	edge, known := uint64(0), false
	for _, st := range b.streams {
		if !st.sparse && (len(st.line) > 0 || len(st.pending) > 0) {
			edge, known = max(edge, st.end()), true
		}
	}
	return edge, known
}

// newest returns when the newest fragment of a track came, or of any if the track is new. mu must be held.
func (b *broadcast) newest(tr *track) time.Time {
	at := tr.arrived
	if at.IsZero() {
		for _, st := range b.streams {
			for _, o := range st.tracks {
				if o.arrived.After(at) {
					at = o.arrived
				}
			}
		}
	}
	return at
}

// restartClock finds the offset for an encoder that has started anew: its first fragment ends now, on the wall clock, and
// comes after all that there is. mu must be held.
func (b *broadcast) restartClock(s *source, tr *track, f *pushFragment, now time.Time) {
	edge := uint64(0)
	for _, st := range b.streams {
		if !st.sparse {
			edge = max(edge, st.end())
		}
	}
	last := b.periods[len(b.periods)-1]
	target := max(edge, last.Start+1) + clockSlack // what has begun the last period may have found no place
	if wall := b.tickAt(now); wall > f.duration {
		target = max(target, wall-f.duration)
	}
	target = (target + clockGrid - 1) / clockGrid * clockGrid
	b.offset = int64(target) - (f.time+scale/2)/scale*scale
	s.offset, s.placed = b.offset, true
	start := target - clockSlack
	b.periods = append(slices.Clip(b.periods), smooth.Period{
		Start: start, Wall: b.wallAt(start), Discontinuity: last.Discontinuity + 1, Tracks: b.currentTracks(),
	})
	b.note(Event{Kind: ClockRestarted, Input: s.in.id, Source: s.info.Address, Stream: tr.key.Stream, Bitrate: tr.key.Bitrate, Time: target})
	b.log.Warn("encoder clock restarted", "stream", s.in.id, "source", s.info.Address, "time", target)
}

// begin opens the first period with the first fragment. mu must be held.
func (b *broadcast) begin(at uint64, f *pushFragment, now time.Time) {
	wall := f.wall
	unix := time.Unix(int64(at/scale), int64(at%scale)*int64(time.Second/scale))
	switch d := now.Sub(unix); {
	case !wall.IsZero(): // the encoder says when
	case d > -24*time.Hour && d < 24*time.Hour: // the clock of the encoder is UTC
		wall = unix
	default:
		wall = now.Add(-span(f.duration))
	}
	b.periods = []smooth.Period{{Start: at, Wall: wall.UTC().Truncate(time.Millisecond), Tracks: b.currentTracks()}}
	for _, r := range b.recorders {
		r.setClock(at, b.periods[0].Wall)
	}
}

// wallAt returns the wall-clock time of a tick. mu must be held.
func (b *broadcast) wallAt(tick uint64) time.Time {
	p := b.periods[len(b.periods)-1]
	return p.Wall.Add(span(tick - p.Start))
}

// tickAt returns the tick at a wall-clock time. mu must be held.
func (b *broadcast) tickAt(t time.Time) uint64 {
	p := b.periods[len(b.periods)-1]
	return p.Start + ticks(t.Sub(p.Wall))
}
