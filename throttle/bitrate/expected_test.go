package bitrate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// expectedMedia is what other programs found in a file. Zero means that they found nothing.
type expectedMedia struct {
	FFprobe struct {
		BitRate  float64 `json:"bit_rate"`   // bit/s
		Duration float64 `json:"duration_s"` // seconds
	} `json:"ffprobe"`
	MediaInfo struct {
		BitRate  float64 `json:"overall_bit_rate"`
		Duration float64 `json:"duration_s"`
	} `json:"mediainfo"`
	SizeOverDuration float64            `json:"size_over_duration_bit_rate"`
	HeaderFields     map[string]float64 `json:"header_fields"`
}

// readExpectedMedia returns what is expected of the files of the shared test data, by name.
func readExpectedMedia(t *testing.T) map[string]expectedMedia {
	t.Helper()
	data, err := os.ReadFile(testmedia.Shared(t, "testdata/expected-media.json"))
	require.NoError(t, err)
	var list map[string]expectedMedia
	require.NoError(t, json.Unmarshal(data, &list))
	require.Greater(t, len(list), 100)
	return list
}

// check returns how a result deviates by more than two percent from all programs. Where none found a rate an error is
// expected.
func (e *expectedMedia) check(name string, info bitrate.Info, err error) error {
	rates := []float64{e.FFprobe.BitRate, e.MediaInfo.BitRate, e.SizeOverDuration}
	if rates[0]+rates[1]+rates[2] == 0 {
		if err == nil {
			return fmt.Errorf("%d bit/s by %s, where no program finds a rate", info.Average, info.Method)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if want := expectedContainer(name); info.Container != want {
		return fmt.Errorf("container %q, want %q", info.Container, want)
	}
	if !isNear(float64(info.Average), rates) {
		return fmt.Errorf("%d bit/s by %s, want one of %v", info.Average, info.Method, rates)
	}
	durations := []float64{e.FFprobe.Duration, e.MediaInfo.Duration}
	if !isNear(info.Duration.Seconds(), durations) {
		return fmt.Errorf("duration %v by %s, want one of %v s", info.Duration, info.Method, durations)
	}
	return nil
}

func isNear(got float64, wants []float64) bool {
	for _, want := range wants {
		if want > 0 && math.Abs(got-want) <= 0.02*want {
			return true
		}
	}
	return false
}

// expectedContainer returns the container of a file of the shared test data.
func expectedContainer(name string) bitrate.Container {
	dir := path.Base(path.Dir(name))
	switch {
	case strings.HasPrefix(name, "smooth/"):
		return bitrate.MP4
	case path.Ext(name) == ".webm":
		return bitrate.WebM
	case path.Base(name) == "really-flv.mp4":
		return bitrate.FLV
	}
	return map[string]bitrate.Container{
		"aac": bitrate.ADTS, "ac3": bitrate.AC3, "aiff": bitrate.AIFF, "amr": bitrate.AMR, "asf": bitrate.ASF, "avi": bitrate.AVI,
		"flac": bitrate.FLAC, "flv": bitrate.FLV, "mkv-webm": bitrate.Matroska, "mp3": bitrate.MP3, "mp4": bitrate.MP4,
		"mpeg-ps": bitrate.MPEGPS, "mpegts": bitrate.MPEGTS, "ogg": bitrate.Ogg, "rm": bitrate.RealMedia, "wav": bitrate.WAV,
	}[dir]
}

// deviation is a file of which another result is right than what the programs say.
type deviation struct {
	reason   string
	err      error   // or:
	rate     float64 // bit/s, within two percent
	duration float64 // seconds, the same
}

func (d *deviation) check(t *testing.T, info bitrate.Info, err error) {
	t.Helper()
	if d.err != nil {
		assert.ErrorIs(t, err, d.err, d.reason)
		return
	}
	require.NoError(t, err, d.reason)
	assert.InEpsilon(t, d.rate, info.Average, 0.02, d.reason)
	assert.InEpsilon(t, d.duration, info.Duration.Seconds(), 0.02, d.reason)
}

// deviations are all of them.
func deviations() map[string]deviation {
	const cutAVI = "cut after the header, which states the size of the whole RIFF chunk: the rate is that of the whole file"
	const estimated = "the programs extrapolate from the first frames; all of them, counted, last as long as this"
	return map[string]deviation{
		"media/aac/lofty-rs-untagged.aac": {
			reason: estimated, rate: 21519 * 8 * 48000. / (67 * 1024), duration: 67 * 1024 / 48000.},
		"media/aac/testsuite-enst_audio.aac": {
			reason: estimated, rate: 85058 * 8 * 48000. / (330 * 1024), duration: 330 * 1024 / 48000.},
		"media/avi/exiftool-RIFF.avi":             {reason: cutAVI, rate: 1_425_493, duration: 233 * 0.066666},
		"media/avi/hachoir-smallville.s03e02.avi": {reason: cutAVI, rate: 1_118_380, duration: 63324 * 0.041708},
		"media/flac/mutagen-52-overwritten-metadata.flac": {
			reason: "cut after 512 bytes: 17 bit/s are no rate", err: bitrate.ErrUnknownRate},
		"media/mp3/music-metadata-pr-544-id3v24.mp3": {
			reason: "two frames of 72 bytes, the rest are an ID3v2 and an ID3v1 tag", rate: 8000, duration: 2 * 576 / 8000.},
		"media/mpeg-ps/file-type-fixture.mpg": {
			reason: "an MPEG-1 video elementary stream, no program stream", err: bitrate.ErrUnknownContainer},
		"media/ogg/mutagen-example.opus": {
			reason: "65535 of the 610561 samples are pre-skip, which has bytes and is not played (RFC 7845 section 4.2)",
			rate:   64528 * 8 / (610561 / 48000.), duration: (610561 - 65535) / 48000.},
		"smooth/piff/mp4ff-init.mp4": {
			reason: "an init segment whose sidx has the sizes and durations of the whole programme",
			rate:   67_294, duration: 2658.048,
		},
	}
}

func TestExpectedMedia(t *testing.T) {
	expected, deviating := readExpectedMedia(t), deviations()
	for name := range deviating {
		assert.Contains(t, expected, name)
	}
	for name, want := range expected {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(testmedia.Shared(t, "testdata/"+name))
			require.NoError(t, err)
			d := bitrate.Detector{Name: path.Base(name)}
			info, err := d.Detect(bytes.NewReader(data), int64(len(data)))
			differs := want.check(name, info, err)
			exception, ok := deviating[name]
			switch {
			case !ok:
				assert.NoError(t, differs)
			case differs == nil:
				t.Errorf("the exception is not needed any more: %s", exception.reason)
			default:
				exception.check(t, info, err)
			}
		})
	}
}
