package archive

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// lookahead is how many fragments each one announces, as those of a publishing point do by default.
const lookahead = 2

// liveTrackID is the track_ID in fragments that live viewers get. Input streams number tracks as they like.
const liveTrackID = fmp4.CMAFTrackID

// liveView shows a presentation that grows to live viewers, in the way of a publishing point. It lists what has its look-ahead,
// and puts that into the fragments: players take a timeline from the manifest once and follow tfrf from then on. Sparse
// streams are listed as far as their parents. Once the presentation has ended everything is listed, and the fragments stay
// as they are. It is safe for concurrent use.
type liveView struct {
	of    waitingSizer
	users users
	watchers
	stop func()

	state atomic.Pointer[liveState] // nil if it has to be made
	build sync.Mutex                // held while it is made
}

// liveState is a snapshot with what it is made of.
type liveState struct {
	snap  *smooth.Snapshot
	lines []liveLine // by stream
}

// liveLine is what is known of a stream.
type liveLine struct {
	received smooth.Timeline
	listed   int
	sparse   bool
	children []int // streams that hang on it
}

// newLiveView returns the view with one user. It takes over the presentation, which has all its fragments in timelines of
// [smooth.DefaultTimescale] and tells when it changes.
func newLiveView(of waitingSizer) *liveView {
	v := &liveView{of: of}
	v.users.init()
	v.stop = watchOf(of, v.changed)
	return v
}

// retain adds a user, who closes it too. It reports false if all have.
func (v *liveView) retain() bool { return v.users.add() }

// Close implements [smooth.Presentation].
func (v *liveView) Close() error {
	if !v.users.drop() {
		return nil
	}
	v.stop()
	return v.of.Close()
}

func (v *liveView) watch(changed func()) (stop func()) { return v.add(changed) }

// changed gives up the snapshot.
func (v *liveView) changed() {
	v.build.Lock() // what is being made may be of the snapshot that has been superseded just now
	old := v.state.Swap(nil)
	v.build.Unlock()
	if old != nil {
		old.snap.Supersede()
		v.tell()
	}
}

// Snapshot implements [smooth.Presentation].
func (v *liveView) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	s, err := v.current(ctx)
	if err != nil {
		return nil, err
	}
	return s.snap, nil
}

// current returns the state.
func (v *liveView) current(ctx context.Context) (*liveState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if v.users.none() {
		return nil, fmt.Errorf("archive: %w", smooth.ErrClosed)
	}
	if s := v.state.Load(); s != nil {
		return s, nil
	}
	v.build.Lock()
	defer v.build.Unlock()
	if s := v.state.Load(); s != nil {
		return s, nil
	}
	base, err := v.of.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	s := newLiveState(base)
	v.state.Store(s)
	return s, nil
}

// newLiveState makes the state for a snapshot that lists everything.
func newLiveState(base *smooth.Snapshot) *liveState {
	m := *base.Manifest
	m.Streams = make([]*smooth.Stream, len(base.Manifest.Streams))
	s := &liveState{lines: linesOf(base)}
	edges := make([]smooth.Edge, len(m.Streams))
	some := false
	for i, st := range base.Manifest.Streams {
		l := &s.lines[i]
		shown := *st
		shown.Timeline = l.received[:l.listed:l.listed]
		shown.DeclaredChunks = uint32(l.listed)
		if shown.Embedded != nil {
			shown.Embedded = shown.Embedded[:l.listed:l.listed]
		}
		m.Streams[i] = &shown
		edges[i] = smooth.Edge{Listed: shown.Timeline.End(), Complete: l.received.End(), Received: l.received}
		some = some || !l.sparse && l.listed > 0
	}
	if !base.Ended {
		m.LookaheadCount = lookahead
	}
	s.snap = smooth.NewSnapshot(&m, base.Validator+"-"+strconv.Itoa(lookahead))
	s.snap.Periods, s.snap.Gaps, s.snap.Ended, s.snap.ModTime = base.Periods, base.Gaps, base.Ended, base.ModTime
	s.snap.NotSmooth = base.NotSmooth
	if !base.Ended {
		s.snap.Edges = edges
		if !some && base.NotSmooth == nil {
			s.snap.NotSmooth = fmt.Errorf("archive: nothing is listed yet: %w", smooth.ErrNotYet)
		}
	}
	return s
}

// linesOf returns how far each stream is listed.
func linesOf(base *smooth.Snapshot) []liveLine {
	m := base.Manifest
	lines := make([]liveLine, len(m.Streams))
	for i, st := range m.Streams {
		l := &lines[i]
		l.received, l.sparse = st.Timeline, st.Parent != ""
		l.listed = len(l.received)
		if !base.Ended && !l.sparse {
			l.listed = max(l.listed-lookahead, 0)
		}
	}
	for i, st := range m.Streams {
		parent := -1
		for p, o := range m.Streams {
			if o.Name == st.Parent && p != i && o.Parent == "" {
				parent = p
			}
		}
		if parent < 0 {
			continue
		}
		of, l := &lines[parent], &lines[i]
		of.children = append(of.children, i)
		if base.Ended {
			continue
		}
		// A viewer learns of them with the fragments of the parent.
		l.listed = 0
		if of.listed > 0 {
			edge := of.received[of.listed-1].Time
			l.listed = sort.Search(len(l.received), func(n int) bool { return l.received[n].Time > edge })
		}
	}
	return lines
}

// Fragment implements [smooth.Presentation]. What has been received and is not listed is early.
func (v *liveView) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	s, err := v.current(ctx)
	if err != nil {
		return nil, err
	}
	f, err := v.of.Fragment(ctx, k)
	if err != nil {
		return nil, err
	}
	early, err := f.Header(smooth.Smooth)
	in := smooth.FragmentInit{Key: f.Key, Timescale: f.Timescale, Duration: f.Duration, Codec: f.Codec, Early: true, Of: f}
	if err == nil {
		var next smooth.Timeline
		if i := s.stream(k.Stream); i >= 0 {
			next = s.place(i, &in)
		}
		in.Head, err = liveHead(early, smooth.Chunk{Time: k.Time, Duration: in.Duration}, next)
	}
	if err != nil {
		f.Close()
		return nil, missing(k, fmt.Errorf("%w: %w", err, smooth.ErrCorrupt))
	}
	return smooth.NewFragment(in), nil
}

// stream returns the position of a stream, or -1.
func (s *liveState) stream(name string) int {
	for i, st := range s.snap.Manifest.Streams {
		if st.Name == name {
			return i
		}
	}
	return -1
}

// place sets what follows from the place of a fragment in its stream, and returns the chunks that it announces. Those of a sparse
// stream announce none.
func (s *liveState) place(stream int, in *smooth.FragmentInit) smooth.Timeline {
	l := &s.lines[stream]
	n, ok := l.received.Find(in.Key.Time)
	if !ok {
		return nil
	}
	in.Duration = l.received[n].Duration
	if n >= l.listed {
		return nil
	}
	in.Early = false
	in.ChildTrack = s.pointers(l, in.Key.Time)
	if l.sparse {
		return nil
	}
	return l.received[n+1 : min(n+1+lookahead, len(l.received))]
}

// pointers returns the sparse stream pointer of a fragment: the newest fragment of each child that is not after it. See
// [MS-SSTR] 2.2.5.
func (s *liveState) pointers(l *liveLine, time uint64) string {
	if len(l.children) == 0 {
		return ""
	}
	var list []string
	for _, c := range l.children {
		line := s.lines[c].received
		if n := sort.Search(len(line), func(n int) bool { return line[n].Time > time }); n > 0 {
			list = append(list, s.snap.Manifest.Streams[c].Name+"="+strconv.FormatUint(line[n-1].Time, 10))
		}
	}
	return strings.Join(list, ",")
}

// liveHead returns moof with tfrf, if there is something to announce, and the header of mdat, given a head without.
func liveHead(early []byte, c smooth.Chunk, next smooth.Timeline) ([]byte, error) {
	n := fmp4.MoofSize(early)
	if n < 0 {
		return nil, fmt.Errorf("no moof box")
	}
	// mfhd has to increase, see ISO/IEC 14496-12 8.8.5: the time in milliseconds, as in package livesmooth.
	h := fmp4.LiveHead{Sequence: uint32(c.Time/(scale/1000)) + 1, TrackID: liveTrackID, Time: c.Time, Duration: c.Duration}
	for _, c := range next {
		h.Next = append(h.Next, fmp4.FragmentSpan(c))
	}
	head, err := h.AppendTo(make([]byte, 0, len(early)+fmp4.TfrfSize(len(next))+64), early[:n])
	if err != nil {
		return nil, err
	}
	return append(head, early[n:]...), nil
}

// FragmentSize implements [smooth.Sizer].
func (v *liveView) FragmentSize(k smooth.FragmentKey) (int64, error) { return v.of.FragmentSize(k) }

// Wait implements [smooth.Waiter].
func (v *liveView) Wait(ctx context.Context, k smooth.FragmentKey) error { return await(ctx, v, k) }

var _ waitingSizer = (*liveView)(nil)
