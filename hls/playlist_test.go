package hls_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), string(got), name)
}

// TestGoldenPlaylists shows what playlists look like: of the sample in each form, and of special cases.
func TestGoldenPlaylists(t *testing.T) {
	src := sampleSource(t)
	in := smoothHandler(src, nil)
	plain := hls.NewHandler(src, &hls.HandlerOptions{Options: hls.Options{Logger: quietLogger}})
	defer plain.Close()
	keys := smoothHandler(src, &hls.Options{Encryption: &hls.Encryption{Keys: hls.StaticKey{1}, Rotate: 2}})
	iis := smoothHandler(src, &hls.Options{
		OmitCodecs: true, DisallowCaching: true, OmitSuffixes: true, SegmentDuration: 10 * time.Second, MaxBitrate: 200_000,
	})
	const video, sound, text = "QualityLevels(75000)/Manifest(video,", "QualityLevels(11000)/Manifest(audio_eng,", "QualityLevels(2000)/Manifest(textstream,"
	for _, tt := range []struct {
		name, target string
		h            http.Handler
	}{
		{"master-ts.m3u8", "/sample.ism/Manifest(format=m3u8-aapl).m3u8", in},
		{"master-muxed.m3u8", "/sample.ism/Manifest(format=m3u8-aapl-v3).m3u8", in},
		{"master-cmaf.m3u8", "/sample.ism/Manifest(format=m3u8-cmaf).m3u8", in},
		{"master-plain.m3u8", "/sample/master.m3u8", plain},
		{"master-iis.m3u8", "/sample.ism/Manifest(format=m3u8-aapl)", iis},
		{"video-ts.m3u8", "/sample.ism/" + video + "format=m3u8-aapl).m3u8", in},
		{"video-cmaf.m3u8", "/sample.ism/" + video + "format=m3u8-cmaf).m3u8", in},
		{"video-iframes.m3u8", "/sample.ism/" + video + "format=m3u8-cmaf,type=keyframes).m3u8", in},
		{"video-keys.m3u8", "/sample.ism/" + video + "format=m3u8-cmaf).m3u8", keys},
		{"video-iis.m3u8", "/sample.ism/" + video + "format=m3u8-aapl)", iis},
		{"audio-ts.m3u8", "/sample.ism/" + sound + "format=m3u8-aapl).m3u8", in},
		{"text.m3u8", "/sample.ism/" + text + "format=m3u8-aapl).m3u8", in},
		{"video-plain.m3u8", "/sample/hls-fmp4/video/75000/index.m3u8", plain},
	} {
		t.Run(tt.name, func(t *testing.T) { golden(t, tt.name, get(t, tt.h, tt.target)) })
	}
}

// TestNoClosedCaptions: whoever knows that there are none says so for every picture, and for nothing else.
func TestNoClosedCaptions(t *testing.T) {
	src := sampleSource(t)
	for _, denied := range []bool{false, true} {
		h := smoothHandler(src, &hls.Options{NoClosedCaptions: denied})
		for _, target := range smoothMasters {
			m := readMaster(t, h, target)
			for i := range m.variants {
				v := &m.variants[i]
				want := ""
				if denied && v.attr("RESOLUTION") != "" {
					want = "NONE"
				}
				assert.Equal(t, want, v.attr("CLOSED-CAPTIONS"), "%s: %s", target, v.attrs)
			}
		}
	}
}
