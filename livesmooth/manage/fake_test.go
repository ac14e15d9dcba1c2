package manage

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// Fake is a server whose publishing points do what tests tell them.
type Fake struct {
	mu     sync.Mutex // guards the fields below
	points []*FakePoint
	// Err, if set, is returned by everything that can fail.
	Err error
}

// NewFakeHandler returns a handler for a fake server.
func NewFakeHandler(f *Fake, opts *Options) (*Handler, error) { return newHandler(f, opts) }

// FakeModified is when every fake publishing point has changed.
var FakeModified = time.Date(2011, 5, 31, 21, 32, 26, 0, time.UTC)

// Add adds a publishing point.
func (f *Fake) Add(name string, s *livesmooth.Settings) *FakePoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &FakePoint{name: name, settings: s, Events: make(chan livesmooth.Event)}
	f.points = append(f.points, p)
	slices.SortFunc(f.points, func(a, b *FakePoint) int { return strings.Compare(a.name, b.name) })
	return p
}

func (f *Fake) find(name string) (point, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Err != nil {
		return nil, f.Err
	}
	for _, p := range f.points {
		if strings.EqualFold(p.name, name) {
			return p, nil
		}
	}
	return nil, fmt.Errorf("fake: %w", livesmooth.ErrNoPoint)
}

func (f *Fake) list() (list []point) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.points {
		list = append(list, p)
	}
	return list
}

func (f *Fake) create(_ context.Context, name string, s *livesmooth.Settings) (point, error) {
	if strings.Contains(name, "..") {
		return nil, fmt.Errorf("fake: %w", livesmooth.ErrName)
	}
	if _, err := f.find(name); err == nil {
		return nil, fmt.Errorf("fake: %w", livesmooth.ErrExists)
	}
	return f.Add(name, s), nil
}

func (f *Fake) remove(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, p := range f.points {
		if p.name == name {
			f.points = slices.Delete(f.points, i, i+1)
			return nil
		}
	}
	return fmt.Errorf("fake: %w", livesmooth.ErrNoPoint)
}

// FakePoint is a publishing point of a [Fake].
type FakePoint struct {
	name string
	// Events are what Watch yields, until the channel is closed.
	Events chan livesmooth.Event

	mu       sync.Mutex // guards the fields below
	settings *livesmooth.Settings
	state    livesmooth.State
	err      error
	stats    livesmooth.Stats
}

// Name implements point, as the methods below do.
func (p *FakePoint) Name() string { return p.name }

func (p *FakePoint) Modified() time.Time { return FakeModified }

func (p *FakePoint) Settings() *livesmooth.Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings.Clone()
}

func (p *FakePoint) SetSettings(_ context.Context, s *livesmooth.Settings) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != livesmooth.Idle {
		return fmt.Errorf("fake: %w", livesmooth.ErrInUse)
	}
	p.settings = s.Clone()
	return nil
}

func (p *FakePoint) State() livesmooth.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *FakePoint) LastError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Put sets the state and the last error.
func (p *FakePoint) Put(state livesmooth.State, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.err, p.stats.State = state, err, state
}

// PutStats sets the statistics.
func (p *FakePoint) PutStats(s livesmooth.Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats, p.state = s, s.State
}

func (p *FakePoint) Stats() livesmooth.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

func (p *FakePoint) Start(context.Context) error {
	return p.move(livesmooth.Starting, livesmooth.Idle, livesmooth.Starting, livesmooth.Stopped, livesmooth.Faulted)
}

func (p *FakePoint) Stop(context.Context) error {
	return p.move(livesmooth.Stopped, livesmooth.Starting, livesmooth.Started, livesmooth.Stopped)
}

func (p *FakePoint) Shutdown(context.Context) error {
	return p.move(livesmooth.Idle, livesmooth.Idle, livesmooth.Starting, livesmooth.Started, livesmooth.Stopped, livesmooth.Faulted)
}

func (p *FakePoint) move(to livesmooth.State, from ...livesmooth.State) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(from, p.state) {
		return fmt.Errorf("fake: %w", livesmooth.ErrTransition)
	}
	p.state, p.stats.State = to, to
	return nil
}

func (p *FakePoint) Watch(ctx context.Context) iter.Seq[livesmooth.Event] {
	return func(yield func(livesmooth.Event) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case e, ok := <-p.Events:
				if !ok || !yield(e) {
					return
				}
			}
		}
	}
}
