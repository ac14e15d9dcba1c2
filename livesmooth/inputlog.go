package livesmooth

import "sync"

// inputLog lists the fragments of an input stream in the order in which they came, for servers that are fed with it. It is
// safe for concurrent use.
type inputLog struct {
	mu     sync.Mutex // guards the fields below
	items  []logItem
	base   uint64 // number of items[0]
	bytes  uint64 // of all fragments so far
	header *relayHeader
	grown  chan struct{}
	ended  bool
}

// logItem names a fragment.
type logItem struct {
	track *track
	time  uint64
	// header is the one that the fragment came under.
	header *relayHeader
	// before are the bytes of all fragments before this one.
	before uint64
}

// declare makes a header that of the fragments that follow.
func (l *inputLog) declare(h *relayHeader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.header = h
}

// declared returns the newest header, nil if there is none yet.
func (l *inputLog) declared() *relayHeader {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.header
}

// add appends a fragment.
func (l *inputLog) add(tr *track, time uint64) {
	size := tr.sizeAt(time)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, logItem{tr, time, l.header, l.bytes})
	l.bytes += size
	l.wake()
}

// sizeAt returns the size of a fragment's sample data, zero if there is none at that time.
func (t *track) sizeAt(time uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := t.find(time); ok {
		return uint64(t.entries[i].size)
	}
	return 0
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
	if l.ended {
		l.ended = false
		l.wake()
	}
}

// maxStale is the number of entries from before the window that one before them, of a far future, can keep.
const maxStale = 4096

// trim forgets fragments from before a time, up to the first that is not.
func (l *inputLog) trim(before uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.items) && (l.items[n].time < before || n+maxStale < len(l.items) && l.items[n+maxStale].time < before) {
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

// edge returns the number of the first of the newest n fragments.
func (l *inputLog) edge(n int) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.base + uint64(max(len(l.items)-n, 0))
}

// backlog returns how many fragments, and bytes of them, there are from a number on.
func (l *inputLog) backlog(number uint64) (n, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := max(number, l.base) - l.base
	if i >= uint64(len(l.items)) {
		return 0, 0
	}
	return int64(uint64(len(l.items)) - i), int64(l.bytes - l.items[i].before)
}
