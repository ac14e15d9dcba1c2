package packager

import (
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// manifest returns the client manifest.
func (p *packaging) manifest() *smooth.Manifest {
	m := &smooth.Manifest{MajorVersion: 2, MinorVersion: 2, Timescale: smooth.DefaultTimescale}
	for _, t := range p.tracks {
		s := m.Stream(t.stream)
		if s == nil {
			s = t.newStream()
			m.Streams = append(m.Streams, s)
			m.Duration = max(m.Duration, s.Timeline.End())
		}
		l := t.codec.QualityLevel(t.bitrate)
		l.Index = uint32(len(s.Levels))
		s.Levels = append(s.Levels, l)
		if t.codec.Type == smooth.Video {
			s.MaxWidth, s.MaxHeight = max(s.MaxWidth, t.codec.Width), max(s.MaxHeight, t.codec.Height)
			s.DisplayWidth, s.DisplayHeight = max(s.DisplayWidth, t.codec.DisplayWidth), max(s.DisplayHeight, t.codec.DisplayHeight)
		}
	}
	return m
}

func (t *track) newStream() *smooth.Stream {
	s := &smooth.Stream{
		Type: t.codec.Type, Name: t.stream, Timescale: smooth.DefaultTimescale,
		URL: "QualityLevels({bitrate})/Fragments(" + t.stream + "={start time})",
	}
	if t.codec.Type != smooth.Video {
		s.Language = t.language
	}
	if t.codec.Type == smooth.Text {
		s.Subtype = "CAPT"
	}
	for i := range len(t.cuts) - 1 {
		s.Timeline = append(s.Timeline, smooth.Chunk{Time: t.cuts[i].Time, Duration: t.cuts[i+1].Time - t.cuts[i].Time})
	}
	return s
}

// serverManifest returns the content of the .ism file.
func (p *packaging) serverManifest() *smooth.ServerManifest {
	s := &smooth.ServerManifest{Meta: []smooth.Attribute{{Name: "clientManifestRelativePath", Value: p.job.Name + ".ismc"}}}
	for _, t := range p.tracks {
		st := smooth.ServerTrack{Type: t.codec.Type, Src: escapeSrc(t.file), Bitrate: t.bitrate, HasBitrate: true}
		if t.codec.Type != smooth.Video {
			st.Language = t.language
		}
		st.Params = []smooth.Param{
			{Name: "trackID", Value: strconv.Itoa(trackID), ValueType: "data"},
			{Name: "trackName", Value: t.stream, ValueType: "data"},
		}
		s.Tracks = append(s.Tracks, st)
	}
	return s
}

// escapeSrc keeps a percent sign in a file name from being taken for an escape.
func escapeSrc(name string) string { return strings.ReplaceAll(name, "%", "%25") }
