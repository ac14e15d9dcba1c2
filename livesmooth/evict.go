package livesmooth

import (
	"maps"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

const (
	// graceLimit bounds how long a fragment is kept after it has left the window: a player may still have it in its
	// list. RFC 8216 6.2.2 asks for the length of a list, which a window of hours would double.
	graceLimit = time.Minute
	// keptNewest is the number of fragments of each track, besides the look-ahead, that stay in memory whatever the budget.
	keptNewest = 4
)

// evict gives back memory: what has left the window, then the oldest fragments while there is more than the budget. mu must
// be held.
func (b *broadcast) evict() {
	b.retire()
	budget := b.opts.MemoryBudget
	cache := ticks(b.set.Viewers.LiveCacheLength)
	for {
		tr, i, e := b.oldestHeld(b.pool.used.Load() > budget)
		if tr == nil {
			return
		}
		old := cache > 0 && e.time+e.duration+cache < b.edge()
		if b.pool.used.Load() <= budget && !old {
			return
		}
		if !b.hasHistory() {
			b.shorten(e.time + e.duration)
		}
		tr.forget(i)
	}
}

// edge returns the end of the newest chunk. mu must be held.
func (b *broadcast) edge() uint64 {
	edge := uint64(0)
	for _, st := range b.streams {
		if !st.sparse {
			edge = max(edge, st.line.End())
		}
	}
	return edge
}

// oldestHeld returns the oldest fragment in memory that may leave it, and its position in the track. One that a sink is yet to
// record is in the way of the others of its track, unless memory is short: a sink that hangs must not fill it. mu must be held.
func (b *broadcast) oldestHeld(short bool) (oldest *track, position int, found entry) {
	for _, st := range b.streams {
		for _, tr := range st.tracks {
			tr.mu.Lock()
			for tr.evicted < len(tr.entries) && tr.entries[tr.evicted].buf == nil {
				tr.evicted++
			}
			for i := tr.evicted; i < len(tr.entries)-keptNewest-b.set.Lookahead; i++ {
				e := tr.entries[i]
				if e.head == 0 || oldest != nil && e.time >= found.time {
					break
				}
				if e.buf != nil && b.mayForget(tr, &e) {
					oldest, position, found = tr, i, e
					break
				}
				if !short {
					break
				}
			}
			tr.mu.Unlock()
		}
	}
	return oldest, position, found
}

// mayForget reports whether nobody needs the memory of a fragment: a sink with a history has it, or none is there that could.
func (b *broadcast) mayForget(tr *track, e *entry) bool {
	k := tr.key
	k.Time = e.time
	for _, r := range b.recorders {
		if r.history() != nil && !r.recorded(k) {
			return r.lost(k)
		}
	}
	return true
}

func (b *broadcast) hasHistory() bool {
	for _, r := range b.recorders {
		if r.history() != nil {
			return true
		}
	}
	return false
}

// shorten makes the window begin at a time, since the budget does not reach further back. mu must be held.
func (b *broadcast) shorten(start uint64) {
	if !b.short {
		b.short = true
		b.note(Event{Kind: WindowShortened, Time: start})
		b.log.Warn("the memory budget is smaller than the window", "budget", b.opts.MemoryBudget, "bytes", b.pool.used.Load())
	}
	b.cutBefore(start)
	b.publish()
}

// forget takes the fragment at a position out of memory.
func (t *track) forget(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &t.entries[i]
	e.buf.release()
	e.buf = nil
	if i == t.evicted {
		t.evicted++
	}
}

// retire drops the fragments that have been out of the window for long enough. mu must be held.
func (b *broadcast) retire() {
	window := b.set.Viewers.WindowLength
	if b.start == 0 {
		return
	}
	grace := graceLimit
	if window > 0 {
		grace = min(grace, window)
	}
	if b.hasHistory() || !b.short {
		b.retireBefore(b.start - min(ticks(grace), b.start))
		return
	}
	b.retireBefore(b.start)
}

func (b *broadcast) retireBefore(before uint64) {
	trimmed := false
	for _, st := range b.streams {
		for st.kept < st.first && st.line[st.kept].End() <= before {
			st.kept++
		}
		st.compact()
		for _, tr := range st.tracks {
			trimmed = tr.retire(before) || trimmed
		}
	}
	if !trimmed {
		return
	}
	for _, r := range b.recorders {
		r.trim(before)
	}
	for _, in := range b.inputs {
		in.log.trim(before)
	}
	for _, st := range b.streams {
		b.dropLevels(st)
	}
}

// dropLevels takes levels out of a stream that nobody feeds and that have nothing in the window, as when an encoder has come
// back with other bit rates: a player would choose them in vain. mu must be held.
func (b *broadcast) dropLevels(st *stream) {
	if st.sparse || len(st.tracks) < 2 {
		return
	}
	var rest, gone []*track
	for _, tr := range st.tracks {
		if len(tr.progress) == 0 && tr.last() == nil {
			gone = append(gone, tr)
		} else {
			rest = append(rest, tr)
		}
	}
	if len(gone) == 0 || len(rest) == 0 {
		return
	}
	st.tracks, st.shown = rest, nil
	index := maps.Clone(*b.index.Load())
	maps.DeleteFunc(index, func(_ smooth.FragmentKey, tr *track) bool { return slices.Contains(gone, tr) })
	b.index.Store(&index)
	for _, in := range b.inputs {
		for i, tr := range in.tracks {
			if slices.Contains(gone, tr) {
				in.tracks[i] = nil
			}
		}
	}
	b.retrack()
	for _, tr := range gone {
		b.log.Info("level is not listed any more", "stream", tr.key.Stream, "bitrate", tr.key.Bitrate)
	}
}

// retire drops the entries that end at or before a time.
func (t *track) retire(before uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < len(t.entries) && t.entries[n].time+t.entries[n].duration <= before {
		if buf := t.entries[n].buf; buf != nil {
			buf.release()
		}
		n++
	}
	if n == 0 {
		return false
	}
	clear(t.entries[:n])
	t.entries = t.entries[n:]
	t.evicted = max(t.evicted-n, 0)
	return true
}

// record gives a fragment to the sinks. mu must be held.
func (b *broadcast) record(in *input, tr *track, c smooth.Chunk) {
	if len(b.recorders) == 0 {
		return
	}
	tr.mu.Lock()
	i, ok := tr.find(c.Time)
	if !ok || tr.entries[i].buf == nil {
		tr.mu.Unlock()
		return
	}
	e := tr.entries[i]
	e.buf.retain()
	tr.mu.Unlock()
	f := sinkFragment(in, tr, &e)
	for _, r := range b.recorders {
		f.Retain()
		r.append(in.id, f)
	}
	f.Close()
}

// declare tells the sinks of an input stream whose header, or tracks, are new. mu must be held.
func (b *broadcast) declare(in *input) {
	b.relay(in)
	if len(b.recorders) == 0 || in.header == nil {
		return
	}
	info := smooth.InputInfo{ID: in.id, Header: in.header.raw, Manifest: in.header.manifest}
	for _, tr := range in.tracks {
		if tr == nil {
			continue
		}
		fixed, level := tr.stream.fixed, *tr.level
		info.Tracks = append(info.Tracks, smooth.InputTrack{ID: in.idOf(tr), Key: tr.key, Stream: &fixed, Level: &level, Codec: tr.codec})
	}
	for _, r := range b.recorders {
		r.open(b.eventID)
		r.declare(info)
	}
}
