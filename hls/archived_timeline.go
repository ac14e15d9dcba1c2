package hls

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// publish makes the snapshot of an archive from what was found in the files.
func (a *archive) publish(manifest []byte, found []archiveTrack, log *slog.Logger) error {
	a.take(found, log)
	a.placeTracks()
	m := &smooth.Manifest{MajorVersion: 2}
	var periods []smooth.Period
	for _, group := range a.streams() {
		st, p := a.stream(group, log)
		m.Streams = append(m.Streams, st)
		if periods == nil || st.Type == smooth.Video && m.Streams[0].Type != smooth.Video {
			periods = p
		}
	}
	a.tracks = slices.DeleteFunc(a.tracks, func(t archiveTrack) bool { return t.line == nil })
	if len(a.tracks) == 0 {
		return &smooth.UnsupportedError{Stream: found[0].server.Name(), Reason: "no file of the archive holds H.264 or AAC in MPEG-2 TS that can be played"}
	}
	first, end := m.Streams[0].Timeline.Start(), uint64(0)
	for _, st := range m.Streams {
		first, end = min(first, st.Timeline.Start()), max(end, st.Timeline.End())
	}
	m.Duration = end - first
	s := smooth.NewSnapshot(m, validatorOf(manifest, a.files))
	s.ModTime, s.Periods = a.modTime, periods
	s.NotSmooth = &smooth.UnsupportedError{Stream: m.Streams[0].Name, Reason: storedAsTS}
	var tracks []smooth.Track
	for i := range a.tracks {
		t := &a.tracks[i]
		tracks = append(tracks, smooth.Track{Stream: t.stream, Attrs: t.server.AttrsKey(), Bitrate: t.rate, Codec: t.codec()})
	}
	for i := range s.Periods {
		s.Periods[i].Tracks = tracks
	}
	a.snap = s
	return nil
}

// take keeps the tracks whose file can be shown, each bit rate of a stream once. Sound in the file of a picture is a part
// of that, not a track.
func (a *archive) take(found []archiveTrack, log *slog.Logger) {
	for _, t := range found {
		ix := t.file.index
		if ix == nil || t.server.Type == smooth.Audio && ix.video != nil {
			continue
		}
		t.kind, t.stream = smooth.Audio, t.server.Name()
		if ix.video != nil {
			t.kind = smooth.Video
		}
		for i := range a.tracks {
			if o := &a.tracks[i]; o.kind != t.kind && strings.EqualFold(o.stream, t.stream) {
				t.stream += "_" + string(t.kind)
				break
			}
		}
		if t.rate = t.server.Bitrate; !t.server.HasBitrate || t.rate == 0 {
			p := ix.points
			t.rate = max(smooth.Rescale(uint64(ix.end)*8, max(p[len(p)-1].end-p[0].time, 1), mpegScale), 1)
		}
		if a.track(smooth.FragmentKey{Stream: t.stream, Bitrate: t.rate, Attrs: t.server.AttrsKey()}) != nil {
			log.Warn("track of an archive occurs twice", "presentation", a.name, "file", t.file.name, "stream", t.stream, "bitrate", t.rate)
			continue
		}
		a.tracks = append(a.tracks, t)
	}
}

// placeTracks finds the shifts that bring the clocks of all files together.
func (a *archive) placeTracks() {
	negative := false
	for i := range a.tracks {
		t := &a.tracks[i]
		switch d := int64(t.first() - a.tracks[0].first()); {
		case d > wrap/2:
			t.shift -= wrap
			negative = true
		case d < -wrap/2:
			t.shift += wrap
		}
	}
	for i := range a.tracks {
		if negative {
			a.tracks[i].shift += wrap
		}
	}
}

// streams returns the tracks by stream, in the order of the first of each.
func (a *archive) streams() [][]*archiveTrack {
	var groups [][]*archiveTrack
	for i := range a.tracks {
		t := &a.tracks[i]
		n := slices.IndexFunc(groups, func(g []*archiveTrack) bool { return strings.EqualFold(g[0].stream, t.stream) })
		if n < 0 {
			n, groups = len(groups), append(groups, nil)
		}
		groups[n] = append(groups[n], t)
	}
	return groups
}

// stream makes a stream of tracks, and the periods that its timeline has. Segments are to begin at the same times in all
// renditions, so the timeline has those times at which each of them has a key frame. A rendition that does not agree
// with the longest one is left out with a warning.
func (a *archive) stream(group []*archiveTrack, log *slog.Logger) (*smooth.Stream, []smooth.Period) {
	base := slices.MaxFunc(group, func(x, y *archiveTrack) int { return compareTimes(x.last()-x.first(), y.last()-y.first()) })
	kept := make([]int, len(base.file.index.points))
	for i := range kept {
		kept[i] = i
	}
	agrees := map[*archiveTrack]bool{base: true}
	for _, t := range group {
		if t == base {
			continue
		}
		common := base.common(kept, t)
		if agrees[t] = base.covers(common, kept, t); agrees[t] {
			kept = common
			continue
		}
		log.Warn("key frames do not agree with those of the other renditions, which are longer: it is left out",
			"presentation", a.name, "file", t.file.name, "stream", t.stream, "bitrate", t.rate)
	}
	st := &smooth.Stream{Type: base.kind, Name: group[0].stream, Language: group[0].server.Language}
	line, periods := base.timeline(kept)
	st.Timeline = line
	for _, t := range group {
		if !agrees[t] {
			continue
		}
		t.line, t.stream = line, st.Name
		level := t.codec().QualityLevel(t.rate)
		level.Index, level.CustomAttributes = uint32(len(st.Levels)), t.server.Attrs()
		st.Levels = append(st.Levels, level)
	}
	return st, periods
}

// common returns those of some points of t at which another track has a point, too.
func (t *archiveTrack) common(points []int, o *archiveTrack) []int {
	var list []int
	other, k := o.file.index.points, 0
	for _, i := range points {
		at := t.file.index.points[i].time + t.shift
		for k < len(other) && compareTimes(other[k].time+o.shift+keyTolerance, at) < 0 {
			k++
		}
		if k < len(other) && distance(other[k].time+o.shift, at) <= keyTolerance {
			list = append(list, i)
		}
	}
	return list
}

// covers reports whether the points that two tracks have in common are enough to show both: they span nine tenths of the
// time, and are at least half of what the one with fewer has.
func (t *archiveTrack) covers(common, points []int, o *archiveTrack) bool {
	if len(common) == 0 {
		return false
	}
	p := t.file.index.points
	span := p[common[len(common)-1]].end - p[common[0]].time
	return span >= (t.last()-t.first())/10*9 && len(common)*2 >= min(len(points), len(o.file.index.points))
}

// leastGap is the least time without media, in ticks of 90 kHz, that counts as a gap.
const leastGap = mpegScale / 2

// timeline returns the spans from each of some points to the next one, and the periods.
func (t *archiveTrack) timeline(kept []int) (smooth.Timeline, []smooth.Period) {
	toTicks := func(v uint64) uint64 { return smooth.Rescale(v+t.shift, mpegScale, smooth.DefaultTimescale) }
	points := t.file.index.points
	line := make(smooth.Timeline, len(kept))
	periods := []smooth.Period{{}}
	for k, i := range kept {
		end := points[len(points)-1].end
		if k+1 < len(kept) {
			next := kept[k+1]
			end = points[next-1].end
			if start := points[next].time; start < end+leastGap {
				end = start
			}
		}
		line[k].Time = toTicks(points[i].time)
		line[k].Duration = max(toTicks(end)-line[k].Time, 1)
		if k > 0 && slices.ContainsFunc(points[kept[k-1]+1:i+1], func(p tsPoint) bool { return p.restart }) {
			last := &periods[len(periods)-1]
			periods = append(periods, smooth.Period{Start: line[k].Time, Discontinuity: last.Discontinuity + 1})
		}
	}
	return line, periods
}
