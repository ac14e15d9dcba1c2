package playlist

import (
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// here is the place of the playlist in most tests.
var here = place{file: "lists/evening.isx"}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}

func TestRelativeURI(t *testing.T) {
	for src, want := range map[string]place{
		"a.wmv":                      {file: "lists/a.wmv"},
		" a.wmv\n":                   {file: "lists/a.wmv"},
		"./ads/./a.wmv":              {file: "lists/ads/a.wmv"},
		`ads\a.wmv`:                  {file: "lists/ads/a.wmv"},
		"../media/a.wmv":             {file: "media/a.wmv"},
		`..\media\a.wmv`:             {file: "media/a.wmv"},
		"%2e%2e/media/a.wmv":         {file: "media/a.wmv"},
		"ads/../../a.wmv":            {file: "a.wmv"},
		"/media/a.wmv":               {file: "media/a.wmv"},
		`\media\a.wmv`:               {file: "media/a.wmv"},
		"ads//a.wmv":                 {file: "lists/ads/a.wmv"},
		"My%20Film.wmv":              {file: "lists/My Film.wmv"},
		"My Film.wmv":                {file: "lists/My Film.wmv"},
		"100% live.wmv":              {file: "lists/100% live.wmv"},
		"100%.wmv":                   {file: "lists/100%.wmv"},
		"%C3%BCber.wmv":              {file: "lists/über.wmv"},
		"über.wmv":                   {file: "lists/über.wmv"},
		"a+b.wmv":                    {file: "lists/a+b.wmv"},
		"a.wmv?x=1":                  {file: "lists/a.wmv", query: "x=1"},
		"a.wmv?x=1&y=/../..#t=3?":    {file: "lists/a.wmv", query: "x=1&y=/../..", fragment: "t=3?"},
		"a.wmv#t=3":                  {file: "lists/a.wmv", fragment: "t=3"},
		"what%3F.wmv":                {file: "lists/what?.wmv"},
		"%23one.wmv":                 {file: "lists/#one.wmv"},
		"console.wmv":                {file: "lists/console.wmv"},
		"com10.wmv":                  {file: "lists/com10.wmv"},
		".hidden/a.wmv":              {file: "lists/.hidden/a.wmv"},
		"...a.wmv":                   {file: "lists/...a.wmv"},
		"nested.isx":                 {file: "lists/nested.isx"},
		"x/y/../../../lists/./b.wmv": {file: "lists/b.wmv"},
	} {
		got, err := resolvePlace(here, RelativeURI, src, nil)
		if assert.NoError(t, err, src) {
			assert.Equal(t, want, got, src)
		}
	}
}

// forbiddenURIs are relative URIs that lead elsewhere, or would on some system.
var forbiddenURIs = []string{
	"", "?x=1", "#top", ".", "..", "./", "ads/", `ads\`, "ads/..", "/", `\`, "/.",
	"../../a.wmv", `..\..\a.wmv`, `../..\a.wmv`, "/../a.wmv", `\..\a.wmv`, "ads/../../../a.wmv",
	"%2e%2e/%2e%2e/a.wmv", "%2E./.%2e/a.wmv", `..\%2e%2e\a.wmv`,
	"..%2f..%2fa.wmv", "..%5c..%5ca.wmv", "ads%2Fa.wmv", "%2fetc/passwd", "%5C%5Chost/x",
	"%252e%252e/a.wmv", "..%252f..%252fa.wmv", "a%253a.wmv", "a%2500.wmv",
	"//host/a.wmv", `\\host\share\a.wmv`, `/\host\a.wmv`, `\/host/a.wmv`, "///a.wmv",
	"http://host/a.wmv", "httpd://host/", "file:///etc/passwd", "javascript:alert(1)",
	`C:\x`, "C:/x", "c:x", "C%3A/x", `\\?\C:\x`, `\\.\PhysicalDrive0`,
	"a.wmv::$DATA", "a.wmv:stream", "a.wmv%3A%3A$DATA", "ads:$I30:$INDEX_ALLOCATION/a.wmv",
	"CON", "con.wmv", "ads/NUL", "aux.txt", "COM1", "com0.x", "lpt9.tar.gz", "PRN .txt", "ads/Aux/a.wmv", "CONIN$", "conout$.txt",
	"COM\u00b9", "LPT\u00b3.x", "nul/../a.wmv",
	"a.wmv.", "a.wmv ./b", "ads./a.wmv", "ads /a.wmv", "a.wmv%20", "a.wmv%2e", ".../a.wmv", ".. /.. /a.wmv",
	"a\x00.wmv", "a%00.wmv", "a%0d%0a.wmv", "a\nb.wmv", "a\x7f.wmv", "a\u0085b", "\xff.wmv", "%ff.wmv", "%c0%ae%c0%ae/a.wmv",
}

func TestRelativeURIForbidden(t *testing.T) {
	for _, src := range append(forbiddenURIs, strings.Repeat("a/", maxSource)+"a") {
		got, err := resolvePlace(here, RelativeURI, src, nil)
		assert.ErrorIs(t, err, ErrForbiddenSource, "%q", src)
		assert.Zero(t, got, "%q", src)
	}
}

// TestRelativeToOddLists: what is wrong with the path of a playlist is wrong with all that is next to it.
func TestRelativeToOddLists(t *testing.T) {
	for _, list := range []string{"a\x00/list.isx", "a::$DATA/list.isx", "nul/list.isx", "a./list.isx", `..\..\x/list.isx`} {
		_, err := resolvePlace(place{file: list}, RelativeURI, "a.wmv", nil)
		assert.ErrorIs(t, err, ErrForbiddenSource, "%q", list)
		got, err := resolvePlace(place{file: list}, RelativeURI, "/a.wmv", nil)
		assert.NoError(t, err, "%q", list)
		assert.Equal(t, place{file: "a.wmv"}, got)
	}
}

// TestPlaceErrorsTellNothing: what is logged above debug has no part of the source.
func TestPlaceErrorsTellNothing(t *testing.T) {
	for _, typ := range []SrcType{PhysicalPath, RelativeURI, RemoteURL} {
		_, err := resolvePlace(here, typ, `ftp://../../secret\film:x`, &physicalRoots{})
		require.ErrorIs(t, err, ErrForbiddenSource, typ)
		assert.NotContains(t, err.Error(), "secret", typ)
		assert.Contains(t, err.(interface{ Debug() string }).Debug(), "secret", typ)
	}
	_, err := resolvePlace(here, SrcType(7), "a.wmv", nil)
	assert.EqualError(t, err, "playlist: source not allowed: unknown type of source")
}

func TestPhysicalPath(t *testing.T) {
	roots, err := newPhysicalRoots(map[string]string{
		`C:\inetpub\wwwroot`: "", `c:/inetpub/wwwroot/Ads/`: "ads", `D:\`: "d", `\\Server\Share\media`: "share",
		"/srv/media": "unix",
	})
	require.NoError(t, err)
	for src, want := range map[string]place{
		`C:\inetpub\wwwroot\a.wmv`:            {file: "a.wmv"},
		`c:/INETPUB\WWWRoot/Films/a.wmv`:      {file: "Films/a.wmv"},
		`C:\inetpub\wwwroot\ads\a.wmv`:        {root: "ads", file: "a.wmv"},
		`C:\inetpub\wwwroot\adsx\a.wmv`:       {file: "adsx/a.wmv"},
		`C:\inetpub\wwwroot\ads`:              {file: "ads"},
		`C:\inetpub\x\..\wwwroot\.\\a.wmv`:    {file: "a.wmv"},
		`C:\inetpub\wwwroot\ads\..\b.wmv`:     {file: "b.wmv"},
		`D:\a\b.wmv`:                          {root: "d", file: "a/b.wmv"},
		`\\server\SHARE\Media\a.wmv`:          {root: "share", file: "a.wmv"},
		`//server/share/media/x/a.wmv`:        {root: "share", file: "x/a.wmv"},
		"/srv/media/a.wmv":                    {root: "unix", file: "a.wmv"},
		`\srv\media\a.wmv`:                    {root: "unix", file: "a.wmv"},
		`C:\inetpub\wwwroot\100% live #1.wmv`: {file: "100% live #1.wmv"},
	} {
		got, err := resolvePlace(here, PhysicalPath, src, roots)
		if assert.NoError(t, err, src) {
			assert.Equal(t, want, got, src)
		}
	}
	for _, src := range []string{
		"", "a.wmv", `..\a.wmv`, `C:a.wmv`, `C:`, `C:\`, `C:\inetpub\wwwroot`, `C:\inetpub\wwwroot\`, `C:\inetpub\wwwroot\.`,
		`C:\inetpub\wwwrootx\a.wmv`, `C:\inetpub\wwwroot\..\a.wmv`, `C:\inetpub\wwwroot\..\..\..\a.wmv`, `D:\..\a.wmv`,
		`E:\a.wmv`, `\\server\share\..\media\a.wmv`, `\\server\other\media\a.wmv`, `\\server\share`, `\\server`, `\\`,
		`\\\share\media\a`,
		`\\?\C:\inetpub\wwwroot\a.wmv`, `\\.\C:\inetpub\wwwroot\a.wmv`, `\??\C:\inetpub\wwwroot\a.wmv`,
		`\\?\UNC\server\share\media\a.wmv`,
		`file:///C:/inetpub/wwwroot/a.wmv`, "/srv/a.wmv", "/srv/media", "/srv/media/../a", `\\ser:ver\share\media\a`,
		`C:\inetpub\wwwroot\a.wmv::$DATA`, `C:\inetpub\wwwroot\NUL`, `C:\inetpub\wwwroot\a.wmv.`, "C:\\inetpub\\wwwroot\\a\x00.wmv",
		`C:\inetpub\wwwroot\..%2fa.wmv`, `1:\inetpub\wwwroot\a.wmv`, "\u017f:\\a",
	} {
		got, err := resolvePlace(here, PhysicalPath, src, roots)
		assert.ErrorIs(t, err, ErrForbiddenSource, "%q", src)
		assert.Zero(t, got, "%q", src)
	}
}

func TestPhysicalPathOff(t *testing.T) {
	_, err := resolvePlace(here, PhysicalPath, `C:\inetpub\wwwroot\a.wmv`, nil)
	assert.ErrorIs(t, err, ErrForbiddenSource, "absolute paths are off")
	roots, err := newPhysicalRoots(map[string]string{`C:\`: "c"})
	require.NoError(t, err)
	_, err = resolvePlace(place{remote: mustURL(t, "http://host/a.isx")}, PhysicalPath, `C:\a.wmv`, roots)
	assert.ErrorIs(t, err, ErrForbiddenSource, "a playlist from elsewhere")
}

func TestPhysicalRootErrors(t *testing.T) {
	for dir, want := range map[string]string{
		"": "no absolute path", "media": "no absolute path", `C:media`: "no absolute path", `\\?\C:\`: "device namespace",
		`C:\..`: "leads out", `C:\con`: "name of a device", `\\server`: "share without a name",
	} {
		_, err := newPhysicalRoots(map[string]string{dir: "x"})
		assert.ErrorContains(t, err, want, dir)
	}
	_, err := newPhysicalRoots(map[string]string{`C:\media`: "a", `c:/MEDIA/`: "b"})
	assert.ErrorContains(t, err, "is there twice")
}

func TestRelativeInRoot(t *testing.T) {
	got, err := resolvePlace(place{root: "ads", file: "x/list.isx"}, RelativeURI, "../a.wmv", nil)
	require.NoError(t, err)
	assert.Equal(t, place{root: "ads", file: "a.wmv"}, got)
}

func TestRelativeToRemote(t *testing.T) {
	list := place{remote: mustURL(t, "http://host:81/lists/evening.isx?token=1")}
	for src, want := range map[string]string{
		"a.wmv": "http://host:81/lists/a.wmv", "../b.wmv?x=1": "http://host:81/b.wmv?x=1", "/c.wmv": "http://host:81/c.wmv",
		`..\..\..\d.wmv`: "http://host:81/d.wmv", "My Film.wmv": "http://host:81/lists/My%20Film.wmv",
	} {
		got, err := resolvePlace(list, RelativeURI, src, nil)
		if assert.NoError(t, err, src) {
			assert.Equal(t, want, got.remote.String())
		}
	}
	for _, src := range []string{"//other/a.wmv", `\\other\a.wmv`, "http://other/a", "http://host:81/a", "ftp:a",
		"a%zz", "//u@host:81/a"} {
		_, err := resolvePlace(list, RelativeURI, src, nil)
		assert.ErrorIs(t, err, ErrForbiddenSource, src)
	}
}

func TestRemoteURL(t *testing.T) {
	for src, want := range map[string]string{
		"http://host/a.wmv":               "http://host/a.wmv",
		" HTTPS://Host:8443/a.wmv?x=1 ":   "https://Host:8443/a.wmv?x=1",
		"http://host":                     "http://host",
		"http://[2001:db8::1]:80/a":       "http://[2001:db8::1]:80/a",
		"http://host/My Film.wmv":         "http://host/My%20Film.wmv",
		"http://host/a?q=x y HTTP/1.1":    "http://host/a?q=x%20y%20HTTP/1.1",
		"http://host/a?q=\u00fc\"<>%20;|": "http://host/a?q=%C3%BC%22%3C%3E%20;%7C",
		`http://host/a\b`:                 "http://host/a%5Cb",
	} {
		got, err := resolvePlace(here, RemoteURL, src, nil)
		if assert.NoError(t, err, src) {
			assert.Equal(t, want, got.remote.String())
		}
	}
	for _, src := range []string{
		"", "a.wmv", "/a.wmv", "//host/a.wmv", "http:", "http:a", "http:///a", "http://:80/", "ftp://host/a",
		"file:///etc/passwd", "mms://host/a",
		"httpd://host/a", "javascript:alert(1)", "http://user:pw@host/a", "http://user@host/", `http://host\@other/`,
		"http://ho st/",
		"http://host:0/", "http://host:65536/", "http://host:x/", "http://[fe80::1%25eth0]/", "http://host/\r\nX: y",
		"http://host/\x00",
		"http://host/\xff", "http://host%2f@other/", "http://host/%zz", "http://host/" + strings.Repeat("a", maxSource),
	} {
		_, err := resolvePlace(here, RemoteURL, src, nil)
		assert.ErrorIs(t, err, ErrForbiddenSource, "%q", src)
	}
}

func FuzzPlace(f *testing.F) {
	for _, src := range append(forbiddenURIs, "a.wmv", "../media/a.wmv?x=1#y", "http://host/a b?c d", `C:\media\a.wmv`,
		`\\server\share\a.wmv`) {
		for t := range 3 {
			f.Add("lists/evening.isx", src, t)
		}
	}
	f.Add("a\x00/list.isx", "a.wmv", int(RelativeURI))
	roots, err := newPhysicalRoots(map[string]string{`C:\media`: "c", `\\server\share`: "share", "/": "unix"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, list, src string, typ int) {
		if !fs.ValidPath(list) {
			list = here.file
		}
		for _, from := range []place{{file: list}, {remote: &url.URL{Scheme: "http", Host: "host", Path: "/" + list}}} {
			got, err := resolvePlace(from, SrcType(typ), src, roots)
			if err != nil {
				assert.ErrorIs(t, err, ErrForbiddenSource)
				continue
			}
			checkPlace(t, from, SrcType(typ), got)
		}
	})
}

// checkPlace checks what holds for every place.
func checkPlace(t *testing.T, from place, typ SrcType, got place) {
	t.Helper()
	if got.remote != nil {
		assert.Empty(t, got.file)
		again, err := url.Parse(got.remote.String())
		require.NoError(t, err)
		assert.Contains(t, []string{"http", "https"}, again.Scheme)
		assert.Equal(t, got.remote.Host, again.Host, "the same for every reader")
		assert.Nil(t, again.User)
		assert.NotContains(t, got.remote.RequestURI(), " ")
		if typ == RelativeURI {
			assert.Equal(t, from.remote.Host, again.Host)
		}
		return
	}
	assert.Nil(t, from.remote, "a list from elsewhere names no file")
	assert.True(t, fs.ValidPath(got.file) && got.file != ".", got.file)
	assert.NotContains(t, got.file, `\`)
	assert.NotContains(t, got.file, "\x00")
	assert.NotContains(t, got.file, ":")
}
