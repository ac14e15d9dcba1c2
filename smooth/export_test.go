package smooth

import "unsafe"

// FragmentEntrySize is the memory of one fragment in an index, in bytes.
const FragmentEntrySize = unsafe.Sizeof(fragmentEntry{})

// FiltersKey returns the canonical form of an intersection.
func FiltersKey(list []Filter) string { return newFilterChain(list).key }

// Remembered returns the number of results that the set keeps and the bytes derived from them.
func (fs *FilterSet) Remembered() (entries, bytes int) {
	fs.cache.mu.Lock()
	defer fs.cache.mu.Unlock()
	for el := fs.cache.used.Front(); el != nil; el = el.Next() {
		bytes += entryBytes + el.Value.(*filterCacheEntry).memoBytes()
	}
	return fs.cache.used.Len(), bytes
}

// LiveBlockBytes bounds the blocks of live manifests that a handler keeps.
const LiveBlockBytes = liveBlockBytes

// LiveBlocks returns the number of blocks of live manifests that h keeps, and their bytes.
func (h *Handler) LiveBlocks() (count, bytes int) {
	h.blocks.mu.Lock()
	defer h.blocks.mu.Unlock()
	for _, el := range h.blocks.lists {
		l := el.Value.(*blockList)
		count += len(l.blocks)
		bytes += l.bytes
	}
	if bytes != h.blocks.bytes || h.blocks.recent.Len() != len(h.blocks.lists) {
		panic("the sum is wrong")
	}
	return count, bytes
}
