package smooth_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// builtISMC returns the manifest that is made of an .ism file without .ismc, as text.
func builtISMC(t testing.TB, files map[string][]byte) string {
	t.Helper()
	src, _ := source(t, tree(files), nil)
	s, _ := fetchAll(t, src, "x.ism")
	b, err := s.Manifest.AppendXML(nil, nil)
	require.NoError(t, err)
	return string(b)
}

func utf16Text(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// TestClientManifest serves .ismc files as they are unless they contradict the media.
func TestClientManifest(t *testing.T) {
	base := func() map[string][]byte {
		return map[string][]byte{
			"av.ismv": testmedia.File(t, "av.ismv"),
			"x.ism": ism(`<meta name="clientManifestRelativePath" content="x.ismc"/>`,
				track("video", "av.ismv", 40000, "trackID", "1"), track("audio", "av.ismv", 16000, "trackID", "2")),
		}
	}
	built := builtISMC(t, base())
	level := built[strings.Index(built, "<QualityLevel "):]
	level = level[:strings.Index(level, "/>")+2]
	tests := []struct {
		name  string
		ismc  []byte
		stale string // in the log, or empty if the file is served
	}{
		{"as built", []byte(built), ""},
		{"UTF-16", utf16Text(strings.Replace(built, "utf-8", "utf-16", 1)), ""},
		{"unknown attributes and comments", []byte(strings.Replace(built, "<StreamIndex", "<!-- note --><StreamIndex Vendor=\"1\"", 1)), ""},
		{"fewer fragments", []byte(removeLast(built, "<c ")), ""},
		{"name in another case", []byte(strings.NewReplacer(`Name="video"`, `Name="Video"`, "(video=", "(Video=").Replace(built)), ""},
		{"a text stream without fragments", []byte(strings.Replace(built, "</SmoothStreamingMedia>",
			`<StreamIndex Type="text" Name="subs" Subtype="SUBT" Chunks="0" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(subs={start time})"><QualityLevel Index="0" Bitrate="1000" FourCC="TTML"/></StreamIndex></SmoothStreamingMedia>`, 1)), ""},
		{"an extra level", []byte(strings.Replace(built, level, level+strings.NewReplacer("40000", "99999", `Index="0"`, `Index="1"`).Replace(level), 1)), "99999"},
		{"a time that is not there", []byte(strings.Replace(built, `d="10000000"`, `d="10000001"`, 1)), "chunks that the media file"},
		{"broken XML", []byte(built[:len(built)/2]), "x.ismc"},
		{"not a manifest", []byte("<html/>"), "x.ismc"},
		{"empty", nil, "x.ismc"},
		{"no streams", []byte(`<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="0"/>`), "x.ismc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := base()
			files["x.ismc"] = tt.ismc
			src, log := source(t, tree(files), nil)
			_, got := fetchAll(t, src, "x.ism")
			assert.NotEmpty(t, got)
			h := smooth.NewHandler(src, quiet(nil))
			resp := do(h, "GET", "/x.ism/Manifest")
			require.Equal(t, 200, resp.StatusCode)
			if tt.stale == "" {
				assert.Equal(t, string(tt.ismc), body(t, resp))
				assert.Empty(t, log.String())
				return
			}
			assert.Equal(t, built, body(t, resp))
			assert.Contains(t, log.String(), "client manifest is stale")
			assert.Contains(t, log.String(), tt.stale)
			assert.Contains(t, log.String(), "x.ismc")
		})
	}
}

func removeLast(s, tag string) string {
	i := strings.LastIndex(s, tag)
	end := i + strings.Index(s[i:], "/>") + 2
	return s[:i] + s[end:]
}

// TestClientManifestTimes binds manifests that count in another timescale, or in the decode times of a file without
// times of Smooth Streaming.
func TestClientManifestTimes(t *testing.T) {
	const head = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" TimeScale="%d" Duration="%d"><StreamIndex Type="video" Name="video" Chunks="6" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})"><QualityLevel Index="0" Bitrate="30000" FourCC="H264" MaxWidth="160" MaxHeight="120" CodecPrivateData="00"/>%s</StreamIndex></SmoothStreamingMedia>`
	for _, tt := range []struct {
		file             string
		timescale, first uint64
	}{
		{"cmaf.mp4", 10_000_000, 0}, {"cmaf.mp4", 12_800, 0}, {"cmaf.mp4", 1000, 0}, {"av.ismv", 1000, 0}, {"av-frag.mp4", 12_800, 0},
	} {
		chunks := ""
		for i := range uint64(6) {
			chunks += fmt.Sprintf(`<c t="%d" d="%d"/>`, tt.first+i*tt.timescale, tt.timescale)
		}
		ismc := fmt.Sprintf(head, tt.timescale, 6*tt.timescale, chunks)
		src, log := source(t, tree(map[string][]byte{tt.file: testmedia.File(t, tt.file), "x.ismc": []byte(ismc),
			"x.ism": ism("", track("video", tt.file, 30000))}), nil)
		s, got := fetchAll(t, src, "x.ism")
		assert.Empty(t, log.String(), tt.file)
		assert.Equal(t, tt.timescale, s.Manifest.Timescale)
		assert.Equal(t, trackSamples(t, testmedia.File(t, tt.file), 1), got["video/30000/"].samples, tt.file)
		assert.Equal(t, 0, got["video/30000/"].overlaps)
	}
}

// TestClientManifestAttributes finds the track of levels that differ in custom attributes.
func TestClientManifestAttributes(t *testing.T) {
	level := func(i int, value string) string {
		return fmt.Sprintf(`<QualityLevel Index="%d" Bitrate="30000" FourCC="H264" MaxWidth="160" MaxHeight="120" CodecPrivateData="00"><CustomAttributes><Attribute Name="angle" Value="%s"/></CustomAttributes></QualityLevel>`, i, value)
	}
	chunks := ""
	for i := range 4 {
		chunks += fmt.Sprintf(`<c t="%d" d="10000000"/>`, i*10_000_000)
	}
	ismc := `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="40000000"><StreamIndex Type="video" Name="video" Chunks="4" QualityLevels="2" Url="QualityLevels({bitrate},{CustomAttributes})/Fragments(video={start time})">` +
		level(0, "left") + level(1, "right") + chunks + `</StreamIndex></SmoothStreamingMedia>`
	first := parseISMV(t, testmedia.File(t, "av.ismv"))
	second := parseISMV(t, testmedia.File(t, "av.ismv")).each(func(f *frag) {
		f.mdat = append([]byte{}, f.mdat...)
		f.mdat[len(f.mdat)-1] ^= 0xff
	})
	files := map[string][]byte{"1.ismv": first.bytes(whole), "2.ismv": second.bytes(whole), "x.ismc": []byte(ismc), "x.ism": ism("",
		track("video", "2.ismv", 30000, "cam_angle", "right"), track("video", "1.ismv", 30000, "cam_angle", "left"))}
	src, log := source(t, tree(files), nil)
	_, got := fetchAll(t, src, "x.ism")
	assert.Empty(t, log.String())
	left, right := got["video/30000/angle=left"].samples, got["video/30000/angle=right"].samples
	require.NotEmpty(t, left)
	assert.Equal(t, trackSamples(t, files["1.ismv"], 1)[:len(left)], left)
	assert.Equal(t, trackSamples(t, files["2.ismv"], 1)[:len(right)], right)
	h := smooth.NewHandler(src, quiet(nil))
	assert.Equal(t, 200, do(h, "GET", "/x.ism/QualityLevels(30000,angle=left)/Fragments(video=0)").StatusCode)
	assert.Equal(t, 404, do(h, "GET", "/x.ism/QualityLevels(30000,angle=up)/Fragments(video=0)").StatusCode)
}

// TestProtectionHeaders passes the headers of a file on to the manifest.
func TestProtectionHeaders(t *testing.T) {
	f := parseISMV(t, testmedia.File(t, "av.ismv"))
	playReady := []byte("\x9a\x04\xf0\x79\x98\x40\x42\x86\xab\x92\xe6\x5b\xe0\x88\x5f\x95")
	data := []byte("a PlayReady object")
	header := mkbox("uuid", fmp4.UUIDProtectionHeader[:], make([]byte, 4), playReady, binary.BigEndian.AppendUint32(nil, uint32(len(data))), data)
	for i, x := range f.head {
		if x.typ == "moov" {
			f.head[i].raw = mkbox("moov", x.raw[8:], header)
		}
	}
	src, _ := source(t, tree(map[string][]byte{"av.ismv": f.bytes(whole), "x.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1"))}), nil)
	s, _ := fetchAll(t, src, "x.ism")
	require.Len(t, s.Manifest.Protection, 1)
	assert.Equal(t, smooth.ProtectionHeader{SystemID: "9a04f079-9840-4286-ab92-e65be0885f95", Data: data}, s.Manifest.Protection[0])
}

// TestSharedPackages plays the packages of the shared test data whole.
func TestSharedPackages(t *testing.T) {
	t.Run("IIS", func(t *testing.T) {
		dir := testmedia.Shared(t, "testdata/smooth/package-bbb")
		src := smooth.Dir(dir, nil)
		defer src.Close()
		_, got := fetchAll(t, src, "bigbuckbunny.ism")
		assert.Equal(t, trackSamples(t, testmedia.SharedFile(t, "testdata/smooth/package-bbb/BigBuckBunny.ismv"), 2), got["video/2862836/"].samples)
		assert.Equal(t, trackSamples(t, testmedia.SharedFile(t, "testdata/smooth/package-bbb/BigBuckBunny.isma"), 1), got["audio/157582/"].samples)
	})
	t.Run("Azure", func(t *testing.T) {
		dir := testmedia.Shared(t, "testdata/smooth/package-mbr-mp4")
		log := new(logs)
		src := smooth.Dir(dir, &smooth.FileOptions{Logger: log.logger()})
		defer src.Close()
		s, got := fetchAll(t, src, "BigBuckBunny_3400.ism")
		data := testmedia.SharedFile(t, "testdata/smooth/package-mbr-mp4/BigBuckBunny_400.mp4")
		require.Len(t, s.Manifest.Streams, 2)
		video, audio := s.Manifest.Stream("video"), s.Manifest.Stream("audio")
		require.Len(t, video.Levels, 1, "the other files are not there")
		movie, err := fmp4.ParseMovie(moovOf(t, data), 0)
		require.NoError(t, err)
		for _, tr := range movie.Tracks {
			st := map[fmp4.Type]*smooth.Stream{fmp4.HandlerVideo: video, fmp4.HandlerAudio: audio}[tr.Handler]
			if st != nil {
				assert.Equal(t, trackSamples(t, data, tr.ID), got[levelKey(st.Name, st.Levels[0])].samples)
			}
		}
		assert.Contains(t, log.String(), "BigBuckBunny_2250.mp4")
	})
	t.Run("PIFF", func(t *testing.T) {
		src, log := source(t, tree(map[string][]byte{
			"a.isma":  testmedia.SharedFile(t, "testdata/smooth/piff/mp4ff-bbb5s_aac.isma"),
			"enc.mp4": append(testmedia.SharedFile(t, "testdata/smooth/piff/mp4ff-init.mp4"), testmedia.SharedFile(t, "testdata/smooth/piff/mp4ff-segment-1.0001.m4s")...),
		}), nil)
		_, got := fetchAll(t, src, "a.isma")
		for _, f := range got {
			assert.Equal(t, trackSamples(t, testmedia.SharedFile(t, "testdata/smooth/piff/mp4ff-bbb5s_aac.isma"), 1), f.samples)
		}
		s, got := fetchAll(t, src, "enc.mp4")
		assert.NotEmpty(t, s.Manifest.Protection)
		assert.NotEmpty(t, got)
		t.Log(log.String())
	})
	_, err := smooth.Dir(t.TempDir(), nil).Open(context.Background(), "x.ism")
	assert.ErrorIs(t, err, smooth.ErrNotFound)
}

func moovOf(t testing.TB, data []byte) []byte {
	t.Helper()
	for _, x := range boxes(t, data) {
		if x.typ == "moov" {
			return x.raw
		}
	}
	require.FailNow(t, "no moov")
	return nil
}
