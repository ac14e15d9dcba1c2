package smooth_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// inUTF16 encodes s with or without a byte order mark.
func inUTF16(s string, order binary.AppendByteOrder, mark bool) []byte {
	var b []byte
	if mark {
		b = order.AppendUint16(b, 0xFEFF)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func TestParseManifestEncodings(t *testing.T) {
	doc := `<?xml version="1.0" encoding="utf-16"?><SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="10">` +
		`<StreamIndex Type="video" Name="Ж😀" Url="u"><QualityLevel Index="0" Bitrate="1"/><c d="10"/></StreamIndex></SmoothStreamingMedia>`
	for name, data := range map[string][]byte{
		"UTF-8, declared as utf-16":  []byte(doc),
		"UTF-8 with mark":            []byte("\uFEFF" + doc),
		"UTF-16LE with mark":         inUTF16(doc, binary.LittleEndian, true),
		"UTF-16BE with mark":         inUTF16(doc, binary.BigEndian, true),
		"UTF-16LE without mark":      inUTF16(doc, binary.LittleEndian, false),
		"UTF-16BE without mark":      inUTF16(doc, binary.BigEndian, false),
		"UTF-16LE, declared as utf8": inUTF16(strings.Replace(doc, "utf-16", "utf-8", 1), binary.LittleEndian, true),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := smooth.ParseManifest(data)
			require.NoError(t, err)
			assert.Equal(t, "Ж😀", m.Streams[0].Name)
			assert.Equal(t, smooth.Timeline{{Time: 0, Duration: 10}}, m.Streams[0].Timeline)
		})
	}
}

func TestParseManifestTolerances(t *testing.T) {
	m, err := smooth.ParseManifest([]byte(`
<!-- before -->
<ss:SmoothStreamingMedia xmlns:ss="urn:x" xmlns="urn:y" duration="100" ISLIVE="true" LookaheadCount="2" dvrwindowlength="50"
   canseek="TRUE" CanPause="0" vendor="v" TimeScale=" 1000 ">
 <ss:Protection><ss:ProtectionHeader SystemID="{9A04F079-9840-4286-AB92-E65BE0885F95}"> AQ
 ID </ss:ProtectionHeader></ss:Protection>
 <unknown><nested a="1">text</nested></unknown>
 <ss:CustomAttributes><ss:Attribute Value="7" Name="timeScaleZeroPoint"/></ss:CustomAttributes>
 <ss:StreamIndex Chunks="0" QualityLevels="99" Type="Video" FourCC="H264" Url="QualityLevels({bitrate})/Fragments(video={start time})">
  <ss:QualityLevel Bitrate="500" CodecPrivateData="00aBcD" Width="320" Height="180" NominalBitrate="499" ss:x="y"/>
  <ss:QualityLevel Index="7" Bitrate="0" FourCC="WVC1" MaxWidth="640" Width="1" MaxHeight="360">
   <CustomAttributes><Attribute Name="b" Value="2"/><Attribute Name="a" Value="1"/></CustomAttributes>
  </ss:QualityLevel>
  <c t="10" d="10"/><c n="9" t="25"/><c t="40" d="5"/><C D="5" R="3"><f i="0" s="12" q="3"/></C>
 </ss:StreamIndex>
 <ss:StreamIndex type="TEXT" Subtype="SCMD" Name="cmd"><Content><ScriptCommand Time="1" Type="x" Command="a&amp;b"/></Content></ss:StreamIndex>
</ss:SmoothStreamingMedia>
`))
	require.NoError(t, err)
	want := &smooth.Manifest{
		MajorVersion: 2, Timescale: 1000, Duration: 100, IsLive: true, LookaheadCount: 2, DVRWindowLength: 50, CanSeek: true,
		Protection:       []smooth.ProtectionHeader{{SystemID: "9a04f079-9840-4286-ab92-e65be0885f95", Data: []byte{1, 2, 3}}},
		CustomAttributes: []smooth.Attribute{{Name: "timeScaleZeroPoint", Value: "7"}},
		Extra:            []smooth.Attribute{{Name: "xmlns:ss", Value: "urn:x"}, {Name: "vendor", Value: "v"}},
		Streams: []*smooth.Stream{{
			Type: smooth.Video, Name: "video", FourCC: "H264", URL: "QualityLevels({bitrate})/Fragments(video={start time})",
			Levels: []*smooth.QualityLevel{{
				Bitrate: 500, FourCC: "H264", CodecPrivateData: []byte{0, 0xAB, 0xCD}, MaxWidth: 320, MaxHeight: 180,
				Extra: []smooth.Attribute{{Name: "NominalBitrate", Value: "499"}, {Name: "ss:x", Value: "y"}},
			}, {
				Index: 7, FourCC: "WVC1", MaxWidth: 640, MaxHeight: 360,
				CustomAttributes: []smooth.Attribute{{Name: "b", Value: "2"}, {Name: "a", Value: "1"}},
			}},
			Timeline: smooth.Timeline{{10, 10}, {25, 15}, {40, 5}, {45, 5}, {50, 5}, {55, 5}},
		}, {
			Type: smooth.Text, Name: "cmd", Subtype: "SCMD",
			Content: []byte(`<ScriptCommand Time="1" Type="x" Command="a&amp;b"/>`),
		}},
	}
	assert.Equal(t, want, m)
	assert.Equal(t, "a=1,b=2", m.Streams[0].Levels[1].AttrsKey())
	assert.Same(t, m.Streams[0].Levels[1], m.Streams[0].Level(0, "a=1,b=2"))
	checkRoundTrip(t, m, nil)
}

func TestParseManifestControlStream(t *testing.T) {
	m, err := smooth.ParseManifest([]byte(`<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="0" LookAheadFragmentCount="3" LookaheadCount="1">
<StreamIndex Type="text" Subtype="CTRL" Name="ads" ParentStreamIndex="video" ManifestOutput="TRUE" Url="u">
<QualityLevel Index="0" Bitrate="0" FourCC=""/>
<c t="5"/><c t="7"><f i="0">QUJD</f></c><c t="9"><f></f><f>QQ</f></c></StreamIndex></SmoothStreamingMedia>`))
	require.NoError(t, err)
	s := m.Streams[0]
	assert.EqualValues(t, 3, m.LookaheadCount)
	assert.Equal(t, "video", s.Parent)
	assert.True(t, s.ManifestOutput)
	assert.Equal(t, smooth.Timeline{{5, 2}, {7, 2}, {9, 0}}, s.Timeline)
	assert.Equal(t, [][]smooth.ChunkData{nil, {{Data: []byte("ABC")}}, {{}, {Level: 1, Data: []byte("A")}}}, s.Embedded)
	checkRoundTrip(t, m, nil)
}

func TestParseManifestWaveFormat(t *testing.T) {
	parse := func(attrs string) (*smooth.QualityLevel, error) {
		m, err := smooth.ParseManifest([]byte(`<SmoothStreamingMedia><StreamIndex Type="audio"><QualityLevel ` + attrs + `/></StreamIndex></SmoothStreamingMedia>`))
		if err != nil {
			return nil, err
		}
		return m.Streams[0].Levels[0], nil
	}
	const header = "6201020044AC0000451F0000CF051000"
	want := smooth.QualityLevel{
		Bitrate: 64000, AudioTag: 0x162, Channels: 2, SamplingRate: 44100, AvgBytesPerSec: 8005, PacketSize: 1487, BitsPerSample: 16,
	}
	for _, tt := range []struct {
		name, wave string
		private    []byte
	}{
		{"with private data", header + "02000A0B", []byte{10, 11}},
		{"size beyond the end", header + "FF000A0B", []byte{10, 11}},
		{"bytes beyond the size", header + "01000A0B", []byte{10}},
		{"no private data", header + "0000", nil},
		{"no size", header, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := want
			w.CodecPrivateData = tt.private
			l, err := parse(`WaveFormatEx="` + tt.wave + `" Bitrate="64000"`)
			require.NoError(t, err)
			assert.Equal(t, &w, l)
		})
	}
	l, err := parse(`WaveFormatEx="` + header + `02000A0B" Bitrate="64040" Channels="6" CodecPrivateData="77"`)
	require.NoError(t, err)
	assert.EqualValues(t, 6, l.Channels, "attributes of version 2 count first")
	assert.Equal(t, []byte{0x77}, l.CodecPrivateData)
	assert.Zero(t, l.AvgBytesPerSec, "follows from the bit rate")
	_, err = parse(`WaveFormatEx="` + header[2:] + `" Bitrate="64000"`)
	assert.ErrorContains(t, err, "WaveFormatEx has 15 bytes, want at least 16")
}

// inStream puts content into a manifest; the content begins on line 3.
func inStream(content string) string {
	return "<SmoothStreamingMedia MajorVersion=\"2\" MinorVersion=\"2\" Duration=\"0\">\n<StreamIndex Type=\"video\" Url=\"u\">\n" +
		content + "</StreamIndex></SmoothStreamingMedia>"
}

func TestParseManifestErrors(t *testing.T) {
	const chunk = "SmoothStreamingMedia/StreamIndex[1]/c"
	tests := []struct {
		name, doc string
		line      int
		path      string
		reason    string
		err       error
	}{
		{"empty", "", 1, "", "no SmoothStreamingMedia element", smooth.ErrCorrupt},
		{"only text", "hello", 1, "", "text outside the root element", smooth.ErrCorrupt},
		{"other root", "\n<smil/>", 2, "", "root element smil, want SmoothStreamingMedia", smooth.ErrCorrupt},
		{"second root", "<SmoothStreamingMedia/>\n<a/>", 2, "", "second root element a", smooth.ErrCorrupt},
		{"end tag first", "</a>", 1, "", "unexpected </a>", smooth.ErrCorrupt},
		{"doctype", "<!DOCTYPE a [<!ENTITY x 'y'>]>\n<SmoothStreamingMedia/>", 1, "", "document type declarations are not allowed", smooth.ErrCorrupt},
		{"entity", inStream("<c t='&x;'/>"), 3, "SmoothStreamingMedia/StreamIndex[1]", "invalid character entity &x;", smooth.ErrCorrupt},
		{"bad UTF-8", inStream("\xff"), 3, "SmoothStreamingMedia/StreamIndex[1]", "invalid UTF-8", smooth.ErrCorrupt},
		{"odd UTF-16", "\xff\xfe<", 0, "", "UTF-16 of 3 bytes, an odd number", smooth.ErrCorrupt},
		{"lone surrogate", "<\x00\x00\xd8", 0, "", "UTF-16 with a lone surrogate at byte 2", smooth.ErrCorrupt},
		{"inner declaration", inStream("<?xml version='1.0'?>"), 3, "SmoothStreamingMedia/StreamIndex[1]", "XML declaration inside an element", smooth.ErrCorrupt},
		{"unclosed", "<SmoothStreamingMedia>\n<StreamIndex Type='video'>\n", 3, "SmoothStreamingMedia/StreamIndex[1]", "unexpected end of input", smooth.ErrCorrupt},
		{"wrong end tag", inStream("<c d='1'></d>"), 3, chunk + "[1]", "element <c> closed by </d>", smooth.ErrCorrupt},
		{"attribute twice", inStream("<QualityLevel Bitrate='1' BITRATE='2'/>"), 3, "SmoothStreamingMedia/StreamIndex[1]/QualityLevel[1]", "attribute BITRATE twice", smooth.ErrCorrupt},
		{"number", "<SmoothStreamingMedia Duration='-1'/>", 1, "SmoothStreamingMedia", `Duration "-1" is not a decimal number of 64 bits`, smooth.ErrCorrupt},
		{"long number", "<SmoothStreamingMedia MajorVersion='" + strings.Repeat("1", 100) + "'/>", 1, "SmoothStreamingMedia", `MajorVersion "` + strings.Repeat("1", 40) + `..." is not a decimal number of 32 bits`, smooth.ErrCorrupt},
		{"boolean", "<SmoothStreamingMedia IsLive='yes'/>", 1, "SmoothStreamingMedia", `IsLive "yes" is not a boolean`, smooth.ErrCorrupt},
		{"hex", inStream("<QualityLevel Bitrate='1' CodecPrivateData='0x'/>"), 3, "SmoothStreamingMedia/StreamIndex[1]/QualityLevel[1]", "CodecPrivateData is not hexadecimal: invalid byte: U+0078 'x'", smooth.ErrCorrupt},
		{"odd hex", inStream("\n<QualityLevel Bitrate='1' CodecPrivateData='012'/>"), 4, "SmoothStreamingMedia/StreamIndex[1]/QualityLevel[1]", "CodecPrivateData is not hexadecimal: odd length hex string", smooth.ErrCorrupt},
		{"base64", "<SmoothStreamingMedia>\n<Protection><ProtectionHeader>\n!</ProtectionHeader></Protection></SmoothStreamingMedia>", 2, "SmoothStreamingMedia/Protection/ProtectionHeader[1]", "content is not base64: illegal base64 data at input byte 0", smooth.ErrCorrupt},
		{"no bit rate", inStream("<QualityLevel Bitrate=' '/>"), 3, "SmoothStreamingMedia/StreamIndex[1]/QualityLevel[1]", "quality level has no Bitrate", smooth.ErrCorrupt},
		{"no attribute name", "<SmoothStreamingMedia><CustomAttributes><Attribute Value='1'/></CustomAttributes></SmoothStreamingMedia>", 1, "SmoothStreamingMedia/CustomAttributes/Attribute[1]", "custom attribute has no Name", smooth.ErrCorrupt},
		{"no type", "<SmoothStreamingMedia><StreamIndex/></SmoothStreamingMedia>", 1, "SmoothStreamingMedia/StreamIndex[1]", "stream has no Type", smooth.ErrCorrupt},
		{"unknown type", "<SmoothStreamingMedia><StreamIndex Type='image'/></SmoothStreamingMedia>", 1, "SmoothStreamingMedia/StreamIndex[1]", `stream type "image" is none of video, audio and text`, smooth.ErrUnsupported},
		{"same name", "<SmoothStreamingMedia><StreamIndex Type='audio'/>\n<StreamIndex Type='video' Name='audio'/></SmoothStreamingMedia>", 2, "SmoothStreamingMedia/StreamIndex[2]", `two streams are called "audio"`, smooth.ErrCorrupt},
		{"clip and stream", "<SmoothStreamingMedia><Clip Url='u'/><StreamIndex Type='audio'/></SmoothStreamingMedia>", 1, "", "SmoothStreamingMedia has both StreamIndex and Clip elements", smooth.ErrCorrupt},
		{"clip without url", "<SmoothStreamingMedia><Clip/></SmoothStreamingMedia>", 1, "SmoothStreamingMedia/Clip[1]", "clip has no Url", smooth.ErrCorrupt},
		{"clip backwards", "<SmoothStreamingMedia><Clip Url='u' ClipBegin='2' ClipEnd='1'/></SmoothStreamingMedia>", 1, "SmoothStreamingMedia/Clip[1]", "ClipBegin 2 is after ClipEnd 1", smooth.ErrCorrupt},

		{"neither t nor d", inStream("<c d='1'/>\n<c n='1'/>"), 4, chunk + "[2]", "c has neither t nor d", smooth.ErrCorrupt},
		{"d unknown, then no t", inStream("<c t='1'/>\n<c d='1'/>"), 4, chunk + "[2]", "c without t after a c without d", smooth.ErrCorrupt},
		{"t decreases", inStream("<c t='9' d='1'/>\n<c t='8' d='1'/>"), 4, chunk + "[2]", "t 8 is not after the previous t 9", smooth.ErrCorrupt},
		{"t stays", inStream("<c t='9' d='0'/>\n<c d='1'/>"), 4, chunk + "[2]", "t 9 is not after the previous t 9", smooth.ErrCorrupt},
		{"last without d", inStream("<c t='1'/>\n<c t='9'/>\n"), 4, "SmoothStreamingMedia", `last c of stream "video" has no d`, smooth.ErrCorrupt},
		{"r without d", inStream("<c t='1' r='2'/>"), 3, chunk + "[1]", "r=2 without d", smooth.ErrCorrupt},
		{"r of nothing", inStream("<c d='0' r='2'/>"), 3, chunk + "[1]", "r=2 with d=0", smooth.ErrCorrupt},
		{"r zero", inStream("<c d='1' r='0'/>"), 3, chunk + "[1]", "r is 0, want at least 1", smooth.ErrCorrupt},
		{"time overflow", inStream("<c t='18446744073709551615' d='1'/>"), 3, chunk + "[1]", "t 18446744073709551615 + d 1 * r 1 exceeds 64 bits", smooth.ErrCorrupt},
		{"repeat overflow", inStream("<c d='9223372036854775808' r='2'/>"), 3, chunk + "[1]", "t 0 + d 9223372036854775808 * r 2 exceeds 64 bits", smooth.ErrCorrupt},
		{"data in a repeat", inStream("<c d='1' r='2'><f>QQ==</f></c>"), 3, "SmoothStreamingMedia/StreamIndex[1]", "c with r=2 and f elements", smooth.ErrCorrupt},
		{"bad data", inStream("<c d='1'><f i='0'>QU*D</f></c>"), 3, chunk + "[1]/f", "content is not base64: illegal base64 data at input byte 2", smooth.ErrCorrupt},

		{"twice in stream", "<SmoothStreamingMedia><StreamIndex Type='a' Type='b'/></SmoothStreamingMedia>", 1, "SmoothStreamingMedia/StreamIndex[1]", "attribute Type twice", smooth.ErrCorrupt},
		{"twice in clip", "<SmoothStreamingMedia>\n<Clip x:y='' X:Y=''/></SmoothStreamingMedia>", 2, "SmoothStreamingMedia/Clip[1]", "attribute Y twice", smooth.ErrCorrupt},
		{"twice in header", "<SmoothStreamingMedia><Protection><ProtectionHeader a='' a=''/></Protection></SmoothStreamingMedia>", 1, "SmoothStreamingMedia/Protection/ProtectionHeader[1]", "attribute a twice", smooth.ErrCorrupt},
		{"twice in custom attribute", "<SmoothStreamingMedia><CustomAttributes><Attribute a='' a=''/></CustomAttributes></SmoothStreamingMedia>", 1, "SmoothStreamingMedia/CustomAttributes/Attribute[1]", "attribute a twice", smooth.ErrCorrupt},
		{"twice in c", inStream("<c d='1' d='2'/>"), 3, chunk + "[1]", "attribute d twice", smooth.ErrCorrupt},
		{"twice in f", inStream("<c d='1'>\n<f i='1' i='2'/></c>"), 4, chunk + "[1]/f", "attribute i twice", smooth.ErrCorrupt},
		{"number in c", inStream("<c d='x'/>"), 3, chunk + "[1]", `d "x" is not a decimal number of 64 bits`, smooth.ErrCorrupt},
		{"unclosed content", inStream("<Content><a></Content>"), 3, "SmoothStreamingMedia/StreamIndex[1]/Content/a", "element <a> closed by </Content>", smooth.ErrCorrupt},
		{"unclosed data", inStream("<c d='1'><f>"), 3, chunk + "[1]/f", "element <f> closed by </StreamIndex>", smooth.ErrCorrupt},

		{"size", strings.Repeat(" ", smooth.MaxManifestBytes+1), 0, "", "33554433 bytes, limit 33554432", smooth.ErrTooLarge},
		{"depth", inStream(strings.Repeat("<a>", smooth.MaxManifestDepth)), 3, "SmoothStreamingMedia/StreamIndex[1]" + strings.Repeat("/a", smooth.MaxManifestDepth-1), "more than 32 nested elements", smooth.ErrTooLarge},
		{"attributes", "<SmoothStreamingMedia " + strings.Repeat("a='' ", smooth.MaxManifestAttributes+1) + "/>", 1, "SmoothStreamingMedia", "129 attributes, limit 128", smooth.ErrTooLarge},
		{"custom attributes", "<SmoothStreamingMedia><CustomAttributes>" + strings.Repeat("<Attribute Name='a'/>", smooth.MaxManifestAttributes+1), 1, "SmoothStreamingMedia/CustomAttributes/Attribute[129]", "more than 128 custom attributes", smooth.ErrTooLarge},
		{"protection headers", "<SmoothStreamingMedia><Protection>" + strings.Repeat("<ProtectionHeader/>", smooth.MaxManifestAttributes+1), 1, "SmoothStreamingMedia/Protection/ProtectionHeader[129]", "more than 128 protection headers", smooth.ErrTooLarge},
		{"clips", "<SmoothStreamingMedia>" + strings.Repeat("<Clip Url='u'/>", smooth.MaxManifestClips+1), 1, "SmoothStreamingMedia/Clip[4097]", "more than 4096 clips", smooth.ErrTooLarge},
		{"streams in clips", "<SmoothStreamingMedia>" + strings.Repeat("<Clip Url='u'><StreamIndex Type='video'/><StreamIndex Type='audio'/></Clip>", smooth.MaxManifestStreams/2+1), 1, "SmoothStreamingMedia/Clip[2049]/StreamIndex[1]", "more than 4096 streams", smooth.ErrTooLarge},
		{"levels", inStream(strings.Repeat("<QualityLevel Bitrate='1'/>", smooth.MaxManifestLevels+1)), 3, "SmoothStreamingMedia/StreamIndex[1]/QualityLevel[8193]", "more than 8192 quality levels", smooth.ErrTooLarge},
		{"chunks", inStream("<c d='1' r='4000000000'/>"), 3, chunk + "[1]", "more than 2097152 fragments", smooth.ErrTooLarge},
		{"chunks in all", inStream(fmt.Sprintf("<c d='1' r='%d'/><c d='1'/>", smooth.MaxManifestChunks)), 3, chunk + "[2]", "more than 2097152 fragments", smooth.ErrTooLarge},
		{"f elements", "<SmoothStreamingMedia><StreamIndex Type='text' ManifestOutput='1'><c t='1'>" + strings.Repeat("<f/>", smooth.MaxManifestEmbedded+1), 1, chunk + "[1]", "more than 262144 f elements with data", smooth.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := smooth.ParseManifest([]byte(tt.doc))
			require.Error(t, err)
			assert.Nil(t, m)
			require.ErrorIs(t, err, tt.err)
			var fe *smooth.FileError
			require.ErrorAs(t, err, &fe)
			assert.Equal(t, smooth.FileError{File: "manifest", Path: tt.path, Offset: -1, Line: tt.line, Reason: tt.reason, Err: tt.err}, *fe)
		})
	}
}

func TestManifestStream(t *testing.T) {
	m := &smooth.Manifest{Streams: []*smooth.Stream{{Name: "Audio_EN"}, {Name: "audio_en"}, {Name: "video"}}}
	assert.Same(t, m.Streams[1], m.Stream("audio_en"))
	assert.Same(t, m.Streams[0], m.Stream("AUDIO_en"), "the first of several that differ in case")
	assert.Same(t, m.Streams[2], m.Stream("VIDEO"))
	assert.Nil(t, m.Stream("vide0"))
	assert.Nil(t, m.Stream(""))
}

func TestParseManifestRepeatsDoNotAllocate(t *testing.T) {
	doc := []byte(inStream("<c d='1' r='4000000000'/>"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := smooth.ParseManifest(doc)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, smooth.ErrTooLarge)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// TestParseManifestTruncated cuts a manifest at every byte: all prefixes but the complete document are errors.
func TestParseManifestTruncated(t *testing.T) {
	data, err := os.ReadFile("testdata/control.ismc")
	require.NoError(t, err)
	text := strings.TrimSpace(string(data))
	_, err = smooth.ParseManifest([]byte(text))
	require.NoError(t, err)
	for i := range len(text) {
		_, err := smooth.ParseManifest([]byte(text[:i]))
		require.ErrorIs(t, err, smooth.ErrCorrupt, "first %d bytes", i)
	}
}

func TestParseMalformedCorpus(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/malformed/xml")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		_, err = smooth.ParseManifest(data)
		assert.ErrorIs(t, err, smooth.ErrCorrupt, f.Name())
		_, err = smooth.ParseServerManifest(data)
		assert.ErrorIs(t, err, smooth.ErrCorrupt, f.Name())
	}
}
