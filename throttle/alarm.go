package throttle

import (
	"sync"
	"time"
)

// alarms wake all responses that wait for the same time by one timer. The times are rounded before, to ticks.
type alarms struct {
	mu sync.Mutex                      // guards at
	at map[time.Duration]chan struct{} // closed at a time since the start of the handler
}

// wait returns what is closed at a time since the start.
func (a *alarms) wait(start time.Time, at time.Duration) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.at[at]; c != nil {
		return c
	}
	if a.at == nil {
		a.at = make(map[time.Duration]chan struct{})
	}
	c := make(chan struct{})
	a.at[at] = c
	time.AfterFunc(time.Until(start.Add(at)), func() {
		a.mu.Lock()
		delete(a.at, at)
		a.mu.Unlock()
		close(c)
	})
	return c
}
