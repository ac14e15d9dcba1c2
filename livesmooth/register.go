package livesmooth

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// register takes the header of a source. See [MS-SSTR] 3.3.5.1 for what a server checks.
func (b *broadcast) register(s *source, h *pushHeader) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("livesmooth: %s: %w", b.name, ErrEnding)
	}
	if err := b.admissible(s, h); err != nil {
		return err
	}
	if err := b.require(h); err != nil {
		return err
	}
	s.header, s.tracks = h, make([]*track, len(h.tracks))
	s.in.tracks = slices.Clone(s.in.tracks[:min(len(s.in.tracks), len(h.tracks))])
	repeated, before := s.in.header != nil && s.in.header.equal(h), b.countTracks()
	for i := range h.tracks {
		if h.tracks[i].bitrate == 0 && !h.tracks[i].stated {
			if tr := s.in.unmeasured(h, i); tr != nil {
				s.tracks[i] = tr
				tr.fed(s)
			}
			continue // named when its first fragment tells the rate
		}
		if err := b.addTrack(s, i, h.tracks[i].bitrate); err != nil {
			return err
		}
	}
	b.leave(s, s.tracks)
	for _, p := range h.protection {
		if !slices.ContainsFunc(b.protect, func(o smooth.ProtectionHeader) bool { return o.SystemID == p.SystemID }) {
			b.protect = append(b.protect, p)
		}
	}
	for _, t := range h.ignored {
		b.log.Info("track is left out", "stream", s.in.id, "track", t.id, "err", t.err)
	}
	for i := range h.tracks {
		if t := &h.tracks[i]; t.stream.Type == smooth.Video && len(t.codec.PrivateData) == 0 {
			b.log.Warn("most players cannot play a track without parameter sets", "stream", s.in.id, "track", t.id,
				"codec", t.codec.FourCC, "remedy", "with ffmpeg's tee add -flags +global_header")
		}
	}
	if repeated && b.countTracks() == before {
		return nil
	}
	s.in.header = h
	b.declare(s.in)
	b.advance(b.now())
	b.publish()
	return nil
}

// equal reports whether two headers say the same. Encoders that send one segment per request have that of the first one each time.
func (h *pushHeader) equal(o *pushHeader) bool {
	return h == o || bytes.Equal(h.raw, o.raw) &&
		slices.EqualFunc(h.tracks, o.tracks, func(a, b pushTrack) bool { return a.id == b.id && a.codec.Equal(b.codec) })
}

// admissible refuses a header that contradicts what is there, before anything of it is taken. mu must be held.
func (b *broadcast) admissible(s *source, h *pushHeader) error {
	added := 0
	for i := range h.tracks {
		tr, err := b.findTrack(s, &h.tracks[i], h.tracks[i].bitrate)
		if err != nil {
			return err
		}
		if tr == nil {
			added++
		}
	}
	if b.countTracks()+added > b.opts.Limits.Tracks {
		return fmt.Errorf("livesmooth: %s: more than %d tracks: %w", b.name, b.opts.Limits.Tracks, ErrLimit)
	}
	return nil
}

// require notes the input streams that the broadcast waits for before it begins. mu must be held.
func (b *broadcast) require(h *pushHeader) error {
	if len(h.required) > b.opts.Limits.Inputs {
		return fmt.Errorf("livesmooth: %s: %d required streams, the limit is %d: %w", b.name, len(h.required), b.opts.Limits.Inputs, ErrLimit)
	}
	if b.listsSome() { // one encoder cannot keep viewers of the others waiting
		return nil
	}
	for _, id := range h.required {
		if b.required == nil {
			b.required = make(map[string]bool)
		}
		b.required[id] = true
	}
	return nil
}

// unmeasured returns the track that another source of the input stream has registered for a track without bit rate.
func (in *input) unmeasured(h *pushHeader, i int) *track {
	if in.header == nil || len(in.header.tracks) != len(h.tracks) || len(in.tracks) <= i {
		return nil
	}
	if tr := in.tracks[i]; tr != nil && tr.codec.Equal(h.tracks[i].codec) {
		return tr
	}
	return nil
}

// addTrack makes track i of the header of s known under a bit rate. mu must be held.
func (b *broadcast) addTrack(s *source, i int, bitrate uint64) error {
	t := &s.header.tracks[i]
	tr, err := b.findTrack(s, t, bitrate)
	if err != nil {
		return err
	}
	if tr == nil {
		if tr, err = b.newTrack(s, t, bitrate); err != nil {
			return err
		}
	}
	s.tracks[i] = tr
	tr.fed(s)
	for len(s.in.tracks) < len(s.header.tracks) {
		s.in.tracks = append(s.in.tracks, nil)
	}
	if s.in.tracks[i] == nil || s.in.tracks[i] != tr {
		s.in.tracks[i] = tr
	}
	return nil
}

// fed notes that a source feeds the track.
func (t *track) fed(s *source) {
	if _, known := t.progress[s]; !known {
		t.progress[s] = progress{}
	}
}

// findTrack returns the track that t is, nil if it is new. Its codec configuration must be the same, unless nobody else feeds
// the track: then the encoder has been changed, and the new configuration counts from its first fragment on.
func (b *broadcast) findTrack(s *source, t *pushTrack, bitrate uint64) (*track, error) {
	for _, st := range b.streams {
		if st.fixed.Name != t.stream.Name && !st.renamed(t) {
			continue
		}
		if st.fixed.Type != t.stream.Type {
			return nil, fmt.Errorf("livesmooth: %s: stream %q is %s already, not %s: %w", b.name, t.stream.Name, st.fixed.Type, t.stream.Type, ErrConflict)
		}
		if st.fixed.Type != smooth.Video && st.fixed.Language != t.stream.Language {
			continue
		}
		for _, tr := range st.tracks {
			if tr.key.Bitrate != bitrate || tr.key.Attrs != attrsKey(t.attributes()) {
				continue
			}
			if !tr.codec.Equal(t.codec) && b.fedByOthers(tr, s) {
				return nil, fmt.Errorf("livesmooth: %s: track %s at %d bits/s has another codec configuration from source %s: %w",
					b.name, st.fixed.Name, bitrate, s.info.Address, ErrConflict)
			}
			return tr, nil
		}
	}
	return nil, nil
}

// renamed reports whether st is what a stream of that name is called because another language had the name first.
func (s *stream) renamed(t *pushTrack) bool {
	return s.fixed.Type != smooth.Video && t.stream.Language != "" && s.fixed.Language == t.stream.Language &&
		s.fixed.Name == t.stream.Name+"_"+nameOf(t.stream.Language)
}

// silence is how long a source may say nothing before it is taken for one that is gone, as when a host has crashed and its
// connection is still open.
const silence = 15 * time.Second

// fedByOthers reports whether another source feeds a track now. mu must be held.
func (b *broadcast) fedByOthers(tr *track, s *source) bool {
	now := b.now()
	for o, p := range tr.progress {
		if o != s && o.gone.IsZero() && o.active(now) && !p.lagging && now.Sub(o.heard) < silence {
			return true
		}
	}
	return false
}

// newTrack adds a track, and its stream if that is new. mu must be held.
func (b *broadcast) newTrack(s *source, t *pushTrack, bitrate uint64) (*track, error) {
	if b.countTracks() >= b.opts.Limits.Tracks {
		return nil, fmt.Errorf("livesmooth: %s: more than %d tracks: %w", b.name, b.opts.Limits.Tracks, ErrLimit)
	}
	st := b.streamFor(t)
	level := t.codec.QualityLevel(bitrate)
	level.CustomAttributes = t.attributes()
	tr := &track{
		key:    smooth.FragmentKey{Stream: st.fixed.Name, Attrs: level.AttrsKey(), Bitrate: bitrate},
		stream: st, in: s.in, level: level, codec: t.codec, progress: make(map[*source]progress),
	}
	st.tracks = append(st.tracks, tr)
	slices.SortStableFunc(st.tracks, func(a, b *track) int {
		return cmp.Or(cmp.Compare(b.key.Bitrate, a.key.Bitrate), strings.Compare(a.key.Attrs, b.key.Attrs))
	})
	st.fixed.URL = templateURL(st.fixed.Name, len(t.attrs) > 0 || strings.Contains(st.fixed.URL, "CustomAttributes"))
	st.fixed.MaxWidth, st.fixed.MaxHeight = max(st.fixed.MaxWidth, t.codec.Width), max(st.fixed.MaxHeight, t.codec.Height)
	st.fixed.DisplayWidth, st.fixed.DisplayHeight = max(st.fixed.DisplayWidth, t.codec.DisplayWidth), max(st.fixed.DisplayHeight, t.codec.DisplayHeight)
	st.shown = nil
	b.reindex(tr)
	b.retrack()
	b.note(Event{Kind: TrackAdded, Input: s.in.id, Source: s.info.Address, Stream: tr.key.Stream, Bitrate: bitrate})
	return tr, nil
}

// streamFor returns the stream of a new track. Streams of one name in several languages get names of their own, since a
// client chooses the language by stream. mu must be held.
func (b *broadcast) streamFor(t *pushTrack) *stream {
	name := t.stream.Name
	for n := 1; ; n++ {
		st := b.streamCalled(name)
		if st == nil {
			st = &stream{fixed: t.stream, sparse: t.sparse}
			st.fixed.Name, st.fixed.Timescale = name, scale
			b.addStream(st)
			return st
		}
		if st.fixed.Type == smooth.Video || st.fixed.Language == t.stream.Language {
			return st
		}
		name = strings.TrimSuffix(t.stream.Name+"_"+nameOf(t.stream.Language), "_")
		if n > 1 {
			name += fmt.Sprintf("_%d", n)
		}
	}
}

func (b *broadcast) streamCalled(name string) *stream {
	for _, st := range b.streams {
		if st.fixed.Name == name {
			return st
		}
	}
	return nil
}

// addStream keeps the streams in an order that does not depend on who came first: video, audio, text, each by name.
func (b *broadcast) addStream(st *stream) {
	b.streams = append(b.streams, st)
	rank := map[smooth.StreamType]int{smooth.Video: 0, smooth.Audio: 1, smooth.Text: 2}
	slices.SortStableFunc(b.streams, func(x, y *stream) int {
		return cmp.Or(cmp.Compare(rank[x.fixed.Type], rank[y.fixed.Type]), strings.Compare(x.fixed.Name, y.fixed.Name))
	})
}

// retrack puts the tracks into the newest period. Periods before it keep those they had. mu must be held.
func (b *broadcast) retrack() {
	if len(b.periods) == 0 {
		return
	}
	b.periods = slices.Clone(b.periods)
	b.periods[len(b.periods)-1].Tracks = b.currentTracks()
}

func (b *broadcast) currentTracks() []smooth.Track {
	var list []smooth.Track
	for _, st := range b.streams {
		for _, tr := range st.tracks {
			list = append(list, smooth.Track{Stream: tr.key.Stream, Attrs: tr.key.Attrs, Bitrate: tr.key.Bitrate, Codec: tr.codec})
		}
	}
	return list
}

// addMeasured makes a track known whose bit rate the encoder does not say, by its first fragment. mu must be held.
func (b *broadcast) addMeasured(s *source, f *pushFragment) error {
	if tr := s.in.unmeasured(s.header, f.track); tr != nil { // a redundant source was first
		s.tracks[f.track] = tr
		tr.fed(s)
		return nil
	}
	rate := measure(int64(f.buf.payload), f.duration)
	for s.hasRate(f.track, rate) { // two tracks of a stream need two names
		rate++
	}
	if err := b.addTrack(s, f.track, rate); err != nil {
		return err
	}
	rates := make([]uint64, len(s.tracks))
	for i, tr := range s.tracks {
		if tr != nil {
			rates[i] = tr.key.Bitrate
		}
	}
	if named, err := s.header.withBitrates(rates); err == nil { // else other servers measure for themselves
		s.header, s.in.header = named, named
	}
	b.declare(s.in)
	return nil
}

// hasRate reports whether another track of the source's header, of the same stream as track i, has that bit rate.
func (s *source) hasRate(i int, rate uint64) bool {
	for n, tr := range s.tracks {
		if n != i && tr != nil && tr.key.Bitrate == rate && s.header.tracks[n].stream.Name == s.header.tracks[i].stream.Name {
			return true
		}
	}
	return false
}

// measure names a track whose encoder states no bit rate by its first fragment, rounded to two digits so that it does not
// look like what was stated. mu must be held.
func measure(size int64, duration uint64) uint64 {
	if duration == 0 {
		duration = scale
	}
	rate := smooth.Rescale(uint64(size)*8, duration, scale)
	unit := uint64(1)
	for rate/unit >= 100 {
		unit *= 10
	}
	return max((rate+unit/2)/unit*unit, 1)
}

// changeCodec goes on with another codec configuration in a new period that begins at a time. mu must be held.
func (b *broadcast) changeCodec(tr *track, codec *smooth.Codec, at uint64, now time.Time) {
	tr.codec = codec
	attributes := tr.level.CustomAttributes
	tr.level = codec.QualityLevel(tr.key.Bitrate)
	tr.level.CustomAttributes = attributes
	tr.stream.shown = nil
	b.note(Event{Kind: TrackChanged, Input: tr.in.id, Stream: tr.key.Stream, Bitrate: tr.key.Bitrate, Time: at})
	if b.restated(tr, at) {
		return
	}
	if n := len(b.periods); n > 0 && n < maxPeriods && b.periods[n-1].Start < at {
		wall := b.wallAt(at)
		b.periods = append(slices.Clip(b.periods), smooth.Period{
			Start: at, Wall: wall, Discontinuity: b.periods[n-1].Discontinuity + 1, Tracks: b.currentTracks(),
		})
		return
	}
	b.retrack()
}

// attributes returns all custom attributes in ascending order of names.
func (t *pushTrack) attributes() []smooth.Attribute {
	list := slices.Concat(t.attrs, t.custom)
	slices.SortStableFunc(list, func(a, b smooth.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// attrsKey returns the canonical form of attributes that are in ascending order.
func attrsKey(list []smooth.Attribute) string {
	return (&smooth.QualityLevel{CustomAttributes: list}).AttrsKey()
}

// templateURL returns the template of fragment URLs. See [MS-SSTR] 2.2.2.4.
func templateURL(name string, attrs bool) string {
	if attrs {
		return "QualityLevels({bitrate},{CustomAttributes})/Fragments(" + name + "={start time})"
	}
	return "QualityLevels({bitrate})/Fragments(" + name + "={start time})"
}

// nameOf returns what of a language tag can stand in the name of a stream.
func nameOf(language string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, language)
}

// countTracks returns the number of tracks. mu must be held.
func (b *broadcast) countTracks() int {
	n := 0
	for _, st := range b.streams {
		n += len(st.tracks)
	}
	return n
}
