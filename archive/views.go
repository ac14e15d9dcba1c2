package archive

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// An eventView is an event as one presentation, whose parts are brought up to date when the event changes: those segments that grow
// as what is in memory of them, the others as what is on the disk.
type eventView struct {
	*joined
	live  bool
	parts map[int]viewPart // by number of the segment; guarded by mu of eventViews
	lacks bool             // a segment could not be opened, which may be so for a moment only; guarded as parts
}

type viewPart struct {
	smooth.Presentation
	of *segment // nil if it is complete
}

// eventViews are the presentations of an event that somebody may be using.
type eventViews struct {
	mu     sync.Mutex // guards the fields below; held while they are brought up to date
	list   []*eventView
	live   *liveView  // the event from its beginning, nil if nobody has asked for it
	demand *eventView // the event as it is, nil if nobody has asked for it
	gone   bool       // the event is complete: others show it
}

// newView returns a view of the event with one user. The live one, which keeps its numbers of segments when the event has
// ended, knows the wall clock; what is shown on demand is as any other file.
func (e *event) newView(live bool) *eventView {
	v := &eventView{live: live}
	state, _ := e.current()
	clock := smooth.Period{}
	if live {
		clock = smooth.Period{Start: state.First, Wall: state.Wall}
	}
	v.joined = newJoined(live, clock)
	return v
}

// refresh brings all views up to date. mu of the event must not be held.
func (e *event) refresh() {
	e.views.mu.Lock()
	defer e.views.mu.Unlock()
	e.views.list = slices.DeleteFunc(e.views.list, func(v *eventView) bool { return v.users.none() })
	for _, v := range e.views.list {
		e.update(v)
	}
}

// update brings a view up to date. mu of the views must be held.
func (e *event) update(v *eventView) {
	state, segments := e.current()
	open := make(map[int]*segment)
	for _, s := range segments {
		open[s.number] = s
	}
	parts, lacks := make(map[int]viewPart), false
	var list []smooth.Presentation
	for _, st := range state.Segments {
		s := open[st.Number]
		p, ok := v.parts[st.Number]
		if !ok || p.of != s {
			switch next, err := e.part(s, st.Number, v.live); {
			case err == nil:
				p = next
			case errors.Is(err, smooth.ErrNotFound):
				continue
			default:
				if !v.lacks {
					e.a.log.Warn("archive segment cannot be shown", "segment", segmentDir(e.dir, st.Number), "err", err)
				}
				lacks = lacks || !errors.Is(err, smooth.ErrCorrupt) && !errors.Is(err, smooth.ErrUnsupported)
				if !ok {
					continue
				} // what it was while it grew is as good
			}
		}
		parts[st.Number] = p
		list = append(list, p.Presentation)
	}
	v.parts, v.lacks = parts, lacks
	v.set(list, state.Ended)
}

// part returns a segment as a presentation: what grows of it, or what is on the disk.
func (e *event) part(s *segment, number int, live bool) (viewPart, error) {
	if s != nil {
		return viewPart{e.view(s, live), s}, nil
	}
	dir := segmentDir(e.dir, number)
	p, err := e.a.openReader(context.Background(), dir, path.Join(dir, e.base+".ism"), false)
	return viewPart{Presentation: p}, err
}

// view returns the presentation of a segment that grows. The segment is read until the presentation is done with its files.
func (e *event) view(s *segment, live bool) *growing {
	s.retain()
	g := e.a.reads.of(s.dir)
	g.add()
	return newGrowing(s.index, s.fileOf, live, func() {
		g.drop()
		g.giveBack()
		s.release()
	})
}

// fileOf returns a media file by its number, and what lends descriptors of it.
func (s *segment) fileOf(number int) (io.ReaderAt, smooth.Leaser) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number < 0 || number >= len(s.files) {
		return nil, nil
	}
	m := s.files[number]
	if m.shown == nil {
		if f, err := s.store.Open(context.Background(), s.path(m.name)); err == nil {
			m.shown = f
		}
	}
	lender, _ := m.shown.(smooth.Leaser)
	return m, lender
}

// attach adds a view with one user.
func (e *event) attach(v *eventView) {
	e.views.mu.Lock()
	defer e.views.mu.Unlock()
	e.views.list = append(e.views.list, v)
	e.update(v)
}

// open returns the event as a presentation with a user, from its beginning while it goes on or, if live is false, what there is of it
// now. It reports false if the event is complete.
func (e *event) open(live bool) (smooth.Presentation, bool) {
	v := &e.views
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gone {
		return nil, false
	}
	for _, o := range v.list {
		if o.lacks && !o.users.none() {
			e.update(o)
		}
	}
	switch {
	case live && v.live == nil:
		j := e.newView(true)
		v.list = append(v.list, j)
		e.update(j)
		v.live = newLiveView(j)
	case !live && v.demand == nil:
		v.demand = e.newView(false)
		v.list = append(v.list, v.demand)
		e.update(v.demand)
	}
	if live {
		return v.live, v.live.retain()
	}
	return v.demand, v.demand.retain()
}

// retire gives up the views of an event that is complete, when those who have them are ready.
func (e *event) retire() {
	v := &e.views
	v.mu.Lock()
	live, demand := v.live, v.demand
	v.live, v.demand, v.gone = nil, nil, true
	v.mu.Unlock()
	if live != nil {
		_ = live.Close()
	}
	if demand != nil {
		_ = demand.Close()
	}
}

// History implements [smooth.Recording].
func (r *recording) History() smooth.Presentation {
	v := &eventView{joined: newJoined(true, smooth.Period{}), live: true} // points know the clock
	r.mu.Lock()
	e := r.event
	if e == nil {
		r.past = v
	}
	r.mu.Unlock()
	if e != nil {
		e.attach(v)
	}
	return v
}
