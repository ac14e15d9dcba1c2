package smooth_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

const videoURL = "/a.ism/QualityLevels(1200000)/Fragments(video=20000000)"

// TestHandlerStatus is the protocol table of statuses.
func TestHandlerStatus(t *testing.T) {
	tests := []struct {
		method, target string
		status         int
		cache          string
	}{
		{"GET", "/a.ism/Manifest", 200, "public, max-age=60"},
		{"HEAD", "/a.ism/Manifest", 200, "public, max-age=60"},
		{"GET", "/a.ism/Manifest(format=fmp4-v20)", 200, "public, max-age=60"},
		{"GET", "/a.ism/manifest.ismv?x=1", 200, "public, max-age=60"},
		{"GET", videoURL, 200, "public, max-age=3600"},
		{"HEAD", videoURL, 200, "public, max-age=3600"},
		{"GET", "/a.ism/QualityLevels(96000)/Fragments(audio_eng=0)", 200, "public, max-age=3600"},
		{"GET", "/a.ism/QualityLevels(x)/Fragments(video=0)", 400, "public, max-age=5"},
		{"GET", "/a.ism/QualityLevels(1)/Fragments(video=18446744073709551616)", 400, "public, max-age=5"},
		{"GET", "/", 404, "public, max-age=5"},
		{"GET", "/a.ism", 404, "public, max-age=5"},
		{"GET", "/a.ismc", 404, "public, max-age=5"},
		{"GET", "/a.ismv", 404, "public, max-age=5"},
		{"GET", "/b.ism/Manifest", 404, "public, max-age=5"},
		{"HEAD", "/b.ism/Manifest", 404, "public, max-age=5"},
		{"GET", "/../a.ism/Manifest", 404, "public, max-age=5"},
		{"GET", "/x%2fa.ism/Manifest", 404, "public, max-age=5"},
		{"GET", "/a.ism/Manifest(format=nosuch)", 404, "public, max-age=5"},
		{"GET", "/a.ism/Manifest.m3u8", 404, "public, max-age=5"},
		{"GET", "/a.ism/Manifest(filter=nosuch)", 404, "public, max-age=5"},
		{"GET", "/a.csm", 404, "public, max-age=5"},
		{"GET", "/a.ism/QualityLevels(1200000)/Fragments(video=1)", 404, "public, max-age=5"},
		{"GET", "/a.ism/QualityLevels(1200001)/Fragments(video=0)", 404, "public, max-age=5"},
		{"GET", "/a.ism/QualityLevels(1200000)/Fragments(nosuch=0)", 404, "public, max-age=5"},
		{"GET", "/a.ism/QualityLevels(1200000)/NoSuch(video=0)", 404, "public, max-age=5"},
		{"GET", "/a.ism/QualityLevels(1200000)/Fragments(video=0,format=nosuch)", 404, "public, max-age=5"},
		{"GET", "/a.ism/QualityLevels(1200000)/Manifest(video)", 404, "public, max-age=5"},
		{"POST", "/a.ism/Manifest", 405, "no-store"},
		{"PUT", videoURL, 405, "no-store"},
		{"DELETE", "/b.ism/Manifest", 405, "no-store"},
		{"POST", "/nosuch", 404, "public, max-age=5"},
		{"OPTIONS", videoURL, 204, ""},
		{"GET", "/clientaccesspolicy.xml", 200, "public, max-age=3600"},
		{"GET", "/ClientAccessPolicy.xml", 200, "public, max-age=3600"},
		{"HEAD", "/crossdomain.xml", 200, "public, max-age=3600"},
		{"POST", "/crossdomain.xml", 405, "no-store"},
		{"GET", "/x/crossdomain.xml", 404, "public, max-age=5"},
	}
	h, p := newFakeHandler(t, quiet(nil))
	for _, tt := range tests {
		resp := do(h, tt.method, tt.target)
		name := tt.method + " " + tt.target
		assert.Equal(t, tt.status, resp.StatusCode, name)
		assert.Equal(t, tt.cache, resp.Header.Get("Cache-Control"), name)
		assert.NotContains(t, resp.Header, "Set-Cookie", name)
		assert.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"), name)
		b := body(t, resp)
		if tt.method == "HEAD" {
			assert.Empty(t, b, name)
			assert.NotEmpty(t, resp.Header.Get("Content-Length"), name)
		} else if tt.status != 204 {
			assert.Equal(t, resp.Header.Get("Content-Length"), fmt.Sprint(len(b)), name)
		}
		if tt.status >= 400 {
			assert.NotContains(t, b, "a.ism", name)
			assert.Empty(t, resp.Header.Get("ETag"), name)
			assert.Empty(t, resp.Header.Get("Last-Modified"), name)
		}
		if tt.status == 405 {
			assert.Equal(t, "GET, HEAD, OPTIONS", resp.Header.Get("Allow"), name)
		}
	}
	assert.Zero(t, p.open, "fragments left open")
}

// TestHandlerErrors is the protocol table of errors from a source.
func TestHandlerErrors(t *testing.T) {
	tests := []struct {
		err    error
		status int
		body   string
		cache  string
	}{
		{smooth.ErrNotFound, 404, "not found\n", "public, max-age=5"},
		{smooth.ErrGone, 404, "not found\n", "public, max-age=5"},
		{smooth.ErrNotYet, 412, "", "no-store"},
		{smooth.ErrBadRequest, 400, "bad request\n", "public, max-age=5"},
		{smooth.ErrUnsupported, 415, "unsupported media type\n", "public, max-age=5"},
		{&smooth.UnsupportedError{Stream: "video", Bitrate: 5, Format: "x", Reason: "VC-1"}, 415,
			"smooth: stream \"video\" at 5 bits/s as x: VC-1\n", "public, max-age=5"},
		{&smooth.FileError{File: "secret.ismv", Err: smooth.ErrUnsupported}, 415, "unsupported media type\n", "public, max-age=5"},
		{&smooth.FileError{File: "secret.ismv", Err: smooth.ErrCorrupt}, 500, "internal server error\n", "no-store"},
		{smooth.ErrTooLarge, 500, "internal server error\n", "no-store"},
		{smooth.ErrClosed, 503, "service unavailable\n", "no-store"},
		{context.DeadlineExceeded, 503, "service unavailable\n", "no-store"},
		{context.Canceled, 503, "service unavailable\n", "no-store"},
		{errors.New("disk on fire"), 500, "internal server error\n", "no-store"},
	}
	for _, tt := range tests {
		h, p := newFakeHandler(t, quiet(nil))
		p.err[videoKey(0)] = fmt.Errorf("fake: %w", tt.err)
		for _, method := range []string{"GET", "HEAD"} {
			resp := do(h, method, "/a.ism/QualityLevels(1200000)/Fragments(video=0)")
			want := tt.body
			if method == "HEAD" {
				want = ""
			}
			assert.Equal(t, tt.status, resp.StatusCode, "%v", tt.err)
			assert.Equal(t, want, body(t, resp), "%v", tt.err)
			assert.Equal(t, fmt.Sprint(len(tt.body)), resp.Header.Get("Content-Length"), "%v", tt.err)
			assert.Equal(t, tt.cache, resp.Header.Get("Cache-Control"), "%v", tt.err)
		}
		assert.Equal(t, tt.status, do(smooth.NewHandler(&fakeSource{err: tt.err}, quiet(nil)), "GET", "/a.ism/Manifest").StatusCode)
	}
}

func TestHandlerManifest(t *testing.T) {
	h, p := newFakeHandler(t, nil)
	want, err := p.snapshot.Manifest.AppendXML(nil, nil)
	require.NoError(t, err)
	v20, err := p.snapshot.Manifest.AppendXML(nil, &smooth.ManifestOptions{V20: true})
	require.NoError(t, err)
	require.NotEqual(t, string(want), string(v20))

	resp := do(h, "GET", "/a.ism/Manifest")
	assert.Equal(t, string(want), body(t, resp))
	assert.Equal(t, "text/xml; charset=utf-8", resp.Header.Get("Content-Type"))
	assert.Equal(t, "Accept-Encoding", resp.Header.Get("Vary"))
	assert.Equal(t, "Fri, 02 Jan 2026 03:04:05 GMT", resp.Header.Get("Last-Modified"))
	assert.Equal(t, "bytes", resp.Header.Get("Accept-Ranges"))
	assert.Empty(t, resp.Header.Get("Content-Encoding"))

	old := do(h, "GET", "/a.ism/Manifest(format=FMP4-v20)")
	assert.Equal(t, string(v20), body(t, old))
	assert.NotEqual(t, resp.Header.Get("ETag"), old.Header.Get("ETag"))

	zipped := do(h, "GET", "/a.ism/Manifest", "Accept-Encoding: gzip, deflate")
	assert.Equal(t, "gzip", zipped.Header.Get("Content-Encoding"))
	assert.NotEqual(t, resp.Header.Get("ETag"), zipped.Header.Get("ETag"))
	z, err := gzip.NewReader(zipped.Body)
	require.NoError(t, err)
	plain, err := io.ReadAll(z)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(plain))
}

func TestHandlerAcceptEncoding(t *testing.T) {
	h, _ := newFakeHandler(t, nil)
	for header, want := range map[string]bool{
		"gzip": true, "GZIP": true, "x-gzip": true, "br, gzip;q=0.5": true, "*": true, "deflate, *;q=0.1": true, "gzip;q=1.0": true,
		"gzip ; q=0.3": true, "identity;q=0.5, gzip;q=0.5": true, "identity;q=0, gzip;q=0.1": true,
		"": false, "br": false, "identity": false, "gzip;q=0": false, "gzip;q=0.000": false, "*;q=0": false, "*, gzip;q=0": false,
		"gzip;q=x": false, "gzip;q=-1": false, "gzip;q=NaN": false, "gzip;q=2": false, "identity, gzip;q=0.5": false, "gzipped": false,
	} {
		resp := do(h, "GET", "/a.ism/Manifest", "Accept-Encoding: "+header)
		assert.Equal(t, want, resp.Header.Get("Content-Encoding") == "gzip", "Accept-Encoding: %s", header)
	}
}

func TestHandlerFragmentNouns(t *testing.T) {
	h, p := newFakeHandler(t, nil)
	in := p.fragments[videoKey(20000000)]
	memory := string(in.Memory)
	payload := memory[in.HeadLen:]
	keys := payload[:100] + payload[200:300]
	tests := []struct {
		noun, mime, tail string
		size             int
	}{
		{"Fragments", "video/mp4", memory, len(memory)},
		{"RawFragments", "application/octet-stream", payload, len(payload)},
		{"FragmentInfo", "video/mp4", memory[:in.HeadLen-8], in.HeadLen - 8},
		{"KeyFrames", "video/mp4", keys, 0},
	}
	tags := map[string]bool{}
	for _, tt := range tests {
		target := "/a.ism/QualityLevels(1200000)/" + tt.noun + "(video=20000000)"
		resp := do(h, "GET", target)
		b := body(t, resp)
		require.Equal(t, 200, resp.StatusCode, tt.noun)
		assert.True(t, strings.HasSuffix(b, tt.tail), tt.noun)
		if tt.size > 0 {
			assert.Len(t, b, tt.size, tt.noun)
		}
		assert.Equal(t, tt.mime, resp.Header.Get("Content-Type"), tt.noun)
		tags[resp.Header.Get("ETag")] = true
		assert.Equal(t, resp.Header, do(h, "HEAD", target).Header, tt.noun)
		for _, span := range [][2]int{{0, len(b)}, {0, 10}, {5, len(b) - 1}, {len(b) - 150, len(b) - 50}, {len(b) - 1, len(b)}} {
			part := do(h, "GET", target, fmt.Sprintf("Range: bytes=%d-%d", span[0], span[1]-1))
			assert.Equal(t, 206, part.StatusCode, tt.noun)
			assert.Equal(t, b[span[0]:span[1]], body(t, part), "%s %v", tt.noun, span)
		}
	}
	assert.Len(t, tags, len(tests), "entity tags of nouns")
	assert.Zero(t, p.open)
}

func TestHandlerFragmentTypes(t *testing.T) {
	h, p := newFakeHandler(t, nil)
	for target, want := range map[string]string{
		videoURL: "video/mp4", "/a.ism/QualityLevels(96000)/Fragments(audio_eng=0)": "audio/mp4",
		"/a.ism/QualityLevels(1000)/Fragments(textstream=0)": "application/mp4",
	} {
		assert.Equal(t, want, do(h, "GET", target).Header.Get("Content-Type"))
	}
	in := p.fragments[videoKey(0)]
	in.ChildTrack, in.Codec = "ad=1200000000,cc=1180000000", nil
	p.fragments[videoKey(0)] = in
	resp := do(h, "GET", "/a.ism/QualityLevels(1200000)/Fragments(video=0)")
	assert.Equal(t, `video/mp4;ChildTrack="ad=1200000000,cc=1180000000"`, resp.Header.Get("Content-Type"))
	in.ChildTrack = "a\"\r\nSet-Cookie: x"
	p.fragments[videoKey(0)] = in
	assert.Equal(t, "video/mp4", do(h, "GET", "/a.ism/QualityLevels(1200000)/Fragments(video=0)").Header.Get("Content-Type"))
}

// TestHandlerConditional checks that answers of http.ServeContent have the headers of direct ones.
func TestHandlerConditional(t *testing.T) {
	h, _ := newFakeHandler(t, nil)
	for _, target := range []string{videoURL, "/a.ism/Manifest", "/a.ism/Manifest(format=fmp4-v20)", "/crossdomain.xml"} {
		for _, encoding := range []string{"", "gzip"} {
			accept := "Accept-Encoding: " + encoding
			direct := do(h, "GET", target, accept)
			whole := body(t, direct)
			tag := direct.Header.Get("ETag")
			require.NotEmpty(t, tag)
			for _, tt := range []struct {
				header string
				status int
			}{
				{"If-None-Match: " + tag, 304}, {"If-None-Match: W/" + tag, 304}, {"If-None-Match: \"x\", " + tag, 304},
				{"If-None-Match: *", 304}, {"If-None-Match: \"x\"", 200}, {"If-Match: " + tag, 200}, {"If-Match: \"x\"", 412},
				{"If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT", 200}, {"Range: chars=0-1", 416},
				{"Range: bytes=0-", 206}, {"Range: bytes=2-5", 206}, {"Range: bytes=-5", 206}, {"Range: bytes=100000-", 416},
			} {
				for _, method := range []string{"GET", "HEAD"} {
					name := method + " " + target + " " + accept + " " + tt.header
					resp := do(h, method, target, accept, tt.header)
					require.Equal(t, tt.status, resp.StatusCode, name)
					b := body(t, resp)
					assert.NotContains(t, resp.Header, "Set-Cookie", name)
					switch tt.status {
					case 200:
						assert.Equal(t, direct.Header, resp.Header, name)
						if method == "GET" {
							assert.Equal(t, whole, b, name)
						}
					case 206:
						for key, value := range direct.Header {
							if key != "Content-Length" && (encoding == "" || key != "Content-Encoding" && key != "Etag") {
								assert.Equal(t, value, resp.Header[key], "%s %s", name, key)
							}
						}
					case 304:
						assert.Equal(t, tag, resp.Header.Get("ETag"), name)
						assert.Equal(t, direct.Header["Cache-Control"], resp.Header["Cache-Control"], name)
						assert.Empty(t, b, name)
					default:
						assert.NotContains(t, resp.Header.Get("Cache-Control"), "max-age", name)
					}
				}
			}
		}
	}
	notModified := do(h, "GET", videoURL, "If-Modified-Since: Fri, 02 Jan 2026 03:04:05 GMT")
	assert.Equal(t, 304, notModified.StatusCode)
}

func TestHandlerCacheLifetimes(t *testing.T) {
	for _, tt := range []struct {
		opts               smooth.HandlerOptions
		fragment, manifest string
	}{
		{smooth.HandlerOptions{FragmentMaxAge: 90 * time.Second, ManifestMaxAge: 5 * time.Second}, "public, max-age=90", "public, max-age=5"},
		{smooth.HandlerOptions{FragmentMaxAge: -1, ManifestMaxAge: -1}, "no-store", "no-store"},
		{smooth.HandlerOptions{Immutable: true, FragmentMaxAge: -1}, "public, max-age=31536000, immutable", "public, max-age=60"},
	} {
		h, _ := newFakeHandler(t, &tt.opts)
		assert.Equal(t, tt.fragment, do(h, "GET", videoURL).Header.Get("Cache-Control"))
		assert.Equal(t, tt.manifest, do(h, "GET", "/a.ism/Manifest").Header.Get("Cache-Control"))
	}
}

func TestHandlerLive(t *testing.T) {
	h, p := newFakeHandler(t, nil)
	p.snapshot.Ended = false
	resp := do(h, "GET", "/a.ism/Manifest")
	assert.Equal(t, "public, max-age=1", resp.Header.Get("Cache-Control"))
	assert.Empty(t, resp.Header.Get("Last-Modified"))
	first := do(h, "GET", videoURL).Header
	assert.Empty(t, first.Get("Last-Modified"))
	p.snapshot = smooth.NewSnapshot(p.snapshot.Manifest, "v2")
	p.snapshot.Ended = false
	assert.Equal(t, first, do(h, "GET", videoURL).Header, "a live fragment keeps its entity tag")
	other := do(h, "GET", "/a.ism/QualityLevels(1200000)/Fragments(video=0)")
	assert.NotEqual(t, first.Get("ETag"), other.Header.Get("ETag"))
}

func TestHandlerTimeTolerance(t *testing.T) {
	h, p := newFakeHandler(t, &smooth.HandlerOptions{TimeTolerance: 10})
	want := do(h, "GET", videoURL)
	for _, tt := range []struct {
		time   string
		status int
	}{{"19999990", 200}, {"20000010", 200}, {"20000011", 404}, {"19999989", 404}, {"20000000", 200}} {
		resp := do(h, "GET", "/a.ism/QualityLevels(1200000)/Fragments(video="+tt.time+")")
		assert.Equal(t, tt.status, resp.StatusCode, tt.time)
		if tt.status == 200 {
			assert.Equal(t, want.Header, resp.Header, tt.time)
		}
	}
	assert.EqualValues(t, 2, h.Stats().Nearest)
	assert.Equal(t, 404, do(h, "GET", "/a.ism/QualityLevels(7)/Fragments(video=20000001)").StatusCode)
	assert.Equal(t, 404, do(h, "GET", "/a.ism/QualityLevels(1200000)/Fragments(nosuch=20000001)").StatusCode)
	assert.EqualValues(t, 2, h.Stats().Nearest)
	assert.Zero(t, p.open)
}

func TestHandlerStreamCase(t *testing.T) {
	h, _ := newFakeHandler(t, nil)
	want := do(h, "GET", videoURL)
	resp := do(h, "GET", "/a.ism/QualityLevels(1200000)/Fragments(VIDEO=20000000)")
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, want.Header, resp.Header)
	assert.Zero(t, h.Stats().Nearest)
}

// TestHandlerConcurrently is for the race detector.
func TestHandlerConcurrently(t *testing.T) {
	h := smooth.NewHandler(smoothtest.NewSource(), &smooth.HandlerOptions{ChildQuery: []string{"t"}})
	const base = "/sample/sample.ism/"
	targets := []string{base + "Manifest", base + "Manifest(format=fmp4-v20)", base + "Manifest(maxBitrate=500000)",
		base + "QualityLevels(96000)/Fragments(audio_eng=0)", base + "QualityLevels(3000000)/KeyFrames(video=20000000)"}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, target := range targets {
				assert.Equal(t, 200, do(h, "GET", target, "Accept-Encoding: gzip").StatusCode, target)
			}
		})
	}
	group.Wait()
	assert.EqualValues(t, 4*len(targets), h.Stats().Requests)
}

func TestHandlerRouters(t *testing.T) {
	h, _ := newFakeHandler(t, nil)
	server := http.NewServeMux()
	server.Handle("/video/", http.StripPrefix("/video", h))
	server.Handle("/slash/", http.StripPrefix("/slash/", h))
	server.Handle("GET /method/{rest...}", http.StripPrefix("/method", h))
	chi := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // chi matches RawPath and leaves URL.Path
		path := r.URL.RawPath
		if path == "" {
			path = r.URL.Path
		}
		if strings.HasPrefix(path, "/chi/") {
			http.StripPrefix("/chi", h).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, path)))
			return
		}
		http.NotFound(w, r)
	})
	gin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }) // gin passes r unchanged
	encoded := "/a.ism/QualityLevels%281200000%29/Fragments%28video%3D20000000%29"
	for _, tail := range []string{videoURL, encoded, "/a.ism/Manifest", "/a.ism/manifest%28format=fmp4-v20%29?x=%2F"} {
		want := do(h, "GET", tail)
		require.Equal(t, 200, want.StatusCode)
		wantBody := body(t, want)
		for name, try := range map[string]struct {
			h      http.Handler
			prefix string
		}{
			"mux": {server, "/video"}, "mux with slash": {server, "/slash"}, "mux with wildcard": {server, "/method"},
			"chi": {chi, "/chi"}, "gin": {gin, ""},
		} {
			resp := do(try.h, "GET", try.prefix+tail)
			assert.Equal(t, 200, resp.StatusCode, "%s %s", name, tail)
			assert.Equal(t, wantBody, body(t, resp), "%s %s", name, tail)
		}
	}
	assert.NotContains(t, body(t, do(server, "GET", "/video/a.ism/Manifest")), `Url="/`, "absolute URL")
	assert.Equal(t, 404, do(server, "GET", "/video/x%2f..%2fa.ism/Manifest").StatusCode)
}

func TestHandlerOneWritePerFragment(t *testing.T) {
	h, _ := newFakeHandler(t, nil)
	w := &countingWriter{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequest("GET", videoURL, nil))
	assert.Equal(t, 1, w.writes)
}

type countingWriter struct {
	*httptest.ResponseRecorder
	writes int
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.writes++
	return w.ResponseRecorder.Write(p)
}
