package prom

import (
	"errors"
	"sync"
)

// Why a metric is left out. They show in the log only.
var (
	errName  = errors.New("prom: malformed name, or a label that all metrics have")
	errOther = errors.New("prom: other help, type or labels than the metric of the same name before")
	errTwice = errors.New("prom: the same labels twice")
)

// maxFaults is how many names of metrics that are left out are logged.
const maxFaults = 100

// faults remembers which names were logged.
type faults struct {
	mu sync.Mutex // guards names
	// names were logged.
	names map[string]bool
}

// first reports whether a name is to be logged.
func (f *faults) first(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names[name] || len(f.names) >= maxFaults {
		return false
	}
	if f.names == nil {
		f.names = make(map[string]bool)
	}
	f.names[name] = true
	return true
}
