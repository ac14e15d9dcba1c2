package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// readGrace is how long what somebody has read is kept after that. Viewers over HTTP open a presentation for each request; players
// have up to half a minute in their buffers before they ask for more.
const readGrace = time.Minute

// readings know which segments and events are read. They are safe for concurrent use.
type readings struct {
	mu   sync.Mutex          // guards list and refs of those in it
	list map[string]*reading // by directory, in lower case as names of presentations have any case
}

// A reading knows who reads a segment or an event.
type reading struct {
	l     *readings
	dir   string
	refs  int          // those who may note something
	users atomic.Int64 // presentations that are open, and fragments that are read from a file; negative if it is being deleted
	last  atomic.Int64 // when it was read, in nanoseconds since 1970; zero if it was not
}

// of returns the reading of a directory, for one who gives it back.
func (l *readings) of(dir string) *reading {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.get(dir)
	g.refs++
	return g
}

// get returns the reading of a directory. mu must be held.
func (l *readings) get(dir string) *reading {
	dir = strings.ToLower(dir)
	g := l.list[dir]
	if g == nil {
		g = &reading{l: l, dir: dir}
		if l.list == nil {
			l.list = make(map[string]*reading)
		}
		l.list[dir] = g
	}
	return g
}

// giveBack is called by each who has called of.
func (g *reading) giveBack() {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	g.refs--
}

// add counts a user. It reports false if what is to be read is being deleted.
func (g *reading) add() bool {
	for {
		n := g.users.Load()
		if n < 0 {
			return false
		}
		if g.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (g *reading) drop() { g.users.Add(-1) }

// note notes that something was read.
func (g *reading) note(now time.Time) { g.last.Store(now.UnixNano()) }

// recent reports whether something was read a short time ago.
func (g *reading) recent(now time.Time) bool {
	last := g.last.Load()
	return last != 0 && now.Sub(time.Unix(0, last)) < readGrace
}

// note notes that something of a directory was read.
func (l *readings) note(dir string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.get(dir).note(now)
}

// busy reports whether a directory is read or was a short time ago.
func (l *readings) busy(dir string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.list[strings.ToLower(dir)]
	return g != nil && (g.users.Load() > 0 || g.recent(now))
}

// claim keeps everybody from reading what is in a directory, until settle is called. It reports false if somebody does or has just done.
func (l *readings) claim(dir string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.get(dir)
	return !g.recent(now) && g.users.CompareAndSwap(0, math.MinInt64/2)
}

// settle ends a claim. What was opened before stays unreadable.
func (l *readings) settle(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.list, strings.ToLower(dir))
}

// tidy forgets what is not read any more.
func (l *readings) tidy(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for dir, g := range l.list {
		if g.refs == 0 && g.users.Load() == 0 && !g.recent(now) {
			delete(l.list, dir)
		}
	}
}

// stray keeps a view of which the list is no user. mu must be held.
func (l *pastEvents) stray(dir string, v pastView) {
	if l.strays == nil {
		l.strays = make(map[string][]pastView)
	}
	list := slices.DeleteFunc(l.strays[dir], func(o pastView) bool { return o.used() == 0 })
	if v.used() > 0 {
		list = append(list, v)
	}
	if l.strays[dir] = list; len(list) == 0 {
		delete(l.strays, dir)
	}
}

// used reports whether somebody has a complete event open.
func (l *pastEvents) used(dir string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.list[dir]; p != nil {
		for _, v := range p.views {
			if v != nil && v.used() > 1 { // the list is one
				return true
			}
		}
	}
	return slices.ContainsFunc(l.strays[dir], func(v pastView) bool { return v.used() > 0 })
}

// tidy forgets the strays that nobody has any more.
func (l *pastEvents) tidy() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for dir, list := range l.strays {
		if !slices.ContainsFunc(list, func(v pastView) bool { return v.used() > 0 }) {
			delete(l.strays, dir)
		}
	}
}

func (j *joined) used() int   { return j.users.count() }
func (v *liveView) used() int { return v.users.count() }

// count returns how many there are.
func (u *users) count() int { return int(max(u.n.Load(), 0)) }

// isDeleted reports whether a presentation that is listed is one that was deleted: just now, or a crash has left it.
func (a *Archive) isDeleted(ctx context.Context, info smooth.Info) bool {
	if _, err := a.store.Stat(ctx, info.Name); errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if info.Size != int64(len(deletedManifest)) {
		return false
	}
	f, err := a.store.Open(ctx, info.Name)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, len(deletedManifest))
	n, _ := f.ReadAtContext(ctx, b, 0)
	return string(b[:n]) == deletedManifest
}

// errDeleted is the error for what retention rules do not keep.
func errDeleted(dir string) error {
	return fmt.Errorf("archive: %s is deleted: %w", dir, smooth.ErrNotFound)
}

// segmentReader is a complete segment as a presentation, which notes that it is read.
type segmentReader struct {
	smooth.Presentation
	reading *reading
	counted bool // as long as it is open
	now     func() time.Time
}

// openPresentation opens a presentation on the disk, for a user of it. That of a segment that is deleted is not found.
func (a *Archive) openPresentation(ctx context.Context, dir, name string) (smooth.Presentation, error) {
	number, err := strconv.Atoi(path.Base(dir))
	if err != nil {
		return a.files.Open(ctx, name)
	}
	e := a.event(path.Dir(dir))
	if e == nil {
		e, _ = a.past.load(ctx, a, path.Dir(dir)) // else it is another presentation
	}
	if e != nil && !e.has(number) {
		return nil, errDeleted(dir)
	}
	return a.openReader(ctx, dir, name, true)
}

// openReader opens a segment. What is being deleted is not found.
func (a *Archive) openReader(ctx context.Context, dir, name string, counted bool) (smooth.Presentation, error) {
	g := a.reads.of(dir)
	if !g.add() {
		g.giveBack()
		return nil, errDeleted(dir)
	}
	p, err := a.files.Open(ctx, name)
	if err != nil || !counted {
		g.drop()
	}
	if err != nil {
		g.giveBack()
		return nil, err
	}
	return &segmentReader{Presentation: p, reading: g, counted: counted, now: a.opts.Now}, nil
}

// Close implements [smooth.Presentation].
func (p *segmentReader) Close() error {
	if p.counted {
		p.reading.drop()
	}
	p.reading.giveBack()
	return p.Presentation.Close()
}

// Fragment implements [smooth.Presentation]. A fragment that is read from the file while it is sent counts as a user.
func (p *segmentReader) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	if !p.reading.add() {
		return nil, errDeleted(p.reading.dir)
	}
	f, err := p.Presentation.Fragment(ctx, k)
	if err != nil {
		p.reading.drop()
		return nil, err
	}
	p.reading.note(p.now())
	if f.Size() <= memoryFragment {
		p.reading.drop()
		return f, nil
	}
	head, err := f.Header(smooth.Smooth)
	if err != nil {
		f.Close()
		p.reading.drop()
		return nil, err
	}
	return smooth.NewFragment(smooth.FragmentInit{
		Key: f.Key, Timescale: f.Timescale, Duration: f.Duration, Codec: f.Codec, ChildTrack: f.ChildTrack, Early: f.Early,
		Of: f, Head: head, Release: p.reading.drop,
	}), nil
}

// FragmentSize implements [smooth.Sizer].
func (p *segmentReader) FragmentSize(k smooth.FragmentKey) (int64, error) {
	z, ok := p.Presentation.(smooth.Sizer)
	if !ok {
		return 0, fmt.Errorf("archive: size of fragment at %d: %w", k.Time, smooth.ErrNotFound)
	}
	return z.FragmentSize(k)
}

// ManifestBytes implements [smooth.ManifestFile].
func (p *segmentReader) ManifestBytes(ctx context.Context) ([]byte, error) {
	m, ok := p.Presentation.(smooth.ManifestFile)
	if !ok {
		return nil, fmt.Errorf("archive: no client manifest file: %w", smooth.ErrNotFound)
	}
	return m.ManifestBytes(ctx)
}

// has reports whether an event has a segment.
func (e *event) has(number int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.state.Segments, func(s segmentState) bool { return s.Number == number })
}

var (
	_ smooth.Sizer        = (*segmentReader)(nil)
	_ smooth.ManifestFile = (*segmentReader)(nil)
)
