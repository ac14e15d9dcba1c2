package bitrate

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Limits of the walk over fragments. The budget for it is [MaxReadFragmented].
const (
	headFragments  = 64       // fragments at the beginning before the end of the file is tried
	tailRead       = 64 << 10 // bytes read at once at the end
	tailMax        = 3 << 19  // bytes at the end in which a fragment is looked for
	tailCandidates = 256      // places that look like one and are tried
	tailBoxes      = 32       // boxes between the last fragment and the end of the file
)

// fragmentWalk is what the fragments say so far.
type fragmentWalk struct {
	s        *source
	m        *mp4Movie
	off      int64 // where it goes on
	complete bool  // all fragments were read
	tracks   []trackTimes
}

// trackTimes is the time that the fragments of a track cover, in its timescale.
type trackTimes struct {
	id, timescale uint32
	timed         bool
	start, end    uint64
	sum           uint64 // of durations
}

// add counts a fragment. Of a track that moov does not have the timescale is unknown.
func (w *fragmentWalk) add(t mp4Fragment) {
	track := w.m.track(t.track)
	if track == nil || track.timescale == 0 {
		return
	}
	i := 0
	for i < len(w.tracks) && w.tracks[i].id != t.track {
		i++
	}
	if i == len(w.tracks) {
		w.tracks = append(w.tracks, trackTimes{id: t.track, timescale: track.timescale})
	}
	a := &w.tracks[i]
	if t.hasStart {
		if !a.timed {
			a.timed, a.start = true, track.begin(t.start)
			a.sum += t.start - a.start
		}
		a.start, a.end = min(a.start, t.start), max(a.end, t.end(0))
	}
	a.sum += min(t.duration, math.MaxUint64-a.sum)
}

// duration returns what the longest track covers, in microseconds. Times that span more than twice what plays have a
// gap in them, such as that of an encoder which was away: the bytes are those of what plays.
func (w *fragmentWalk) duration() (longest uint64) {
	for _, a := range w.tracks {
		d := micros(a.sum, a.timescale)
		if a.timed && a.end > a.start {
			span := micros(a.end-a.start, a.timescale)
			if d == 0 || span/2 <= d {
				d = span
			}
		}
		longest = max(longest, d)
	}
	return longest
}

// start returns the earliest time, in microseconds.
func (w *fragmentWalk) start() uint64 {
	start := uint64(math.MaxUint64)
	for _, a := range w.tracks {
		if a.timed {
			start = min(start, micros(a.start, a.timescale))
		}
	}
	return start
}

// walk reads up to n more fragments. It leaves reads of the budget for the end of the file, and ends before a fragment,
// so that the bytes up to there are those of what was counted.
func (w *fragmentWalk) walk(n int) {
	for w.s.size-w.off >= 8 {
		x, err := w.s.mp4Box(w.off, w.s.size)
		if err != nil || x.end > w.s.size && x.name != "mdat" {
			return
		}
		if x.name == "moof" {
			if n == 0 || w.s.left < 2*moofRead || w.s.reads < 8 {
				return
			}
			n--
			fragments, err := w.s.moof(x, w.m)
			if err != nil {
				return
			}
			for _, t := range fragments {
				w.add(t)
			}
		}
		w.off = x.end
	}
	w.complete = true
}

// byFragments uses the fragments themselves: all of them if they are few, else the time from the first to the last,
// which is looked for from the end of the file, else the first as far as the budget goes. Only the last of these is an
// estimate, and the method says so.
func (f *mp4File) byFragments() Info {
	if f.movie == nil || f.fragment < 0 {
		return Info{}
	}
	f.s.left += MaxReadFragmented - MaxRead
	w := &fragmentWalk{s: f.s, m: f.movie, off: f.fragment}
	w.walk(headFragments)
	if !w.complete {
		if info := w.toTail(); believable(info.Average) {
			return info
		}
		w.walk(MaxReads)
	}
	if w.complete {
		rate, duration := average(f.s.whole(uint64(w.off)), w.duration(), mp4Seconds)
		return Info{Average: rate, Duration: duration, Method: "fragments"}
	}
	rate, _ := average(w.off-f.fragment, w.duration(), mp4Seconds)
	return Info{Average: rate, Method: "first fragments"}
}

// toTail uses the time from the first fragment to the end of the last one.
func (w *fragmentWalk) toTail() Info {
	start := w.start()
	last, end := w.tail()
	for _, t := range last {
		track := w.m.track(t.track)
		if track == nil || !t.hasStart {
			continue
		}
		if stop := micros(t.end(0), track.timescale); stop > start {
			rate, duration := average(w.s.whole(uint64(end)), stop-start, mp4Seconds)
			return Info{Average: rate, Duration: duration, Method: "fragments"}
		}
	}
	return Info{}
}

// tail looks for the last fragment in the last bytes of the file. It returns that and where the media ends, which is
// beyond the end of a file that was cut short.
func (w *fragmentWalk) tail() ([]mp4Fragment, int64) {
	tried := 0
	for end := w.s.size; end > w.off && end > w.s.size-tailMax; end -= tailRead {
		from := max(w.off, end-tailRead)
		// The type of a box may be divided between two reads, so they overlap.
		b, err := w.s.upTo(from, int(end-from)+7)
		if err != nil {
			return nil, 0
		}
		for len(b) >= 8 && tried < tailCandidates {
			i := bytes.LastIndex(b[4:], []byte("moof"))
			if i < 0 {
				break
			}
			if int64(binary.BigEndian.Uint32(b[i:])) >= 8 {
				tried++
				if last, mediaEnd, ok := w.fragmentAt(from + int64(i)); ok {
					return last, mediaEnd
				}
			}
			b = b[:i+7]
		}
	}
	return nil, 0
}

// fragmentAt returns the fragment at an offset, if from there to the end of the file box follows box.
func (w *fragmentWalk) fragmentAt(off int64) (last []mp4Fragment, end int64, ok bool) {
	moof := mp4Box{}
	for n := 0; w.s.size-off >= 8; n++ {
		x, err := w.s.mp4Box(off, w.s.size)
		if err != nil || n == tailBoxes || x.end > w.s.size && x.name != "mdat" {
			return nil, 0, false
		}
		if x.name == "moof" {
			moof = x
		}
		off = x.end
	}
	last, err := w.s.moof(moof, w.m)
	return last, off, err == nil && len(last) > 0
}
