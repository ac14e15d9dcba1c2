package livesmooth

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// memorySpoolFragment is the largest fragment that is read into pooled memory and sent in one write. Longer ones are sent
// from the file. It is the bound that package smooth has measured.
const memorySpoolFragment = 64 << 10

// spoolHistory is what a recording holds, as a [smooth.Presentation] and [smooth.Sizer]. It is safe for concurrent use.
type spoolHistory struct{ r *spoolRecording }

// Close implements [smooth.Presentation].
func (h *spoolHistory) Close() error {
	h.r.mu.Lock()
	h.r.shown = false
	h.r.mu.Unlock()
	h.r.purge()
	return nil
}

// spoolHit is a fragment that is there, with a reference to its segment.
type spoolHit struct {
	key     smooth.FragmentKey
	entry   spoolEntry
	codec   *smooth.Codec
	pointer string
	segment *spoolSegment
}

// Fragment implements [smooth.Presentation]. The error wraps [smooth.ErrGone] if this or a later fragment of the track has
// left the window, [smooth.ErrNotFound] for others that are not there, [smooth.ErrClosed], or is that of the file system.
func (h *spoolHistory) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	hit, err := h.r.find(k)
	if err != nil {
		return nil, err
	}
	var f *smooth.Fragment
	if hit.entry.size() <= memorySpoolFragment {
		f, err = hit.read()
	} else {
		f, err = hit.lend()
	}
	if err != nil {
		hit.segment.release()
		return nil, hit.fault(err)
	}
	return f, nil
}

// FragmentSize implements [smooth.Sizer]. It is exact.
func (h *spoolHistory) FragmentSize(k smooth.FragmentKey) (int64, error) {
	hit, err := h.r.find(k)
	if err != nil {
		return 0, err
	}
	hit.segment.release()
	return int64(hit.entry.payload), nil
}

// find looks a fragment up.
func (r *spoolRecording) find(k smooth.FragmentKey) (spoolHit, error) {
	track := k
	track.Time = 0
	r.mu.RLock()
	defer r.mu.RUnlock()
	t := r.tracks[track]
	switch {
	case !r.shown:
		return spoolHit{}, spoolMiss(k, smooth.ErrClosed)
	case t == nil:
		return spoolHit{}, spoolMiss(k, smooth.ErrNotFound)
	}
	i, ok := t.find(k.Time)
	switch {
	case !ok && k.Time < t.gone:
		return spoolHit{}, spoolMiss(k, smooth.ErrGone)
	case !ok:
		return spoolHit{}, spoolMiss(k, smooth.ErrNotFound)
	}
	hit := spoolHit{key: k, entry: t.entries[i], pointer: t.pointers[k.Time], segment: r.segment(t.entries[i].segment)}
	hit.codec, _ = t.codecAt(k.Time)
	hit.segment.refs.Add(1) // the index has one, so there is at least one
	return hit, nil
}

func spoolMiss(k smooth.FragmentKey, err error) error {
	return fmt.Errorf("livesmooth: spool: fragment %s %d: %w", k.Stream, k.Time, err)
}

// fault names the fragment in an error of the file system.
func (x *spoolHit) fault(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return spoolMiss(x.key, err)
}

// init returns what all fragments have in common.
func (x *spoolHit) init() smooth.FragmentInit {
	return smooth.FragmentInit{Key: x.key, Timescale: scale, Duration: x.entry.duration, Codec: x.codec, ChildTrack: x.pointer}
}

// read reads the whole fragment and gives the segment back.
func (x *spoolHit) read() (*smooth.Fragment, error) {
	pool, n := x.segment.spool.pool, int(x.entry.size())
	buf := pool.grab(n)
	if m, err := x.segment.ReadAt(buf[:n], int64(x.entry.offset)); m < n {
		pool.drop(buf)
		return nil, err
	}
	x.segment.release()
	in := x.init()
	in.Memory, in.HeadLen = buf[:n:n], int(x.entry.head)
	in.Release = func() { pool.drop(buf) }
	return smooth.NewFragment(in), nil
}

// lend returns the fragment as a section of the file, with the descriptor that it is sent from. If too many are lent it is
// read piece by piece.
func (x *spoolHit) lend() (*smooth.Fragment, error) {
	spool, segment := x.segment.spool, x.segment
	file, err := spool.files.lease(segment)
	if err != nil {
		return nil, err
	}
	in := x.init()
	in.Offset, in.Size, in.Stored = int64(x.entry.offset)+int64(x.entry.head), int64(x.entry.payload), true
	if in.Body = io.ReaderAt(segment); file != nil {
		in.Body = file
	}
	n := int(x.entry.head)
	buf := spool.pool.grab(n)
	in.Release = func() {
		spool.pool.drop(buf)
		if file != nil {
			spool.files.giveBack(segment, file)
		}
		segment.release()
	}
	if m, err := in.Body.ReadAt(buf[:n], int64(x.entry.offset)); m < n {
		segment.refs.Add(1) // of which the caller gives back one
		in.Release()
		return nil, err
	}
	in.Head = buf[:n:n]
	return smooth.NewFragment(in), nil
}

// Snapshot implements [smooth.Presentation]. It lists what is there: one period, with the newest configuration of each
// track.
func (h *spoolHistory) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := h.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.shown {
		return nil, fmt.Errorf("livesmooth: spool: %w", smooth.ErrClosed)
	}
	if r.snap == nil {
		r.snap = r.snapshot()
	}
	return r.snap, nil
}

// snapshot makes a snapshot. mu must be held.
func (r *spoolRecording) snapshot() *smooth.Snapshot {
	m := &smooth.Manifest{MajorVersion: 2, MinorVersion: 2, Timescale: scale, IsLive: !r.ended}
	period := smooth.Period{}
	for _, t := range r.declared {
		codec := t.codec
		if n := len(t.codecs); n > 0 {
			codec = t.codecs[n-1].codec
		}
		period.Tracks = append(period.Tracks, smooth.Track{Stream: t.key.Stream, Attrs: t.key.Attrs, Bitrate: t.key.Bitrate, Codec: codec})
		i := slices.IndexFunc(m.Streams, func(s *smooth.Stream) bool { return s.Name == t.key.Stream })
		if i < 0 {
			c := *t.stream
			c.Name, c.Timescale, c.Levels, c.Timeline, c.Embedded = t.key.Stream, scale, nil, nil, nil
			i, m.Streams = len(m.Streams), append(m.Streams, &c)
		}
		s := m.Streams[i]
		level := *t.level
		level.Index = uint32(len(s.Levels))
		s.Levels = append(s.Levels, &level)
		s.Timeline = t.timeline(s.Timeline)
	}
	for _, s := range m.Streams {
		slices.SortFunc(s.Timeline, func(a, b smooth.Chunk) int { return cmp.Compare(a.Time, b.Time) })
		s.Timeline = slices.CompactFunc(s.Timeline, func(a, b smooth.Chunk) bool { return a.Time == b.Time })
		s.DeclaredChunks = uint32(len(s.Timeline))
		if !m.IsLive {
			m.Duration = max(m.Duration, s.Timeline.End())
		}
	}
	snap := smooth.NewSnapshot(m, fmt.Sprintf("spool-%d-%x-%d", r.number, r.event.Started.UnixNano(), r.version))
	snap.Periods = []smooth.Period{period}
	return snap
}

var _ interface {
	smooth.Presentation
	smooth.Sizer
} = (*spoolHistory)(nil)
