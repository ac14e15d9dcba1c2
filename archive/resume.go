package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// start finds the event for the first fragment: the one that was interrupted, if the fragment goes on with it, or a new one.
func (r *recording) start(ctx context.Context, t *track, f *smooth.Fragment) error {
	if r.event != nil {
		return nil
	}
	if old := r.a.claim(r); old != nil {
		if old.info.ID == r.info.ID && old.continuesWith(f, r.a.opts.Now()) {
			r.begin(ctx, old)
			r.a.log.Info("archive goes on with an event", "point", r.info.Point, "event", r.event.dir)
			return nil
		}
		if err := old.finish(ctx); err != nil {
			r.a.log.Error("archive cannot complete an event", "event", old.event.dir, "err", err)
			r.a.interrupt(old)
		}
	}
	e, err := r.a.createEvent(ctx, &r.info, f.Key.Time)
	if err != nil {
		return err
	}
	s := newSegment(r.a.store, segmentDir(e.dir, 1), e.base, 1, 0)
	e.add(s)
	r.begin(ctx, &recording{event: e, segments: []*segment{s}, next: e.state.boundary(f.Key.Time)})
	r.a.begun(e)
	r.a.log.Info("archive begins an event", "point", r.info.Point, "event", e.dir)
	return nil
}

// begin makes an event that of the recording, and starts the goroutine that syncs.
func (r *recording) begin(ctx context.Context, of *recording) {
	r.next = of.next
	r.mu.Lock()
	r.event, r.segments, r.held, r.pace = of.event, of.segments, of.held, of.pace
	r.mu.Unlock()
	r.event.record(r)
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	go r.run(ctx)
}

// resend is how far before the end of what there is, in ticks, an encoder that comes back may begin: it sends the last fragments
// again. See Azure's live ingest guide, which asks for two.
const resend = 60 * scale

// continuesWith reports whether a fragment, the first of an encoder that has come back after a crash of the server, belongs to the same
// timeline. Otherwise the encoder's clock has begun anew, or is another one.
func (r *recording) continuesWith(f *smooth.Fragment, now time.Time) bool {
	newest, end := uint64(0), uint64(0)
	for _, s := range r.open() {
		for n := range s.index.Tracks() {
			if e, ok := s.index.Last(n); ok {
				newest, end = max(newest, e.Time), max(end, e.Time+e.Duration)
			}
		}
	}
	at := f.Key.Time
	if at+resend < newest {
		return false
	}
	if at >= end {
		away := ticks(now.Sub(r.event.touched()))
		return at-end <= max(2*away, 3600*scale)
	}
	for _, s := range r.open() {
		n, ok := s.index.Number(f.Key)
		if !ok {
			continue
		}
		if same, there := s.holds(n, f); there {
			return same
		}
		for e := range s.index.Entries(n) {
			if at < e.Time+e.Duration && e.Time < at+f.Duration {
				return false // it overlaps another one
			}
		}
	}
	return true
}

// holds reports whether a fragment of that time is there, and whether it has the same bytes.
func (s *segment) holds(number int, f *smooth.Fragment) (same, there bool) {
	e, ok := s.index.Find(number, f.Key.Time)
	if !ok {
		return false, false
	}
	if int64(e.Payload) != f.PayloadSize() {
		return false, true
	}
	r := s.readerOf(s.index.Track(number).File)
	var sum fragmentWriter
	sum.w = discard{}
	if r == nil {
		return false, true
	}
	if _, err := f.WritePayload(&sum); err != nil {
		return false, true
	}
	same, err := summed(r, e.Offset+int64(e.Head), int64(e.Payload), sum.sum)
	return same && err == nil, true
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// revive reads the state of an event that was interrupted, cuts off what is torn, and returns it as a recording that nobody
// feeds, nil if there is nothing of it.
func (a *Archive) revive(ctx context.Context, e *event) (*recording, error) {
	r := &recording{a: a, event: e, info: smooth.EventInfo{Point: e.state.Point, ID: e.state.ID, Title: e.state.Title}}
	last := segmentState{}
	for i, st := range e.state.Segments {
		last = st
		dir := segmentDir(e.dir, st.Number)
		if info, err := a.store.Stat(ctx, dir+"/"+e.base+".ismc"); err == nil && info.Size() > 0 {
			continue // complete
		}
		if info, err := a.store.Stat(ctx, dir+"/"+e.base+journalExtension); err == nil {
			e.touch(info.ModTime())
		}
		s, err := r.reviveSegment(ctx, dir, st.Number, st.From)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		if i+1 < len(e.state.Segments) {
			s.until = e.state.Segments[i+1].From
		}
		r.segments = append(r.segments, s)
		e.add(s)
	}
	if len(r.segments) == 0 { // the crash came between two segments, or before the first fragment
		s := newSegment(a.store, segmentDir(e.dir, last.Number), e.base, last.Number, last.From)
		r.segments = append(r.segments, s)
		e.add(s)
		e.touch(e.state.Started)
	}
	r.next = e.state.boundary(max(last.From, e.state.First))
	held, err := r.reviveSegment(ctx, segmentDir(e.dir, last.Number+1)+holdExtension, last.Number+1, r.next)
	if err != nil {
		return nil, err
	}
	r.held = held
	return r, r.sync()
}

// reviveSegment returns a segment that grows, nil if there is none.
func (r *recording) reviveSegment(ctx context.Context, dir string, number int, from uint64) (*segment, error) {
	p, err := r.a.replaySegment(ctx, dir, r.event.base, number, from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if p.bad {
		r.a.log.Error("archive lacks what was on the disk", "segment", dir)
	}
	if err := r.take(ctx, p); err != nil {
		p.s.release()
		return nil, err
	}
	for _, m := range p.s.media() {
		for i := range m.tracks {
			if n, ok := p.s.numberOf(m, &m.tracks[i]); ok {
				e, _ := p.s.index.Last(n)
				k := m.tracks[i].Key
				k.Time = e.Time
				r.pace.note(k, e.Time+e.Duration)
			}
		}
	}
	return p.s, nil
}

// reopen returns a segment that is complete already for a fragment that comes very late: its index is cut off, and written again when
// the segment is completed for the second time.
func (r *recording) reopen(ctx context.Context, at uint64) (*segment, error) {
	state, _, _ := r.event.current()
	number, from := 1, uint64(0)
	for _, st := range state.Segments {
		if at >= st.From {
			number, from = st.Number, st.From
		}
	}
	dir := segmentDir(r.event.dir, number)
	p, err := r.a.replaySegment(ctx, dir, r.event.base, number, from)
	if err == nil {
		err = r.a.store.Remove(ctx, p.s.ismcName()) // it is not complete any more
	}
	if err != nil {
		return nil, fmt.Errorf("archive: late fragment at %d for %s: %w", at, dir, err)
	}
	if err := r.take(ctx, p); err != nil {
		p.s.release()
		return nil, err
	}
	p.s.until = r.segments[0].from
	r.mu.Lock()
	r.segments = append([]*segment{p.s}, r.segments...)
	r.mu.Unlock()
	r.event.add(p.s)
	return p.s, nil
}
