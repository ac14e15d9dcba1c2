package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// maxPastEvents bounds the complete events that are kept ready.
const maxPastEvents = 64

// pastFor is how long what is known of a complete event is believed.
const pastFor = time.Second

// pastEvents keeps complete events ready: those that were asked for last.
type pastEvents struct {
	mu     sync.Mutex // guards the fields below; not held while files are read
	list   map[string]*pastEvent
	strays map[string][]pastView // that the list does not have, and somebody else may; by the directory of the event
}

// pastEvent is a complete event.
type pastEvent struct {
	*event
	version string // of its file
	checked time.Time
	views   [2]pastView // on demand and live, nil until opened; the list is a user of them
}

// A pastView is a presentation with users, each of whom closes it.
type pastView interface {
	smooth.Presentation
	retain() bool
	used() int // how many have it
}

// load returns a complete event. The error wraps [fs.ErrNotExist] if there is none.
func (l *pastEvents) load(ctx context.Context, a *Archive, dir string) (*event, error) {
	p, err := l.find(ctx, a, dir)
	if err != nil {
		return nil, err
	}
	return p.event, nil
}

func (l *pastEvents) find(ctx context.Context, a *Archive, dir string) (*pastEvent, error) {
	now := a.opts.Now()
	l.mu.Lock()
	p := l.list[dir]
	fresh := p != nil && now.Sub(p.checked) < pastFor && !now.Before(p.checked)
	l.mu.Unlock()
	if fresh {
		return p, nil
	}
	info, err := a.store.Stat(ctx, path.Join(dir, eventFile))
	if err != nil {
		l.forget(dir)
		return nil, err
	}
	version := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	if p == nil || p.version != version {
		e, err := loadEvent(ctx, a.store, dir)
		if err != nil {
			return nil, err
		}
		e.a = a
		e.touch(info.ModTime())
		p = &pastEvent{event: e, version: version}
		l.forget(dir)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p.checked = now
	l.list[dir] = p
	l.limit()
	return p, nil
}

// limit forgets the event that was not asked for the longest, if there are too many. mu must be held.
func (l *pastEvents) limit() {
	if len(l.list) <= maxPastEvents {
		return
	}
	var oldest string
	for dir, p := range l.list {
		if oldest == "" || p.checked.Before(l.list[oldest].checked) {
			oldest = dir
		}
	}
	p := l.list[oldest]
	delete(l.list, oldest)
	l.drop(p)
}

// forget gives up what is known of an event.
func (l *pastEvents) forget(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.list[dir]; p != nil {
		delete(l.list, dir)
		l.drop(p)
	}
}

// drop gives up the views of an event. mu must be held.
func (l *pastEvents) drop(p *pastEvent) {
	for i, v := range p.views {
		if v != nil {
			_ = v.Close()
			l.stray(p.dir, v)
			p.views[i] = nil
		}
	}
}

// closeAll gives up everything.
func (l *pastEvents) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.list {
		l.drop(p)
	}
	clear(l.list)
}

// open opens a complete event, as what a live one has become or on demand. Viewers who have followed the live one go on by the tfrf
// of its fragments, which stay as they were. The error wraps [fs.ErrNotExist] if there is none of that name.
func (l *pastEvents) open(ctx context.Context, a *Archive, dir, base string, live bool) (smooth.Presentation, error) {
	p, err := l.find(ctx, a, dir)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(p.base, base) {
		return nil, fmt.Errorf("archive: %s: %w", path.Join(dir, base), fs.ErrNotExist)
	}
	i := 0
	if live {
		i = 1
	}
	a.reads.note(dir, a.opts.Now())
	if v := l.take(p, i, nil, false); v != nil {
		return v, nil
	}
	v := p.newView(live)
	p.update(v)
	if len(v.parts) == 0 {
		return nil, errors.Join(fmt.Errorf("archive: %s has no segments: %w", dir, smooth.ErrNotFound), v.Close())
	}
	var of pastView = v
	if live {
		of = newLiveView(v)
	}
	return l.take(p, i, of, !v.lacks), nil
}

// take returns a view of an event with one more user: the one that is there, or else v, of which the list becomes a user if it is to be
// kept and the list still has the event.
func (l *pastEvents) take(p *pastEvent, i int, v pastView, keep bool) pastView {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch old := p.views[i]; {
	case old != nil && old.retain():
		if v != nil {
			_ = v.Close()
		}
		return old
	case v != nil && keep && l.list[p.dir] == p:
		v.retain()
		p.views[i] = v
	case v != nil:
		l.stray(p.dir, v)
	}
	return v
}
