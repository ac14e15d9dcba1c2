package playlist_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// spySource notes which fragments are asked for.
type spySource struct {
	smooth.Source
	mu   sync.Mutex
	keys []smooth.FragmentKey
}

func (s *spySource) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	p, err := s.Source.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &spied{p, s}, nil
}

type spied struct {
	smooth.Presentation
	of *spySource
}

func (p *spied) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	p.of.mu.Lock()
	p.of.keys = append(p.of.keys, k)
	p.of.mu.Unlock()
	return p.Presentation.Fragment(ctx, k)
}

// rated returns a presentation with a picture at some bit rates, in kbit/s, of so many fragments of two seconds, and sounds.
func rated(fragments int, rates []uint64, sounds ...smoothtest.Stream) *smoothtest.Presentation {
	video := smoothtest.Stream{Type: smooth.Video, Durations: smoothtest.Repeat(fragments, 2*stitchSecond)}
	for _, r := range rates {
		video.Levels = append(video.Levels, smoothtest.Level{Bitrate: 1000 * r})
	}
	for i := range sounds {
		sounds[i].Durations = video.Durations
	}
	return smoothtest.New(smoothtest.Config{Streams: append([]smoothtest.Stream{video}, sounds...), MaxPayload: 64})
}

// sound returns a stream of sound.
func sound(name, language string, levels ...smoothtest.Level) smoothtest.Stream {
	if levels == nil {
		levels = []smoothtest.Level{{Bitrate: 64_000}}
	}
	return smoothtest.Stream{Type: smooth.Audio, Name: name, Language: language, Levels: levels}
}

// TestStitchedLadder: which level of a part stands for which level of the longest one.
func TestStitchedLadder(t *testing.T) {
	for _, c := range []struct{ film, ad, want []uint64 }{
		{[]uint64{3000, 1200, 400}, []uint64{500}, []uint64{500, 500, 500}},
		{[]uint64{3000, 1200, 400}, []uint64{3000, 1200, 400}, []uint64{3000, 1200, 400}},
		{[]uint64{3000, 1200, 400}, []uint64{300, 1500, 3100, 9000}, []uint64{3100, 1500, 300}},
		{[]uint64{3000, 1200, 400}, []uint64{1501, 9000}, []uint64{1501, 1501, 1501}},
		{[]uint64{1000, 1100}, []uint64{1000, 1100}, []uint64{1000, 1100}},
		{[]uint64{800}, []uint64{100, 700, 900, 2000}, []uint64{900}},
	} {
		src := smoothtest.NewSource()
		src.Add("film.ism", rated(3, c.film, sound("audio", "eng")))
		src.Add("ad.ism", rated(2, c.ad, sound("audio", "eng")))
		spy := &spySource{Source: src}
		p := stitch(spy, "ad.ism", "film.ism")
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		var got []uint64
		for i, l := range s.Manifest.Streams[0].Levels {
			assert.Equal(t, 1000*c.film[i], l.Bitrate)
			_, f := fragmentSamples(t, p, smooth.FragmentKey{Stream: "video", Bitrate: l.Bitrate})
			assert.Equal(t, l.Bitrate, f.Key.Bitrate)
			got = append(got, spy.keys[len(spy.keys)-1].Bitrate/1000)
		}
		assert.Equal(t, c.want, got, "%v among %v", c.ad, c.film)
	}
}

// TestStitchedMain: the codec that most of the time is in stays, whatever single part is the longest.
func TestStitchedMain(t *testing.T) {
	src := smoothtest.NewSource()
	src.Add("short.ism", rated(4, []uint64{400}, sound("audio", "")))
	long := smoothtest.Stream{Type: smooth.Video, Durations: smoothtest.Repeat(7, 2*stitchSecond), Levels: []smoothtest.Level{{
		Bitrate: 400_000, FourCC: "WVC1", PrivateData: vc1Header,
	}}}
	src.Add("other.ism", smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{long, {
		Type: smooth.Audio, Durations: long.Durations, Levels: []smoothtest.Level{{Bitrate: 64_000}},
	}}}))
	assert.Equal(t, map[int]string{0: `smooth: stream "video" at 400000 bits/s: H264 of a part among WVC1`}, leftOut(t, stitch(src, "short.ism", "other.ism")))
	assert.Equal(t, map[int]string{1: `smooth: stream "video" at 400000 bits/s: WVC1 of a part among H264`}, leftOut(t, stitch(src, "short.ism", "other.ism", "short.ism")))
}

// TestStitchedLanguages: which sound of a part stands for which of the longest one.
func TestStitchedLanguages(t *testing.T) {
	src := smoothtest.NewSource()
	film := rated(3, []uint64{400}, sound("english", "eng"), sound("deutsch", "ger"), sound("comment", "eng"))
	src.Add("film.ism", film)
	for _, c := range []struct {
		ad   []smoothtest.Stream
		want []string
	}{
		{[]smoothtest.Stream{sound("x", "")}, []string{"x", "x", "x"}},
		{[]smoothtest.Stream{sound("x", "fr"), sound("y", "de"), sound("z", "EN")}, []string{"z", "y", "z"}},
		{[]smoothtest.Stream{sound("a", "en"), sound("comment", "en")}, []string{"a", "a", "comment"}},
	} {
		src.Add("ad.ism", rated(1, []uint64{400}, c.ad...))
		spy := &spySource{Source: src}
		p := stitch(spy, "film.ism", "ad.ism")
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		require.Empty(t, leftOut(t, p))
		var got []string
		for _, st := range s.Manifest.Streams[1:] {
			_, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: st.Name, Bitrate: 64_000, Time: 6 * stitchSecond})
			require.NoError(t, err)
			got = append(got, spy.keys[len(spy.keys)-1].Stream)
		}
		assert.Equal(t, c.want, got)
	}
}

// TestStitchedOtherCodecs: a sound of the longest part in a further codec, which other parts lack, is no reason to leave
// those out, and a sound in the right codec comes before one in the right language.
func TestStitchedOtherCodecs(t *testing.T) {
	wma := smoothtest.Level{Bitrate: 64_000, FourCC: "WMAP", PrivateData: make([]byte, 18)}
	src := smoothtest.NewSource()
	src.Add("film.ism", rated(3, []uint64{400}, sound("stereo", "eng"), sound("surround", "eng", wma)))
	src.Add("ad.ism", rated(1, []uint64{400}, sound("a", "eng", wma), sound("b", "fra")))
	spy := &spySource{Source: src}
	p := stitch(spy, "film.ism", "ad.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Empty(t, leftOut(t, p))
	require.Len(t, s.Manifest.Streams, 2)
	f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "stereo", Bitrate: 64_000, Time: 6 * stitchSecond})
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Equal(t, "b", spy.keys[len(spy.keys)-1].Stream)
}

// TestStitchedLeavesOut: what can be no part is left out and named, in the log without what the source calls it, and the
// others play on.
func TestStitchedLeavesOut(t *testing.T) {
	files := openStitchFiles(t, stitchFiles(t))
	mem := smoothtest.NewSource()
	live := smoothtest.Default()
	live.Live = true
	mem.Add("live.isml", smoothtest.New(live))
	mem.Add("text.ism", smoothtest.New(smoothtest.Config{Streams: smoothtest.Default().Streams[3:]}))
	vc1 := smoothtest.Default()
	vc1.Streams[0].Levels = []smoothtest.Level{{Bitrate: 400_000, FourCC: "WVC1", PrivateData: vc1Header}}
	vc1.Streams = vc1.Streams[:2]
	vc1.Streams[0].Durations, vc1.Streams[1].Durations = smoothtest.Repeat(3, 2*stitchSecond), smoothtest.Repeat(3, 2*stitchSecond)
	mem.Add("vc1.ism", smoothtest.New(vc1))
	for _, c := range []struct {
		name, reason string
		is           error
	}{
		{"nobody.ism", "not found", smooth.ErrNotFound},
		{"hevc.mp4", "HEVC of a part among H264", smooth.ErrUnsupported},
		{"misaligned.mp4", "a part has no audio", smooth.ErrUnsupported},
		{"german.m4a", "a part has no video", smooth.ErrUnsupported},
		{"encrypted.mp4", "", smooth.ErrUnsupported},
		{"live.isml", "a live part", smooth.ErrUnsupported},
		{"text.ism", "a part without picture and sound", smooth.ErrUnsupported},
		{"vc1.ism", "WVC1 of a part among H264", smooth.ErrUnsupported},
		{"broken.mp4", "", smooth.ErrCorrupt},
	} {
		var log bytes.Buffer
		p := playlist.NewStitched(bothSources{files, mem}, "list", stitchParts("high.mp4", c.name, "low.mp4"), &playlist.StitchOptions{
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo})),
		})
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err, c.name)
		assert.Len(t, s.Periods, 2)
		parts, err := p.Parts(t.Context())
		require.NoError(t, err)
		require.ErrorIs(t, parts[1].Err, c.is, c.name)
		assert.Contains(t, parts[1].Err.Error(), c.reason)
		assert.Zero(t, parts[1].Duration)
		assert.NoError(t, parts[0].Err)
		assert.Equal(t, parts[0].Duration, parts[2].Start)
		assert.Equal(t, 1, strings.Count(log.String(), "entry=2"), log.String())
		assert.NotContains(t, log.String(), c.name)
		_, err = p.Snapshot(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), "it is told once")
	}
}

// vc1Header is a sequence header and an entry point of VC-1's advanced profile.
var vc1Header = []byte{0, 0, 1, 0x0f, 0xcb, 0x6c, 0x13, 0xf0, 0xb3, 0x8a, 0x00, 0x00, 0x01, 0x0e, 0x5a, 0xc7, 0xfc}

// bothSources asks a second source for what the first does not have.
type bothSources [2]smooth.Source

func (b bothSources) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	p, err := b[0].Open(ctx, name)
	if err != nil && !strings.HasSuffix(name, ".mp4") {
		return b[1].Open(ctx, name)
	}
	return p, err
}

// TestStitchedVC1: VC-1 goes on in the same configuration only.
func TestStitchedVC1(t *testing.T) {
	src := smoothtest.NewSource()
	with := func(header []byte) *smoothtest.Presentation {
		c := smoothtest.Default()
		c.Streams[0].Levels = []smoothtest.Level{{Bitrate: 400_000, FourCC: "WVC1", PrivateData: header}}
		return smoothtest.New(c)
	}
	other := bytes.Clone(vc1Header)
	other[len(other)-1]++
	src.Add("a.ism", with(vc1Header))
	src.Add("b.ism", with(bytes.Clone(vc1Header)))
	src.Add("c.ism", with(other))
	p := stitch(src, "a.ism", "b.ism", "c.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.NotSmooth)
	out := leftOut(t, p)
	assert.Len(t, out, 1)
	assert.Contains(t, out[2], "another configuration of WVC1 in a part")
	requireStream(t, src, p, inParts{"video", 0, []string{"a.ism", "b.ism"}, []string{"video", "video"}, []uint64{400_000, 400_000}})
}

// TestStitchedSound: parts whose sound has another configuration are for HLS alone, or left out.
func TestStitchedSound(t *testing.T) {
	src := openStitchFiles(t, stitchFiles(t))
	p := stitch(src, "film.ism", "av.mp4")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Empty(t, leftOut(t, p))
	require.ErrorIs(t, s.NotSmooth, smooth.ErrUnsupported)
	assert.Equal(t, `smooth: stream "audio" at 16179 bits/s: another configuration of AAC in a part: 48000 Hz and 1 channels after 22050 Hz and 1`,
		s.NotSmooth.Error())

	p = playlist.NewStitched(src, "list", stitchParts("film.ism", "av.mp4", "low.mp4"), &playlist.StitchOptions{SmoothOnly: true, Logger: quietLog()})
	s, err = p.Snapshot(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.NotSmooth)
	assert.Len(t, s.Periods, 2)
	assert.Contains(t, leftOut(t, p)[1], "another configuration of AAC")
}

// TestStitchedSoundSuffix: a suffix that says that there is no SBR makes no other configuration, and of levels in several
// ones the same is taken, whatever its bit rate.
func TestStitchedSoundSuffix(t *testing.T) {
	aac := func(rate uint64, config string) smoothtest.Level {
		return smoothtest.Level{Bitrate: rate, PrivateData: []byte(config)}
	}
	src := smoothtest.NewSource()
	src.Add("film.ism", rated(3, []uint64{400}, sound("audio", "", aac(64_000, "\x11\x90"), aac(128_000, "\x12\x10"))))
	src.Add("same.ism", rated(1, []uint64{400}, sound("audio", "", aac(120_000, "\x11\x90\x56\xe5\x00"), aac(60_000, "\x12\x10\x56\xe5\x00"))))
	src.Add("less.ism", rated(1, []uint64{400}, sound("audio", "", aac(64_000, "\x11\x90"))))
	spy := &spySource{Source: src}
	p := stitch(spy, "film.ism", "same.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.NotSmooth)
	for i, want := range []uint64{120_000, 60_000} {
		_, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "audio", Bitrate: s.Manifest.Streams[1].Levels[i].Bitrate, Time: 6 * stitchSecond})
		require.NoError(t, err)
		assert.Equal(t, want, spy.keys[len(spy.keys)-1].Bitrate)
	}
	s, err = stitch(src, "film.ism", "less.ism").Snapshot(t.Context())
	require.NoError(t, err)
	assert.ErrorContains(t, s.NotSmooth, "at 128000 bits/s: another configuration of AAC in a part")
}

// TestStitchedWithoutPicture: programmes of sound alone take the sound of parts with pictures.
func TestStitchedWithoutPicture(t *testing.T) {
	src := smoothtest.NewSource()
	radio := smoothtest.Default()
	radio.Streams = radio.Streams[1:2]
	src.Add("radio.ism", smoothtest.New(radio))
	silent := smoothtest.Default()
	silent.Streams = silent.Streams[:1]
	src.Add("silent.ism", smoothtest.New(silent))
	p := stitch(src, "radio.ism", "radio.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Len(t, s.Manifest.Streams, 1)
	p = stitch(src, "silent.ism", "silent.ism")
	s, err = p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Equal(t, smooth.Video, s.Manifest.Streams[0].Type)
	p = stitch(src, "radio.ism", "sample/sample.ism", "silent.ism")
	_, err = p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[int]string{
		0: `smooth: stream "video": a part has no video`,
		2: `smooth: stream "audio_eng": a part has no audio`,
	}, leftOut(t, p))
}

// TestStitchedAttributes: levels that only custom attributes tell apart.
func TestStitchedAttributes(t *testing.T) {
	c := smoothtest.Default()
	c.Streams[0].Levels = []smoothtest.Level{
		{Bitrate: 400_000, Attributes: []smooth.Attribute{{Name: "angle", Value: "left"}}},
		{Bitrate: 400_000, Attributes: []smooth.Attribute{{Name: "angle", Value: "right"}}},
	}
	src := smoothtest.NewSource()
	src.Add("a.ism", smoothtest.New(c))
	spy := &spySource{Source: src}
	p := stitch(spy, "a.ism", "a.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "QualityLevels({bitrate},{CustomAttributes})/Fragments(video={start time})", s.Manifest.Streams[0].URL)
	for _, attrs := range []string{"angle=left", "angle=right"} {
		f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Attrs: attrs, Bitrate: 400_000, Time: 30 * stitchSecond})
		require.NoError(t, err)
		require.NoError(t, f.Close())
		assert.Equal(t, smooth.FragmentKey{Stream: "video", Attrs: attrs, Bitrate: 400_000}, spy.keys[len(spy.keys)-1])
		assert.NotNil(t, s.Track(f.Key), fmt.Sprint(f.Key))
	}
}
