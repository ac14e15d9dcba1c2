package usage_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

// plain is a class without what only the package sees.
func plain(c usage.Class) usage.Class {
	return usage.Class{
		Stream: c.Stream, Kind: c.Kind, Protocol: c.Protocol, Bitrate: c.Bitrate, MediaTime: c.MediaTime, Timed: c.Timed, Live: c.Live,
	}
}

func TestClassify(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		method, url string
		want        usage.Class
	}{
		{"GET", "/vod/film.ism/Manifest", usage.Class{Stream: "/vod/film.ism", Kind: usage.Manifest, Protocol: usage.Smooth}},
		{"GET", "/vod/film.ism/manifest", usage.Class{Stream: "/vod/film.ism", Kind: usage.Manifest, Protocol: usage.Smooth}},
		{"GET", "/vod/film.ism/QualityLevels(300000)/Fragments(video=20000000)",
			usage.Class{Stream: "/vod/film.ism", Kind: usage.Segment, Protocol: usage.Smooth, Bitrate: 300000, MediaTime: 2 * second, Timed: true}},
		{"GET", "/live/a.isml/QualityLevels(300000)/Fragments(video=20000000)", usage.Class{
			Stream: "/live/a.isml", Kind: usage.Segment, Protocol: usage.Smooth, Bitrate: 300000, MediaTime: 2 * second, Timed: true, Live: true}},
		{"GET", "/film.ism/QualityLevels(1)/Fragments(video=18446744073709551615)", usage.Class{Stream: "/film.ism", Kind: usage.Segment,
			Protocol: usage.Smooth, Bitrate: 1, MediaTime: 9223372036854775800, Timed: true}},
		{"GET", "/film.ism/Manifest(format=m3u8-aapl)", usage.Class{Stream: "/film.ism", Kind: usage.Manifest, Protocol: usage.HLS}},
		{"GET", "/film-m3u8-aapl.ism/Manifest(format=m3u8-aapl).m3u8", usage.Class{Stream: "/film.ism", Kind: usage.Manifest, Protocol: usage.HLS}},
		{"GET", "/film.ism/Manifest(format=m3u8-aapl,key=3)", usage.Class{Stream: "/film.ism", Kind: usage.Key, Protocol: usage.HLS}},
		{"GET", "/film.ism/QualityLevels(5)/Manifest(video,format=m3u8-aapl).m3u8",
			usage.Class{Stream: "/film.ism", Kind: usage.Manifest, Protocol: usage.HLS, Bitrate: 5}},
		{"GET", "/film.ism/QualityLevels(5)/FragmentInfo(video=0,format=m3u8-cmaf).mp4",
			usage.Class{Stream: "/film.ism", Kind: usage.Segment, Protocol: usage.HLS, Bitrate: 5}},
		{"GET", "/film.ism/Manifest(format=mpd-time-csf)", usage.Class{Stream: "/film.ism", Kind: usage.Manifest, Protocol: usage.DASH}},
		{"GET", "/ads/break.csm", usage.Class{Stream: "/ads/break.csm", Kind: usage.Manifest, Protocol: usage.Smooth}},
		{"GET", "/film.ism/QualityLevels(x)/Fragments(video=0)", usage.Class{}},
		{"POST", "/live/a.isml/Streams(1)", usage.Class{Stream: "/live/a.isml", Kind: usage.Push, Protocol: usage.Smooth, Live: true}},
		{"PUT", "/live/a.isml", usage.Class{Stream: "/live/a.isml", Kind: usage.Push, Protocol: usage.Smooth, Live: true}},
		{"PUT", "/live/a.isml/state", usage.Class{Stream: "/live/a.isml", Kind: usage.Management, Live: true}},
		{"POST", "/console/login", usage.Class{}},
		{"GET", "/live/a.isml/Streams(1)", usage.Class{Stream: "/live/a.isml", Kind: usage.Distribution, Protocol: usage.Smooth, Live: true}},
		{"GET", "/live/a.isml/streammanifest", usage.Class{Stream: "/live/a.isml", Kind: usage.Distribution, Protocol: usage.Smooth, Live: true}},
		{"GET", "/live/a.isml/statistics", usage.Class{Stream: "/live/a.isml", Kind: usage.Management, Live: true}},
		{"GET", "/live/statistics", usage.Class{}},
		{"GET", "/hls/film/master.m3u8", usage.Class{Stream: "/hls/film", Kind: usage.Manifest, Protocol: usage.HLS}},
		{"GET", "/hls/film/hls-ts/master.m3u8", usage.Class{Stream: "/hls/film", Kind: usage.Manifest, Protocol: usage.HLS}},
		{"GET", "/hls/film/hls-ts/video/300000/index.m3u8", usage.Class{Stream: "/hls/film", Kind: usage.Manifest, Protocol: usage.HLS, Bitrate: 300000}},
		{"GET", "/hls/film/hls-ts/video/300000,a=b/20000000-3.ts",
			usage.Class{Stream: "/hls/film", Kind: usage.Segment, Protocol: usage.HLS, Bitrate: 300000, MediaTime: 2 * second, Timed: true}},
		{"GET", "/hls/film/hls-fmp4/video/300000/init-0.mp4", usage.Class{Stream: "/hls/film", Kind: usage.Segment, Protocol: usage.HLS, Bitrate: 300000}},
		{"GET", "/hls/film/hls-fmp4/video/300000/key-20000000.mp4",
			usage.Class{Stream: "/hls/film", Kind: usage.Segment, Protocol: usage.HLS, Bitrate: 300000, MediaTime: 2 * second, Timed: true}},
		{"GET", "/hls/film/hls-ts/key-3", usage.Class{Stream: "/hls/film", Kind: usage.Key, Protocol: usage.HLS}},
		{"GET", "/old/film/1.ts", usage.Class{Stream: "/old/film", Kind: usage.Segment, Protocol: usage.HLS}},
		{"GET", "/old/film/crypt.key", usage.Class{Stream: "/old/film", Kind: usage.Key, Protocol: usage.HLS}},
		{"GET", "/dash/film/x.mpd", usage.Class{Stream: "/dash/film", Kind: usage.Manifest, Protocol: usage.DASH}},
		{"GET", "/dash/film/init.mp4", usage.Class{Stream: "/dash/film", Kind: usage.Segment}},
		{"GET", "/a.m3u8", usage.Class{Stream: "/", Kind: usage.Manifest, Protocol: usage.HLS}},
		{"GET", "/tv/evening.isx", usage.Class{Stream: "/tv/evening.isx", Kind: usage.Playlist, Protocol: usage.WebPlaylist}},
		{"GET", "/tv/evening.isx/s/1", usage.Class{Stream: "/tv/evening.isx", Kind: usage.File, Protocol: usage.WebPlaylist}},
		{"GET", "/files/a%20b.WMV", usage.Class{Stream: "/files/a b.WMV", Kind: usage.File, Protocol: usage.Download}},
		{"GET", "/", usage.Class{}},
		{"GET", "/app.js", usage.Class{}},
		{"GET", "/.isml", usage.Class{}},
		{"GET", "/manifest.json", usage.Class{}},
	} {
		assert.Equal(t, c.want, plain(usage.Classify(httptest.NewRequest(c.method, c.url, nil))), "%s %s", c.method, c.url)
	}
}

func FuzzClassify(f *testing.F) {
	for _, s := range []string{
		"/a.ism/QualityLevels(1)/Fragments(v=2)", "/h/hls-ts/v/1/2-3.ts", "/a.isml/Streams(1)", "//x/../a.isx/b", "/a/b.m3u8", "a", "", "/hls-ts/",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, path string, push bool) {
		method := "GET"
		if push {
			method = "POST"
		}
		r := httptest.NewRequest(method, "/", nil)
		r.URL.Path = path
		c := usage.Classify(r)
		assert.GreaterOrEqual(t, c.MediaTime, time.Duration(0))
		assert.GreaterOrEqual(t, c.Bitrate, int64(0))
		assert.LessOrEqual(t, len(c.Stream), len(path))
		if c.Kind != usage.Page {
			assert.NotEmpty(t, c.Stream)
		}
		assert.Equal(t, c, usage.Classify(r), "the same every time")
	})
}
