package iis_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/iis"
)

func TestFiltering(t *testing.T) {
	f := iis.DefaultSettings().Filtering
	strict := f
	strict.AllowHighBit, strict.AllowUnlistedExtensions, strict.AllowUnlistedVerbs = false, false, false
	strict.Extensions = []iis.ExtensionRule{{Extension: ".ism", Allowed: true}, {Extension: ".mp4", Allowed: true}}
	strict.Verbs = []iis.VerbRule{{Verb: "GET", Allowed: true}}
	strict.DeniedSequences, strict.DeniedQuerySequences = []string{"/./", "<Script"}, []string{"union select"}
	loose := iis.Filtering{AllowDoubleEscaping: true, AllowHighBit: true, AllowUnlistedExtensions: true, AllowUnlistedVerbs: true}
	for _, c := range []struct {
		filtering *iis.Filtering
		request   string
		length    int64
		want      iis.Denial
	}{
		{&f, "GET /a.mp4", 0, 0}, {&f, "ANY /", 0, 0},
		{&f, "GET /x/WEB.CONFIG", 0, iis.DeniedSegment}, {&f, "GET /app_CODE/x/y", 0, iis.DeniedSegment}, {&f, "GET /binary/x", 0, 0},
		{&f, "GET /x.cs", 0, iis.DeniedExtension}, {&f, "GET /x.CONFIG/more", 0, iis.DeniedExtension}, {&f, "GET /x.css", 0, 0},
		{&f, "POST /a", 30_000_000, 0}, {&f, "POST /a", 30_000_001, iis.DeniedContentLength}, {&f, "POST /a", -1, 0},
		{&f, "GET /" + strings.Repeat("a", 4095), 0, 0}, {&f, "GET /" + strings.Repeat("a", 4096), 0, iis.DeniedURLLength},
		{&f, "GET /?" + strings.Repeat("a", 2049), 0, iis.DeniedQueryLength},
		{&f, "GET /a%252e.mp4",
			0, iis.DeniedDoubleEscape}, {&f, "GET /a+b.mp4", 0, iis.DeniedDoubleEscape}, {&f, "GET /100%25.mp4", 0, 0},
		{&f, "GET /%C3%A4.mp4", 0, 0},
		{&loose, "GET /a%252e+b/web.config", 0, 0}, {&loose, "PUT /x.cs", 30_000_000, 0},
		{&strict, "GET /%C3%A4.mp4", 0, iis.DeniedHighBit}, {&strict, "GET /a.mp4", 0, 0}, {&strict, "HEAD /a.mp4", 0, iis.DeniedVerb},
		{&strict, "GET /a.wmv", 0, iis.DeniedExtension}, {&strict, "GET /a.ism/Fragments(v=0)", 0, 0}, {&strict, "GET /", 0, 0},
		{&strict, "GET /dir", 0, iis.DeniedExtension}, {&strict, "GET /a%3CsCRIPT.mp4", 0, iis.DeniedSequence},
		{&strict, "GET /a.mp4?q=UNION%20SELECT",
			0, iis.DeniedQuerySequence}, {&strict, "GET /a.mp4?q=union+select", 0, iis.DeniedQuerySequence},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		u, err := url.ParseRequestURI(target)
		require.NoError(t, err)
		assert.Equal(t, c.want, c.filtering.Check(&http.Request{Method: method, URL: u, ContentLength: c.length}), c.request)
	}
}

func TestFilter(t *testing.T) {
	var address netip.Addr
	h, err := iis.NewFilter(echo(), &iis.FilterOptions{
		Config: serverConfig(t), Site: siteName, Address: func(*http.Request) netip.Addr { return address }, Logger: options(nil).Logger,
	})
	require.NoError(t, err)
	address = netip.MustParseAddr("203.0.113.1")
	for request, want := range map[string]int{
		"/a.ism/Manifest": 200, "/bin/a": 404, "/a%5Cb": 404, "/a%00b": 404, "/a..b": 404, "TRACE /a": 404, "/old/x": 301, "POST /live.isml/Streams(a)": 200,
		"/\u017fecret": 200,
	} {
		assert.Equal(t, want, do(t, h, request).StatusCode, request)
	}
	res := do(t, h, "/a.ism/Manifest")
	assert.Equal(t, "ASP.NET", res.Header.Get("X-Powered-By"))
	assert.Equal(t, "http://archive.example.org/new/x", do(t, h, "/old/x").Header.Get("Location"))
	address = netip.MustParseAddr("198.51.100.1")
	assert.Equal(t, 403, do(t, h, "/a.ism/Manifest").StatusCode)

	h, err = iis.NewFilter(echo(), nil)
	require.NoError(t, err)
	assert.Equal(t, 404, do(t, h, "/web.config").StatusCode)
	_, err = iis.NewFilter(echo(), &iis.FilterOptions{Config: serverConfig(t), Settings: iis.DefaultSettings()})
	require.ErrorIs(t, err, iis.ErrOptions)
}

// TestFilterCannotBeGoneAround: names that reach the same directory have the same settings.
func TestFilterCannotBeGoneAround(t *testing.T) {
	c, err := iis.Parse([]byte(`<configuration><location path="S/secret"><system.webServer><security>
		<ipSecurity allowUnlisted="false"/></security></system.webServer></location></configuration>`))
	require.NoError(t, err)
	h, err := iis.NewFilter(echo(), &iis.FilterOptions{
		Config: c, Site: "S", Address: func(*http.Request) netip.Addr { return netip.IPv4Unspecified() }, Logger: options(nil).Logger,
	})
	require.NoError(t, err)
	for _, target := range []string{
		"/secret", "/SECRET/x", "//secret/x", "/a/../secret/x", "/./secret/x", "/%73ecret/x", "/%C5%BFecret/x", "/secret%2Fx", "/../secret",
	} {
		assert.Equal(t, 403, do(t, h, target).StatusCode, target)
	}
	assert.Equal(t, 200, do(t, h, "/secrets/x").StatusCode)
}

func TestFilterKeepsTheWriter(t *testing.T) {
	w := &sendWriter{ResponseRecorder: httptest.NewRecorder()}
	next := http.HandlerFunc(func(got http.ResponseWriter, _ *http.Request) { assert.Same(t, w, got) })
	filter, err := iis.NewFilter(next, nil)
	require.NoError(t, err)
	h, err := iis.NewRewrite(filter, nil, nil)
	require.NoError(t, err)
	h.ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
}

func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		redirect      iis.Redirect
		request, want string
	}{
		{iis.Redirect{Destination: "http://x/y"}, "/a/b?c=d", "302 http://x/y/a/b?c=d"},
		{iis.Redirect{Destination: "http://x/y/", Status: 308}, "/a", "308 http://x/y/a"},
		{iis.Redirect{Destination: "http://x/y#z", Exact: true, Status: 307}, "/a?b", "307 http://x/y#z"},
		{iis.Redirect{Destination: "http://x$S?was=$V"}, "/a/b?c", "302 http://x/a/b?was=/a/b?c"},
		{iis.Redirect{Destination: "/new$S$Q"}, "/a?b", "302 /new/a?b"},
		{iis.Redirect{Destination: "/new?$P"}, "/a?b=c", "302 /new?b=c"},
		{iis.Redirect{Destination: "http://x/", ChildOnly: true}, "/a/b", "200 "},
		{iis.Redirect{Destination: "http://x/", ChildOnly: true}, "/a", "302 http://x/a"},
		{iis.Redirect{Destination: "/$S", Exact: true}, "//evil.example/x", "302 /evil.example/x"},
		{iis.Redirect{Destination: "http://x/"}, "/a%0D%0AX:%20y", "302 "},
		{iis.Redirect{Destination: "http://x", Status: 200}, "/a%22b%20c", "302 http://x/a%22b%20c"},
	} {
		s := iis.DefaultSettings()
		c.redirect.Enabled = true
		s.Redirect = c.redirect
		s.RedirectHeaders = []iis.Header{{Name: "X-R", Value: "1"}}
		h, err := iis.NewFilter(echo(), &iis.FilterOptions{Settings: s, Logger: options(nil).Logger})
		require.NoError(t, err)
		res := do(t, h, c.request)
		if strings.Contains(c.request, "%0D") {
			assert.Equal(t, 404, res.StatusCode)
			continue
		}
		assert.Equal(t, c.want, statusText(res)+" "+res.Header.Get("Location"), c.request)
	}
}

func statusText(res *http.Response) string { return strings.Fields(res.Status)[0] }
