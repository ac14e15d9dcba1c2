package livesmooth

import (
	"os"
	"sync"
)

// spoolReads bounds the files that are open for one read each, where all others are lent.
const spoolReads = 16

// spoolFiles are the files of a spool that are open for reading. Each user has a descriptor of its own, because the kernel
// sends from where a descriptor stands; those that nobody uses wait for the next user. It is safe for concurrent use.
type spoolFiles struct {
	most  int
	reads chan struct{} // holds a token per read beyond most
	open  func(path string) (*os.File, error)

	mu    sync.Mutex      // guards the fields below, and idle of segments
	count int             // open files, lent and idle
	idle  []*spoolSegment // those with idle files, once per file, in the order in which they came back
}

func newSpoolFiles(most int) *spoolFiles {
	return &spoolFiles{most: most, reads: make(chan struct{}, spoolReads), open: os.Open}
}

// lease returns a descriptor of a segment, or nil if too many are lent. The caller has a reference to the segment.
func (s *spoolFiles) lease(g *spoolSegment) (*os.File, error) {
	s.mu.Lock()
	if f := s.take(g); f != nil {
		s.mu.Unlock()
		return f, nil
	}
	evicted, ok := s.reserve()
	s.mu.Unlock()
	if evicted != nil {
		evicted.Close()
	}
	if !ok {
		return nil, nil
	}
	f, err := s.open(g.path)
	if err != nil {
		s.mu.Lock()
		s.count--
		s.mu.Unlock()
		return nil, err
	}
	return f, nil
}

// take takes an idle file of a segment, or nil. mu must be held.
func (s *spoolFiles) take(g *spoolSegment) *os.File {
	n := len(g.idle)
	if n == 0 {
		return nil
	}
	f := g.idle[n-1]
	g.idle[n-1] = nil
	g.idle = g.idle[:n-1]
	s.forget(g)
	return f
}

// forget takes the newest mention of a segment out of idle. mu must be held.
func (s *spoolFiles) forget(g *spoolSegment) {
	for i := len(s.idle) - 1; i >= 0; i-- {
		if s.idle[i] == g {
			s.idle = append(s.idle[:i], s.idle[i+1:]...)
			return
		}
	}
}

// reserve counts one more open file, in place of the one that has been idle for longest if there are too many. It reports
// false if all are lent. mu must be held.
func (s *spoolFiles) reserve() (evicted *os.File, ok bool) {
	if s.count < s.most {
		s.count++
		return nil, true
	}
	if len(s.idle) == 0 {
		return nil, false
	}
	g := s.idle[0]
	s.idle = append(s.idle[:0], s.idle[1:]...)
	evicted = g.idle[0]
	g.idle = append(g.idle[:0], g.idle[1:]...)
	return evicted, true
}

// giveBack takes a file back. The caller still has its reference to the segment.
func (s *spoolFiles) giveBack(g *spoolSegment, f *os.File) {
	s.mu.Lock()
	g.idle = append(g.idle, f)
	s.idle = append(s.idle, g)
	s.mu.Unlock()
}

// closeAll closes the files of a segment that nobody has a reference to any more.
func (s *spoolFiles) closeAll(g *spoolSegment) {
	s.mu.Lock()
	files := g.idle
	g.idle = nil
	for range files {
		s.forget(g)
	}
	s.count -= len(files)
	s.mu.Unlock()
	for _, f := range files {
		f.Close()
	}
}

// readAt reads from a segment with any of its descriptors.
func (s *spoolFiles) readAt(g *spoolSegment, p []byte, off int64) (int, error) {
	f, err := s.lease(g)
	if err != nil {
		return 0, err
	}
	if f != nil {
		defer s.giveBack(g, f)
		return f.ReadAt(p, off)
	}
	s.reads <- struct{}{} // reads of others do not wait for anybody, so this does not last
	defer func() { <-s.reads }()
	if f, err = s.open(g.path); err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(p, off)
}
