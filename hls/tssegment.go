package hls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// maxSegment bounds a segment that is made in memory, in bytes.
const maxSegment = 512 << 20

// A tsSegment is a segment of MPEG-2 TS about to be made: all its samples are known, none of their bytes are.
type tsSegment struct {
	number  uint64
	tracks  []*units // picture first
	muxer   *mpegts.Muxer
	muxers  *sync.Pool       // where the muxer came from, or nil
	protect *sampleEncrypter // of SAMPLE-AES, or nil
}

// close gives back the fragments and the muxer.
func (t *tsSegment) close() {
	if t.muxers != nil {
		t.muxers.Put(t.muxer)
		t.muxers = nil
	}
	for _, u := range t.tracks {
		u.close()
	}
}

// collect finds the samples of a segment of rendition r, with its sound if the layout has it there.
func (w *show) collect(ctx context.Context, p smooth.Presentation, r *rendition, pl *plan, s *segment) (*tsSegment, error) {
	t := &tsSegment{number: s.number}
	done := false
	defer func() {
		if !done { // an error, or a panic of the presentation
			t.close()
		}
	}()
	u := newUnits()
	t.tracks = append(t.tracks, u)
	var err error
	if r.stream.Type == smooth.Video {
		var delay uint64
		if delay, err = w.decodeDelay(ctx, p, r); err == nil {
			err = u.collectVideo(ctx, p, r, s.first, s.count, delay)
		}
	} else {
		whole := reach{pl.line[s.first].Time, pl.line[s.first+s.count-1].End(), pl.timescale}
		err = u.collectAudio(ctx, p, r, whole, pl.timescale, packAlone)
	}
	if sound := w.sound(r); err == nil && sound != nil {
		u := newUnits()
		t.tracks = append(t.tracks, u)
		err = u.collectAudio(ctx, p, sound, w.reachOf(pl, s), w.snap.Manifest.TimescaleOf(sound.stream), packMuxed)
	}
	if err == nil {
		t.keepClock(w.snap.Ended && s.first+s.count == len(pl.line))
		err = t.takeMuxer(r, w.sound(r))
	}
	if done = err == nil; !done {
		return nil, err
	}
	return t, nil
}

// keepClock makes the units of the main track, which carries the clock references, last until the next one, and that at
// the very end as long as there is sound: references come in between for as long as a unit lasts. Elsewhere the next
// segment has the next reference.
func (t *tsSegment) keepClock(final bool) {
	list := t.tracks[0].list
	for i := 1; i < len(list); i++ {
		list[i-1].lastUntil(list[i].dts)
	}
	if !final || len(t.tracks) < 2 || len(list) == 0 || len(t.tracks[1].list) == 0 {
		return
	}
	end := t.tracks[1].list[len(t.tracks[1].list)-1]
	list[len(list)-1].lastUntil(end.dts + uint64(end.duration))
}

// reachOf returns the time of which a segment has the sound. What comes before the first picture and, of a presentation
// that has ended, after the last one belongs to the first and the last segment.
func (w *show) reachOf(pl *plan, s *segment) reach {
	at := reach{s.start, s.end, pl.timescale}
	if s.first == 0 && !w.snap.Manifest.IsLive {
		at.start = 0
	}
	if s.first+s.count == len(pl.line) && w.snap.Ended {
		at.end = math.MaxUint64
	}
	return at
}

// takeMuxer finds a muxer for the tracks, of rendition r and its sound, if any: one that has been used before, unless
// something differs from what is usual.
func (t *tsSegment) takeMuxer(r, sound *rendition) error {
	usual := len(t.tracks[0].list) > 0 && t.tracks[0].codec == r.codec
	if sound != nil {
		usual = usual && len(t.tracks[1].list) > 0 && t.tracks[1].codec == sound.codec
	}
	if usual {
		t.muxers = r.muxers
		if t.muxer, _ = t.muxers.Get().(*mpegts.Muxer); t.muxer != nil {
			return nil
		}
	}
	if err := t.newMuxer(); err != nil {
		t.muxers = nil
		return err
	}
	return nil
}

// newMuxer makes a muxer. A track without samples is not declared: players would wait for it.
func (t *tsSegment) newMuxer() error {
	kept := t.tracks[:0]
	for _, u := range t.tracks {
		if len(u.list) == 0 {
			u.close()
			continue
		}
		kept = append(kept, u)
	}
	t.tracks = kept
	if len(kept) == 0 {
		return fmt.Errorf("hls: segment %d has no samples: %w", t.number, smooth.ErrNotFound)
	}
	var err error
	t.muxer, err = mpegts.NewMuxer(t.streams())
	return err
}

// streams returns how MPEG-2 TS carries the tracks.
func (t *tsSegment) streams() []mpegts.Stream {
	var list []mpegts.Stream
	for _, u := range t.tracks {
		list = append(list, elementary(u.codec))
	}
	return list
}

// size returns an upper bound of the bytes of the segment, which is exact for most. Packets with nothing but a clock
// reference do not count in the cycles of the continuity counters, which are complete.
func (t *tsSegment) size() int64 {
	total := uint64(mpegts.TablesSize)
	for i, u := range t.tracks {
		payload, clock := uint64(0), uint64(0)
		for j := range u.list {
			l := u.list[j].load()
			l.Duration = 0
			n := t.muxer.SizeBound(i, l)
			l.Duration = uint64(u.list[j].duration)
			payload += n
			clock += t.muxer.SizeBound(i, l) - n
		}
		const cycle = 16 * mpegts.PacketSize
		total += (payload+cycle-1)/cycle*cycle + clock
	}
	return int64(total)
}

// load returns what a unit adds to the sizes of its stream.
func (x *unit) load() mpegts.Load {
	l := mpegts.Load{Units: 1, Frames: uint64(max(x.frames, 1)), Bytes: uint64(x.size), Duration: uint64(x.duration)}
	if x.sync {
		l.Sync = 1
	}
	return l
}

// append makes the segment.
func (t *tsSegment) append(ctx context.Context, dst []byte) ([]byte, error) {
	size := t.size()
	if size > maxSegment {
		return dst, fmt.Errorf("hls: segment %d of %d bytes: %w", t.number, size, smooth.ErrTooLarge)
	}
	return t.each(ctx, slices.Grow(dst, int(size)), nil)
}

// each makes the segment and calls done, if set, after each unit. It gets what has been made, in which the unit starts at
// an offset, and returns where to go on: what has been written elsewhere need not be kept.
func (t *tsSegment) each(ctx context.Context, dst []byte, done func(made []byte, x *unit, start int) ([]byte, error)) ([]byte, error) {
	w := newTSWriter(ctx, t, dst)
	defer w.close()
	w.done = done
	err := w.all()
	return w.dst, err
}

// measure returns the exact size of the segment and checks its samples. It reports false if samples have to be read for
// that, which is better done only once.
func (t *tsSegment) measure(ctx context.Context) (int64, bool, error) {
	w := newTSWriter(ctx, t, nil)
	defer w.close()
	w.measured, w.measuring = int64(len(w.dst)), true
	err := w.all()
	if errors.Is(err, errNotInMemory) {
		return 0, false, nil
	}
	return w.measured, err == nil, err
}

// errNotInMemory ends measuring.
var errNotInMemory = errors.New("not in memory")

// streamChunk is how much of a segment is made before it is written, in bytes, so that it is still in the cache of the
// processor then.
const streamChunk = 512 << 10

// stream makes the segment and writes it piece by piece.
func (t *tsSegment) stream(ctx context.Context, out io.Writer) (int64, error) {
	buf := getBuffer(streamChunk * 3 / 2)
	defer putBuffer(buf)
	var written int64
	flush := func(made []byte) ([]byte, error) {
		n, err := out.Write(made)
		written += int64(n)
		return made[:0], err
	}
	rest, err := t.each(ctx, *buf, func(made []byte, _ *unit, _ int) ([]byte, error) {
		if len(made) < streamChunk {
			return made, nil
		}
		return flush(made)
	})
	if err == nil {
		_, err = flush(rest)
	}
	return written, err
}

// A tsWriter is a segment of MPEG-2 TS in the making.
type tsWriter struct {
	*tsSegment
	ctx     context.Context
	dst     []byte
	next    []int // unit per track
	readers []payloadReader
	unit    mpegts.Unit

	done func(made []byte, x *unit, start int) ([]byte, error) // or nil

	measuring bool // instead of making
	measured  int64
}

func newTSWriter(ctx context.Context, t *tsSegment, dst []byte) *tsWriter {
	return &tsWriter{
		tsSegment: t, ctx: ctx, dst: t.muxer.Start(dst, t.number),
		next: make([]int, len(t.tracks)), readers: make([]payloadReader, len(t.tracks)),
	}
}

func (w *tsWriter) close() {
	for i := range w.readers {
		w.readers[i].close()
	}
}

// all makes the whole segment, fragment by fragment of the main track.
func (w *tsWriter) all() error {
	main := w.tracks[0]
	for w.next[0] < len(main.list) {
		n := main.list[w.next[0]].fragment
		lent, err := main.fragments[n].Borrow(func(at func(off int64, n int) []byte) error { return w.run(n, at) })
		if !lent && w.measuring {
			err = errNotInMemory
		} else if !lent {
			err = w.run(n, nil)
		}
		if err != nil {
			return err
		}
	}
	return w.run(-1, nil)
}

// run writes units in the order of their times until the main track leaves a fragment, whose bytes at returns unless it
// is nil. Without a fragment it writes all that is left.
func (w *tsWriter) run(fragment int32, at func(off int64, n int) []byte) error {
	for {
		i := w.earliest(w.next)
		if i < 0 {
			return nil
		}
		tr := w.tracks[i]
		x := &tr.list[w.next[i]]
		var data []byte
		if i == 0 && fragment >= 0 {
			if x.fragment != fragment {
				return nil
			}
			if at != nil {
				data = at(x.offset, int(x.size))
			}
		}
		if data == nil {
			var err error
			if data, err = w.readers[i].read(w.ctx, tr, x); err != nil {
				return err
			}
		}
		w.next[i]++
		if err := w.write(i, tr, x, data); err != nil {
			return fmt.Errorf("hls: fragment %s %d, byte %d of its samples: %w", tr.fragments[x.fragment].Key.Stream,
				tr.fragments[x.fragment].Key.Time, x.offset, err)
		}
	}
}

// write writes one unit.
func (w *tsWriter) write(i int, tr *units, x *unit, data []byte) (err error) {
	u := &w.unit
	u.DTS, u.PTS, u.Duration, u.Sync, u.Last = x.dts, x.pts, x.duration, x.sync, w.next[i] == len(tr.list)
	u.Data, u.Frames = data, u.Frames[:0]
	if x.frames > 0 {
		u.Data = nil
		for _, n := range tr.sizes[x.first : x.first+x.frames] {
			u.Frames = append(u.Frames, data[:n:n])
			data = data[n:]
		}
	}
	if w.protect != nil {
		if err = w.protect.unit(u, tr.codec); err != nil {
			return err
		}
	}
	if w.measuring {
		n, err := w.muxer.Measure(i, u)
		w.measured += int64(n)
		return err
	}
	start := len(w.dst)
	if w.dst, err = w.muxer.Append(w.dst, i, u); err == nil && w.done != nil {
		w.dst, err = w.done(w.dst, x, start)
	}
	return err
}

// earliest returns the track whose next unit is to be decoded first, or -1 at the end.
func (t *tsSegment) earliest(next []int) int {
	best := -1
	for i, u := range t.tracks {
		if next[i] < len(u.list) && (best < 0 || u.list[next[i]].dts < t.tracks[best].list[next[best]].dts) {
			best = i
		}
	}
	return best
}

// A payloadReader gives the bytes of units, one fragment at a time.
type payloadReader struct {
	loaded int32 // fragment + 1
	data   []byte
	buf    *[]byte
}

func (r *payloadReader) read(ctx context.Context, u *units, x *unit) ([]byte, error) {
	if r.loaded != x.fragment+1 {
		f := u.fragments[x.fragment]
		if r.buf == nil || int64(cap(*r.buf)) < f.PayloadSize() {
			r.close()
			if f.PayloadSize() > maxSegment {
				return nil, fmt.Errorf("hls: fragment %s %d of %d bytes: %w", f.Key.Stream, f.Key.Time, f.PayloadSize(), smooth.ErrTooLarge)
			}
			r.buf = getBuffer(int(f.PayloadSize()))
		}
		data, err := f.Load(ctx, (*r.buf)[:0])
		if err != nil {
			return nil, err
		}
		r.data, r.loaded = data, x.fragment+1
	}
	return r.data[x.offset : x.offset+int64(x.size)], nil
}

// close gives back the memory. Data that has been read is not valid any more.
func (r *payloadReader) close() {
	if r.buf != nil {
		putBuffer(r.buf)
	}
	*r = payloadReader{}
}
