package fmp4_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// configOf returns the content of a box in one of smooth's sample entries.
func configOf(tb testing.TB, file, box string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(testmedia.Root(tb), "smooth", "testdata", "entries", file+".hex"))
	require.NoError(tb, err)
	entry, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	require.NoError(tb, err)
	e, err := fmp4.ParseEntry(entry, fmp4.VisualEntry)
	require.NoError(tb, err)
	require.NotNil(tb, e.Box(box))
	return e.Box(box).Payload
}

func hevcSPS(tb testing.TB, file string) []byte {
	tb.Helper()
	rec, size, err := fmp4.DecodeHEVCConfig(configOf(tb, file, "hvcC"))
	require.NoError(tb, err)
	require.EqualValues(tb, 4, size)
	return rec.GetNalusForType(hevc.NALU_SPS)[0]
}

func TestHEVCPictureEqualsLibrary(t *testing.T) {
	for _, file := range []string{"hevc_hvc1", "hevc_hev1_10bit"} {
		sps := hevcSPS(t, file)
		want, err := hevc.ParseSPSNALUnit(sps)
		require.NoError(t, err)
		got, err := fmp4.HEVCPicture(sps)
		require.NoError(t, err)
		w, h := want.ImageSize()
		assert.Equal(t, fmp4.Picture{
			Width: w, Height: h, ChromaFormat: want.ChromaFormatIDC, LumaDepthMinus8: want.BitDepthLumaMinus8,
			ChromaDepthMinus8: want.BitDepthChromaMinus8,
			SARWidth:          uint32(want.VUI.SampleAspectRatioWidth), SARHeight: uint32(want.VUI.SampleAspectRatioHeight),
		}, got)
		profile, err := fmp4.ParseHEVCProfile(sps)
		require.NoError(t, err)
		assert.Equal(t, want.ProfileTierLevel.GeneralProfileCompatibilityFlags, profile.GeneralProfileCompatibilityFlags)
		assert.Equal(t, want.ProfileTierLevel.GeneralLevelIDC, profile.GeneralLevelIDC)
		assert.Equal(t, uint64(0x900000000000), profile.GeneralConstraintIndicatorFlags)
	}
}

func TestHEVCPictureTruncated(t *testing.T) {
	sps := hevcSPS(t, "hevc_hev1_10bit")
	for n := range sps {
		p, err := fmp4.HEVCPicture(sps[:n])
		if err == nil {
			assert.Equal(t, [2]uint32{1920, 1080}, [2]uint32{p.Width, p.Height}, "first %d bytes", n)
		} else {
			assert.Zero(t, p.SARWidth)
		}
	}
	_, err := fmp4.HEVCPicture(append(sps, make([]byte, 8<<10)...))
	require.ErrorContains(t, err, "limit")
}

func TestDecodeAVCConfigLengthSizes(t *testing.T) {
	payload := configOf(t, "h264_baseline", "avcC")
	for size := range 4 {
		p := append([]byte{}, payload...)
		p[4] = p[4]&^3 | byte(size)
		rec, got, err := fmp4.DecodeAVCConfig(p)
		require.NoError(t, err)
		assert.EqualValues(t, size+1, got)
		assert.Len(t, rec.SPSnalus, 1)
	}
	for n := range payload {
		_, _, err := fmp4.DecodeAVCConfig(payload[:n])
		require.Error(t, err, "first %d bytes", n)
	}
}

// A box of which mp4ff reads a size from the input that it does not check.
func TestDecodeEntryBoxErrors(t *testing.T) {
	for _, raw := range []string{"", "\x00\x00\x00\x08dec3", "\x00\x00\x00\x0cesds\x00\x00\x00\x00", "\x00\x00\x00\x0ddec3\xff\xff\xff\xff\xff"} {
		_, err := fmp4.DecodeEntryBox([]byte(raw))
		require.Error(t, err, "%q", raw)
	}
}

func FuzzPicture(f *testing.F) {
	f.Add(hevcSPS(f, "hevc_hvc1"))
	f.Add(hevcSPS(f, "hevc_hev1_10bit"))
	for _, file := range []string{"h264_baseline", "h264_high_1080", "h264_main_sar", "h264_high422"} {
		rec, _, err := fmp4.DecodeAVCConfig(configOf(f, file, "avcC"))
		require.NoError(f, err)
		f.Add(rec.SPSnalus[0])
	}
	f.Fuzz(func(t *testing.T, sps []byte) {
		for _, parse := range []func([]byte) (fmp4.Picture, error){fmp4.AVCPicture, fmp4.HEVCPicture} {
			if p, err := parse(sps); err == nil && (p.Width-1 > 65534 || p.Height-1 > 65534) {
				t.Fatalf("picture of %d x %d", p.Width, p.Height)
			}
		}
		_, _ = fmp4.ParseHEVCProfile(sps)
	})
}
