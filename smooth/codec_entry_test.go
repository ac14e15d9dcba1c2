package smooth_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// entryFile returns a sample entry of testdata/entries.
func entryFile(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "entries", name+".hex"))
	require.NoError(tb, err)
	return unhex(tb, string(text))
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(tb, err)
	return b
}

// entries returns the sample entries of an MP4 file in order of its tracks.
func entries(tb testing.TB, rel string) [][]byte {
	tb.Helper()
	data, err := os.ReadFile(testmedia.Shared(tb, rel))
	require.NoError(tb, err)
	var out [][]byte
	walkBoxes(data, func(name string, box []byte) bool {
		if name == "stsd" {
			walkBoxes(box[16:], func(_ string, entry []byte) bool {
				out = append(out, entry)
				return false
			})
		}
		return slices.Contains([]string{"moov", "trak", "mdia", "minf", "stbl"}, name)
	})
	return out
}

func walkBoxes(b []byte, visit func(name string, box []byte) bool) {
	for len(b) >= 8 {
		n := uint64(binary.BigEndian.Uint32(b))
		switch {
		case n == 0:
			n = uint64(len(b))
		case n == 1 && len(b) >= 16:
			n = binary.BigEndian.Uint64(b[8:])
		}
		if n < 8 || n > uint64(len(b)) {
			return
		}
		if visit(string(b[4:8]), b[:n]) {
			walkBoxes(b[8:n], visit)
		}
		b = b[n:]
	}
}

func box(name string, payload ...[]byte) []byte {
	body := slices.Concat(payload...)
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), []byte(name), body)
}

// Expected values: ffprobe's width, height, sample_aspect_ratio, sample_rate, channels and profile for the same file.
var generated = []struct {
	file   string
	codecs string
	want   smooth.Codec // without SampleEntry and PrivateData
}{
	{"h264_baseline", "avc1.42c00c", video("H264", 320, 180, 320, 180)},
	{"h264_high_1080", "avc1.640028", video("H264", 1920, 1080, 1920, 1080)},
	{"h264_main_sar", "avc1.4d401e", video("H264", 720, 576, 1024, 576)},
	{"h264_high422", "avc1.7a000c", video("H264", 320, 180, 320, 180)},
	{"hevc_hvc1", "hvc1.1.6.L63.90", video("hev1", 640, 360, 640, 360)},
	{"hevc_hev1_10bit", "hev1.2.4.L120.90", video("hev1", 1920, 1080, 2560, 1080)},
	{"aac_stereo_44100", "mp4a.40.2", audio("AACL", 255, 44100, 2, 4)},
	{"aac_mono_48000", "mp4a.40.2", audio("AACL", 255, 48000, 1, 2)},
	{"aac_51_96000", "mp4a.40.2", audio("AACL", 255, 96000, 6, 12)},
	{"aac_quicktime", "mp4a.40.2", audio("AACL", 255, 44100, 2, 4)},
	{"ac3_51", "ac-3", audio("ac-3", 65534, 48000, 6, 4*384)},
	{"ac3_stereo", "ac-3", audio("ac-3", 65534, 44100, 2, 4*192)},
	{"eac3_51", "ec-3", audio("EC-3", 65534, 48000, 6, 4*256)},
	{"eac3_mono", "ec-3", audio("EC-3", 65534, 48000, 1, 4*96)},
	{"mp3_44100", "mp4a.40.34", audio("WMAP", 85, 44100, 2, 1)},
	{"mp3_22050", "mp4a.40.34", audio("WMAP", 85, 22050, 2, 1)}, // one channel, but the entry of MP3 says two
}

func video(fourCC string, w, h, dw, dh uint32) smooth.Codec {
	return smooth.Codec{Type: smooth.Video, FourCC: fourCC, NALULengthSize: 4, Width: w, Height: h, DisplayWidth: dw, DisplayHeight: dh}
}

func audio(fourCC string, tag, rate, channels, packet uint32) smooth.Codec {
	return smooth.Codec{
		Type: smooth.Audio, FourCC: fourCC, AudioTag: tag, SamplingRate: rate, Channels: channels,
		BitsPerSample: 16, PacketSize: packet,
	}
}

func TestCodecFromSampleEntry(t *testing.T) {
	for _, tt := range generated {
		t.Run(tt.file, func(t *testing.T) {
			entry := entryFile(t, tt.file)
			c, err := smooth.CodecFromSampleEntry(entry)
			require.NoError(t, err)
			assert.Equal(t, tt.codecs, c.Codecs())
			assert.Equal(t, entry, c.SampleEntry)
			got := *c
			got.SampleEntry, got.PrivateData = nil, nil
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestCodecFromSampleEntryOfRealFiles(t *testing.T) {
	const kidPIFF, kidCENC = "c5c971897e674646949e0cd4dd92cbd7", "21b82dc2ebb24d5aa9f8631f04726650"
	tests := []struct {
		file    string
		track   int
		codecs  string
		private string // a prefix, in hexadecimal
		kid     string
		want    smooth.Codec
	}{
		{"smooth/package-bbb/BigBuckBunny.ismv", 0, "avc1.64001f", "000000016764001fac2ca5014016effc10001001", "", video("H264", 1280, 720, 1280, 720)},
		{"smooth/package-bbb/BigBuckBunny.isma", 0, "mp4a.40.2", "1210", "", audio("AACL", 255, 44100, 2, 4)},
		{"smooth/package-mbr-mp4/BigBuckBunny_400.mp4", 1, "avc1.4d400d", "00000001674d400d", "", video("H264", 320, 180, 320, 180)},
		{"smooth/piff/mp4ff-audio.mp4", 0, "", "008800000f0000000000", kidPIFF, audio("WMA2", 353, 48000, 2, 5462)},
		{"smooth/piff/mp4ff-init.mp4", 0, "mp4a.40.5", "131056e598", kidCENC, audio("AACH", 255, 48000, 2, 4)},
		{"smooth/piff/mp4ff-bbb5s_aac.isma", 0, "mp4a.40.2", "1190", "", audio("AACL", 255, 48000, 2, 4)},
		{"smooth/piff/mp4ff-sample_short.ismt", 0, "wvtt", "574542565454", "", smooth.Codec{Type: smooth.Text, FourCC: "WVTT"}},
		{"media/mp4/media-sample_unrecognized_hevc_sei.mp4", 0, "hvc1.1.6.L120.90", "0000000140010c07", "", video("hev1", 1080, 720, 1080, 720)},
		{"media/mp4/music-metadata-Apple_voice_memo.m4a", 0, "mp4a.40.2", "1188", "", audio("AACL", 255, 48000, 1, 2)},
		{"media/mp4/shaka-player-small.mp4", 0, "avc1.64000b", "000000016764000b", "", video("H264", 256, 110, 256, 110)},
	}
	for _, tt := range tests {
		t.Run(filepath.Base(tt.file), func(t *testing.T) {
			c, err := smooth.CodecFromSampleEntry(entries(t, "testdata/"+tt.file)[tt.track])
			require.NoError(t, err)
			assert.Equal(t, tt.codecs, c.Codecs())
			assert.True(t, strings.HasPrefix(hex.EncodeToString(c.PrivateData), tt.private), "private data %x", c.PrivateData)
			if tt.kid != "" {
				tt.want.Encrypted = true
				copy(tt.want.KID[:], unhex(t, tt.kid))
			}
			got := *c
			got.SampleEntry, got.PrivateData = nil, nil
			assert.Equal(t, tt.want, got)
		})
	}
}

// The private data of the package's video is what Microsoft's encoder wrote in the manifest beside it.
func TestCodecPrivateDataEqualsManifest(t *testing.T) {
	c, err := smooth.CodecFromSampleEntry(entries(t, "testdata/smooth/package-bbb/BigBuckBunny.ismv")[0])
	require.NoError(t, err)
	assert.Equal(t, "000000016764001fac2ca5014016effc100010014808080a00000300020000030060c1000055730000aae6fe31c6"+
		"080002ab9800055737f18e1da12251600000000168e9093525", hex.EncodeToString(c.PrivateData))
}

func TestCodecUnsupported(t *testing.T) {
	tests := []struct{ file, fourCC string }{
		{"media-sample_ac4.mp4", "ac-4"}, {"media-sample_dthd.mp4", "mlpa"}, {"media-sample_mhm1_bl_cicp1.mp4", "mhm1"},
		{"media-sample_with_it35_track.mp4", "av01"}, {"moon-timecode-short-mp43.mp4", "mp4v"},
		{"mp4parse-rust-av1-clearkey-cbcs-video.mp4", "av01"}, {"lofty-rs-m4a_codec_alac.m4a", "alac"},
	}
	for _, tt := range tests {
		c, err := smooth.CodecFromSampleEntry(entries(t, "testdata/media/mp4/"+tt.file)[0])
		require.ErrorIs(t, err, smooth.ErrUnsupported, tt.file)
		assert.Nil(t, c)
		assert.ErrorContains(t, err, `"`+tt.fourCC+`"`)
	}
	_, err := smooth.CodecFromSampleEntry(entryFile(t, "tx3g"))
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	require.NotErrorIs(t, err, smooth.ErrCorrupt)
}

func TestCodecFromSampleEntryTruncated(t *testing.T) {
	for _, tt := range generated {
		entry := entryFile(t, tt.file)
		for n := range entry {
			_, err := smooth.CodecFromSampleEntry(entry[:n])
			require.ErrorIs(t, err, smooth.ErrCorrupt, "%s: first %d bytes", tt.file, n)
			if n < 8 {
				continue
			}
			// the size agrees, the content ends early: any answer, but no panic
			short := slices.Clone(entry[:n])
			binary.BigEndian.PutUint32(short, uint32(n))
			_, _ = smooth.CodecFromSampleEntry(short)
		}
	}
}

func TestCodecFromSampleEntryCorrupt(t *testing.T) {
	avc := entryFile(t, "h264_baseline")
	fields := avc[8:86]
	audioFields := entryFile(t, "aac_mono_48000")[8:36]
	huge := append(binary.BigEndian.AppendUint32(nil, 2<<20), make([]byte, 2<<20-4)...)
	copy(huge[4:], "avc1")
	hvcC := append(make([]byte, 22), 0xff) // 255 arrays of 65535 NAL units of no byte each
	hvcC[0], hvcC[21] = 1, 3
	hvcC = append(hvcC, bytes.Repeat([]byte{0x20, 0xff, 0xff}, 1000)...)
	tests := []struct {
		name  string
		entry []byte
		want  error
		text  string
	}{
		{"empty", nil, smooth.ErrCorrupt, "0 bytes"},
		{"size of another", append(slices.Clone(avc), 0), smooth.ErrCorrupt, "states"},
		{"too large", huge, smooth.ErrTooLarge, "limit"},
		{"no avcC", box("avc1", fields), smooth.ErrCorrupt, "no avcC"},
		{"no hvcC", box("hvc1", fields), smooth.ErrCorrupt, "no hvcC"},
		{"hvcC counts", box("hvc1", fields, box("hvcC", hvcC)), smooth.ErrCorrupt, "hvcC"},
		{"child beyond the end", box("avc1", fields, []byte("\x00\x00\x10\x00avcC")), smooth.ErrCorrupt, "4096"},
		{"child of size 4", box("avc1", fields, []byte("\x00\x00\x00\x04avcC")), smooth.ErrCorrupt, "size 4"},
		{"a thousand children", box("avc1", fields, bytes.Repeat(box("free"), 1000)), smooth.ErrCorrupt, "more than"},
		{"no esds", box("mp4a", audioFields), smooth.ErrCorrupt, "no esds"},
		{"encv without sinf", box("encv", fields), smooth.ErrCorrupt, "frma"},
		{"encv of audio", box("encv", fields, box("sinf", box("frma", []byte("mp4a")))), smooth.ErrUnsupported, "mp4a"},
		{"encv of encv", box("encv", fields, box("sinf", box("frma", []byte("encv")))), smooth.ErrUnsupported, "encv"},
		{"VC-1 main profile", box("vc-1", fields, box("dvc1", []byte("\x40\x00\x00\x00\x00\x00\x00"))), smooth.ErrUnsupported, "profile 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := smooth.CodecFromSampleEntry(tt.entry)
			require.ErrorIs(t, err, tt.want)
			assert.ErrorContains(t, err, tt.text)
			assert.True(t, strings.HasPrefix(err.Error(), "smooth: "), err.Error())
		})
	}
}

func FuzzSampleEntry(f *testing.F) {
	for _, tt := range generated {
		f.Add(entryFile(f, tt.file))
	}
	f.Fuzz(func(t *testing.T, entry []byte) {
		c, err := smooth.CodecFromSampleEntry(entry)
		if err != nil {
			return
		}
		c.Codecs()
		c.ParameterSets()
		if len(c.PrivateData) > 3*len(entry)+64 {
			t.Fatalf("%d bytes of private data from %d bytes", len(c.PrivateData), len(entry))
		}
		c.SampleEntry = nil
		built, err := c.BuildSampleEntry()
		if err != nil {
			return
		}
		if _, err := smooth.CodecFromSampleEntry(built); err != nil {
			t.Fatalf("entry that was built: %v\n%x", err, built)
		}
	})
}
