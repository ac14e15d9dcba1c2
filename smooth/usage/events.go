package usage

import (
	"slices"
	"sync"
	"time"
)

// Bounds of events.
const (
	keptEvents    = 256
	burstSubjects = 64 // of one kind at a time that are aggregated apart; others are taken together
)

// eventLog keeps the latest events and holds back bursts of equal ones.
type eventLog struct {
	bursts map[EventKind]time.Duration

	mu     sync.Mutex // guards the fields below
	recent []Event
	open   map[burstKey]*burst
	kinds  map[EventKind]int // bursts that are open
}

type burstKey struct {
	kind    EventKind
	subject string
}

// burst are the events since one that was told.
type burst struct {
	until time.Time
	last  Event
	count int
}

// Emit tells an event to webhooks and whoever else listens, unless it is one of a burst, see [Options].Bursts. It never
// blocks. Attrs must not be changed afterwards.
func (r *Recorder) Emit(e Event) {
	now := r.opts.Now()
	if e.At.IsZero() {
		e.At = now
	}
	e.Count = max(e.Count, 1)
	if r.events.holdBack(&e, now) {
		return
	}
	r.tell(e)
}

// holdBack reports whether an event is one of a burst, and counts it there.
func (l *eventLog) holdBack(e *Event, now time.Time) bool {
	window := l.bursts[e.Kind]
	if window <= 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := burstKey{e.Kind, e.Subject}
	b := l.open[key]
	if b == nil && l.kinds[e.Kind] >= burstSubjects {
		key.subject = ""
		b = l.open[key]
		e.Subject = ""
	}
	if b != nil && now.Before(b.until) {
		b.last, b.count = *e, b.count+e.Count
		return true
	}
	if b == nil {
		b = new(burst)
		l.open[key] = b
		l.kinds[e.Kind]++
	}
	e.Count += b.count
	*b = burst{until: now.Add(window)}
	return false
}

// due returns what has been held back and whose time has come; all of it if everything is to be told.
func (l *eventLog) due(now time.Time, everything bool) (all []Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, b := range l.open {
		if now.Before(b.until) && !everything {
			continue
		}
		if b.count == 0 {
			delete(l.open, key)
			l.kinds[key.kind]--
			continue
		}
		b.last.Count = b.count
		all = append(all, b.last)
		*b = burst{until: now.Add(l.bursts[key.kind])}
	}
	slices.SortFunc(all, func(a, b Event) int { return a.At.Compare(b.At) })
	return all
}

// tell tells an event.
func (r *Recorder) tell(e Event) {
	r.counters.events.add(string(e.Kind))
	r.events.keep(e)
	if r.opts.OnEvent != nil {
		r.opts.OnEvent(e)
	}
	out := r.hold()
	defer out.users.RUnlock()
	for _, h := range out.webhooks {
		h.Send(e)
	}
}

func (l *eventLog) keep(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.recent) == keptEvents {
		l.recent = slices.Delete(l.recent, 0, 1)
	}
	l.recent = append(l.recent, e)
}

// Events returns the latest events that were told, at most 256, the oldest first.
func (r *Recorder) Events() []Event {
	r.events.mu.Lock()
	defer r.events.mu.Unlock()
	return slices.Clone(r.events.recent)
}
