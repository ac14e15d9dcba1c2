package smooth_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// spec returns the clip of a presentation, in seconds.
func spec(t *testing.T, src smooth.Source, url, name string, begin, end uint64) smooth.ClipSpec {
	t.Helper()
	p, err := src.Open(t.Context(), name)
	require.NoError(t, err)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	return smooth.ClipSpec{URL: url, Manifest: s.Manifest, Begin: begin * second, End: end * second}
}

func TestBuildComposite(t *testing.T) {
	src := smoothtest.NewSource()
	m, err := smooth.BuildComposite([]smooth.ClipSpec{
		spec(t, src, "sample.ism/Manifest", "sample/sample.ism", 5, 9),
		spec(t, src, "sample.ism/Manifest", "sample/sample.ism", 20, 0),
	})
	require.NoError(t, err)
	assert.EqualValues(t, 14*second, m.Duration)
	require.Len(t, m.Clips, 2)
	require.Len(t, m.Clips[0].Streams, 2, "one video and one audio stream")
	assert.Equal(t, smooth.Timeline{{4 * second, 2 * second}, {6 * second, 2 * second}, {8 * second, 2 * second}}, m.Clips[0].Streams[0].Timeline)
	assert.EqualValues(t, 30*second, m.Clips[1].End)

	xml, err := m.AppendXML(nil, nil)
	require.NoError(t, err)
	again, err := smooth.ParseManifest(xml)
	require.NoError(t, err)
	xml2, err := again.AppendXML(nil, nil)
	require.NoError(t, err)
	assert.Equal(t, string(xml), string(xml2))
	assert.Contains(t, string(xml), `MajorVersion="1" MinorVersion="0" Duration="140000000"`)
	assert.Contains(t, string(xml), `<Clip Url="sample.ism/Manifest" ClipBegin="50000000" ClipEnd="90000000">`)
	assert.Contains(t, string(xml), `<c t="40000000"`)
}

func TestBuildCompositeRefuses(t *testing.T) {
	src := smoothtest.NewSource()
	good := spec(t, src, "sample.ism/Manifest", "sample/sample.ism", 5, 9)
	with := func(change func(*smooth.ClipSpec)) []smooth.ClipSpec {
		c := good
		change(&c)
		return []smooth.ClipSpec{good, c}
	}
	live, err := smoothtest.New(liveConfig()).Snapshot(t.Context())
	require.NoError(t, err)
	tests := []struct {
		name  string
		clips []smooth.ClipSpec
		want  error
	}{
		{"no clip", nil, smooth.ErrBadRequest},
		{"no URL", with(func(c *smooth.ClipSpec) { c.URL = "" }), smooth.ErrBadRequest},
		{"no manifest", with(func(c *smooth.ClipSpec) { c.Manifest = nil }), smooth.ErrBadRequest},
		{"empty span", with(func(c *smooth.ClipSpec) { c.End = c.Begin }), smooth.ErrBadRequest},
		{"after the end", with(func(c *smooth.ClipSpec) { c.Begin, c.End = 40*second, 50*second }), smooth.ErrNotFound},
		{"unknown stream", with(func(c *smooth.ClipSpec) { c.Streams = []string{"nobody"} }), smooth.ErrNotFound},
		{"live", with(func(c *smooth.ClipSpec) { c.Manifest = live.Manifest }), smooth.ErrUnsupported},
		{"too many", make([]smooth.ClipSpec, smooth.MaxManifestClips+1), smooth.ErrTooLarge},
	}
	for _, tt := range tests {
		_, err := smooth.BuildComposite(tt.clips)
		assert.ErrorIs(t, err, tt.want, tt.name)
	}
}

// compositeOf opens a composite of clips of sample.ism, given as begin and end in seconds.
func compositeOf(t *testing.T, src *smoothtest.Source, streams []string, spans ...[2]uint64) smooth.Presentation {
	t.Helper()
	var clips []smooth.ClipSpec
	for _, s := range spans {
		c := spec(t, src, "sample.ism/Manifest", "sample/sample.ism", s[0], s[1])
		c.Streams = streams
		clips = append(clips, c)
	}
	m, err := smooth.BuildComposite(clips)
	require.NoError(t, err)
	p, err := smooth.OpenComposite(t.Context(), src, "sample/cut.csm", m)
	require.NoError(t, err)
	return p
}

func TestCompositePlaysAcrossClips(t *testing.T) {
	src := smoothtest.NewSource()
	base, err := src.Open(t.Context(), "sample/sample.ism")
	require.NoError(t, err)
	p := compositeOf(t, src, nil, [2]uint64{5, 9}, [2]uint64{20, 23}, [2]uint64{0, 2})
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "video(3000,1200,400)0-12 audio_eng(96)0-12 ", shown(s.Manifest))
	assert.EqualValues(t, 12*second, s.Manifest.Duration)
	assert.False(t, s.Manifest.IsLive)
	assert.True(t, s.Ended)
	var starts []uint64
	for i, period := range s.Periods {
		starts = append(starts, period.Start/second)
		assert.EqualValues(t, i, period.Discontinuity)
		assert.Len(t, period.Tracks, 4)
	}
	assert.Equal(t, []uint64{0, 6, 10}, starts)

	from := []uint64{4, 6, 8, 20, 22, 0} // where the fragments come from
	for i, c := range s.Manifest.Stream("video").Timeline {
		require.Equal(t, uint64(2*i)*second, c.Time)
		k := smooth.FragmentKey{Stream: "VIDEO", Bitrate: 400_000, Time: c.Time}
		f, err := p.Fragment(t.Context(), k)
		require.NoError(t, err)
		k.Stream = "video"
		assert.Equal(t, k, f.Key)
		requireRetimed(t, f, uint32(i+1))

		k.Time = from[i] * second
		inner, err := base.Fragment(t.Context(), k)
		require.NoError(t, err)
		want, err := inner.Load(t.Context(), nil)
		require.NoError(t, err)
		got, err := f.Load(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, want, got, "the samples are the source's")
		size, err := p.(smooth.Sizer).FragmentSize(f.Key)
		require.NoError(t, err)
		assert.Equal(t, f.PayloadSize(), size)
		require.NoError(t, inner.Close())
		require.NoError(t, f.Close())
	}
	_, err = p.(smooth.Sizer).FragmentSize(smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 1})
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.Zero(t, base.(*smoothtest.Presentation).OpenFragments())
	requireFragments(t, p, s)
	_, ok := p.(interface {
		CompositeBytes(context.Context) ([]byte, error)
	})
	assert.True(t, ok)
}

// requireRetimed checks that the bytes of a fragment agree with its key.
func requireRetimed(t *testing.T, f *smooth.Fragment, sequence uint32) {
	t.Helper()
	var b bytes.Buffer
	n, err := f.WriteTo(&b)
	require.NoError(t, err)
	require.Equal(t, f.Size(), n)
	data := b.Bytes()
	tfxd := bytes.Index(data, []byte{0x6D, 0x1D, 0x9B, 0x05})
	require.Positive(t, tfxd)
	assert.Equal(t, f.Key.Time, binary.BigEndian.Uint64(data[tfxd+20:]))
	assert.Equal(t, f.Duration, binary.BigEndian.Uint64(data[tfxd+28:]))
	assert.Equal(t, sequence, binary.BigEndian.Uint32(data[20:]))
	at, total := f.Key.Time, uint64(0)
	for s, err := range f.Samples() {
		require.NoError(t, err)
		assert.Equal(t, at, s.DTS)
		at += uint64(s.Duration)
		total += uint64(s.Size)
	}
	assert.Equal(t, f.Key.Time+f.Duration, at)
	assert.EqualValues(t, f.PayloadSize(), total)
	cmaf, err := f.Header(smooth.CMAF)
	require.NoError(t, err)
	tfdt := bytes.Index(cmaf, []byte("tfdt"))
	require.Positive(t, tfdt)
	assert.Equal(t, f.Key.Time, binary.BigEndian.Uint64(cmaf[tfdt+8:]))
}

func TestCompositeKeepsStreamsInStep(t *testing.T) {
	// audio of AAC frames: fragments near, not at, the video's borders, in a timescale of its own
	c := smoothtest.Default()
	frames := []uint64{94, 94, 94, 93}
	audio := &c.Streams[1]
	audio.Timescale, audio.Durations = 48000, nil
	for i := range 15 {
		audio.Durations = append(audio.Durations, frames[i%4]*1024)
	}
	src := smoothtest.NewSource()
	base := smoothtest.New(c)
	src.Add("sample/sample.ism", base)
	p := compositeOf(t, src, nil, [2]uint64{6, 8}, [2]uint64{21, 23}, [2]uint64{2, 9})
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	video, sound := s.Manifest.Streams[0], s.Manifest.Streams[1]
	assert.EqualValues(t, 48000, sound.Timescale)
	assert.Len(t, video.Timeline, 1+2+4)
	assert.Len(t, sound.Timeline, 1+2+4)
	for _, st := range s.Manifest.Streams {
		scale := s.Manifest.TimescaleOf(st)
		for i, ch := range st.Timeline[1:] {
			end := st.Timeline[i].End()
			require.GreaterOrEqual(t, ch.Time, end)
			assert.Less(t, ch.Time-end, scale/10, "no more than a few frames of gap")
		}
	}
	// the distance between picture and sound is that of the source
	b, err := base.Snapshot(t.Context())
	require.NoError(t, err)
	for _, pair := range [][2]int{{0, 3}, {1, 10}, {3, 1}} { // first fragments of the clips, here and in the source
		here := video.Timeline[pair[0]].Time*48000/second - sound.Timeline[pair[0]].Time
		there := b.Manifest.Streams[0].Timeline[pair[1]].Time*48000/second - b.Manifest.Streams[1].Timeline[pair[1]].Time
		assert.InDelta(t, 0, int64(here-there), 1)
	}
	requireFragments(t, p, s)
}

func TestCompositeText(t *testing.T) {
	src := smoothtest.NewSource()
	p := compositeOf(t, src, []string{"video", "audio_fra", "text_eng"}, [2]uint64{10, 20}, [2]uint64{4, 8}, [2]uint64{20, 30})
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "video(3000,1200,400)0-24 audio_fra(96)0-24 text_eng(1)0-24 ", shown(s.Manifest))
	assert.Equal(t, smooth.Timeline{{0, 10 * second}, {14 * second, 10 * second}}, s.Manifest.Stream("text_eng").Timeline,
		"a text fragment that starts before its clip is left out")
	requireFragments(t, p, s)
}

func TestCompositeKeepsCommonLevels(t *testing.T) {
	src := smoothtest.NewSource()
	other := smoothtest.Default()
	other.Streams[0].Levels = []smoothtest.Level{
		{Bitrate: 3_000_000, Width: 1280, Height: 720},
		{Bitrate: 1_200_000, Width: 480, Height: 270}, // another size
		{Bitrate: 250_000},
	}
	src.Add("other/other.ism", smoothtest.New(other))
	m, err := smooth.BuildComposite([]smooth.ClipSpec{
		spec(t, src, "../sample/sample.ism/Manifest", "sample/sample.ism", 0, 4),
		spec(t, src, "../other/other.ism/manifest(format=fmp4-v20)", "other/other.ism", 0, 4),
	})
	require.NoError(t, err)
	p, err := smooth.OpenComposite(t.Context(), src, "cuts/a.csm", m)
	require.NoError(t, err)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "video(3000)0-8 audio_eng(96)0-8 ", shown(s.Manifest))
	_, err = p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 400_000})
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	_, err = p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 3_000_000, Time: 1})
	assert.ErrorIs(t, err, smooth.ErrNotFound)
}

func TestCompositeRefuses(t *testing.T) {
	src := smoothtest.NewSource()
	other := smoothtest.Default()
	other.Streams = other.Streams[:1]
	other.Streams[0].Levels = []smoothtest.Level{{Bitrate: 400_000, Width: 480, Height: 270}}
	src.Add("sample/other.ism", smoothtest.New(other))
	src.Add("sample/live.isml", smoothtest.New(liveConfig()))
	clip := func(url string) *smooth.Clip { return &smooth.Clip{URL: url, Begin: 0, End: 4 * second} }
	tests := []struct {
		name  string
		clips []*smooth.Clip
		want  error
		text  string
	}{
		{"no clips", nil, smooth.ErrCorrupt, "no clips"},
		{"missing", []*smooth.Clip{clip("sample.ism/Manifest"), clip("gone.ism/Manifest")}, smooth.ErrNotFound, "clip 2 (gone.ism/Manifest)"},
		{"other host", []*smooth.Clip{clip("http://origin.example/sample.ism/Manifest")}, smooth.ErrUnsupported, "clip 1"},
		{"rooted", []*smooth.Clip{clip("/sample/sample.ism/Manifest")}, smooth.ErrUnsupported, "clip 1"},
		{"above the root", []*smooth.Clip{clip("../../sample.ism/Manifest")}, smooth.ErrUnsupported, "clip 1"},
		{"itself", []*smooth.Clip{clip("x.csm/Manifest")}, smooth.ErrUnsupported, "composite"},
		{"malformed", []*smooth.Clip{clip("%zz")}, smooth.ErrCorrupt, "clip 1"},
		{"live", []*smooth.Clip{clip("live.isml/Manifest")}, smooth.ErrUnsupported, "live"},
		{"nothing in common", []*smooth.Clip{clip("sample.ism/Manifest"), clip("other.ism/Manifest")}, smooth.ErrUnsupported, "another codec configuration in clip 2"},
		{"past the end", []*smooth.Clip{{URL: "sample.ism/Manifest", Begin: 40 * second, End: 50 * second}}, smooth.ErrNotFound, "no fragment"},
		{"empty span", []*smooth.Clip{{URL: "sample.ism/Manifest"}}, smooth.ErrCorrupt, "ClipEnd"},
		{"unknown stream", []*smooth.Clip{{URL: "sample.ism/Manifest", End: second, Streams: []*smooth.Stream{{Type: smooth.Video, Name: "nobody"}}}}, smooth.ErrNotFound, "nobody"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &smooth.Manifest{Clips: tt.clips}
			_, err := smooth.OpenComposite(t.Context(), src, "sample/x.csm", m)
			require.ErrorIs(t, err, tt.want)
			assert.ErrorContains(t, err, tt.text)
			_, err = smooth.NewComposite(src, "sample/x.csm", m, &smooth.CompositeOptions{Stored: []byte("<x/>")}).CompositeBytes(t.Context())
			assert.NoError(t, err, "the manifest itself can be had in any case")
		})
	}
}

func TestCompositeBounded(t *testing.T) {
	src := smoothtest.NewSource()
	c := smoothtest.Config{Streams: []smoothtest.Stream{{Type: smooth.Video, Durations: smoothtest.Repeat(20_000, 1000), Levels: []smoothtest.Level{{Bitrate: 1}}}}}
	src.Add("long.ism", smoothtest.New(c))
	m := &smooth.Manifest{}
	for range smooth.MaxManifestClips {
		m.Clips = append(m.Clips, &smooth.Clip{URL: "long.ism/Manifest", End: 20_000_000})
	}
	_, err := smooth.OpenComposite(t.Context(), src, "x.csm", m)
	assert.ErrorIs(t, err, smooth.ErrTooLarge)
}

func TestCompositeFollowsSources(t *testing.T) {
	src := smoothtest.NewSource()
	p := compositeOf(t, src, nil, [2]uint64{0, 10})
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	again, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Same(t, s, again)

	c := smoothtest.Default()
	c.Streams[0].Durations = smoothtest.Repeat(6, 5*second)
	src.Add("sample/sample.ism", smoothtest.New(c))
	f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 5 * second})
	require.NoError(t, err, "found on the new timeline")
	require.NoError(t, f.Close())
	<-s.Superseded()
	now, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, s.Validator, now.Validator)
	assert.Len(t, now.Manifest.Stream("video").Timeline, 2)
}

func TestCompositeFiltered(t *testing.T) {
	p := compositeOf(t, smoothtest.NewSource(), nil, [2]uint64{5, 9}, [2]uint64{20, 23})
	f, err := smooth.NewFiltered(t.Context(), p, smooth.Filter{Start: smooth.AtTicks(7, 1), Video: smooth.BitrateRange{Max: 500_000}})
	require.NoError(t, err)
	s, err := f.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "video(400)6-10 audio_eng(96)6-10 ", shown(s.Manifest))
	require.Len(t, s.Periods, 1, "only the second clip")
	assert.EqualValues(t, 1, s.Periods[0].Discontinuity)
	requireFragments(t, f, s)
}

// TestCompositeDocumented opens the sample of the documentation of rough cut editing on a source that has what it
// names.
func TestCompositeDocumented(t *testing.T) {
	data, err := os.ReadFile(testmedia.Shared(t, "testdata/smooth/manifests/iis-docs-composite-rce-4.ismc"))
	require.NoError(t, err)
	m, err := smooth.ParseManifest(data)
	require.NoError(t, err)
	require.NotEmpty(t, m.Clips)
	src := smoothtest.NewSource()
	var levels []smoothtest.Level
	for _, l := range m.Clips[0].Streams[0].Levels {
		levels = append(levels, smoothtest.Level{Bitrate: l.Bitrate, FourCC: l.FourCC, PrivateData: l.CodecPrivateData, Width: l.MaxWidth, Height: l.MaxHeight})
	}
	src.Add("BigBuckBunny.ism", smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(299, 2*second), Levels: levels},
		{Type: smooth.Audio, Durations: smoothtest.Repeat(299, 2*second), Levels: []smoothtest.Level{{Bitrate: m.Clips[0].Streams[1].Levels[0].Bitrate}}},
	}}))
	var seen []string
	c := smooth.NewComposite(src, "rce.csm", m, &smooth.CompositeOptions{Stored: data, Resolve: func(u *url.URL) (string, bool) {
		seen = append(seen, u.Host+u.Path)
		return "BigBuckBunny.ism", u.Host == "a-mikedo-1"
	}})
	s, err := c.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Contains(t, seen[0], "BigBuckBunny.ism/Manifest")
	assert.Len(t, s.Manifest.Stream("video").Levels, len(levels))
	assert.Len(t, s.Periods, len(m.Clips))
	requireFragments(t, c, s)
	got, err := c.CompositeBytes(t.Context())
	require.NoError(t, err)
	assert.Equal(t, data, got)
}

func ExampleBuildComposite() {
	src := smoothtest.NewSource()
	p, _ := src.Open(context.Background(), "sample/sample.ism")
	s, _ := p.Snapshot(context.Background())
	m, err := smooth.BuildComposite([]smooth.ClipSpec{
		{URL: "sample.ism/Manifest", Manifest: s.Manifest, Begin: 0, End: 4 * second},
		{URL: "sample.ism/Manifest", Manifest: s.Manifest, Begin: 20 * second, End: 22 * second},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	cut, err := smooth.OpenComposite(context.Background(), src, "sample/cut.csm", m)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, _ = cut.Snapshot(context.Background())
	fmt.Println(s.Manifest.Duration/second, "s in", len(s.Manifest.Stream("video").Timeline), "fragments")
	// Output: 6 s in 3 fragments
}

func FuzzComposite(f *testing.F) {
	src := smoothtest.NewSource()
	c := smoothtest.Default()
	c.Streams[1].Timescale, c.Streams[1].Durations = 48000, smoothtest.Repeat(15, 94*1024)
	src.Add("other.ism", smoothtest.New(c))
	for _, clips := range []string{
		`<Clip Url="sample/sample.ism/Manifest" ClipBegin="50000000" ClipEnd="90000000"/>`,
		`<Clip Url="other.ism/Manifest" ClipBegin="0" ClipEnd="18446744073709551615"/><Clip Url="other.ism" ClipBegin="1" ClipEnd="2"/>`,
		`<Clip Url="other.ism/Manifest" ClipBegin="0" ClipEnd="100000000">` +
			`<StreamIndex Type="video" Url="QualityLevels({bitrate})/Fragments(video={start time})"><QualityLevel Bitrate="400000"/><c t="0" d="5"/></StreamIndex>` +
			`<StreamIndex Type="text" Name="text_eng"><c t="0" d="5"/></StreamIndex></Clip>`,
	} {
		f.Add([]byte(`<SmoothStreamingMedia MajorVersion="1" MinorVersion="0">` + clips + `</SmoothStreamingMedia>`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := smooth.ParseManifest(data)
		if err != nil || len(m.Clips) > 20 {
			return
		}
		p, err := smooth.OpenComposite(t.Context(), src, "x.csm", m)
		if err != nil {
			return
		}
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		require.Len(t, s.Periods, len(m.Clips))
		for _, st := range s.Manifest.Streams {
			for i, c := range st.Timeline {
				require.True(t, i == 0 || c.Time >= st.Timeline[i-1].End(), "%s %v", st.Name, st.Timeline)
			}
		}
		requireFragments(t, p, s)
	})
}
