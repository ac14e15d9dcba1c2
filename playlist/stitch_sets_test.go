package playlist_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// pictures is a presentation of one level and one fragment of two seconds with one sample per payload.
type pictures struct {
	codec    *smooth.Codec
	payloads []string
	snap     *smooth.Snapshot
	closed   int
}

// newPictures returns a presentation in a configuration, with samples that are made of NAL units.
func newPictures(codec smooth.Codec, payloads ...string) *pictures {
	p := &pictures{codec: &codec, payloads: payloads}
	p.codec.Type = smooth.Video
	level := p.codec.QualityLevel(1000)
	p.snap = smooth.NewSnapshot(&smooth.Manifest{MajorVersion: 2, Duration: 2 * stitchSecond, Streams: []*smooth.Stream{{
		Type: smooth.Video, Name: "video", URL: "QualityLevels({bitrate})/Fragments(video={start time})",
		Levels: []*smooth.QualityLevel{level}, Timeline: smooth.Timeline{{Duration: 2 * stitchSecond}},
	}}}, "v"+string(codec.PrivateData[len(codec.PrivateData)-1:]))
	p.snap.Periods = []smooth.Period{{Tracks: []smooth.Track{{Stream: "video", Bitrate: 1000, Codec: p.codec}}}}
	return p
}

func (p *pictures) Close() error { p.closed++; return nil }

func (p *pictures) Snapshot(context.Context) (*smooth.Snapshot, error) { return p.snap, nil }

func (p *pictures) Fragment(_ context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	h := fmp4.FragmentHead{Sequence: 9, TrackID: 3, Tfxd: true, Duration: 2 * stitchSecond}
	data := ""
	for i, s := range p.payloads {
		flags := uint32(fmp4.FlagsSync)
		if i > 0 {
			flags = fmp4.FlagsDelta
		}
		h.Samples = append(h.Samples, fmp4.RunSample{Duration: uint32(2 * stitchSecond / len(p.payloads)), Size: uint32(len(s)), Flags: flags})
		data += s
	}
	head, err := h.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	return smooth.NewFragment(smooth.FragmentInit{
		Key: k, Timescale: stitchSecond, Duration: 2 * stitchSecond, Codec: p.codec, Head: head, Payload: []byte(data),
	}), nil
}

// namedSource is a source of some presentations.
type namedSource map[string]smooth.Presentation

func (s namedSource) Open(_ context.Context, name string) (smooth.Presentation, error) {
	p, ok := s[name]
	if !ok {
		return nil, smooth.ErrNotFound
	}
	return p, nil
}

// Configurations of which only the last byte differs.
var (
	avcA  = smooth.Codec{FourCC: "H264", NALULengthSize: 4, Width: 64, Height: 36, PrivateData: []byte("\x00\x00\x00\x01\x67ps\x00\x00\x00\x01\x68a")}
	avcB  = smooth.Codec{FourCC: "AVC1", NALULengthSize: 4, Width: 128, Height: 72, PrivateData: []byte("\x00\x00\x00\x01\x67ps\x00\x00\x00\x01\x68b")}
	avc2  = smooth.Codec{FourCC: "H264", NALULengthSize: 2, Width: 32, Height: 18, PrivateData: []byte("\x00\x00\x00\x01\x67ps\x00\x00\x00\x01\x68c")}
	hevcA = smooth.Codec{FourCC: "hev1", NALULengthSize: 4, Width: 64, Height: 36, PrivateData: []byte("\x00\x00\x00\x01\x40v\x00\x00\x00\x01\x42s\x00\x00\x00\x01\x44a")}
	hevcB = smooth.Codec{FourCC: "hvc1", NALULengthSize: 4, Width: 64, Height: 36, PrivateData: []byte("\x00\x00\x00\x01\x40v\x00\x00\x00\x01\x42s\x00\x00\x00\x01\x44b")}
)

// TestStitchedSets: where parameter sets are put, in lengths of the part, and what is refused.
func TestStitchedSets(t *testing.T) {
	const setsA, setsB = "\x00\x00\x00\x03\x67ps\x00\x00\x00\x02\x68a", "\x00\x00\x00\x03\x67ps\x00\x00\x00\x02\x68b"
	const idr, delimiter = "\x00\x00\x00\x05\x65idr!", "\x00\x00\x00\x02\x09\xf0"
	for _, c := range []struct {
		name      string
		a, b      smooth.Codec
		payload   string // of a
		want, err string
	}{
		{"at the start", avcA, avcB, idr, setsA + idr, ""},
		{"behind a delimiter", avcA, avcB, delimiter + idr, delimiter + setsA + idr, ""},
		{"a delimiter alone", avcA, avcB, delimiter, delimiter + setsA, ""},
		{"a delimiter beyond its sample", avcA, avcB, "\x00\x00\x00\x07\x09\xf0", setsA + "\x00\x00\x00\x07\x09\xf0", ""},
		{"a delimiter that is none", avcA, avcB, "\x00\x00\x01\x00\x09" + idr, setsA + "\x00\x00\x01\x00\x09" + idr, ""},
		{"the other one", avcB, avcA, delimiter + idr, delimiter + setsB + idr, ""},
		{"short lengths", avc2, avcA, "\x00\x02\x09\xf0\x00\x05\x65idr!", "\x00\x02\x09\xf0\x00\x03\x67ps\x00\x02\x68c\x00\x05\x65idr!", ""},
		{"one configuration", avcA, avcA, delimiter + idr, delimiter + idr, ""},
		{"HEVC", hevcA, hevcB, "\x00\x00\x00\x03\x46\x01\x50\x00\x00\x00\x02\x26x",
			"\x00\x00\x00\x03\x46\x01\x50\x00\x00\x00\x02\x40v\x00\x00\x00\x02\x42s\x00\x00\x00\x02\x44a\x00\x00\x00\x02\x26x", ""},
		{"no HEVC delimiter", hevcA, hevcB, delimiter, "\x00\x00\x00\x02\x40v\x00\x00\x00\x02\x42s\x00\x00\x00\x02\x44a" + delimiter, ""},
		{"too short", avcA, avcB, "\x00\x00\x00", "", "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := newPictures(c.a, c.payload, idr), newPictures(c.b, idr)
			if c.err != "" {
				a.payloads = a.payloads[:1]
			}
			p := stitch(namedSource{"a": a, "b": b}, "a", "b", "a")
			s, err := p.Snapshot(t.Context())
			require.NoError(t, err)
			require.Len(t, s.Periods, 3)
			for n, time := range []uint64{0, 4 * stitchSecond} {
				k := smooth.FragmentKey{Stream: "video", Bitrate: 1000, Time: time}
				f, err := p.Fragment(t.Context(), k)
				if c.err != "" {
					require.ErrorContains(t, err, c.err)
					continue
				}
				require.NoError(t, err)
				requireHead(t, f, uint32(2*n+1))
				require.NoError(t, f.Close())
				list, _ := fragmentSamples(t, p, k)
				require.Len(t, list, 2)
				assert.Equal(t, c.want, string(list[0].data))
				assert.Equal(t, idr, string(list[1].data))
				assert.Equal(t, []bool{true, false}, []bool{list[0].IsSync(), list[1].IsSync()})
			}
		})
	}
}

// TestStitchedLengths: clients of Smooth Streaming are told one size of the lengths of NAL units.
func TestStitchedLengths(t *testing.T) {
	src := namedSource{"a": newPictures(avcA, "\x00\x00\x00\x01\x65"), "b": newPictures(avc2, "\x00\x01\x65")}
	s, err := stitch(src, "a", "b").Snapshot(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, s.NotSmooth, smooth.ErrUnsupported)
	assert.ErrorContains(t, s.NotSmooth, "lengths of NAL units of 4 and of 2 bytes in the parts")
}

// TestStitchedCorrupt: samples that do not fill the fragment cannot be given a new head.
func TestStitchedCorrupt(t *testing.T) {
	a, b := newPictures(avcA, "\x00\x00\x00\x01\x65"), newPictures(avcB, "\x00\x00\x00\x01\x65")
	p := stitch(namedSource{"a": &overlong{a}, "b": b}, "a", "b")
	_, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 1000})
	require.ErrorIs(t, err, smooth.ErrCorrupt)
	assert.ErrorContains(t, err, "samples of 5 bytes, mdat has 6")
}

// overlong has a byte behind its samples.
type overlong struct{ *pictures }

func (p *overlong) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	f, err := p.pictures.Fragment(ctx, k)
	if err != nil {
		return nil, err
	}
	head, err := f.Header(smooth.Smooth)
	if err != nil {
		return nil, err
	}
	return smooth.NewFragment(smooth.FragmentInit{
		Key: k, Timescale: f.Timescale, Duration: f.Duration, Codec: f.Codec, Head: head, Payload: []byte("\x00\x00\x00\x01\x65!"),
	}), nil
}

// TestStitchedInnerPeriods: the periods of a part are periods of the whole.
func TestStitchedInnerPeriods(t *testing.T) {
	a, b := newPictures(avcA, "\x00\x00\x00\x01\x65"), newPictures(avcB, "\x00\x00\x00\x01\x65")
	line := smooth.Timeline{{Time: 20 * stitchSecond, Duration: 2 * stitchSecond}, {Time: 22 * stitchSecond, Duration: 2 * stitchSecond}}
	a.snap.Manifest.Streams[0].Timeline = line
	late := []smooth.Track{{Stream: "video", Bitrate: 1000, Codec: b.codec}}
	a.snap.Periods = []smooth.Period{
		{Start: 5 * stitchSecond, Tracks: a.snap.Periods[0].Tracks}, {Start: 22 * stitchSecond, Discontinuity: 1, Tracks: late},
		{Start: 90 * stitchSecond, Discontinuity: 2, Tracks: late}, // nothing is left of it
	}
	p := stitch(namedSource{"a": a, "b": b}, "a", "b")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Periods, 3)
	for i, want := range []*smooth.Codec{a.codec, b.codec, b.codec} {
		assert.EqualValues(t, 2*i*stitchSecond, s.Periods[i].Start)
		assert.EqualValues(t, i, s.Periods[i].Discontinuity)
		assert.Same(t, want, s.Periods[i].Tracks[0].Codec)
	}
	assert.Equal(t, b.codec.PrivateData, s.Manifest.Streams[0].Levels[0].CodecPrivateData)
}
