package playlist

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Part is one presentation of those that a [Stitched] plays one after the other.
type Part struct {
	// Name is what the source calls the presentation.
	Name string
	// Entry is the number of the entry that the part is, for the application; it is told in the log.
	Entry int
}

// StitchOptions tune a [Stitched]. A nil pointer and the zero value mean the documented defaults.
type StitchOptions struct {
	// Gate, if set, is called once per fragment that is asked for and exists, before anything of it is read. The span is
	// on the timeline of the part, of which zero is where its earliest picture or sound begins. An error is what
	// [Stitched.Fragment] then returns, as it is. Outputs also open fragments to measure them when a playlist is asked
	// for, and answer from caches without opening any; who must see every request asks [Stitched.Locate].
	Gate func(ctx context.Context, part int, key smooth.FragmentKey, from, to time.Duration) error
	// Delivered, if set, is called when a fragment is closed, with its size in bytes, however much of it was read. ctx is
	// that of the call of [Stitched.Fragment]. It must not block.
	Delivered func(ctx context.Context, part int, from, to time.Duration, bytes int64)
	// SmoothOnly leaves out the parts that can stand in the presentation but not over Smooth Streaming. Without it they
	// are kept, and the presentation is one for HLS alone.
	SmoothOnly bool
	// Logger gets a warning for each part that is left out. Nil means slog.Default(). Names of parts are told at debug
	// level only.
	Logger *slog.Logger
}

// Stitched is one presentation on demand of several that follow each other, each with its own codec configurations:
// a programme with advertisements. Its timeline starts at 0, and each part begins as early as none of its streams overlaps
// that of the part before it; the streams of a part keep their distance. Where a stream would have a gap between parts, the
// last sample of the part lasts longer instead. Each part is a period after a discontinuity.
//
// One part says what there is: one picture, its sounds in the codec of the first one, and the quality levels of both. It
// is the longest one in the codecs that most of the time is in, of the parts that have both picture and sound if there are
// such. Every other part gives to each level the one of its own that is nearest in bit rate, and to each sound the one in
// the same language or else its first. Texts are those of all parts; where a part has none there are fragments without
// text. Times of text must count from the fragment, as those of packagers do.
//
// A part is left out, with a warning, if it cannot be opened, is live or protected, lacks sound or picture where the
// others have it, or has another codec; [Stitched.Parts] tells why. Sizes of pictures and parameter sets may differ. As
// clients of Smooth Streaming are told one configuration per level, each fragment of a level that has several then
// begins with its own parameter sets. Configurations of sound cannot be told in such a way: where they differ, only HLS
// shows the presentation, and [smooth.Snapshot.NotSmooth] says why, unless SmoothOnly is set.
//
// Fragments are those of the parts with new times; their bytes depend on nothing but the parts. Sources are opened per
// use and never held, so that a part that is replaced is noticed. A Stitched is safe for concurrent use.
type Stitched struct {
	*stitching
	gate      func(ctx context.Context, part int, key smooth.FragmentKey, from, to time.Duration) error
	delivered func(ctx context.Context, part int, from, to time.Duration, bytes int64)
}

// stitching is what a Stitched and those made of it have in common.
type stitching struct {
	src        smooth.Source
	name       string
	parts      []Part
	smoothOnly bool
	log        *slog.Logger

	state atomic.Pointer[stitchState]
}

// MaxParts is the largest number of parts of a [Stitched].
const MaxParts = 4096

// NewStitched returns the presentation of parts of src, which must not be changed afterwards. name is for errors. Nothing is
// opened before the first use. A nil opts means the documented defaults.
func NewStitched(src smooth.Source, name string, parts []Part, opts *StitchOptions) *Stitched {
	var o StitchOptions
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	common := &stitching{src: src, name: name, parts: parts, smoothOnly: o.SmoothOnly, log: o.Logger}
	return &Stitched{stitching: common, gate: o.Gate, delivered: o.Delivered}
}

// With returns the same presentation with another Gate and Delivered, such as those of one viewer. It costs nothing: what
// is known of the parts is shared, and so are the snapshots.
func (s *Stitched) With(gate func(ctx context.Context, part int, key smooth.FragmentKey, from, to time.Duration) error,
	delivered func(ctx context.Context, part int, from, to time.Duration, bytes int64)) *Stitched {
	return &Stitched{stitching: s.stitching, gate: gate, delivered: delivered}
}

// Close implements [smooth.Presentation]. There is nothing to release.
func (s *Stitched) Close() error { return nil }

// Snapshot implements [smooth.Presentation]. If no part can be shown, the error is why the first one cannot, and wraps
// [smooth.ErrNotFound] if there are none.
func (s *Stitched) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	st, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return st.snap, nil
}

// StitchedPart is what became of a [Part].
type StitchedPart struct {
	Part
	// Start and Duration are on the timeline of the whole.
	Start, Duration time.Duration
	// Err says why the part is left out; nil if it is not. Its text may hold names.
	Err error
}

// Parts returns the parts in order, also those that are left out.
func (s *Stitched) Parts(ctx context.Context) ([]StitchedPart, error) {
	st, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]StitchedPart, len(s.parts))
	for i := range out {
		p := &st.parts[i]
		out[i] = StitchedPart{Part: s.parts[i], Start: wall(p.start), Duration: wall(p.end - p.start), Err: p.err}
	}
	return out, nil
}

// Place is a span of a part.
type Place struct {
	// Part is the position of the part.
	Part int
	// From and To are on the timeline of the part, as for Gate.
	From, To time.Duration
}

// Locate returns where the fragment of a key is, with the count-1 fragments after it in the stream as far as they are of the
// same part. Segments of HLS are such: their URLs have the key of the first fragment and the number of fragments. The
// error wraps [smooth.ErrNotFound].
func (s *Stitched) Locate(ctx context.Context, k smooth.FragmentKey, count int) (Place, error) {
	st, err := s.current(ctx)
	if err != nil {
		return Place{}, err
	}
	at, err := st.find(k)
	if err != nil {
		return Place{}, fmt.Errorf("playlist: %s: %w", s.name, err)
	}
	return st.place(&at, count), nil
}

// place returns the span of count fragments of one part.
func (st *stitchState) place(at *stitchedAt, count int) Place {
	p := &st.parts[at.span.part]
	line, scale := at.stream.out.Timeline, at.stream.timescale
	last := min(at.pos+max(count, 1), at.span.first+at.stream.count(at.span)) - 1
	from, to := toStitch(line[at.pos].Time, scale), toStitch(line[last].End(), scale)
	from, to = max(from, p.start), min(to, p.end)
	return Place{Part: at.span.part, From: wall(from - p.start), To: wall(max(to, from) - p.start)}
}

// stitchScale is the timescale of places of parts, in ticks per second: that of Smooth Streaming.
const stitchScale = smooth.DefaultTimescale

// maxStitched bounds the timeline, in ticks of stitchScale, so that it fits a time.Duration.
const maxStitched = 1 << 56

// toStitch converts ticks of a timescale.
func toStitch(t, timescale uint64) uint64 { return smooth.Rescale(t, timescale, stitchScale) }

// wall returns ticks of stitchScale, at most maxStitched, as a duration.
func wall(t uint64) time.Duration {
	return time.Duration(min(t, maxStitched)) * (time.Second / stitchScale)
}

// stitchState is what was made of one snapshot of each source. It is immutable.
type stitchState struct {
	snap    *smooth.Snapshot
	sources []stitchSource
	parts   []stitchPart
	streams []stitchStream // as in the manifest of snap
}

// stitchSource is a presentation that parts are.
type stitchSource struct {
	name string
	snap *smooth.Snapshot // nil if there is an error
	err  error
}

// current returns the state for the present snapshots of the sources. Two who find it outdated may both make one; the
// first one counts.
func (s *stitching) current(ctx context.Context) (*stitchState, error) {
	old := s.state.Load()
	if old != nil && s.isCurrent(ctx, old) {
		return old, nil
	}
	st, err := s.build(ctx)
	if err != nil {
		return nil, err
	}
	if !s.state.CompareAndSwap(old, st) {
		return s.state.Load(), nil
	}
	if old != nil {
		old.snap.Supersede()
	}
	s.warn(st)
	return st, nil
}

// isCurrent reports whether the sources still have the snapshots that st was made of. A source that fails for the moment
// changes nothing: viewers are in the middle of the timeline.
func (s *stitching) isCurrent(ctx context.Context, st *stitchState) bool {
	for i := range st.sources {
		x := &st.sources[i]
		snap, err := snapshotOf(ctx, s.src, x.name)
		switch {
		case err == nil && snap == x.snap:
		case err == nil, x.err == nil && lasting(err):
			return false
		}
	}
	return true
}

// lasting reports whether an error says something about a presentation, and not about the moment.
func lasting(err error) bool {
	for _, what := range [...]error{smooth.ErrNotFound, smooth.ErrGone, smooth.ErrUnsupported, smooth.ErrCorrupt, smooth.ErrTooLarge} {
		if errors.Is(err, what) {
			return true
		}
	}
	return false
}

// snapshotOf returns the present snapshot of a presentation.
func snapshotOf(ctx context.Context, src smooth.Source, name string) (*smooth.Snapshot, error) {
	p, err := src.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Snapshot(ctx)
}

// warn tells what is left out, without names: the log of an operator is not the place for what a playlist hides.
func (s *stitching) warn(st *stitchState) {
	for i := range st.parts {
		if err := st.parts[i].err; err != nil {
			s.log.Warn("playlist: part left out of the stitched presentation", "entry", s.parts[i].Entry, "reason", reasonOf(err))
			s.log.Debug("playlist: part left out", "entry", s.parts[i].Entry, "name", s.parts[i].Name, "error", err)
		}
	}
	if err := st.snap.NotSmooth; err != nil {
		s.log.Warn("playlist: stitched presentation is for HLS alone", "reason", reasonOf(err))
	}
}

// reasonOf returns what may be said of an error.
func reasonOf(err error) string {
	var u *smooth.UnsupportedError
	if errors.As(err, &u) {
		return u.Error()
	}
	for _, what := range [...]error{smooth.ErrNotFound, smooth.ErrGone, smooth.ErrUnsupported, smooth.ErrCorrupt, smooth.ErrTooLarge} {
		if errors.Is(err, what) {
			return what.Error()
		}
	}
	return "cannot be opened"
}
