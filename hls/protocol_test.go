package hls_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// plainHandler serves a source alone. opts may be nil.
func plainHandler(t testing.TB, src smooth.Source, opts *hls.Options) *hls.Handler {
	t.Helper()
	o := hls.HandlerOptions{ChildQuery: []string{"token"}, Filters: map[string]smooth.Filter{"small": {MaxHeight: 300}}}
	if opts != nil {
		o.Options = *opts
	}
	if o.Logger == nil {
		o.Logger = quietLogger
	}
	h := hls.NewHandler(src, &o)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

// These are the master playlists of sample.ism in all forms, by the handler that has them.
var smoothMasters = []string{
	"/sample.ism/Manifest(format=m3u8-aapl).m3u8", "/sample.ism/Manifest(format=m3u8-aapl-v3).m3u8",
	"/sample.ism/Manifest(format=m3u8-aapl-v4).m3u8", "/sample.ism/Manifest(format=m3u8-cmaf).m3u8",
}

var plainMasters = []string{
	"/sample/master.m3u8", "/sample.ism/hls-ts/master.m3u8", "/sample/hls-muxed/master.m3u8", "/sample/hls-fmp4/master.m3u8",
}

// crawl returns all URLs that a player of a master playlist may ask for, itself included.
func crawl(t testing.TB, h http.Handler, target string) []string {
	t.Helper()
	m := readMaster(t, h, target)
	urls := []string{target}
	for _, list := range [][]tagged{m.variants, m.renditions, m.keys} {
		for _, v := range list {
			media := readMedia(t, h, v.url)
			urls = append(urls, v.url)
			for _, e := range media.entries {
				urls = append(urls, e.url)
				if e.initURL != "" {
					urls = append(urls, e.initURL)
				}
				if uri := attribute(strings.TrimPrefix(e.key, "#EXT-X-KEY:"), "URI"); uri != "" {
					urls = append(urls, resolve(t, v.url, uri))
				}
			}
		}
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// TestEveryURL: whatever a playlist names is there, says what it is and how long it lasts, and is the same from another
// server, by HEAD, in parts, and when it is asked for again.
func TestEveryURL(t *testing.T) {
	src := sampleSource(t)
	for _, encryption := range []*hls.Encryption{nil, {Master: []byte("a secret of sixteen bytes"), Rotate: 2}} {
		opts := &hls.Options{Encryption: encryption}
		other := &hls.Options{Encryption: encryption, CacheBytes: -1}
		for _, target := range smoothMasters {
			checkEvery(t, smoothHandler(src, opts), smoothHandler(sampleSource(t), other), target)
		}
		for _, target := range plainMasters {
			checkEvery(t, plainHandler(t, src, opts), plainHandler(t, sampleSource(t), other), target)
		}
	}
}

func checkEvery(t *testing.T, h, other http.Handler, master string) {
	t.Helper()
	urls := crawl(t, h, master)
	require.Greater(t, len(urls), 20)
	for _, u := range urls {
		full := do(h, "GET", u)
		require.Equal(t, 200, full.Code, u)
		body, header := full.Body.Bytes(), full.Header()
		assert.Equal(t, fmt.Sprint(len(body)), header.Get("Content-Length"), u)
		assert.Empty(t, header.Values("Set-Cookie"), u)
		assert.Equal(t, "*", header.Get("Access-Control-Allow-Origin"), u)
		wantType, wantCache := expectedHeaders(u)
		assert.Equal(t, wantType, header.Get("Content-Type"), u)
		assert.Equal(t, wantCache, header.Get("Cache-Control"), u)
		twin := do(other, "GET", u)
		require.True(t, bytes.Equal(body, twin.Body.Bytes()), "%s from another server", u)
		assert.Equal(t, header, twin.Header(), u)
		again := do(h, "GET", u)
		require.True(t, bytes.Equal(body, again.Body.Bytes()), "%s again", u)
		head := do(h, "HEAD", u)
		assert.Equal(t, 200, head.Code)
		assert.Empty(t, head.Body.Bytes())
		assert.Equal(t, header, head.Header(), u)
		if wantCache == "no-store" {
			continue
		}
		tag := header.Get("ETag")
		require.Regexp(t, `^"[-0-9a-z]+"$`, tag)
		part := do(h, "GET", u, "Range: bytes=3-12")
		require.Equal(t, 206, part.Code, u)
		assert.Equal(t, string(body[3:13]), part.Body.String(), u)
		assert.Equal(t, tag, part.Header().Get("ETag"))
		same := do(h, "GET", u, "If-None-Match: "+tag)
		assert.Equal(t, 304, same.Code, u)
		assert.Equal(t, tag, same.Header().Get("ETag"))
	}
}

// expectedHeaders returns Content-Type and Cache-Control for a URL.
func expectedHeaders(u string) (mime, cache string) {
	const hour, minute = "public, max-age=3600", "public, max-age=60"
	u, _, _ = strings.Cut(u, "?")
	sound := strings.Contains(u, "audio_")
	switch {
	case strings.Contains(u, ",key="), strings.Contains(u, "/key-") && !strings.Contains(u, "."):
		return "application/octet-stream", "no-store"
	case strings.HasSuffix(u, ".m3u8"):
		return "application/vnd.apple.mpegurl", minute
	case strings.HasSuffix(u, ".vtt"):
		return "text/vtt; charset=utf-8", hour
	case strings.HasSuffix(u, ".ts"):
		return "video/mp2t", hour
	case sound:
		return "audio/mp4", hour
	case strings.HasSuffix(u, ".mp4"):
		return "video/mp4", hour
	}
	return "application/octet-stream", "no-store" // a key, under .ism
}

func TestRangesAndConditions(t *testing.T) {
	h := smoothHandler(sampleSource(t), nil)
	for _, u := range []string{
		"/sample.ism/QualityLevels(75000)/Fragments(video=60000000,format=m3u8-aapl,n=3).ts",
		"/sample.ism/QualityLevels(75000)/Fragments(video=60000000,format=m3u8-cmaf,n=3).mp4",
		"/sample.ism/QualityLevels(2000)/Fragments(textstream=60000000,format=m3u8-aapl,n=3).vtt",
		"/sample.ism/QualityLevels(75000)/Manifest(video,format=m3u8-aapl).m3u8",
	} {
		full := do(h, "GET", u)
		body, tag, date := full.Body.String(), full.Header().Get("ETag"), full.Header().Get("Last-Modified")
		n := len(body)
		for _, tt := range []struct {
			header string
			status int
			body   string
		}{
			{"Range: bytes=0-", 206, body},
			{"Range: bytes=0-0", 206, body[:1]},
			{fmt.Sprintf("Range: bytes=%d-", n-5), 206, body[n-5:]},
			{"Range: bytes=-7", 206, body[n-7:]},
			{fmt.Sprintf("Range: bytes=%d-%d", n/2, n+100), 206, body[n/2:]},
			{fmt.Sprintf("Range: bytes=%d-", n), 416, ""},
			{"Range: bytes=9-3", 416, ""},
			{"Range: pieces=1-2", 416, ""},
			{"If-None-Match: " + tag, 304, ""},
			{`If-None-Match: "other", ` + tag, 304, ""},
			{"If-None-Match: *", 304, ""},
			{`If-None-Match: "other"`, 200, body},
			{"If-Match: " + tag, 200, body},
			{`If-Match: "other"`, 412, ""},
		} {
			w := do(h, "GET", u, tt.header)
			assert.Equal(t, tt.status, w.Code, "%s %s", u, tt.header)
			if tt.body != "" {
				assert.True(t, tt.body == w.Body.String(), "%s %s", u, tt.header)
			}
		}
		if date != "" {
			assert.Equal(t, 304, do(h, "GET", u, "If-Modified-Since: "+date).Code)
		}
		several := do(h, "GET", u, "Range: bytes=1-3,10-12")
		require.Equal(t, 206, several.Code)
		_, params, err := mime.ParseMediaType(several.Header().Get("Content-Type"))
		require.NoError(t, err)
		parts := multipart.NewReader(several.Body, params["boundary"])
		for _, want := range []string{body[1:4], body[10:13]} {
			part, err := parts.NextPart()
			require.NoError(t, err)
			got, err := io.ReadAll(part)
			require.NoError(t, err)
			assert.Equal(t, want, string(got))
		}
	}
}

func TestGzip(t *testing.T) {
	h := smoothHandler(sampleSource(t), nil)
	for _, u := range []string{smoothMasters[0], "/sample.ism/QualityLevels(75000)/Manifest(video,format=m3u8-aapl).m3u8"} {
		plain, packed := do(h, "GET", u), do(h, "GET", u, "Accept-Encoding: br, gzip")
		assert.Empty(t, plain.Header().Get("Content-Encoding"))
		require.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
		assert.Equal(t, fmt.Sprint(packed.Body.Len()), packed.Header().Get("Content-Length"))
		assert.NotEqual(t, plain.Header().Get("ETag"), packed.Header().Get("ETag"))
		assert.Equal(t, []string{"Accept-Encoding"}, plain.Header()["Vary"])
		assert.Equal(t, plain.Header()["Vary"], packed.Header()["Vary"])
		assert.Equal(t, 304, do(h, "GET", u, "Accept-Encoding: gzip", "If-None-Match: "+packed.Header().Get("ETag")).Code)
		z, err := gzip.NewReader(packed.Body)
		require.NoError(t, err)
		got, err := io.ReadAll(z)
		require.NoError(t, err)
		assert.Equal(t, plain.Body.String(), string(got))
		for _, headers := range [][]string{{"Accept-Encoding: gzip;q=0"}, {"Accept-Encoding: gzip", "Range: bytes=0-"}} {
			assert.Empty(t, do(h, "GET", u, headers...).Header().Get("Content-Encoding"), headers)
		}
		assert.Empty(t, do(h, "GET", u+"?token=1", "Accept-Encoding: gzip").Header().Get("Content-Encoding"))
	}
	segment := do(h, "GET", "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=3).ts", "Accept-Encoding: gzip")
	assert.Empty(t, segment.Header().Get("Content-Encoding"))
	assert.Empty(t, segment.Header().Get("Vary"))
}

// refusing has a level that HLS cannot carry, or none.
func refusing(fourCC string) smooth.Presentation {
	return smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(3, 2*second), Levels: []smoothtest.Level{{Bitrate: 1000, FourCC: fourCC, PrivateData: []byte{1}}}},
	}})
}

func TestErrors(t *testing.T) {
	src := sourceOf(refusing("WVC1"))
	sample := sampleSource(t)
	h, s := smoothHandler(sample, nil), smoothHandler(src, nil)
	keys := smoothHandler(sample, &hls.Options{Encryption: &hls.Encryption{
		Keys: hls.StaticKey{1}, Authorize: func(*http.Request, string, uint64) error { return errors.New("no") },
	}})
	wrong := smoothHandler(sample, &hls.Options{Encryption: &hls.Encryption{}})
	plain := plainHandler(t, sample, nil)
	const shortly = "public, max-age=5"
	for _, tt := range []struct {
		h      http.Handler
		target string
		status int
		cache  string
	}{
		// malformed
		{h, "/sample.ism/QualityLevels(x)/Manifest(video,format=m3u8-aapl).m3u8", 400, shortly},
		{h, "/sample.ism/QualityLevels(75000)/Fragments(video=x,format=m3u8-aapl).ts", 400, shortly},
		{h, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=0).ts", 400, shortly},
		{h, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=-1).ts", 400, shortly},
		{h, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=+3).ts", 400, shortly},
		{h, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=1025).ts", 400, shortly},
		{h, "/sample.ism/Manifest(format=m3u8-aapl,key=x)", 400, shortly},
		{h, "/sample.ism/Manifest(format=m3u8-aapl).m3u8?filter=type%3D%3D", 400, shortly},
		// unknown
		{h, "/none.ism/Manifest(format=m3u8-aapl).m3u8", 404, shortly},
		{h, "/sample.ism/Manifest(format=m3u8-other).m3u8", 404, shortly},
		{h, "/sample.ism/Manifest.m3u8", 404, shortly},
		{h, "/sample.ism/QualityLevels(75001)/Manifest(video,format=m3u8-aapl).m3u8", 404, shortly},
		{h, "/sample.ism/QualityLevels(75000)/Manifest(other,format=m3u8-aapl).m3u8", 404, shortly},
		{h, "/sample.ism/QualityLevels(75000)/Fragments(video=1,format=m3u8-aapl,n=3).ts", 404, shortly},
		{h, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=16).ts", 200, "public, max-age=3600"},
		{h, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=17).ts", 404, shortly},
		{h, "/sample.ism/QualityLevels(75000)/RawFragments(video=0,format=m3u8-aapl)", 404, shortly},
		{h, "/sample.ism/QualityLevels(75000)/FragmentInfo(video=0,format=m3u8-aapl).mp4", 404, shortly},
		{h, "/sample.ism/QualityLevels(2000)/FragmentInfo(textstream=0,format=m3u8-cmaf).mp4", 404, shortly},
		{h, "/sample.ism/QualityLevels(11000)/KeyFrames(audio_eng=586667,format=m3u8-aapl).ts", 404, shortly},
		{h, "/sample.ism/QualityLevels(11000)/Manifest(audio_eng,format=m3u8-aapl,type=keyframes).m3u8", 404, shortly},
		{h, "/sample.ism/Manifest(format=m3u8-aapl,key=0)", 404, shortly},
		{keys, "/sample.ism/QualityLevels(75000)/Manifest(video,format=m3u8-aapl,type=keyframes).m3u8", 404, shortly},
		{keys, "/sample.ism/Manifest(format=m3u8-aapl,key=1)", 404, shortly},
		{keys, "/sample.ism/Manifest(format=m3u8-aapl,key=0)", 403, "no-store"},
		{wrong, "/sample.ism/Manifest(format=m3u8-aapl).m3u8", 500, "no-store"},
		// cannot be shown
		{s, "/a.ism/Manifest(format=m3u8-aapl).m3u8", 415, shortly},
		{s, "/a.ism/QualityLevels(1000)/Manifest(video,format=m3u8-cmaf).m3u8", 415, shortly},
		// the URLs of a handler of its own
		{plain, "/", 404, shortly},
		{plain, "/master.m3u8", 404, shortly},
		{plain, "/none/master.m3u8", 404, shortly},
		{plain, "/sample/other.m3u8", 404, shortly},
		{plain, "/sample/hls-other/master.m3u8", 404, shortly},
		{plain, "/sample/hls-ts/video/75000/other.m3u8", 404, shortly},
		{plain, "/sample/hls-ts/video/x/index.m3u8", 404, shortly},
		{plain, "/sample/hls-ts/video,startTime=50000000/75000/index.m3u8", 404, shortly},
		{plain, "/sample/hls-ts/video/75000/0-3.exe", 404, shortly},
		{plain, "/sample/hls-ts/video/75000/0-3.mp4", 404, shortly},
		{plain, "/sample/hls-ts/video/75000/0-3", 404, shortly},
		{plain, "/sample/hls-fmp4/video/75000/0-3.ts", 404, shortly},
		{plain, "/sample/hls-ts/video/75000/init-0.mp4", 404, shortly},
		{plain, "/sample/hls-fmp4/video/75000/init-0.ts", 404, shortly},
		{plain, "/sample/hls-ts/video/75000/0-0.ts", 400, shortly},
		{plain, "/sample/hls-ts/video/75000/0-x.ts", 400, shortly},
		{plain, "/sample/hls-ts/video/75000/x-3.ts", 404, shortly},
		{plain, "/sample/hls-ts/key-0", 404, shortly},
		{plain, "/sample/hls-ts/key-x", 404, shortly},
		{plain, "/sample.ism/Manifest", 404, shortly},
		{plain, "/../sample/master.m3u8", 404, shortly},
		{plain, "/sample%2fmaster.m3u8", 404, shortly},
		{plain, "/%2e%2e/sample/master.m3u8", 404, shortly},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := do(tt.h, method, tt.target)
			assert.Equal(t, tt.status, w.Code, "%s %s", method, tt.target)
			assert.Equal(t, tt.cache, w.Header().Get("Cache-Control"), tt.target)
			if tt.status != 200 {
				assert.Empty(t, w.Header().Get("ETag"), tt.target)
				assert.NotContains(t, w.Body.String(), "hls:", tt.target)
			}
			if tt.status != 403 {
				assert.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"), tt.target)
			}
		}
	}
	assert.Contains(t, do(s, "GET", "/a.ism/Manifest(format=m3u8-aapl).m3u8").Body.String(), "WVC1")
	for target, h := range map[string]http.Handler{smoothMasters[0]: h, plainMasters[0]: plain} {
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			w := do(h, method, target)
			assert.Equal(t, 405, w.Code, "%s %s", method, target)
			assert.Equal(t, "GET, HEAD, OPTIONS", w.Header().Get("Allow"))
		}
		assert.Equal(t, 204, do(h, "OPTIONS", target, "Origin: https://a.example", "Access-Control-Request-Method: GET").Code)
	}
}

// TestSpellings: clients write URLs in several ways.
func TestSpellings(t *testing.T) {
	h := smoothHandler(sampleSource(t), nil)
	for _, group := range [][]string{
		{
			"/sample.ism/Manifest(format=m3u8-aapl).m3u8", "/sample.ism/manifest(format=m3u8-aapl)", "/SAMPLE.ISM/MANIFEST(FORMAT=M3U8-AAPL)",
			"/sample.ism/Manifest(format=m3u8-aapl).M3U8", "/sample-m3u8-aapl.ism/Manifest(format=m3u8-aapl).m3u8",
			"/sample.ism/Manifest%28format=m3u8-aapl%29.m3u8", "/sample.ism/Manifest( format = m3u8-aapl ).m3u8",
		},
		{
			"/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=3).ts", "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=3)",
			"/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl)", "/sample.ism/qualitylevels(75000)/fragments(VIDEO=0,Format=m3u8-aapl,N=3).TS",
			"/sample.ism/QualityLevels(75000)/Fragments(video=0,n=3,format=m3u8-aapl).ts", "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl-v4,n=3).ts",
		},
		{
			"/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl-v3,n=3).ts",
			"/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl-v3,n=3,audiotrack=audio_eng).ts",
			"/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl-v3,audioTrack=AUDIO_ENG)",
		},
	} {
		want := get(t, h, strings.ReplaceAll(group[0], " ", "%20"))
		for _, target := range group[1:] {
			got := string(get(t, h, strings.ReplaceAll(target, " ", "%20")))
			if strings.HasPrefix(got, "#EXTM3U") { // the format is repeated as it was asked for
				got = strings.ReplaceAll(got, "M3U8-AAPL", "m3u8-aapl")
			}
			assert.True(t, string(want) == got, target)
		}
	}
	english := get(t, h, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl-v3,n=3,audiotrack=audio_eng).ts")
	german := get(t, h, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl-v3,n=3,audiotrack=audio_deu).ts")
	assert.False(t, bytes.Equal(english, german))
}

// TestQueriesRideAlong: tokens and filters of the first request are in every further one, in any router.
func TestQueriesRideAlong(t *testing.T) {
	opts := &hls.Options{Encryption: &hls.Encryption{Keys: hls.StaticKey{1}}}
	for _, o := range []*hls.Options{nil, opts} {
		in, plain := smoothHandler(sampleSource(t), o), plainHandler(t, sampleSource(t), o)
		for _, tt := range []struct {
			h      http.Handler
			target string
			want   []string
		}{
			{in, smoothMasters[0] + "?token=a%2Fb&other=1", []string{"?token=a%2Fb"}},
			{in, smoothMasters[1] + "?token=1&filter=small", []string{"?token=1&filter=small"}},
			{in, smoothMasters[3] + "?filter=small", []string{"?filter=small"}},
			{in, "/sample.ism/Manifest(format=m3u8-cmaf,filter=small).m3u8?token=1", []string{",filter=small", "?token=1"}},
			{in, "/sample.ism/Manifest(format=m3u8-aapl-v3,audiotrack=audio_deu,maxBitrate=100000).m3u8", []string{"audiotrack=audio_deu", "maxBitrate=100000"}},
			{plain, plainMasters[0] + "?token=1&filter=small", []string{"?token=1&filter=small"}},
			{plain, plainMasters[2] + "?token=1", []string{"token=1"}},
			{plain, plainMasters[3] + "?filter=small", []string{"?filter=small"}},
			{plain, plainMasters[2] + "?audiotrack=audio_deu&token=2", []string{"audiotrack=audio_deu&token=2"}},
		} {
			outer := http.StripPrefix("/some/where", tt.h)
			urls := crawl(t, outer, "/some/where"+tt.target)
			for _, u := range urls {
				for _, want := range tt.want {
					assert.Contains(t, strings.ReplaceAll(u, "audioTrack", "audiotrack"), want)
				}
				assert.True(t, strings.HasPrefix(u, "/some/where/"), u)
				if !strings.Contains(u, "other=1") {
					assert.Equal(t, 1, max(strings.Count(u, "token="), 1), u)
				}
				if strings.Contains(u, "filter=small") {
					assert.NotContains(t, u, "294000")
				}
				assert.Equal(t, 200, do(outer, "GET", u).Code, u)
			}
		}
	}
	for _, nasty := range []string{"%0a%23EXT-X-ENDLIST", `%22,URI=%22x`, "x%20y"} { // they cannot leave their place
		for _, target := range []string{smoothMasters[0] + "?token=" + nasty, plainMasters[0] + "?token=" + nasty} {
			h := http.Handler(smoothHandler(sampleSource(t), opts))
			if strings.HasPrefix(target, "/sample/") {
				h = plainHandler(t, sampleSource(t), opts)
			}
			for _, u := range crawl(t, h, target) {
				assert.Contains(t, u, nasty)
			}
		}
	}
}

func TestCacheLifetimes(t *testing.T) {
	cfg := liveConfig(time.Minute)
	p := smoothtest.New(cfg)
	p.Append(10)
	const master, media = "/a.ism/Manifest(format=m3u8-aapl).m3u8", "/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-aapl).m3u8"
	const segment = "/a.ism/QualityLevels(300000)/Fragments(video=0,format=m3u8-aapl,n=3).ts"
	for _, tt := range []struct {
		opts               hls.Options
		playlists, segment string
	}{
		{hls.Options{}, "public, max-age=3", "public, max-age=3600"},
		{hls.Options{PlaylistMaxAge: time.Second, SegmentMaxAge: time.Minute}, "public, max-age=1", "public, max-age=60"},
		{hls.Options{PlaylistMaxAge: -1, SegmentMaxAge: -1}, "no-store", "no-store"},
		{hls.Options{Immutable: true, SegmentDuration: 2 * time.Second}, "public, max-age=1", "public, max-age=31536000, immutable"},
	} {
		h := smoothHandler(sourceOf(p), &tt.opts)
		assert.Equal(t, tt.playlists, do(h, "GET", master).Header().Get("Cache-Control"))
		assert.Equal(t, tt.playlists, do(h, "GET", media).Header().Get("Cache-Control"))
		w := do(h, "GET", segment)
		assert.Equal(t, tt.segment, w.Header().Get("Cache-Control"))
		assert.Empty(t, w.Header().Get("Last-Modified"))
	}
	h := smoothHandler(sourceOf(p), nil)
	before := do(h, "GET", media).Header().Get("ETag")
	p.Append(1)
	assert.NotEqual(t, before, do(h, "GET", media).Header().Get("ETag"), "another list")
	assert.Equal(t, 200, do(h, "GET", media, "If-None-Match: "+before).Code)
}

// TestClientLeaves: an answer ends when its client has left, and gives back what it holds.
func TestClientLeaves(t *testing.T) {
	p := smoothtest.New(smoothtest.Default())
	h := smoothHandler(sourceOf(p), nil)
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
		for range 3 {
			r := httptest.NewRequest("GET", "/a.ism/QualityLevels(400000)/Fragments(video=0,format="+format+",n=3)", nil)
			assert.Panics(t, func() { h.ServeHTTP(&deadWriter{header: make(http.Header)}, r) }, "the connection is cut")
			assert.Zero(t, p.OpenFragments())
		}
	}
}

// deadWriter is the connection of a client that has left.
type deadWriter struct{ header http.Header }

func (w *deadWriter) Header() http.Header       { return w.header }
func (w *deadWriter) WriteHeader(int)           {}
func (w *deadWriter) Write([]byte) (int, error) { return 0, errors.New("connection reset") }

// TestETagKnowsSecret: a cache that holds a segment under an old key must not be told that it is still the one.
func TestETagKnowsSecret(t *testing.T) {
	tag := func(e *hls.Encryption, format string) string {
		h := smoothHandler(sampleSource(t), &hls.Options{Encryption: e})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format="+format+")", nil))
		require.Equal(t, http.StatusOK, w.Code)
		return w.Header().Get("ETag")
	}
	master := func(s string) *hls.Encryption { return &hls.Encryption{Master: []byte(s)} }
	static := func(b byte) *hls.Encryption { return &hls.Encryption{Keys: hls.StaticKey{b}} }
	for _, format := range []string{"m3u8-aapl", "m3u8-cmaf"} {
		require.Equal(t, tag(master("a secret of sixteen bytes"), format), tag(master("a secret of sixteen bytes"), format), "on every node")
		require.NotEqual(t, tag(master("a secret of sixteen bytes"), format), tag(master("another secret of the same"), format))
		require.NotEqual(t, tag(static(1), format), tag(static(2), format))
	}
}
