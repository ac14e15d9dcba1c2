package alias_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/alias"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// seen keeps what the inner handler got.
type seen struct {
	r *http.Request
	w http.ResponseWriter
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.r, s.w = r, w }

func serve(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestRewrite(t *testing.T) {
	m := parse(t, `
/{guid}/{name}.ism/*   /vod/{name}.ism/*
/film-{name}.ism/*     /{name}/(x)/*
/plain/*               /ä/*
/filtered/*            /vod/*?filter=hd
/{name}/(y)            /{name}
`)
	tests := []struct{ target, path, raw, query string }{
		{"/" + id + "/a.ism/QualityLevels(1)/Fragments(video=0)", "/vod/a.ism/QualityLevels(1)/Fragments(video=0)", "/vod/a.ism/QualityLevels(1)/Fragments(video=0)", ""},
		{"/" + id + "/a%20b.ism/Manifest?x=%2F&y", "/vod/a b.ism/Manifest", "", "x=%2F&y"},
		{"/" + id + "/a%2520.ism/%41%2a", "/vod/a%20.ism/A*", "/vod/a%2520.ism/%41%2a", ""},
		{"/F%69lm%2Dx%29%29.ISM/%28", "/x))/(x)/(", "/x%29%29/%28x%29/%28", ""},
		{"/plain/x", "/ä/x", "", ""},
		{"/plain/(", "/ä/(", "/%C3%A4/(", ""},
		{"/filtered/a?b=c", "/vod/a", "", "filter=hd&b=c"},
		{"/filtered/a", "/vod/a", "", "filter=hd"},
		{"/(y)/%28y%29", "/(y)", "/(y)", ""},
	}
	for _, test := range tests {
		var inner seen
		h := alias.NewHandler(&inner, m, nil)
		r := httptest.NewRequest(http.MethodPost, test.target, nil)
		before := *r.URL
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.NotNil(t, inner.r, test.target)
		u := inner.r.URL
		assert.Equal(t, test.path, u.Path, test.target)
		assert.Equal(t, test.raw, u.RawPath, test.target)
		assert.Equal(t, test.query, u.RawQuery, test.target)
		assert.True(t, u.RawPath == "" || u.EscapedPath() == u.RawPath, "%q is no encoding of %q", u.RawPath, u.Path)
		assert.Equal(t, before, *r.URL, "the caller's request stays as it is")
		assert.Same(t, r.URL, alias.Original(inner.r.Context()))
		assert.Equal(t, http.MethodPost, inner.r.Method)
		assert.Same(t, w, inner.w, "the response writer is not wrapped")
		assert.Equal(t, alias.Stats{Rewritten: 1}, h.Stats())
	}
}

// What no rule is for reaches the inner handler as it is, and so does what hides something.
func TestPass(t *testing.T) {
	m := parse(t, "/{name}/* /vod/{name}/*\nother.example/* 410")
	for _, target := range []string{
		"/x%2Fy/z", "/x/..%2f..%2Fz", "/x%5Cy/z", "/x/%2e%2e/z", "/x/../z", "//evil.example/z", "/x/%00", "/x//y",
	} {
		var inner seen
		h := alias.NewHandler(&inner, m, nil)
		r := httptest.NewRequest(http.MethodGet, "http://h.example"+target, nil)
		h.ServeHTTP(httptest.NewRecorder(), r)
		assert.Same(t, r, inner.r, target)
		assert.Nil(t, alias.Original(inner.r.Context()))
		assert.Zero(t, h.Stats())
	}
	for _, u := range []url.URL{
		{Path: "*"}, {Opaque: "h:80"}, {Path: "/x/y", RawPath: "/x/z"}, {Path: "/x/y", RawPath: "/x/y%"}, {Path: "/x/y", RawPath: "/x/y%4"},
		{Path: "/x/y", RawPath: "/x/%zz"}, {Path: "/x/y", RawPath: "/x/"}, {Path: "/x/y", RawPath: "/x/yy"},
	} {
		var inner seen
		r := &http.Request{Method: http.MethodGet, URL: &u}
		alias.NewHandler(&inner, m, nil).ServeHTTP(httptest.NewRecorder(), r)
		assert.Same(t, r, inner.r, "%v", u)
	}
}

func TestRedirect(t *testing.T) {
	m := parse(t, `
/a                      /b                          301
/a/b/*                  /c/*                        302
/d/{name}/*             https://x.example:8/{name}/*?e=f#g   308
/root/x                 /                           307
/colon                  /a:b                        301
/q                      /r?s                        301
/u/*                    /ü/*                        301
`)
	tests := []struct {
		target   string
		status   int
		location string
		resolved string
	}{
		{"/a", 301, "./b", "/b"},
		{"/A?x=/../y", 301, "./b?x=/../y", "/b?x=/../y"},
		{"/a/b", 302, "../c", "/c"},
		{"/a/b/", 302, "../../c/", "/c/"},
		{"/a/b/c(1)/d%41", 302, "../../../c/c(1)/d%41", "/c/c(1)/d%41"},
		{"/d/%3Cb%3E/c%22?h", 308, "https://x.example:8/%3Cb%3E/c%22?e=f&h#g", "https://x.example:8/%3Cb%3E/c%22?e=f&h#g"},
		{"/d/a@evil.example", 308, "https://x.example:8/a@evil.example?e=f#g", "https://x.example:8/a@evil.example?e=f#g"},
		{"/root/x", 307, "../", "/"},
		{"/colon", 301, "./a:b", "/a:b"},
		{"/q?t", 301, "./r?s&t", "/r?s&t"},
		{"/q?", 301, "./r?s", "/r?s"},
		{"/u/x", 301, "../%C3%BC/x", "/%C3%BC/x"},
		{"/u/(", 301, "../%C3%BC/(", "/%C3%BC/("},
		{"/u/x%2e%2e(", 301, "../%C3%BC/x%2e%2e(", "/%C3%BC/x%2e%2e("},
	}
	h := alias.NewHandler(http.NotFoundHandler(), m, &alias.HandlerOptions{Header: http.Header{"Cache-Control": {"no-store"}}})
	for _, prefix := range []string{"", "/media/old"} {
		mounted := http.StripPrefix(prefix, h)
		for _, test := range tests {
			w := serve(mounted, http.MethodGet, prefix+test.target)
			assert.Equal(t, test.status, w.Code, test.target)
			assert.Equal(t, test.location, w.Header().Get("Location"), test.target)
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			assert.Equal(t, http.StatusText(test.status)+"\n", w.Body.String())
			base, err := url.Parse(prefix + test.target)
			require.NoError(t, err)
			to, err := base.Parse(w.Header().Get("Location"))
			require.NoError(t, err)
			want := test.resolved
			if strings.HasPrefix(want, "/") {
				want = prefix + want
			}
			assert.Equal(t, want, to.String(), "as a client understands it")
		}
	}
	assert.Equal(t, alias.Stats{Redirected: uint64(2 * len(tests))}, h.Stats())
}

func TestGone(t *testing.T) {
	h := alias.NewHandler(http.NotFoundHandler(), parse(t, "old.example/* 410"), nil)
	w := serve(h, http.MethodGet, "http://OLD.example:80/x")
	assert.Equal(t, http.StatusGone, w.Code)
	assert.Equal(t, "Gone\n", w.Body.String())
	assert.Empty(t, w.Header().Get("Location"))
	assert.Equal(t, http.StatusNotFound, serve(h, http.MethodGet, "http://new.example/x").Code)
	assert.Equal(t, alias.Stats{Gone: 1}, h.Stats())
}

func TestHeaderIsCopied(t *testing.T) {
	header := http.Header{"X-A": {"1"}}
	h := alias.NewHandler(http.NotFoundHandler(), parse(t, "/* 410"), &alias.HandlerOptions{Header: header})
	header["X-A"][0] = "2"
	w := httptest.NewRecorder()
	w.Header().Set("X-A", "0")
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, []string{"0", "1"}, w.Header()["X-A"])
}

func TestHostOption(t *testing.T) {
	h := alias.NewHandler(http.NotFoundHandler(), parse(t, "old.example/* 410"), &alias.HandlerOptions{
		Host: func(r *http.Request) string { return r.Header.Get("X-Forwarded-Host") },
	})
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	r.Header.Set("X-Forwarded-Host", "old.example")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	assert.Equal(t, http.StatusGone, w.Code)
}

// The first URL stays the original one, also below a second handler.
func TestOriginalOfTwo(t *testing.T) {
	var inner seen
	h := alias.NewHandler(alias.NewHandler(&inner, parse(t, "/b /c"), nil), parse(t, "/a /b"), nil)
	serve(h, http.MethodGet, "/a?q")
	assert.Equal(t, "/c?q", inner.r.URL.String())
	assert.Equal(t, "/a?q", alias.Original(inner.r.Context()).String())
	assert.Nil(t, alias.Original(context.Background()))
}

func TestSetMap(t *testing.T) {
	h := alias.NewHandler(http.NotFoundHandler(), nil, nil)
	assert.Equal(t, http.StatusNotFound, serve(h, http.MethodGet, "/a").Code)
	one, two := parse(t, "/a 410"), parse(t, "/b 410")
	h.SetMap(one)
	assert.Same(t, one, h.Map())
	assert.Equal(t, http.StatusGone, serve(h, http.MethodGet, "/a").Code)
	var g sync.WaitGroup
	for range 4 {
		g.Go(func() {
			for range 100 {
				serve(h, http.MethodGet, "/a")
				h.SetMap(two)
			}
		})
	}
	g.Wait()
	assert.Equal(t, http.StatusNotFound, serve(h, http.MethodGet, "/a").Code)
	h.SetMap(nil)
	assert.Equal(t, http.StatusNotFound, serve(h, http.MethodGet, "/b").Code)
}

// The URLs in a manifest are relative, so that they work under an alias.
func TestManifestUnderAlias(t *testing.T) {
	m := parse(t, "/{guid}/old.ism/* /sample.ism/*\n/moved/* /sample.ism/* 301")
	inner := smooth.NewHandler(smooth.FS(smoothtest.Sample(), nil), nil)
	server := httptest.NewServer(http.StripPrefix("/azure", alias.NewHandler(inner, m, nil)))
	defer server.Close()
	get := func(path string) string {
		res, err := server.Client().Get(server.URL + path)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode, path)
		return string(body)
	}
	plain := get("/azure/sample.ism/Manifest")
	assert.Equal(t, plain, get("/azure/"+strings.ToUpper(id)+"/Old.ism/manifest"))
	assert.Equal(t, plain, get("/azure/moved/Manifest"), "by a redirect")
	manifest, err := smooth.ParseManifest([]byte(plain))
	require.NoError(t, err)
	stream := manifest.Streams[0]
	below := strings.NewReplacer("{bitrate}", itoa(stream.Levels[0].Bitrate), "{start time}", "0").Replace(stream.URL)
	fragment := get("/azure/sample.ism/" + below)
	assert.NotEmpty(t, fragment)
	assert.Equal(t, fragment, get("/azure/"+id+"/old.ism/"+below))
	assert.Equal(t, fragment, get("/azure/moved/"+below))
}

func itoa(v uint64) string { return strconv.FormatUint(v, 10) }
