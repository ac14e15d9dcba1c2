package livesmooth

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// scale is the timescale of everything in a live presentation, in ticks per second.
const scale = smooth.DefaultTimescale

// broadcast is one event of a publishing point: what is received between its start and its shutdown. Input changes it under
// mu; viewers read the snapshot, the index and the entries of a track.
type broadcast struct {
	name  string
	set   *Settings
	opts  *Options
	log   *slog.Logger
	pool  *pool
	note  func(Event)
	begun func()      // called without mu when the first header has been taken
	over  func()      // called without mu when every input stream has ended
	fault func(error) // called without mu when the event has failed by a fault of ours

	started   time.Time
	recorders []*recorder

	index atomic.Pointer[map[smooth.FragmentKey]*track]
	snap  atomic.Pointer[smooth.Snapshot]
	waits waitList
	// relays are the servers that are fed.
	relays relays

	mu       sync.Mutex // guards the fields below
	eventID  string
	inputs   []*input
	streams  []*stream // in manifest order
	required map[string]bool
	offset   int64 // of the clock of encoders that connect now
	periods  []smooth.Period
	gaps     []smooth.Gap // of all streams, in their order; nil if they have changed
	closed   bool         // no more input
	timer    *time.Timer
	protect  []smooth.ProtectionHeader
	short    bool // WindowShortened has been noted
	// dropping counts FragmentDropped events that were held back since the last one.
	dropping  int
	droppedAt time.Time
	ending    bool // every input stream has ended, as the last fragment has shown
	// start is where the window begins, in ticks.
	start uint64
	// stated tells that servers upstream state the periods, timelines what is known of theirs.
	stated    bool
	timelines []timeline
	// epochs are what servers that are pulled from have stated last, by address.
	epochs    map[string]int64
	heldUntil time.Time // see holds
}

func newBroadcast(name string, set *Settings, opts *Options, note func(Event)) *broadcast {
	b := &broadcast{name: name, set: set, opts: opts, log: opts.Logger.With("point", name), pool: newPool(), note: note, started: opts.Now(),
		begun: func() {}, over: func() {}, fault: func(error) {}}
	b.index.Store(&map[smooth.FragmentKey]*track{})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.publish()
	return b
}

// now is the clock.
func (b *broadcast) now() time.Time { return b.opts.Now() }

// connect adds a source to its input stream.
func (b *broadcast) connect(info PushInfo, cut func(error)) (*source, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, fmt.Errorf("livesmooth: %s: %w", b.name, ErrNotAccepting)
	}
	if err := b.sameEvent(info); err != nil {
		return nil, err
	}
	in := b.input(info.Input)
	now := b.now()
	b.sweep(now)
	if in.id == "" && len(b.inputs) >= b.opts.Limits.Inputs {
		b.dropReplaced()
	}
	switch open := in.connected(); {
	case in.id == "" && len(b.inputs) >= b.opts.Limits.Inputs:
		return nil, fmt.Errorf("livesmooth: %s: more than %d input streams: %w", b.name, b.opts.Limits.Inputs, ErrLimit)
	case open >= b.opts.Limits.Sources:
		return nil, fmt.Errorf("livesmooth: %s: more than %d sources of stream %q: %w", b.name, b.opts.Limits.Sources, info.Input, ErrLimit)
	}
	if in.id == "" {
		in.id = info.Input
		b.inputs = append(b.inputs, in)
	}
	s := &source{info: info, in: in, since: now, heard: now, cut: cut}
	in.sources = append(in.sources, s)
	in.ended = false // a reconnected encoder goes on
	in.log.reopen()
	return s, nil
}

// sameEvent refuses a second event while the first one is fed. The ID is that of the first encoder; a later event with
// nobody left of the one before takes over its name.
func (b *broadcast) sameEvent(info PushInfo) error {
	if b.eventID == info.Event {
		return nil
	}
	for _, in := range b.inputs {
		if in.connected() > 0 {
			return fmt.Errorf("livesmooth: %s: event %q while encoders send event %q: %w", b.name, info.Event, b.eventID, ErrConflict)
		}
	}
	b.eventID = info.Event
	return nil
}

// input returns the input stream with that ID, or a new one without an ID. mu must be held.
func (b *broadcast) input(id string) *input {
	for _, in := range b.inputs {
		if in.id == id {
			return in
		}
	}
	return &input{}
}

// connected returns the number of open connections.
func (in *input) connected() int {
	n := 0
	for _, s := range in.sources {
		if s.gone.IsZero() {
			n++
		}
	}
	return n
}

// forgotten reports whether a source that is gone need not be remembered.
func (s *source) forgotten(now time.Time) bool { return !s.gone.IsZero() && !now.Before(s.linger) }

// disconnect notes that the connection of a source is closed.
func (b *broadcast) disconnect(s *source) {
	if b.part(s) {
		b.over()
	}
}

func (b *broadcast) part(s *source) (over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	s.gone, s.linger = now, now
	if s.posted == 1 && !s.ended { // one segment per request: the next one comes soon
		s.linger = now.Add(2*s.longest() + time.Second)
	} else if !s.ended {
		s.linger = now.Add(max(s.rejoins, lossGrace)) // the other connections of the encoder may be about to break as well
	}
	if s.in.header == nil && s.in.connected() == 0 { // it has sent nothing that makes it a stream
		b.inputs = slices.DeleteFunc(b.inputs, func(in *input) bool { return in == s.in })
	}
	if s.linger.After(now) && !b.closed {
		b.alarm(s.linger, now)
	}
	return b.settle(now)
}

// lossGrace is how long a source whose connection has broken is waited for.
const lossGrace = time.Second

// sweep forgets sources that are gone for good. mu must be held.
func (b *broadcast) sweep(now time.Time) {
	for _, in := range b.inputs {
		in.sources = slices.DeleteFunc(in.sources, func(s *source) bool {
			if !s.forgotten(now) {
				return false
			}
			b.leave(s, nil)
			return true
		})
	}
}

// leave notes that a source does not feed any tracks but these. mu must be held.
func (b *broadcast) leave(s *source, tracks []*track) {
	for _, st := range b.streams {
		for _, tr := range st.tracks {
			if !slices.Contains(tracks, tr) {
				delete(tr.progress, s)
			}
		}
	}
}

// longest returns the duration of the longest of the newest fragments of a source. mu must be held.
func (s *source) longest() time.Duration {
	var d uint64
	for _, tr := range s.tracks {
		if tr == nil {
			continue
		}
		if e := tr.last(); e != nil {
			d = max(d, e.duration)
		}
	}
	return min(span(d), time.Minute)
}

// span converts ticks.
func span(ticks uint64) time.Duration {
	const tick = time.Second / scale
	return time.Duration(min(ticks, uint64(1<<63-1)/uint64(tick))) * tick
}

// ticks converts a duration that is not negative.
func ticks(d time.Duration) uint64 { return uint64(max(d, 0) / (time.Second / scale)) }

// end notes that a source has sent the end of its stream.
func (b *broadcast) end(s *source) {
	if b.noteEnd(s) {
		b.over()
	}
}

func (b *broadcast) noteEnd(s *source) (over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.ended, s.in.said = true, true
	return b.settle(b.now())
}

// settle moves the timelines on after a change of sources, marks input streams that have ended, and reports whether all
// have. mu must be held.
func (b *broadcast) settle(now time.Time) (over bool) {
	b.sweep(now)
	if b.advance(now) {
		b.publish()
	}
	if b.closed {
		return false
	}
	for _, in := range b.inputs {
		if !in.ended && in.allEnded() {
			in.ended = true
			in.log.end()
			b.note(Event{Kind: StreamEnded, Input: in.id})
		}
		over = over || in.ended
	}
	for _, in := range b.inputs {
		over = over && (in.ended || b.needsNoEnd(in))
	}
	return over && len(b.missing()) == 0
}

// allEnded reports whether the stream has ended: a source has said so and no other goes on.
func (in *input) allEnded() bool {
	for _, s := range in.sources {
		if !s.ended && s.gone.IsZero() {
			return false
		}
	}
	return in.said
}

// needsNoEnd reports whether the event may end though an input stream has not: nobody feeds it, and its tracks are sparse, whose
// encoders may connect for each fragment, or have gone on in other streams, which have ended. mu must be held.
func (b *broadcast) needsNoEnd(in *input) bool {
	if in.connected() > 0 {
		return false
	}
	for _, tr := range in.tracks {
		if tr != nil && !tr.stream.sparse && !b.goesOnElsewhere(tr, in, func(o *input) bool { return o.ended }) {
			return false
		}
	}
	return in.header != nil
}

// goesOnElsewhere reports whether a track belongs to another input stream, too, of which a condition is true. mu must be held.
func (b *broadcast) goesOnElsewhere(tr *track, in *input, cond func(*input) bool) bool {
	return slices.ContainsFunc(b.inputs, func(o *input) bool { return o != in && slices.Contains(o.tracks, tr) && cond(o) })
}

// dropReplaced forgets the oldest input stream that nobody feeds and whose tracks have all gone on in others: there are
// encoders that call their streams anew each time they start. mu must be held.
func (b *broadcast) dropReplaced() {
	for i, in := range b.inputs {
		replaced := in.connected() == 0
		for _, tr := range in.tracks {
			replaced = replaced && (tr == nil || b.goesOnElsewhere(tr, in, func(o *input) bool {
				return o.connected() > 0 || slices.Index(b.inputs, o) > i
			}))
		}
		if replaced {
			in.log.end()
			b.inputs = slices.Delete(b.inputs, i, i+1)
			b.relays.change()
			return
		}
	}
}

// missing returns the required input streams that have not registered. mu must be held.
func (b *broadcast) missing() []string {
	var list []string
	for id := range b.required {
		if in := b.input(id); in.header == nil {
			list = append(list, id)
		}
	}
	return list
}

// finish ends the input: what is pending is published, every source is told, and the presentation is complete.
func (b *broadcast) finish(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	if b.timer != nil {
		b.timer.Stop()
	}
	for _, in := range b.inputs {
		for _, s := range in.sources {
			if s.gone.IsZero() && !s.ended && s.cut != nil {
				s.cut(cause)
			}
		}
		in.log.end()
	}
	b.required = nil
	b.advance(b.now())
	b.publish()
	b.relays.change()
}

// drop forgets the event. Fragments that are being sent stay valid.
func (b *broadcast) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.streams {
		for _, tr := range s.tracks {
			tr.mu.Lock()
			for i := range tr.entries {
				if e := &tr.entries[i]; e.buf != nil {
					e.buf.release()
					e.buf = nil
				}
			}
			tr.entries, tr.evicted = nil, 0
			tr.mu.Unlock()
		}
	}
	b.index.Store(&map[smooth.FragmentKey]*track{})
	b.waits.wake(func(smooth.FragmentKey) bool { return true })
	for _, r := range b.recorders {
		r.forget()
	}
}

// alarm wakes the broadcast at a time, since nothing else might. mu must be held.
func (b *broadcast) alarm(at, now time.Time) {
	d := at.Sub(now)
	if b.timer == nil {
		b.timer = time.AfterFunc(d, b.ring)
		return
	}
	b.timer.Reset(d)
}

// ring moves the timelines on when a wait is over.
func (b *broadcast) ring() {
	b.mu.Lock()
	over := false
	if !b.closed {
		now := b.now()
		over = b.settle(now)
	}
	b.mu.Unlock()
	if over {
		b.over()
	}
}

// trackAt returns the track of a fragment.
func (b *broadcast) trackAt(k smooth.FragmentKey) *track {
	k.Time = 0
	return (*b.index.Load())[k]
}

// reindex publishes the set of tracks. mu must be held.
func (b *broadcast) reindex(tr *track) {
	index := maps.Clone(*b.index.Load())
	index[tr.key] = tr
	plain := tr.key
	plain.Attrs = "" // most clients leave attributes out, which only say more of the track
	if _, taken := index[plain]; !taken {
		index[plain] = tr
	}
	b.index.Store(&index)
}
