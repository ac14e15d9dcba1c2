package access

import "sync"

// cache remembers the values that were used last, in two halves: when the newer one is full it becomes the older one,
// and what was there is forgotten unless it was asked for meanwhile. It is safe for concurrent use. A nil cache is
// always empty.
type cache[K comparable, V any] struct {
	half int

	mu         sync.Mutex // guards the fields below
	newer, old map[K]V
}

// newCache returns a cache of at most max values, of at least two.
func newCache[K comparable, V any](max int) *cache[K, V] {
	return &cache[K, V]{half: (max + 1) / 2, newer: make(map[K]V)}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	var zero V
	if c == nil {
		return zero, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.newer[key]; ok {
		return v, true
	}
	v, ok := c.old[key]
	if ok {
		c.put(key, v)
	}
	return v, ok
}

func (c *cache[K, V]) set(key K, v V) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(key, v)
}

// put is set. mu must be held.
func (c *cache[K, V]) put(key K, v V) {
	if len(c.newer) >= c.half {
		if _, there := c.newer[key]; !there {
			c.old, c.newer = c.newer, make(map[K]V)
		}
	}
	c.newer[key] = v
}

func (c *cache[K, V]) clear() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newer, c.old = make(map[K]V), nil
}

// len returns how many values there are, counting those twice that are in both halves.
func (c *cache[K, V]) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.newer) + len(c.old)
}
