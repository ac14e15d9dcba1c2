package livesmooth

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// relays are what an event gives to other servers. It is safe for concurrent use.
type relays struct {
	version atomic.Uint64 // of the list of streams

	mu      sync.Mutex // guards the fields below
	changed chan struct{}
	links   []*link
}

// wait returns a channel that is closed when the list of streams changes.
func (r *relays) wait() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// change tells that the list of streams has changed.
func (r *relays) change() {
	r.version.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// relayHeader is the header of an input stream as other servers get it: with the names and bit rates that the tracks have
// here, so that they have them there, too. It is immutable.
type relayHeader struct {
	raw []byte
	ids map[*track]uint32 // track_ID in raw
	// tracks in the order of the header; nil where the bit rate is not known yet.
	tracks []*track
}

// relay makes the header of an input stream, or one with more tracks, known to other servers. mu must be held.
func (b *broadcast) relay(in *input) {
	if in.header == nil {
		return
	}
	h := newRelayHeader(in)
	if old := in.log.declared(); old != nil && bytes.Equal(old.raw, h.raw) && maps.Equal(old.ids, h.ids) {
		return
	}
	in.log.declare(h)
	b.relays.change()
}

// newRelayHeader makes the header of an input stream. The broadcast's mu must be held.
func newRelayHeader(in *input) *relayHeader {
	h := &relayHeader{raw: in.header.raw, ids: make(map[*track]uint32)}
	named := *in.header
	named.tracks = slices.Clone(named.tracks)
	changed := false
	for i := range named.tracks[:min(len(named.tracks), len(in.tracks))] {
		t, tr := &named.tracks[i], in.tracks[i]
		h.tracks = append(h.tracks, tr)
		if tr == nil {
			continue
		}
		h.ids[tr] = t.id
		changed = t.call(tr) || changed
	}
	if changed && named.rewrite() == nil { // it was read from such boxes, so it can be written
		h.raw = named.raw
	}
	return h
}

// call gives a track of a header the name and bit rate of the presentation's track, and reports whether that changes it.
func (t *pushTrack) call(tr *track) bool {
	changed := false
	if t.bitrate != tr.key.Bitrate {
		t.bitrate, changed = tr.key.Bitrate, true
	}
	if name := tr.key.Stream; t.stream.Name != name {
		t.stream.Name, changed = name, true
		if t.server != nil {
			st := *t.server
			st.Params = slices.Clone(st.Params)
			setParam(&st, "trackName", name)
			t.server = &st
		}
	}
	return changed
}

// relayed returns the input streams that other servers can have, in the order in which they registered.
func (b *broadcast) relayed() []relayedInput {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []relayedInput
	for _, in := range b.inputs {
		if in.log.declared() != nil {
			list = append(list, relayedInput{in, streamRef{b.eventID, in.id, in.ended}})
		}
	}
	return list
}

type relayedInput struct {
	in  *input
	ref streamRef
}

// headerFor returns a header with a StreamManifest box that lists the input streams there are, behind ftyp, in place of what
// the encoder sent. An input stream that has ended is among them, since a server that joins late needs it like the others.
func (b *broadcast) headerFor(h *relayHeader) []byte {
	var refs []streamRef
	for _, r := range b.relayed() {
		refs = append(refs, streamRef{event: r.ref.event, id: r.ref.id})
	}
	streams := fmp4.AppendFullUUID(nil, fmp4.UUIDStreamManifest, appendStreamManifest(nil, refs))
	var out []byte
	for rest := h.raw; len(rest) > 0; {
		box := firstBox(rest)
		rest = rest[len(box):]
		if len(box) >= 24 && string(box[4:8]) == "uuid" && fmp4.UUID(box[8:24]) == fmp4.UUIDStreamManifest {
			continue
		}
		out = append(out, box...)
		if streams != nil {
			out, streams = append(out, streams...), nil
		}
	}
	return out
}

// firstBox returns the first box of a header that was read from boxes, or all that is left.
func firstBox(b []byte) []byte {
	if len(b) >= 8 {
		if n := binary.BigEndian.Uint32(b); n >= 8 && uint64(n) <= uint64(len(b)) {
			return b[:n]
		}
	}
	return b
}

// link is another server that is fed, for the statistics. It is safe for concurrent use.
type link struct {
	name, target string

	mu    sync.Mutex // guards the fields below
	feeds map[*feed]error
	gone  int64 // fragments that feeds which have ended did not send
}

// open returns the link with that name and target, which is added if there is none.
func (r *relays) open(name, target string) *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.find(name, target)
}

// find is open with mu held.
func (r *relays) find(name, target string) *link {
	for _, l := range r.links {
		if l.name == name && l.target == target {
			return l
		}
	}
	l := &link{name: name, target: target, feeds: make(map[*feed]error)}
	r.links = append(r.links, l)
	return l
}

// attach adds a feed to the link with that name and target.
func (r *relays) attach(name, target string, f *feed) *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.find(name, target)
	l.set(f, nil)
	return l
}

// detach takes a feed out of a link, and the link if it was the last.
func (r *relays) detach(l *link, f *feed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.remove(f) == 0 {
		r.links = slices.DeleteFunc(r.links, func(o *link) bool { return o == l })
	}
}

// set notes how a feed is: err is nil if it goes on.
func (l *link) set(f *feed, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.feeds[f] = err
}

// remove takes a feed out and returns how many are left.
func (l *link) remove(f *feed) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.feeds[f]; ok {
		delete(l.feeds, f)
		l.gone += f.dropped.Load()
	}
	return len(l.feeds)
}

// stats returns the counters of all links.
func (r *relays) stats() []SinkStats {
	r.mu.Lock()
	links := slices.Clone(r.links)
	r.mu.Unlock()
	var list []SinkStats
	for _, l := range links {
		list = append(list, l.stats())
	}
	return list
}

func (l *link) stats() SinkStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := SinkStats{Name: l.name, Target: l.target, Dropped: l.gone}
	for f, err := range l.feeds {
		n, bytes := f.in.log.backlog(f.number.Load())
		s.Queued += n
		s.QueuedBytes += bytes
		s.Dropped += f.dropped.Load()
		if err != nil {
			s.Err, s.Failing = err, true
		}
	}
	return s
}
