package livesmooth

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// recorderRun is the side of a recorder that talks to the sink. Only its goroutine uses it.
type recorderRun struct {
	*recorder
	active bool             // the recording is to begin, or has
	to     smooth.Recording // nil until Begin has succeeded
	inputs []sinkInput      // in the order in which they came
	gaps   []smooth.Gap     // that the recording has not been told of
	broken sinkCall         // what has failed last; working if nothing
	pause  time.Duration
	rest   *time.Timer // runs for pause while a sink that has failed is left alone; else nil
	last   bool        // the sink is not left alone any more, as the recorder is being closed
	timed  bool        // the recording knows the wall clock
	// alarmed tells that the fault is one of which the recording has told; guarded by mu of the recorder.
	alarmed bool
}

// sinkInput is an input stream with its newest header.
type sinkInput struct {
	info           smooth.InputInfo
	taken, refused bool // by the recording; neither if it has not been told
	located        bool // where it is recorded is known
}

// sinkCall is what a sink is asked to do. One that has failed in it works again when it has done it.
type sinkCall uint8

const (
	working sinkCall = iota
	beginning
	declaring
	telling // of gaps
	appending
)

// run talks to the sink until the recorder is closed and the queue is empty, or ctx ends.
func (r *recorderRun) run(ctx context.Context) {
	defer close(r.done)
	defer r.cancel()
	if r.waitForBegin(ctx) {
		r.revive(ctx)
	}
	for r.step(ctx) {
	}
	r.finish(ctx)
}

// waitForBegin waits until the recording is to begin. It reports false if it never is.
func (r *recorderRun) waitForBegin(ctx context.Context) bool {
	for !r.active {
		select {
		case <-ctx.Done():
			return false
		case <-r.opened:
			r.active = true
		case <-r.wake:
			r.mu.Lock()
			closing, open := r.closing, r.isOpen
			r.mu.Unlock()
			if closing && !open {
				return false
			}
		}
	}
	r.rouse() // for what has been queued meanwhile
	return true
}

// step does the next thing, and waits for it. It reports false when nothing is to be done any more.
func (r *recorderRun) step(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	r.mu.Lock()
	it, ok := r.queue.take()
	closing := r.closing
	r.mu.Unlock()
	if ok {
		r.handle(ctx, &it)
		r.settle(ctx, &it)
		return true
	}
	r.settle(ctx, &it)
	if closing {
		r.rested()
		if r.active {
			r.revive(ctx)
		}
		return false
	}
	var rested <-chan time.Time
	if r.rest != nil {
		rested = r.rest.C
	}
	select {
	case <-ctx.Done():
	case <-r.wake:
	case <-rested:
		r.rest = nil
		r.revive(ctx)
	}
	return true
}

// handle does what an item asks for.
func (r *recorderRun) handle(ctx context.Context, it *recorderItem) {
	r.rested()
	switch {
	case it.declare != nil:
		r.remember(*it.declare)
		r.revive(ctx)
	case it.fragment != nil:
		r.append(ctx, it)
	default:
		r.addGap(it.gap)
		r.revive(ctx)
	}
}

// rested ends the rest of the sink if it is over. When the recorder is being closed there is one last try.
func (r *recorderRun) rested() {
	if r.rest == nil {
		return
	}
	r.mu.Lock()
	closing := r.closing
	r.mu.Unlock()
	select {
	case <-r.rest.C:
		r.rest = nil
	default:
		if closing && !r.last {
			r.rest.Stop()
			r.rest, r.last = nil, true
		}
	}
}

// remember keeps a header, which a recording that begins later has to be told.
func (r *recorderRun) remember(in smooth.InputInfo) {
	if i := r.input(in.ID); i >= 0 {
		r.inputs[i] = sinkInput{info: in}
		return
	}
	r.inputs = append(r.inputs, sinkInput{info: in})
}

// input returns the position of an input stream, or -1.
func (r *recorderRun) input(id string) int {
	return slices.IndexFunc(r.inputs, func(in sinkInput) bool { return in.info.ID == id })
}

// addGap keeps a gap until the recording has been told of it. One that meets the last of its stream becomes part of it.
func (r *recorderRun) addGap(g smooth.Gap) {
	for i := len(r.gaps) - 1; i >= 0; i-- {
		if o := &r.gaps[i]; o.Stream == g.Stream {
			if len(r.gaps) >= maxToldGaps || touch(*o, g) {
				*o = uniteGaps(*o, g)
				return
			}
			break
		}
	}
	r.gaps = append(r.gaps, g)
}

// revive does what has to be done before fragments can be recorded: begin, tell headers, tell gaps. It does nothing while the
// sink rests, unless that is for a header that it has refused, which the other input streams have no part in.
func (r *recorderRun) revive(ctx context.Context) {
	if r.resting() || r.to == nil && !r.begin(ctx) {
		return
	}
	if r.tell(ctx) && (r.broken == beginning || r.broken == declaring || r.broken == telling) {
		r.recover()
	}
}

// resting reports whether the whole sink is left alone.
func (r *recorderRun) resting() bool { return r.rest != nil && r.broken != declaring }

// begin begins the recording.
func (r *recorderRun) begin(ctx context.Context) bool {
	to, err := r.sink.Begin(ctx, r.info)
	if err != nil {
		r.fail(ctx, beginning, err)
		return false
	}
	r.to = to
	past, safe, target := to.History(), to.Durable(), ""
	if t, ok := to.(sinkTargeter); ok {
		target = t.Target()
	}
	r.mu.Lock()
	forgotten := r.forgotten
	r.safe, r.target = safe, target
	if !forgotten {
		r.past = past
	}
	r.mu.Unlock()
	if forgotten && past != nil {
		_ = past.Close()
	}
	return true
}

// tell tells headers and gaps. It reports false if one is not taken. One that was refused waits for the end of the rest.
func (r *recorderRun) tell(ctx context.Context) bool {
	all := true
	for i := range r.inputs {
		in := &r.inputs[i]
		if !in.taken && !(in.refused && r.rest != nil) {
			err := r.to.Declare(ctx, in.info)
			if in.taken, in.refused = err == nil, err != nil; err != nil {
				r.fail(ctx, declaring, fmt.Errorf("input stream %q: %w", in.info.ID, err))
			}
		}
		all = all && in.taken
	}
	for len(r.gaps) > 0 {
		if err := r.to.Gap(ctx, r.gaps[0]); err != nil {
			r.fail(ctx, telling, err)
			return false
		}
		r.gaps = slices.Delete(r.gaps, 0, 1)
	}
	return all
}

// append records a fragment, or loses it.
func (r *recorderRun) append(ctx context.Context, it *recorderItem) {
	r.revive(ctx)
	kept := r.ready(it.input) && r.give(ctx, it)
	r.mu.Lock()
	if kept {
		r.marksOf(it.fragment.Key).keep(it.fragment.Key.Time)
	} else {
		r.lose(it.fragment, true)
	}
	r.mu.Unlock()
	if !kept {
		r.addGap(gapOf(it.fragment))
	}
	it.fragment.Close()
}

// ready reports whether the sink takes fragments of an input stream.
func (r *recorderRun) ready(input string) bool {
	if r.to == nil || r.resting() {
		return false
	}
	i := r.input(input)
	return i < 0 || r.inputs[i].taken // if it has no header the sink has a say
}

// tellClock tells the wall clock, once.
func (r *recorderRun) tellClock() {
	if r.timed {
		return
	}
	r.mu.Lock()
	clock := r.clock
	r.mu.Unlock()
	if c, ok := r.to.(clockTaker); ok && !clock.Wall.IsZero() {
		c.Clock(clock.Start, clock.Wall)
	}
	r.timed = true
}

// give gives a fragment to the recording.
func (r *recorderRun) give(ctx context.Context, it *recorderItem) bool {
	r.tellClock()
	it.fragment.Retain() // the recording closes it, whatever happens
	if err := r.to.Append(ctx, it.input, it.fragment); err != nil {
		r.fail(ctx, appending, err)
		return false
	}
	r.locate(it.input)
	switch r.broken {
	case appending:
		r.recover()
		r.pause = 0
	case working:
		r.pause = 0
	}
	return true
}

// locate finds out where an input stream is recorded, once its first fragment since its header is.
func (r *recorderRun) locate(input string) {
	i := r.input(input)
	if i < 0 || r.inputs[i].located {
		return
	}
	r.inputs[i].located = true
	if t, ok := r.to.(sinkTargeter); ok {
		target := t.Target()
		r.mu.Lock()
		r.target = target
		r.mu.Unlock()
	}
	f, ok := r.to.(sinkFiler)
	if !ok {
		return
	}
	name := f.File(input)
	r.mu.Lock()
	defer r.mu.Unlock()
	files := maps.Clone(r.files)
	if files == nil {
		files = make(map[string]string)
	}
	files[input] = name
	r.files = files
}

// settle is what follows each item, and each wake-up.
func (r *recorderRun) settle(ctx context.Context, it *recorderItem) {
	r.mu.Lock()
	r.queue.done(it)
	before, trim := r.before, !r.trimmed && r.to != nil
	r.trimmed = r.trimmed || trim
	r.mu.Unlock()
	if trim {
		if err := r.to.Trim(ctx, before); err != nil && ctx.Err() == nil {
			r.opts.log.Warn("sink does not forget", "err", err)
		}
	}
	if r.to != nil {
		safe := r.to.Durable()
		r.mu.Lock()
		r.safe = safe
		r.mu.Unlock()
		r.ask()
	}
	r.pressure()
}

// ask asks the recording whether it has lost what it had taken.
func (r *recorderRun) ask() {
	f, ok := r.to.(sinkFaulter)
	if !ok {
		return
	}
	err := f.Fault()
	r.mu.Lock()
	raise, calm := err != nil && r.fault == nil, err == nil && r.alarmed
	if raise {
		r.fault, r.alarmed = err, true
	}
	if calm {
		r.fault, r.alarmed = nil, false
	}
	r.mu.Unlock()
	if raise {
		r.opts.log.Error("sink has lost fragments", "err", err)
		r.note(Event{Kind: SinkFailed, At: r.opts.now(), Source: r.name, Err: err})
	}
	if calm {
		r.noteRecovery()
	}
}

// pressure notes that the queue has overflowed, and that there is room again.
func (r *recorderRun) pressure() {
	r.mu.Lock()
	at := r.slow
	r.slow = time.Time{}
	calm := r.fault == ErrSinkSlow && r.queue.fragments <= r.opts.queueFragments/2 && r.queue.bytes <= r.opts.queueBytes/2
	if calm {
		r.fault = nil
	}
	r.mu.Unlock()
	if !at.IsZero() {
		r.opts.log.Error("sink is too slow", "queue_bytes", r.opts.queueBytes)
		r.note(Event{Kind: SinkFailed, At: at, Source: r.name, Err: ErrSinkSlow})
	}
	if calm {
		r.noteRecovery()
	}
}

// fail leaves the sink alone for a while, each time for longer than before.
func (r *recorderRun) fail(ctx context.Context, call sinkCall, err error) {
	if ctx.Err() != nil {
		return // not its fault
	}
	if r.rest == nil {
		r.pause = min(max(2*r.pause, r.opts.retry), r.opts.mostRetry)
		r.rest = time.NewTimer(r.pause)
	}
	r.broken = call
	r.mu.Lock()
	first := r.fault == nil
	r.fault, r.alarmed = err, false
	r.mu.Unlock()
	if first {
		r.opts.log.Error("sink fails", "err", err)
		r.note(Event{Kind: SinkFailed, At: r.opts.now(), Source: r.name, Err: err})
	}
}

// recover notes that the sink works again.
func (r *recorderRun) recover() {
	r.broken = working
	if r.rest != nil {
		r.rest.Stop()
		r.rest = nil
	}
	r.mu.Lock()
	r.fault = nil
	r.mu.Unlock()
	r.noteRecovery()
}

func (r *recorderRun) noteRecovery() {
	r.opts.log.Info("sink works again")
	r.note(Event{Kind: SinkRecovered, At: r.opts.now(), Source: r.name})
}

// finish ends the recording.
func (r *recorderRun) finish(ctx context.Context) {
	r.abandon()
	if r.rest != nil {
		r.rest.Stop()
	}
	if r.to == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.fault != nil {
			r.result = fmt.Errorf("livesmooth: sink %s of %s has not begun: %w", r.name, r.info.Point, r.fault)
		}
		return
	}
	r.mu.Lock()
	ended := r.ended
	r.mu.Unlock()
	err := r.to.Close(ctx, ended)
	safe := r.to.Durable()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.safe = safe
	if err != nil {
		r.result = fmt.Errorf("livesmooth: sink %s of %s: %w", r.name, r.info.Point, err)
	}
}
