package smooth

import (
	"slices"
	"strconv"
	"time"
)

// Filter says which part of a presentation is shown: which tracks, and which span of time. The zero value shows
// everything. [NewFiltered] applies it; a [Handler] does so for the options of a request and for named filters of
// the application. The rules are those of Azure Media Services' dynamic manifests and of Unified Streaming's track
// selection and virtual subclips.
//
// Types, Names, Languages, FourCCs and Tracks select: a track that one of them does not match is hidden. The bit
// rates and sizes bound: when every track of a stream that is selected lies outside, the stream keeps the best one
// below the upper bounds or, if there is none, the lowest, so that a bound never takes away the picture or the sound.
type Filter struct {
	// Video, Audio and Text bound the bit rates of streams of that type.
	Video, Audio, Text BitrateRange
	// MaxWidth and MaxHeight bound the size of video, in pixels. Zero means unbounded.
	MaxWidth, MaxHeight uint32

	// Types are the types of streams to show. Nil means all.
	Types []StreamType
	// Names are the streams to show. Nil means all.
	Names []string
	// AudioNames are the audio streams to show; other types are not concerned. Nil means all.
	AudioNames []string
	// Languages of the audio and text streams to show, as codes of ISO 639 or tags of RFC 5646; "en", "eng" and
	// "EN" agree and include "en-GB". Video is not concerned. Nil means all.
	Languages []string
	// FourCCs of the tracks to show, in any usual spelling of the codec. Nil means all.
	FourCCs []string
	// Tracks is a further condition on the tracks.
	Tracks TrackExpr

	// Start and End of the span to show; End is exclusive. Fragments that overlap the span are shown whole, at
	// unchanged times. A live presentation that has reached End is shown as an ended one.
	Start, End Instant
	// Window limits a live presentation to the newest part of that length. Zero means no limit.
	Window time.Duration
	// Backoff hides the newest part of a live presentation. Zero hides nothing.
	Backoff time.Duration

	// FirstQuality is the bit rate to start with: the best video level at or below it, else the lowest, is listed
	// first. Zero leaves the order.
	FirstQuality uint64
}

// BitrateRange is a range of bit rates in bits per second, both ends inclusive. A Max of zero means unbounded.
type BitrateRange struct{ Min, Max uint64 }

func (r BitrateRange) contains(bitrate uint64) bool {
	return bitrate >= r.Min && (r.Max == 0 || bitrate <= r.Max)
}

// intersect returns the bit rates that are in both. The result may be empty (Min above Max).
func (r BitrateRange) intersect(o BitrateRange) BitrateRange {
	return BitrateRange{Min: max(r.Min, o.Min), Max: minNonZero(r.Max, o.Max)}
}

// minNonZero returns the smaller of two bounds of which zero means none.
func minNonZero[T uint32 | uint64 | time.Duration](a, b T) T {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Instant is a point of a presentation's timeline. The zero value is no point. It is comparable.
type Instant struct {
	set       bool
	ticks     uint64
	timescale uint64 // of ticks; 0 means the manifest's
	wall      int64  // nanoseconds since 1970, when isWall
	isWall    bool
}

// AtTicks returns the point at ticks of a timescale, in ticks per second; zero means the manifest's timescale.
func AtTicks(ticks, timescale uint64) Instant {
	if timescale != 0 { // the shortest form, so that equal points are equal values
		d := gcd(ticks, timescale)
		ticks, timescale = ticks/d, timescale/d
	}
	return Instant{set: true, ticks: ticks, timescale: timescale}
}

// AtOffset returns the point at d on the timeline. A negative d counts as zero.
func AtOffset(d time.Duration) Instant { return AtTicks(uint64(max(d, 0)), uint64(time.Second)) }

// AtWall returns the point at a wall-clock time. It is understood where the presentation's periods carry wall-clock
// times, so on live presentations and recordings of them. t lies between the years 1678 and 2262.
func AtWall(t time.Time) Instant { return Instant{set: true, isWall: true, wall: t.UnixNano()} }

// IsZero reports whether i is no point.
func (i Instant) IsZero() bool { return !i.set }

// appendKey appends the canonical form.
func (i Instant) appendKey(b []byte) []byte {
	switch {
	case !i.set:
		return b
	case i.isWall:
		return strconv.AppendInt(append(b, 'w'), i.wall, 10)
	}
	b = strconv.AppendUint(b, i.ticks, 10)
	return strconv.AppendUint(append(b, '/'), i.timescale, 10)
}

// resolve returns the tick of the manifest's timescale that i means in a snapshot. A wall-clock time before the
// first period is its start; one in a gap between periods is the start of the next.
func (i Instant) resolve(s *Snapshot) (uint64, error) {
	scale := s.Manifest.timescale()
	if !i.isWall {
		if i.timescale == 0 {
			return i.ticks, nil
		}
		return Rescale(i.ticks, i.timescale, scale), nil
	}
	at, next, found := time.Unix(0, i.wall), noEnd, false
	for n := len(s.Periods) - 1; n >= 0; n-- {
		p := &s.Periods[n]
		if !p.Wall.IsZero() {
			found = true
			if since := at.Sub(p.Wall); since >= 0 {
				return min(addSaturating(p.Start, Rescale(uint64(since), uint64(time.Second), scale)), next), nil
			}
		}
		next = p.Start
	}
	if !found {
		return 0, badFilter("the presentation has no wall-clock times")
	}
	return next, nil
}

// Key returns the canonical form of f: filters that show the same have, as far as can be told without a
// presentation, the same key. It is empty for the zero value.
func (f *Filter) Key() string {
	var b []byte
	for _, r := range [...]struct {
		name byte
		BitrateRange
	}{{'v', f.Video}, {'a', f.Audio}, {'t', f.Text}} {
		if r.BitrateRange != (BitrateRange{}) {
			b = strconv.AppendUint(append(b, ';', r.name), r.Min, 10)
			b = strconv.AppendUint(append(b, '-'), r.Max, 10)
		}
	}
	for _, n := range [...]struct {
		name  byte
		value uint64
	}{{'W', uint64(f.MaxWidth)}, {'H', uint64(f.MaxHeight)}, {'q', f.FirstQuality},
		{'d', uint64(max(f.Window, 0))}, {'b', uint64(max(f.Backoff, 0))}} {
		if n.value != 0 {
			b = strconv.AppendUint(append(b, ';', n.name), n.value, 10)
		}
	}
	if e := f.expr(); !e.IsZero() {
		b = append(append(b, ";x"...), e.String()...)
	}
	if f.Start.set {
		b = f.Start.appendKey(append(b, ";s"...))
	}
	if f.End.set {
		b = f.End.appendKey(append(b, ";e"...))
	}
	return string(b)
}

// expr returns everything in f that selects tracks, as one condition.
func (f *Filter) expr() TrackExpr {
	var all []*exprNode
	if f.Types != nil {
		all = append(all, anyOf(varType, f.Types))
	}
	if f.Names != nil {
		all = append(all, anyOf(varName, f.Names))
	}
	if f.AudioNames != nil {
		all = append(all, join(exprOr, []*exprNode{compareText(varType, relNe, string(Audio)), anyOf(varName, f.AudioNames)}))
	}
	if f.Languages != nil {
		all = append(all, join(exprOr, []*exprNode{compareText(varType, relEq, string(Video)), anyOf(varLanguage, f.Languages)}))
	}
	if f.FourCCs != nil {
		all = append(all, anyOf(varFourCC, f.FourCCs))
	}
	if f.Tracks.root != nil {
		all = append(all, f.Tracks.root)
	}
	n := join(exprAnd, all)
	if n.op == exprTrue {
		return TrackExpr{}
	}
	return TrackExpr{n}
}

// filterChain is the intersection of filters, prepared for use.
type filterChain struct {
	key                string
	expr               TrackExpr
	video, audio, text BitrateRange
	width, height      uint32
	window, backoff    time.Duration
	first              uint64
	starts, ends       []Instant
}

// newFilterChain intersects filters. Of several first qualities the first counts.
func newFilterChain(filters []Filter) *filterChain {
	c := &filterChain{}
	for i := range filters {
		f := &filters[i]
		c.expr = c.expr.and(f.expr())
		c.video, c.audio, c.text = c.video.intersect(f.Video), c.audio.intersect(f.Audio), c.text.intersect(f.Text)
		c.width, c.height = minNonZero(c.width, f.MaxWidth), minNonZero(c.height, f.MaxHeight)
		c.window, c.backoff = minNonZero(c.window, max(f.Window, 0)), max(c.backoff, f.Backoff)
		if c.first == 0 {
			c.first = f.FirstQuality
		}
		if f.Start.set {
			c.starts = append(c.starts, f.Start)
		}
		if f.End.set {
			c.ends = append(c.ends, f.End)
		}
	}
	c.key = c.merged()
	return c
}

// merged returns the key of the intersection, which does not depend on the order of filters.
func (c *filterChain) merged() string {
	f := Filter{
		Video: c.video, Audio: c.audio, Text: c.text, MaxWidth: c.width, MaxHeight: c.height,
		Window: c.window, Backoff: c.backoff, FirstQuality: c.first, Tracks: c.expr,
	}
	b := []byte(f.Key())
	b = appendInstants(b, ";s", c.starts)
	return string(appendInstants(b, ";e", c.ends))
}

// appendInstants appends the distinct instants in an order of their own.
func appendInstants(b []byte, name string, list []Instant) []byte {
	var texts []string
	for _, i := range list {
		texts = append(texts, name+string(i.appendKey(nil)))
	}
	slices.Sort(texts)
	for _, t := range slices.Compact(texts) {
		b = append(b, t...)
	}
	return b
}

func (c *filterChain) rangeOf(t StreamType) BitrateRange {
	switch t {
	case Video:
		return c.video
	case Audio:
		return c.audio
	}
	return c.text
}
