package hls_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// FuzzPlainURL reads URLs of a handler of its own. What is understood can be written in the form of IIS, and means the
// same there.
func FuzzPlainURL(f *testing.F) {
	for _, s := range []string{
		"/a/master.m3u8", "/a.ism/master.m3u8?token=1&audiotrack=b", "/dir/a/hls-ts/master.m3u8", "/a/hls-ts/video/1000/index.m3u8",
		"/a/hls-fmp4/video/1000,k=v/iframes.m3u8", "/a/hls-ts/video/1000/0-3.ts", "/a/hls-fmp4/audio%20x/1000/init-0.mp4",
		"/a/hls-fmp4/video/1000/key-20000000.mp4", "/a/hls-muxed/video/1/18446744073709551615-1024.ts", "/a/hls-ts/key-7",
		"/hls-ts/hls-ts/hls-ts/1/1-1.ts", "//master.m3u8", "/a/hls-ts//1/1-1.ts", "/a/hls-ts/v/1/-.ts", "/a/hls-ts/v/1/1-.ts",
		"/a/hls-ts/v(x)=1,2/1/1-1.vtt", "/a%2fb/master.m3u8", "/a.csm/master.m3u8", "/a/hls-ts/v/1/1-3.ts?audiotrack=a,b)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse(s)
		if err != nil {
			return
		}
		q, ok := hls.ParsePlain(u)
		if !ok {
			return
		}
		if q.Format == "" || path.Ext(q.Presentation) == "" || q.RawQuery != u.RawQuery {
			t.Fatalf("%q became %+v", s, q)
		}
		again, err := url.Parse("/" + q.String())
		if err != nil {
			return // a query that breaks URLs
		}
		p, err := smooth.ParseRequest(again)
		if err != nil {
			return // a name that cannot be one
		}
		if p.Kind == q.Kind && p.Key.Stream == q.Key.Stream && (p.Presentation != q.Presentation || p.Format != q.Format || p.Noun != q.Noun ||
			p.Key.Bitrate != q.Key.Bitrate || p.Key.Time != q.Key.Time) {
			t.Fatalf("%q became %+v, then %+v", s, q, p)
		}
	})
}

// FuzzRequest asks both handlers for any URL. They answer with a status of their own, hold nothing afterwards, and what
// they send fits its headers.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"/a.ism/Manifest(format=m3u8-aapl).m3u8", "/a.ism/Manifest(format=m3u8-aapl-v3,audiotrack=audio)?token=1",
		"/a.ism/Manifest(format=m3u8-cmaf,filter=small)", "/a.ism/Manifest(format=m3u8-aapl,key=0)",
		"/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-aapl,type=keyframes)",
		"/a.ism/QualityLevels(300000)/Fragments(video=0,format=m3u8-aapl,n=3).ts",
		"/a.ism/QualityLevels(300000)/Fragments(video=20000000,format=m3u8-aapl-v3,n=2,audiotrack=audio).ts",
		"/a.ism/QualityLevels(300000)/Fragments(video=0,format=m3u8-cmaf,n=18446744073709551616)",
		"/a.ism/QualityLevels(300000)/KeyFrames(video=0,format=m3u8-cmaf)", "/a.ism/QualityLevels(300000)/FragmentInfo(video=7,format=m3u8-cmaf)",
		"/a.ism/QualityLevels(1000)/Fragments(text=0,format=m3u8-aapl)", "/a.ism/QualityLevels(96000)/Fragments(audio=0,format=m3u8-aapl,n=,n=2)",
		"/a/master.m3u8?filter=type%3D%3D%22video%22", "/a/hls-muxed/video/300000/index.m3u8?audiotrack=audio", "/a/hls-ts/video/300000/0-2.ts?t=1",
		"/a/hls-fmp4/audio/96000/init-0.mp4", "/a/hls-ts/key-0", "/live/master.m3u8", "/live/hls-ts/video/300000/40000000-9.ts",
		"/live.ism/QualityLevels(300000)/Fragments(video=0,format=m3u8-aapl-v3)", "/a.ism/QualityLevels(300000)/Fragments(video=0,format=m3u8-aapl,n=3,type=keyframes)",
	} {
		f.Add(s)
	}
	cfg := liveConfig(0)
	live := smoothtest.New(cfg)
	cfg.Live = false
	cfg.Streams = slices.Clone(cfg.Streams)
	for i := range cfg.Streams {
		cfg.Streams[i].Durations = slices.Repeat(cfg.Streams[i].Durations, 3)
	}
	a := smoothtest.New(cfg)
	src := smoothtest.NewSource()
	src.Add("a.ism", a)
	src.Add("live.ism", live)
	handlers := []http.Handler{smoothHandler(src, nil), plainHandler(f, src, nil)}
	known := []int{200, 400, 404, 405, 412, 415}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse(s)
		if err != nil || !strings.HasPrefix(u.Path, "/") {
			return
		}
		for _, h := range handlers {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, &http.Request{Method: "GET", URL: u, Header: http.Header{}, Host: "a"})
			if !slices.Contains(known, w.Code) {
				t.Fatalf("%q: %d %s", s, w.Code, w.Body)
			}
			if body := w.Body.String(); w.Code == 200 && strings.HasPrefix(body, "#EXTM3U") {
				for _, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
					if line == "" || strings.ContainsAny(line, "\r\x00") {
						t.Fatalf("%q: a line %q in the playlist", s, line)
					}
				}
			}
			if n := a.OpenFragments() + live.OpenFragments(); n != 0 {
				t.Fatalf("%q: %d open fragments", s, n)
			}
		}
	})
}
