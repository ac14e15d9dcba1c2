package usage

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// otherStreams is the name of what is counted for streams without counters of their own. Paths begin with a slash.
const otherStreams = "other"

// maxStreamName bounds the names of streams that are kept, in bytes.
const maxStreamName = 512

// stream has the counters of one stream. They only grow, also when a stream gave way and came back: it begins anew.
type stream struct {
	name     string
	sent     atomic.Int64
	received atomic.Int64
	requests atomic.Int64
	late     atomic.Int64
	starved  atomic.Int64
	viewers  [protocols]atomic.Int64
	sessions [protocols]atomic.Int64

	users int       // sessions and requests that count here; the table's mutex guards it
	idle  time.Time // since when there are none
}

// streamTable has the streams with counters of their own.
type streamTable struct {
	max   int
	other stream

	mu sync.Mutex // guards named
	// named are the streams by name.
	named map[string]*stream
}

// acquire returns the counters of a stream, for as long as release has not been called.
func (t *streamTable) acquire(name string) *stream {
	if len(name) > maxStreamName {
		return &t.other
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.named[name]
	if s == nil {
		if len(t.named) >= t.max && !t.giveWay() {
			return &t.other
		}
		s = &stream{name: strings.Clone(name)}
		t.named[s.name] = s
	}
	s.users++
	return s
}

// giveWay removes the stream that has been idle for longest, if one is. mu must be held.
func (t *streamTable) giveWay() bool {
	var oldest *stream
	for _, s := range t.named {
		if s.users == 0 && (oldest == nil || s.idle.Before(oldest.idle)) {
			oldest = s
		}
	}
	if oldest == nil {
		return false
	}
	delete(t.named, oldest.name)
	return true
}

// release is the end of acquire.
func (t *streamTable) release(s *stream, now time.Time) {
	if s == &t.other {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.users == 0 {
		s.idle = now
	}
}

// list returns the streams by name, the other ones last if there are any.
func (t *streamTable) list() []*stream {
	t.mu.Lock()
	all := make([]*stream, 0, len(t.named)+1)
	for _, s := range t.named {
		all = append(all, s)
	}
	t.mu.Unlock()
	slices.SortFunc(all, func(a, b *stream) int { return strings.Compare(a.name, b.name) })
	if t.other.requests.Load() > 0 || t.other.sent.Load() > 0 || t.other.received.Load() > 0 {
		all = append(all, &t.other)
	}
	return all
}

// stats returns the counters of all streams, those with most viewers first.
func (t *streamTable) stats() []StreamStats {
	var all []StreamStats
	for _, s := range t.list() {
		v := StreamStats{
			Stream: s.name, ViewersBy: make(map[Protocol]int), Sent: s.sent.Load(), Received: s.received.Load(),
			Requests: s.requests.Load(), LateSegments: s.late.Load(), Starved: s.starved.Load(),
		}
		for p := range s.viewers {
			if n := int(s.viewers[p].Load()); n > 0 {
				v.ViewersBy[Protocol(p)] = n
				v.Viewers += n
			}
		}
		all = append(all, v)
	}
	slices.SortStableFunc(all, func(a, b StreamStats) int {
		return cmp.Or(cmp.Compare(b.Viewers, a.Viewers), cmp.Compare(b.Sent+b.Received, a.Sent+a.Received))
	})
	return all
}
