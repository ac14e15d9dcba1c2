package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// An event is one that is being recorded, or was until a crash, with those of its segments that grow.
type event struct {
	a         *Archive
	dir, base string // such as live/demo-isml/20260702T120000Z and demo
	views     eventViews
	editing   sync.Mutex // held while the state is changed, or a complete segment opened again

	mu       sync.Mutex // guards the fields below
	state    eventState
	segments []*segment // in order; those that are complete have left
	recorder *recording // nil if nobody records
	written  time.Time  // when something was, as far as is known
}

// eventState is what stands in event.json.
type eventState struct {
	// Point, ID, Title and Started are those of [smooth.EventInfo].
	Point   string
	ID      string `json:",omitempty"`
	Title   string `json:",omitempty"`
	Started time.Time
	// Wall is the wall clock at the beginning of the first fragment, whose time is First, in ticks of 100 ns.
	Wall  time.Time
	First uint64
	// SegmentLength in nanoseconds; zero if the event is not cut.
	SegmentLength time.Duration `json:",omitempty"`
	// Segments in order.
	Segments []segmentState
	// Ended tells that nothing will be added. An event that has ended and has no segments is deleted.
	Ended bool
	// Last is the end of the last fragment of an event that has ended, in ticks of 100 ns; the time of the end if the encoder's
	// clock was ahead of that.
	Last uint64 `json:",omitempty"`
}

// segmentState is a segment in event.json.
type segmentState struct {
	// Number is the name of its directory.
	Number int
	// From is the time of its first fragments, in ticks of 100 ns; zero for the first segment.
	From uint64
}

func newEvent(dir, base string, state eventState) *event {
	return &event{dir: dir, base: base, state: state}
}

// maxEventFile bounds what is read of an event.json, in bytes. A segment takes about 40.
const maxEventFile = 64 << 20

// loadEvent reads an event. The error wraps [fs.ErrNotExist] if there is none.
func loadEvent(ctx context.Context, files smooth.Files, dir string) (*event, error) {
	name := path.Join(dir, eventFile)
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > maxEventFile {
		return nil, fmt.Errorf("archive: %s: %d bytes, the limit is %d: %w", name, f.Size(), maxEventFile, smooth.ErrTooLarge)
	}
	data := make([]byte, f.Size())
	if n, err := f.ReadAtContext(ctx, data, 0); n < len(data) {
		return nil, fmt.Errorf("archive: %s: %d of %d bytes: %w", name, n, len(data), errors.Join(err, io.ErrUnexpectedEOF))
	}
	var state eventState
	if err := json.Unmarshal(data, &state); err != nil {
		return nil, fmt.Errorf("archive: %s: %w: %w", name, smooth.ErrCorrupt, err)
	}
	if len(state.Segments) == 0 && !state.Ended {
		return nil, fmt.Errorf("archive: %s: no segments of an event that goes on: %w", name, smooth.ErrCorrupt)
	}
	for i, s := range state.Segments {
		if s.Number <= 0 || i > 0 && s.Number <= state.Segments[i-1].Number {
			return nil, fmt.Errorf("archive: %s: segment %d is not in order: %w", name, s.Number, smooth.ErrCorrupt)
		}
	}
	file := path.Base(state.Point)
	return newEvent(dir, file[:len(file)-len(path.Ext(file))], state), nil
}

// edit changes the state. mu and editing must not be held.
func (e *event) edit(ctx context.Context, store Store, change func(*eventState)) (eventState, error) {
	e.editing.Lock()
	defer e.editing.Unlock()
	state, _ := e.current()
	state.Segments = slices.Clone(state.Segments)
	change(&state)
	return state, e.save(ctx, store, state)
}

// save writes a new state. editing must be held, mu must not.
func (e *event) save(ctx context.Context, store Store, state eventState) error {
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	if err := store.Replace(ctx, path.Join(e.dir, eventFile), append(data, '\n')); err != nil {
		return fmt.Errorf("archive: %s: %w", e.dir, err)
	}
	e.mu.Lock()
	e.state = state
	e.mu.Unlock()
	e.refresh()
	return nil
}

// current returns the state and the segments that grow.
func (e *event) current() (eventState, []*segment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state, slices.Clone(e.segments)
}

// record says who records the event, nil if nobody does.
func (e *event) record(r *recording) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recorder = r
}

// touch notes that something was written at a time.
func (e *event) touch(at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if at.After(e.written) {
		e.written = at
	}
}

// touched returns when something was written last.
func (e *event) touched() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.written
}

// add adds a segment that grows. It gets the wall clock of the event.
func (e *event) add(s *segment) {
	e.mu.Lock()
	start := max(s.from, e.state.First)
	s.index.SetClock(start, e.state.Wall.Add(time.Duration(start-e.state.First)*100), 0)
	e.segments = append(e.segments, s)
	slices.SortFunc(e.segments, func(a, b *segment) int { return a.number - b.number })
	e.mu.Unlock()
	e.refresh()
}

// drop takes out a segment that is complete.
func (e *event) drop(s *segment) {
	e.mu.Lock()
	e.segments = slices.DeleteFunc(e.segments, func(o *segment) bool { return o == s })
	e.mu.Unlock()
	if s.refs.Load() > 1 { // somebody has been reading it, who will go on with what it is now
		e.a.reads.note(s.dir, e.a.opts.Now())
	}
	e.a.renew()
	e.refresh()
	s.release()
}

// createEvent makes the directory of an event that begins at a tick, and what the wall clock is then. After an error it goes on with
// what it had made.
func (r *recording) createEvent(ctx context.Context, first uint64, wall time.Time) (*event, error) {
	a, info := r.a, &r.info
	dir, base, clean := pointDir(info)
	if !clean {
		a.log.Warn("archive path of the settings leads out of the archive, and is not used", "point", info.Point, "path", info.Archive.Path)
	}
	name := eventName(info)
	a.shaping.Lock()
	defer a.shaping.Unlock()
	for n := 0; ; n++ {
		e := newEvent(path.Join(dir, attempt(name, n)), base, eventState{})
		e.a = a
		if taken, err := r.taken(ctx, e.dir); err != nil {
			return nil, fmt.Errorf("archive: %s: %w", e.dir, err)
		} else if taken {
			continue // an event of the same second, or of the same ID
		}
		r.made = e.dir
		err := e.save(ctx, a.store, eventState{
			Point: info.Point, ID: info.ID, Title: info.Title, Started: info.Started.UTC(), Wall: wall, First: first,
			SegmentLength: info.Archive.SegmentLength, Segments: []segmentState{{Number: 1}},
		})
		if err != nil { // it may be there all the same
			_ = a.store.Remove(ctx, path.Join(e.dir, eventFile))
			_ = a.store.Remove(ctx, e.dir)
		}
		return e, err
	}
}

// taken reports whether there is a directory that is not what the recording has left of an event it could not begin.
func (r *recording) taken(ctx context.Context, dir string) (bool, error) {
	_, err := r.a.store.Stat(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || dir != r.made {
		return true, err
	}
	e, err := loadEvent(ctx, r.a.store, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, smooth.ErrCorrupt):
		return true, nil
	case err != nil:
		return true, err
	}
	return e.state.Ended || !e.state.Started.Equal(r.info.Started) || r.a.event(dir) != nil, nil
}
