package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/smooth"
)

// joined is one presentation made of several that follow each other on one timeline: the segments of an event, of which the last
// ones may still grow. Streams are matched by name, levels by bit rate and attributes; a part may lack some. Where the codec
// configuration of a track changes a period begins. It lists all that the parts list; see [liveView] for the look-ahead. It is
// safe for concurrent use.
//
// Of one part the timelines are shared. Those of several are copied, 16 bytes per chunk.
type joined struct {
	live  bool
	clock smooth.Period
	users users
	watchers

	state atomic.Pointer[joinedState] // nil if it has to be made

	mu    sync.Mutex // guards the fields below; held while a state is made
	parts []*joinedPart
	ended bool
	known joinedKnown
}

// joinedPart is a part. The presentation has a reference, and each call of it another one.
type joinedPart struct {
	p     smooth.Presentation
	users users
	stop  func()
}

func (p *joinedPart) release() {
	if p.users.drop() {
		p.stop()
		_ = p.p.Close()
	}
}

// joinedState is a snapshot with the parts that it is made of.
type joinedState struct {
	snap    *smooth.Snapshot
	parts   []*joinedPart
	ended   []bool       // by part
	streams []joinedSpan // by stream of the manifest
}

// joinedSpan says which parts have fragments of a stream.
type joinedSpan struct {
	starts []joinedStart // in ascending order of parts
	mixed  bool          // the parts overlap
}

// joinedStart is where the fragments of a part begin.
type joinedStart struct {
	part int
	time uint64
}

// newJoined returns a presentation without parts and with one user. live tells whether it goes on until it is told that it has
// ended, or is shown on demand, as far as it is there. clock says what the wall clock was at a tick; it is zero if that is
// not to be shown.
func newJoined(live bool, clock smooth.Period) *joined {
	j := &joined{live: live, clock: clock}
	j.users.init()
	return j
}

// set makes parts what it consists of, in order, which it takes over: it closes those that are no part any more. A part that
// it has already stays open. ended tells that nothing will be added.
func (j *joined) set(parts []smooth.Presentation, ended bool) {
	j.mu.Lock()
	if j.users.none() { // nobody would close them
		j.mu.Unlock()
		for _, p := range parts {
			_ = p.Close()
		}
		return
	}
	old := j.parts
	if j.ended != ended {
		j.known = joinedKnown{} // what was held back may be listed now
	}
	j.parts, j.ended = nil, ended
	for _, p := range parts {
		i := slices.IndexFunc(old, func(o *joinedPart) bool { return o.p == p })
		if i >= 0 {
			j.parts = append(j.parts, old[i])
			continue
		}
		part := &joinedPart{p: p}
		part.users.init()
		part.stop = watchOf(p, j.changed)
		j.parts = append(j.parts, part)
	}
	gone := slices.DeleteFunc(old, func(o *joinedPart) bool { return slices.Contains(j.parts, o) })
	j.mu.Unlock()
	j.changed()
	for _, p := range gone {
		p.release()
	}
}

// retain adds a user, who closes it too. It reports false if all have.
func (j *joined) retain() bool { return j.users.add() }

// Close implements [smooth.Presentation]. The last user closes the parts.
func (j *joined) Close() error {
	if !j.users.drop() {
		return nil
	}
	j.mu.Lock()
	parts := j.parts
	j.parts = nil
	j.mu.Unlock()
	for _, p := range parts {
		p.release()
	}
	return nil
}

func (j *joined) watch(changed func()) (stop func()) { return j.add(changed) }

// changed gives up the snapshot.
func (j *joined) changed() {
	j.mu.Lock() // what is being made may be of a snapshot that has been superseded just now
	old := j.state.Swap(nil)
	j.mu.Unlock()
	if old != nil {
		old.snap.Supersede()
		j.tell()
	}
}

// Snapshot implements [smooth.Presentation].
func (j *joined) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	s, err := j.current(ctx)
	if err != nil {
		return nil, err
	}
	return s.snap, nil
}

// current returns the state.
func (j *joined) current(ctx context.Context) (*joinedState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if j.users.none() {
		return nil, fmt.Errorf("archive: %w", smooth.ErrClosed)
	}
	if s := j.state.Load(); s != nil {
		return s, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.state.Load(); s != nil {
		return s, nil
	}
	s, err := j.make(ctx)
	if err != nil {
		return nil, err
	}
	j.state.Store(s)
	return s, nil
}

// Fragment implements [smooth.Presentation]. Errors are those of the part that the time belongs to.
func (j *joined) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	var f *smooth.Fragment
	err := j.at(ctx, k, func(p smooth.Presentation) (err error) {
		f, err = p.Fragment(ctx, k)
		return err
	})
	return f, err
}

// FragmentSize implements [smooth.Sizer].
func (j *joined) FragmentSize(k smooth.FragmentKey) (int64, error) {
	size := int64(0)
	ctx := context.Background() // a sizer does not read
	err := j.at(ctx, k, func(p smooth.Presentation) (err error) {
		if z, ok := p.(smooth.Sizer); ok {
			size, err = z.FragmentSize(k)
			return err
		}
		f, err := p.Fragment(ctx, k)
		if err == nil {
			size = f.PayloadSize()
			f.Close()
		}
		return err
	})
	return size, err
}

// Wait implements [smooth.Waiter].
func (j *joined) Wait(ctx context.Context, k smooth.FragmentKey) error { return await(ctx, j, k) }

// at calls do with the parts that may have a fragment until one has.
func (j *joined) at(ctx context.Context, k smooth.FragmentKey, do func(smooth.Presentation) error) error {
	for {
		s, err := j.current(ctx)
		if err != nil {
			return err
		}
		again, notYet := false, false
		for _, i := range s.candidates(k) {
			part := s.parts[i]
			if !part.users.add() { // it has been replaced just now
				again = true
				break
			}
			err := do(part.p)
			part.release()
			if err == nil || !errors.Is(err, smooth.ErrNotFound) && !errors.Is(err, smooth.ErrNotYet) {
				return err
			}
			notYet = notYet || errors.Is(err, smooth.ErrNotYet)
		}
		if !again {
			return missing(k, s.absence(k, notYet))
		}
	}
}

// absence says why no part has a fragment. notYet tells that a part may get it.
func (s *joinedState) absence(k smooth.FragmentKey, notYet bool) error {
	if !notYet && s.snap.Track(k) == nil {
		return smooth.ErrNotFound
	}
	return absence(s.snap, k)
}

// candidates returns the parts that may have a fragment, the likeliest first: the one that covers the time, those that grow and do
// not list it yet, and if parts overlap all of them.
func (s *joinedState) candidates(k smooth.FragmentKey) []int {
	var list []int
	span := joinedSpan{mixed: len(s.streams) == 0}
	for i, st := range s.snap.Manifest.Streams {
		if st.Name == k.Stream {
			span = s.streams[i]
		}
	}
	n := sort.Search(len(span.starts), func(i int) bool { return span.starts[i].time > k.Time })
	if n > 0 && !span.mixed {
		list = append(list, span.starts[n-1].part)
	}
	for i := len(s.parts) - 1; i >= 0; i-- {
		if (span.mixed || !s.ended[i]) && !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	return list
}

var _ waitingSizer = (*joined)(nil)
