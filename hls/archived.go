package hls

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// ArchiveOptions tunes an [ArchiveSource]. A nil pointer and the zero value mean the documented defaults.
type ArchiveOptions struct {
	// Logger gets errors with the name of the file, and warnings about files that are left out. Nil means slog.Default().
	Logger *slog.Logger
	// Revalidate is how long an archive is used before its files are checked for changes. Zero means one second;
	// negative means on every use. An archive that took long to read, such as one that is still being written, is checked
	// less often, so that no more than an eighth of the time goes into reading it again.
	Revalidate time.Duration
	// MaxIndexBytes bounds the memory of the indexes of the archives that are kept open; one in use may exceed it by
	// itself. Zero means 64 MiB.
	MaxIndexBytes int64
	// Now replaces time.Now, for tests.
	Now func() time.Time
}

// ArchiveSource is a [smooth.Source] that also opens what IIS archived for HLS: a server manifest called
// Name-m3u8-aapl.ism whose tracks are files of MPEG-2 TS, one continuous file for each bit rate. Such an archive opens
// under that name and, if there is no presentation Name.ism, under Name.ism. Everything else is opened by the source
// below.
//
// A file is read once when it is first needed, to find its key frames and the times of them; of that, some dozen bytes
// for each key frame are kept until the file changes. The indexes that IIS wrote (.ismx) are not read, nor are its
// playlists (.m3u8); where a server manifest names an .ismx, the .ts beside it is meant.
//
// Only an [Output] or [Handler] can show an archive, in the formats that have MPEG-2 TS: segments are parts of the
// files, as they are. Through the Smooth protocol and as fragmented MP4 it is unsupported content. It is safe for
// concurrent use.
type ArchiveSource struct {
	src  *smooth.FileSource
	opts ArchiveOptions
	base context.Context // of all loads, ended by Close
	stop context.CancelFunc

	loading sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	names   map[string]*archiveEntry
	entries map[string]*archiveEntry // by the actual name of the server manifest
	recent  list.List                // of *archiveEntry, the most recently used first
	bytes   int64                    // of the indexes
	closed  bool
}

const (
	// maxArchives bounds the archives that are kept, broken ones included, and maxArchiveNames the names they were asked
	// for by.
	maxArchives     = 256
	maxArchiveNames = 4096
	// archiveTimeout bounds one load: it reads all files of an archive.
	archiveTimeout = 15 * time.Minute
)

// An archiveEntry is an archive that is loaded, being loaded or known to be broken.
type archiveEntry struct {
	name     string
	element  *list.Element // in recent; nil once it was given up
	previous *archive      // whose indexes may still be right; only while it is loading
	done     chan struct{} // closed when a, err and cost are set
	a        *archive
	err      error

	cost    time.Duration // of the load
	checked atomic.Int64  // when the files were last compared, in Unix nanoseconds
}

// maxReloading is the part of the time that goes into reading an archive whose files change all the time.
const maxReloading = 8

// WithArchives returns a source of the presentations of src and of the archives in its files. It takes src over: its
// Close closes src. It copies opts.
func WithArchives(src *smooth.FileSource, opts *ArchiveOptions) *ArchiveSource {
	s := &ArchiveSource{src: src, names: make(map[string]*archiveEntry), entries: make(map[string]*archiveEntry)}
	if opts != nil {
		s.opts = *opts
	}
	s.opts.Logger = cmp.Or(s.opts.Logger, slog.Default())
	s.opts.Revalidate = cmp.Or(s.opts.Revalidate, time.Second)
	s.opts.MaxIndexBytes = cmp.Or(s.opts.MaxIndexBytes, 64<<20)
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	s.base, s.stop = context.WithCancel(context.Background())
	return s
}

// Open implements [smooth.Source].
func (s *ArchiveSource) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	a, old := s.ready(ctx, name)
	if a != nil {
		return a, nil
	}
	alone := isArchiveName(name) && s.missing(ctx, plainName(name))
	if alone { // the source below would read the server manifest and find it broken
		if a, err := s.archived(ctx, name, name, old); !errors.Is(err, errNoArchive) {
			return orNil(a), err
		}
	}
	p, err := s.src.Open(ctx, name)
	if err == nil || alone || ctx.Err() != nil || errors.Is(err, smooth.ErrClosed) || !strings.EqualFold(path.Ext(name), ".ism") {
		return p, err
	}
	for _, candidate := range [...]string{archiveName(name), plainName(name)} {
		if a, err := s.archived(ctx, name, candidate, old); !errors.Is(err, errNoArchive) {
			return orNil(a), err
		}
	}
	return nil, err
}

// missing reports whether there is no file of a name.
func (s *ArchiveSource) missing(ctx context.Context, name string) bool {
	_, err := s.src.Resolve(ctx, name)
	return errors.Is(err, smooth.ErrNotFound)
}

// orNil keeps a nil pointer from becoming an interface that is not nil.
func orNil(a *archive) smooth.Presentation {
	if a == nil {
		return nil
	}
	return a
}

const archiveSuffix = "-m3u8-aapl"

// isArchiveName reports whether a name is that of an archive's server manifest.
func isArchiveName(name string) bool { return name != plainName(name) }

// plainName returns the name of the presentation of which a name names the archive, or the name itself.
func plainName(name string) string {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	n := len(stem) - len(archiveSuffix)
	if !strings.EqualFold(ext, ".ism") || n <= 0 || stem[n-1] == '/' || !strings.EqualFold(stem[n:], archiveSuffix) {
		return name
	}
	return stem[:n] + ext
}

// archiveName returns the name of the archive of a presentation.
func archiveName(name string) string {
	plain := plainName(name)
	ext := path.Ext(plain)
	return strings.TrimSuffix(plain, ext) + archiveSuffix + ext
}

// ready returns the archive that a name has meant lately, if it is open and up to date, with a reference for the caller.
// If it is not up to date, old is what it was, some of whose indexes may still be right.
func (s *ArchiveSource) ready(ctx context.Context, name string) (a, old *archive) {
	s.mu.Lock()
	e := s.names[name]
	if e != nil && e.element != nil {
		s.recent.MoveToFront(e.element)
	}
	s.mu.Unlock()
	switch {
	case e == nil:
		return nil, nil
	case s.stale(ctx, e):
		s.drop(e)
		return nil, e.a
	case e.a.retain():
		return e.a, nil
	}
	return nil, nil
}

func (e *archiveEntry) loaded() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// archived returns the archive of a server manifest, with a reference for the caller. The error is errNoArchive if there
// is none of that name. name is what was asked for, old what it was.
func (s *ArchiveSource) archived(ctx context.Context, name, candidate string, old *archive) (*archive, error) {
	actual, err := s.src.Resolve(ctx, candidate)
	if err != nil {
		if errors.Is(err, smooth.ErrNotFound) {
			err = errNoArchive
		}
		return nil, err
	}
	for {
		e, fresh, err := s.lookup(actual, old)
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
		case e.a.retain():
			s.remember(name, e)
			return e.a, nil
		}
		old = e.a
		s.drop(e)
	}
}

// lookup finds or starts a load. fresh reports that it had not ended yet.
func (s *ArchiveSource) lookup(name string, old *archive) (e *archiveEntry, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, fmt.Errorf("hls: source: %w", smooth.ErrClosed)
	}
	if e, ok := s.entries[name]; ok {
		s.recent.MoveToFront(e.element)
		return e, !e.loaded(), nil
	}
	e = &archiveEntry{name: name, previous: old, done: make(chan struct{})}
	s.entries[name] = e
	e.element = s.recent.PushFront(e)
	s.loading.Go(func() { s.load(e) })
	return e, true, nil
}

// remember keeps what a name means, as long as the entry is kept.
func (s *ArchiveSource) remember(name string, e *archiveEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.element == nil {
		return
	}
	if len(s.names) >= maxArchiveNames {
		clear(s.names)
	}
	s.names[name] = e
}

// load opens the archive of e on behalf of everyone who waits for it.
func (s *ArchiveSource) load(e *archiveEntry) {
	started := s.opts.Now()
	e.checked.Store(started.UnixNano()) // a change during the load must not go unnoticed
	ctx, cancel := context.WithTimeout(s.base, archiveTimeout)
	defer cancel()
	a, err := s.openArchive(ctx, e.name, e.previous)
	switch {
	case err == nil, errors.Is(err, errNoArchive):
	case s.base.Err() != nil:
		err = fmt.Errorf("hls: source: %w", smooth.ErrClosed)
	default:
		s.opts.Logger.Error("archive cannot be opened", "presentation", e.name, "err", err)
	}
	e.cost = s.opts.Now().Sub(started)
	var gone []*archive
	s.mu.Lock()
	e.a, e.err, e.previous = a, err, nil
	if e.element == nil { // dropped or closed meanwhile
		gone = append(gone, a)
	} else if a != nil {
		s.bytes += a.bytes
	}
	gone = append(gone, s.shrink(e)...)
	close(e.done)
	s.mu.Unlock()
	for _, a := range gone {
		a.release()
	}
}

// shrink forgets the least recently used entries, but keep, until the budgets hold. mu must be held.
func (s *ArchiveSource) shrink(keep *archiveEntry) (gone []*archive) {
	for el := s.recent.Back(); el != nil && (s.bytes > s.opts.MaxIndexBytes || s.recent.Len() > maxArchives); {
		e := el.Value.(*archiveEntry)
		el = el.Prev()
		if e != keep && e.loaded() {
			gone = append(gone, s.forget(e))
		}
	}
	return gone
}

// forget removes a loaded entry. mu must be held. The caller releases the archive.
func (s *ArchiveSource) forget(e *archiveEntry) *archive {
	s.recent.Remove(e.element)
	e.element = nil
	delete(s.entries, e.name)
	for name, other := range s.names {
		if other == e {
			delete(s.names, name)
		}
	}
	if e.a != nil {
		s.bytes -= e.a.bytes
	}
	return e.a
}

// drop gives an entry up that is out of date.
func (s *ArchiveSource) drop(e *archiveEntry) {
	s.mu.Lock()
	var a *archive
	if e.element != nil {
		a = s.forget(e)
	}
	s.mu.Unlock()
	a.release()
}

// stale reports whether the files of an entry have changed. It looks at them at most once per Revalidate; the first
// caller after that does it for all.
func (s *ArchiveSource) stale(ctx context.Context, e *archiveEntry) bool {
	now := s.opts.Now().UnixNano()
	last := e.checked.Load()
	interval := s.opts.Revalidate
	if interval >= 0 {
		interval = max(interval, maxReloading*e.cost)
	}
	if now-last < int64(interval) || !e.checked.CompareAndSwap(last, now) {
		return false
	}
	if e.a == nil {
		return true // broken, or none: try again
	}
	changed := e.a.changed(ctx, s)
	if changed {
		e.a.snap.Supersede()
	}
	return changed
}

// List implements [smooth.Lister]: the presentations of the source below, and the archives that are not archives of one
// of them.
func (s *ArchiveSource) List(ctx context.Context, yield func(smooth.Info) bool) error {
	archives, err := s.list(ctx, ".", 0, nil)
	if err != nil {
		return err
	}
	more := true
	before := func(name string, all bool) {
		for more && len(archives) > 0 && (all || archives[0].Name < name) {
			more = yield(archives[0])
			archives = archives[1:]
		}
	}
	err = s.src.List(ctx, func(info smooth.Info) bool {
		if before(info.Name, false); more {
			more = yield(info)
		}
		return more
	})
	if err == nil {
		before("", true)
	}
	return err
}

const (
	// maxListDepth bounds the directories that are descended into, and maxListed the archives that are listed.
	maxListDepth = 32
	maxListed    = 100_000
)

// list appends the archives below a directory, in the order of names.
func (s *ArchiveSource) list(ctx context.Context, dir string, depth int, dst []smooth.Info) ([]smooth.Info, error) {
	if err := ctx.Err(); err != nil || depth > maxListDepth {
		return dst, err
	}
	entries, err := s.src.Files().ReadDir(ctx, dir)
	if err != nil {
		if depth > 0 { // the source below says so
			return dst, nil
		}
		return dst, fmt.Errorf("hls: list %s: %w", dir, err)
	}
	plain := make(map[string]bool)
	for _, e := range entries {
		plain[strings.ToLower(e.Name())] = true
	}
	start := len(dst)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			if dst, err = s.list(ctx, name, depth+1, dst); err != nil {
				return dst, err
			}
		case isArchiveName(name) && !plain[strings.ToLower(plainName(e.Name()))] && len(dst) < maxListed:
			if fi, err := s.src.Files().Stat(ctx, name); err == nil && fi.Mode().IsRegular() {
				dst = append(dst, smooth.Info{Name: name, ModTime: fi.ModTime(), Size: fi.Size()})
			}
		}
	}
	sortInfos(dst[start:])
	return dst, nil
}

// Close forgets all archives, ends loads that are under way and waits for them, and closes the source below. Open
// presentations stay valid until they are closed. Further opens return [smooth.ErrClosed].
func (s *ArchiveSource) Close() error {
	s.mu.Lock()
	var gone []*archive
	s.closed = true
	for _, e := range s.entries {
		switch {
		case e.element == nil:
		case e.loaded():
			gone = append(gone, s.forget(e))
		default:
			s.recent.Remove(e.element)
			e.element = nil
		}
	}
	clear(s.entries)
	clear(s.names)
	s.mu.Unlock()
	s.stop()
	s.loading.Wait()
	for _, a := range gone {
		a.release()
	}
	return s.src.Close()
}
