package hls

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// A rendition is one quality level of a stream that can be shown.
type rendition struct {
	stream *smooth.Stream
	level  *smooth.QualityLevel
	codec  *smooth.Codec
	attrs  string
	// muxers of segments with this track and the sound that goes with it, all with the configurations found here.
	muxers *sync.Pool
}

// key returns the key of a fragment.
func (r *rendition) key(time uint64) smooth.FragmentKey {
	return smooth.FragmentKey{Stream: r.stream.Name, Attrs: r.attrs, Bitrate: r.level.Bitrate, Time: time}
}

// A show is what HLS shows of a snapshot in one layout: the levels of the first video stream, the best level of each
// audio stream, and the text streams. Of several video streams, such as camera angles, a filter chooses another one.
type show struct {
	snap   *smooth.Snapshot
	layout layout
	format string
	video  []rendition
	audio  []rendition
	text   []rendition
	// alone are all levels of the only sound, if there is no picture: variants of their own.
	alone []rendition
	// sampleAES tells that samples are encrypted one by one.
	sampleAES bool
	key       showKey
}

// showKey is where a show is kept with its snapshot.
type showKey struct {
	layout    layout
	format    string
	sampleAES bool
}

// showOf returns what is shown of a snapshot, which is found out once. format is one of formats.
func showOf(s *smooth.Snapshot, l layout, format string, sampleAES bool) (*show, error) {
	v, err := s.Derive(showKey{l, format, sampleAES}, func() (any, error) {
		return newShow(s, l, format, sampleAES)
	})
	if err != nil {
		return nil, err
	}
	return v.(*show), nil
}

// newShow looks for what can be shown. The error is a [smooth.UnsupportedError] if there is neither sound nor picture.
func newShow(s *smooth.Snapshot, l layout, format string, sampleAES bool) (*show, error) {
	w := &show{snap: s, layout: l, format: format, sampleAES: sampleAES, key: showKey{l, format, sampleAES}}
	var refused error
	for i, st := range s.Manifest.Streams {
		if st.Parent != "" || st.ManifestOutput {
			continue // a sparse or control stream is data for applications
		}
		st = w.received(i)
		levels, err := w.levels(st)
		if err != nil && refused == nil {
			refused = err
		}
		switch {
		case len(levels) == 0:
		case st.Type == smooth.Video && len(w.video) == 0:
			w.video = levels
		case st.Type == smooth.Audio:
			best := slices.MaxFunc(levels, func(a, b rendition) int { return compareRates(&a, &b) })
			w.audio = append(w.audio, best)
		case st.Type == smooth.Text:
			w.text = append(w.text, levels[0])
		}
	}
	if len(w.video) == 0 && len(w.audio) == 1 {
		w.alone, _ = w.levels(w.audio[0].stream)
	}
	if len(w.video) > 0 || len(w.audio) > 0 {
		return w, nil
	}
	if refused == nil {
		refused = &smooth.UnsupportedError{Format: format, Reason: "there is neither sound nor picture"}
	}
	return nil, refused
}

// received returns a stream of the manifest with all fragments that have been received: the look-ahead is for clients of
// Smooth Streaming, who learn from a fragment when the next ones begin.
func (w *show) received(i int) *smooth.Stream {
	st := w.snap.Manifest.Streams[i]
	if w.snap.Ended || i >= len(w.snap.Edges) || len(w.snap.Edges[i].Received) <= len(st.Timeline) {
		return st
	}
	whole := *st
	whole.Timeline = w.snap.Edges[i].Received
	return &whole
}

func compareRates(a, b *rendition) int {
	switch {
	case a.level.Bitrate < b.level.Bitrate:
		return -1
	case a.level.Bitrate > b.level.Bitrate:
		return 1
	}
	return 0
}

// levels returns the levels of a stream that can be shown, and why the first other one cannot.
func (w *show) levels(st *smooth.Stream) (list []rendition, refused error) {
	for _, l := range st.Levels {
		r, err := w.rendition(st, l)
		switch {
		case err == nil:
			list = append(list, r)
		case refused == nil:
			refused = err
		}
	}
	return list, refused
}

// rendition returns a level, or why it cannot be shown.
func (w *show) rendition(st *smooth.Stream, l *smooth.QualityLevel) (rendition, error) {
	r := rendition{stream: st, level: l, attrs: l.AttrsKey(), muxers: new(sync.Pool)}
	at := w.firstTime(st)
	tr := w.snap.Track(r.key(at))
	if tr == nil || tr.Codec == nil {
		return r, w.refuse(st, l, "its codec configuration is not known")
	}
	r.codec = tr.Codec
	if r.codec.Encrypted {
		return r, w.refuse(st, l, "it is encrypted")
	}
	if why := w.carries(r.codec); why != "" {
		return r, w.refuse(st, l, why)
	}
	return r, nil
}

// firstTime returns the time of the first fragment of a stream.
func (w *show) firstTime(st *smooth.Stream) uint64 { return st.Timeline.Start() }

func (w *show) refuse(st *smooth.Stream, l *smooth.QualityLevel, why string) error {
	return &smooth.UnsupportedError{Stream: st.Name, Bitrate: l.Bitrate, Format: w.format, Reason: why}
}

// carries returns why segments of the layout cannot carry a codec, or "".
func (w *show) carries(c *smooth.Codec) string {
	if c.Type == smooth.Text {
		if !isTTML(c) && !isWebVTT(c) {
			return fmt.Sprintf("%s is no text that becomes WebVTT", c.FourCC)
		}
		return ""
	}
	name := c.Codecs()
	if name == "" && c.NALULengthSize > 0 && len(c.PrivateData) == 0 {
		return "its header has no parameter sets (CodecPrivateData)"
	}
	if name == "" {
		return fmt.Sprintf("HLS has no place for %s", c.FourCC)
	}
	if w.sampleAES {
		if why := refusesSampleAES(w.layout, c); why != "" {
			return why
		}
	}
	if w.layout == fragmented {
		if _, err := c.BuildSampleEntry(); err != nil {
			return fmt.Sprintf("%s has no sample entry", c.FourCC)
		}
		return ""
	}
	if _, err := mpegts.NewMuxer([]mpegts.Stream{elementary(c)}); err != nil {
		return fmt.Sprintf("MPEG-2 TS cannot carry %s", name)
	}
	return ""
}

func isTTML(c *smooth.Codec) bool   { return strings.HasPrefix(c.Codecs(), "stpp") }
func isWebVTT(c *smooth.Codec) bool { return c.Codecs() == "wvtt" }

// find returns the rendition that a key names.
func (w *show) find(k smooth.FragmentKey) (*rendition, error) {
	for _, list := range [][]rendition{w.video, w.audio, w.text} {
		for i := range list {
			r := &list[i]
			if r.level.Bitrate == k.Bitrate && r.attrs == k.Attrs && strings.EqualFold(r.stream.Name, k.Stream) {
				return r, nil
			}
		}
	}
	return w.findOther(k)
}

// findOther finds a level that the master playlist does not list.
func (w *show) findOther(k smooth.FragmentKey) (*rendition, error) {
	if st := w.snap.Manifest.Stream(k.Stream); st != nil {
		st = w.received(slices.Index(w.snap.Manifest.Streams, st))
		for _, l := range st.Levels {
			if l.Bitrate == k.Bitrate && l.AttrsKey() == k.Attrs {
				r, err := w.rendition(st, l)
				return &r, err
			}
		}
	}
	return nil, fmt.Errorf("hls: stream %q at %d bits/s: %w", k.Stream, k.Bitrate, smooth.ErrNotFound)
}

// reference returns the stream whose fragments make segments where a track has none of its own: the picture, or else
// the first sound.
func (w *show) reference() *smooth.Stream {
	if len(w.video) > 0 {
		return w.video[0].stream
	}
	return w.audio[0].stream
}

// referenceOf returns the stream whose fragments make the segments of a rendition.
func (w *show) referenceOf(r *rendition) *smooth.Stream {
	if r.stream.Type == smooth.Text {
		return w.reference()
	}
	return r.stream
}

// sound returns what is muxed into the segments of a rendition, or nil.
func (w *show) sound(r *rendition) *rendition {
	if w.layout != muxed || r.stream.Type != smooth.Video || len(w.audio) == 0 {
		return nil
	}
	return &w.audio[0]
}

// elementary returns how MPEG-2 TS carries a codec.
func elementary(c *smooth.Codec) mpegts.Stream {
	s := mpegts.Stream{NALULengthSize: int(c.NALULengthSize), SampleRate: int(c.SamplingRate), AudioConfig: c.AudioConfig()}
	name, _, _ := strings.Cut(c.Codecs(), ".")
	switch name {
	case "avc1", "avc3":
		s.Codec = mpegts.AVC
	case "hvc1", "hev1":
		s.Codec = mpegts.HEVC
	case "ac-3":
		s.Codec = mpegts.AC3
	case "ec-3":
		s.Codec = mpegts.EAC3
	case "mp4a":
		s.Codec = mpegts.AAC
		if s.AudioConfig == nil {
			s.Codec = mpegts.MP3
		}
	}
	vps, sps, pps := c.ParameterSets()
	s.ParameterSets = slices.Concat(vps, sps, pps)
	return s
}
