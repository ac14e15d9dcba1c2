package playlist

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/smoothkit/smoothkit/internal/language"
	"github.com/smoothkit/smoothkit/smooth"
)

// stitchOffer is what a part has to give.
type stitchOffer struct {
	video *stitchInput // the first one, or nil
	audio []*stitchInput
	text  []*stitchInput
	// start and end of picture and sound, in ticks of stitchScale.
	start, end uint64
}

// stitchInput is a stream of a part with the levels that one decoder can play.
type stitchInput struct {
	stream *smooth.Stream
	scale  uint64 // ticks per second
	levels []stitchInputLevel
}

type stitchInputLevel struct {
	level *smooth.QualityLevel
	codec *smooth.Codec // when the stream begins
}

// stitchKind is what two parts have to have in common.
type stitchKind struct {
	streams      int // one if there is only picture or only sound
	video, audio string
}

// kind returns the codecs of picture and sound.
func (o *stitchOffer) kind() (k stitchKind) {
	if o.video != nil {
		k.streams++
		k.video = familyOf(o.video.levels[0].codec)
	}
	if len(o.audio) > 0 {
		k.streams++
		k.audio = familyOf(o.audio[0].levels[0].codec)
	}
	return k
}

// compare orders parts of one kind: by length, then by levels of the picture.
func (o *stitchOffer) compare(other *stitchOffer) int {
	return cmp.Or(cmp.Compare(o.end-o.start, other.end-other.start), cmp.Compare(o.heights(), other.heights()))
}

// heights returns the number of levels of the picture.
func (o *stitchOffer) heights() int {
	if o.video == nil {
		return 0
	}
	return len(o.video.levels)
}

// offerOf returns what a presentation has, or why it can be no part.
func offerOf(snap *smooth.Snapshot) (stitchOffer, error) {
	m := snap.Manifest
	o := stitchOffer{start: math.MaxUint64}
	switch {
	case snap.NotSmooth != nil:
		return o, snap.NotSmooth // there are no fragments
	case m.IsLive || !snap.Ended:
		return o, fmt.Errorf("playlist: a live part: %w", smooth.ErrUnsupported)
	case len(m.Protection) > 0:
		return o, fmt.Errorf("playlist: a protected part: %w", smooth.ErrUnsupported)
	}
	for _, st := range m.Streams {
		if st.Parent != "" || st.ManifestOutput || len(st.Timeline) == 0 || len(st.Levels) == 0 {
			continue // a sparse or control stream is data for applications
		}
		in, err := inputOf(snap, st)
		if err != nil {
			return o, err
		}
		if in == nil {
			continue
		}
		o.take(in)
	}
	if o.video == nil && len(o.audio) == 0 {
		return o, fmt.Errorf("playlist: a part without picture and sound: %w", smooth.ErrUnsupported)
	}
	if o.end < o.start || o.end > maxStitched {
		return o, fmt.Errorf("playlist: a part from %d to %d ticks: %w", o.start, o.end, smooth.ErrTooLarge)
	}
	return o, nil
}

// take adds a stream. Of several pictures, such as camera angles, the first one counts.
func (o *stitchOffer) take(in *stitchInput) {
	switch in.stream.Type {
	case smooth.Video:
		if o.video != nil {
			return
		}
		o.video = in
	case smooth.Audio:
		o.audio = append(o.audio, in)
	case smooth.Text:
		if in.stream.URL != "" {
			o.text = append(o.text, in)
		}
		return
	default:
		return
	}
	o.start = min(o.start, toStitch(in.stream.Timeline.Start(), in.scale))
	o.end = max(o.end, toStitch(in.stream.Timeline.End(), in.scale))
}

// inputOf returns a stream with the levels that are of the codec of its first one, or nil if no configuration is known.
func inputOf(snap *smooth.Snapshot, st *smooth.Stream) (*stitchInput, error) {
	in := &stitchInput{stream: st, scale: snap.Manifest.TimescaleOf(st)}
	for _, l := range st.Levels {
		tr := snap.Track(smooth.FragmentKey{Stream: st.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate, Time: st.Timeline.Start()})
		if tr == nil || tr.Codec == nil {
			continue
		}
		if tr.Codec.Encrypted {
			return nil, fmt.Errorf("playlist: a protected part: %w", smooth.ErrUnsupported)
		}
		if len(in.levels) == 0 || familyOf(tr.Codec) == familyOf(in.levels[0].codec) {
			in.levels = append(in.levels, stitchInputLevel{l, tr.Codec})
		}
	}
	if len(in.levels) == 0 {
		return nil, nil
	}
	return in, nil
}

// Families of codecs whose configurations may change.
const (
	familyAVC  = "H264"
	familyHEVC = "HEVC"
	familyAAC  = "AAC"
)

// familyOf returns one name for the FourCCs of one codec.
func familyOf(c *smooth.Codec) string {
	switch f := strings.ToUpper(strings.TrimSpace(c.FourCC)); f {
	case "H264", "AVC1", "AVC3", "X264", "DAVC":
		return familyAVC
	case "HEVC", "HVC1", "HEV1":
		return familyHEVC
	case "AAC", "AACL", "AACH", "AACP":
		return familyAAC
	case "TTML", "DFXP", "STPP":
		return "TTML"
	default:
		return f
	}
}

// changeable reports whether a stream can go on in another configuration of its codec: the parameter sets of a picture may
// stand in the samples, and segments of HLS tell of AAC and AC-3. Of others nothing shows two configurations.
func changeable(family string) bool {
	switch family {
	case familyAVC, familyHEVC, familyAAC, "AC-3", "EC-3":
		return true
	}
	return false
}

// sameSound reports whether a decoder of sound can go on from one configuration to the other without being told.
func sameSound(a, b *smooth.Codec) bool {
	return a.Equal(b) || familyOf(a) == familyOf(b) && a.SamplingRate == b.SamplingRate && a.Channels == b.Channels &&
		bytes.Equal(plainAAC(a), plainAAC(b))
}

// plainAAC returns the configuration of sound without a suffix that says of AAC that there is no SBR, which some encoders
// write and others do not: sync 0x2b7 11, object type 5, SBR flag 1. See ISO/IEC 14496-3 1.6.2.1.
func plainAAC(c *smooth.Codec) []byte {
	if familyOf(c) != familyAAC {
		return c.PrivateData
	}
	return bytes.TrimSuffix(c.PrivateData, []byte{0x56, 0xe5, 0x00})
}

// sameLanguage reports whether two codes of ISO 639 mean the same.
func sameLanguage(a, b string) bool {
	return strings.EqualFold(a, b) || language.ThreeLetters(strings.ToLower(a)) == language.ThreeLetters(strings.ToLower(b))
}
