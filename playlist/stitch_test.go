package playlist_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestStitchedSizes: pictures of several sizes under one sound. Every fragment begins with the parameter sets of its part,
// the manifest tells of the largest picture, and what the samples are stays.
func TestStitchedSizes(t *testing.T) {
	src := openStitchFiles(t, stitchFiles(t))
	p := stitch(src, "low.mp4", "film.ism", "low.mp4")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.NotSmooth)
	assert.Empty(t, leftOut(t, p))
	video := s.Manifest.Stream("video")
	require.Len(t, video.Levels, 2, "those of the longest part with the most, which comes second")
	high, low := video.Levels[0], video.Levels[1]
	assert.Equal(t, []uint32{128, 72, 128, 72}, []uint32{video.MaxWidth, video.MaxHeight, high.MaxWidth, high.MaxHeight})
	assert.Equal(t, []uint32{64, 36}, []uint32{low.MaxWidth, low.MaxHeight})
	assert.Equal(t, configuration(t, src, "high.mp4"), high.CodecPrivateData)

	names, rates := []string{"low.mp4", "film.ism", "low.mp4"}, []uint64{low.Bitrate, high.Bitrate, low.Bitrate}
	inner := []string{"video", "video", "video"}
	sets := requireStream(t, src, p, inParts{"video", 0, names, inner, rates})
	small, large := setsOf(t, src, "low.mp4"), setsOf(t, src, "high.mp4")
	assert.Equal(t, []string{small, small, small, large, large, large, small, small, small}, sets)
	sets = requireStream(t, src, p, inParts{"video", 1, names, inner, []uint64{low.Bitrate, low.Bitrate, low.Bitrate}})
	assert.Equal(t, make([]string, 9), sets, "one configuration needs none in the samples")
	sound := s.Manifest.Stream("audio").Levels[0].Bitrate
	sets = requireStream(t, src, p, inParts{"audio", 0, names, []string{"audio", "audio", "audio"}, []uint64{sound, sound, sound}})
	assert.Equal(t, make([]string, 9), sets)
}

// configuration returns the CodecPrivateData of the first picture of a presentation.
func configuration(t *testing.T, src smooth.Source, name string) []byte {
	t.Helper()
	return codecOf(t, src, name).PrivateData
}

func codecOf(t *testing.T, src smooth.Source, name string) *smooth.Codec {
	t.Helper()
	p, err := src.Open(t.Context(), name)
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	for _, tr := range s.Periods[0].Tracks {
		if tr.Codec.Type == smooth.Video {
			return tr.Codec
		}
	}
	require.Fail(t, "no picture")
	return nil
}

// setsOf returns the parameter sets of the first picture of a presentation, with lengths of four bytes.
func setsOf(t *testing.T, src smooth.Source, name string) string {
	t.Helper()
	_, sps, pps := codecOf(t, src, name).ParameterSets()
	require.Len(t, sps, 1)
	require.Len(t, pps, 1)
	require.Less(t, len(sps[0]), 256)
	return "\x00\x00\x00" + string(rune(len(sps[0]))) + string(sps[0]) + "\x00\x00\x00" + string(rune(len(pps[0]))) + string(pps[0])
}

// TestStitchedPeriods: each part is a period with its own configurations, and begins where the part before it has ended.
func TestStitchedPeriods(t *testing.T) {
	src := openStitchFiles(t, stitchFiles(t))
	p := stitch(src, "film.ism", "av.mp4", "film.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.True(t, s.Ended)
	assert.False(t, s.Manifest.IsLive)
	require.Len(t, s.Periods, 3)
	film, ad := codecOf(t, src, "film.ism"), codecOf(t, src, "av.mp4")
	rates := map[uint32]int{}
	for i, period := range s.Periods {
		assert.EqualValues(t, i, period.Discontinuity)
		require.Len(t, period.Tracks, 3)
		want := film
		if i == 1 {
			want = ad
		}
		assert.Equal(t, want.Width, period.Tracks[0].Codec.Width)
		assert.Equal(t, "audio", period.Tracks[2].Stream)
		rates[period.Tracks[2].Codec.SamplingRate]++
		for _, tr := range period.Tracks {
			k := smooth.FragmentKey{Stream: tr.Stream, Bitrate: tr.Bitrate, Time: period.Start}
			assert.Same(t, tr.Codec, s.Track(k).Codec)
		}
	}
	assert.Equal(t, map[uint32]int{22050: 2, 48000: 1}, rates)

	parts, err := p.Parts(t.Context())
	require.NoError(t, err)
	at := uint64(0)
	for i, x := range parts {
		assert.Equal(t, at, s.Periods[i].Start)
		assert.EqualValues(t, at*100, x.Start)
		at += uint64(x.Duration / 100)
		assert.Equal(t, i+1, x.Entry)
	}
	assert.Equal(t, at, s.Manifest.Duration)
	audio := s.Manifest.Stream("audio")
	requireStream(t, src, p, inParts{"audio", 0, []string{"film.ism", "av.mp4", "film.ism"}, []string{"audio", "audio", "audio"},
		[]uint64{audio.Levels[0].Bitrate, soundRate(t, src, "av.mp4"), audio.Levels[0].Bitrate}})
}

// soundRate returns the bit rate of the first sound of a presentation.
func soundRate(t *testing.T, src smooth.Source, name string) uint64 {
	t.Helper()
	p, err := src.Open(t.Context(), name)
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	for _, st := range s.Manifest.Streams {
		if st.Type == smooth.Audio {
			return st.Levels[0].Bitrate
		}
	}
	require.Fail(t, "no sound")
	return 0
}

// TestStitchedCounts: no part, one, and the same one many times.
func TestStitchedCounts(t *testing.T) {
	src := smoothtest.NewSource()
	_, err := stitch(src).Snapshot(t.Context())
	require.ErrorIs(t, err, smooth.ErrNotFound)
	_, err = stitch(src, "nobody.ism", "neither.ism").Snapshot(t.Context())
	require.ErrorIs(t, err, smooth.ErrNotFound)
	_, err = stitch(src, make([]string, playlist.MaxParts+1)...).Snapshot(t.Context())
	require.ErrorIs(t, err, smooth.ErrTooLarge)

	p := stitch(src, "sample/sample.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	inner, err := src.Open(t.Context(), "sample/sample.ism")
	require.NoError(t, err)
	base, err := inner.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Periods, 1)
	for i, st := range s.Manifest.Streams {
		assert.Equal(t, base.Manifest.Streams[i].Timeline, st.Timeline)
		assert.Equal(t, base.Manifest.Streams[i].Name, st.Name)
		assert.Equal(t, base.Manifest.Streams[i].Levels, st.Levels)
	}

	names := strings.Split(strings.Repeat("sample/sample.ism ", 300), " ")[:300]
	p = stitch(src, names...)
	s, err = p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Periods, 300)
	assert.Equal(t, uint64(300*30*stitchSecond), s.Manifest.Duration)
	for _, k := range fragmentKeys(s.Manifest.Streams[0], s.Manifest.Streams[0].Levels[1])[4480:] {
		_, f := fragmentSamples(t, p, k)
		assert.Equal(t, k, f.Key)
	}
	require.NoError(t, p.Close())
}

// TestStitchedTimescales: parts in other timescales, whose streams do not begin at zero, keep their distances, and nothing
// drifts.
func TestStitchedTimescales(t *testing.T) {
	src := smoothtest.NewSource()
	src.Add("frames.ism", smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Timescale: 90_000, Start: 900_000, Durations: smoothtest.Repeat(7, 180_180), Levels: []smoothtest.Level{{Bitrate: 1_200_000}}},
		{Type: smooth.Audio, Name: "sound", Language: "en", Timescale: 48_000, Start: 480_500, Durations: smoothtest.Repeat(7, 94*1024), Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}))
	src.Add("same.ism", smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(9, 2*stitchSecond), Levels: []smoothtest.Level{{Bitrate: 1_000_000}}},
		{Type: smooth.Audio, Language: "eng", Timescale: 48_000, Durations: smoothtest.Repeat(9, 94*1024), Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}))
	p := stitch(src, "frames.ism", "same.ism", "frames.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Empty(t, leftOut(t, p))
	video, audio := s.Manifest.Streams[0], s.Manifest.Streams[1]
	assert.EqualValues(t, smooth.DefaultTimescale, s.Manifest.TimescaleOf(video))
	assert.EqualValues(t, 48_000, s.Manifest.TimescaleOf(audio), "all have it")
	assert.EqualValues(t, 500, audio.Timeline.Start(), "480500/48000 s less 10 s")
	names := []string{"frames.ism", "same.ism", "frames.ism"}
	requireStream(t, src, p, inParts{"video", 0, names, []string{"video", "video", "video"}, []uint64{1_200_000, 1_000_000, 1_200_000}})
	requireStream(t, src, p, inParts{"audio", 0, names, []string{"sound", "audio", "sound"}, []uint64{96_000, 96_000, 96_000}})

	// 7 fragments of 180,180 ticks are 14.014 s, of sound 7*94*1024 after 500 ticks 14.04775 s.
	assert.EqualValues(t, 140_477_500, s.Periods[1].Start)
	assert.EqualValues(t, 140_477_500, video.Timeline[7].Time)
	assert.EqualValues(t, 674_292, audio.Timeline[7].Time)
	assert.EqualValues(t, 674_292-(500+6*94*1024), audio.Timeline[6].Duration)
	second := s.Periods[2].Start
	assert.EqualValues(t, second, video.Timeline[16].Time)
	assert.InDelta(t, float64(second)+500*smooth.DefaultTimescale/48_000, float64(audio.Timeline[16].Time)*smooth.DefaultTimescale/48_000, 210)
}

// TestStitchedDeterministic: the same parts give the same bytes, whoever puts them together.
func TestStitchedDeterministic(t *testing.T) {
	files := stitchFiles(t)
	a, b := stitch(openStitchFiles(t, files), "film.ism", "av.mp4"), stitch(openStitchFiles(t, files), "film.ism", "av.mp4")
	s, err := a.Snapshot(t.Context())
	require.NoError(t, err)
	o, err := b.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Equal(t, s.Validator, o.Validator)
	assert.Regexp(t, `^stitch-[0-9a-f]{24}$`, s.Validator)
	x, err := s.Manifest.AppendXML(nil, nil)
	require.NoError(t, err)
	y, err := o.Manifest.AppendXML(nil, nil)
	require.NoError(t, err)
	assert.Equal(t, string(x), string(y))
	for _, st := range s.Manifest.Streams {
		for _, l := range st.Levels {
			for _, k := range fragmentKeys(st, l) {
				f, err := a.Fragment(t.Context(), k)
				require.NoError(t, err)
				g, err := b.Fragment(t.Context(), k)
				require.NoError(t, err)
				assert.Equal(t, contentOf(t, f), contentOf(t, g))
			}
		}
	}
	again, err := a.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Same(t, s, again)
	third, err := stitch(openStitchFiles(t, files), "av.mp4", "film.ism").Snapshot(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, s.Validator, third.Validator, "another order")
}

// contentOf returns the bytes of a fragment, which it closes.
func contentOf(t *testing.T, f *smooth.Fragment) string {
	t.Helper()
	defer f.Close()
	var b strings.Builder
	_, err := f.WriteTo(&b)
	require.NoError(t, err)
	return b.String()
}

// TestStitchedKeys: keys that do not exist.
func TestStitchedKeys(t *testing.T) {
	p := stitch(smoothtest.NewSource(), "sample/sample.ism", "sample/sample.ism")
	good := smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 30 * stitchSecond}
	for name, change := range map[string]func(*smooth.FragmentKey){
		"stream": func(k *smooth.FragmentKey) { k.Stream = "audio" },
		"rate":   func(k *smooth.FragmentKey) { k.Bitrate++ },
		"attrs":  func(k *smooth.FragmentKey) { k.Attrs = "a=b" },
		"time":   func(k *smooth.FragmentKey) { k.Time++ },
		"end":    func(k *smooth.FragmentKey) { k.Time = 60 * stitchSecond },
	} {
		k := good
		change(&k)
		_, err := p.Fragment(t.Context(), k)
		assert.ErrorIs(t, err, smooth.ErrNotFound, name)
		_, err = p.FragmentSize(k)
		assert.ErrorIs(t, err, smooth.ErrNotFound, name)
		_, err = p.Locate(t.Context(), k, 1)
		assert.ErrorIs(t, err, smooth.ErrNotFound, name)
	}
	f, err := p.Fragment(t.Context(), good)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = stitch(smoothtest.NewSource(), "sample/sample.ism").FragmentSize(good)
	assert.ErrorIs(t, err, smooth.ErrNotFound, "before the first snapshot")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = stitch(slowSource{}, "sample/sample.ism").Snapshot(ctx)
	assert.ErrorIs(t, err, context.Canceled, "nothing is said of the part")
}

// slowSource waits for the context.
type slowSource struct{}

func (slowSource) Open(ctx context.Context, _ string) (smooth.Presentation, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestStitchedSizesOfFragments: the sizes that are known before reading are those of the fragments, parameter sets included.
func TestStitchedSizesOfFragments(t *testing.T) {
	p := stitch(openStitchFiles(t, stitchFiles(t)), "low.mp4", "high.mp4")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	for _, st := range s.Manifest.Streams {
		for _, k := range fragmentKeys(st, st.Levels[0]) {
			_, f := fragmentSamples(t, p, k)
			size, err := p.FragmentSize(k)
			require.NoError(t, err)
			assert.Equal(t, f.PayloadSize(), size)
		}
	}
}

// TestLocate: where fragments, and segments of several, are in their parts.
func TestLocate(t *testing.T) {
	p := stitch(smoothtest.NewSource(), "sample/sample.ism", "sample/sample.ism")
	for _, c := range []struct {
		seconds     uint64
		count, part int
		from, to    time.Duration
	}{
		{0, 1, 0, 0, 2 * time.Second},
		{28, 1, 0, 28 * time.Second, 30 * time.Second},
		{30, 0, 1, 0, 2 * time.Second},
		{30, 3, 1, 0, 6 * time.Second},
		{26, 3, 0, 26 * time.Second, 30 * time.Second},
		{58, 9, 1, 28 * time.Second, 30 * time.Second},
	} {
		got, err := p.Locate(t.Context(), smooth.FragmentKey{Stream: "Video", Bitrate: 400_000, Time: c.seconds * stitchSecond}, c.count)
		require.NoError(t, err)
		assert.Equal(t, playlist.Place{Part: c.part, From: c.from, To: c.to}, got, "%d fragments at %d s", c.count, c.seconds)
	}
}
