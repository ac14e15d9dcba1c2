package listen

import (
	"context"
	"slices"
)

// Update makes specs the addresses of the Set: those that are new are opened, those that are missing are closed, and the
// others are not touched. As in [Open], one that cannot be bound yet is tried again. Sockets that systemd passed and nobody
// asked for stay.
//
// It returns [ErrAddress], and changes nothing, when an address is not valid, and [ErrClosed].
func (s *Set) Update(ctx context.Context, specs []Spec) error {
	places, err := parseSpecs(specs)
	if err != nil {
		return err
	}
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.yield()
	kept, gone := s.split(specs, places)
	s.removeAll(ctx, gone)
	for i, spec := range specs {
		if kept[i] == nil {
			kept[i] = s.add(ctx, spec, places[i])
		}
	}
	s.arrange(kept)
	return ctx.Err()
}

// split finds the entries that the specs have already, nil where there is none, and those that go.
func (s *Set) split(specs []Spec, places []place) (kept, gone []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, gone = make([]*entry, len(specs)), slices.Clone(s.entries)
	for i, p := range places {
		at := slices.IndexFunc(gone, func(e *entry) bool {
			return e.place.String() == p.String() && e.status.State != Stopped
		})
		if at >= 0 {
			kept[i] = gone[at]
			kept[i].status.Spec, kept[i].extra = specs[i], false
			gone = slices.Delete(gone, at, at+1)
		}
	}
	gone = slices.DeleteFunc(gone, func(e *entry) bool { return e.extra && e.status.State != Stopped })
	return kept, gone
}

// removeAll ends entries, and waits for their serve functions, so that their addresses are free and what systemd passed can be
// used again. One that takes too long is not waited for.
func (s *Set) removeAll(ctx context.Context, gone []*entry) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeouts.Step)
	defer cancel()
	for _, e := range gone {
		s.remove(e)
	}
	for _, e := range gone {
		select {
		case <-e.gone:
		case <-ctx.Done():
		}
		s.opts.Logger.Info("address removed", "address", e.place.String())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool { return slices.Contains(gone, e) })
}

// arrange puts the entries in the order of the specs, before those that nobody asked for.
func (s *Set) arrange(order []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if !slices.Contains(order, e) {
			order = append(order, e)
		}
	}
	s.entries = order
}
