package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// An Archive records live events and serves what it has. It is a sink of package livesmooth, a [smooth.Source] and a
// [smooth.Lister]. It is safe for concurrent use.
type Archive struct {
	store  Store
	files  *smooth.FileSource // what is complete
	leap   atomic.Int64       // by which the clock of files is ahead, in nanoseconds; see renew
	opts   Options
	log    *slog.Logger
	closer []io.Closer // in the order in which they are closed
	stop   context.CancelFunc
	tended chan struct{} // closed when the goroutine that tends has ended
	wake   chan struct{} // holds a token if a segment has become complete

	past  pastEvents
	reads readings

	sweeping sync.Mutex         // held during a sweep
	weights  map[string]weighed // guarded by sweeping
	shaping  sync.Mutex         // held while directories of events are made, or empty ones removed

	mu          sync.Mutex // guards the fields below
	events      map[string]*event
	recordings  map[*recording]struct{}
	interrupted map[*recording]struct{} // that nobody feeds; claimed by who takes one out
	closed      bool
}

// Defaults of [Options].
const (
	DefaultSyncInterval = time.Second
	DefaultResumeWithin = 24 * time.Hour
)

// New opens the archive in a directory, which is made if there is none. Recordings that a crash has left are brought in order
// before it returns: torn ends are cut off. The error wraps [ErrLocked], [ErrOptions] or is that of the file system. A nil opts
// means the documented defaults.
func New(dir string, opts *Options) (*Archive, error) {
	store, err := Dir(dir)
	if err != nil {
		return nil, err
	}
	a, err := NewStore(context.Background(), store, opts)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	a.closer = append(a.closer, store)
	return a, nil
}

// NewStore is [New] for another kind of store, which the caller closes after the archive.
func NewStore(ctx context.Context, store Store, opts *Options) (*Archive, error) {
	a := &Archive{
		store: store, tended: make(chan struct{}), wake: make(chan struct{}, 1),
		events: make(map[string]*event), recordings: make(map[*recording]struct{}), interrupted: make(map[*recording]struct{}),
	}
	a.past.list = make(map[string]*pastEvent)
	if opts != nil {
		a.opts = *opts
	}
	if r := a.opts.Retention; r.Age < 0 || r.Bytes < 0 || r.Events < 0 {
		return nil, fmt.Errorf("archive: retention %+v: %w", r, ErrOptions)
	}
	a.log = cmp.Or(a.opts.Logger, slog.Default())
	a.opts.SyncInterval = cmp.Or(a.opts.SyncInterval, DefaultSyncInterval)
	a.opts.ResumeWithin = cmp.Or(a.opts.ResumeWithin, DefaultResumeWithin)
	if a.opts.Now == nil {
		a.opts.Now = time.Now
	}
	if l, ok := store.(Locker); ok {
		lock, err := l.Lock(ctx)
		if err != nil {
			return nil, err
		}
		a.closer = append(a.closer, lock)
	}
	// Without the methods of the store that are none of its business, such as Close.
	a.files = smooth.NewFileSource(struct{ smooth.Files }{store}, &smooth.FileOptions{
		Logger: a.log, Revalidate: revalidate, Now: func() time.Time { return time.Now().Add(time.Duration(a.leap.Load())) },
	})
	if err := a.recover(ctx); err != nil {
		return nil, errors.Join(err, a.shut())
	}
	ctx, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	go a.tend(ctx)
	return a, nil
}

// recover brings the events in order that a crash has interrupted. One that cannot be is left as it is.
func (a *Archive) recover(ctx context.Context) error {
	return a.walk(ctx, ".", func(dir string) error {
		e, err := loadEvent(ctx, a.store, dir)
		if err != nil {
			a.log.Error("archive event cannot be read", "event", dir, "err", err)
			return nil
		}
		if e.state.Ended {
			return nil
		}
		r, err := a.revive(ctx, e)
		if err != nil {
			a.log.Error("archive event cannot go on", "event", dir, "err", err)
			return ctx.Err()
		}
		a.log.Info("archive event was interrupted", "event", dir, "last", e.touched())
		a.mu.Lock()
		defer a.mu.Unlock()
		a.events[e.dir], a.interrupted[r] = e, struct{}{}
		return nil
	})
}

// maxDepth bounds how deep events are looked for.
const maxDepth = 64

// walk calls found for each directory with an event, in lexical order.
func (a *Archive) walk(ctx context.Context, dir string, found func(dir string) error) error {
	return a.walkTo(ctx, dir, maxDepth, found)
}

func (a *Archive) walkTo(ctx context.Context, dir string, depth int, found func(dir string) error) error {
	list, err := a.store.ReadDir(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) || depth == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("archive: %s: %w", dir, err)
	}
	for _, entry := range list {
		if entry.Name() == eventFile {
			return found(dir)
		}
	}
	for _, entry := range list {
		if !entry.IsDir() {
			continue
		}
		if err := a.walkTo(ctx, path.Join(dir, entry.Name()), depth-1, found); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// enter adds a recording.
func (a *Archive) enter(r *recording) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return fmt.Errorf("archive: %w", smooth.ErrClosed)
	}
	a.recordings[r] = struct{}{}
	return nil
}

// leave takes out a recording that is closed.
func (a *Archive) leave(r *recording) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.recordings, r)
}

// claim returns the newest interrupted event of the point of a recording that may go on, nil if there is none.
func (a *Archive) claim(r *recording) *recording {
	a.mu.Lock()
	defer a.mu.Unlock()
	var newest *recording
	for o := range a.interrupted {
		if !o.over && path.Dir(o.event.dir) == r.dir && (newest == nil || o.event.state.Started.After(newest.event.state.Started)) {
			newest = o
		}
	}
	delete(a.interrupted, newest)
	return newest
}

// interrupt keeps an event that nobody feeds.
func (a *Archive) interrupt(r *recording) {
	r.event.record(nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.interrupted[r] = struct{}{}
}

// begun notes an event that is recorded.
func (a *Archive) begun(e *event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events[e.dir] = e
}

// ended notes that an event is complete.
func (a *Archive) ended(e *event) {
	a.mu.Lock()
	delete(a.events, e.dir)
	a.mu.Unlock()
	e.record(nil)
	e.retire()
	a.rouse()
}

// revalidate is how long files believes what it knows of a presentation.
const revalidate = time.Second

// renew has what is known of complete presentations checked before it is used again: one may have been opened while it was
// complete before, and has had a fragment since.
func (a *Archive) renew() { a.leap.Add(int64(revalidate)) }

// rouse lets the goroutine that tends know that there is something complete.
func (a *Archive) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// tending is how often the archive looks for what is too old, retrying how soon it tries again to complete an event. That doubles.
const (
	tending  = 10 * time.Minute
	retrying = time.Second
)

// tend completes the events that do not go on, and deletes what the retention rules do not keep.
func (a *Archive) tend(ctx context.Context) {
	defer close(a.tended)
	pause := time.NewTimer(tending)
	defer pause.Stop()
	retry := retrying
	for {
		if a.expire(ctx, a.opts.Now()) {
			pause.Reset(tending)
			retry = retrying
		} else {
			pause.Reset(retry)
			retry = min(2*retry, tending)
		}
		if _, err := a.Sweep(ctx, a.opts.Now()); err != nil && ctx.Err() == nil {
			a.log.Error("archive retention", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		case <-a.wake:
		}
	}
}

// expire completes the events that have been interrupted for too long, and those that could not be completed before. It reports
// false if some of them cannot be.
func (a *Archive) expire(ctx context.Context, now time.Time) bool {
	all := true
	a.mu.Lock()
	var old []*recording
	for r := range a.interrupted {
		if r.over || a.opts.ResumeWithin < 0 || now.Sub(r.event.touched()) > a.opts.ResumeWithin {
			old = append(old, r)
			delete(a.interrupted, r)
		}
	}
	a.mu.Unlock()
	for _, r := range old {
		if err := r.finish(ctx); err != nil {
			a.log.Error("archive cannot complete an event", "event", r.event.dir, "err", err)
			a.interrupt(r)
			all = false
		}
	}
	return all
}

// Close ends what the archive does by itself. Recordings that go on are closed as by a server that ends.
func (a *Archive) Close() error {
	a.mu.Lock()
	closed := a.closed
	a.closed = true
	var list []*recording
	for r := range a.recordings {
		list = append(list, r)
	}
	a.mu.Unlock()
	if closed {
		return nil
	}
	a.stop()
	<-a.tended
	var errs []error
	for _, r := range list {
		errs = append(errs, r.Close(context.Background(), false))
	}
	return errors.Join(append(errs, a.shut())...)
}

// shut closes files.
func (a *Archive) shut() error {
	a.mu.Lock()
	events := slices.Collect(maps.Values(a.events))
	a.mu.Unlock()
	for _, e := range events {
		e.retire()
		for _, s := range e.segments {
			s.release()
		}
	}
	a.past.closeAll()
	errs := []error{a.files.Close()}
	for _, c := range a.closer {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
