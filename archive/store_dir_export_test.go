package archive

import "os"

// DirStoreFault puts a function in place of what syncs a file of s; it gets what it replaces.
func DirStoreFault(s *DirStore, sync func(f *os.File, real func(*os.File) error) error) {
	real := s.syncFile
	s.syncFile = func(f *os.File) error { return sync(f, real) }
}
