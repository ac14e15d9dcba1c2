package smooth

import (
	"fmt"
	"math"
	"sort"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// fileTrack is one track of a presentation in files: a server track with the media file it names.
type fileTrack struct {
	server *ServerTrack
	stream string
	kind   StreamType
	attrs  string
	bitrate,
	timescale uint64 // of the timeline; the samples are converted if the media has another
	codec  *Codec
	media  *mediaFile
	source *fmp4.Track
	// entries of a fragmented file, shared with its index. Their times are the media's, see place.
	entries []fragmentEntry
	// shift is added to the media's times, in ticks of timescale; placed is the same in ticks of DefaultTimescale: the
	// edit list, and what keeps all tracks of the presentation from starting before 0.
	shift, placed int64
	// delay is added to composition offsets, in ticks of DefaultTimescale: see alignEdits.
	delay int64
	// plan of a progressive file.
	plan *progressivePlan
}

// len returns the number of fragments.
func (t *fileTrack) len() int {
	if t.plan != nil {
		return len(t.plan.cuts) - 1
	}
	return len(t.entries)
}

// start returns the time of fragment i.
func (t *fileTrack) start(i int) uint64 {
	if t.plan != nil {
		return t.plan.cuts[i].Time
	}
	return uint64(max(t.place(t.entries[i].time), 0))
}

// placedTicks bounds placed times, so that sums of two cannot overflow.
const placedTicks = 1 << 60

// place returns a time of the media in ticks of the timeline. It may be negative.
func (t *fileTrack) place(media uint64) int64 {
	v := int64(media)
	if from := uint64(t.source.Timescale); from != t.timescale {
		v = rescaleSigned(v, from, t.timescale)
	}
	return clampTicks(v) + t.shift
}

// inPlace reports whether the times of the media are those of the timeline.
func (t *fileTrack) inPlace() bool {
	return uint64(t.source.Timescale) == t.timescale && t.shift == 0 && t.delay == 0
}

// gapFraction of a second is the least silence between two fragments that is shown as a gap; less is rounding.
const gapFraction = 10

// chunk returns the span of fragment i.
func (t *fileTrack) chunk(i int) Chunk {
	c := Chunk{Time: t.start(i)}
	if t.plan != nil {
		c.Duration = t.plan.cuts[i+1].Time - c.Time
		return c
	}
	e := &t.entries[i]
	if e.duration != durationUnknown {
		c.Duration = uint64(max(t.place(e.time+uint64(e.duration))-int64(c.Time), 0))
	}
	if i+1 < len(t.entries) {
		next := t.start(i+1) - c.Time
		if c.Duration == 0 || c.Duration > next || next-c.Duration < t.timescale/gapFraction {
			c.Duration = next
		}
	}
	return c
}

// find returns the fragment that starts at time.
func (t *fileTrack) find(time uint64) (int, bool) {
	low, high := 0, t.len()
	for low < high { // sort.Find takes twice the time, for its calls of a function
		if middle := int(uint(low+high) >> 1); t.start(middle) < time {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < t.len() && t.start(low) == time
}

// timeline returns the spans of all fragments.
func (t *fileTrack) timeline() Timeline {
	tl := make(Timeline, t.len())
	for i := range tl {
		tl[i] = t.chunk(i)
	}
	return tl
}

// bytes returns the size of the sample data of fragments [i, j), from above where moof boxes are counted in.
func (t *fileTrack) bytes(i, j int) int64 {
	if t.plan != nil {
		s := &t.source.Samples
		return int64(s.BytesBefore(t.plan.cuts[j].Sample) - s.BytesBefore(t.plan.cuts[i].Sample))
	}
	var sum int64
	for ; i < j; i++ {
		if e := &t.entries[i]; e.payload > 0 {
			sum += int64(e.payload)
		} else {
			sum += int64(e.extent)
		}
	}
	return sum
}

// measured returns the average bit rate in bits per second, at least 1.
func (t *fileTrack) measured() uint64 {
	n := t.len()
	if n == 0 {
		return 1
	}
	last := t.chunk(n - 1)
	span := last.End() - t.start(0)
	return max(1, Rescale(uint64(t.bytes(0, n))*8, max(span, 1), t.timescale))
}

// setEntries takes over the index of a fragmented file. Negative times, which ffmpeg writes for the priming samples
// of AAC, become 0.
func (t *fileTrack) setEntries(ix *fragmentIndex) error {
	if ix == nil || len(ix.entries) == 0 {
		return nil
	}
	t.entries = ix.entries
	t.shift = rescaleSigned(t.placed, DefaultTimescale, t.timescale)
	if t.inPlace() && int64(ix.entries[0].time) >= 0 {
		return nil
	}
	last := uint64(0)
	for i := range ix.entries {
		start := t.start(i)
		if i > 0 && start <= last {
			return &FileError{File: t.media.name, Path: "mfra/tfra", Offset: -1, Err: ErrCorrupt,
				Reason: fmt.Sprintf("track %d: fragment %d starts before the timeline or with the one before it", t.source.ID, i),
				Remedy: remedyFor(ErrCorrupt)}
		}
		last = start
	}
	return nil
}

// rescaleSigned is [Rescale] for times that may be negative.
func rescaleSigned(v int64, from, to uint64) int64 {
	if v < 0 {
		return -int64(min(Rescale(uint64(-v), from, to), math.MaxInt64))
	}
	return int64(min(Rescale(uint64(v), from, to), math.MaxInt64))
}

// placeMedia applies the edit lists of the tracks whose times are those of the media, and moves all of them together
// so that none starts before 0, as for progressive files. Where a presentation has both, one shift serves both.
func placeMedia(tracks []*fileTrack) {
	var least int64
	for _, t := range tracks {
		if t.plan != nil {
			least = min(least, -clampTicks(int64(t.plan.shift)))
		} else if t.mediaTimes() != nil {
			t.placed = t.edited()
			least = min(least, clampTicks(t.mediaStart())+t.placed)
		}
	}
	for _, t := range tracks {
		if t.plan != nil {
			t.plan.shiftTo(uint64(-least))
		} else if t.mediaTimes() != nil {
			t.placed -= least
		}
	}
	alignEdits(tracks)
}

// shiftTo makes shift what is added to all times.
func (p *progressivePlan) shiftTo(shift uint64) {
	for i := range p.cuts {
		p.cuts[i].Time += shift - p.shift
	}
	p.shift = shift
}

// edited returns by how much the edit list moves a track, in ticks of DefaultTimescale.
func (t *fileTrack) edited() int64 {
	return clampTicks(rescaleSigned(t.source.Shift, uint64(t.source.Timescale), DefaultTimescale))
}

// alignEdits gives renditions of one picture whose fragments have the same decode times the same place even if their
// edit lists differ, as they do when not all of them reorder frames. What a rendition is moved ahead is added to its
// composition offsets.
func alignEdits(tracks []*fileTrack) {
	for _, t := range tracks {
		if t.kind != Video || t.mediaTimes() == nil {
			continue
		}
		for _, o := range tracks {
			if o.kind != Video || o.plan == nil && o.mediaTimes() == nil || !equalFoldASCII(o.stream, t.stream) {
				continue
			}
			if start, placed := o.decodePlace(); placed < t.placed && t.mediaStart() == start {
				t.delay += t.placed - placed
				t.placed = placed
			}
		}
	}
}

// decodePlace returns the first decode time of a track and what is added to it, in ticks of DefaultTimescale.
func (t *fileTrack) decodePlace() (start, placed int64) {
	if t.plan != nil { // decode times of progressive files start at 0
		return 0, t.edited() + clampTicks(int64(t.plan.shift))
	}
	return t.mediaStart(), t.placed
}

// mediaStart returns the first time of the media, in ticks of DefaultTimescale.
func (t *fileTrack) mediaStart() int64 {
	return rescaleSigned(int64(t.mediaTimes().entries[0].time), uint64(t.source.Timescale), DefaultTimescale)
}

func clampTicks(v int64) int64 { return min(max(v, -placedTicks), placedTicks) }

// mediaTimes returns the index of a track whose times are those of the media, or nil.
func (t *fileTrack) mediaTimes() *fragmentIndex {
	if ix := t.media.index[t.source.ID]; t.plan == nil && ix != nil && ix.media && len(ix.entries) > 0 {
		return ix
	}
	return nil
}

// trackFor returns the track of a file that a server track names: by id, or else the first of its type.
func trackFor(m *mediaFile, st *ServerTrack) (*fmp4.Track, error) {
	if id, ok := st.TrackID(); ok {
		switch t := m.movie.Track(id); {
		case t == nil:
		case handlerType(t.Handler) != st.Type && (st.Type != Text || handlerType(t.Handler) != ""):
			return nil, &FileError{File: m.name, Path: "moov/trak/mdia/hdlr", Offset: -1, Err: ErrCorrupt,
				Reason: fmt.Sprintf("track %d has handler %v, the server manifest says %s", id, t.Handler, st.Element()),
				Remedy: "correct the trackID in the server manifest"}
		default:
			return t, nil
		}
		return nil, &FileError{File: m.name, Path: "moov/trak", Offset: -1, Err: ErrCorrupt,
			Reason: fmt.Sprintf("no track %d, which the server manifest names for %s", id, st.Name()),
			Remedy: "correct the trackID in the server manifest"}
	}
	for i := range m.movie.Tracks {
		if handlerType(m.movie.Tracks[i].Handler) == st.Type {
			return &m.movie.Tracks[i], nil
		}
	}
	return nil, &FileError{File: m.name, Path: "moov/trak", Offset: -1, Err: ErrCorrupt,
		Reason: fmt.Sprintf("no %s track, which the server manifest names", st.Type),
		Remedy: "correct the src in the server manifest or copy the file again"}
}

// handlerType returns the type of stream for a handler, or "".
func handlerType(h fmp4.Type) StreamType {
	switch h {
	case fmp4.HandlerVideo:
		return Video
	case fmp4.HandlerAudio:
		return Audio
	case fmp4.HandlerText, fmp4.HandlerSubt, fmp4.HandlerSubp, fmp4.HandlerMeta:
		return Text
	}
	return ""
}

// lacks returns the positions of the chunks at whose start the track has no fragment.
func (t *fileTrack) lacks(tl Timeline) []int {
	n := t.len()
	i := 0
	var lacking []int
	for at, c := range tl {
		if i < n && t.start(i) < c.Time { // usually the next one, so a search is rare
			i++
			if i < n && t.start(i) < c.Time {
				i = sort.Search(n, func(k int) bool { return t.start(k) >= c.Time })
			}
		}
		if i == n || t.start(i) != c.Time {
			lacking = append(lacking, at)
		}
	}
	return lacking
}
