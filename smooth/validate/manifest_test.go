package validate_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/validate"
)

// manifestFixture breaks one rule: in the base, the first occurrence of old becomes new.
type manifestFixture struct{ rule, base, old, new string }

const huge = "99999999999999999999" // more than 64 bits

func manifestFixtures() []manifestFixture {
	videoURL := `Url="QualityLevels({bitrate})/Fragments(video={start time})"`
	return []manifestFixture{
		{"SM100", "plain", "</SmoothStreamingMedia>", strings.Repeat("<x>", 40) + strings.Repeat("</x>", 40) + "</SmoothStreamingMedia>"},
		{"SM101", "plain", "</SmoothStreamingMedia>", ""},
		{"SM101", "plain", "</SmoothStreamingMedia>", "</SmoothStreamingMedia><more/>"},
		{"SM101", "plain", "</SmoothStreamingMedia>", "</SmoothStreamingMedia>text"},
		{"SM101", "plain", `Subtype=""`, "Subtype=\"\xff\xfe\""},
		{"SM102", "embedded", embedded, "<MPD/>"},
		{"SM103", "live", "<Smooth", "<!DOCTYPE x><Smooth"},
		{"SM104", "plain", `encoding="utf-8"`, `encoding="utf-16"`},
		{"SM104", "plain", `encoding="utf-8"`, `encoding='iso-8859-1'`},
		{"SM105", "plain", `Chunks="4"`, `Chunks="4" Chunks="4"`},
		{"SM106", "plain", `CanSeek="TRUE"`, `xmlns="urn:x"`},
		{"SM107", "plain", `MaxWidth="400"`, `maxWidth="400"`},
		{"SM111", "plain", `MajorVersion="2"`, `MajorVersion="3"`},
		{"SM111", "plain", `MajorVersion="2"`, ``},
		{"SM112", "live", `MinorVersion="0"`, `MinorVersion="7"`},
		{"SM113", "live", `MinorVersion="0"`, `MinorVersion="1"`},
		{"SM114", "plain", `TimeScale="10000000"`, `TimeScale="0"`},
		{"SM114", "plain", `TimeScale="10000000"`, `TimeScale="1e7"`},
		{"SM115", "plain", `Duration="80000000"`, ``},
		{"SM115", "plain", `Duration="80000000"`, `Duration="8s"`},
		{"SM115", "composite", `Duration="50000000"`, ``},
		{"SM116", "plain", `Duration="80000000"`, `Duration="82000000"`},
		{"SM117", "plain", `Duration="80000000"`, `Duration="0"`},
		{"SM121", "plain", `CanSeek="TRUE"`, `CanSeek="1"`},
		{"SM121", "plain", `CanSeek="TRUE"`, `IsLive="no"`},
		{"SM122", "live", `LookAheadFragmentCount="2"`, ``},
		{"SM123", "live", `LookAheadFragmentCount="2"`, `LookAheadFragmentCount="two"`},
		{"SM123", "live", `DVRWindowLength="600000000"`, `DVRWindowLength="-1"`},
		{"SM124", "live", `LookAheadFragmentCount="2"`, `LookaheadCount="2"`},
		{"SM125", "plain", `CanSeek="TRUE"`, `DVRWindowLength="0"`},
		{"SM126", "live", `Duration="0"`, `Duration="1"`},
		{"SM131", "embedded", between(embedded, "<StreamIndex", "</Smooth"), ""},
		{"SM132", "protected", "<StreamIndex", `<Protection><ProtectionHeader SystemID="11111111-2222-3333-4444-555555555555">AA==</ProtectionHeader></Protection><StreamIndex`},

		{"SM201", "embedded", `Type="text"`, `Type="image"`},
		{"SM202", "plain", `Type="video"`, `Type="Video"`},
		{"SM203", "plain", `Subtype="CAPT"`, ``},
		{"SM204", "plain", `Subtype="CAPT"`, `Subtype="TEXT"`},
		{"SM205", "embedded", `Name="script"`, `Name="1script"`},
		{"SM206", "plain", `<StreamIndex Type="text" Name="text_eng" Subtype="CAPT" Language="eng" TimeScale="10000000" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(text_eng={start time})">`,
			`<StreamIndex Type="text" Name="video" Subtype="CAPT" Language="eng" TimeScale="10000000" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})">`},
		{"SM207", "plain", `Language="eng" TimeScale="10000000"`, `Language="eng" TimeScale="x"`},
		{"SM207", "plain", `Language="eng" TimeScale="10000000"`, `Language="eng" TimeScale="0"`},
		{"SM208", "plain", `Language="eng" TimeScale="10000000"`, `Language="eng" TimeScale="1000"`},
		{"SM209", "plain", `Chunks="4"`, `Chunks="3"`},
		{"SM210", "plain", `Chunks="4"`, ``},
		{"SM210", "plain", `Chunks="4"`, `Chunks="four"`},
		{"SM211", "plain", `QualityLevels="2"`, `QualityLevels="8"`},
		{"SM212", "plain", `QualityLevels="2"`, ``},
		{"SM213", "live", videoURL, ``},
		{"SM214", "plain", `QualityLevels({bitrate})/Fragments(video={start time})`, `QualityLevels{bitrate}/Fragmentsvideo={start time}`},
		{"SM214", "plain", `QualityLevels({bitrate})/Fragments(video={start time})`, `/QualityLevels({bitrate})/Fragments(video={start time})`},
		{"SM215", "plain", `QualityLevels({bitrate})`, `QualityLevels(300000)`},
		{"SM216", "plain", `video={start time}`, `video={start time}{start time}`},
		{"SM217", "plain", `{start time}`, `{start_time}`},
		{"SM217", "plain", `{bitrate}`, `{Bitrate}`},
		{"SM218", "plain", `Fragments(audio_eng=`, `Fragments(audio=`},
		{"SM219", "attributes", `Bitrate="300000"`, `Bitrate="200000"`},
		{"SM220", "attributes", `,{CustomAttributes}`, ``},
		{"SM221", "plain", `Type="audio"`, `Type="audio" MaxWidth="1"`},
		{"SM222", "plain", `MaxWidth="480"`, `MaxWidth="wide"`},
		{"SM222", "plain", `MaxWidth="480"`, `DisplayHeight="0"`},
		{"SM223", "plain", `MaxWidth="480"`, `MaxWidth="479"`},
		{"SM224", "sparse", `ParentStreamIndex="video"`, `ParentStreamIndex="audio"`},
		{"SM224", "sparse", `ParentStreamIndex="video"`, `ParentStreamIndex="ad"`},
		{"SM225", "sparse", `Name="ad2" Subtype="DATA" ParentStreamIndex="video"`, `Name="ad2" Subtype="DATA" ParentStreamIndex="ad"`},
		{"SM226", "sparse", `ParentStreamIndex="video" Chunks`, `ParentStreamIndex="video" ManifestOutput="2" Chunks`},
		{"SM227", "sparse", `>PGFkLz4=<`, `><`},
		{"SM228", "sparse", `>PGFkLz4=<`, `>PGFkLz4<`},
		{"SM229", "plain", `Language="eng"`, `Language="English"`},
		{"SM230", "embedded", `<QualityLevel Index="0" Bitrate="0" FourCC="DATA"/>`, ``},
		{"SM231", "plain", `Subtype="CAPT"`, `Subtype="CTRL"`},

		{"SM301", "plain", `Index="1"`, ``},
		{"SM301", "plain", `Index="1"`, `Index="one"`},
		{"SM302", "plain", `Index="1"`, `Index="2"`},
		{"SM302", "plain", `Index="1"`, `Index="0"`},
		{"SM303", "plain", `Bitrate="96000"`, ``},
		{"SM303", "plain", `Bitrate="96000"`, `Bitrate="96k"`},
		{"SM303", "plain", `Bitrate="96000"`, `Bitrate="4294967296"`},
		{"SM304", "plain", `Bitrate="750000"`, `Bitrate="300000"`},
		{"SM304", "attributes", `Name="cam" Value="2"`, `Name="cam" Value="1"`},
		{"SM305", "plain", `Bitrate="96000"`, `Bitrate="0"`},
		{"SM306", "attributes", `FourCC="WVC1"`, ``},
		{"SM307", "plain", `FourCC="TTML"`, ``},
		{"SM308", "attributes", `FourCC="WVC1"`, `FourCC="VP80"`},
		{"SM309", "attributes", `FourCC="WVC1"`, `FourCC="WMA2"`},
		{"SM310", "plain", `CodecPrivateData="1190"`, ``},
		{"SM311", "plain", `CodecPrivateData="1190"`, `CodecPrivateData="119"`},
		{"SM311", "plain", `CodecPrivateData="1190"`, `CodecPrivateData="0x1190"`},
		{"SM312", "attributes", `CodecPrivateData="25"`, `CodecPrivateData=""`},
		{"SM313", "plain", `MaxWidth="400"`, ``},
		{"SM313", "plain", `MaxWidth="400"`, `MaxWidth="-400"`},
		{"SM321", "plain", sps400, sps400[2:]},
		{"SM321", "plain", pps400, pps400[2:]},
		{"SM322", "plain", sps400 + pps400, pps400 + sps400},
		{"SM323", "plain", pps400, ""},
		{"SM323", "hevc", hevcPPS, ""},
		{"SM324", "plain", sps400, sps400[:20]},
		{"SM325", "plain", `MaxWidth="400"`, `MaxWidth="384"`},
		{"SM325", "hevc", `MaxHeight="180"`, `MaxHeight="192"`},
		{"SM326", "hevc", hevcSPS, ""},
		{"SM327", "plain", `Index="0"`, `Index="0" NALUnitLengthField="2"`},
		{"SM331", "plain", `SamplingRate="48000"`, ``},
		{"SM331", "plain", `Channels="2"`, `Channels="0"`},
		{"SM332", "plain", `PacketSize="4"`, ``},
		{"SM333", "plain", `AudioTag="255"`, `AudioTag="353"`},
		{"SM334", "plain", `CodecPrivateData="1190"`, `CodecPrivateData="11"`},
		{"SM335", "plain", `SamplingRate="48000"`, `SamplingRate="44100"`},
		{"SM335", "aach", `2B118800`, `131056E500`}, // a suffix without SBR
		{"SM336", "plain", `Channels="2"`, `Channels="6"`},
		{"SM337", "aach", `2B118800`, ``},
		{"SM338", "ec3", `00063F000000af87fba7022dfb42a4d405cd93843bdd`, ``},
		{"SM341", "attributes", `Name="cam"`, `Name="1cam"`},
		{"SM341", "attributes", `Name="cam" Value="1"`, `Name="cam"`},
		{"SM342", "plain", `Index="0"`, `Index="0" BufferTime="1s"`},

		{"SM401", "sparse", `<c t="10000000" d="1"/>`, `<c/>`},
		{"SM402", "sparse", `<c t="10000000" d="1"/>`, `<c t="` + huge + `" d="1"/>`},
		{"SM403", "sparse", `<c t="10000000" d="1"/>`, `<c t="10000000" d="0"/>`},
		{"SM404", "sparse", `<c d="20000000"/>`, `<c d="20000000" r="1"/>`},
		{"SM405", "plain", `<c n="1" t="20000000" d="20000000" r="2"/>`, `<c n="1" t="20000000" d="20000000" r="0"/>`},
		{"SM406", "plain", `<c n="1" t="20000000" d="20000000" r="2"/>`, `<c n="1" t="20000000" r="2"/>`},
		{"SM407", "plain", `n="3"`, `n="2"`},
		{"SM408", "live", `<c d="20000000"/>`, `<c t="1236046960307666" d="20000000"/>`},
		{"SM408", "live", `d="20000000"/><c d="20000000"/>`, `/><c t="1236046960307665" d="20000000"/>`},
		{"SM409", "live", `<c d="20000000"/>`, `<c t="1236046980297665" d="20000000"/>`},
		{"SM410", "live", `<c d="20000000"/>`, `<c t="1236046980317667" d="20000000"/>`},
		{"SM411", "live", `<c d="20000000"/>`, `<c t="1236046980307666"/>`},
		{"SM412", "plain", `<c n="0" t="0" d="20000000"/>`, `<c n="0" t="0"/>`},
		{"SM413", "live", `<c t="1236046960307666" d="20000000"/><c d="20000000"/>`, ``},
		{"SM413", "composite", `<c t="140000000"/><c t="160000000"/><c t="180000000" d="20000000"/>`, ``},
		{"SM414", "live", `<c t="1236046960307666" d="20000000"/>`, `<c t="1236046960307666"/>`},
		{"SM415", "live", `<c t="1236046960307666" d="20000000"/>`, `<c t="18446744073709551615" d="20000000"/>`},
		{"SM416", "sparse", `<c t="10000000" d="1"/>`, `<c t="10000000" d="4294967296"/>`},
		{"SM417", "plain", `<f i="0" s="1"/>`, `<f i="2" s="1"/>`},
		{"SM417", "plain", `<f i="0" s="1"/>`, `<f i="0" s="1"/><f i="0" s="2"/>`},
		{"SM417", "plain", `<f i="0" s="1"/>`, `<f s="1"/>`},
		{"SM421", "plain", `<c d="40000000"/><c d="39900000"/>`, `<c t="10011000" d="40000000"/><c d="29900000"/>`},
		{"SM422", "plain", `<c d="40000000"/><c d="39900000"/>`, `<c d="30000000"/><c d="19900000"/>`},

		{"SM601", "protected", between(protected(wrmHeader), "<ProtectionHeader", "</Protection>"), ""},
		{"SM602", "protected", `9A04F079-9840`, `9A04F079_9840`},
		{"SM603", "protected", `9A04F079-9840-4286-AB92-E65BE0885F95`, `{9A04F079-9840-4286-AB92-E65BE0885F95}`},
		{"SM604", "protected", `E65BE0885F95">`, `E65BE0885F95">!`},
		{"SM605", "protected", base64.StdEncoding.EncodeToString(playReadyObject(1, utf16le(wrmHeader))),
			base64.StdEncoding.EncodeToString(append(playReadyObject(1, utf16le(wrmHeader)), 0))},
		{"SM605", "protected", base64.StdEncoding.EncodeToString(playReadyObject(1, utf16le(wrmHeader))),
			base64.StdEncoding.EncodeToString([]byte{10, 0, 0, 0, 1, 0, 1, 0, 9, 0})},
		{"SM606", "protected", base64.StdEncoding.EncodeToString(playReadyObject(1, utf16le(wrmHeader))),
			base64.StdEncoding.EncodeToString(playReadyObject(3, utf16le(wrmHeader)))},
		{"SM607", "protected", base64.StdEncoding.EncodeToString(playReadyObject(1, utf16le(wrmHeader))),
			base64.StdEncoding.EncodeToString(playReadyObject(1, []byte(wrmHeader)))},
		{"SM608", "protected", protectedText(wrmHeader), protectedText(strings.Replace(wrmHeader, "4.0.0.0", "4.1.0.0", 1))},
		{"SM608", "protected", protectedText(wrmHeader), protectedText(strings.ReplaceAll(wrmHeader, "KID>", "KIDS>"))},
		{"SM609", "protected", protectedText(wrmHeader), protectedText(strings.Replace(wrmHeader, "AAEC", "", 1))},

		{"SM701", "composite", `MajorVersion="1"`, `MajorVersion="2"`},
		{"SM702", "composite", `a.ism/Manifest`, `a.ism`},
		{"SM703", "composite", `ClipBegin="150000000"`, ``},
		{"SM703", "composite", `ClipEnd="200000000"`, `ClipEnd="200000000s"`},
		{"SM704", "composite", between(composite, `<StreamIndex Type="audio"`, "</Clip>"), ""},
		{"SM705", "composite", `<c t="160000000"/>`, `<c d="20000000"/>`},
		{"SM705", "composite", `<c t="180000000" d="20000000"/>`, `<c t="180000000"/>`},
		{"SM706", "composite", `Duration="50000000"`, `Duration="60000000"`},
		{"SM707", "composite", `<c t="180000000" d="20000000"/>`, `<c t="180000000" d="10000000"/>`},
		{"SM707", "composite", `<c t="140000000"/>`, `<c t="100000000"/><c t="120000000"/><c t="140000000"/>`},
		{"SM708", "composite", `<c t="140000000"/><c t="160000000"/><c t="180000000" d="20000000"/>
</StreamIndex>
<StreamIndex Type="audio" Subtype="WmaPro" Chunks="299" Url="QualityLevels({bitrate})/Fragments(audio={start time})">
<QualityLevel Bitrate="96000" WaveFormatEx="6201"/>
<c t="140000000"/><c t="170000000" d="40000000"/>`, `<c t="140000000" d="60000000"/>
</StreamIndex>
<StreamIndex Type="audio" Subtype="WmaPro" Chunks="299" Url="QualityLevels({bitrate})/Fragments(audio={start time})">
<QualityLevel Bitrate="96000" WaveFormatEx="6201"/>
<c t="140000000" d="60000000"/>`},
		{"SM709", "composite", `</SmoothStreamingMedia>`, `<StreamIndex/></SmoothStreamingMedia>`},
	}
}

func protectedText(header string) string {
	return base64.StdEncoding.EncodeToString(playReadyObject(1, utf16le(header)))
}

// between returns the part of s from the first from to the first to after it, exclusive.
func between(s, from, to string) string {
	s = s[strings.Index(s, from):]
	return s[:strings.Index(s, to)]
}

// rulesOf returns the distinct ids of the rules that fired.
func rulesOf(r *validate.Report) []string {
	ids := []string{}
	for _, v := range r.Violations {
		ids = append(ids, v.Rule.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestManifestBasesAreClean(t *testing.T) {
	for name, text := range bases() {
		r := validate.Manifest([]byte(text), nil)
		assert.Empty(t, r.Violations, name)
	}
}

func TestManifestRules(t *testing.T) {
	for _, f := range manifestFixtures() {
		t.Run(f.rule, func(t *testing.T) {
			base := bases()[f.base]
			require.Contains(t, base, f.old)
			r := validate.Manifest([]byte(strings.Replace(base, f.old, f.new, 1)), nil)
			require.Equal(t, []string{f.rule}, rulesOf(r), "%.80s -> %.80s: %v", f.old, f.new, r.Violations)
			assert.NotEmpty(t, r.Violations[0].Text)
		})
	}
}

func TestManifestEncodings(t *testing.T) {
	text := strings.Replace(plain, "utf-8", "utf-16", 1)
	for name, data := range map[string][]byte{
		"utf-8 with mark": append([]byte("\xEF\xBB\xBF"), plain...),
		"utf-16le":        append([]byte("\xFF\xFE"), utf16le(text)...),
	} {
		assert.Empty(t, validate.Manifest(data, nil).Violations, name)
	}
}

// TestBackwardCompatibleSBR: SBR and parametric stereo may be signalled after the configuration of the core.
func TestBackwardCompatibleSBR(t *testing.T) {
	for _, private := range []string{"131056E598", "130856E59D4880"} {
		r := validate.Manifest([]byte(strings.Replace(aach, "2B118800", private, 1)), nil)
		assert.Empty(t, r.Violations, private)
	}
}
