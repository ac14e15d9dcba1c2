package smooth_test

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

func TestParseServerManifestReal(t *testing.T) {
	tests := []struct {
		file    string
		tracks  int
		formats []string
		client  string
		check   func(t *testing.T, m *smooth.ServerManifest)
	}{
		{"package-bbb/BigBuckBunny.ism", 2, nil, "BigBuckBunny.ismc", func(t *testing.T, m *smooth.ServerManifest) {
			a, v := &m.Tracks[0], &m.Tracks[1]
			id, ok := v.TrackID()
			assert.True(t, ok)
			assert.EqualValues(t, 2, id)
			assert.Equal(t, []string{"audio", "video"}, []string{a.Name(), v.Name()})
			assert.Equal(t, []uint64{157582, 2862836}, []uint64{a.Bitrate, v.Bitrate})
			assert.Equal(t, "BigBuckBunny.isma", a.SrcPath())
		}},
		{"package-mbr-mp4/BigBuckBunny_3400.ism", 7, []string{"mp4"}, "", func(t *testing.T, m *smooth.ServerManifest) {
			assert.False(t, m.Tracks[0].HasBitrate)
			_, ok := m.Tracks[0].TrackID()
			assert.False(t, ok)
			assert.Equal(t, smooth.Audio, m.Tracks[6].Type)
		}},
		{"server/ams-explorer-template.ism", 0, []string{"mp4"}, "", nil},
		{"server/azure-docs-fragmentsPerHLSSegment.ism", 0, []string{"mp4"}, "", func(t *testing.T, m *smooth.ServerManifest) {
			v, ok := m.MetaValue("FragmentsPerHLSSegment")
			assert.True(t, ok)
			assert.Equal(t, "1", v)
		}},
		{"server/azure-sdk-MBRtoSmooth-a.ism", 8, nil, "", nil},
		{"server/iis-docs-vod-server-manifest-example-1.ism", 10, nil, "{media_name}.ismc", func(t *testing.T, m *smooth.ServerManifest) {
			assert.Equal(t, "hardwareProfile=10000", m.Tracks[0].AttrsKey())
			assert.Equal(t, "audio-de", m.Tracks[3].Name())
			assert.Equal(t, "en", m.Tracks[8].Language, "trailing space")
			text := &m.Tracks[9]
			assert.Equal(t, smooth.Text, text.Type)
			assert.Equal(t, "scmd", text.Name())
			assert.Equal(t, "textstream", text.Element())
		}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			data, err := os.ReadFile(testmedia.Shared(t, "testdata/smooth/"+tt.file))
			require.NoError(t, err)
			m, err := smooth.ParseServerManifest(data)
			require.NoError(t, err)
			assert.Len(t, m.Tracks, tt.tracks)
			assert.Equal(t, tt.client, m.ClientManifestPath())
			assert.ElementsMatch(t, tt.formats, m.Formats())
			if tt.check != nil {
				tt.check(t, m)
			}
			checkServerRoundTrip(t, m)
		})
	}
}

func checkServerRoundTrip(t *testing.T, m *smooth.ServerManifest) {
	t.Helper()
	first, err := m.AppendXML([]byte("before"))
	require.NoError(t, err)
	first = first[len("before"):]
	again, err := smooth.ParseServerManifest(first)
	require.NoError(t, err, "%s", first)
	assert.Equal(t, m, again)
	second, err := again.AppendXML(nil)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(second))
}

const odditiesISM = `<s:smil xmlns:s="http://www.w3.org/2001/SMIL20/Language">
<s:head><s:meta NAME="formats" content="m3u8-aapl, fmp4;x"/><s:meta content="lost"/><s:link/>
<s:meta name="ClientManifestRelativePath" content="sub\my%20show.ismc"/></s:head>
<s:body>
 <s:audio SRC="a%20b\c%zz%4.isma" SystemLanguage="de">
  <s:param NAME="TrackID" Value="3" valueType="data"/>
  <s:param name="systemBitrate" value="64000"/><s:param name="systemLanguage" value="fr"/>
  <s:param name="timescale" value=" 48000 "/><s:param value="no name"/>
 </s:audio>
 <s:par><s:switch><s:text vendor="1">
  <s:param name="parentTrackName" value="video"/><s:param name="ManifestOutput" value="TRUE"/>
  <s:param name="ns_b" value="2"/><s:param name="ns_a" value="1"/><s:param name="_x" value="1"/>
  <s:param name="systemLanguage" value="eng "/><s:ignored/>
 </s:text></s:switch></s:par>
 <s:other><s:video/></s:other>
</s:body></s:smil>`

func TestParseServerManifestTolerances(t *testing.T) {
	for name, data := range map[string][]byte{
		"UTF-8":        []byte(odditiesISM),
		"UTF-16":       inUTF16(odditiesISM, binary.LittleEndian, true),
		"no namespace": []byte(strings.NewReplacer("<s:", "<", "</s:", "</").Replace(odditiesISM)),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := smooth.ParseServerManifest(data)
			require.NoError(t, err)
			assert.Equal(t, []string{"m3u8-aapl", "fmp4", "x"}, m.Formats())
			assert.Equal(t, "sub/my show.ismc", m.ClientManifestPath())
			require.Len(t, m.Tracks, 2)
			a, c := &m.Tracks[0], &m.Tracks[1]
			assert.Equal(t, "a b/c%zz%4.isma", a.SrcPath())
			assert.Equal(t, `a%20b\c%zz%4.isma`, a.Src)
			assert.True(t, a.HasBitrate)
			assert.Equal(t, []uint64{64000, 48000, 0}, []uint64{a.Bitrate, a.Timescale(), c.Timescale()})
			assert.Equal(t, []string{"de", "eng"}, []string{a.Language, c.Language})
			id, ok := a.TrackID()
			assert.True(t, ok)
			assert.EqualValues(t, 3, id)
			assert.Equal(t, smooth.Param{Name: "TrackID", Value: "3", ValueType: "data"}, a.Params[0])
			assert.Equal(t, "video", c.Parent())
			assert.True(t, c.ManifestOutput())
			assert.False(t, a.ManifestOutput())
			assert.Equal(t, "textstream", c.Name())
			assert.Equal(t, "ns_a=1,ns_b=2", c.AttrsKey())
			assert.Equal(t, []smooth.Attribute{{Name: "vendor", Value: "1"}}, c.Extra)
			checkServerRoundTrip(t, m)
		})
	}
}

func TestParseServerManifestErrors(t *testing.T) {
	body := func(s string) string { return "<smil><body>\n<switch>" + s + "</switch></body></smil>" }
	tests := []struct {
		name, doc string
		line      int
		path      string
		reason    string
		err       error
	}{
		{"client manifest", "<SmoothStreamingMedia/>", 1, "", "root element SmoothStreamingMedia, want smil", smooth.ErrCorrupt},
		{"bit rate", body("\n<video systemBitrate='1k'/>"), 3, "smil/body/switch/video[1]", `systemBitrate "1k" is not a decimal number of 64 bits`, smooth.ErrCorrupt},
		{"bit rate param", body("<video><param name='systemBitrate' value='x'/></video>"), 2, "smil/body/switch/video[1]/param[1]", `systemBitrate "x" is not a decimal number of 64 bits`, smooth.ErrCorrupt},
		{"track", body("<video/><video>\n<param name='trackID' value='4294967296'/></video>"), 3, "smil/body/switch/video[2]/param[1]", `trackID "4294967296" is not a decimal number of 32 bits`, smooth.ErrCorrupt},
		{"timescale", body("<video><param name='timescale' value='1.5'/></video>"), 2, "smil/body/switch/video[1]/param[1]", `timescale "1.5" is not a decimal number of 64 bits`, smooth.ErrCorrupt},
		{"doctype", "<!DOCTYPE smil><smil/>", 1, "", "document type declarations are not allowed", smooth.ErrCorrupt},
		{"twice", body("<video src='a' SRC='b'/>"), 2, "smil/body/switch/video[1]", "attribute SRC twice", smooth.ErrCorrupt},
		{"twice in param", body("<video><param name='a' name='b'/></video>"), 2, "smil/body/switch/video[1]/param[1]", "attribute name twice", smooth.ErrCorrupt},
		{"twice in meta", "<smil><head><meta name='a' name='b'/></head></smil>", 1, "smil/head/meta[1]", "attribute name twice", smooth.ErrCorrupt},
		{"twice in root", "<smil a='' a=''/>", 1, "smil", "attribute a twice", smooth.ErrCorrupt},
		{"params", body("<video>" + strings.Repeat("<param name='a'/>", smooth.MaxManifestAttributes+1)), 2, "smil/body/switch/video[1]/param[129]", "more than 128 param elements", smooth.ErrTooLarge},
		{"tracks", body(strings.Repeat("<video/>", smooth.MaxManifestLevels+1)), 2, "smil/body/switch/video[8193]", "more than 8192 tracks", smooth.ErrTooLarge},
		{"metas", "<smil><head>" + strings.Repeat("<meta name='a'/>", smooth.MaxManifestLevels+1), 1, "smil/head/meta[8193]", "more than 8192 meta elements", smooth.ErrTooLarge},
		{"size", strings.Repeat(" ", smooth.MaxManifestBytes+1), 0, "", "33554433 bytes, limit 33554432", smooth.ErrTooLarge},
		{"depth", "<smil><body>" + strings.Repeat("<switch>", smooth.MaxManifestDepth), 1, "smil/body" + strings.Repeat("/switch", smooth.MaxManifestDepth-1), "more than 32 nested elements", smooth.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := smooth.ParseServerManifest([]byte(tt.doc))
			require.Error(t, err)
			assert.Nil(t, m)
			require.ErrorIs(t, err, tt.err)
			var fe *smooth.FileError
			require.ErrorAs(t, err, &fe)
			assert.Equal(t, smooth.FileError{File: "server manifest", Path: tt.path, Offset: -1, Line: tt.line, Reason: tt.reason, Err: tt.err}, *fe)
		})
	}
}

func TestServerManifestAppendXML(t *testing.T) {
	m := &smooth.ServerManifest{
		Meta: []smooth.Attribute{{Name: "title", Value: `a "b" & <c>`}},
		Tracks: []smooth.ServerTrack{
			{Type: smooth.Video, Src: "v.ismv", Bitrate: 5, HasBitrate: true, Params: []smooth.Param{{Name: "trackID", Value: "1", ValueType: "data"}}},
			{Type: smooth.Text, Src: "t.ismt", Language: "eng"},
		},
	}
	got, err := m.AppendXML(nil)
	require.NoError(t, err)
	assert.Equal(t, `<?xml version="1.0" encoding="utf-8"?>
<smil xmlns="http://www.w3.org/2001/SMIL20/Language">
  <head>
    <meta name="title" content="a &quot;b&quot; &amp; &lt;c&gt;"/>
  </head>
  <body>
    <switch>
      <video src="v.ismv" systemBitrate="5">
        <param name="trackID" value="1" valuetype="data"/>
      </video>
      <textstream src="t.ismt" systemLanguage="eng"/>
    </switch>
  </body>
</smil>
`, string(got))
	checkServerRoundTrip(t, m)

	m.Tracks[0].Type = "image"
	_, err = m.AppendXML(nil)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	assert.EqualError(t, err, `smooth: server manifest: track type "image" is none of video, audio and text: unsupported content`)
	m.Tracks[0] = smooth.ServerTrack{Type: smooth.Video, Src: "a\x01"}
	_, err = m.AppendXML(nil)
	assert.EqualError(t, err, `smooth: server manifest: attribute src: XML cannot carry byte 0x01: unsupported content`)
}

func TestServerTrackQualityLevel(t *testing.T) {
	p := func(pairs ...string) (list []smooth.Param) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, smooth.Param{Name: pairs[i], Value: pairs[i+1], ValueType: "data"})
		}
		return list
	}
	v := smooth.ServerTrack{Type: smooth.Video, Bitrate: 5, Params: p("FOURCC", " H264 ", "codecPrivateData", "0102", "width", "320", "MaxHeight", "180", "NALUnitLengthField", "2")}
	assert.Equal(t, &smooth.QualityLevel{Bitrate: 5, FourCC: "H264", CodecPrivateData: []byte{1, 2}, MaxWidth: 320, MaxHeight: 180, NALUnitLengthField: 2}, v.QualityLevel())
	a := smooth.ServerTrack{Type: smooth.Audio, Bitrate: 1, Params: p("WaveFormatEx", "FF000200803E0000112200000400100002001210", "Channels", "6")}
	assert.Equal(t, &smooth.QualityLevel{Bitrate: 1, AudioTag: 255, Channels: 6, SamplingRate: 16000, PacketSize: 4, BitsPerSample: 16, CodecPrivateData: []byte{0x12, 0x10}}, a.QualityLevel())
	bad := smooth.ServerTrack{Type: smooth.Audio, Params: p("CodecPrivateData", "xyz", "Channels", "-1", "SamplingRate", "4294967296", "WaveFormatEx", "00")}
	assert.Equal(t, &smooth.QualityLevel{}, bad.QualityLevel())
}
