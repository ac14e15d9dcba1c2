package e2e_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
)

// TestHLSPlayer plays the sample through hls.js: start, switch of quality, switch of language, subtitles, seek. Of the
// encrypted ones, whose keys change every other segment, it is enough that they start, seek and show subtitles.
func TestHLSPlayer(t *testing.T) {
	browser := chromium(t)
	for _, c := range []struct {
		name, format string
		encryption   *hls.Encryption
		seconds      float64
	}{
		{"ts", "m3u8-aapl", nil, 8},
		{"muxed", "m3u8-aapl-v3", nil, 8},
		{"fmp4", "m3u8-cmaf", nil, 8},
		{"ts/aes-128", "m3u8-aapl", rotating(hls.AES128), 2},
		{"fmp4/aes-128", "m3u8-cmaf", rotating(hls.AES128), 1},
		{"ts/sample-aes", "m3u8-aapl", rotating(hls.SampleAES), 2},
		{"muxed/sample-aes", "m3u8-aapl-v3", rotating(hls.SampleAES), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			muxed := c.format == "m3u8-aapl-v3"
			o := order{Player: "hls", URL: serveSample(t, c.encryption) + master(c.format), Seconds: c.seconds, Seek: 19,
				Captions: !muxed, Chromium: browser, Brief: c.encryption != nil, muxed: muxed}
			twice(t, func() error {
				r, err := play(t, o)
				if err == nil && o.Captions {
					checkCues(t, r)
				}
				return err
			})
		})
	}
}

// rotating returns an encryption of two segments per key, that is of 12 seconds of the sample.
func rotating(m hls.EncryptionMethod) *hls.Encryption {
	return &hls.Encryption{Method: m, Master: []byte("a secret of tests"), Rotate: 2}
}

// checkCues compares the cues that the player has with what the text of each says: "Fragment 3: seconds 4 to 6", shown
// from 0.2 seconds after its begin to 0.1 before its end, and later by the two frames that the sample's pictures are.
func checkCues(t *testing.T, r *report) {
	t.Helper()
	const shift, tolerance = 0.08, 0.002
	assert.GreaterOrEqual(t, len(r.Cues), 8)
	for _, c := range r.Cues {
		fragment, from, to, ok := readCaption(c.Text)
		require.True(t, ok, "%+v", c)
		assert.Equal(t, float64(fragment-1)*2, from)
		assert.InDelta(t, from+0.2+shift, c.Start, tolerance, "%+v", c)
		assert.InDelta(t, to-0.1+shift, c.End, tolerance, "%+v", c)
	}
}

// TestHLSNative plays through the browser's own HLS, which decides everything by itself.
func TestHLSNative(t *testing.T) {
	browser := chromium(t)
	base := serveSample(t, nil)
	for _, c := range []struct{ name, url string }{
		{"ts", base + master("m3u8-aapl")},
		{"fmp4", base + master("m3u8-cmaf")},
		{"ts/aes-128", serveSample(t, rotating(hls.AES128)) + master("m3u8-aapl")},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := order{Player: "native", URL: c.url, Seconds: 2, Seek: 19, Chromium: browser, single: true}
			twice(t, func() error {
				_, err := play(t, o)
				return err
			})
		})
	}
}

// TestHLSPackaged plays what was packaged just now from MP4 files, and the same files without packaging.
func TestHLSPackaged(t *testing.T) {
	browser := chromium(t)
	base := serveHLS(t, media(t), nil)
	for i, format := range []string{"m3u8-aapl", "m3u8-cmaf"} {
		p := presentations[1+i]
		t.Run(p.name, func(t *testing.T) {
			o := order{Player: "hls", URL: base + p.path + "/" + master(format), Seconds: 1, Seek: math.Floor(p.seconds / 2),
				Chromium: browser, Brief: i > 0}
			twice(t, func() error {
				_, err := play(t, o)
				return err
			})
		})
	}
}
