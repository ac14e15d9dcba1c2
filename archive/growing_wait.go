package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// waitingSizer is what all presentations here are.
type waitingSizer interface {
	smooth.Presentation
	smooth.Sizer
	smooth.Waiter
}

// watched tells when a snapshot has been superseded, so that those of views of it are superseded too.
type watched interface {
	// watch calls changed until stop is called. changed is called by whoever changes the presentation, so it must not
	// block.
	watch(changed func()) (stop func())
}

// watchOf is watch for a presentation that may not change.
func watchOf(p smooth.Presentation, changed func()) (stop func()) {
	if w, ok := p.(watched); ok {
		return w.watch(changed)
	}
	return func() {}
}

// watchers are those who watch. It is safe for concurrent use.
type watchers struct {
	mu   sync.Mutex // guards list
	list []*watcher
}

type watcher struct{ changed func() }

// add adds a watcher.
func (l *watchers) add(changed func()) (stop func()) {
	w := &watcher{changed}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, w)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.list = slices.DeleteFunc(l.list, func(o *watcher) bool { return o == w })
	}
}

// tell calls all.
func (l *watchers) tell() {
	l.mu.Lock()
	list := slices.Clone(l.list)
	l.mu.Unlock()
	for _, w := range list {
		w.changed()
	}
}

// missing names a fragment in an error.
func missing(k smooth.FragmentKey, err error) error {
	return fmt.Errorf("archive: fragment %s %d at %d bits/s: %w", k.Stream, k.Time, k.Bitrate, err)
}

// absence says why a presentation has no fragment that its streams could have.
func absence(s *smooth.Snapshot, k smooth.FragmentKey) error {
	if s.Ended {
		return smooth.ErrNotFound
	}
	st := s.Manifest.Stream(k.Stream)
	if st == nil {
		return smooth.ErrNotYet
	}
	n := len(st.Timeline)
	if n == 0 || k.Time >= st.Timeline.End() && k.Time > st.Timeline[n-1].Time {
		return smooth.ErrNotYet
	}
	return smooth.ErrNotFound
}

// reached reports whether a stream lists what is at the time of a key, or something later.
func reached(s *smooth.Snapshot, k smooth.FragmentKey) bool {
	if s.Ended {
		return true
	}
	st := s.Manifest.Stream(k.Stream)
	return st != nil && len(st.Timeline) > 0 && k.Time <= st.Timeline[len(st.Timeline)-1].Time
}

// await waits until a stream has come to a fragment, and returns whether it is there.
func await(ctx context.Context, p waitingSizer, k smooth.FragmentKey) error {
	for {
		s, err := p.Snapshot(ctx)
		if err != nil {
			return err
		}
		if reached(s, k) {
			if _, err = p.FragmentSize(k); errors.Is(err, smooth.ErrNotYet) {
				err = missing(k, smooth.ErrNotFound)
			}
			return err
		}
		select {
		case <-s.Superseded():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
