package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

// sortPoints sorts by name.
func sortPoints(list []*Point) {
	slices.SortFunc(list, func(a, b *Point) int { return strings.Compare(a.name, b.name) })
}
