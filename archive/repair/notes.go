package repair

import (
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// ticks converts a time of the track into ticks of 100 ns. Negative times count as 0.
func (t *track) ticks(v uint64) uint64 {
	return smooth.Rescale(uint64(max(int64(v), 0)), uint64(max(t.Timescale, 1)), smooth.DefaultTimescale)
}

// span returns begin and end of a track in ticks of 100 ns.
func (t *track) span() (from, to uint64) {
	if len(t.fragments) == 0 {
		return 0, 0
	}
	return t.ticks(t.fragments[0].time), t.ticks(t.fragments[len(t.fragments)-1].end())
}

// usual returns the median length of the fragments, in ticks of 100 ns.
func (t *track) usual() uint64 {
	list := make([]uint64, 0, len(t.fragments))
	for i := range t.fragments {
		list = append(list, t.ticks(t.fragments[i].end())-t.ticks(t.fragments[i].time))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// gapTicks is the least silence between two fragments that counts as a gap; less is rounding.
const gapTicks = smooth.DefaultTimescale / 10

// seconds returns ticks of 100 ns as a duration, for texts.
func seconds(ticks uint64) time.Duration {
	return (time.Duration(min(ticks, 1<<56)) * 100).Round(time.Millisecond)
}

// notes notes what the presentation lacks and cannot be made good.
func (w *work) notes(s *shown) {
	var first, last uint64
	var all []*track
	streams := make(map[string][]*track)
	var names []string
	for i, t := range s.tracks {
		if t == nil || t.kind == smooth.Text || len(t.fragments) == 0 {
			continue // text has as much as there was to say
		}
		from, to := t.span()
		if len(all) == 0 || from < first {
			first = from
		}
		last = max(last, to)
		all = append(all, t)
		name := streamName(&s.manifest.Tracks[i])
		if streams[name] == nil {
			names = append(names, name)
		}
		streams[name] = append(streams[name], t)
	}
	for _, t := range all {
		from, to := t.span()
		slack := max(t.usual()*3/2, smooth.DefaultTimescale)
		if last-to > slack {
			w.a.note(TrackShort, t.media.name, -1, "track %d ends %v before the presentation, at %v", t.ID, seconds(last-to), seconds(to-first))
		}
		if from-first > slack {
			w.a.note(TrackShort, t.media.name, -1, "track %d begins %v after the presentation", t.ID, seconds(from-first))
		}
	}
	for _, name := range names {
		w.compare(name, streams[name], first)
	}
}

// compare notes what single levels of a stream lack, and the gaps that they have in common, counted from the beginning of the presentation.
func (w *work) compare(name string, levels []*track, begin uint64) {
	at := make([]int, len(levels))
	lacks := make([]int, len(levels))
	var end uint64
	for n := 0; ; n++ {
		next := uint64(1<<64 - 1)
		for i, t := range levels {
			if at[i] < len(t.fragments) {
				next = min(next, t.ticks(t.fragments[at[i]].time))
			}
		}
		if next == 1<<64-1 {
			break
		}
		if n > 0 && next > end && next-end >= gapTicks {
			w.a.note(Gap, w.p.name, -1, "stream %s has nothing from %v to %v after the beginning",
				name, seconds(end-begin), seconds(next-begin))
		}
		for i, t := range levels {
			if at[i] == len(t.fragments) || t.ticks(t.fragments[at[i]].time) != next {
				lacks[i]++
				continue
			}
			end = max(end, t.ticks(t.fragments[at[i]].end()))
			at[i]++
		}
	}
	for i, t := range levels {
		if lacks[i] > 0 {
			w.a.note(LevelLacks, t.media.name, -1, "track %d lacks %d of %d fragments that stream %s has in other levels",
				t.ID, lacks[i], lacks[i]+len(t.fragments), name)
		}
	}
}
