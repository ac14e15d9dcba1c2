package xslt

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// digest is what results are kept by: that of the document that they came out of.
type digest = [sha256.Size]byte

// cacheOverhead is what a result costs in memory beside its bytes, about.
const cacheOverhead = 256

// cache keeps the results that were used last, up to a number of bytes. A nil cache keeps nothing. It is safe for
// concurrent use.
type cache struct {
	limit int

	mu sync.Mutex
	// guarded by mu
	used  int
	order *list.List // of *cached, the one used last in front
	byKey map[digest]*list.Element
}

type cached struct {
	key  digest
	data []byte
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), byKey: map[digest]*list.Element{}}
}

// get returns a result, which must not be changed.
func (c *cache) get(key digest) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).data, true
}

// put keeps a result, which must not be changed afterwards. The ones not used for longest make room for it; one that is
// larger than the whole cache is not kept.
func (c *cache) put(key digest, data []byte) {
	if c == nil || len(data)+cacheOverhead > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; ok {
		return
	}
	c.byKey[key] = c.order.PushFront(&cached{key, data})
	c.used += len(data) + cacheOverhead
	for c.used > c.limit {
		old := c.order.Remove(c.order.Back()).(*cached)
		delete(c.byKey, old.key)
		c.used -= len(old.data) + cacheOverhead
	}
}
