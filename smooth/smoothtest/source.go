package smoothtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// Source is a [smooth.Source] and [smooth.Lister] of presentations in memory. It is safe for concurrent use.
type Source struct {
	mu    sync.Mutex // guards the field below
	names map[string]smooth.Presentation
}

// NewSource returns a source with the presentation of [Default] called "sample/sample.ism".
func NewSource() *Source {
	s := &Source{names: make(map[string]smooth.Presentation)}
	s.Add("sample/sample.ism", New(Default()))
	return s
}

// Add adds or replaces a presentation.
func (s *Source) Add(name string, p smooth.Presentation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[name] = p
}

// Open implements [smooth.Source].
func (s *Source) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.names[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("smoothtest: presentation %q: %w", name, smooth.ErrNotFound)
}

// List implements [smooth.Lister].
func (s *Source) List(ctx context.Context, yield func(smooth.Info) bool) error {
	s.mu.Lock()
	names := slices.Sorted(maps.Keys(s.names))
	s.mu.Unlock()
	for _, n := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !yield(smooth.Info{Name: n}) {
			break
		}
	}
	return nil
}
