package edge

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

const (
	// maxShards bounds the parts of the memory tier, each with its lock and its share of the bytes.
	maxShards = 16
	// minShard is the least share of a part: with less, large objects would find no room.
	minShard = 32 << 20
)

// memory is the memory tier.
type memory struct {
	shards []shard
	max    int64
}

// shard is a part of the memory tier.
type shard struct {
	mu   sync.RWMutex // guards fifo
	fifo fifo[uint64, *entry]
}

// entry is what there is for one key. It is immutable.
type entry struct {
	key     key
	objects []*object // variants, the newest first; at least one
}

func newMemory(maxBytes int64) *memory {
	n := min(max(int(maxBytes/minShard), 1), maxShards)
	m := &memory{shards: make([]shard, n), max: maxBytes}
	for i := range m.shards {
		m.shards[i].fifo = newFIFO[uint64, *entry](maxBytes / int64(n))
	}
	return m
}

// shard returns the part of a hash. It takes high bits, since the map takes low ones.
func (m *memory) shard(h uint64) *shard { return &m.shards[h>>32%uint64(len(m.shards))] }

// entry returns what there is for a key, or nil.
func (m *memory) entry(h uint64, k key) *entry {
	s := m.shard(h)
	s.mu.RLock()
	defer s.mu.RUnlock()
	it := s.fifo.get(h)
	if it == nil || it.value.key != k {
		return nil
	}
	it.touch()
	return it.value
}

// fits reports whether a body may live in memory.
func (m *memory) fits(size int64) bool { return size <= m.shards[0].fifo.max/2 }

// put adds an object, or replaces the variant that it is.
func (m *memory) put(h uint64, k key, o *object) {
	s := m.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	objects := []*object{o}
	if it := s.fifo.get(h); it != nil && it.value.key == k {
		for _, old := range it.value.objects {
			if len(objects) < maxVariants && !sameVariant(old, o) {
				objects = append(objects, old)
			}
		}
	}
	s.set(h, &entry{k, objects})
}

// add adds an object unless there is one of the same variant, which is newer.
func (m *memory) add(h uint64, k key, o *object) {
	s := m.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(h, k, o)
}

// add is add of memory. mu must be held.
func (s *shard) add(h uint64, k key, o *object) {
	var objects []*object
	if it := s.fifo.get(h); it != nil && it.value.key == k {
		objects = it.value.objects
	}
	for _, old := range objects {
		if sameVariant(old, o) {
			return
		}
	}
	if len(objects) < maxVariants {
		s.set(h, &entry{k, append(slices.Clone(objects), o)})
	}
}

// written notes that a body is on disk now. A large one leaves memory.
func (m *memory) written(j *job, ref fileRef, maxBody int64) {
	keep := func(o *object) []byte {
		if o.size > maxBody {
			return nil
		}
		return o.body
	}
	s := m.shard(j.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.fifo.get(j.hash)
	if it == nil || it.value.key != j.key {
		s.add(j.hash, j.key, j.object.with(keep(j.object), ref))
		return
	}
	objects := slices.Clone(it.value.objects)
	for i, o := range objects {
		if len(o.body) > 0 && &o.body[0] == &j.object.body[0] { // validated meanwhile, perhaps
			objects[i] = o.with(keep(o), ref)
			s.set(j.hash, &entry{j.key, objects})
			return
		}
	}
	s.add(j.hash, j.key, j.object.with(keep(j.object), ref))
}

// set stores an entry. mu must be held.
func (s *shard) set(h uint64, e *entry) {
	cost := int64(e.key.len())
	for _, o := range e.objects {
		cost += o.cost()
	}
	s.fifo.set(h, e, cost, nil)
}

// remove removes a key.
func (m *memory) remove(h uint64, k key) bool {
	s := m.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.fifo.get(h)
	if it == nil || it.value.key != k {
		return false
	}
	s.fifo.remove(h)
	return true
}

// removePrefix removes the keys whose path begins with a prefix and calls gone for each.
func (m *memory) removePrefix(prefix string, gone func(key)) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for h, it := range s.fifo.items {
			if k := it.value.key; strings.HasPrefix(k.path, prefix) {
				s.fifo.remove(h)
				gone(k)
			}
		}
		s.mu.Unlock()
	}
}

// stats returns what the tier holds.
func (m *memory) stats() TierStats {
	t := TierStats{MaxBytes: m.max}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.RLock()
		t.Keys += len(s.fifo.items)
		t.Bytes += s.fifo.bytes()
		t.Evicted += s.fifo.evicted
		s.mu.RUnlock()
	}
	return t
}

// sameVariant reports whether two objects of a key are selected by the same requests. An object that depends on other
// fields than before takes the place of all: the resource has changed how it varies.
func sameVariant(a, b *object) bool {
	if len(a.vary) != len(b.vary) {
		return true
	}
	same := true
	for i := range a.vary {
		if a.vary[i].name != b.vary[i].name {
			return true
		}
		same = same && a.vary[i].value == b.vary[i].value
	}
	return same
}

// choose returns the object that a request selects, or nil.
func (c *Cache) choose(e *entry, h http.Header) *object {
	for _, o := range e.objects {
		if c.matches(o, h) {
			return o
		}
	}
	return nil
}
