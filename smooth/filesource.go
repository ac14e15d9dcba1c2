package smooth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FileOptions tunes a [FileSource]. A nil pointer and the zero value mean the documented defaults.
type FileOptions struct {
	// Logger gets warnings about repaired input and errors with the place in the file. Nil means slog.Default().
	Logger *slog.Logger
	// Revalidate is how long a presentation is used before its files are checked for changes. Zero means one
	// second; negative means on every use.
	Revalidate time.Duration
	// MaxIndexBytes bounds the memory of the indexes of the presentations that are kept open. Zero means 256 MiB.
	MaxIndexBytes int64
	// MaxOpenFiles bounds the media files of the presentations that are kept open. Zero means 512, or an
	// eighth of the open files that the process may have if that is less. A presentation in use may exceed it by itself;
	// each media file holds up to nine descriptors. When the system refuses more, half of the files are given up.
	MaxOpenFiles int
	// ResolveClip maps the URL of a clip in a composite manifest (.csm) that names a host or starts with a slash to the
	// name of a presentation of the source. Nil allows relative URLs only. See [CompositeOptions].
	ResolveClip func(u *url.URL) (name string, ok bool)
	// FragmentDuration is the least length of the fragments that are cut from progressive MP4 files. Zero means two
	// seconds.
	FragmentDuration time.Duration
	// Hidden reports media files that are presentations neither of their own nor as part of their directory, such as those
	// that a server manifest names, which may have rules of its own. Its argument is the actual name. Nil means none.
	Hidden func(name string) bool
	// Now replaces time.Now, for tests.
	Now func() time.Time
}

// FileSource is a [Source] and [Lister] of the presentations in a tree of files, as IIS or Azure Media Services left
// them: .ism with .ismc, .ismv, .isma and .ismt files, .ism over progressive or fragmented MP4, composite .csm
// manifests. A file x.mp4 is a presentation of its own, and a directory x of MP4 files is presentation x.ism. It is
// safe for concurrent use. Opens are coalesced, kept within the budgets of [FileOptions] and repeated when a file
// changes.
type FileSource struct {
	files   Files
	own     io.Closer // files, if the source has opened them itself, or nil
	opts    FileOptions
	clock   func() int64 // nanoseconds since whenever
	names   resolver
	base    context.Context // of all loads, ended by Close
	stop    context.CancelFunc
	loading sync.WaitGroup
	stats   sourceStats

	mu      sync.Mutex // guards the fields below
	entries map[string]*cacheEntry
	newest  cacheEntry // ring of entries by last use
	index   int64      // bytes
	open    int        // media files
	closed  bool
	gone    []*filePresentation // forgotten, for unlock to release
}

// unlock gives mu back and then releases what was forgotten meanwhile: closing files may take time.
func (s *FileSource) unlock() {
	gone := s.gone
	s.gone = nil
	s.mu.Unlock()
	for _, p := range gone {
		p.release()
	}
}

// FS returns a source of the presentations in fsys. For an fsys of other packages only that valid paths are asked for
// is promised; [Dir] confines symbolic links too. A nil opts means the documented defaults.
func FS(fsys fs.FS, opts *FileOptions) *FileSource {
	return NewFileSource(fsFiles{fsys}, opts)
}

// NewFileSource returns a source of the presentations in files, which the caller closes after it if they have to be closed. A nil
// opts means the documented defaults.
func NewFileSource(files Files, opts *FileOptions) *FileSource {
	s := &FileSource{files: files, entries: make(map[string]*cacheEntry)}
	s.base, s.stop = context.WithCancel(context.Background())
	if opts != nil {
		s.opts = *opts
	}
	s.opts.Logger = cmp.Or(s.opts.Logger, slog.Default())
	if s.opts.Now == nil {
		s.opts.Now = time.Now
		begun := time.Now()
		s.clock = func() int64 { return int64(time.Since(begun)) } // half the cost of time.Now
	} else {
		s.clock = func() int64 { return s.opts.Now().UnixNano() }
	}
	s.opts.Revalidate = cmp.Or(s.opts.Revalidate, time.Second)
	s.opts.MaxIndexBytes = cmp.Or(s.opts.MaxIndexBytes, 256<<20)
	s.opts.MaxOpenFiles = cmp.Or(s.opts.MaxOpenFiles, defaultOpenFiles(openFilesLimit()))
	s.opts.FragmentDuration = cmp.Or(s.opts.FragmentDuration, 2*time.Second)
	s.names = resolver{files: files, logger: s.opts.Logger, now: s.opts.Now, ttl: s.opts.Revalidate}
	s.newest.prev, s.newest.next = &s.newest, &s.newest
	return s
}

// loadTimeout bounds one load, which no single caller's context can cancel.
const loadTimeout = time.Minute

// maxEntries bounds the remembered names, failed loads included.
const maxEntries = 16384

// cacheEntry is a presentation that is loaded, being loaded or known to be broken.
type cacheEntry struct {
	name       string
	prev, next *cacheEntry
	done       chan struct{} // closed when the load has ended
	// set before done is closed
	p   *filePresentation
	err error

	checked atomic.Int64 // when the files were last compared, by the clock of the source
}

// Open implements [Source].
func (s *FileSource) Open(ctx context.Context, name string) (Presentation, error) {
	if p := s.ready(ctx, name); p != nil {
		return p, nil
	}
	if !validName(name) || !safePath(name) {
		return nil, fmt.Errorf("smooth: %q: %w", name, ErrNotFound)
	}
	p, err := s.named(ctx, name)
	if outOfFiles(err) && s.makeRoom() {
		p, err = s.named(ctx, name)
	}
	if err != nil {
		return nil, asNotFound(name, err)
	}
	if p.composite != nil {
		return compositeFile{p.composite, p}, nil
	}
	return p, nil
}

// ready returns the presentation of an exact name if it is open and up to date, which is nearly always so; else nil.
// Only names that have been checked have entries.
func (s *FileSource) ready(ctx context.Context, name string) *filePresentation {
	s.mu.Lock()
	e := s.entries[name]
	if e == nil || !e.loaded() {
		s.mu.Unlock()
		return nil
	}
	e.touch(&s.newest)
	s.mu.Unlock()
	switch {
	case e.err != nil, e.p.composite != nil:
	case s.stale(ctx, e):
		s.drop(e)
	case e.p.retain():
		return e.p
	}
	return nil
}

// loaded reports whether the load of the entry has ended.
func (e *cacheEntry) loaded() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// named returns the presentation of a name, exact or not, with a reference for the caller.
func (s *FileSource) named(ctx context.Context, name string) (p *filePresentation, err error) {
	actual, known := s.names.remembered(name)
	if known {
		if p, err = s.cached(ctx, actual); !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	if _, hls := withoutHLSSuffix(strings.TrimSuffix(name, path.Ext(name))); !hls {
		if p, err = s.cached(ctx, name); !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	if actual, err = s.names.presentation(ctx, name); err != nil {
		return nil, err
	}
	if p, err = s.cached(ctx, actual); err == nil && actual != name {
		s.names.remember(name, actual)
	}
	return p, err
}

// asNotFound turns the file system's word for a missing file into the suite's.
func asNotFound(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("smooth: %s: %w", name, ErrNotFound)
	}
	return err
}

// cached returns the presentation of an actual name with a reference for the caller.
func (s *FileSource) cached(ctx context.Context, name string) (*filePresentation, error) {
	for {
		e, fresh, err := s.lookup(name)
		if err != nil {
			return nil, err
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case !fresh && s.stale(ctx, e):
		case e.err != nil:
			return nil, e.err
		case e.p.retain():
			return e.p, nil
		}
		s.drop(e) // out of date, or evicted between lookup and retain
	}
}

// lookup finds or starts a load. fresh reports that it had not ended yet.
func (s *FileSource) lookup(name string) (e *cacheEntry, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, fmt.Errorf("smooth: source: %w", ErrClosed)
	}
	if e, ok := s.entries[name]; ok {
		e.touch(&s.newest)
		select {
		case <-e.done:
			return e, false, nil
		default:
			return e, true, nil
		}
	}
	e = &cacheEntry{name: name, done: make(chan struct{})}
	s.entries[name] = e
	e.touch(&s.newest)
	s.loading.Go(func() { s.load(e) })
	return e, true, nil
}

// touch moves e to the front of the ring.
func (e *cacheEntry) touch(ring *cacheEntry) {
	if ring.next == e {
		return
	}
	if e.next != nil {
		e.prev.next, e.next.prev = e.next, e.prev
	}
	e.prev, e.next = ring, ring.next
	e.prev.next, e.next.prev = e, e
}

// load opens the presentation of e on behalf of everyone who waits for it.
func (s *FileSource) load(e *cacheEntry) {
	started := s.clock()
	ctx, cancel := context.WithTimeout(s.base, loadTimeout)
	defer cancel()
	p, err := s.loadGuarded(ctx, e.name)
	switch {
	case err == nil:
	case s.base.Err() != nil:
		err = fmt.Errorf("smooth: source: %w", ErrClosed)
	case ctx.Err() != nil:
		err = &FileError{File: e.name, Offset: -1, Err: context.DeadlineExceeded, Reason: fmt.Sprintf("not opened within %v: %v", loadTimeout, err),
			Remedy: "see whether the storage answers"}
	}
	e.checked.Store(started) // a change during the load must not go unnoticed
	s.stats.loads.Add(1)
	if errors.Is(err, ErrClosed) {
		s.opts.Logger.Debug("load ended by Close", "presentation", e.name)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) && !outOfFiles(err) { // Open may yet make room
		s.stats.failures.Add(1)
		s.opts.Logger.Error("presentation cannot be opened", "presentation", e.name, "err", err)
		err = &reportedError{err}
	}
	e.p, e.err = p, err
	s.mu.Lock()
	defer s.unlock()
	close(e.done)
	if s.entries[e.name] != e { // dropped or closed meanwhile
		s.gone = append(s.gone, p)
		return
	}
	if err != nil && (errors.Is(err, fs.ErrNotExist) || outOfFiles(err)) { // says nothing about the next attempt
		s.forget(e)
		return
	}
	if p != nil {
		s.index += p.indexBytes
		s.open += len(p.media)
	}
	s.shrink(e)
}

// reportedError is an error that is in the log already, so that handlers need not repeat it for every request.
type reportedError struct{ error }

// Unwrap returns the error itself.
func (e *reportedError) Unwrap() error { return e.error }

// loadGuarded is the last line against a fault in a parser: one bad file must not stop the others.
func (s *FileSource) loadGuarded(ctx context.Context, name string) (p *filePresentation, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, &FileError{File: name, Offset: -1, Reason: fmt.Sprintf("fault while opening: %v", r), Err: ErrCorrupt, Remedy: remedyFor(ErrCorrupt)}
		}
	}()
	return s.openPresentation(ctx, name)
}

// shrink forgets the least recently used entries, but keep, until the budgets hold. mu must be held.
func (s *FileSource) shrink(keep *cacheEntry) {
	for e := s.newest.prev; e != &s.newest; {
		over := s.index > s.opts.MaxIndexBytes || s.open > s.opts.MaxOpenFiles || len(s.entries) > maxEntries
		if !over {
			return
		}
		older := e
		e = e.prev
		select {
		case <-older.done:
			if older != keep {
				s.forget(older)
			}
		default: // still loading
		}
	}
}

// forget removes an entry whose load has ended. mu must be held.
func (s *FileSource) forget(e *cacheEntry) {
	if s.entries[e.name] != e {
		return
	}
	delete(s.entries, e.name)
	e.prev.next, e.next.prev = e.next, e.prev
	if e.p != nil {
		s.index -= e.p.indexBytes
		s.open -= len(e.p.media)
		s.gone = append(s.gone, e.p)
	}
}

// drop removes an entry that is out of date.
func (s *FileSource) drop(e *cacheEntry) {
	s.mu.Lock()
	defer s.unlock()
	s.forget(e)
}

// stale reports whether the files of an entry have changed. It looks at them at most once per Revalidate; the first
// caller after that does it for all.
func (s *FileSource) stale(ctx context.Context, e *cacheEntry) bool {
	now := s.clock()
	last := e.checked.Load()
	if now-last < int64(s.opts.Revalidate) || !e.checked.CompareAndSwap(last, now) {
		return false
	}
	if e.p == nil {
		return true // broken: try again
	}
	changed := e.p.changed(ctx, s)
	if changed {
		s.stats.reloads.Add(1)
		e.p.supersede()
	}
	return changed
}

// Close forgets all presentations, and ends loads that are under way and waits for them. Open presentations stay valid
// until they are closed. Further opens return [ErrClosed].
func (s *FileSource) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for _, e := range s.entries {
		select {
		case <-e.done:
			s.forget(e)
		default:
			delete(s.entries, e.name)
		}
	}
	s.unlock()
	s.stop()
	s.loading.Wait()
	if s.own != nil {
		return s.own.Close()
	}
	return nil
}

type sourceStats struct{ loads, failures, reloads atomic.Int64 }

// SourceStats counts what a [FileSource] has done and holds.
type SourceStats struct {
	// Loads counts presentations opened from files, Failures those that could not be, and Reloads those that were
	// opened again because a file had changed.
	Loads, Failures, Reloads int64
	// Presentations, IndexBytes and Files are what is kept open now.
	Presentations, IndexBytes, Files int64
}

// Stats returns the counters.
func (s *FileSource) Stats() SourceStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SourceStats{
		Loads: s.stats.loads.Load(), Failures: s.stats.failures.Load(), Reloads: s.stats.reloads.Load(),
		Presentations: int64(len(s.entries)), IndexBytes: s.index, Files: int64(s.open),
	}
}
