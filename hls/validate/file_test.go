package validate_test

import (
	"bytes"
	"context"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/internal/testmedia"
)

func TestFS(t *testing.T) {
	o := tsPresentation()
	delete(o.files, "low1.ts")
	r, err := validate.FS(context.Background(), o.fs(), "vod/master.m3u8", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"HH111"}, rulesOf(r), "%v", r.Violations)
	assert.Equal(t, "vod/low1.ts", r.Violations[0].Place.Document)
	r, err = validate.FS(context.Background(), o.fs(), "vod/high.m3u8", nil)
	require.NoError(t, err)
	assert.Empty(t, r.Violations)
	_, err = validate.FS(context.Background(), o.fs(), "vod/none.m3u8", nil)
	assert.ErrorIs(t, err, fs.ErrNotExist)

	o = muxedPresentation(nil)
	o.edit("master.m3u8", "1.ts", "http://example.com/1.ts")
	o.edit("master.m3u8", "2.ts", "../../../2.ts")
	r, err = validate.FS(context.Background(), o.fs(), "vod/master.m3u8", nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"HH111"}, rulesOf(r), "servers and parents are out of reach: %v", r.Violations)
	assert.Len(t, r.Violations, 2)
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	o := cmafPresentation()
	for name, f := range o.files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(f.body), 0o600))
	}
	write := func(name string, data []byte) string {
		name = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(name, data, 0o600))
		return name
	}
	for _, name := range []string{
		filepath.Join(dir, "master.m3u8"), write("a.ts", muxedSegment(0).build()), write("a.vtt", []byte(vttText)),
		write("a.aac", packed(0, 3)), write("playlist", []byte(o.files["video.m3u8"].body)),
	} {
		r, err := validate.File(context.Background(), name, nil)
		require.NoError(t, err)
		assert.Empty(t, r.Violations, name)
	}
	r, err := validate.File(context.Background(), write("empty.m3u8", nil), nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"HP101"}, rulesOf(r))
	for _, name := range []string{"none", write("x", []byte("hello"))} {
		_, err := validate.File(context.Background(), name, nil)
		assert.Error(t, err)
	}
	_, err = validate.File(context.Background(), filepath.Join(dir, "a.ts"), &validate.Options{MaxSegmentSize: 1000})
	assert.ErrorContains(t, err, "more than 1000 bytes")
}

// TestNoSegmentLimit: the largest limit is none.
func TestNoSegmentLimit(t *testing.T) {
	o := tsPresentation()
	want, err := validate.FS(t.Context(), o.fs(), "vod/master.m3u8", nil)
	require.NoError(t, err)
	got, err := validate.FS(t.Context(), o.fs(), "vod/master.m3u8", &validate.Options{MaxSegmentSize: math.MaxInt64})
	require.NoError(t, err)
	assert.Equal(t, want, got)
	name := filepath.Join(t.TempDir(), "a.ts")
	require.NoError(t, os.WriteFile(name, muxedSegment(0).build(), 0o600))
	_, err = validate.File(t.Context(), name, &validate.Options{MaxSegmentSize: math.MaxInt64})
	require.NoError(t, err)
}

func TestIsURL(t *testing.T) {
	for target, want := range map[string]bool{
		"http://x/a.m3u8": true, "http://x/a.M3U8?t=1": true, "http://x/a.m3u": true,
		"http://x/a.ism/manifest(format=m3u8-aapl)": true, "http://x/a.ism/Manifest(format=m3u8-cmaf,filter=f)?t=1": true,
		"http://x/a.ism/Manifest": false, "http://x/a.ism": false, "http://x/play?file=a.m3u8x": false, "http://%zz/a.m3u8": false,
	} {
		assert.Equal(t, want, validate.IsURL(target), target)
	}
}

func TestIsPlaylist(t *testing.T) {
	for data, want := range map[string]bool{
		"#EXTM3U": true, "#EXTM3U\r\n": true, vodText: true, "\xEF\xBB\xBF#EXTM3U\n": true, "#EXTM3": false, "#EXTINF:6,\n": false, "": false, "G": false,
	} {
		assert.Equal(t, want, validate.IsPlaylist([]byte(data)), "%q", data[:min(len(data), 20)])
	}
}

func TestMaxPlaylistSize(t *testing.T) {
	for excess, want := range []string{"", "HP100"} {
		comment := []byte("#" + strings.Repeat("x", 62) + "\n")
		data := append([]byte("#EXTM3U\n#EXT-X-TARGETDURATION:6\n"), bytes.Repeat(comment, validate.MaxPlaylistSize/len(comment))...)
		data = append(data[:validate.MaxPlaylistSize-15+excess], "#EXT-X-ENDLIST\n"...)
		r, err := validate.Bytes("a.m3u8", data, nil)
		require.NoError(t, err)
		assert.Equal(t, want == "HP100", slices.Contains(rulesOf(r), "HP100"), "%d bytes: %v", len(data), rulesOf(r))
	}
}

func TestIsFile(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]bool{
		"a.m3u8": true, "b": true, "c.ts": true, "d": true, "e": true, "f.vtt": true, "g.mp4": false, "h.ismc": false, "i": false, "j": false,
	} {
		data := map[string]string{
			"b": vodText, "d": string(muxedSegment(0).build()), "e": string(packed(0, 3)), "g.mp4": string(videoInit()),
			"h.ismc": "<?xml version='1.0'?>", "i": "hello",
		}[name]
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
		assert.Equal(t, want, validate.IsFile(path), name)
	}
	assert.False(t, validate.IsFile(filepath.Join(dir, "none")))
	assert.True(t, validate.IsFile(filepath.Join(dir, "none.m3u8")), "the name is enough")
}

// sharedViolations are the rules that playlists of other packagers and test suites break. Those with no rule are clean.
func sharedViolations() map[string][]string {
	return map[string][]string{
		"96fa30-shaka-player-index.m3u8":                      {},
		"hls-m3u8-master-groups-and-iframe.m3u8":              {"HM109"},
		"hls-m3u8-master-playlist-with-custom-tags.m3u8":      {"HM105", "HM108"},
		"hls-m3u8-master-with-alternatives-b.m3u8":            {"HM105", "HM108"},
		"hls-m3u8-master-with-alternatives.m3u8":              {"HM105", "HM108"},
		"hls-m3u8-master-with-closed-captions.m3u8":           {"HM106", "HM107", "HM108", "HM117", "HM122", "HM124"}, // NAME "unknown" twice
		"hls-m3u8-media-playlist-with-byterange.m3u8":         {"HL129"},
		"hls-m3u8-media-playlist-with-custom-tags.m3u8":       {"HL129"},
		"hls-m3u8-media-playlist-with-defines.m3u8":           {"HL129"},
		"hls-m3u8-media-playlist-with-discontinuity.m3u8":     {"HP101"}, // a comment comes first
		"hls-m3u8-media-playlist-with-gap.m3u8":               {},
		"hls-m3u8-media-playlist-with-program-date-time.m3u8": {"HL145"},
		"hls-m3u8-media-playlist-with-skip.m3u8":              {},
		"hls-m3u8-media-playlist-with-start-time.m3u8":        {"HL129"},
		"m3u8-simple-playlist.m3u8":                           {"HL145"},
		"media-manifest.m3u8":                                 {"HM107", "HM124"},
		"media-playlist.m3u8":                                 {"HM124"},
		"media-sd-hls.m3u8":                                   {},
		"media-stream_1.m3u8":                                 {},
		"shaka-player-index.m3u8":                             {"HM109", "HM124"},
		"shaka-player-master.m3u8":                            {"HM107", "HM109"},
		"shaka-player-playlist.m3u8":                          {"HL145"},
		"streamlink-test_1.m3u8":                              {"HM107", "HM108", "HM109", "HM122", "HM124"},
		"streamlink-test_master_twitch_vod.m3u8":              {"HM107", "HM108", "HM109", "HM119", "HM124"}, // one VIDEO group each
		"streamlink-test_multivariant_bandwidth.m3u8":         {"HM103", "HM108", "HM109", "HM119", "HM124", "HP114"},
		"streamlink-test_simple_media.m3u8":                   {"HL105"}, // no comma
		"yt-dlp-img_bipbop_adv_example_fmp4.m3u8":             {},
	}
}

// TestShared reads playlists of others. None is refused; what each breaks was looked at by hand.
func TestShared(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/hls")
	expected := sharedViolations()
	for _, name := range namesIn(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		r, err := validate.Bytes(name, data, nil)
		require.NoError(t, err, name)
		if want, known := expected[name]; known {
			assert.Equal(t, want, rulesOf(r), "%s: %v", name, r.Violations)
		}
		_, err = validate.FS(context.Background(), os.DirFS(dir), name, nil)
		require.NoError(t, err, name)
	}
}

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// TestMalformed reads what broke other readers.
func TestMalformed(t *testing.T) {
	for _, sub := range []string{"hls", "mpegts", "fmp4", "aac"} {
		dir := testmedia.Shared(t, "testdata/malformed/"+sub)
		for _, name := range namesIn(t, dir) {
			data, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			for _, as := range []string{"a.m3u8", name} {
				r, err := validate.Bytes(as, data, nil)
				if err == nil && sub != "fmp4" && sub != "aac" {
					assert.NotEmpty(t, r.Violations, name)
				}
			}
		}
	}
}
