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
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// stock is what there is in an archive.
type stock struct {
	bytes  int64 // of all files
	events []*stockEvent
	ruins  []string // server manifests of segments that were deleted, with their events
	empty  []string // directories of events, or of points
}

// stockEvent is an event as it was when it was looked at.
type stockEvent struct {
	*event
	state     eventState
	live      bool // it is recorded, or interrupted
	segments  []*stockSegment
	leftovers []string // directories of segments that were deleted before
	gone      int      // how many of the first segments are to be deleted
}

// stockSegment is a segment.
type stockSegment struct {
	number   int
	dir      string
	bytes    int64
	end      time.Time // of its last fragment
	complete bool
}

// weight is what the files of a directory have together.
type weight struct {
	bytes  int64
	newest time.Time // of the file that was changed last
}

// weighed is the weight of the directory of a complete segment, by the time at which names in it were changed. What is in it
// changes with its names only.
type weighed struct {
	weight
	changed time.Time
}

// survey looks at everything that is in the archive.
func (a *Archive) survey(ctx context.Context) (*stock, error) {
	v := &surveyor{a: a, known: a.weights, weights: make(map[string]weighed)}
	err := v.look(ctx, ".", maxDepth)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		a.weights = v.weights
	}
	return &v.stock, err
}

// surveyor makes a stock.
type surveyor struct {
	stock
	a              *Archive
	known, weights map[string]weighed // by directory: before, and now
}

// look looks at a directory. One that cannot be read hides nothing but itself.
func (v *surveyor) look(ctx context.Context, dir string, depth int) error {
	list, err := v.a.store.ReadDir(ctx, dir)
	if err != nil {
		return v.excuse(ctx, dir, err)
	}
	if slices.ContainsFunc(list, func(d fs.DirEntry) bool { return d.Name() == eventFile && !d.IsDir() }) {
		return v.lookAtEvent(ctx, dir, list, depth)
	}
	if len(list) == 0 && (strings.HasSuffix(dir, eventsSuffix) || strings.HasSuffix(path.Dir(dir), eventsSuffix)) {
		v.empty = append(v.empty, dir)
	}
	for _, d := range list {
		switch {
		case !d.IsDir():
			w := fileWeight(d)
			v.bytes += w.bytes
			if name := path.Join(dir, d.Name()); path.Ext(name) == ".ism" && v.a.isDeleted(ctx, smooth.Info{Name: name, Size: w.bytes}) {
				v.ruins = append(v.ruins, name)
			}
		case depth > 0:
			if err := v.look(ctx, path.Join(dir, d.Name()), depth-1); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// excuse logs the error of a directory. Only the end of ctx ends the survey.
func (v *surveyor) excuse(ctx context.Context, dir string, err error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		v.a.log.Warn("archive directory cannot be read", "dir", dir, "err", err)
	}
	return nil
}

// fileWeight returns the weight of a file.
func fileWeight(d fs.DirEntry) weight {
	info, err := d.Info()
	if err != nil {
		return weight{}
	}
	return weight{info.Size(), info.ModTime()}
}

// lookAtEvent looks at the directory of an event, which was listed before the state is read: all segments in it are in the state.
func (v *surveyor) lookAtEvent(ctx context.Context, dir string, list []fs.DirEntry, depth int) error {
	e, err := v.event(ctx, dir)
	if err != nil {
		if err := v.excuse(ctx, dir, err); err != nil {
			return err
		}
		e = nil // its files count
	}
	dirs := make(map[int]fs.DirEntry)
	for _, d := range list {
		number, err := strconv.Atoi(d.Name())
		switch {
		case !d.IsDir():
			v.bytes += fileWeight(d).bytes
		case err == nil && e != nil:
			dirs[number] = d
		case depth > 0:
			w, err := v.weigh(ctx, path.Join(dir, d.Name()), depth-1)
			if err != nil {
				return err
			}
			v.bytes += w.bytes
		}
	}
	if e == nil {
		return ctx.Err()
	}
	v.events = append(v.events, e)
	for number, d := range dirs {
		w, err := v.weighSegment(ctx, path.Join(dir, d.Name()), d, e.segment(number), depth-1)
		if err != nil {
			return err
		}
		v.bytes += w.bytes
		if s := e.segment(number); s != nil {
			s.bytes = w.bytes
			if s.end.IsZero() {
				s.end = w.newest
			}
		} else if len(e.segments) == 0 || number < e.segments[0].number {
			e.leftovers = append(e.leftovers, path.Join(dir, d.Name()))
		}
	}
	slices.Sort(e.leftovers)
	return ctx.Err()
}

// event describes an event, nil if nobody knows whether it goes on.
func (v *surveyor) event(ctx context.Context, dir string) (*stockEvent, error) {
	e := v.a.event(dir)
	live := e != nil
	if !live {
		var err error
		if e, err = loadEvent(ctx, v.a.store, dir); err != nil {
			return nil, err
		}
		e.a = v.a
	}
	state, open := e.current()
	if !live && !state.Ended {
		return nil, nil // it has just begun, or could not be read at the start
	}
	s := &stockEvent{event: e, state: state, live: !state.Ended}
	for i, st := range state.Segments {
		grows := slices.ContainsFunc(open, func(o *segment) bool { return o.number == st.Number })
		last := i+1 == len(state.Segments)
		seg := &stockSegment{number: st.Number, dir: segmentDir(dir, st.Number), complete: !grows && !(last && s.live)}
		switch {
		case !last:
			seg.end = state.wall(state.Segments[i+1].From)
			if state.Last > 0 && state.Segments[i+1].From > state.Last { // the encoder's clock was far ahead
				seg.end = state.wall(state.Last)
			}
		case state.Last > 0:
			seg.end = state.wall(state.Last)
		}
		s.segments = append(s.segments, seg)
	}
	return s, nil
}

// segment returns a segment by its number, nil if the event has none of that number.
func (e *stockEvent) segment(number int) *stockSegment {
	i := slices.IndexFunc(e.segments, func(s *stockSegment) bool { return s.number == number })
	if i < 0 {
		return nil
	}
	return e.segments[i]
}

// wall returns what the wall clock was at a tick.
func (s *eventState) wall(tick uint64) time.Time {
	if tick < s.First {
		return s.Wall
	}
	return s.Wall.Add(time.Duration(min(tick-s.First, math.MaxInt64/100)) * 100)
}

// weighSegment weighs the directory of a segment. That of a complete one is remembered.
func (v *surveyor) weighSegment(ctx context.Context, dir string, d fs.DirEntry, s *stockSegment, depth int) (weight, error) {
	var changed time.Time
	if info, err := d.Info(); err == nil && info.ModTime().Unix() > 0 && s != nil && s.complete {
		changed = info.ModTime()
	}
	if k, ok := v.known[dir]; ok && k.changed.Equal(changed) {
		v.weights[dir] = k
		return k.weight, nil
	}
	w, err := v.weigh(ctx, dir, depth)
	if err == nil && !changed.IsZero() {
		v.weights[dir] = weighed{w, changed}
	}
	return w, err
}

// weigh weighs a directory and those below it.
func (v *surveyor) weigh(ctx context.Context, dir string, depth int) (weight, error) {
	var w weight
	list, err := v.a.store.ReadDir(ctx, dir)
	if err != nil {
		return w, v.excuse(ctx, dir, err)
	}
	for _, d := range list {
		var o weight
		switch {
		case !d.IsDir():
			o = fileWeight(d)
		case depth > 0:
			if o, err = v.weigh(ctx, path.Join(dir, d.Name()), depth-1); err != nil {
				return w, fmt.Errorf("archive: %s: %w", dir, err)
			}
		}
		w.bytes += o.bytes
		if o.newest.After(w.newest) {
			w.newest = o.newest
		}
	}
	return w, ctx.Err()
}
