package livesmooth

import (
	"errors"
	"unsafe"

	"github.com/smoothkit/smoothkit/smooth"
)

// SpoolCrash makes a spool forget its files, as the end of the process does.
func SpoolCrash(s *Spool) { s.home.lock.Close() }

// SpoolHome returns the directory of a spool.
func SpoolHome(s *Spool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.home.path
}

// SpoolOpen returns the number of files that are open for reading.
func SpoolOpen(s *Spool) int {
	s.files.mu.Lock()
	defer s.files.mu.Unlock()
	return s.files.count
}

// SpoolMemory returns the bytes of buffers that are lent.
func SpoolMemory(s *Spool) int64 { return s.pool.used.Load() }

// SpoolOpenFiles is the default of [SpoolOptions.MaxOpenFiles].
var SpoolOpenFiles = spoolOpenFiles

// SpoolIndexSize returns the fragments in the index of a recording, the bytes for them, and the codec configurations.
func SpoolIndexSize(r smooth.Recording) (fragments, bytes, codecs int) {
	for _, t := range r.(*spoolRecording).declared {
		fragments += len(t.entries)
		bytes += cap(t.entries) * int(unsafe.Sizeof(spoolEntry{}))
		codecs += len(t.codecs)
	}
	return fragments, bytes, codecs
}

// SpoolFaults makes what is written to the disk of a spool fail.
type SpoolFaults struct {
	spoolDisk
	// Creates and Writes are called before each call of that kind. Writes may return how many bytes are written all the same.
	Creates func() error
	Writes  func(p []byte) (int, error)
}

// ErrDisk is a fault of a disk.
var ErrDisk = errors.New("disk full")

// SpoolFault puts faults into the disk of a spool.
func SpoolFault(s *Spool, f *SpoolFaults) {
	f.spoolDisk = s.disk
	s.disk = f
}

func (f *SpoolFaults) Create(path string) (spoolWriter, error) {
	if f.Creates != nil {
		if err := f.Creates(); err != nil {
			return nil, err
		}
	}
	w, err := f.spoolDisk.Create(path)
	return faultyWriter{w, f}, err
}

type faultyWriter struct {
	spoolWriter
	faults *SpoolFaults
}

func (w faultyWriter) WriteAt(p []byte, off int64) (int, error) {
	if w.faults.Writes != nil {
		if n, err := w.faults.Writes(p); err != nil {
			n, _ = w.spoolWriter.WriteAt(p[:n], off)
			return n, err
		}
	}
	return w.spoolWriter.WriteAt(p, off)
}

// SpoolTrack is the index of a track, for tests of its arithmetic.
type SpoolTrack struct{ t spoolTrack }

func (t *SpoolTrack) Insert(time uint64, c *smooth.Codec) {
	t.t.insert(spoolEntry{time: time, duration: 10}, c, "")
}

func (t *SpoolTrack) Trim(before uint64) { t.t.trim(before, func(spoolEntry) {}) }

func (t *SpoolTrack) Codec(time uint64) *smooth.Codec {
	c, _ := t.t.codecAt(time)
	return c
}

func (t *SpoolTrack) Codecs() int { return len(t.t.codecs) }
