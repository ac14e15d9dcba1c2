package livesmooth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPushPath(t *testing.T) {
	stream := func(event, input string) pushPath { return pushPath{"live/demo.isml", event, input, pushStream} }
	segment := func(input string) pushPath { return pushPath{"live/demo.isml", "", input, pushSegment} }
	for path, want := range map[string]pushPath{
		"live/demo.isml":               {"live/demo.isml", "", "", pushProbe},
		"/live/demo.isml/":             {"live/demo.isml", "", "", pushProbe},
		"Demo.ISML":                    {"Demo.ISML", "", "", pushProbe},
		"live/demo.isml/Streams(enc1)": stream("", "enc1"),
		"live/demo.isml/streams(720p)": stream("", "720p"),
		"live/demo.isml/Events(e 1)/Streams(9092-stream2)": stream("e 1", "9092-stream2"),
		"live/demo.isml/EVENTS(e)/STREAMS(Käse (2))":       stream("e", "Käse (2)"),
		"live/demo.isml/Streams(video.cmfv)":               stream("", "video"),
		"live/demo.isml/Streams(..cmfv)":                   stream("", "..cmfv"),
		"live/demo.isml/Streams(.cmfv)":                    stream("", ".cmfv"),
		"live/demo.isml/Streams(a.CMFA)":                   stream("", "a"),
		"live/demo.isml/Streams(a.isml)":                   stream("", "a.isml"),
		"live/demo.isml/Switching(v)/Streams(v1.cmfv)":     stream("", "v1"),
		"live/demo.isml/Events(x)/Switching(v)/Streams(a)": stream("x", "a"),
		"live/demo.isml/StreamManifest":                    {"live/demo.isml", "", "", pushServerManifest},
		"live/demo.isml/out.mpd":                           {"live/demo.isml", "", "", pushManifest},
		"live/demo.isml/hls/Media_0.M3U8":                  {"live/demo.isml", "", "", pushManifest},
		"live/demo.isml/init-stream0.m4s":                  segment("stream0"),
		"live/demo.isml/chunk-stream0-00001.m4s":           segment("stream0"),
		"live/demo.isml/init-0.mp4":                        segment("0"),
		"live/demo.isml/chunk-0-17.m4s":                    segment("0"),
		"live/demo.isml/video/720p/init.mp4":               segment("video-720p"),
		"live/demo.isml/video/720p/17.m4s":                 segment("video-720p"),
		"live/demo.isml/video/720p/seg17.m4s":              segment("video-720p"),
		"live/demo.isml/audio_128k_init.cmfa":              segment("audio-128k"),
		"live/demo.isml/audio_128k_1700000000.cmfa":        segment("audio-128k"),
		"live/demo.isml/video_1_init.cmfv":                 segment("video-1"),
		"live/demo.isml/video_1_99.cmfv":                   segment("video-1"),
		"live/demo.isml/00017-stream3.m4v":                 segment("stream3"),
		"live/demo.isml/stream3.m4v":                       segment("stream3"),
		"live/demo.isml/1.cmfv":                            segment("video"),
		"live/demo.isml/1.cmfa":                            segment("audio"),
		"live/demo.isml/init.cmft":                         segment("text"),
		"live/demo.isml/header.cmfm":                       segment("meta"),
		"live/demo.isml/5.m4s":                             segment("stream"),
		"live/demo.isml/--.m4s":                            segment("stream"),
		"a.isml/b.isml/1.mp4":                              {"a.isml", "", "b.isml", pushSegment},
		"live/demo.isml/Events(e)/v/1.mp4":                 {"live/demo.isml", "e", "v", pushSegment},
	} {
		got, ok := parsePushPath(path)
		require.True(t, ok, path)
		require.Equal(t, want, got, path)
	}
	for _, path := range []string{
		"", "/", "live", "live/demo.ism/Streams(a)", ".isml", "live/.isml", "live//demo.isml", "../demo.isml", "live/demo.isml/Manifest",
		"live/demo.isml/Streams", "live/demo.isml/Streams()", "live/demo.isml/Streams(..)", "live/demo.isml/Events(..)/Streams(a)", "live/demo.isml/Streams(a", "live/demo.isml/Streams(a)b",
		"live/demo.isml/Streams(a)/x", "live/demo.isml/Streams(a\x00)", "live/demo.isml/Streams(\xff)", "live/demo.isml/Events(e)", "live/demo.isml/Events(e)/",
		"live/demo.isml/Events()/Streams(a)", "live/demo.isml/Streams(a)/Events(b)", "live/demo.isml/Events(e)/streammanifest", "live/demo.isml/x/streammanifest",
		"live/demo.isml/Switching(v)", "live/demo.isml/Streams(" + strings.Repeat("a", maxPushID) + ")",
		"live/demo.isml/QualityLevels(1)/Fragments(video=0,format=x).mp4", "live/demo.isml/QualityLevels(1)/a.m4s", "live/demo.isml/../x.m4s",
		"live/demo.isml/a//1.m4s", "live/demo.isml/index.html", `live\demo.isml/Streams(a)`, "live/demo.isml/settings",
	} {
		got, ok := parsePushPath(path)
		require.False(t, ok, "%q: %v", path, got)
	}
	p, ok := parsePushPath("a.isml/" + strings.Repeat(strings.Repeat("ä", 100)+"/", 10) + "1.m4s")
	require.True(t, ok)
	require.LessOrEqual(t, len(p.input), maxPushID)
}

func FuzzPushPath(f *testing.F) {
	for _, s := range []string{"live/demo.isml", "a.isml/Events(e)/Streams(b)", "/a.isml/Switching(x)/Streams(b.cmfv)", "a.isml/streammanifest",
		"a.isml/chunk-stream0-00001.m4s", "a.isml/v/init.cmfv", "a.isml/x.mpd", "a.isml/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, ok := parsePushPath(path)
		if !ok {
			return
		}
		require.True(t, validPointName(p.point))
		require.True(t, p.event == "" || validPushID(p.event))
		require.True(t, p.input == "" || validPushID(p.input) && !strings.Contains(p.input, "/"), "%q", p.input)
		require.Equal(t, p.kind == pushStream || p.kind == pushSegment, p.input != "")
		if p.kind == pushStream {
			again, ok := parsePushPath(p.point + "/Streams(" + p.input + ".cmfv)")
			require.True(t, ok || len(p.input)+len("Streams(.cmfv)") > maxPushID)
			require.True(t, !ok || again.input == p.input)
		}
	})
}
