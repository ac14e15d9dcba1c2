package archive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/archive/internal/journal"
	"github.com/smoothkit/smoothkit/smooth"
)

// A recording is the [smooth.Recording] of an archive. Which event it goes on with, or whether it begins one, the first
// fragment decides. Only Append, Declare, Gap and Close change it, one at a time, and the goroutine that syncs.
type recording struct {
	a    *Archive
	info smooth.EventInfo
	dir  string // of the events of the point

	feeding sync.Mutex // held by the methods that change it: the archive may close it too

	// Only who has feeding uses these.
	clock  smooth.Period // start and wall clock of the event, if the point has told them
	inputs []*input
	tracks map[smooth.FragmentKey]*track
	main   string // the stream that segments are cut by
	next   uint64 // where the next cut may be; MaxUint64 if the event is not cut
	buf    []byte
	doubt  bool   // a sync has failed, and none of a fragment has succeeded since
	made   string // the directory of an event that could not be begun, of which there may be something
	over   bool   // the event has ended, and waits for the disk to be completed
	end    uint64 // of the last fragment in the segments that were completed since

	syncing sync.Mutex // held during a sync, and while what was not synced is given up

	// mu guards the fields below and the sizes of files. Event, segments and held change under feeding too, and are read with either.
	mu       sync.Mutex
	event    *event     // nil until the first fragment
	past     *eventView // the history, until there is an event to show
	segments []*segment // that grow, in order
	held     *segment   // what has come before it is known where the next segment begins, or nil
	pace     pace
	sparse   map[string]bool // streams that are
	fault    error           // of the last sync, until what it has lost is given up
	alarm    error           // the same, until somebody has been told and the disk works again
	closed   bool

	dirty chan struct{} // holds a token if there is something to sync
	stop  context.CancelFunc
	done  chan struct{} // closed when the goroutine that syncs has ended
}

// An input is an input stream with its newest header.
type input struct {
	smooth.InputInfo
	sum uint32 // CRC-32C of the header
}

// A track is one of an input stream, of the first that has it.
type track struct {
	home *input
	in   *smooth.InputTrack
}

// Begin starts the recording of an event, or goes on with the one that a crash has interrupted: which of them, the first
// fragment tells. It implements Sink of package livesmooth. The error wraps [smooth.ErrClosed].
func (a *Archive) Begin(ctx context.Context, e smooth.EventInfo) (smooth.Recording, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, _, _ := pointDir(&e)
	r := &recording{
		a: a, info: e, dir: dir, tracks: make(map[smooth.FragmentKey]*track), next: math.MaxUint64,
		dirty: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := a.enter(r); err != nil {
		return nil, err
	}
	return r, nil
}

// SinkName is the name of the archive in statistics.
func (a *Archive) SinkName() string { return "Archive" }

// Target is where the recording writes to, for statistics.
func (r *recording) Target() string {
	if e := r.current(); e != nil {
		return e.dir
	}
	return r.dir
}

// current returns the event, nil if it is not known yet.
func (r *recording) current() *event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.event
}

// usable returns the error of a method that is called too late.
func (r *recording) usable(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("archive: recording of %s: %w", r.info.Point, smooth.ErrClosed)
	}
	return ctx.Err()
}

// Declare implements [smooth.Recording].
func (r *recording) Declare(ctx context.Context, info smooth.InputInfo) error {
	r.feeding.Lock()
	defer r.feeding.Unlock()
	if err := r.usable(ctx); err != nil {
		return err
	}
	in := &input{info, journal.Sum(0, info.Header)}
	if i := slices.IndexFunc(r.inputs, func(o *input) bool { return o.ID == info.ID }); i >= 0 {
		r.inputs[i] = in
	} else {
		r.inputs = append(r.inputs, in)
	}
	r.retrack()
	return nil
}

// retrack finds out which tracks there are, and by which stream segments are cut: the first with a picture, or else the first
// that is not sparse.
func (r *recording) retrack() {
	clear(r.tracks)
	sparse := make(map[string]bool)
	var main *smooth.Stream
	for _, in := range r.inputs {
		for i := range in.Tracks {
			t := &in.Tracks[i]
			k := t.Key
			k.Time = 0
			if r.tracks[k] == nil {
				r.tracks[k] = &track{in, t}
			}
			sparse[k.Stream] = t.Stream.Parent != ""
			if s := t.Stream; s.Parent == "" && (main == nil || main.Type != smooth.Video && s.Type == smooth.Video) {
				main = s
				r.main = k.Stream
			}
		}
	}
	r.mu.Lock()
	r.sparse = sparse
	r.mu.Unlock()
}

// Clock says what the wall clock was at a tick of the event; see [smooth.Recording].
func (r *recording) Clock(start uint64, wall time.Time) {
	r.feeding.Lock()
	defer r.feeding.Unlock()
	r.clock = smooth.Period{Start: start, Wall: wall}
}

// wallAt returns the wall clock at the beginning of the first fragment: by the clock of the event or, if nobody knows that, by when it
// came.
func (r *recording) wallAt(f *smooth.Fragment) time.Time {
	if r.clock.Wall.IsZero() {
		return r.a.opts.Now().UTC().Add(-duration(f.Duration)).Truncate(time.Millisecond)
	}
	if f.Key.Time < r.clock.Start {
		return r.clock.Wall.Add(-duration(r.clock.Start - f.Key.Time))
	}
	return r.clock.Wall.Add(duration(f.Key.Time - r.clock.Start))
}

// maxTime bounds times and durations, in ticks: readers of the finished files refuse what is above. It is 3653 years.
const maxTime = 1 << 60

// Append implements [smooth.Recording]. After an error nothing of the fragment is there.
func (r *recording) Append(ctx context.Context, _ string, f *smooth.Fragment) error {
	defer f.Close()
	r.feeding.Lock()
	defer r.feeding.Unlock()
	err := r.append(ctx, f)
	r.told(err)
	if isFull(err) {
		r.a.rouse() // what need not be kept goes
	}
	return err
}

func (r *recording) append(ctx context.Context, f *smooth.Fragment) error {
	if err := r.usable(ctx); err != nil {
		return err
	}
	k := f.Key
	k.Time = 0
	t := r.tracks[k]
	switch {
	case t == nil:
		return r.refuse(f, ErrNoHeader)
	case f.Timescale != scale || f.Key.Time > maxTime || f.Duration > maxTime:
		return r.refuse(f, smooth.ErrUnsupported)
	}
	if err := checkHead(f); err != nil {
		return r.refuse(f, err)
	}
	if err := r.start(ctx, t, f); err != nil {
		return err
	}
	if err := r.heal(ctx); err != nil {
		return err
	}
	s, err := r.route(ctx, t, f)
	if err != nil || s == nil {
		return err
	}
	if err := r.put(ctx, s, t, f); err != nil {
		return err
	}
	return r.settle(ctx, f)
}

// refuse returns the error for a fragment that cannot be recorded.
func (r *recording) refuse(f *smooth.Fragment, why error) error {
	return fmt.Errorf("archive: %s: fragment %s %d at %d bits/s, timescale %d: %w",
		r.info.Point, f.Key.Stream, f.Key.Time, f.Key.Bitrate, f.Timescale, why)
}

// put writes a fragment to a segment, if it is not there yet.
func (r *recording) put(ctx context.Context, s *segment, t *track, f *smooth.Fragment) error {
	number, known := s.index.Number(f.Key)
	if !known || s.index.Len(number) == 0 {
		if _, err := r.file(ctx, s, t); err != nil {
			return err
		}
		number, _ = s.index.Number(f.Key)
	} else if _, there := s.index.Find(number, f.Key.Time); there {
		return nil
	}
	if err := r.write(ctx, s, number, f); err != nil {
		return err
	}
	if s == r.held {
		return nil
	}
	if err := s.list(ctx); err != nil { // the fragment is there all the same; the next one tries again, and the end of the segment
		r.a.log.Error("archive cannot write a manifest", "point", r.info.Point, "err", err)
		if isFull(err) {
			r.a.rouse()
		}
	}
	return nil
}

// settle does what is to be done once a fragment is written.
func (r *recording) settle(ctx context.Context, f *smooth.Fragment) error {
	if r.a.opts.SyncInterval < 0 || r.doubt {
		if err := r.sync(); err != nil {
			return err
		}
		if r.doubt {
			r.doubt = false
			r.a.log.Info("archive reaches the disk again", "point", r.info.Point)
		}
	} else {
		r.rouse()
	}
	return r.complete(ctx, f)
}

// told notes that an error is returned, so that Fault does not tell it once more.
func (r *recording) told(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && r.alarm != nil && errors.Is(err, r.alarm) {
		r.alarm = nil
	}
}

// Fault returns why fragments that had been taken were lost; see [smooth.Recording].
func (r *recording) Fault() error {
	r.feeding.Lock()
	defer r.feeding.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.alarm
	if r.fault == nil && !r.doubt {
		r.alarm = nil
	}
	return err
}

// Gap implements [smooth.Recording].
func (r *recording) Gap(ctx context.Context, g smooth.Gap) error {
	r.feeding.Lock()
	defer r.feeding.Unlock()
	if err := r.usable(ctx); err != nil {
		return err
	}
	s := r.segmentAt(g.Time)
	if s == nil { // nothing is recorded yet
		return nil
	}
	b := journal.AppendGap(nil, g)
	if err := r.record(ctx, s, b); err != nil {
		return err
	}
	r.mu.Lock()
	s.journal.size += int64(len(b))
	r.mu.Unlock()
	s.index.AddGap(g)
	r.rouse()
	return nil
}

// segmentAt returns the segment for a time among those that grow: the first if it is earlier than all, nil if there is none.
func (r *recording) segmentAt(t uint64) *segment {
	for i, s := range slices.Backward(r.segments) {
		if t >= s.from || i == 0 {
			return s
		}
	}
	return nil
}

// Trim implements [smooth.Recording]. Everything is kept.
func (r *recording) Trim(ctx context.Context, _ uint64) error { return r.usable(ctx) }

// Close implements [smooth.Recording]. At the end of an event its last segment becomes complete; if the disk fails the archive tries
// again until it does. Otherwise the event waits for the encoders to come back.
func (r *recording) Close(ctx context.Context, ended bool) error {
	r.feeding.Lock()
	defer r.feeding.Unlock()
	r.mu.Lock()
	closed, started := r.closed, r.event != nil
	r.closed = true
	r.mu.Unlock()
	if closed {
		return nil
	}
	defer r.a.leave(r)
	if !started {
		return nil
	}
	r.stop()
	<-r.done
	var err error
	if ended {
		err = r.finish(ctx)
	} else {
		err = r.heal(ctx)
	}
	if !ended || err != nil {
		err = errors.Join(err, r.sync())
		r.event.touch(r.a.opts.Now())
		r.over = ended
		r.a.interrupt(r)
	}
	if r.over {
		r.a.rouse()
	}
	return err
}
