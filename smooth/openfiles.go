package smooth

import (
	"errors"
	"syscall"
)

// mostOpenFiles is the default of [FileOptions.MaxOpenFiles] where the process may have files in plenty.
const mostOpenFiles = 512

// defaultOpenFiles returns how many media files to keep open if the process may have limit open files in all. The rest
// stays for connections and for the bodies under way, which hold a descriptor each.
func defaultOpenFiles(limit uint64) int {
	return int(max(1, min(mostOpenFiles, limit/8)))
}

// outOfFiles reports that the process or the system has too many open files.
func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// makeRoom forgets the half of the presentations that were used least recently. It reports false if there are none.
func (s *FileSource) makeRoom() bool {
	s.mu.Lock()
	defer s.unlock()
	before, wanted := s.open, s.open/2
	for e := s.newest.prev; e != &s.newest && s.open > wanted; {
		older := e
		e = e.prev
		select {
		case <-older.done:
			s.forget(older)
		default: // still loading
		}
	}
	return s.open < before
}
