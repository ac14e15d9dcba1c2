package smooth

import (
	"context"
	"errors"
)

// NewFiltered returns the part of p that all filters show. Its snapshots follow those of p; each is made once per
// snapshot of p. Its fragments are those of p; Fragment refuses what is hidden with [ErrNotFound]. The result is a
// [Waiter] and a [Sizer] if p is, and has a method Unfiltered() [Presentation] that returns p. Closing it closes p.
//
// The first snapshot is made to see that the filters leave something: the error wraps [ErrNotFound] if they do not,
// [ErrNotYet] if they only show what lies after the live edge, and [ErrBadRequest] if they contradict themselves or
// need wall-clock times that p has not; p stays open then.
func NewFiltered(ctx context.Context, p Presentation, filters ...Filter) (Presentation, error) {
	return filter(ctx, p, newFilterChain(filters), newFilterCache(1))
}

// filter wraps p and makes the first snapshot.
func filter(ctx context.Context, p Presentation, c *filterChain, cache *filterCache) (Presentation, error) {
	if c.key == "" {
		return p, nil
	}
	f := &filtered{Presentation: p, chain: c, cache: cache}
	if _, err := f.view(ctx); err != nil {
		return nil, err
	}
	w, isWaiter := p.(Waiter)
	z, isSizer := p.(Sizer)
	switch {
	case isWaiter && isSizer:
		return struct {
			*filtered
			filteredWaiter
			filteredSizer
		}{f, filteredWaiter{f, w}, filteredSizer{z}}, nil
	case isWaiter:
		return struct {
			*filtered
			filteredWaiter
		}{f, filteredWaiter{f, w}}, nil
	case isSizer:
		return struct {
			*filtered
			filteredSizer
		}{f, filteredSizer{z}}, nil
	}
	return f, nil
}

// filtered is a presentation that shows a part of another one.
type filtered struct {
	Presentation
	chain *filterChain
	cache *filterCache
}

// Unfiltered returns the presentation of which f shows a part. Outputs that know a kind of presentation find it with an
// assertion to interface{ Unfiltered() Presentation }.
func (f *filtered) Unfiltered() Presentation { return f.Presentation }

func (f *filtered) view(ctx context.Context) (*filteredView, error) {
	base, err := f.Presentation.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return f.cache.get(base, f.chain)
}

// Snapshot implements [Presentation].
func (f *filtered) Snapshot(ctx context.Context) (*Snapshot, error) {
	v, err := f.view(ctx)
	if err != nil {
		return nil, err
	}
	return v.snap, nil
}

// Fragment implements [Presentation].
func (f *filtered) Fragment(ctx context.Context, k FragmentKey) (*Fragment, error) {
	if err := f.admits(ctx, k); err != nil {
		return nil, err
	}
	return f.Presentation.Fragment(ctx, k)
}

func (f *filtered) admits(ctx context.Context, k FragmentKey) error {
	v, err := f.view(ctx)
	if err != nil {
		return err
	}
	return v.admits(k)
}

// filteredWaiter adds Wait to a filtered presentation.
type filteredWaiter struct {
	f *filtered
	w Waiter
}

// Wait implements [Waiter]. What is held back by [Filter].Backoff is waited for as if it were not.
func (w filteredWaiter) Wait(ctx context.Context, k FragmentKey) error {
	if err := w.f.admits(ctx, k); err != nil && !errors.Is(err, ErrNotYet) {
		return err
	}
	return w.w.Wait(ctx, k)
}

// filteredSizer adds FragmentSize to a filtered presentation.
type filteredSizer struct{ Sizer }
