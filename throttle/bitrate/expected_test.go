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

// check returns how a result deviates by more than two percent from all programs.
func (e *expectedMedia) check(name string, info bitrate.Info, err error) error {
	if err != nil {
		return err
	}
	if want := expectedContainer(name); info.Container != want {
		return fmt.Errorf("container %q, want %q", info.Container, want)
	}
	rates := []float64{e.FFprobe.BitRate, e.MediaInfo.BitRate, e.SizeOverDuration}
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
	reason string
	err    error   // or:
	rate   float64 // bit/s, within two percent
}

// deviations are all of them.
func deviations() map[string]deviation {
	return map[string]deviation{}
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
			case exception.err != nil:
				assert.ErrorIs(t, err, exception.err, exception.reason)
			default:
				require.NoError(t, err, exception.reason)
				assert.InEpsilon(t, exception.rate, info.Average, 0.02, exception.reason)
			}
		})
	}
}
