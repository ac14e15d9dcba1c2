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
