package e2e_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	hlsvalidate "github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// TestValidator checks what the clients of the other tests play. What ffmpeg wrote itself is served as it is: its
// negative composition offsets are worth a warning.
func TestValidator(t *testing.T) {
	base := serve(t, media(t))
	for _, p := range presentations {
		t.Run(p.name, func(t *testing.T) {
			report, err := validate.URL(context.Background(), base+p.path+"/Manifest", nil)
			require.NoError(t, err)
			assert.Greater(t, report.Checked.Fragments, 40)
			for _, v := range report.Violations {
				if v.Rule.Severity == validate.Error || p.name != "ffmpeg-ismv" {
					t.Error(v)
				}
			}
		})
	}
}

// advice is what the validator may say of HLS, by rule, and of which presentations; none named means all.
var advice = map[string][]string{
	"HM109": nil,       // no CLOSED-CAPTIONS: it is not known whether pictures carry them
	"HM124": nil,       // no lists of key frames, which muxed layouts, for old clients, and encrypted ones lack
	"HM132": {"dolby"}, // no AAC
	// The sound that ffmpeg wrote itself begins before zero, which Smooth cannot express, so that its first fragment comes
	// a frame late.
	"HT163": {"ffmpeg-ismv"}, "HF123": {"ffmpeg-ismv"},
}

// TestHLSValidator checks what the clients of the other tests play as HLS.
func TestHLSValidator(t *testing.T) {
	root := media(t)
	plain := serveHLS(t, root, nil)
	addresses := map[string]string{
		"dolby":      serveHLS(t, dolby(t), nil) + "clip.ism/",
		"aes-128":    serveSample(t, rotating(hls.AES128)),
		"sample-aes": serveSample(t, rotating(hls.SampleAES)),
	}
	for _, p := range presentations {
		addresses[p.name] = plain + p.path + "/"
	}
	for name, address := range addresses {
		for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
			if name == "sample-aes" && format == "m3u8-cmaf" {
				continue // there is none
			}
			t.Run(name+"/"+format, func(t *testing.T) {
				report, err := hlsvalidate.URL(context.Background(), address+master(format), nil)
				require.NoError(t, err)
				assert.GreaterOrEqual(t, report.Checked.Fragments, 8)
				for _, v := range report.Violations {
					if about, known := advice[v.Rule.ID]; !known || len(about) > 0 && !slices.Contains(about, name) {
						t.Error(v)
					}
				}
			})
		}
	}
}
