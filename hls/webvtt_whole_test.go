package hls_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/packager"
)

// TestLongCues: a cue that spans segments has the same times in all of them, although the packager cut it into fragments.
// Players take it for two cues otherwise and show both.
func TestLongCues(t *testing.T) {
	film, err := os.Open(testmedia.Media(t, "high.mp4"))
	require.NoError(t, err)
	defer film.Close()
	info, err := film.Stat()
	require.NoError(t, err)
	const text = "WEBVTT\n\n00:00:00.500 --> 00:00:05.500\nlong\n\n00:00:03.000 --> 00:00:05.000\nshort\n"
	dir := t.TempDir()
	_, err = packager.Package(t.Context(), packager.Job{Dir: dir, Name: "x", Options: packager.Options{FragmentDuration: time.Second},
		Inputs: []packager.Input{
			{Path: "high.mp4", Reader: film, Size: info.Size()},
			{Path: "a.vtt", Reader: strings.NewReader(text), Size: int64(len(text))},
		}})
	require.NoError(t, err)
	src := smooth.Dir(dir, nil)
	defer src.Close()
	h := smoothHandler(src, &hls.Options{SegmentDuration: time.Second})
	var texts []tagged
	for _, r := range readMaster(t, h, "/x.ism/Manifest(format=m3u8-aapl).m3u8").renditions {
		if r.attr("TYPE") == "SUBTITLES" {
			texts = append(texts, r)
		}
	}
	require.Len(t, texts, 1)
	times := map[string]map[string]bool{}
	list := readMedia(t, h, texts[0].url)
	require.Greater(t, len(list.entries), 2)
	for _, e := range list.entries {
		for _, block := range strings.Split(string(get(t, h, e.url)), "\n\n")[1:] {
			at, words, _ := strings.Cut(strings.TrimSpace(block), "\n")
			if times[words] == nil {
				times[words] = map[string]bool{}
			}
			times[words][at] = true
		}
	}
	assert.Len(t, times, 2)
	for words, at := range times {
		assert.Len(t, at, 1, "%s: %v", words, at)
	}
}
