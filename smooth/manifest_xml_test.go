package smooth_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// videoStream returns a stream with one level and the given timeline.
func videoStream(tl ...smooth.Chunk) *smooth.Stream {
	return &smooth.Stream{
		Type: smooth.Video, Name: "video", URL: "QualityLevels({bitrate})/Fragments(video={start time})", Timeline: tl,
		Levels: []*smooth.QualityLevel{{Bitrate: 500000, FourCC: "H264", CodecPrivateData: []byte{0, 0xAB}, MaxWidth: 320, MaxHeight: 180}},
	}
}

func TestManifestAppendXML(t *testing.T) {
	m := &smooth.Manifest{
		MajorVersion: 2, MinorVersion: 1, Timescale: 10000000, Duration: 45, DVRWindowLength: 7,
		Protection:       []smooth.ProtectionHeader{{SystemID: "9a04f079-9840-4286-ab92-e65be0885f95", Data: []byte("key")}},
		CustomAttributes: []smooth.Attribute{{Name: "timeScaleZeroPoint", Value: "0"}},
		Extra:            []smooth.Attribute{{Name: "vendor", Value: "a\t\"<&>\r\n'é😀"}},
		Streams: []*smooth.Stream{
			videoStream(smooth.Chunk{Time: 0, Duration: 10}, smooth.Chunk{Time: 10, Duration: 15}, smooth.Chunk{Time: 30, Duration: 15}),
			{
				Type: smooth.Audio, Name: "audio_en", Language: "eng", Timescale: 48000, URL: "u", Extra: []smooth.Attribute{{Name: "x", Value: "1"}},
				Levels: []*smooth.QualityLevel{{Index: 3, Bitrate: 96000, FourCC: "AACL", SamplingRate: 48000, Channels: 2, BitsPerSample: 16, PacketSize: 4, AudioTag: 255,
					CustomAttributes: []smooth.Attribute{{Name: "k", Value: "v"}}}},
				Timeline: smooth.Timeline{{Time: 7, Duration: 10}},
			},
			{Type: smooth.Text, Content: []byte(`<Marker Time="1" Value="x"/>`)},
		},
	}
	const head = `<?xml version="1.0" encoding="utf-8"?>
<SmoothStreamingMedia MajorVersion="2" MinorVersion="1" Duration="45" TimeScale="10000000" DVRWindowLength="7" vendor="a&#x9;&quot;&lt;&amp;&gt;&#xD;&#xA;'é😀">
<Protection>
<ProtectionHeader SystemID="9A04F079-9840-4286-AB92-E65BE0885F95">a2V5</ProtectionHeader>
</Protection>
<CustomAttributes>
<Attribute Name="timeScaleZeroPoint" Value="0"/>
</CustomAttributes>
<StreamIndex Type="video" Name="video" Chunks="3" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})">
<QualityLevel Index="0" Bitrate="500000" CodecPrivateData="00AB" FourCC="H264" MaxWidth="320" MaxHeight="180"/>
<c n="0" d="10"/>
<c n="1" d="15"/>
<c n="2" t="30" d="15"/>
</StreamIndex>
<StreamIndex Type="audio" Name="audio_en" Language="eng" Chunks="1" QualityLevels="1" TimeScale="48000" Url="u" x="1">
<QualityLevel Index="3" Bitrate="96000" CodecPrivateData="" SamplingRate="48000" Channels="2" BitsPerSample="16" PacketSize="4" AudioTag="255" FourCC="AACL">
<CustomAttributes>
<Attribute Name="k" Value="v"/>
</CustomAttributes>
</QualityLevel>
<c n="0" t="7" d="10"/>
</StreamIndex>
<StreamIndex Type="text" Name="text" Subtype="">
<Content><Marker Time="1" Value="x"/></Content>
</StreamIndex>
</SmoothStreamingMedia>
`
	got, err := m.AppendXML([]byte("kept "), nil)
	require.NoError(t, err)
	assert.Equal(t, "kept "+head, string(got))
	m.Streams[2].Name = "text" // what reading makes of a missing name
	checkRoundTrip(t, m, nil)
	checkRoundTrip(t, m, &smooth.ManifestOptions{V20: true})
}

// element returns the lines of the document that begin with <name.
func elements(t *testing.T, m *smooth.Manifest, name string, opts *smooth.ManifestOptions) []string {
	t.Helper()
	b, err := m.AppendXML(nil, opts)
	require.NoError(t, err)
	var out []string
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "<"+name+" ") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

func TestManifestAppendXMLChunks(t *testing.T) {
	run := []smooth.Chunk{{Time: 0, Duration: 20}, {Time: 20, Duration: 20}, {Time: 40, Duration: 20}, {Time: 60, Duration: 5}}
	tests := []struct {
		name     string
		live     bool
		timeline []smooth.Chunk
		opts     *smooth.ManifestOptions
		minor    int
		want     []string
	}{
		{"repeats", false, run, nil, 2, []string{`<c d="20" r="3"/>`, `<c d="5"/>`}},
		{"repeats forbidden", false, run, &smooth.ManifestOptions{V20: true}, 0,
			[]string{`<c n="0" d="20"/>`, `<c n="1" d="20"/>`, `<c n="2" d="20"/>`, `<c n="3" d="5"/>`}},
		{"no run", false, run[2:], nil, 0, []string{`<c n="0" t="40" d="20"/>`, `<c n="1" d="5"/>`}},
		{"gap ends a run", false, []smooth.Chunk{{1, 2}, {3, 2}, {6, 2}, {8, 2}}, nil, 2, []string{`<c t="1" d="2" r="2"/>`, `<c t="6" d="2" r="2"/>`}},
		{"overlap", false, []smooth.Chunk{{0, 9}, {5, 9}}, nil, 0, []string{`<c n="0" d="9"/>`, `<c n="1" t="5" d="9"/>`}},
		{"live from 0", true, run[:3], nil, 2, []string{`<c t="0" d="20" r="3"/>`}},
		{"live without a run", true, run[2:], nil, 2, []string{`<c t="40" d="20"/>`, `<c d="5"/>`}},
		{"live without repeats", true, run[1:], &smooth.ManifestOptions{V20: true}, 0, []string{`<c t="20" d="20"/>`, `<c d="20"/>`, `<c d="5"/>`}},
		{"live of version 2.0", true, run[1:], nil, 0, []string{`<c t="20" d="20"/>`, `<c d="20"/>`, `<c d="5"/>`}},
		{"live with a gap", true, []smooth.Chunk{{0, 9}, {20, 9}}, nil, 0, []string{`<c t="0" d="9"/>`, `<c t="20" d="9"/>`}},
		{"live in blocks", true, []smooth.Chunk{{0, 5110000000}, {5110000000, 10000000}, {5120000000, 10000000}}, nil, 2,
			[]string{`<c t="0" d="5110000000"/>`, `<c d="10000000"/>`, `<c t="5120000000" d="10000000"/>`}},
		{"events", false, []smooth.Chunk{{5, 0}, {6, 0}}, nil, 0, []string{`<c n="0" t="5" d="0"/>`, `<c n="1" t="6" d="0"/>`}},
		{"end of 64 bits", false, []smooth.Chunk{{math.MaxUint64 - 2, 1}, {math.MaxUint64 - 1, 1}}, nil, 2, []string{`<c t="18446744073709551613" d="1" r="2"/>`}},
		{"empty", false, nil, nil, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &smooth.Manifest{MajorVersion: 2, IsLive: tt.live, Streams: []*smooth.Stream{videoStream(tt.timeline...)}}
			if tt.live {
				m.MinorVersion = uint32(tt.minor)
			}
			assert.Equal(t, tt.want, elements(t, m, "c", tt.opts))
			root := elements(t, m, "SmoothStreamingMedia", tt.opts)[0]
			assert.Contains(t, root, fmt.Sprintf(`MajorVersion="2" MinorVersion="%d"`, tt.minor))
			assert.Equal(t, tt.live, strings.Contains(root, ` IsLive="TRUE" LookAheadFragmentCount="0" DVRWindowLength="0"`), root)
			assert.Contains(t, elements(t, m, "StreamIndex", tt.opts)[0], fmt.Sprintf(`Chunks="%d"`, len(tt.timeline)))
			checkRoundTrip(t, m, tt.opts)
		})
	}
}

func TestManifestAppendXMLVersion(t *testing.T) {
	for _, tt := range []struct {
		major, minor uint32
		v20          bool
		want         string
	}{
		{0, 0, false, `MajorVersion="2" MinorVersion="0"`},
		{2, 1, false, `MajorVersion="2" MinorVersion="1"`},
		{2, 1, true, `MajorVersion="2" MinorVersion="0"`},
		{2, 2, false, `MajorVersion="2" MinorVersion="0"`},
		{1, 0, false, `MajorVersion="2" MinorVersion="0"`},
		{3, 1, false, `MajorVersion="2" MinorVersion="0"`},
	} {
		m := &smooth.Manifest{MajorVersion: tt.major, MinorVersion: tt.minor}
		root := elements(t, m, "SmoothStreamingMedia", &smooth.ManifestOptions{V20: tt.v20})
		assert.Contains(t, root[0], tt.want, "%+v", tt)
	}
}

func TestManifestAppendXMLTemplate(t *testing.T) {
	for _, tt := range []struct{ url, suffix, want string }{
		{"Q({Bitrate})/F(v={start_time})", "", "Q({bitrate})/F(v={start time})"},
		{"Q({bitrate})", "?a=1&b=\"", "Q({bitrate})?a=1&amp;b=&quot;"},
		{"Q({bitrate})?x=1", "?token=2", "Q({bitrate})?x=1&amp;token=2"},
		{"Q({bitrate})", "/x", "Q({bitrate})/x"},
	} {
		s := videoStream()
		s.URL = tt.url
		got := elements(t, &smooth.Manifest{Streams: []*smooth.Stream{s}}, "StreamIndex", &smooth.ManifestOptions{URLSuffix: tt.suffix})
		assert.Contains(t, got[0], ` Url="`+tt.want+`"`)
	}
	s := videoStream()
	s.URL = ""
	got := elements(t, &smooth.Manifest{Streams: []*smooth.Stream{s}}, "StreamIndex", &smooth.ManifestOptions{URLSuffix: "?x"})
	assert.NotContains(t, got[0], "Url", "embedded text has no template")
}

func TestManifestAppendXMLComposite(t *testing.T) {
	audio := &smooth.Stream{Type: smooth.Audio, Name: "audio", Subtype: "WmaPro", URL: "a", Timeline: smooth.Timeline{{5, 10}}, Levels: []*smooth.QualityLevel{
		{Bitrate: 64000, AudioTag: 0x162, Channels: 2, SamplingRate: 44100, PacketSize: 1487, BitsPerSample: 16, CodecPrivateData: []byte{1, 2}},
		{Index: 1, Bitrate: 8, AudioTag: 1 << 20, Channels: 1},
	}}
	m := &smooth.Manifest{MajorVersion: 1, Duration: 30, Clips: []*smooth.Clip{
		{URL: "http://a/b.ism/Manifest?x&y", Begin: 12, End: 42, Extra: []smooth.Attribute{{Name: "note", Value: "n"}}, Streams: []*smooth.Stream{
			videoStream(smooth.Chunk{Time: 0, Duration: 20}, smooth.Chunk{Time: 20, Duration: 20}, smooth.Chunk{Time: 45, Duration: 20}), audio,
		}},
		{URL: "c.ism/Manifest", Streams: []*smooth.Stream{videoStream()}},
	}}
	got, err := m.AppendXML(nil, nil)
	require.NoError(t, err)
	assert.Equal(t, `<?xml version="1.0" encoding="utf-8"?>
<SmoothStreamingMedia MajorVersion="1" MinorVersion="0" Duration="30">
<Clip Url="http://a/b.ism/Manifest?x&amp;y" ClipBegin="12" ClipEnd="42" note="n">
<StreamIndex Type="video" Chunks="3" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})">
<QualityLevel Index="0" Bitrate="500000" CodecPrivateData="00AB" FourCC="H264" Width="320" Height="180"/>
<c t="0"/>
<c t="20" d="20"/>
<c t="45" d="20"/>
</StreamIndex>
<StreamIndex Type="audio" Subtype="WmaPro" Chunks="1" QualityLevels="2" Url="a">
<QualityLevel Index="0" Bitrate="64000" WaveFormatEx="6201020044AC0000401F0000CF05100002000102"/>
<QualityLevel Index="1" Bitrate="8" CodecPrivateData="" SamplingRate="0" Channels="1" BitsPerSample="0" PacketSize="0" AudioTag="1048576"/>
<c t="5" d="10"/>
</StreamIndex>
</Clip>
<Clip Url="c.ism/Manifest" ClipBegin="0" ClipEnd="0">
<StreamIndex Type="video" Chunks="0" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})">
<QualityLevel Index="0" Bitrate="500000" CodecPrivateData="00AB" FourCC="H264" Width="320" Height="180"/>
</StreamIndex>
</Clip>
</SmoothStreamingMedia>
`, string(got))
	checkRoundTrip(t, m, nil)
}

func TestManifestAppendXMLErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(m *smooth.Manifest)
		want   string
		err    error
	}{
		{"control character", func(m *smooth.Manifest) { m.Streams[0].Name = "a\x00" }, "attribute Name: XML cannot carry byte 0x00", smooth.ErrUnsupported},
		{"not UTF-8", func(m *smooth.Manifest) { m.Streams[0].Language = "\xff" }, "attribute Language: XML cannot carry byte 0xff", smooth.ErrUnsupported},
		{"not a character", func(m *smooth.Manifest) { m.Streams[0].Language = "\uFFFE" }, "attribute Language: XML cannot carry byte 0xef", smooth.ErrUnsupported},
		{"attribute name", func(m *smooth.Manifest) { m.Extra = []smooth.Attribute{{Name: `a="" b`}} }, `"a=\"\" b" is not an attribute name`, smooth.ErrUnsupported},
		{"no attribute name", func(m *smooth.Manifest) { m.Extra = []smooth.Attribute{{}} }, `"" is not an attribute name`, smooth.ErrUnsupported},
		{"attribute with field", func(m *smooth.Manifest) {
			m.Streams[0].Levels[0].Extra = []smooth.Attribute{{Name: "BitRate", Value: "1"}}
		}, "extra attribute BitRate has a field of its own", smooth.ErrUnsupported},
		{"attribute twice", func(m *smooth.Manifest) { m.Streams[0].Extra = []smooth.Attribute{{Name: "a"}, {Name: "A"}} }, "attribute A twice", smooth.ErrUnsupported},
		{"type", func(m *smooth.Manifest) { m.Streams[0].Type = "Video" }, `stream "video": type "Video" is none of video, audio and text`, smooth.ErrCorrupt},
		{"same name", func(m *smooth.Manifest) {
			m.Streams = append(m.Streams, &smooth.Stream{Type: smooth.Video})
		}, `two streams are called "video"`, smooth.ErrCorrupt},
		{"order", func(m *smooth.Manifest) { m.Streams[0].Timeline = smooth.Timeline{{5, 1}, {5, 1}} }, `stream "video": time 5 is not after the previous time 5`, smooth.ErrCorrupt},
		{"overflow", func(m *smooth.Manifest) { m.Streams[0].Timeline = smooth.Timeline{{5, math.MaxUint64}} }, `stream "video": time 5 + duration 18446744073709551615 exceeds 64 bits`, smooth.ErrCorrupt},
		{"embedded", func(m *smooth.Manifest) { m.Streams[0].Embedded = make([][]smooth.ChunkData, 2) }, `stream "video": 1 fragments, embedded data for 2`, smooth.ErrCorrupt},
		{"streams and clips", func(m *smooth.Manifest) { m.Clips = []*smooth.Clip{{URL: "u"}} }, "1 streams beside 1 clips", smooth.ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &smooth.Manifest{Streams: []*smooth.Stream{videoStream(smooth.Chunk{Time: 0, Duration: 1})}}
			tt.change(m)
			b, err := m.AppendXML(nil, nil)
			require.ErrorIs(t, err, tt.err)
			assert.Nil(t, b)
			assert.EqualError(t, err, "smooth: manifest: "+tt.want+": "+tt.err.Error())
		})
	}
}

func TestManifestClone(t *testing.T) {
	data, err := os.ReadFile("testdata/control.ismc")
	require.NoError(t, err)
	m, err := smooth.ParseManifest(data)
	require.NoError(t, err)
	m.Clips = []*smooth.Clip{{URL: "u", Streams: []*smooth.Stream{videoStream()}, Extra: []smooth.Attribute{{Name: "a"}}}}
	want, err := smooth.ParseManifest(data)
	require.NoError(t, err)
	want.Clips = []*smooth.Clip{{URL: "u", Streams: []*smooth.Stream{videoStream()}, Extra: []smooth.Attribute{{Name: "a"}}}}

	c := m.Clone()
	assert.Equal(t, m, c)
	c.Duration++
	c.Protection[0].Data[0]++
	c.Clips[0].URL = "changed"
	c.Clips[0].Extra[0].Name = "changed"
	c.Clips[0].Streams[0].Levels[0].Bitrate++
	s := c.Streams[0]
	s.Name = "changed"
	s.Levels[0].Bitrate++
	s.Levels[0].CodecPrivateData[0]++
	s.Levels[0].CustomAttributes[0].Value = "changed"
	s.Levels[0].Extra[0].Value = "changed"
	s.Levels = s.Levels[:0]
	m.Streams[0].Timeline = append(m.Streams[0].Timeline, smooth.Chunk{Time: 1 << 60})
	m.Streams[0].Timeline = m.Streams[0].Timeline[:3]
	before := c.Streams[0].Timeline
	c.Streams[0].Timeline = append(before, smooth.Chunk{Time: 1 << 61})
	assert.Equal(t, uint64(1<<60), m.Streams[0].Timeline[:4][3].Time, "appending to the clone must not reach the original")
	c.Streams = c.Streams[:1]
	assert.Equal(t, want, m)
}

func TestQualityLevelAttrs(t *testing.T) {
	attrs := func(pairs ...string) []smooth.Attribute {
		var list []smooth.Attribute
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, smooth.Attribute{Name: pairs[i], Value: pairs[i+1]})
		}
		return list
	}
	for _, tt := range []struct {
		list  []smooth.Attribute
		key   string
		other []string
	}{
		{nil, "", []string{"a=1"}},
		{attrs("a", "1"), "a=1", []string{"", "a", "a=", "a=12", "b=1", "a=1,b=2", "A=1"}},
		{attrs("a", "1", "b", "2"), "a=1,b=2", []string{"a=1", "a=1;b=2", "b=2,a=1", "a=1,b=2,c=3"}},
		{attrs("b", "2", "a", "1"), "a=1,b=2", []string{"a=1", "b=2,a=1"}},
		{attrs("a", "2", "a", "1"), "a=1,a=2", []string{"a=2,a=1"}},
	} {
		l := &smooth.QualityLevel{Bitrate: 7, CustomAttributes: tt.list}
		s := &smooth.Stream{Levels: []*smooth.QualityLevel{l}}
		assert.Equal(t, tt.key, l.AttrsKey())
		assert.Same(t, l, s.Level(7, tt.key))
		for _, o := range tt.other {
			assert.Nil(t, s.Level(7, o), "%q is not %q", o, tt.key)
		}
	}
	s := &smooth.Stream{Levels: []*smooth.QualityLevel{{}, {CustomAttributes: attrs("a", "1")}, {CustomAttributes: attrs("a", "1", "b", "2")}}}
	for _, key := range []string{"", "a=1", "a=1,b=2"} {
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			if s.Level(0, key) == nil {
				t.Fatal("no level")
			}
		}))
	}
}

// bigManifest has 2,000 fragments of varying duration, 8 video levels and one audio level.
func bigManifest() *smooth.Manifest {
	m := &smooth.Manifest{MajorVersion: 2, Timescale: 10000000, Duration: 2000 * 20000000}
	v, a := videoStream(), videoStream()
	a.Type, a.Name = smooth.Audio, "audio"
	for len(v.Levels) < 8 {
		l := *v.Levels[0]
		l.Index, l.CodecPrivateData = uint32(len(v.Levels)), make([]byte, 50)
		v.Levels = append(v.Levels, &l)
	}
	var at, bt uint64
	for i := range uint64(2000) {
		c, d := smooth.Chunk{Time: at, Duration: 20000000 + i%7*400000}, smooth.Chunk{Time: bt, Duration: 20053333 + i%3}
		v.Timeline, a.Timeline = append(v.Timeline, c), append(a.Timeline, d)
		at, bt = c.End(), d.End()
	}
	m.Streams = []*smooth.Stream{v, a}
	return m
}

func TestManifestAppendXMLAllocations(t *testing.T) {
	m := bigManifest()
	buf, err := m.AppendXML(nil, nil)
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(10, func() { _, _ = m.AppendXML(buf[:0], nil) }))
}

func BenchmarkManifestAppendXML(b *testing.B) {
	m := bigManifest()
	buf, err := m.AppendXML(nil, nil)
	require.NoError(b, err)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = m.AppendXML(buf[:0], nil)
	}
}

func BenchmarkParseManifest(b *testing.B) {
	data, err := bigManifest().AppendXML(nil, nil)
	require.NoError(b, err)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := smooth.ParseManifest(data); err != nil {
			b.Fatal(err)
		}
	}
}
