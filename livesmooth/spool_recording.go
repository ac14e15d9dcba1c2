package livesmooth

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// A spoolRecording is the [smooth.Recording] of a [Spool]. A fragment that comes again is ignored; one that comes late goes to its
// place in the index. What is kept is deleted when both the recording and its history are closed: viewers of a
// publishing point that has stopped still go back in the window.
type spoolRecording struct {
	spool  *Spool
	number uint64
	event  smooth.EventInfo

	// Only the goroutine that records uses these.
	current *spoolSegment // what is being written, or nil
	last    uint32        // number of the newest segment
	bytes   int64         // of all segments

	mu       sync.RWMutex // guards the fields below
	segments []*spoolSegment
	tracks   map[smooth.FragmentKey]*spoolTrack
	declared []*spoolTrack // in that order
	snap     *smooth.Snapshot
	version  uint64
	ended    bool // nothing is added
	shown    bool // the history is in use
}

func newSpoolRecording(s *Spool, e smooth.EventInfo) *spoolRecording {
	return &spoolRecording{spool: s, number: s.recordings.Add(1), event: e, tracks: make(map[smooth.FragmentKey]*spoolTrack)}
}

// Target is where it writes to, for [SinkStats].
func (r *spoolRecording) Target() string { return r.spool.dir }

// Declare implements [smooth.Recording].
func (r *spoolRecording) Declare(ctx context.Context, in smooth.InputInfo) error {
	if err := r.usable(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range in.Tracks {
		k := d.Key
		k.Time = 0
		t := r.tracks[k]
		if t == nil {
			t = &spoolTrack{key: k}
			r.tracks[k] = t
			r.declared = append(r.declared, t)
		}
		t.stream, t.level, t.codec = d.Stream, d.Level, d.Codec
	}
	r.changed()
	return nil
}

// usable returns the error of a method that is called too late.
func (r *spoolRecording) usable(ctx context.Context) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.ended {
		return fmt.Errorf("livesmooth: spool: recording of %s: %w", r.event.Point, smooth.ErrClosed)
	}
	return ctx.Err()
}

// changed makes the next snapshot a new one. mu must be held.
func (r *spoolRecording) changed() {
	r.version++
	if r.snap != nil {
		r.snap.Supersede()
		r.snap = nil
	}
}

// Append implements [smooth.Recording]. After an error nothing of the fragment is there, and the next one goes to another file.
func (r *spoolRecording) Append(ctx context.Context, _ string, f *smooth.Fragment) error {
	defer f.Close()
	if err := r.usable(ctx); err != nil {
		return err
	}
	t, err := r.trackOf(f)
	if err != nil || t == nil {
		return err
	}
	g, err := r.room(f.Size())
	if err != nil {
		return err
	}
	offset, err := g.write(f)
	if err != nil {
		r.retire(true)
		return fmt.Errorf("livesmooth: spool: fragment %s %d of %s: %w", f.Key.Stream, f.Key.Time, r.event.Point, err)
	}
	r.add(t, g, f, offset)
	return nil
}

// trackOf returns the track of a fragment, nil if the fragment is there already.
func (r *spoolRecording) trackOf(f *smooth.Fragment) (*spoolTrack, error) {
	fault := func(sentinel error) error {
		return fmt.Errorf("livesmooth: spool: fragment %s %d at %d bits/s of %s, %d bytes, timescale %d: %w",
			f.Key.Stream, f.Key.Time, f.Key.Bitrate, r.event.Point, f.Size(), f.Timescale, sentinel)
	}
	switch limit := r.spool.opts.MaxBytes; {
	case f.Timescale != scale:
		return nil, fault(ErrMedia)
	case f.Size() > math.MaxUint32 || limit > 0 && f.Size() > limit:
		return nil, fault(ErrLimit)
	}
	k := f.Key
	k.Time = 0
	r.mu.RLock()
	defer r.mu.RUnlock()
	t := r.tracks[k]
	if t == nil {
		return nil, fault(ErrNoHeader)
	}
	if _, known := t.find(f.Key.Time); known {
		return nil, nil
	}
	return t, nil
}

// room returns the segment that the next n bytes go to.
func (r *spoolRecording) room(n int64) (*spoolSegment, error) {
	for limit := r.spool.opts.MaxBytes; limit > 0 && r.bytes+n > limit; {
		r.dropOldest()
	}
	if r.current != nil && r.current.size+n > r.spool.opts.SegmentBytes {
		r.retire(false)
	}
	if r.current != nil {
		return r.current, nil
	}
	g, err := r.spool.create(segmentName(r.number, r.last+1))
	if err != nil {
		return nil, err
	}
	r.last++
	g.number = r.last
	r.current = g
	return g, nil
}

// retire ends writing to the current segment, and gives it up if there is nothing in it.
func (r *spoolRecording) retire(torn bool) {
	g := r.current
	r.current = nil
	g.seal(torn)
	if g.fragments == 0 {
		g.release()
	}
}

// add makes a fragment that was written readable.
func (r *spoolRecording) add(t *spoolTrack, g *spoolSegment, f *smooth.Fragment, offset int64) {
	payload := f.PayloadSize()
	e := spoolEntry{
		time: f.Key.Time, duration: f.Duration, offset: uint32(offset), segment: g.number,
		head: uint32(f.Size() - payload), payload: uint32(payload),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.fragments == 0 {
		r.segments = append(r.segments, g)
	}
	g.fragments++
	r.bytes += e.size()
	t.insert(e, cmp.Or(f.Codec, t.codec), f.ChildTrack)
	r.changed()
}

// segment returns the segment of that number. mu must be held.
func (r *spoolRecording) segment(number uint32) *spoolSegment {
	i, ok := slices.BinarySearchFunc(r.segments, number, func(g *spoolSegment, n uint32) int { return cmp.Compare(g.number, n) })
	if !ok {
		return nil
	}
	return r.segments[i]
}

// dropOldest gives up the oldest segment and what is in it.
func (r *spoolRecording) dropOldest() {
	r.mu.Lock()
	g := r.segments[0]
	r.segments = slices.Delete(r.segments, 0, 1)
	for _, t := range r.declared {
		t.dropSegment(g.number)
	}
	r.changed()
	r.mu.Unlock()
	g.fragments = 0
	r.discard(g)
}

// discard gives up a segment that is out of the index.
func (r *spoolRecording) discard(g *spoolSegment) {
	r.bytes -= g.size
	if g == r.current {
		r.retire(false)
		return
	}
	g.release()
}

// Gap implements [smooth.Recording]. The timeline shows it anyway.
func (r *spoolRecording) Gap(context.Context, smooth.Gap) error { return nil }

// Durable implements [smooth.Recording]: nothing survives a crash.
func (r *spoolRecording) Durable() uint64 { return 0 }

// Trim implements [smooth.Recording]. Files are deleted once all that is in them is older.
func (r *spoolRecording) Trim(ctx context.Context, before uint64) error {
	if err := r.usable(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	trimmed := 0
	for _, t := range r.declared {
		t.trim(before, func(e spoolEntry) {
			r.segment(e.segment).fragments--
			trimmed++
		})
	}
	var gone []*spoolSegment
	if trimmed > 0 {
		r.segments = slices.DeleteFunc(r.segments, func(g *spoolSegment) bool {
			if g.fragments == 0 {
				gone = append(gone, g)
			}
			return g.fragments == 0
		})
		r.changed()
	}
	r.mu.Unlock()
	for _, g := range gone {
		r.discard(g)
	}
	return nil
}

// Close implements [smooth.Recording]. If the history is in use, what was recorded stays until that is closed, too.
func (r *spoolRecording) Close(context.Context, bool) error {
	r.mu.Lock()
	ended := r.ended
	r.ended = true
	r.changed()
	r.mu.Unlock()
	if ended {
		return nil
	}
	if r.current != nil {
		r.retire(false)
	}
	r.purge()
	return nil
}

// History implements [smooth.Recording].
func (r *spoolRecording) History() smooth.Presentation {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shown = true
	return &spoolHistory{r}
}

// purge deletes all that is not lent, if neither the recording nor the history is in use.
func (r *spoolRecording) purge() {
	r.mu.Lock()
	var segments []*spoolSegment
	if r.ended && !r.shown {
		segments = r.segments
		r.segments, r.tracks, r.declared = nil, nil, nil
		r.changed()
	}
	r.mu.Unlock()
	for _, g := range segments {
		g.release()
	}
}
