package archive

import (
	"math"

	"github.com/smoothkit/smoothkit/smooth"
)

// pace knows how far the tracks of a recording have come, on the disk and on the way there. Times are ends in ticks.
type pace struct {
	tracks map[smooth.FragmentKey]*trackPace
	// waiting is the least time of a fragment that no sync that has begun covers, flying that of one which the sync under way
	// covers. Zero stands for none, as ends are never zero: they are kept with one added.
	waiting, flying uint64
}

// trackPace is the pace of a track: the ends of what is written, of what is being synced, and of what is synced.
type trackPace struct{ written, flying, synced uint64 }

// quiet is how far a track may stay behind the others, in ticks, until it counts as one that has ended.
const quiet = 30 * scale

// note takes a fragment into account that has been written.
func (p *pace) note(k smooth.FragmentKey, end uint64) {
	at := k.Time
	k.Time = 0
	t := p.tracks[k]
	if t == nil {
		t = new(trackPace)
		if p.tracks == nil {
			p.tracks = make(map[smooth.FragmentKey]*trackPace)
		}
		p.tracks[k] = t
	}
	t.written = max(t.written, end)
	p.waiting = earlier(p.waiting, at)
}

// earlier returns the lesser of two times, of which the first has one added or is zero, in the same form.
func earlier(a, b uint64) uint64 {
	if a == 0 || b < a-1 {
		return min(b, math.MaxUint64-1) + 1
	}
	return a
}

// begin begins a sync, which covers all that is written now.
func (p *pace) begin() {
	for _, t := range p.tracks {
		t.flying = t.written
	}
	if p.waiting > 0 {
		p.flying = earlier(p.flying, p.waiting-1) // one that failed has left it
	}
	p.waiting = 0
}

// end ends a sync that has succeeded.
func (p *pace) end() {
	for _, t := range p.tracks {
		t.synced = t.flying
	}
	p.flying = 0
}

// lose forgets what has been written since the last sync that succeeded.
func (p *pace) lose() {
	for _, t := range p.tracks {
		t.written, t.flying = t.synced, t.synced
	}
	p.waiting, p.flying = 0, 0
}

// durable returns the time up to which everything that was written is synced. Tracks that have ended do not count, nor do
// the sparse ones.
func (p *pace) durable(sparse func(stream string) bool) uint64 {
	newest := uint64(0)
	for _, t := range p.tracks {
		newest = max(newest, t.written)
	}
	safe := uint64(math.MaxUint64)
	for k, t := range p.tracks {
		if !sparse(k.Stream) && t.written+quiet > newest {
			safe = min(safe, t.synced)
		}
	}
	if safe == math.MaxUint64 {
		return 0
	}
	for _, open := range []uint64{p.waiting, p.flying} {
		if open > 0 {
			safe = min(safe, open-1)
		}
	}
	return safe
}
