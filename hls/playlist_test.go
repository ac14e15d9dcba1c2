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
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
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

// TestSoundLaterMarked: the tables of segments without sound do not declare it, so a discontinuity stands where it begins
// and where it ends, in muxed lists only.
func TestSoundLaterMarked(t *testing.T) {
	const second = smooth.DefaultTimescale
	p := smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(15, 2*second), Levels: []smoothtest.Level{{Bitrate: 400_000}}},
		{Type: smooth.Audio, Start: 13 * second, Durations: smoothtest.Repeat(3, 2*second), Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}})
	h := smoothHandler(sourceOf(p), nil)
	lines := func(format string) []string {
		list := string(get(t, h, "/a.ism/QualityLevels(400000)/Manifest(video,format="+format+")"))
		return strings.Split(list, "\n")
	}
	var marked []int // segments
	n := 0
	for _, l := range lines("m3u8-aapl-v3") {
		switch {
		case l == "#EXT-X-DISCONTINUITY":
			marked = append(marked, n)
		case strings.HasPrefix(l, "#EXTINF"):
			n++
		}
	}
	require.Equal(t, 5, n)
	require.Equal(t, []int{2, 4}, marked)
	require.NotContains(t, lines("m3u8-aapl"), "#EXT-X-DISCONTINUITY")
}

// TestMuxedWithoutPicture: two sounds and no picture have a master playlist in every layout.
func TestMuxedWithoutPicture(t *testing.T) {
	sound := func(name string) smoothtest.Stream {
		return smoothtest.Stream{Type: smooth.Audio, Name: name, Durations: smoothtest.Repeat(6, 2*smooth.DefaultTimescale),
			Levels: []smoothtest.Level{{Bitrate: 96_000}}}
	}
	h := smoothHandler(sourceOf(smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{sound("a"), sound("b")}})), nil)
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
		require.Contains(t, string(get(t, h, "/a.ism/Manifest(format="+format+")")), "#EXT-X-STREAM-INF", format)
	}
}
