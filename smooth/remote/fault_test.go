package remote_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/remote"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// sampleKey is a fragment of the presentation of [smoothtest.NewSource].
var sampleKey = smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 2 * second}

// faulty answers fragment requests, or those for manifests, in its own way and passes the rest on.
func faulty(manifests bool, answer http.HandlerFunc) *direct {
	good := origin(smoothtest.NewSource())
	return newDirect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/Manifest") == manifests {
			answer(w, r)
			return
		}
		good.ServeHTTP(w, r)
	}))
}

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprint(w, "\n<!DOCTYPE html><html><body>Welcome</body></html>")
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
}

// TestFaultyFragments: what an origin sends wrong is an error that says where and what, and costs the bounds at most.
func TestFaultyFragments(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
		status int
		served int // by a handler in front
		tries  int
	}{
		"page":       {page, smooth.ErrCorrupt, 200, 500, 2},
		"empty":      {status(200), smooth.ErrCorrupt, 200, 500, 2},
		"no boxes":   {text("hello, this is no fragment"), smooth.ErrCorrupt, 200, 500, 2},
		"no moof":    {text("\x00\x00\x00\x09mdatx"), smooth.ErrCorrupt, 200, 500, 2},
		"404":        {status(404), smooth.ErrNotFound, 404, 404, 1},
		"410":        {status(410), smooth.ErrNotFound, 410, 404, 1},
		"412":        {status(412), smooth.ErrNotFound, 0, 404, 1},
		"403":        {status(403), nil, 403, 500, 1},
		"400":        {status(400), nil, 400, 500, 1},
		"500":        {status(500), nil, 500, 500, 1},
		"204":        {status(204), nil, 204, 500, 1},
		"large":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20+1)) }, smooth.ErrTooLarge, 200, 500, 1},
		"brotli":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "br") }, smooth.ErrUnsupported, 200, 415, 1},
		"no gzip":    {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip"); page(w, nil) }, smooth.ErrCorrupt, 200, 500, 2},
		"gzip, huge": {bomb, smooth.ErrTooLarge, 200, 500, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := faulty(false, c.answer)
			o := options(d)
			o.MaxFragmentBytes = 1 << 20
			s := newSource(t, d, o)
			p := openNamed(t, s, sampleName)
			_, err := p.Fragment(t.Context(), sampleKey)
			require.Error(t, err)
			if c.want != nil {
				assert.ErrorIs(t, err, c.want)
			}
			var oe *remote.OriginError
			if c.status != 0 {
				require.ErrorAs(t, err, &oe)
				assert.Equal(t, c.status, oe.Status)
				assert.Equal(t, "http://origin/video/sample/sample.ism/QualityLevels(400000)/Fragments(video=20000000)", oe.URL)
			}
			assert.Equal(t, c.tries, d.count("Fragments(video=20000000)"))
			w := httptest.NewRecorder()
			smooth.NewHandler(s, &smooth.HandlerOptions{Logger: quiet()}).ServeHTTP(w,
				httptest.NewRequest("GET", "/sample/sample.ism/QualityLevels(400000)/Fragments(video=20000000)", nil))
			assert.Equal(t, c.served, w.Code)
			assert.Zero(t, s.Stats().Fragments)
		})
	}
}

// megabyte is a member of gzip data that becomes much.
var megabyte = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(make([]byte, 1<<20))
	z.Close()
	return b.Bytes()
})

// bomb sends little that becomes much.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	for range 40 {
		_, _ = w.Write(megabyte())
	}
}

// TestFaultyManifests: the same for manifests.
func TestFaultyManifests(t *testing.T) {
	const clips = `<SmoothStreamingMedia MajorVersion="1" MinorVersion="0" Duration="1"><Clip Url="a.ism/Manifest" ClipBegin="0" ClipEnd="1"/></SmoothStreamingMedia>`
	const nothing = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="1"><StreamIndex Type="video" Url="QualityLevels({bitrate})/Fragments(video={start time})">` +
		`<QualityLevel Bitrate="1" FourCC="H264"/><QualityLevel Bitrate="2" FourCC="XYZ1" CodecPrivateData="00"/><c t="0" d="1"/></StreamIndex>` +
		`<StreamIndex Type="audio"><QualityLevel Bitrate="1" FourCC="AACL" CodecPrivateData="1190"/><c t="0" d="1"/></StreamIndex></SmoothStreamingMedia>`
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
		status int
	}{
		"page":      {page, smooth.ErrCorrupt, 200},
		"empty":     {status(200), smooth.ErrCorrupt, 200},
		"404":       {status(404), smooth.ErrNotFound, 404},
		"412":       {status(412), smooth.ErrNotYet, 412},
		"401":       {status(401), nil, 401},
		"502":       {status(502), nil, 502},
		"304":       {status(304), nil, 304},
		"large":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "33554433") }, smooth.ErrTooLarge, 200},
		"bomb":      {bomb, smooth.ErrTooLarge, 200},
		"composite": {text(clips), smooth.ErrUnsupported, 200},
		"nothing":   {text(nothing), smooth.ErrUnsupported, 200},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t, faulty(true, c.answer), nil)
			_, err := s.Open(t.Context(), sampleName)
			require.Error(t, err)
			if c.want != nil {
				assert.ErrorIs(t, err, c.want)
			}
			var oe *remote.OriginError
			require.ErrorAs(t, err, &oe)
			assert.Equal(t, c.status, oe.Status)
			assert.Equal(t, "http://origin/video/sample/sample.ism/Manifest", oe.URL)
			assert.Contains(t, err.Error(), oe.URL)
		})
	}
}

// TestBrokenBody: a body that ends early is asked for once more.
func TestBrokenBody(t *testing.T) {
	var cut atomic.Int32
	good := http.StripPrefix("/video", smooth.NewHandler(smoothtest.NewSource(), nil))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut.Add(-1) < 0 {
			good.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		good.ServeHTTP(rec, r)
		w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
		_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
		if cut.Load() != 2 { // the first of three breaks before anything is sent
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	}))
	defer srv.Close()
	srv.Config.ErrorLog = nil
	cut.Store(1)
	s, err := remote.New(srv.URL+"/video/", &remote.Options{Logger: quiet()})
	require.NoError(t, err)
	defer s.Close()
	p := openNamed(t, s, sampleName)
	cut.Store(1)
	f := fragment(t, p, sampleKey)
	want, err := smoothtest.New(smoothtest.Default()).Fragment(t.Context(), sampleKey)
	require.NoError(t, err)
	assert.Equal(t, whole(t, want), whole(t, f))

	cut.Store(3)
	k := sampleKey
	k.Time = 4 * second
	_, err = p.Fragment(t.Context(), k)
	assert.ErrorContains(t, err, "ends early")
	cut.Store(2)
	k.Time = 0
	_, err = p.Fragment(t.Context(), k)
	assert.ErrorIs(t, err, smooth.ErrCorrupt)
	assert.ErrorContains(t, err, "ends early")
	fragment(t, p, k)
}

// TestTruncatedFragment: a whole answer with half a fragment, at every length.
func TestTruncatedFragment(t *testing.T) {
	own := smoothtest.New(smoothtest.Default())
	full := whole(t, fragment(t, own, sampleKey))
	var n atomic.Int32
	d := faulty(false, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(full[:n.Load()]) })
	p := openNamed(t, newSource(t, d, nil), sampleName)
	for i := 0; i < len(full); i += 7 {
		n.Store(int32(i))
		_, err := p.Fragment(t.Context(), sampleKey)
		require.ErrorIs(t, err, smooth.ErrCorrupt, "%d bytes", i)
	}
	n.Store(int32(len(full)))
	fragment(t, p, sampleKey)
}

// TestSlow: an origin that does not answer, or not to the end, takes the timeout and no longer.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := faulty(false, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		o := options(d)
		o.Timeout = 5 * time.Second
		s := newSource(t, d, o)
		p := openNamed(t, s, sampleName)
		start := time.Now()
		_, err := p.Fragment(context.WithoutCancel(t.Context()), sampleKey) // as HLS builds its segments
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		var oe *remote.OriginError
		assert.ErrorAs(t, err, &oe)
		assert.Equal(t, 5*time.Second, time.Since(start))
		w := httptest.NewRecorder()
		smooth.NewHandler(s, &smooth.HandlerOptions{Logger: quiet()}).ServeHTTP(w,
			httptest.NewRequest("GET", "/sample/sample.ism/QualityLevels(400000)/Fragments(video=20000000)", nil))
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	})
}

// TestUnreachable: no connection is an error without status, which does not show what is secret in the URL.
func TestUnreachable(t *testing.T) {
	refused := errors.New("refused")
	o := &remote.Options{Logger: quiet(), Client: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, refused })}}
	s, err := remote.New("http://user:secret@origin/video/?token=secret", o)
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Open(t.Context(), "a.ism")
	assert.ErrorIs(t, err, refused)
	var oe *remote.OriginError
	require.ErrorAs(t, err, &oe)
	assert.Zero(t, oe.Status)
	assert.NotContains(t, err.Error(), "secret")
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestGzip takes compressed manifests, and fragments that should not have been.
func TestGzip(t *testing.T) {
	good := origin(smoothtest.NewSource())
	d := newDirect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		accepts := r.Header.Get("Accept-Encoding")
		r.Header.Del("Accept-Encoding")
		good.ServeHTTP(rec, r)
		if strings.HasSuffix(r.URL.Path, "/Manifest") {
			assert.Equal(t, "gzip", accepts)
		} else {
			assert.Equal(t, "identity", accepts)
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(rec.Body.Bytes())
		z.Close()
	}))
	p := openNamed(t, newSource(t, d, nil), sampleName)
	own := smoothtest.New(smoothtest.Default())
	assert.Equal(t, whole(t, fragment(t, own, sampleKey)), whole(t, fragment(t, p, sampleKey)))
}

// TestFallback: another origin serves while the first one does not, and the first one is tried again after a while.
func TestFallback(t *testing.T) {
	var down atomic.Bool
	var first, other atomic.Int32
	good := http.StripPrefix("/video", smooth.NewHandler(smoothtest.NewSource(), nil))
	d := newDirect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "backup" || r.Host == "backup" {
			other.Add(1)
			r.URL.Path, r.URL.RawPath = strings.Replace(r.URL.Path, "/other/", "/video/", 1), ""
			good.ServeHTTP(w, r)
			return
		}
		first.Add(1)
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		good.ServeHTTP(w, r)
	}))
	o := options(d)
	var c clock
	o.Now, o.CacheBytes, o.Fallback = c.now, -1, []string{"http://backup/other"}
	s := newSource(t, d, o)
	p := openNamed(t, s, sampleName)
	fragment(t, p, sampleKey)
	assert.EqualValues(t, 2, first.Load())
	assert.Zero(t, other.Load())

	down.Store(true)
	fragment(t, p, sampleKey)
	fragment(t, p, sampleKey)
	assert.EqualValues(t, 3, first.Load(), "the second time the other one is asked at once")
	assert.EqualValues(t, 2, other.Load())
	c.advance(30 * time.Second)
	fragment(t, p, sampleKey)
	fragment(t, p, sampleKey)
	assert.EqualValues(t, 4, first.Load(), "tried again once")
	assert.EqualValues(t, 4, other.Load())
	c.advance(30 * time.Second)
	down.Store(false)
	fragment(t, p, sampleKey)
	fragment(t, p, sampleKey)
	assert.EqualValues(t, 6, first.Load())
	assert.EqualValues(t, 4, other.Load())

	_, err := s.Open(t.Context(), "none.ism")
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.EqualValues(t, 4, other.Load(), "404 is an answer")
}

// TestHeaders: credentials go to the configured hosts only, and nothing of a viewer goes anywhere.
func TestHeaders(t *testing.T) {
	good := http.StripPrefix("/video", smooth.NewHandler(smoothtest.NewSource(), nil))
	type seen struct{ auth, signature, token, referer string }
	asked := make(map[string]seen)
	d := newDirect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.Host+" "+r.URL.Path] = seen{r.Header.Get("X-Token"), r.Header.Get("X-Signature"), r.URL.RawQuery, r.Header.Get("Referer")}
		assert.Empty(t, r.Header.Get("Cookie"))
		assert.Empty(t, r.Header.Get("X-Viewer"))
		if r.Host == "origin" && strings.Contains(r.URL.Path, "Fragments") {
			http.Redirect(w, r, "http://cdn"+r.URL.Path, http.StatusFound)
			return
		}
		good.ServeHTTP(w, r)
	}))
	o := options(d)
	o.Header = http.Header{"X-Token": {"secret"}}
	o.Prepare = func(r *http.Request) error { r.Header.Set("X-Signature", "signed"); return nil }
	s, err := remote.New("http://origin/video/?sig=1", o)
	require.NoError(t, err)
	defer s.Close()
	o.Header.Set("X-Token", "changed later")
	r := httptest.NewRequest("GET", "/sample/sample.ism/QualityLevels(400000)/Fragments(video=20000000)?viewer=1", nil)
	r.Header.Set("X-Viewer", "1")
	r.Header.Set("Cookie", "a=b")
	w := httptest.NewRecorder()
	smooth.NewHandler(s, nil).ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code)
	const path = "/video/sample/sample.ism/QualityLevels(400000)/Fragments(video=20000000)"
	assert.Equal(t, map[string]seen{
		"origin /video/sample/sample.ism/Manifest": {"secret", "signed", "sig=1", ""},
		"origin " + path: {"secret", "signed", "sig=1", ""},
		"cdn " + path:    {},
	}, asked)

	o.Prepare = func(*http.Request) error { return errors.New("no key") }
	_, err = newSource(t, d, o).Open(t.Context(), sampleName)
	assert.ErrorContains(t, err, "no key")
}

// TestRedirects: fragments are relative to where the manifest was found, and redirects end somewhere.
func TestRedirects(t *testing.T) {
	good := http.StripPrefix("/moved", smooth.NewHandler(smoothtest.NewSource(), nil))
	var last string
	d := newDirect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last = r.Host + r.URL.Path
		switch {
		case strings.HasPrefix(r.URL.Path, "/loop"):
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/video/"):
			http.Redirect(w, r, "http://new/moved/"+strings.TrimPrefix(r.URL.Path, "/video/"), http.StatusMovedPermanently)
		default:
			good.ServeHTTP(w, r)
		}
	}))
	p := openNamed(t, newSource(t, d, nil), sampleName)
	fragment(t, p, sampleKey)
	assert.Equal(t, "new/moved/sample/sample.ism/QualityLevels(400000)/Fragments(video=20000000)", last)
	assert.Equal(t, 1, d.count("video=20000000)"))

	_, err := remote.Open(t.Context(), "http://origin/loop/a.ism/Manifest", options(d))
	assert.ErrorContains(t, err, "10 redirects")
	o := options(d)
	o.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("not allowed") }
	_, err = remote.Open(t.Context(), "http://origin/video/sample/sample.ism/Manifest", o)
	assert.ErrorContains(t, err, "not allowed")
}

// TestLeftOut: a level that cannot be used is left out with a line in the log, once, and the rest is served.
func TestLeftOut(t *testing.T) {
	own := smoothtest.New(smoothtest.Default())
	d := faulty(true, func(w http.ResponseWriter, r *http.Request) {
		s, _ := own.Snapshot(r.Context())
		m := s.Manifest.Clone()
		m.Streams[0].Levels[0].CodecPrivateData = nil
		m.Streams[1].Levels[0].FourCC = "XYZ1"
		m.Streams[2].URL = "all/of/it"
		xml, _ := m.AppendXML(nil, nil)
		_, _ = w.Write(xml)
	})
	var log bytes.Buffer
	var c clock
	o := options(d)
	o.Logger, o.Now = textLogger(&log), c.now
	s := newSource(t, d, o)
	m := snapshot(t, openNamed(t, s, sampleName)).Manifest
	require.Len(t, m.Streams, 2)
	require.Len(t, m.Streams[0].Levels, 2)
	assert.Zero(t, m.Streams[0].Levels[0].Index)
	assert.EqualValues(t, 1_200_000, m.Streams[0].Levels[0].Bitrate)
	assert.Equal(t, 3, strings.Count(log.String(), "level is left out"), log.String())
	c.advance(time.Hour)
	fragment(t, openNamed(t, s, sampleName), sampleKey)
	assert.Equal(t, 3, strings.Count(log.String(), "level is left out"), log.String())
}
