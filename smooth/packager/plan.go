package packager

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/smooth"
)

// plan decides on streams, names, bit rates and cuts.
func (p *packaging) plan() error {
	if !p.job.Options.AllAudio {
		p.dropDuplicates()
	}
	slices.SortStableFunc(p.tracks, func(a, b *track) int { return cmp.Compare(order(a), order(b)) })
	if err := p.cut(); err != nil {
		return err
	}
	if err := p.cutTexts(); err != nil {
		return err
	}
	p.nameStreams()
	p.rates()
	p.nameFiles()
	return nil
}

func order(t *track) int {
	switch t.codec.Type {
	case smooth.Video:
		return 0
	case smooth.Audio:
		return 1
	}
	return 2
}

func (p *packaging) of(kind smooth.StreamType) []*track {
	var list []*track
	for _, t := range p.tracks {
		if t.codec.Type == kind {
			list = append(list, t)
		}
	}
	return list
}

// dropDuplicates removes audio that other inputs have too. The n-th track with a language and codec of one input
// is compared with the n-th of the others, so that a commentary in the same file stays.
func (p *packaging) dropDuplicates() {
	type key struct {
		language, codec string
		n               int
	}
	best := make(map[key]*track)
	seen := make(map[*input]map[key]int)
	keys := make(map[*track]key)
	for _, t := range p.of(smooth.Audio) {
		if seen[t.in] == nil {
			seen[t.in] = make(map[key]int)
		}
		k := key{t.language, t.codec.FourCC, 0}
		k.n = seen[t.in][k]
		seen[t.in][key{t.language, t.codec.FourCC, 0}]++
		keys[t] = k
		if best[k] == nil || t.rate() > best[k].rate()*1.02 {
			best[k] = t
		}
	}
	p.tracks = slices.DeleteFunc(p.tracks, func(t *track) bool {
		k, ok := keys[t]
		if !ok || best[k] == t {
			return false
		}
		p.skip(t.in, t.id, "the %s audio of %s is used", t.language, best[k].in.name)
		return true
	})
}

// rate estimates the bit rate of a whole track, to compare.
func (t *track) rate() float64 {
	tab := t.source.Table
	n := tab.Len()
	c := tab.At(n - 1)
	s, _ := c.Next()
	return float64(tab.BytesBefore(n)) * float64(t.source.Timescale) / float64(max(s.DTS+uint64(s.Duration), 1))
}

func (p *packaging) cut() error {
	video, audio := p.of(smooth.Video), p.of(smooth.Audio)
	sources := func(list []*track) []cut.Track {
		out := make([]cut.Track, len(list))
		for i, t := range list {
			out[i] = t.source
		}
		return out
	}
	vc, ac, shift, err := cut.Plan(sources(video), sources(audio), p.cutOptions())
	if err != nil {
		return cutError(err, video, audio)
	}
	p.shift = shift
	for i, t := range video {
		t.cuts = vc[i]
	}
	for i, t := range audio {
		t.cuts = ac[i]
	}
	return nil
}

func cutError(err error, video, audio []*track) error {
	var align *cut.AlignError
	if errors.As(err, &align) {
		a, b := video[align.Tracks[0]], video[align.Tracks[1]]
		return b.in.fault(smooth.ErrUnsupported, "moov",
			fmt.Sprintf("does not fit to %s between %.3f s and %.3f s: %s", a.in.name, align.From, align.To, align.Reason),
			"encode all renditions from the same source with the same fixed key frame interval, without scene cut detection")
	}
	var one *cut.TrackError
	if errors.As(err, &one) {
		list := video
		if one.Audio {
			list = audio
		}
		t := list[one.Track]
		return t.in.fault(smooth.ErrCorrupt, "moov/trak/mdia/minf/stbl", fmt.Sprintf("track %d: %v", t.id, one.Err), "")
	}
	return fmt.Errorf("packager: %w", err)
}

// nameStreams gives the same name to tracks that clients may switch between: all video. Audio and text in different
// languages or codecs are streams of their own.
func (p *packaging) nameStreams() {
	for _, kind := range []struct {
		of   smooth.StreamType
		name string
	}{{smooth.Audio, "audio"}, {smooth.Text, "textstream"}} {
		list := p.of(kind.of)
		used := make(map[string]int)
		for _, t := range list {
			t.stream = kind.name
			if len(list) > 1 {
				t.stream += "_" + t.language
			}
			if used[t.stream]++; used[t.stream] > 1 {
				t.stream += fmt.Sprintf("_%d", used[t.stream])
			}
		}
	}
	for _, t := range p.of(smooth.Video) {
		t.stream = "video"
	}
}

// rates measures the bit rates, rounded to 1000 bits per second, and makes them unique within each stream, since a
// fragment's URL names its level by nothing else.
func (p *packaging) rates() {
	used := make(map[string]map[uint64]bool)
	for _, t := range p.tracks {
		bytes := t.payload()
		p.total += bytes
		r := uint64(float64(bytes)*8*cut.DefaultTimescale/float64(max(t.duration(), 1))/1000 + 0.5)
		t.bitrate = max(r, 1) * 1000
		if used[t.stream] == nil {
			used[t.stream] = make(map[uint64]bool)
		}
		for used[t.stream][t.bitrate] {
			t.bitrate++
		}
		used[t.stream][t.bitrate] = true
	}
	slices.SortStableFunc(p.tracks, func(a, b *track) int { // levels of video from high to low
		if a.codec.Type == smooth.Video && b.codec.Type == smooth.Video {
			return cmp.Compare(b.bitrate, a.bitrate)
		}
		return cmp.Compare(order(a), order(b))
	})
}

func (p *packaging) nameFiles() {
	used := make(map[string]bool)
	for _, t := range p.tracks {
		var base, ext string
		switch t.codec.Type {
		case smooth.Video:
			base, ext = fmt.Sprintf("%s_%d", p.job.Name, t.bitrate/1000), ".ismv"
		case smooth.Audio:
			base, ext = fmt.Sprintf("%s%s_%d", p.job.Name, t.suffix(), t.bitrate/1000), ".isma"
		default:
			base, ext = p.job.Name+t.suffix(), ".ismt"
		}
		t.file = base + ext
		for n := 2; used[strings.ToLower(t.file)]; n++ {
			t.file = fmt.Sprintf("%s_%d%s", base, n, ext)
		}
		used[strings.ToLower(t.file)] = true
	}
}

// suffix returns the part of a file name that tells the language.
func (t *track) suffix() string {
	if t.language == "und" {
		return ""
	}
	return "_" + t.language
}
