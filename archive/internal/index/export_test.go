package index

import "unsafe"

// Memory returns what the fragments take, in bytes, with the room that is not used yet; shared arrays count once.
func (x *Index) Memory() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := 0
	for _, s := range x.streams {
		n += cap(s.line) * int(unsafe.Sizeof(s.line[0]))
		for _, t := range s.tracks {
			n += cap(t.column.entries)*int(unsafe.Sizeof(packed{})) + len(t.column.odd)*64
		}
	}
	return n
}
