package smooth

import "unsafe"

// FragmentEntrySize is the memory of one fragment in an index, in bytes.
const FragmentEntrySize = unsafe.Sizeof(fragmentEntry{})
