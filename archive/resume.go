package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
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
	e, err := r.createEvent(ctx, f.Key.Time, r.wallAt(f))
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
	past := r.past
	r.event, r.segments, r.held, r.pace, r.fault, r.past = of.event, of.segments, of.held, of.pace, of.fault, nil
	r.mu.Unlock()
	r.event.record(r)
	if past != nil {
		r.event.attach(past)
	}
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
	r, _ := s.fileOf(s.index.Track(number).File)
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
// feeds. The last segment is open, also if it is complete: the crash came before the event was.
func (a *Archive) revive(ctx context.Context, e *event) (*recording, error) {
	e.a = a
	r := &recording{a: a, event: e, info: smooth.EventInfo{Point: e.state.Point, ID: e.state.ID, Title: e.state.Title}}
	last := segmentState{}
	e.touch(e.state.Started)
	for i, st := range e.state.Segments {
		last = st
		dir := segmentDir(e.dir, st.Number)
		if info, err := a.store.Stat(ctx, path.Join(dir, e.base+".ismc")); err == nil && info.Size() > 0 && i+1 < len(e.state.Segments) {
			continue // complete
		}
		if info, err := a.store.Stat(ctx, path.Join(dir, e.base+journalExtension)); err == nil {
			e.touch(info.ModTime())
		}
		s, err := r.reviveSegment(ctx, dir, st.Number, st.From)
		if err != nil {
			return nil, err
		}
		if s == nil && i+1 < len(e.state.Segments) {
			continue // the power was cut when it had begun
		}
		if s == nil {
			s = newSegment(a.store, dir, e.base, st.Number, st.From)
		}
		if i+1 < len(e.state.Segments) {
			s.until = e.state.Segments[i+1].From
		}
		r.segments = append(r.segments, s)
		e.add(s)
	}
	r.next = e.state.boundary(max(last.From, e.state.First))
	if err := r.reviveHeld(ctx, last.Number); err != nil {
		return nil, err
	}
	return r, r.sync()
}

// reviveHeld takes up what was held for the segment after the last one, and gives what was held for others to them: the crash came
// while that was done, or what had been removed is back.
func (r *recording) reviveHeld(ctx context.Context, last int) error {
	list, err := r.a.store.ReadDir(ctx, r.event.dir)
	if err != nil {
		return err
	}
	var next *segment
	for _, entry := range list {
		name, ok := strings.CutSuffix(entry.Name(), holdExtension)
		number, err := strconv.Atoi(name)
		if !ok || err != nil {
			continue
		}
		s, err := r.reviveSegment(ctx, path.Join(r.event.dir, entry.Name()), number, r.next)
		if err != nil {
			return err
		}
		switch {
		case s == nil: // the journal is removed first, when all of it is elsewhere
			r.a.removeAll(ctx, path.Join(r.event.dir, entry.Name()))
		case number > last:
			next = s
		default:
			r.held = s
			if err := r.unhold(ctx); err != nil {
				return err
			}
		}
	}
	r.held = next
	return nil
}

// removeHeld removes what is left of what was held in an event that has ended.
func (a *Archive) removeHeld(ctx context.Context, dir string) {
	list, err := a.store.ReadDir(ctx, dir)
	if err != nil {
		return
	}
	for _, entry := range list {
		if entry.IsDir() && strings.HasSuffix(entry.Name(), holdExtension) {
			a.removeAll(ctx, path.Join(dir, entry.Name()))
		}
	}
}

// removeAll removes a directory with files, as far as that is possible.
func (a *Archive) removeAll(ctx context.Context, dir string) {
	list, err := a.store.ReadDir(ctx, dir)
	if err != nil {
		return
	}
	for _, entry := range list {
		_ = a.store.Remove(ctx, path.Join(dir, entry.Name()))
	}
	_ = a.store.Remove(ctx, dir)
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
	err = p.s.grow(ctx)
	if err == nil {
		err = r.take(ctx, p)
	}
	if err != nil {
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

// segmentFor returns the segment for a fragment that belongs to it by a tick, nil if the fragment is in a complete one already, or
// would be in one that is deleted. Another complete segment is opened again: its index is cut off, and written once more when the
// segment is completed for the second time.
func (r *recording) segmentFor(ctx context.Context, k smooth.FragmentKey, at uint64) (*segment, error) {
	r.event.editing.Lock() // no segment is deleted meanwhile
	defer r.event.editing.Unlock()
	state, _ := r.event.current()
	if at < state.Segments[0].From {
		return nil, nil // the retention rules do not keep it
	}
	i := 0
	for i+1 < len(state.Segments) && at >= state.Segments[i+1].From {
		i++
	}
	st := state.Segments[i]
	for _, s := range r.segments {
		if s.number == st.Number {
			return s, nil
		}
	}
	dir := segmentDir(r.event.dir, st.Number)
	p, err := r.a.replaySegment(ctx, dir, r.event.base, st.Number, st.From)
	if err != nil {
		return nil, fmt.Errorf("archive: late fragment at %d for %s: %w", k.Time, dir, err)
	}
	if n, ok := p.s.index.Number(k); ok {
		if _, there := p.s.index.Find(n, k.Time); there {
			return nil, nil
		}
	}
	if err := r.reopen(ctx, p); err != nil {
		p.s.release()
		return nil, fmt.Errorf("archive: late fragment at %d for %s: %w", k.Time, dir, err)
	}
	if i+1 < len(state.Segments) {
		p.s.until = state.Segments[i+1].From
	}
	return p.s, nil
}

// reopen makes a complete segment one that grows.
func (r *recording) reopen(ctx context.Context, p *replay) error {
	if err := p.s.grow(ctx); err != nil {
		return err
	}
	if err := r.take(ctx, p); err != nil {
		return err
	}
	list := append(slices.Clone(r.segments), p.s)
	slices.SortFunc(list, func(a, b *segment) int { return a.number - b.number })
	r.mu.Lock()
	r.segments = list
	r.mu.Unlock()
	r.event.add(p.s)
	return nil
}
