package livesmooth

import "sync"

// inputLog lists the fragments of an input stream in the order in which they came, for servers that are fed with it. It is
// safe for concurrent use.
type inputLog struct {
	mu    sync.Mutex // guards the fields below
	items []logItem
	base  uint64 // number of items[0]
	grown chan struct{}
	ended bool
}

// logItem names a fragment.
type logItem struct {
	track *track
	time  uint64
}

// add appends a fragment.
func (l *inputLog) add(tr *track, time uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, logItem{tr, time})
	l.wake()
}

// wake wakes the readers. mu must be held.
func (l *inputLog) wake() {
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}

// end tells the readers that nothing follows.
func (l *inputLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.wake()
}

// reopen undoes end, when the encoder is back.
func (l *inputLog) reopen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = false
}

// trim forgets fragments from before a time, up to the first that is not.
func (l *inputLog) trim(before uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.items) && l.items[n].time < before {
		n++
	}
	clear(l.items[:n])
	l.items, l.base = l.items[n:], l.base+uint64(n)
}

// read returns the item with a number, or the oldest one after it; the number of the next one; and, if there is none yet,
// what to wait for.
func (l *inputLog) read(number uint64) (item logItem, next uint64, wait <-chan struct{}, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	number = max(number, l.base)
	if i := number - l.base; i < uint64(len(l.items)) {
		return l.items[i], number + 1, nil, false
	}
	if l.grown == nil {
		l.grown = make(chan struct{})
	}
	return logItem{}, number, l.grown, l.ended
}
