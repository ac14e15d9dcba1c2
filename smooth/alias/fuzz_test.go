package alias_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/alias"
)

// FuzzParse: what is read can be written and read again as the same rules, and errors are bounded.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"/a /b", "/a/* -> /b/* # c\nh.example/{guid}/{x:name}.ism/{rest...} https://x:8/{x}?a=b#c 308 exact-case\n/d 410", "*.example/%2A%20 /ä%25/\r\n",
		"/a /b 301\n/b /a 301", "/a/* /a/b/* 302", "bad\n/{name /b", "\xff\xfe/\x00a\x00 \x00/\x00b\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := alias.Parse(bytes.NewReader(data))
		if err != nil {
			assert.Nil(t, m)
			assert.Less(t, len(err.Error()), 40_000)
			return
		}
		text, err := m.AppendText(nil)
		require.NoError(t, err)
		again, err := alias.Parse(bytes.NewReader(text))
		require.NoError(t, err, "%q", text)
		want, got := m.Rules(), again.Rules()
		for i := range want {
			want[i].Line = got[i].Line
		}
		assert.Equal(t, want, got)
	})
}

// FuzzBuild: a rule that can be built is a line of a map file, which is read as the same rule.
func FuzzBuild(f *testing.F) {
	f.Add("", "/a/{guid}/x{n:number}.ism/*", "/b/{n}/{guid}/*", uint16(0), false)
	f.Add("*.example.com", "/%20%2A/ä", "https://h:8/x?y=%20#z", uint16(301), true)
	f.Add("h", "/a b", "/b c", uint16(302), false)
	f.Add("h", "/a/", "", uint16(410), true)
	f.Fuzz(func(t *testing.T, host, from, to string, status uint16, exact bool) {
		m, err := alias.Build(alias.Rule{Host: host, From: from, To: to, Status: int(status), ExactCase: exact})
		if err != nil {
			assert.Less(t, len(err.Error()), 2000)
			return
		}
		text, err := m.AppendText(nil)
		require.NoError(t, err)
		again, err := alias.Parse(bytes.NewReader(text))
		require.NoError(t, err, "%q", text)
		want := m.Rules()
		want[0].Line = 1
		assert.Equal(t, want, again.Rules())
	})
}

// FuzzHandler: what a client asks for never leads out of the target, chooses a host, or makes a request whose forms of
// the path disagree.
func FuzzHandler(f *testing.F) {
	rules := "/in/* /vod/*\n/r/* /vod/* 301\n/{number}/{name}.ism/{b:name} /vod/x{name}/{b}\n/s/{name} /vod/{name} 302\n/t/* https://x.example/vod/* 307\n" +
		"/vod/* /vod/*\n/d/{name} /vod/.{name}"
	m, err := alias.Parse(strings.NewReader(rules))
	require.NoError(f, err)
	for _, seed := range []string{
		"/in/../x", "/in/%2e%2e/x", "/in/..%2Fx", "/r//evil.example", "/r/%2Fevil.example", `/s/\evil.example`, "/s/%5Cevil.example", "/s/%09/evil",
		"/1/a.ism/b(%20)?q", "/t/@evil.example", "/t/.evil.example", "/IN/a%2520b", "/in/\xff", "/d/.", "/in/a;b", "/r/javascript:x", "/r/ſ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || u.Opaque != "" || u.Scheme != "" {
			return
		}
		var inner seen
		h := alias.NewHandler(&inner, m, nil)
		r := &http.Request{Method: http.MethodGet, URL: u, Host: "h.example", Header: make(http.Header)}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if inner.r == r {
			return // no rule
		}
		if inner.r == nil {
			checkLocation(t, u, w.Header().Get("Location"))
			return
		}
		to := inner.r.URL
		assert.Equal(t, u.RawQuery, to.RawQuery)
		checkPath(t, to.Path)
		if to.RawPath != "" {
			assert.Equal(t, to.RawPath, to.EscapedPath(), "an encoding of the path")
		}
	})
}

func checkPath(t *testing.T, p string) {
	t.Helper()
	if p != "/vod" {
		assert.True(t, strings.HasPrefix(p, "/vod/"), "%q", p)
	}
	assert.Equal(t, path.Clean(p), strings.TrimSuffix(p, "/"))
	assert.NotContains(t, p, `\`)
}

func checkLocation(t *testing.T, from *url.URL, location string) {
	t.Helper()
	assert.False(t, strings.ContainsFunc(location, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }) && from.RawQuery == "", "%q", location)
	base := *from
	base.Scheme, base.Host = "http", "h.example"
	to, err := base.Parse(location)
	require.NoError(t, err)
	if to.Host != "x.example" {
		assert.Equal(t, "h.example", to.Host)
		assert.True(t, strings.HasPrefix(location, "../") || strings.HasPrefix(location, "./"), "%q", location)
	}
	checkPath(t, to.Path)
}

// FuzzCatalog: whatever a list says, the rules for it can be built and written.
func FuzzCatalog(f *testing.F) {
	for _, seed := range []string{cliList, restList, assetList, v2List, id + ",film", "locator;container\n" + id + ";a", "[[", "{}", "\"", "\xff\xfe["} {
		f.Add([]byte(seed))
	}
	fsys := fstest.MapFS{"film/a.ism": {}, "asset-" + id3 + "/b.ism": {}, "my-films/a.ism": {}}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c alias.Catalog
		if err := c.Read(bytes.NewReader(data)); err != nil {
			assert.Less(t, len(err.Error()), 40_000)
		}
		for _, l := range c.Locators {
			assert.Len(t, l.ID, 36)
			assert.NotEqual(t, "", l.Asset+l.Container)
		}
		inv, err := alias.Scan(fsys, &alias.ScanOptions{Catalog: &c})
		require.NoError(t, err)
		m, err := inv.Map()
		require.NoError(t, err)
		text, err := inv.AppendText(nil)
		require.NoError(t, err)
		again, err := alias.Parse(bytes.NewReader(text))
		require.NoError(t, err, "%q", text)
		assert.Equal(t, m.Len(), again.Len())
	})
}
