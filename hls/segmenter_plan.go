package hls

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// A segmentedTrack is a rendition that becomes a media playlist with its segments.
type segmentedTrack struct {
	r     *rendition
	input string // name of the input
	links fileLinks
	plan  plan
	list  []segment
	made  []madeFile // beside list
}

// A madeFile is what is known of a segment that is there.
type madeFile struct {
	// Size in bytes.
	Size int64 `json:"size"`
	// Units is the number of access units of video.
	Units uint64 `json:"units,omitempty"`
	// Frames are offset and size, in bytes, of the first key frame of each fragment of video.
	Frames []int64 `json:"frames,omitempty"`
}

// A segmentJob is one segment to make.
type segmentJob struct {
	t     *segmentedTrack
	i     int // in t.list
	name  string
	bytes int64  // of samples, from the index
	start uint64 // ticks of smooth.DefaultTimescale
}

func (j *segmentJob) made() *madeFile { return &j.t.made[j.i] }

// plan finds out what is to be made.
func (s *segmentation) plan(ctx context.Context) error {
	if err := s.limit(ctx); err != nil {
		return err
	}
	n := namer{taken: map[string]bool{"text": true, "audio": true, keyDir: true, masterFile: true}, dirs: make(map[smooth.FragmentKey]string)}
	for i := range s.show.video {
		r := &s.show.video[i]
		s.add(r, &n, s.videoName(r))
	}
	if !s.muxedOnly() {
		for _, list := range [][]rendition{s.show.audio, s.show.alone} {
			for i := range list {
				s.add(&list[i], &n, soundName(&list[i], len(s.show.alone)))
			}
		}
	}
	for i := range s.show.text {
		r := &s.show.text[i]
		s.add(r, &n, "text/"+languageName(r))
	}
	s.planJobs()
	return nil
}

// limit drops the variants above the maximum bit rate before they are made.
func (s *segmentation) limit(ctx context.Context) error {
	most := s.opts.MaxBitrate
	if most == 0 || len(s.show.video) < 2 {
		return nil
	}
	var kept []rendition
	var least rendition
	lowest := uint64(0)
	for i := range s.show.video {
		r := &s.show.video[i]
		v, err := s.show.weigh(ctx, s, r, newPlan(s.show.snap, r.stream, s.opts.SegmentDuration))
		if err != nil {
			return err
		}
		if i == 0 || v.average < lowest {
			least, lowest = *r, v.average
		}
		if v.average <= most {
			kept = append(kept, *r)
		} else {
			s.skipped = append(s.skipped, fmt.Sprintf("%s: %d bits/s on average, above the maximum bit rate", s.streams[r.stream.Name].input.name, v.average))
		}
	}
	if len(kept) == 0 {
		kept = append(kept, least)
	}
	s.show.video = kept
	return nil
}

// muxedOnly reports whether the sound is nowhere but in the segments of the picture.
func (s *segmentation) muxedOnly() bool { return s.show.layout == muxed && s.opts.OmitAudioOnly }

// add adds a rendition that gets a playlist, unless it has one already.
func (s *segmentation) add(r *rendition, n *namer, name string) {
	key := r.key(0)
	if _, ok := n.dirs[key]; ok {
		return
	}
	dir := n.unique(name)
	n.dirs[key] = dir
	t := &segmentedTrack{r: r, input: s.streams[r.stream.Name].input.name}
	t.plan = newPlan(s.show.snap, s.show.referenceOf(r), s.opts.SegmentDuration)
	t.list = t.plan.segments(nil)
	s.show.markSound(r, &t.plan, t.list)
	t.made = make([]madeFile, len(t.list))
	t.links = fileLinks{dirs: n.dirs, dir: dir, keys: n.keys(t.input)}
	if len(t.list) > 0 {
		t.links.first = t.list[0].number
	}
	s.tracks = append(s.tracks, t)
}

// videoName returns the wanted name of the directory of a video level.
func (s *segmentation) videoName(r *rendition) string {
	js := s.streams[r.stream.Name]
	name := fileName(js.input.name)
	if name == "" {
		name = string(smooth.Video)
	}
	if !js.only {
		name = fmt.Sprintf("%s-%dk", name, (r.level.Bitrate+500)/1000)
	}
	return name
}

// soundName returns the wanted name of the directory of a sound. If there is nothing else it has several levels.
func soundName(r *rendition, levels int) string {
	name := "audio/" + languageName(r)
	if levels > 1 {
		name = fmt.Sprintf("%s-%dk", name, (r.level.Bitrate+500)/1000)
	}
	return name
}

// languageName returns the language of a stream, or else its name, as the name of a directory.
func languageName(r *rendition) string {
	for _, s := range []string{languageTag(r.stream.Language), r.stream.Name, string(r.stream.Type)} {
		if name := fileName(s); name != "" {
			return name
		}
	}
	return "other"
}

// A namer gives directories names that differ even where case does not count.
type namer struct {
	taken  map[string]bool
	dirs   map[smooth.FragmentKey]string
	inputs []string // whose keys have names
}

func (n *namer) unique(name string) string {
	wanted := name
	for i := 2; n.taken[strings.ToLower(name)]; i++ {
		name = fmt.Sprintf("%s-%d", wanted, i)
	}
	n.taken[strings.ToLower(name)] = true
	return name
}

// keys returns the beginning of the names of an input's keys.
func (n *namer) keys(input string) string {
	i := slices.Index(n.inputs, input)
	if i < 0 {
		i, n.inputs = len(n.inputs), append(n.inputs, input)
	}
	name := fileName(input)
	for _, other := range n.inputs[:i] {
		if name == "" || strings.EqualFold(fileName(other), name) {
			return fmt.Sprintf("%s%d", name, i)
		}
	}
	return name
}

// planJobs lists the segments in the order in which they are made: by time, so that what lies together in the inputs is
// read together.
func (s *segmentation) planJobs() {
	s.progress = &segmenterProgress{report: s.opts.Progress}
	for _, t := range s.tracks {
		for i := range t.list {
			g := &t.list[i]
			if g.gap {
				continue
			}
			j := segmentJob{t: t, i: i, bytes: s.payload(t, g), start: smooth.Rescale(g.start, t.plan.timescale, smooth.DefaultTimescale)}
			j.name = string(t.links.appendFile(append([]byte(t.links.dir), '/'), t.target(s.show.layout, g)))
			s.jobs = append(s.jobs, j)
			s.progress.TotalBytes += j.bytes
		}
	}
	slices.SortStableFunc(s.jobs, func(a, b segmentJob) int {
		switch {
		case a.start < b.start:
			return -1
		case a.start > b.start:
			return 1
		}
		return 0
	})
	s.progress.TotalSegments = len(s.jobs)
}

// target returns what names a segment.
func (t *segmentedTrack) target(l layout, g *segment) *target {
	return &target{kind: mediaSegment, layout: l, key: t.r.key(g.start), number: g.number, text: t.r.stream.Type == smooth.Text}
}

// payload returns the bytes of samples of a segment, without muxed sound, as the index has them.
func (s *segmentation) payload(t *segmentedTrack, g *segment) int64 {
	if t.r.stream.Type == smooth.Text {
		return 0
	}
	total := int64(0)
	for _, c := range t.plan.line[g.first : g.first+g.count] {
		if n, err := s.FragmentSize(t.r.key(c.Time)); err == nil {
			total += n
		}
	}
	return total
}
