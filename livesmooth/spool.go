package livesmooth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/smooth"
)

// SpoolOptions tunes a [Spool]. A nil pointer and the zero value mean the documented defaults.
type SpoolOptions struct {
	// SegmentBytes is the size of the files that fragments are gathered in, which are deleted as a whole. Zero means
	// 64 MiB; the most is 1 GiB. With MaxBytes it is at most an eighth of that.
	SegmentBytes int64
	// MaxBytes bounds what one recording keeps; the oldest goes first. Zero means no bound but the disk's.
	MaxBytes int64
	// MaxOpenFiles bounds the files that are open for reading, of all recordings together. Each recording has one more for
	// writing. Zero means 256, or an eighth of what the process may have open if that is less.
	MaxOpenFiles int
	// Logger gets a record of what was left behind by a process that crashed. Nil means slog.Default().
	Logger *slog.Logger
}

const (
	defaultSegmentBytes = 64 << 20
	mostSegmentBytes    = 1 << 30 // offsets in the index have 32 bits
	// segmentShare is the part of a bounded recording that goes at once when it is full.
	segmentShare  = 8
	mostSpoolOpen = 256
)

// spoolOpenFiles returns how many files to have open for reading if the process may have limit open files in all. The rest
// stays for connections and for the files of others.
func spoolOpenFiles(limit uint64) int { return int(max(1, min(mostSpoolOpen, limit/8))) }

func (o *SpoolOptions) withDefaults() (SpoolOptions, error) {
	var d SpoolOptions
	if o != nil {
		d = *o
	}
	if d.SegmentBytes < 0 || d.SegmentBytes > mostSegmentBytes || d.MaxBytes < 0 || d.MaxOpenFiles < 0 {
		return d, fmt.Errorf("livesmooth: spool: segments of %d bytes, %d bytes in all, %d open files: %w",
			d.SegmentBytes, d.MaxBytes, d.MaxOpenFiles, ErrSettings)
	}
	d.SegmentBytes = cmp.Or(d.SegmentBytes, defaultSegmentBytes)
	if d.MaxBytes > 0 {
		d.SegmentBytes = min(d.SegmentBytes, max(d.MaxBytes/segmentShare, 1))
	}
	d.MaxOpenFiles = cmp.Or(d.MaxOpenFiles, spoolOpenFiles(openFilesLimit()))
	d.Logger = cmp.Or(d.Logger, slog.Default())
	return d, nil
}

// A Spool is a [Sink] that keeps the window of publishing points on disk, so that it may be larger than memory, without
// an archive. Nothing of it outlives the process: the files are in a directory of its own below the given one and are
// deleted when fragments leave the window, when a recording or the spool is closed, and, if the process did not come to
// that, by the next spool that is made in the same place. It is safe for concurrent use, and several processes may share
// the directory.
//
// A fragment is written as it will be sent, in one or two calls; in memory it costs 32 bytes. There is no goroutine, and
// nothing waits for the disk but the recording itself and those who ask for fragments.
type Spool struct {
	opts  SpoolOptions
	dir   string
	disk  spoolDisk
	files *spoolFiles
	pool  *pool

	recordings atomic.Uint64 // begun so far

	mu     sync.Mutex // guards the fields below
	home   *spoolHome
	closed bool
}

// spoolDisk is what a spool asks of the system where fragments are written. Tests put faults in.
type spoolDisk interface {
	// Create makes a new file.
	Create(path string) (spoolWriter, error)
}

// A spoolWriter is a file that is being written.
type spoolWriter interface {
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Close() error
}

// osDisk is the file system.
type osDisk struct{}

func (osDisk) Create(path string) (spoolWriter, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// NewSpool returns a spool below a directory, which is made if it does not exist. What crashed processes have left there is
// deleted. It copies opts. The error wraps [ErrSettings] if they are out of range, or is that of the file system.
func NewSpool(dir string, opts *SpoolOptions) (*Spool, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir) // a later change of the working directory must not lead elsewhere
	if err == nil {
		err = os.MkdirAll(dir, 0o777)
	}
	if err != nil {
		return nil, fmt.Errorf("livesmooth: spool: %w", err)
	}
	sweepSpools(dir, o.Logger)
	home, err := newSpoolHome(dir)
	if err != nil {
		return nil, fmt.Errorf("livesmooth: spool: %w", err)
	}
	return &Spool{opts: o, dir: dir, disk: osDisk{}, files: newSpoolFiles(o.MaxOpenFiles), pool: newPool(), home: home}, nil
}

// SinkName is the name in [SinkStats].
func (s *Spool) SinkName() string { return "Spool" }

// Begin implements [Sink]. The error wraps [smooth.ErrClosed] after Close.
func (s *Spool) Begin(ctx context.Context, e smooth.EventInfo) (smooth.Recording, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("livesmooth: spool %s: %w", s.dir, smooth.ErrClosed)
	}
	return newSpoolRecording(s, e), nil
}

// Close deletes the directory as soon as the recordings are closed and what they have lent is given back. Nothing more can
// be recorded.
func (s *Spool) Close() error {
	s.mu.Lock()
	home, closed := s.home, s.closed
	s.closed = true
	s.mu.Unlock()
	if !closed {
		home.release()
	}
	return nil
}

// create makes the file of a segment. If the directory has vanished, as with a disk that was mounted anew, another is made.
func (s *Spool) create(name string) (*spoolSegment, error) {
	home, err := s.dwelling(nil)
	if err != nil {
		return nil, err
	}
	seg, err := newSpoolSegment(s, home, name)
	if errors.Is(err, fs.ErrNotExist) {
		if home, err = s.dwelling(home); err != nil {
			return nil, err
		}
		seg, err = newSpoolSegment(s, home, name)
	}
	if err != nil {
		return nil, fmt.Errorf("livesmooth: spool: %w", err)
	}
	return seg, nil
}

// dwelling returns the directory with one more reference. If it is the one that has vanished it is replaced.
func (s *Spool) dwelling(vanished *spoolHome) (*spoolHome, error) {
	s.mu.Lock()
	home, closed := s.home, s.closed
	if !closed && home != vanished {
		home.refs.Add(1)
	}
	s.mu.Unlock()
	switch {
	case closed:
		return nil, fmt.Errorf("livesmooth: spool %s: %w", s.dir, smooth.ErrClosed)
	case home != vanished:
		return home, nil
	}
	return s.move(vanished)
}

// move makes another directory in place of one that has vanished.
func (s *Spool) move(vanished *spoolHome) (*spoolHome, error) {
	home, err := newSpoolHome(s.dir)
	if err != nil {
		return nil, fmt.Errorf("livesmooth: spool: %w", err)
	}
	s.mu.Lock()
	moved := !s.closed && s.home == vanished
	if moved {
		s.home = home
		home.refs.Add(1)
	}
	s.mu.Unlock()
	if !moved { // closed, or somebody else was faster
		home.release()
		return s.dwelling(nil)
	}
	vanished.release()
	return home, nil
}
