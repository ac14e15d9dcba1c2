// Package turn lets the users of one thing have it one after the other, for many things that are known by a key.
package turn

import (
	"context"
	"sync"
)

// Turns are mutexes by key that cost nothing while nobody holds them. The zero value is ready; it is safe for
// concurrent use.
type Turns[K comparable] struct {
	mu sync.Mutex
	// taken has the keys that somebody holds, with a channel that is closed when it is given back, nil while nobody
	// waits for that.
	taken map[K]chan struct{}
}

// Take waits until nobody else holds the key, or for the end of the context, of which it returns the error. After nil
// the caller must call [Turns.Give].
func (t *Turns[K]) Take(ctx context.Context, key K) error {
	for {
		free := t.try(key)
		if free == nil {
			return nil
		}
		select {
		case <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try takes the key, or returns a channel that is closed when that may be tried again.
func (t *Turns[K]) try(key K) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	free, taken := t.taken[key]
	if !taken {
		if t.taken == nil {
			t.taken = make(map[K]chan struct{})
		}
		t.taken[key] = nil
		return nil
	}
	if free == nil {
		free = make(chan struct{})
		t.taken[key] = free
	}
	return free
}

// Give lets the next have the key.
func (t *Turns[K]) Give(key K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if free := t.taken[key]; free != nil {
		close(free)
	}
	delete(t.taken, key)
}
