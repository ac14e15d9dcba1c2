package livesmooth

import (
	"context"
	"iter"
	"sync"
	"time"
)

// EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	// StateChanged: State is the new one; Err says why, if it is Faulted.
	StateChanged EventKind = iota
	// SettingsChanged: the point has new settings.
	SettingsChanged
	// EncoderConnected and EncoderDisconnected: a source of the input stream came or went; Err says why it was refused or
	// broke off.
	EncoderConnected
	EncoderDisconnected
	// StreamEnded: an input stream has sent its end.
	StreamEnded
	// TrackAdded: a track has registered.
	TrackAdded
	// TrackChanged: a track goes on with another codec configuration.
	TrackChanged
	// ClockRestarted: an encoder came back with a lower clock; the timeline goes on with an offset, after a discontinuity.
	ClockRestarted
	// GapFound: fragments are missing and nobody has them.
	GapFound
	// FragmentDropped: a fragment came too late, or overlaps others.
	FragmentDropped
	// WindowShortened: the byte budget is smaller than the window, and no sink has the history.
	WindowShortened
	// SinkFailed and SinkRecovered: a sink does not take fragments; or does so again.
	SinkFailed
	SinkRecovered
	// EventsMissed: the watcher was too slow; Count events are not reported.
	EventsMissed
)

var eventNames = [...]string{
	"state changed", "settings changed", "encoder connected", "encoder disconnected", "stream ended", "track added",
	"track changed", "clock restarted", "gap", "fragment dropped", "window shortened", "sink failed", "sink recovered",
	"events missed",
}

// String returns the kind in words.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

// Event is something that happened to a publishing point.
type Event struct {
	// Number counts the events of a point, from 1.
	Number uint64
	// At is when it happened.
	At time.Time
	// Kind says what.
	Kind EventKind
	// State of the point afterwards.
	State State
	// Input is the ID of the input stream, Source the address of the encoder, or the name of the sink; empty if none is
	// concerned.
	Input, Source string
	// Stream and Bitrate name the track; empty if none is concerned.
	Stream  string
	Bitrate uint64
	// Time and Duration of what is missing or dropped, in ticks of 100 ns.
	Time, Duration uint64
	// Count is how many of the kind this one stands for, where equal ones follow fast on each other; else 1.
	Count int
	// Err is the reason; nil if there is none.
	Err error
}

// keptEvents is the number of events that a slow watcher may be behind.
const keptEvents = 1024

// eventLog keeps the newest events of a point. It is safe for concurrent use.
type eventLog struct {
	mu    sync.Mutex // guards the fields below
	ring  [keptEvents]Event
	last  uint64        // number of the newest one; 0 if there is none
	grown chan struct{} // closed and replaced with each event
	ended bool
	state State // as the newest event tells
}

func newEventLog() *eventLog { return &eventLog{grown: make(chan struct{})} }

// add numbers an event, gives it the state and wakes the watchers.
func (l *eventLog) add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	if e.Kind == StateChanged {
		l.state = e.State
	}
	l.last++
	e.Number, e.State = l.last, l.state
	if e.Count == 0 {
		e.Count = 1
	}
	l.ring[l.last%keptEvents] = e
	close(l.grown)
	l.grown = make(chan struct{})
}

// end tells watchers that nothing will follow.
func (l *eventLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		close(l.grown)
	}
}

// after returns the event after a number, or the channel to wait for if there is none yet.
func (l *eventLog) after(number uint64) (e Event, wait <-chan struct{}, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case number >= l.last:
		return Event{}, l.grown, l.ended
	case l.last-number > keptEvents:
		missed := l.last - keptEvents - number
		e = l.ring[(number+missed+1)%keptEvents]
		return Event{Number: number + missed, At: e.At, Kind: EventsMissed, State: e.State, Count: int(missed)}, nil, false
	}
	return l.ring[(number+1)%keptEvents], nil, false
}

// watch yields events after a number until ctx ends or the log does.
func (l *eventLog) watch(ctx context.Context, number uint64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for ctx.Err() == nil {
			e, wait, ended := l.after(number)
			switch {
			case ended:
				return
			case wait == nil:
				if number = e.Number; !yield(e) {
					return
				}
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-wait:
			}
		}
	}
}
