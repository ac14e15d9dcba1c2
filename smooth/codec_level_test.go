package smooth_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// From a file to a manifest and back gives the same codec, but for the sample entry, which is a new one.
func TestCodecQualityLevelRoundTrip(t *testing.T) {
	for _, tt := range generated {
		t.Run(tt.file, func(t *testing.T) {
			c, err := smooth.CodecFromSampleEntry(entryFile(t, tt.file))
			require.NoError(t, err)
			l := c.QualityLevel(123456)
			assert.EqualValues(t, 123456, l.Bitrate)
			back, err := smooth.CodecFromQualityLevel(c.Type, nil, l)
			require.NoError(t, err)
			entry := back.SampleEntry
			back.SampleEntry = nil
			assert.Equal(t, strings.Replace(tt.codecs, "hvc1.", "hev1.", 1), back.Codecs())
			if c.DisplayHeight == c.Height {
				assert.True(t, c.Equal(back), "%+v\n%+v", c, back)
			}
			require.NotEmpty(t, entry)
			again, err := smooth.CodecFromSampleEntry(entry)
			require.NoError(t, err)
			assert.True(t, back.Equal(again), "%+v\n%+v", back, again)
		})
	}
}

// ffmpeg's avcC and hvcC boxes are the reference for those that are built.
func TestBuildSampleEntryEqualsFFmpeg(t *testing.T) {
	for _, file := range []string{"h264_baseline", "h264_high_1080", "h264_main_sar", "h264_high422"} {
		entry := entryFile(t, file)
		c, err := smooth.CodecFromSampleEntry(entry)
		require.NoError(t, err)
		c.SampleEntry = nil
		built, err := c.BuildSampleEntry()
		require.NoError(t, err)
		assert.Equal(t, childOf(entry, 78, "avcC"), childOf(built, 78, "avcC"), file)
		assert.Equal(t, entry[8:50], built[8:50], "%s: fields", file)
	}
	for _, file := range []string{"eac3_51", "eac3_mono", "ac3_51", "ac3_stereo"} {
		entry := entryFile(t, file)
		c, err := smooth.CodecFromSampleEntry(entry)
		require.NoError(t, err)
		c.SampleEntry = nil
		built, err := c.BuildSampleEntry()
		require.NoError(t, err)
		name := "d" + strings.ReplaceAll(string(entry[4:8]), "-", "")
		assert.Equal(t, childOf(entry, 28, name), childOf(built, 28, name), file)
	}
}

// childOf returns the child box of an entry with that many bytes of fields.
func childOf(entry []byte, fields int, name string) (found []byte) {
	walkBoxes(entry[8+fields:], func(n string, box []byte) bool {
		if n == name {
			found = box
		}
		return false
	})
	return found
}

const (
	rxSPS = "6742800d8d6506476ffc03800385a828282a00000300020000030065c0000249e00036ed3f89f076860a96"
	rxPPS = "68c92352"
)

func TestCodecFromQualityLevelVideo(t *testing.T) {
	annexB := "00000001" + rxSPS + "00000001" + rxPPS
	avcC := "0142800dffe1002b" + rxSPS + "010004" + rxPPS
	tests := []struct {
		name, fourCC, private string
		wantFourCC            string
	}{
		{"as IIS writes it", "H264", annexB, "H264"},
		{"AVC1", "AVC1", annexB, "H264"},
		{"lower case and spaces", " avc1 ", annexB, "H264"},
		{"X264", "X264", annexB, "H264"},
		{"DAVC", "DAVC", annexB, "H264"},
		{"AVC3", "avc3", annexB, "H264"},
		{"PPS first", "H264", "00000001" + rxPPS + "00000001" + rxSPS, "H264"},
		{"three-byte start codes", "H264", "000001" + rxSPS + "000001" + rxPPS, "H264"},
		{"content of avcC", "H264", avcC, "H264"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := smooth.CodecFromQualityLevel(smooth.Video, nil, &smooth.QualityLevel{
				FourCC: tt.fourCC, CodecPrivateData: unhex(t, tt.private), MaxWidth: 16, MaxHeight: 16,
			})
			require.NoError(t, err)
			assert.Equal(t, tt.wantFourCC, c.FourCC)
			assert.Equal(t, annexB, hex.EncodeToString(c.PrivateData))
			assert.Equal(t, "avc1.42800d", c.Codecs())
			assert.EqualValues(t, 4, c.NALULengthSize)
			assert.Equal(t, [4]uint32{400, 224, 398, 224}, [4]uint32{c.Width, c.Height, c.DisplayWidth, c.DisplayHeight})
			assert.Equal(t, avcC, hex.EncodeToString(childOf(c.SampleEntry, 78, "avcC")[8:]))
			_, sps, pps := c.ParameterSets()
			assert.Equal(t, [][]byte{unhex(t, rxSPS)}, sps)
			assert.Equal(t, [][]byte{unhex(t, rxPPS)}, pps)
		})
	}
}

func TestCodecFromQualityLevelVideoOther(t *testing.T) {
	s := &smooth.Stream{MaxWidth: 1280, MaxHeight: 720, DisplayWidth: 960, DisplayHeight: 720, FourCC: "WVC1"}
	c, err := smooth.CodecFromQualityLevel(smooth.Video, s, &smooth.QualityLevel{
		CodecPrivateData: []byte{0, 0, 1, 0x0f}, MaxWidth: 640, MaxHeight: 360,
	})
	require.NoError(t, err)
	assert.Equal(t, "WVC1", c.FourCC)
	assert.Equal(t, [4]uint32{640, 360, 480, 360}, [4]uint32{c.Width, c.Height, c.DisplayWidth, c.DisplayHeight})
	assert.Empty(t, c.SampleEntry)
	assert.Empty(t, c.Codecs())
	_, err = c.BuildSampleEntry()
	require.ErrorIs(t, err, smooth.ErrUnsupported)

	c, err = smooth.CodecFromQualityLevel(smooth.Video, nil, &smooth.QualityLevel{
		FourCC: "AVCB", MaxWidth: 400, MaxHeight: 224, CodecPrivateData: unhex(t, "00000001"+rxSPS+"00000001"+rxPPS),
	})
	require.NoError(t, err)
	assert.Zero(t, c.NALULengthSize)
	assert.Empty(t, c.SampleEntry)

	c, err = smooth.CodecFromQualityLevel(smooth.Video, nil, &smooth.QualityLevel{FourCC: "H264", MaxWidth: 400, MaxHeight: 224})
	require.NoError(t, err, "parameter sets in the samples")
	assert.EqualValues(t, 400, c.Width)
	assert.Empty(t, c.SampleEntry)
}

func TestCodecFromQualityLevelAudio(t *testing.T) {
	tests := []struct {
		name    string
		level   smooth.QualityLevel
		codecs  string
		private string
		want    smooth.Codec
	}{
		{"AAC-LC derived", smooth.QualityLevel{FourCC: "AACL", SamplingRate: 44100, Channels: 2, PacketSize: 4, BitsPerSample: 16, AudioTag: 255},
			"mp4a.40.2", "1210", audio("AACL", 255, 44100, 2, 4)},
		{"8 channels derived", smooth.QualityLevel{FourCC: "aac", SamplingRate: 48000, Channels: 8}, "mp4a.40.2", "11b8", audio("AACL", 255, 48000, 8, 16)},
		{"HE-AAC derived from the output rate", smooth.QualityLevel{FourCC: "AACH", SamplingRate: 48000, Channels: 2}, "mp4a.40.5", "2b118800", audio("AACH", 255, 48000, 2, 4)},
		{"HE-AAC derived from the core rate", smooth.QualityLevel{FourCC: "AACP", SamplingRate: 24000, Channels: 2}, "mp4a.40.5", "2b118800", audio("AACH", 255, 48000, 2, 4)},
		{"no FourCC", smooth.QualityLevel{AudioTag: 255, CodecPrivateData: []byte{0x11, 0x90}}, "mp4a.40.2", "1190", audio("AACL", 255, 48000, 2, 4)},
		{"SBR suffix", smooth.QualityLevel{FourCC: "AACH", CodecPrivateData: unhex(t, "131056e598")}, "mp4a.40.5", "131056e598", audio("AACH", 255, 48000, 2, 4)},
		{"suffix that denies SBR", smooth.QualityLevel{FourCC: "AACL", CodecPrivateData: unhex(t, "119056e500")}, "mp4a.40.2", "119056e500", audio("AACL", 255, 48000, 2, 4)},
		{"PS suffix", smooth.QualityLevel{FourCC: "AACH", CodecPrivateData: unhex(t, "130856e59d4880")}, "mp4a.40.29", "130856e59d4880", audio("AACH", 255, 48000, 2, 4)},
		{"explicit PS", smooth.QualityLevel{FourCC: "AACH", CodecPrivateData: unhex(t, "eb098800")}, "mp4a.40.29", "eb098800", audio("AACH", 255, 48000, 2, 4)},
		{"SBR in the samples only", smooth.QualityLevel{FourCC: "AACH", SamplingRate: 48000, CodecPrivateData: unhex(t, "1310")}, "mp4a.40.5", "1310", audio("AACH", 255, 48000, 2, 4)},
		{"WMA Pro", smooth.QualityLevel{FourCC: "WmaPro", SamplingRate: 48000, Channels: 6, PacketSize: 6000, BitsPerSample: 16, CodecPrivateData: []byte{1}},
			"", "01", audio("WMAP", 354, 48000, 6, 6000)},
		{"WMA of version 1", smooth.QualityLevel{FourCC: "WMA", SamplingRate: 48000, Channels: 2, PacketSize: 5462, BitsPerSample: 16, CodecPrivateData: unhex(t, "008800000f0000000000")},
			"", "008800000f0000000000", audio("WMA2", 353, 48000, 2, 5462)},
		{"MP3", smooth.QualityLevel{FourCC: "WMAP", AudioTag: 85, SamplingRate: 44100, Channels: 2, PacketSize: 1, BitsPerSample: 16}, "mp4a.40.34", "", audio("WMAP", 85, 44100, 2, 1)},
		{"E-AC-3 without private data", smooth.QualityLevel{FourCC: "dec3", SamplingRate: 48000, Channels: 6, PacketSize: 1024, BitsPerSample: 16}, "ec-3", "", audio("EC-3", 65534, 48000, 6, 1024)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := smooth.CodecFromQualityLevel(smooth.Audio, nil, &tt.level)
			require.NoError(t, err)
			assert.Equal(t, tt.codecs, c.Codecs())
			assert.Equal(t, tt.private, hex.EncodeToString(c.PrivateData))
			if c.AudioConfig() != nil {
				back, err := smooth.CodecFromSampleEntry(c.SampleEntry)
				require.NoError(t, err)
				assert.Equal(t, c.AudioConfig(), back.AudioConfig())
			}
			got := *c
			got.SampleEntry, got.PrivateData = nil, nil
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestCodecFromQualityLevelText(t *testing.T) {
	for _, fourCC := range []string{"TTML", "DFXP"} {
		c, err := smooth.CodecFromQualityLevel(smooth.Text, nil, &smooth.QualityLevel{FourCC: fourCC, Bitrate: 1000})
		require.NoError(t, err)
		assert.Equal(t, "stpp.ttml.im1t", c.Codecs())
		back, err := smooth.CodecFromSampleEntry(c.SampleEntry)
		require.NoError(t, err)
		assert.Equal(t, smooth.Text, back.Type)
	}
	c, err := smooth.CodecFromQualityLevel(smooth.Text, &smooth.Stream{Subtype: "CTRL"}, &smooth.QualityLevel{})
	require.NoError(t, err, "a control track has no codec")
	assert.Empty(t, c.SampleEntry)
}

func TestCodecFromQualityLevelErrors(t *testing.T) {
	tests := []struct {
		name  string
		typ   smooth.StreamType
		level smooth.QualityLevel
		want  error
		text  string
	}{
		{"unknown video", smooth.Video, smooth.QualityLevel{FourCC: "AV01"}, smooth.ErrUnsupported, `"AV01"`},
		{"unknown audio", smooth.Audio, smooth.QualityLevel{FourCC: "fLaC"}, smooth.ErrUnsupported, `"fLaC"`},
		{"unknown type", "smell", smooth.QualityLevel{}, smooth.ErrUnsupported, "smell"},
		{"VC-1 data under AVC1", smooth.Video, smooth.QualityLevel{FourCC: "AVC1", CodecPrivateData: unhex(t, "250000010FCBF81A70EF8A1A783BE80C908236EE5265400000010E5A67F840")}, smooth.ErrCorrupt, "sequence parameter set"},
		{"length field of 3", smooth.Video, smooth.QualityLevel{FourCC: "H264", NALUnitLengthField: 3}, smooth.ErrCorrupt, "3"},
		{"AAC of nothing", smooth.Audio, smooth.QualityLevel{FourCC: "AACL"}, smooth.ErrCorrupt, "0 Hz"},
		{"AAC cut", smooth.Audio, smooth.QualityLevel{FourCC: "AACL", CodecPrivateData: []byte{0x12}}, smooth.ErrCorrupt, "ends early"},
		{"AAC of reserved rate", smooth.Audio, smooth.QualityLevel{FourCC: "AACL", CodecPrivateData: unhex(t, "1690")}, smooth.ErrCorrupt, "rate"},
		{"xHE-AAC", smooth.Audio, smooth.QualityLevel{FourCC: "AACL", CodecPrivateData: unhex(t, "f94640")}, smooth.ErrUnsupported, "42"},
		{"too large", smooth.Audio, smooth.QualityLevel{FourCC: "AACL", CodecPrivateData: make([]byte, 1<<20)}, smooth.ErrTooLarge, "limit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := smooth.CodecFromQualityLevel(tt.typ, nil, &tt.level)
			require.ErrorIs(t, err, tt.want)
			assert.ErrorContains(t, err, tt.text)
			assert.Nil(t, c)
		})
	}
}

// The E-AC-3 private data in the layout that smooth clients read: samples per block 1536, channel mask, GUID, dec3.
func TestCodecEC3PrivateData(t *testing.T) {
	c, err := smooth.CodecFromSampleEntry(entryFile(t, "eac3_51"))
	require.NoError(t, err)
	assert.Equal(t, "0006"+"0f060000"+"af87fba7022dfb42a4d405cd93843bdd"+"0800200f00", hex.EncodeToString(c.PrivateData))
}

func TestCodecVC1(t *testing.T) {
	fields := make([]byte, 78)
	fields[24], fields[25], fields[26], fields[27] = 0x05, 0x00, 0x02, 0xd0
	headers := unhex(t, "0000010fcbf81a70ef8a00000 10e5a67f840")
	for _, entry := range [][]byte{
		box("vc-1", fields, box("dvc1", []byte{0xc2, 0, 0, 0, 0, 0, 0}, headers)),
		box("ovc1", fields, box("strf", make([]byte, 40), headers)),
	} {
		c, err := smooth.CodecFromSampleEntry(entry)
		require.NoError(t, err)
		assert.Equal(t, headers, c.PrivateData)
		assert.Equal(t, "WVC1", c.QualityLevel(1).FourCC)
		assert.EqualValues(t, 1280, c.QualityLevel(1).MaxWidth)
		assert.EqualValues(t, 720, c.DisplayHeight)
	}
}

func TestCodecEqual(t *testing.T) {
	a, err := smooth.CodecFromSampleEntry(entryFile(t, "h264_baseline"))
	require.NoError(t, err)
	var none *smooth.Codec
	assert.True(t, none.Equal(nil))
	assert.False(t, none.Equal(a))
	assert.False(t, a.Equal(nil))
	b := *a
	assert.True(t, a.Equal(&b))
	b.SampleEntry = nil
	assert.True(t, a.Equal(&b), "an entry that is missing does not count")
	b.PrivateData = b.PrivateData[1:]
	assert.False(t, a.Equal(&b))
	b = *a
	b.Encrypted = true
	assert.False(t, a.Equal(&b))
}

// Findings in testdata/fuzz: 4b6f72d3321a74f4 is HE-AAC that only its FourCC tells, 8303de64a465e882 an
// AudioSpecificConfig too long for the descriptor that mp4ff writes.
func FuzzCodecPrivateData(f *testing.F) {
	fourCCs := []string{"H264", "hev1", "AACL", "AACH", "EC-3", "ac-3", "WMAP", "WVC1", "TTML"}
	for _, tt := range generated {
		c, err := smooth.CodecFromSampleEntry(entryFile(f, tt.file))
		require.NoError(f, err)
		for i, fourCC := range fourCCs {
			if fourCC == c.FourCC {
				f.Add(byte(i), c.PrivateData)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, private []byte) {
		fourCC := fourCCs[int(which)%len(fourCCs)]
		typ := smooth.Audio
		switch fourCC {
		case "H264", "hev1", "WVC1":
			typ = smooth.Video
		case "TTML":
			typ = smooth.Text
		}
		c, err := smooth.CodecFromQualityLevel(typ, nil, &smooth.QualityLevel{
			FourCC: fourCC, CodecPrivateData: private, MaxWidth: 320, MaxHeight: 180, SamplingRate: 48000, Channels: 2,
		})
		if err != nil || len(c.SampleEntry) == 0 {
			return
		}
		c.Codecs()
		back, err := smooth.CodecFromSampleEntry(c.SampleEntry)
		if err != nil {
			t.Fatalf("sample entry %x: %v", c.SampleEntry, err)
		}
		// a sample entry cannot say that SBR is signalled in the samples only
		if back.Type != c.Type || back.Codecs() != c.Codecs() && fourCC != "AACH" {
			t.Fatalf("%s: codec %q became %q", fourCC, c.Codecs(), back.Codecs())
		}
	})
}
