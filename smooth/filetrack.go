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
	// entries of a fragmented file, their times in timescale.
	entries []fragmentEntry
	// shift is what was added to the media's times, in ticks of timescale: the edit list, and what keeps all tracks of
	// the presentation from starting before 0.
	shift int64
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
	return t.entries[i].time
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
		c.Duration = Rescale(uint64(e.duration), uint64(t.source.Timescale), t.timescale)
	}
	if i+1 < len(t.entries) {
		next := t.entries[i+1].time - c.Time
		if c.Duration == 0 || c.Duration > next || next-c.Duration < t.timescale/gapFraction {
			c.Duration = next
		}
	}
	return c
}

// find returns the fragment that starts at time.
func (t *fileTrack) find(time uint64) (int, bool) {
	n := t.len()
	lo, hi := 0, n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if t.start(mid) < time {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < n && t.start(lo) == time
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

// setEntries takes over the index of a fragmented file in the timescale of the timeline. Negative times, which ffmpeg
// writes for the priming samples of AAC, become 0.
func (t *fileTrack) setEntries(ix *fragmentIndex) error {
	from := uint64(t.source.Timescale)
	if ix == nil || len(ix.entries) == 0 {
		return nil
	}
	if from == t.timescale && t.shift == 0 && int64(ix.entries[0].time) >= 0 {
		t.entries = ix.entries
		return nil
	}
	t.entries = make([]fragmentEntry, len(ix.entries))
	for i, e := range ix.entries {
		e.time = uint64(max(rescaleSigned(int64(e.time), from, t.timescale)+t.shift, 0))
		if i > 0 && e.time <= t.entries[i-1].time {
			return &FileError{File: t.media.name, Path: "mfra/tfra", Offset: -1, Err: ErrCorrupt,
				Reason: fmt.Sprintf("track %d: fragment %d starts before the timeline or with the one before it", t.source.ID, i)}
		}
		t.entries[i] = e
	}
	return nil
}

// rescaleSigned is [Rescale] for times that may be negative.
func rescaleSigned(v int64, from, to uint64) int64 {
	if v < 0 {
		return -int64(Rescale(uint64(-v), from, to))
	}
	return int64(min(Rescale(uint64(v), from, to), math.MaxInt64))
}

// placeMedia applies the edit lists of the tracks whose times are those of the media, and moves all of them together
// so that none starts before 0, as for progressive files.
func placeMedia(tracks []*fileTrack) {
	var least int64
	for _, t := range tracks {
		if ix := t.media.index[t.source.ID]; t.plan == nil && ix != nil && ix.media && len(ix.entries) > 0 {
			t.shift = rescaleSigned(t.source.Shift, uint64(t.source.Timescale), DefaultTimescale)
			least = min(least, rescaleSigned(int64(ix.entries[0].time), uint64(t.source.Timescale), DefaultTimescale)+t.shift)
		}
	}
	for _, t := range tracks {
		if ix := t.media.index[t.source.ID]; t.plan == nil && ix != nil && ix.media {
			t.shift -= least
		}
	}
}

// trackFor returns the track of a file that a server track names: by id, or else the first of its type.
func trackFor(m *mediaFile, st *ServerTrack) (*fmp4.Track, error) {
	if id, ok := st.TrackID(); ok {
		if t := m.movie.Track(id); t != nil {
			return t, nil
		}
		return nil, &FileError{File: m.name, Path: "moov/trak", Offset: -1, Err: ErrCorrupt,
			Reason: fmt.Sprintf("no track %d, which the server manifest names for %s", id, st.Name())}
	}
	for i := range m.movie.Tracks {
		if handlerType(m.movie.Tracks[i].Handler) == st.Type {
			return &m.movie.Tracks[i], nil
		}
	}
	return nil, &FileError{File: m.name, Path: "moov/trak", Offset: -1, Err: ErrCorrupt,
		Reason: fmt.Sprintf("no %s track, which the server manifest names", st.Type)}
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

// lists reports whether the track has a fragment at the start of every chunk.
func (t *fileTrack) lists(tl Timeline) bool {
	n := t.len()
	i := 0
	for _, c := range tl {
		if i < n && t.start(i) < c.Time { // usually the next one, so a search is rare
			i++
			if i < n && t.start(i) < c.Time {
				i = sort.Search(n, func(k int) bool { return t.start(k) >= c.Time })
			}
		}
		if i == n || t.start(i) != c.Time {
			return false
		}
	}
	return true
}
