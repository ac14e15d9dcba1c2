package livesmooth

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// feed reads what an input stream has received, in the order in which it came, for one server. The log of the input stream is
// its queue, so a slow server costs nothing and keeps nobody: what leaves the window before it is sent is skipped and counted.
// It is for one goroutine, its counters are for all.
type feed struct {
	b  *broadcast
	in *input
	// from leaves out fragments that start before.
	from uint64
	// jump goes on at the newest fragments when the oldest have left the window, since those after them would be next.
	jump bool
	// number is that of the next fragment in the log.
	number atomic.Uint64
	// dropped counts the fragments that were gone.
	dropped atomic.Int64
	// again are the numbers of fragments that are sent once more, before those from number on.
	again []uint64

	header  *relayHeader // that was sent last; nil if none
	raw     []byte       // as it was sent
	version uint64       // of the list of streams in it
	stated  bool         // that period has been sent
	period  uint64
}

// feedItem is what a server gets next.
type feedItem struct {
	// head are boxes before the fragment: a header, periods.
	head []byte
	// frag is the fragment, nil if there is only head. Whoever gets it closes it.
	frag           *smooth.Fragment
	id             uint32 // track_ID in the header
	track          *track
	time, duration uint64
	number         uint64
}

// farAhead is how far ahead of all that an event has another server may be and still have the same timeline.
const farAhead = uint64(redundantLag / (time.Second / scale)) // in ticks

// newFeed returns a feed that begins with the oldest fragment at or after a time. A time in the future may be one of another
// timeline, of which this server knows nothing: if it is far, or if there is little to send in vain, the feed begins with the
// oldest of all.
func newFeed(b *broadcast, in *input, from uint64) *feed {
	f := &feed{b: b, in: in, from: from}
	if end := b.newestEnd(); from > end+farAhead || from > end && b.isYoung(end) {
		f.from = 0
	}
	return f
}

// isYoung reports whether an event goes on that has not lasted long at a time.
func (b *broadcast) isYoung(end uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.closed && (len(b.periods) == 0 || end < b.periods[0].Start+farAhead)
}

// newestEnd returns the end of the newest fragment.
func (b *broadcast) newestEnd() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := uint64(0)
	for _, st := range b.streams {
		if !st.sparse {
			end = max(end, st.end())
		}
	}
	return end
}

// rewind makes the next item begin with the header, and the fragments with these numbers come before the others.
func (f *feed) rewind(again []uint64) {
	f.header, f.raw, f.stated, f.again = nil, nil, false, again
}

// next returns what is to be sent next. If there is nothing yet it returns what to wait for, and at the end of the stream
// also io.EOF: the encoder may come back. Other errors are those of ctx.
func (f *feed) next(ctx context.Context) (feedItem, <-chan struct{}, error) {
	for {
		if err := ctx.Err(); err != nil {
			return feedItem{}, nil, err
		}
		item, number, wait, ended := f.read()
		switch {
		case wait != nil:
			return f.idle(wait, ended)
		case item.track == nil || item.time < f.from:
			continue
		}
		out, err := f.load(ctx, item, number)
		if err == nil {
			return out, nil, nil
		}
		if ctx.Err() == nil {
			f.dropped.Add(1)
		}
	}
}

// read returns the next entry of the log, without a track if it is to be left out.
func (f *feed) read() (item logItem, number uint64, wait <-chan struct{}, ended bool) {
	if len(f.again) > 0 {
		number, f.again = f.again[0], f.again[1:]
		item, after, wait, _ := f.in.log.read(number)
		if wait != nil || after != number+1 { // has left the window
			return logItem{}, number, nil, false
		}
		return item, number, nil, false
	}
	number = f.number.Load()
	item, after, wait, ended := f.in.log.read(number)
	if wait != nil {
		f.number.Store(after)
		return item, after, wait, ended
	}
	if missed := after - 1 - number; missed > 0 && number > 0 { // at zero it has just begun
		f.dropped.Add(int64(missed))
		if edge := f.edge(); f.jump && edge >= after {
			f.dropped.Add(int64(edge - (after - 1)))
			f.number.Store(edge)
			return logItem{}, edge, nil, false
		}
	}
	f.number.Store(after)
	return item, after - 1, nil, false
}

// edge returns the number to go on with at the live edge: with a few fragments of each track, so that the server there has
// what it needs to go on.
func (f *feed) edge() uint64 {
	n := 1
	if h := f.in.log.declared(); h != nil {
		n = max(len(h.tracks), 1)
	}
	return f.in.log.edge(resent * n)
}

// idle is what there is to send when no fragment is left: the header, if it has changed.
func (f *feed) idle(wait <-chan struct{}, ended bool) (feedItem, <-chan struct{}, error) {
	if head := f.introduce(nil, f.in.log.declared()); head != nil {
		return feedItem{head: head}, nil, nil
	}
	if ended {
		return feedItem{}, wait, io.EOF
	}
	return feedItem{}, wait, nil
}

// load returns a fragment with what has to be before it.
func (f *feed) load(ctx context.Context, item logItem, number uint64) (feedItem, error) {
	h := item.header
	if h == nil {
		h = f.in.log.declared()
	}
	if h == nil {
		return feedItem{}, ErrNoHeader
	}
	id, ok := h.ids[item.track]
	if !ok {
		return feedItem{}, ErrNoHeader
	}
	frag, duration, err := f.b.early(ctx, item.track, item.time)
	if err != nil {
		return feedItem{}, err
	}
	out := feedItem{frag: frag, id: id, track: item.track, time: item.time, duration: duration, number: number}
	out.head = f.introduce(nil, h)
	out.head = f.date(out.head, item.time)
	return out, nil
}

// introduce appends a header if it is not the one that was sent last, or if the list of streams in it has changed.
func (f *feed) introduce(dst []byte, h *relayHeader) []byte {
	version := f.b.relays.version.Load()
	if h == nil || h == f.header && version == f.version {
		return dst
	}
	f.header, f.version = h, version
	raw := f.b.headerFor(h)
	if bytes.Equal(raw, f.raw) {
		return dst
	}
	f.raw = raw
	return append(dst, raw...)
}

// date appends the periods up to a time that have not been sent.
func (f *feed) date(dst []byte, at uint64) []byte {
	f.b.mu.Lock()
	periods := f.b.periods
	f.b.mu.Unlock()
	for i, p := range periods {
		if i > 0 && p.Start > at {
			break
		}
		if f.stated && p.Discontinuity <= f.period {
			continue
		}
		f.stated, f.period = true, p.Discontinuity
		dst = appendPeriod(dst, pushPeriod{start: p.Start, wall: p.Wall, discontinuity: p.Discontinuity})
	}
	return dst
}

// early returns a fragment as it was received, without look-ahead, and its duration: from memory, or from the history of a
// sink.
func (b *broadcast) early(ctx context.Context, tr *track, at uint64) (*smooth.Fragment, uint64, error) {
	tr.mu.Lock()
	i, ok := tr.find(at)
	if !ok {
		tr.mu.Unlock()
		return nil, 0, smooth.ErrGone
	}
	e := tr.entries[i]
	if e.buf != nil {
		e.buf.retain()
		tr.mu.Unlock()
		return earlyFragment(tr, &e), e.duration, nil
	}
	tr.mu.Unlock()
	k := tr.key
	k.Time = at
	err := error(smooth.ErrGone)
	for _, r := range b.recorders {
		if history := r.history(); history != nil {
			var f *smooth.Fragment
			if f, err = history.Fragment(ctx, k); err == nil {
				return f, e.duration, nil
			}
		}
	}
	return nil, 0, err
}

// writeTo writes an item, and closes the fragment.
func (i *feedItem) writeTo(w io.Writer) error {
	if i.frag == nil {
		_, err := w.Write(i.head)
		return err
	}
	defer i.frag.Close()
	head, err := i.frag.Header(smooth.Smooth)
	if err != nil {
		return err
	}
	n := fmp4.MoofSize(head)
	if n < 0 {
		return errHead
	}
	at := i.frag.Key.Time
	live := fmp4.LiveHead{Sequence: sequence(at), TrackID: i.id, Time: at, Duration: i.duration} // the duration is that of the timeline
	moof, err := live.AppendTo(i.head, head[:n])
	if err != nil {
		return err
	}
	if _, err := w.Write(append(moof, head[n:]...)); err != nil {
		return err
	}
	_, err = i.frag.WritePayload(w)
	return err
}

// errHead says that the head of a fragment is not in the form that all heads here have.
var errHead = errors.New("livesmooth: the head of a fragment is not canonical")

// setTrackID sets track_ID in a canonical moof box:
//
//	moof(8) mfhd(16) traf(8) size:32 tfhd:32 version:8 flags:24 track_ID:32
func setTrackID(moof []byte, id uint32) error {
	const traf, at = 8 + 16, 8 + 16 + 8 + 12
	if len(moof) < at+4 || string(moof[traf+4:traf+8]) != "traf" || string(moof[traf+12:traf+16]) != "tfhd" {
		return errHead
	}
	binary.BigEndian.PutUint32(moof[at:], id)
	return nil
}
