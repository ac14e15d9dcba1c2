package remote

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// state is what is known of a presentation at one moment. It is immutable; snap is replaced only if what it shows
// changes.
type state struct {
	listing *listing
	lines   []line // per stream of the manifest
	periods []smooth.Period
	zero    time.Time // wall-clock time at the zero of the timeline, if it is known
	// generation counts the contents that the presentation has had: fragments of another one are not its own.
	generation uint64
	ended      time.Time // when it was first found ended after it had been live; zero if it has not been
	snap       *smooth.Snapshot
}

// live reports whether fragments may still come.
func (s *state) live() bool { return s.listing.manifest.IsLive }

// firstState returns the state that a manifest gives, without a snapshot.
func firstState(l *listing, now time.Time) *state {
	s := &state{listing: l}
	for _, st := range l.manifest.Streams {
		s.lines = append(s.lines, newLine(st))
	}
	s.begin(0, now)
	return s
}

// begin starts the first period.
func (s *state) begin(discontinuity uint64, now time.Time) {
	p := smooth.Period{Discontinuity: discontinuity, Tracks: s.listing.tracks}
	start, end := s.span()
	var known bool
	if s.zero, known = wallOf(s.listing.manifest, end, now); known {
		p.Start, p.Wall = start, wallAt(s.zero, start, timescaleOf(s.listing.manifest))
	}
	s.periods = []smooth.Period{p}
}

// span returns where the timelines of sound and picture begin and end, in ticks of the manifest.
func (s *state) span() (start, end uint64) {
	start = math.MaxUint64
	m := s.listing.manifest
	for i := range s.lines {
		if tl := s.lines[i].listed; s.lines[i].follows && len(tl) > 0 {
			own, scale := m.TimescaleOf(m.Streams[i]), timescaleOf(m)
			start, end = min(start, smooth.Rescale(tl.Start(), own, scale)), max(end, smooth.Rescale(tl.End(), own, scale))
		}
	}
	return min(start, end), end
}

// line returns the line of a stream, or nil.
func (s *state) line(name string) *line {
	for i, st := range s.listing.manifest.Streams {
		if st.Name == name {
			return &s.lines[i]
		}
	}
	return nil
}

// next returns the state after a newer manifest of a live presentation, or one that was live, and how it continues. The
// snapshot is still to be made.
func (s *state) next(l *listing, now time.Time) (*state, verdict) {
	out := &state{listing: l, periods: s.periods, zero: s.zero, generation: s.generation}
	worst, had, has := continued, false, false
	for _, st := range l.manifest.Streams {
		fresh := newLine(st)
		if old := s.line(st.Name); old != nil {
			var v verdict
			fresh, v = old.follow(st)
			worst = max(worst, v)
			had = had || old.follows && len(old.listed) > 0
		}
		has = has || len(st.Timeline) > 0
		if !l.manifest.IsLive && fresh.follows { // the last word on what there is
			fresh = newLine(st)
		}
		out.lines = append(out.lines, fresh)
	}
	if worst == restarted || had && !has {
		return s.restart(l, now), restarted
	}
	out.follow(s)
	if !l.manifest.IsLive {
		worst = continued
	}
	return out, worst
}

// restart returns the state of a presentation that has begun anew.
func (s *state) restart(l *listing, now time.Time) *state {
	out := firstState(l, now)
	out.generation = s.generation + 1
	out.begin(s.periods[len(s.periods)-1].Discontinuity+1, now)
	return out
}

// follow makes the periods of a state those of the one before, and begins another one if tracks have gone or go on with
// another configuration.
func (s *state) follow(before *state) {
	last := &before.periods[len(before.periods)-1]
	switch {
	case reflect.DeepEqual(last.Tracks, s.listing.tracks):
	case includes(s.listing.tracks, last.Tracks):
		s.periods = slices.Clone(s.periods)
		s.periods[len(s.periods)-1].Tracks = s.listing.tracks
	default:
		s.addPeriod(s.boundary(before))
	}
	start, _ := s.span()
	for len(s.periods) > 1 && s.periods[1].Start <= start {
		s.periods = s.periods[1:]
	}
}

// includes reports whether all tracks of part are among those of all.
func includes(all, part []smooth.Track) bool {
	for i := range part {
		if !slices.ContainsFunc(all, func(t smooth.Track) bool { return reflect.DeepEqual(t, part[i]) }) {
			return false
		}
	}
	return true
}

// addPeriod begins a period with the tracks of the listing.
func (s *state) addPeriod(start uint64) {
	last := s.periods[len(s.periods)-1]
	p := smooth.Period{Start: start, Discontinuity: last.Discontinuity + 1, Tracks: s.listing.tracks}
	if !last.Wall.IsZero() {
		p.Wall = wallAt(s.zero, start, timescaleOf(s.listing.manifest))
	}
	kept := s.periods
	if start <= last.Start { // nothing has been listed in the last one
		kept = kept[:len(kept)-1]
	}
	s.periods = append(slices.Clip(kept), p)
}

// boundary returns where what an earlier state listed ends: the start of the first fragment after that, in ticks of the
// manifest.
func (s *state) boundary(before *state) uint64 {
	m := s.listing.manifest
	first := uint64(math.MaxUint64)
	for i, st := range m.Streams {
		old := before.line(st.Name)
		if old == nil || !s.lines[i].follows {
			continue
		}
		if after := behindEnd(s.lines[i].listed, old.listed.End()); len(after) > 0 {
			first = min(first, smooth.Rescale(after[0].Time, m.TimescaleOf(st), timescaleOf(m)))
		}
	}
	if first == math.MaxUint64 {
		_, first = before.span()
	}
	return first
}

// publish makes the snapshot.
func (s *state) publish() {
	m := *s.listing.manifest
	m.Streams = make([]*smooth.Stream, len(s.lines))
	for i := range s.lines {
		st := *s.listing.manifest.Streams[i]
		tl := s.lines[i].listed
		st.Timeline, st.Embedded, st.DeclaredChunks = tl[:len(tl):len(tl)], s.lines[i].embedded, uint32(len(tl))
		m.Streams[i] = &st
	}
	s.snap = smooth.NewSnapshot(&m, s.validator())
	s.snap.Periods, s.snap.ModTime = s.periods, s.listing.modTime
	if !m.IsLive {
		return
	}
	s.snap.ModTime = time.Time{}
	s.snap.Edges = make([]smooth.Edge, len(s.lines))
	for i, st := range m.Streams {
		end := st.Timeline.End()
		s.snap.Edges[i] = smooth.Edge{Listed: end, Complete: end, Received: st.Timeline}
	}
}

// validatorBytes is how much of a digest makes a validator.
const validatorBytes = 12

// validator returns a digest of what the snapshot shows. It depends on the content only, so that all nodes in front of
// an origin agree.
func (s *state) validator() string {
	h := sha256.New()
	h.Write(s.listing.skeleton[:])
	for i := range s.lines {
		hashLine(h, &s.lines[i])
	}
	if last := &s.periods[len(s.periods)-1]; last.Discontinuity > 0 {
		for i := range s.periods {
			hashUints(h, s.periods[i].Start, s.periods[i].Discontinuity)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:validatorBytes])
}

// hashLine adds the fragments of a line, runs of equal ones at once.
func hashLine(h hash.Hash, l *line) {
	hashUints(h, uint64(len(l.listed)), uint64(len(l.embedded)))
	for i := 0; i < len(l.listed); {
		first, n := l.listed[i], 1
		for end := first.End(); i+n < len(l.listed) && l.listed[i+n] == (smooth.Chunk{Time: end, Duration: first.Duration}); n++ {
			end += first.Duration
		}
		hashUints(h, first.Time, first.Duration, uint64(n))
		i += n
	}
	for _, list := range l.embedded {
		hashUints(h, uint64(len(list)))
		for _, d := range list {
			hashUints(h, uint64(d.Level), uint64(len(d.Data)))
			h.Write(d.Data)
		}
	}
}

func hashUints(h hash.Hash, values ...uint64) {
	for _, v := range values {
		h.Write(binary.BigEndian.AppendUint64(nil, v))
	}
}

// place is where a key leads to.
type place struct {
	key      smooth.FragmentKey // as the manifest spells it
	stream   int
	level    *smooth.QualityLevel
	codec    *smooth.Codec
	chunk    smooth.Chunk // of duration 0 if it is not known
	listed   bool
	template *template
}

// find returns where a key leads to. The error wraps [smooth.ErrNotFound], [smooth.ErrGone] or [smooth.ErrNotYet]; with
// the latter ask tells that it is the next fragment, so that the origin may have it all the same.
func (s *state) find(k smooth.FragmentKey) (p place, ask bool, err error) {
	m := s.snap.Manifest
	st := m.Stream(k.Stream)
	if st == nil {
		return p, false, notFound("stream %q", k.Stream)
	}
	p.stream = slices.Index(m.Streams, st)
	p.template = s.listing.templates[p.stream]
	if p.level = findLevel(st, k); p.level == nil || p.template == nil {
		return p, false, notFound("stream %q at %d bits/s", k.Stream, k.Bitrate)
	}
	p.key = smooth.FragmentKey{Stream: st.Name, Bitrate: k.Bitrate, Time: k.Time, Attrs: k.Attrs}
	if k.Attrs == "" && len(p.level.CustomAttributes) > 0 {
		p.key.Attrs = p.level.AttrsKey()
	}
	if tr := s.snap.Track(p.key); tr != nil {
		p.codec = tr.Codec
	} else {
		return p, false, notFound("stream %q at %d bits/s at that time", k.Stream, k.Bitrate)
	}
	if i, ok := st.Timeline.Find(k.Time); ok {
		p.chunk, p.listed = st.Timeline[i], true
		return p, false, nil
	}
	p.chunk.Time = k.Time
	ask, err = s.missing(&p)
	if err != nil {
		err = fmt.Errorf("remote: fragment %s %d: %w", k.Stream, k.Time, err)
	}
	return p, ask, err
}

// missing says why a fragment is not listed.
func (s *state) missing(p *place) (ask bool, err error) {
	l := &s.lines[p.stream]
	switch {
	case !s.live():
		return false, smooth.ErrNotFound
	case len(l.listed) > 0 && p.chunk.Time < l.listed.Start():
		return false, smooth.ErrGone
	case p.chunk.Time < l.listed.End():
		return false, smooth.ErrNotFound
	}
	if i, ok := l.next.Find(p.chunk.Time); ok {
		p.chunk = l.next[i]
		return true, smooth.ErrNotYet
	}
	return l.follows && len(l.listed) > 0 && p.chunk.Time == l.knownEnd(), smooth.ErrNotYet
}

// findLevel returns the level that a key means. Few clients put custom attributes into URLs, so a key without them
// means the only level of its bit rate, too.
func findLevel(st *smooth.Stream, k smooth.FragmentKey) *smooth.QualityLevel {
	if l := st.Level(k.Bitrate, k.Attrs); l != nil || k.Attrs != "" {
		return l
	}
	var found *smooth.QualityLevel
	for _, l := range st.Levels {
		if l.Bitrate != k.Bitrate {
			continue
		}
		if found != nil {
			return nil
		}
		found = l
	}
	return found
}

// pollInterval returns half of the shortest of the newest fragments of sound and picture.
func (s *state) pollInterval() time.Duration {
	shortest := time.Duration(0)
	for i := range s.lines {
		tl := s.lines[i].listed
		if !s.lines[i].follows || len(tl) == 0 {
			continue
		}
		scale := s.listing.manifest.TimescaleOf(s.listing.manifest.Streams[i])
		d := time.Duration(min(smooth.Rescale(tl[len(tl)-1].Duration, scale, uint64(time.Second)), uint64(time.Hour)))
		if shortest == 0 || d < shortest {
			shortest = d
		}
	}
	if shortest == 0 {
		return emptyPoll
	}
	return min(max(shortest/2, minPoll), maxPoll)
}
