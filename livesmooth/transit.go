package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

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
		info := smooth.EventInfo{Point: p.name, Title: settings.Title, Started: b.started, Archive: settings.Archive}
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
