package livesmooth

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// recorderOptions tunes a recorder. Zero values mean the documented defaults.
type recorderOptions struct {
	now func() time.Time // time.Now
	log *slog.Logger     // slog.Default()
	// queueBytes and queueFragments bound what waits for the sink: 32 MiB and 512.
	queueBytes     int64
	queueFragments int
	// retry is how long a sink that has failed is left alone, one second; each further time twice as long, up to mostRetry,
	// 30 seconds.
	retry, mostRetry time.Duration
}

func (o recorderOptions) withDefaults() recorderOptions {
	if o.now == nil {
		o.now = time.Now
	}
	o.log = cmp.Or(o.log, slog.Default())
	o.queueBytes, o.queueFragments = cmp.Or(o.queueBytes, 32<<20), cmp.Or(o.queueFragments, 512)
	o.retry, o.mostRetry = cmp.Or(o.retry, time.Second), cmp.Or(o.mostRetry, 30*time.Second)
	return o
}

// sinkNamer is what a sink, sinkTargeter and sinkFiler what a recording may have to say for [SinkStats]. File returns the name of
// the file that an input stream is recorded in, or "". Target and File are called like the other methods of a recording.
// clockTaker is a recording that wants to know the wall clock, sinkFaulter one that may lose what it has taken; see
// [smooth.Recording].
type (
	sinkNamer    interface{ SinkName() string }
	sinkTargeter interface{ Target() string }
	sinkFiler    interface{ File(input string) string }
	sinkFaulter  interface{ Fault() error }
	clockTaker   interface {
		Clock(start uint64, wall time.Time)
	}
)

// A recorder stands between a publishing point and one sink: a bounded queue and the one goroutine that talks to the sink.
// Nothing that the sink does or fails to do keeps anybody else waiting. It is safe for concurrent use.
//
// A sink that fails is left alone for a while. Fragments that come meanwhile, and those that the queue has no room for, are
// lost: they are counted, and the recording is told of the gaps when it works again.
type recorder struct {
	opts   recorderOptions
	sink   Sink
	info   smooth.EventInfo // complete once open
	note   func(Event)
	name   string
	cancel context.CancelFunc
	opened chan struct{} // closed when the recording is to begin
	wake   chan struct{} // holds a token if the goroutine has something to do
	done   chan struct{} // closed when the goroutine has ended

	mu        sync.Mutex // guards the fields below
	isOpen    bool
	queue     recorderQueue
	marks     map[smooth.FragmentKey]*recordedMarks // by track
	clock     smooth.Period                         // start and wall clock of the event; Wall is zero until they are known
	before    uint64                                // the latest trim
	trimmed   bool                                  // the recording has been told of it
	target    string
	files     map[string]string   // by input stream; replaced when it changes
	past      smooth.Presentation // the history
	forgotten bool
	safe      uint64 // what Durable has said last
	dropped   int64
	closing   bool
	ended     bool      // see Recording.Close
	fault     error     // why the sink does not take fragments; nil if it does
	slow      time.Time // when the queue has overflowed; zero if that has been noted
	result    error     // of Close
}

// newRecorder starts a recorder, whose recording begins when open is called: with the first header, when the event has its ID and
// there is something to record. When parent ends, or close has been called and the queue is empty, it ends.
func newRecorder(parent context.Context, sink Sink, info smooth.EventInfo, opts recorderOptions, note func(Event)) *recorder {
	ctx, cancel := context.WithCancel(parent)
	r := &recorder{
		opts: opts.withDefaults(), sink: sink, info: info, note: note, name: fmt.Sprintf("%T", sink), cancel: cancel,
		opened: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{}), marks: make(map[smooth.FragmentKey]*recordedMarks), trimmed: true,
	}
	if n, ok := sink.(sinkNamer); ok {
		r.name = n.SinkName()
	}
	r.opts.log = r.opts.log.With("sink", r.name)
	go (&recorderRun{recorder: r}).run(ctx)
	return r
}

// rouse wakes the goroutine.
func (r *recorder) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// open lets the recording begin, of an event with that ID. Further calls do nothing.
func (r *recorder) open(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.isOpen {
		r.isOpen, r.info.ID = true, id
		close(r.opened)
	}
}

// setClock says what the wall clock was at a tick, before the first fragment.
func (r *recorder) setClock(start uint64, wall time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = smooth.Period{Start: start, Wall: wall}
}

// declare tells of an input stream or of a new header of one.
func (r *recorder) declare(in smooth.InputInfo) {
	r.mu.Lock()
	if !r.closing {
		r.queue.add(recorderItem{declare: &in})
	}
	r.mu.Unlock()
	r.rouse()
}

// append gives a fragment to the sink, and takes over one reference to it. It never waits: if there is no room the fragment
// is lost.
func (r *recorder) append(input string, f *smooth.Fragment) {
	it := recorderItem{fragment: f, size: f.Size(), input: input}
	r.mu.Lock()
	full := r.queue.fragments > 0 &&
		(r.queue.fragments >= r.opts.queueFragments || r.queue.bytes+it.size > r.opts.queueBytes)
	switch {
	case r.closing:
		r.lose(f, false)
	case full:
		r.overflow(f)
	default:
		r.marksOf(f.Key).offer(f.Key.Time)
		r.queue.add(it)
		f = nil
	}
	r.mu.Unlock()
	if f != nil {
		f.Close()
	}
	r.rouse()
}

// overflow loses a fragment that there is no room for. mu must be held.
func (r *recorder) overflow(f *smooth.Fragment) {
	r.lose(f, false)
	r.queue.add(recorderItem{gap: gapOf(f)})
	if r.fault == nil {
		r.fault, r.slow = ErrSinkSlow, r.opts.now()
	}
}

func gapOf(f *smooth.Fragment) smooth.Gap {
	return smooth.Gap{Stream: f.Key.Stream, Time: f.Key.Time, Duration: f.Duration}
}

// lose counts a fragment that will not be recorded. mu must be held.
func (r *recorder) lose(f *smooth.Fragment, queued bool) {
	r.dropped++
	r.marksOf(f.Key).lose(f.Key.Time, queued)
}

// marksOf returns the marks of the track of a fragment. mu must be held.
func (r *recorder) marksOf(k smooth.FragmentKey) *recordedMarks {
	k.Time = 0
	m := r.marks[k]
	if m == nil {
		m = new(recordedMarks)
		r.marks[k] = m
	}
	return m
}

// gap tells of a span without content.
func (r *recorder) gap(g smooth.Gap) {
	r.mu.Lock()
	if !r.closing {
		r.queue.add(recorderItem{gap: g})
	}
	r.mu.Unlock()
	r.rouse()
}

// trim tells that nothing before a time, in ticks, will be asked for again.
func (r *recorder) trim(before uint64) {
	r.mu.Lock()
	if before > r.before {
		r.before, r.trimmed = before, false
		for _, m := range r.marks {
			m.trim(before)
		}
	}
	r.mu.Unlock()
	r.rouse()
}

// history returns what has been recorded, nil if it cannot be read, or the recording has not begun, or forget was called.
func (r *recorder) history() smooth.Presentation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.past
}

// forget closes the history, after close. The sink may delete what nobody needs any more.
func (r *recorder) forget() {
	r.mu.Lock()
	past := r.past
	r.past, r.forgotten = nil, true
	r.mu.Unlock()
	if past != nil {
		_ = past.Close()
	}
}

// recorded reports whether a fragment has been recorded.
func (r *recorder) recorded(k smooth.FragmentKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := k.Time
	k.Time = 0
	m := r.marks[k]
	return m != nil && m.has(t)
}

// lost reports whether a fragment was given to the recorder in vain: it will not be recorded.
func (r *recorder) lost(k smooth.FragmentKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := k.Time
	k.Time = 0
	m := r.marks[k]
	return m != nil && m.given(t)
}

// durable returns what the recording has said last of what survives a crash. See [smooth.Recording.Durable].
func (r *recorder) durable() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.safe
}

// stats returns the counters.
func (r *recorder) stats() SinkStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return SinkStats{
		Name: r.name, Target: r.target, Failing: r.fault != nil, Err: r.fault,
		Queued: int64(r.queue.fragments), QueuedBytes: r.queue.bytes, Dropped: r.dropped, Durable: r.safe,
		Files: r.files,
	}
}

// close ends the recording when what is queued has been recorded, and waits for that. If ctx ends first, the rest is lost, and
// the goroutine is left alone until the sink comes back from what it is doing; the error wraps that of ctx. Otherwise it is
// that of the end of the recording. Further calls wait for the same end.
func (r *recorder) close(ctx context.Context, ended bool) error {
	r.mu.Lock()
	if !r.closing {
		r.closing, r.ended = true, ended
	}
	r.mu.Unlock()
	r.rouse()
	select {
	case <-r.done:
	case <-ctx.Done():
		r.cancel()
		r.abandon()
		select {
		case <-r.done:
		default:
			return fmt.Errorf("livesmooth: sink %s of %s has not ended: %w", r.name, r.info.Point, ctx.Err())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result
}

// abandon loses all that is queued.
func (r *recorder) abandon() {
	var list []*smooth.Fragment
	r.mu.Lock()
	r.closing = true
	for it, ok := r.queue.take(); ok; it, ok = r.queue.take() {
		r.queue.done(&it)
		if it.fragment != nil {
			r.lose(it.fragment, true)
			list = append(list, it.fragment)
		}
	}
	r.mu.Unlock()
	for _, f := range list {
		f.Close()
	}
}
