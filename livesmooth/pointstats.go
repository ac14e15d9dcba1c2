package livesmooth

import (
	"time"
)

// Stats returns the counters.
func (p *Point) Stats() Stats {
	p.mu.Lock()
	s := Stats{State: p.state}
	b := p.cast
	p.mu.Unlock()
	now := p.srv.opts.Now()
	s.Viewers = p.viewers.count(now)
	s.Budget = p.srv.opts.MemoryBudget
	if b != nil {
		b.stats(&s, now)
	}
	return s
}

// stats fills in what is known of the event.
func (b *broadcast) stats(s *Stats, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.EventID, s.Started, s.Periods = b.eventID, b.started, len(b.periods)
	held := int64(0)
	for _, st := range b.streams {
		if len(st.tracks) == 0 {
			continue
		}
		o := OutputStats{Name: st.fixed.Name, Fragments: st.listed - st.first}
		if st.listed > st.first {
			o.LastTime, o.Listed = st.line[st.listed-1].Time, true
		}
		s.Outputs = append(s.Outputs, o)
		for _, tr := range st.tracks {
			held += tr.held()
		}
	}
	s.Memory = b.pool.used.Load()
	s.Pinned = max(s.Memory-held, 0)
	for _, in := range b.inputs {
		s.Inputs = append(s.Inputs, in.stats(now))
	}
	for _, r := range b.recorders {
		s.Sinks = append(s.Sinks, r.stats())
	}
	s.Sinks = append(s.Sinks, b.relays.stats()...)
}

func (in *input) stats(now time.Time) InputStats {
	s := InputStats{ID: in.id, Ended: in.ended}
	for _, src := range in.sources {
		if src.gone.IsZero() {
			s.Sources = append(s.Sources, SourceStats{Name: src.info.Source, Address: src.info.Address, Since: src.since, Bytes: src.bytes})
		}
	}
	for _, tr := range in.tracks {
		if tr == nil {
			continue
		}
		t := tr.counts
		t.ID, t.Name, t.Bitrate = in.idOf(tr), tr.key.Stream, tr.key.Bitrate
		t.Incoming, t.Requests = uint64(tr.bits.rate(now)), tr.requests.rate(now)
		s.Tracks = append(s.Tracks, t)
	}
	return s
}

// held returns the bytes of a track in memory that viewers can ask for.
func (t *track) held() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := int64(0)
	for i := t.evicted; i < len(t.entries); i++ {
		if buf := t.entries[i].buf; buf != nil {
			sum += int64(cap(buf.data))
		}
	}
	return sum
}
