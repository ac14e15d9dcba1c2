package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// fragment returns a fragment: from memory, or from the history of a sink.
func (b *broadcast) fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tr := b.trackAt(k)
	if tr == nil {
		return nil, fmt.Errorf("livesmooth: %s: no track %s at %d bits/s: %w", b.name, k.Stream, k.Bitrate, smooth.ErrNotFound)
	}
	tr.requests.add(1, b.now())
	tr.mu.Lock()
	i, ok := tr.find(k.Time)
	if !ok {
		tr.mu.Unlock()
		return nil, b.absent(tr, k)
	}
	e := tr.entries[i]
	if e.buf == nil {
		tr.mu.Unlock()
		return b.recall(ctx, tr, &e)
	}
	e.buf.retain()
	tr.mu.Unlock()
	if e.head == 0 {
		return earlyFragment(tr, &e), nil
	}
	in := fragmentInit(tr, &e)
	in.Memory, in.HeadLen, in.Release = e.buf.data[e.buf.room-e.head:e.buf.room+e.buf.payload], e.head, e.buf.release
	in.ChildTrack = e.child
	return smooth.NewFragment(in), nil
}

func fragmentInit(tr *track, e *entry) smooth.FragmentInit {
	k := tr.key
	k.Time = e.time
	return smooth.FragmentInit{Key: k, Timescale: scale, Duration: e.duration, Codec: e.codec}
}

// earlyFragment returns a fragment without its look-ahead. It takes over a reference to the memory.
func earlyFragment(tr *track, e *entry) *smooth.Fragment {
	in := fragmentInit(tr, e)
	in.Early, in.Head, in.Payload, in.Release = true, e.buf.Early(), e.buf.Payload(), e.buf.release
	return smooth.NewFragment(in)
}

// sinkFragment is earlyFragment for a sink, with the track_ID that the header of the input stream has for the track.
func sinkFragment(in *input, tr *track, e *entry) *smooth.Fragment {
	id := in.idOf(tr)
	if id == servedTrackID {
		return earlyFragment(tr, e)
	}
	init := fragmentInit(tr, e)
	init.Early, init.Head, init.Payload, init.Release = true, slices.Clone(e.buf.Early()), e.buf.Payload(), e.buf.release
	_ = setTrackID(init.Head, id) // the head is canonical
	return smooth.NewFragment(init)
}

// absent says why a track has no fragment at a time.
func (b *broadcast) absent(tr *track, k smooth.FragmentKey) error {
	s := b.snap.Load()
	err := smooth.ErrNotFound
	if st := s.Manifest.Stream(tr.key.Stream); st != nil {
		switch n := len(st.Timeline); {
		case n == 0:
			if !s.Ended {
				err = smooth.ErrNotYet
			}
		case k.Time < st.Timeline[0].Time:
			err = smooth.ErrGone
		case !s.Ended && k.Time >= st.Timeline.End() && k.Time > st.Timeline[n-1].Time:
			err = smooth.ErrNotYet
		}
	}
	return fmt.Errorf("livesmooth: %s: fragment %s %d at %d bits/s: %w", b.name, k.Stream, k.Time, k.Bitrate, err)
}

// recall returns a fragment that has left memory, with the same bytes as it had there.
func (b *broadcast) recall(ctx context.Context, tr *track, e *entry) (*smooth.Fragment, error) {
	in := fragmentInit(tr, e)
	in.ChildTrack = e.child
	err := error(smooth.ErrGone)
	for _, r := range b.recorders {
		history := r.history()
		if history == nil {
			continue
		}
		var f *smooth.Fragment
		if f, err = history.Fragment(ctx, in.Key); err != nil {
			continue
		}
		early, err := f.Header(smooth.Smooth)
		if err == nil {
			in.Head, err = finalHead(nil, early, smooth.Chunk{Time: e.time, Duration: e.duration}, b.after(tr, e.time))
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("livesmooth: %s: fragment %s %d from the history: %w: %w", b.name, in.Key.Stream, e.time, err, smooth.ErrCorrupt)
		}
		in.Of = f
		return smooth.NewFragment(in), nil
	}
	if errors.Is(err, smooth.ErrNotFound) {
		err = smooth.ErrGone
	}
	return nil, fmt.Errorf("livesmooth: %s: fragment %s %d has left memory: %w", b.name, in.Key.Stream, e.time, err)
}

// after returns the chunks that the fragment at a time announced. None for those of a sparse stream.
func (b *broadcast) after(tr *track, time uint64) smooth.Timeline {
	if tr.stream.sparse {
		return nil
	}
	line := tr.stream.known.Load()
	if line == nil {
		return nil
	}
	n, ok := line.Find(time)
	if !ok {
		return nil
	}
	return (*line)[n+1 : min(n+1+b.set.Lookahead, len(*line))]
}

// size returns the size of the payload of a fragment.
func (b *broadcast) size(k smooth.FragmentKey) (int64, error) {
	tr := b.trackAt(k)
	if tr == nil {
		return 0, fmt.Errorf("livesmooth: %s: no track %s at %d bits/s: %w", b.name, k.Stream, k.Bitrate, smooth.ErrNotFound)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	i, ok := tr.find(k.Time)
	if !ok {
		return 0, fmt.Errorf("livesmooth: %s: fragment %s %d at %d bits/s: %w", b.name, k.Stream, k.Time, k.Bitrate, smooth.ErrNotFound)
	}
	return tr.entries[i].size, nil
}

// reached reports whether the stream of a key lists what is at its time, or something later.
func (b *broadcast) reached(k smooth.FragmentKey) bool {
	s := b.snap.Load()
	if s.Ended {
		return true
	}
	tr := b.trackAt(k)
	if tr == nil {
		return false
	}
	st := s.Manifest.Stream(tr.key.Stream)
	return st != nil && len(st.Timeline) > 0 && k.Time <= st.Timeline[len(st.Timeline)-1].Time
}

// wait waits until a fragment may be asked for.
func (b *broadcast) wait(ctx context.Context, k smooth.FragmentKey) error {
	for {
		woken, leave := b.waits.join(k)
		if b.reached(k) {
			leave()
			return b.listed(k)
		}
		select {
		case <-ctx.Done():
			leave()
			return ctx.Err()
		case <-woken:
		}
	}
}

// listed returns nil if a fragment is there, now that its stream has come past it.
func (b *broadcast) listed(k smooth.FragmentKey) error {
	tr := b.trackAt(k)
	if tr == nil {
		return fmt.Errorf("livesmooth: %s: no track %s at %d bits/s: %w", b.name, k.Stream, k.Bitrate, smooth.ErrNotFound)
	}
	if tr.has(k.Time) {
		return nil
	}
	err := b.absent(tr, k)
	if errors.Is(err, smooth.ErrNotYet) {
		return fmt.Errorf("livesmooth: %s: fragment %s %d: %w", b.name, k.Stream, k.Time, smooth.ErrNotFound)
	}
	return err
}

// waitList holds those who wait for fragments. It is safe for concurrent use.
type waitList struct {
	mu   sync.Mutex // guards the fields below
	keys map[smooth.FragmentKey]*waiting
}

type waiting struct {
	woken chan struct{}
	n     int
}

// join waits for a key: the channel is closed when it may be there. leave must be called by who does not wait for that.
func (l *waitList) join(k smooth.FragmentKey) (woken <-chan struct{}, leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = make(map[smooth.FragmentKey]*waiting)
	}
	w := l.keys[k]
	if w == nil {
		w = &waiting{woken: make(chan struct{})}
		l.keys[k] = w
	}
	w.n++
	return w.woken, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if w.n--; w.n == 0 && l.keys[k] == w {
			delete(l.keys, k)
		}
	}
}

// wake wakes those whose key satisfies a condition.
func (l *waitList) wake(cond func(smooth.FragmentKey) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, w := range l.keys {
		if cond(k) {
			close(w.woken)
			delete(l.keys, k)
		}
	}
}
