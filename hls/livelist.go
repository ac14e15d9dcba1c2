package hls

import (
	"container/list"
	"sync"
)

// Bounds of the live playlists that are kept to be extended.
const (
	maxLiveLists     = 512
	maxLiveListBytes = 64 << 20
)

// liveLists keeps the last version of live media playlists. The next one has most of its lines. It is safe for
// concurrent use.
type liveLists struct {
	mu     sync.Mutex // guards the fields below
	lists  map[string]*list.Element
	recent list.List // of *liveList, the most recently used first
	bytes  int
}

// A liveList is what was written for the segments of a playlist. It is immutable.
type liveList struct {
	name     string
	segments []segment
	ends     []int // offsets in lines, where those of each segment end
	lines    []byte
}

func newLiveLists() *liveLists { return &liveLists{lists: make(map[string]*list.Element)} }

// get returns the last version of a playlist, or nil.
func (l *liveLists) get(name string) *liveList {
	l.mu.Lock()
	defer l.mu.Unlock()
	el, ok := l.lists[name]
	if !ok {
		return nil
	}
	l.recent.MoveToFront(el)
	return el.Value.(*liveList)
}

// put keeps a version of a playlist in the place of the one before.
func (l *liveLists) put(v *liveList) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if el, ok := l.lists[v.name]; ok {
		l.remove(el)
	}
	l.lists[v.name] = l.recent.PushFront(v)
	l.bytes += v.size()
	for len(l.lists) > maxLiveLists || l.bytes > maxLiveListBytes {
		l.remove(l.recent.Back())
	}
}

// remove forgets a playlist. mu must be held.
func (l *liveLists) remove(el *list.Element) {
	v := l.recent.Remove(el).(*liveList)
	delete(l.lists, v.name)
	l.bytes -= v.size()
}

func (v *liveList) size() int { return len(v.name) + cap(v.lines) + 56*len(v.segments) + 8*len(v.ends) }

// same returns the range of segments of list, from 1 on, whose lines v has, and the place of the first of them in v. What
// is written for a segment depends on itself and on the one before.
func (v *liveList) same(list []segment) (from, to, at int) {
	if v == nil || len(v.segments) < 2 || len(list) < 2 || list[0].number < v.segments[0].number || list[0].gap {
		return 1, 1, 0 // after a gap the lines have a key and a map only if there was none before it
	}
	skip := list[0].number - v.segments[0].number
	if skip >= uint64(len(v.segments)) {
		return 1, 1, 0
	}
	at, to = int(skip)+1, 1
	for to < len(list) && at+to-1 < len(v.segments) && list[to-1].equal(&v.segments[at+to-2]) && list[to].equal(&v.segments[at+to-1]) {
		to++
	}
	return 1, to, at
}

// equal reports whether the same is written for both segments. Their places in the timeline differ when it moves.
func (s *segment) equal(o *segment) bool {
	return s.start == o.start && s.end == o.end && s.count == o.count && s.number == o.number &&
		s.discontinuity == o.discontinuity && s.gap == o.gap
}

// appendLive appends the lines of a live list, most of which are those of the last version.
func (e *entryWriter) appendLive(dst []byte, list []segment, lists *liveLists, name string) []byte {
	before := lists.get(name)
	v := &liveList{name: name, segments: list, ends: make([]int, 0, len(list))}
	start := len(dst)
	note := func() { v.ends = append(v.ends, len(dst)-start) }
	if len(list) > 0 {
		dst = e.append(dst, list, 0)
		note()
	}
	from, to, at := before.same(list)
	if to > from {
		lines := before.lines[before.ends[at-1]:before.ends[at+to-from-1]]
		shift := len(dst) - start - before.ends[at-1]
		for _, end := range before.ends[at : at+to-from] {
			v.ends = append(v.ends, end+shift)
		}
		dst = append(dst, lines...)
		e.resume(&list[to-1])
	}
	for i := to; i < len(list); i++ {
		dst = e.append(dst, list, i)
		note()
	}
	v.lines = dst[start:len(dst):len(dst)] // nobody changes what has been written
	lists.put(v)
	return dst
}

// resume sets the state that writing a segment leaves behind.
func (e *entryWriter) resume(s *segment) {
	e.mapped = e.mapped || !s.gap
	if e.o.protect != nil && !s.gap {
		e.key = e.o.protect.period(s.number) + 1
	}
}
