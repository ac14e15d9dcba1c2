package livesmooth

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Point is a publishing point: it takes what encoders, or another server, send and is the presentation that viewers see. It
// belongs to a [Server]. It is safe for concurrent use.
type Point struct {
	name    string
	srv     *Server
	events  *eventLog
	viewers audience
	handler atomic.Pointer[viewerHandler]
	// live is the event that viewers see; nil in state Idle. It is cast.
	live atomic.Pointer[broadcast]

	work    sync.WaitGroup // what the point has started
	editing sync.Mutex     // settings are changed by one at a time

	mu       sync.Mutex // guards the fields below
	state    State
	settings *Settings
	later    *Settings // that the .isml file has got while the point was in use
	version  string    // of the .isml file; empty if there is none
	modified time.Time
	lastErr  error
	cast     *broadcast
	stop     context.CancelFunc // ends what distributes cast
	changed  chan struct{}      // closed and replaced with each state
	removed  bool
	closed   bool // the server is; nothing happens any more
}

func newPoint(srv *Server, name string, s *Settings, version string) *Point {
	p := &Point{
		name: name, srv: srv, events: newEventLog(), settings: s, version: version, modified: srv.opts.Now(),
		changed: make(chan struct{}),
	}
	p.handler.Store(srv.newViewerHandler(name, s))
	return p
}

// Name returns the name, such as "live/demo.isml".
func (p *Point) Name() string { return p.name }

// Settings returns a copy of the settings.
func (p *Point) Settings() *Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings.Clone()
}

// SetSettings replaces the settings, and writes them to the .isml file if the server has a root. It fails with [ErrInUse] in
// any state but Idle, and with [ErrSettings].
func (p *Point) SetSettings(ctx context.Context, s *Settings) error {
	if s == nil {
		return fmt.Errorf("livesmooth: %s: %w: none given", p.name, ErrSettings)
	}
	if err := s.Validate(); err != nil {
		return err
	}
	p.editing.Lock()
	defer p.editing.Unlock()
	if err := p.editable(); err != nil {
		return err
	}
	version, _, err := p.srv.save(p.name, s)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != Idle { // it was started in the meantime
		p.later, p.version = s.Clone(), version
		return nil
	}
	p.setSettings(s.Clone(), version)
	return nil
}

// editable returns nil if the settings may be changed.
func (p *Point) editable() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.removed:
		return fmt.Errorf("livesmooth: %s: %w", p.name, ErrNoPoint)
	case p.state != Idle:
		return fmt.Errorf("livesmooth: %s: settings in state %s: %w: shut it down first", p.name, p.state, ErrInUse)
	}
	return nil
}

// setSettings puts settings to use. mu must be held, in state Idle.
func (p *Point) setSettings(s *Settings, version string) {
	p.settings, p.version, p.later = s, version, nil
	p.modified = p.srv.opts.Now()
	p.handler.Swap(p.srv.newViewerHandler(p.name, s)).retire()
	p.note(Event{Kind: SettingsChanged})
	p.srv.opts.Logger.Info("settings changed", "point", p.name)
}

// State returns the state.
func (p *Point) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// LastError returns why the point is in state Error, or the last error of a pull; nil if there is none.
func (p *Point) LastError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastErr
}

// Modified returns when state or settings changed.
func (p *Point) Modified() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.modified
}

// Start makes the point wait for encoders, or pull. The error wraps [ErrTransition]. A point that is started already stays so.
func (p *Point) Start(ctx context.Context) error { return p.signal(commandStart, nil) }

// Stop ends the live source: encoders are told, sinks end the recording, and viewers keep what is in the window. It waits for
// that. The error wraps [ErrTransition].
func (p *Point) Stop(ctx context.Context) error {
	if err := p.signal(commandStop, nil); err != nil {
		return err
	}
	return p.await(ctx, func(s State) bool { return s != Stopping })
}

// Shutdown ends everything, and waits for that: there is nothing to watch any more. The error wraps [ErrTransition].
func (p *Point) Shutdown(ctx context.Context) error {
	for {
		if err := p.await(ctx, func(s State) bool { return s != Stopping }); err != nil {
			return err
		}
		switch err := p.signal(commandShutdown, nil); {
		case err == nil:
			return p.await(ctx, func(s State) bool { return s != ShuttingDown })
		case errors.Is(err, ErrNoPoint): // the server ends it
			return p.await(ctx, func(s State) bool { return s == Idle })
		case !errors.Is(err, ErrTransition): // else it is being stopped again
			return err
		}
	}
}

// await waits for a state.
func (p *Point) await(ctx context.Context, ok func(State) bool) error {
	for {
		p.mu.Lock()
		state, changed := p.state, p.changed
		p.mu.Unlock()
		if ok(state) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// Watch yields what happens to the point from now on, until ctx ends or the point is removed. A watcher that is more than
// 1,024 events behind gets one of kind [EventsMissed] in the place of the oldest ones.
func (p *Point) Watch(ctx context.Context) iter.Seq[Event] {
	p.events.mu.Lock()
	from := p.events.last
	p.events.mu.Unlock()
	return p.events.watch(ctx, from)
}

// note adds an event to the log, which knows the state. mu need not be held.
func (p *Point) note(e Event) {
	e.At = p.srv.opts.Now()
	p.events.add(e)
}

// signal changes the state by the law of publishing points, and begins what the new state asks for.
func (p *Point) signal(in signal, cause error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.transit(in, cause)
}

// transit is signal with mu held.
func (p *Point) transit(in signal, cause error) error {
	if p.closed || p.removed && in <= onEncoder && in != commandShutdown && in != commandStop {
		return fmt.Errorf("livesmooth: %s: %w: %w", p.name, ErrNoPoint, smooth.ErrNotFound)
	}
	from := p.state
	to, do, ok := from.next(in, p.settings)
	if !ok {
		return fmt.Errorf("livesmooth: %s: %s in state %s: %w", p.name, in, from, ErrTransition)
	}
	p.enter(to, cause)
	switch do {
	case openEvent:
		p.open()
	case reopenEvent:
		old := p.cast
		p.open()
		p.work.Go(func() {
			p.closeRecorders(old, true) // they are, unless it ended by a fault just now
			old.drop()
		})
	case endEvent:
		cast := p.cast
		p.stop()
		p.work.Go(func() { p.endEvent(cast, cause) })
	case dropEvent:
		cast := p.cast
		p.stop()
		p.work.Go(func() { p.dropEvent(cast) })
	}
	return nil
}

// enter sets the state. mu must be held.
func (p *Point) enter(to State, cause error) {
	if to == Faulted {
		p.lastErr = cause
	}
	if to == p.state {
		return
	}
	if to == Starting {
		p.lastErr = nil
	}
	p.state, p.modified = to, p.srv.opts.Now()
	close(p.changed)
	p.changed = make(chan struct{})
	p.note(Event{Kind: StateChanged, State: to, Err: cause})
	p.srv.opts.Logger.Info("publishing point", "point", p.name, "state", to.String())
	if to == Idle && p.later != nil {
		p.setSettings(p.later, p.version)
	}
}

// open begins an event. mu must be held.
func (p *Point) open() {
	settings := p.settings.Clone() // nobody changes it while the event goes on
	b := newBroadcast(p.name, settings, &p.srv.opts, p.note)
	b.begun = func() { _ = p.signalFor(b, onStream, nil) }
	b.over = func() { _ = p.signalFor(b, onEnd, nil) }
	b.fault = func(err error) { _ = p.signalFor(b, onFault, err) }
	if p.srv.opts.Sinks != nil {
		info := EventInfo{Point: p.name, Started: b.started, Settings: settings}
		for _, sink := range p.srv.opts.Sinks(p.name, settings) {
			b.recorders = append(b.recorders, newRecorder(context.WithoutCancel(p.srv.ctx), sink, info,
				recorderOptions{now: p.srv.opts.Now, log: b.log}, p.note))
		}
	}
	ctx, stop := context.WithCancel(p.srv.ctx)
	p.cast, p.stop = b, stop
	p.live.Store(b)
	p.distribute(ctx, b)
}

// signalFor is signal if b is still the event.
func (p *Point) signalFor(b *broadcast, in signal, cause error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cast != b {
		return nil
	}
	return p.transit(in, cause)
}

// drainTime bounds how long sinks may take to end a recording.
const drainTime = 30 * time.Second

// endEvent ends the input of an event.
func (p *Point) endEvent(b *broadcast, cause error) {
	b.finish(errors.Join(fmt.Errorf("livesmooth: %s: %w", p.name, ErrEnding), cause))
	p.closeRecorders(b, true)
	_ = p.signalFor(b, onStopped, nil) // not if it ended by a fault
}

// dropEvent ends an event altogether.
func (p *Point) dropEvent(b *broadcast) {
	p.live.CompareAndSwap(b, nil)
	b.finish(fmt.Errorf("livesmooth: %s: %w", p.name, ErrEnding))
	p.closeRecorders(b, true)
	b.drop()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cast == b {
		p.cast = nil
		_ = p.transit(onShutdown, nil)
	}
}

func (p *Point) closeRecorders(b *broadcast, ended bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.srv.ctx), drainTime)
	defer cancel()
	for _, r := range b.recorders {
		if err := r.close(ctx, ended); err != nil {
			b.log.Error("end of recording", "err", err)
		}
	}
}

// approach lets a request start the point, and returns the event. An encoder counts as work of the point until its push is done.
func (p *Point) approach(in signal) (*broadcast, error) {
	if b := p.live.Load(); b != nil && in == onRequest {
		return b, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.transit(in, nil); err != nil {
		if in == onEncoder && !errors.Is(err, ErrNoPoint) {
			return nil, p.notAccepting()
		}
		return nil, fmt.Errorf("%w: %w", err, smooth.ErrNotFound)
	}
	if in == onEncoder {
		p.work.Add(1)
	}
	return p.cast, nil
}

// accepts returns nil if an encoder may connect now, for a probe, which does not start anything.
func (p *Point) accepts() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, _, ok := p.state.next(onEncoder, p.settings); !ok || p.settings.Source == SourcePull {
		return p.notAccepting()
	}
	return nil
}

// notAccepting is the error for an encoder that is not wanted, with what to do about it. mu must be held.
func (p *Point) notAccepting() error {
	what := "wait until that is over"
	switch {
	case p.settings.Source == SourcePull:
		what = "it pulls from other servers"
	case p.state == Idle:
		what = "start it, or set AutoStart"
	case p.state == Stopped:
		what = "start it, or set AutoRestart"
	case p.state == Faulted:
		what = "start it"
	}
	return fmt.Errorf("livesmooth: %s: state %s: %w: %s", p.name, p.state, ErrNotAccepting, what)
}

// Push takes what an encoder sends from r, until it ends, as the body of a POST to Streams(info.Input) does. Errors are those
// of [StatusOf]. When ctx ends, or the point is stopped, r is closed if it is an [io.Closer].
func (p *Point) Push(ctx context.Context, info PushInfo, r io.Reader) error {
	if err := p.accepts(); err != nil {
		return err
	}
	if info.Source == "" {
		info.Source = "HTTP Push"
	}
	info.Point = p.name
	return p.push(ctx, info, r, nil, func() {
		if c, ok := r.(io.Closer); ok {
			c.Close()
		}
	})
}

// push takes the body of a push. interrupt makes a Read of r that is under way return.
func (p *Point) push(ctx context.Context, info PushInfo, r io.Reader, phase func(pushPhase), interrupt func()) error {
	ended, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ended, interrupt)()
	defer context.AfterFunc(p.srv.ctx, func() { cancel(fmt.Errorf("livesmooth: %s: %w", p.name, ErrEnding)) })()
	r, err := p.begins(r)
	if err == io.EOF { // a probe
		return nil
	}
	if err != nil {
		return because(ended, err)
	}
	b, err := p.approach(onEncoder)
	if err != nil {
		return err
	}
	defer p.work.Done()
	s, err := b.connect(info, cancel)
	if err != nil {
		return err
	}
	p.note(Event{Kind: EncoderConnected, Input: info.Input, Source: info.Address})
	err = because(ended, b.receive(s, newPushReader(r, pushReaderConfig{pool: b.pool, limits: b.opts.Limits, known: b.headerOf(s), phase: phase,
		later: func() *pushHeader { return b.headerOf(s) }})))
	b.disconnect(s)
	p.note(Event{Kind: EncoderDisconnected, Input: info.Input, Source: info.Address, Err: err})
	return err
}

// begins reads the beginning of a body before it can start the point, or end what viewers still see: io.EOF if it is empty, as
// that of some probes, and an error if it does not begin with a box. It returns a reader of the whole body.
func (p *Point) begins(r io.Reader) (io.Reader, error) {
	var head [8]byte
	n, err := io.ReadFull(r, head[:])
	switch {
	case err == io.EOF:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("livesmooth: push: body of %d bytes: %w", n, err)
	}
	switch size, limit := binary.BigEndian.Uint32(head[:]), p.srv.opts.Limits.HeaderBytes; {
	case int64(size) > limit:
		return nil, malformed("first box", 0, "size %d, the limit is %d: the body does not begin with a box of fragmented MP4", size, limit)
	case size != 1 && size < 8:
		return nil, malformed("first box", 0, "size %d", size)
	}
	return io.MultiReader(bytes.NewReader(head[:]), r), nil
}

// because returns why a push has ended with an error, or nil: ctx is that of the push.
func because(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, ErrEnding): // this is how a reader is interrupted
		return cause
	case err != nil && cause != nil && !errors.Is(err, os.ErrDeadlineExceeded): // net/http ends the context after a read deadline, too
		if errors.Is(cause, context.Canceled) {
			return fmt.Errorf("livesmooth: the source has gone: %w", cause)
		}
		return cause
	}
	return err
}

// receive is ingest, and the last line of defence against faults of our own: one in what reads a body is the end of that push, one in
// the event is the end of the event.
func (b *broadcast) receive(s *source, r *pushReader) (err error) {
	inside := false
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err = fmt.Errorf("livesmooth: %s: push to stream %q: panic: %v", b.name, s.info.Input, v)
		b.log.Error("push", "stream", s.info.Input, "source", s.info.Address, "err", err, "stack", string(debug.Stack()))
		if inside {
			b.fault(err)
		}
	}()
	return b.ingest(s, r, &inside)
}

// headerOf returns the header that an earlier request has sent for the input stream of s, for encoders that send one segment
// per request.
func (b *broadcast) headerOf(s *source) *pushHeader {
	b.mu.Lock()
	defer b.mu.Unlock()
	return s.in.header
}

// ingest reads a push to its end. inside tells whether it is in the event, or else reads the body.
func (b *broadcast) ingest(s *source, r *pushReader, inside *bool) error {
	defer r.close()
	for {
		*inside = false
		item, err := r.next()
		*inside = true
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.told(item); err != nil {
			return err
		}
		switch item := item.(type) {
		case pushPeriod:
			b.setPeriod(s, item)
		case *pushHeader:
			first := s.header == nil
			if err := b.register(s, item); err != nil {
				return err
			}
			b.begun()
			if first {
				b.log.Info("encoder", "stream", s.info.Input, "source", s.info.Address, "tracks", len(item.tracks))
			}
		case *pushFragment:
			if err := b.adopt(s); err != nil {
				item.buf.release()
				return err
			}
			if err := b.accept(s, item); err != nil {
				return err
			}
		case pushEnd:
			b.log.Info("end of stream", "stream", s.info.Input, "source", s.info.Address)
			b.end(s)
		}
	}
}

// adopt lets a source without a header of its own use that of its input stream.
func (b *broadcast) adopt(s *source) error {
	b.mu.Lock()
	h := s.header
	known := s.in.header
	b.mu.Unlock()
	if h != nil {
		return nil
	}
	if known == nil {
		return fmt.Errorf("livesmooth: %s: stream %q: %w", b.name, s.info.Input, ErrNoHeader)
	}
	return b.register(s, known)
}

// event returns the event that viewers see.
func (p *Point) event() (*broadcast, error) {
	if b := p.live.Load(); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("livesmooth: %s: not started: %w", p.name, smooth.ErrNotFound)
}

// Snapshot implements [smooth.Presentation].
func (p *Point) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	b, err := p.event()
	if err != nil {
		return nil, err
	}
	s := b.snap.Load()
	if len(s.Manifest.Streams) == 0 {
		return nil, fmt.Errorf("livesmooth: %s: no streams yet: %w", p.name, smooth.ErrNotYet)
	}
	return s, ctx.Err()
}

// Fragment implements [smooth.Presentation].
func (p *Point) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	b, err := p.event()
	if err != nil {
		return nil, err
	}
	return b.fragment(ctx, k)
}

// FragmentSize implements [smooth.Sizer].
func (p *Point) FragmentSize(k smooth.FragmentKey) (int64, error) {
	b, err := p.event()
	if err != nil {
		return 0, err
	}
	return b.size(k)
}

// Wait implements [smooth.Waiter].
func (p *Point) Wait(ctx context.Context, k smooth.FragmentKey) error {
	b, err := p.event()
	if err != nil {
		return err
	}
	return b.wait(ctx, k)
}

// Close implements [smooth.Presentation]. A point lives as long as its server.
func (p *Point) Close() error { return nil }

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

// sortPoints sorts by name.
func sortPoints(list []*Point) {
	slices.SortFunc(list, func(a, b *Point) int { return strings.Compare(a.name, b.name) })
}
