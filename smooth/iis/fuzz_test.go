package iis_test

import (
	"io/fs"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/iis"
)

// FuzzParse: what is read has notes in order within the bounds, settings for every place, and rules that handlers
// take.
func FuzzParse(f *testing.F) {
	server := func(s string) string { return "<system.webServer>" + s + "</system.webServer>" } // small, or minimising takes all the time
	for _, doc := range []string{
		server("<staticContent><clear/><mimeMap fileExtension='.a' mimeType='b/c'/><clientCache cacheControlMode='UseMaxAge' cacheControlMaxAge='1.00:00:00'/></staticContent>"),
		server("<security><requestFiltering><verbs allowUnlisted='false'><add verb='GET' allowed='true'/></verbs></requestFiltering></security>"),
		server("<security><ipSecurity><add ipAddress='10.0.0.0' subnetMask='255.0.0.0'/><remove ipAddress='10.0.0.0'/></ipSecurity></security>"),
		server("<handlers><add name='a' path='*.ism' verb='GET, HEAD' modules='x'/></handlers>"),
		server("<httpRedirect enabled='true' destination='/x$S'/><httpProtocol><customHeaders><add name='a' value='b'/></customHeaders></httpProtocol>"),
		server("<rewrite><rewriteMaps><rewriteMap name='a'><add key='b' value='c'/></rewriteMap></rewriteMaps></rewrite>"),
		"<configuration><configSections><section name='a' overrideModeDefault='Deny'/></configSections><location path='a' overrideMode='Deny'/></configuration>",
		"<system.applicationHost><sites><site name='a' id='1'><application path='/'><virtualDirectory path='/' physicalPath='C:' password='p'/></application></site></sites></system.applicationHost>",
		"<system.webServer/>", "<location path='a'/><location path='b'/>", "\xff\xfe<\x00a\x00/\x00>\x00", "<!DOCTYPE a>", "<configuration><a",
		"<configuration><location path='.'><location path='x'/></location></configuration>",
		"<system.webServer><rewrite><rules><rule name='a'><match url='{R:0}'/><action type='Rewrite' url='{a:{R:1}}'/></rule></rules></rewrite></system.webServer>",
		"<system.applicationHost><sites><site name='a'><bindings><binding protocol='http' bindingInformation='::'/></bindings></site></sites></system.applicationHost>",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := iis.Parse(data)
		if err != nil {
			var e *iis.ConfigError
			require.ErrorAs(t, err, &e)
			return
		}
		require.LessOrEqual(t, len(c.Notes), iis.MaxNotes+1)
		for i, n := range c.Notes {
			require.NotEmpty(t, n.Text)
			if i > 0 && n.Line > 0 {
				require.GreaterOrEqual(t, n.Line, c.Notes[i-1].Line)
			}
		}
		for _, site := range append(c.Sites, iis.Site{}) {
			s := c.For(site.Name, "videos/locked")
			require.NotNil(t, s)
			for _, r := range s.Rewrite.Rules {
				_, err := iis.NewRewrite(nil, &iis.Rewrite{Rules: []iis.RewriteRule{r}, Maps: s.Rewrite.Maps}, &iis.RewriteOptions{FS: fstest.MapFS{}})
				if err != nil { // only what other sections have to say
					require.ErrorContains(t, err, "is not there")
				}
			}
			over, err := iis.ParseOver(s, []byte("<system.webServer><directoryBrowse/></system.webServer>"))
			require.NoError(t, err)
			require.Equal(t, s.StaticContent.Types, over.For("", "").StaticContent.Types)
		}
	})
}

// FuzzMapPath: what is mapped is below the directory of the table.
func FuzzMapPath(f *testing.F) {
	for _, s := range []string{`C:\a\b`, `%SystemDrive%\..\x`, `\\nas\media\..\..\x`, "c:/", `C:\a\CON\..\b`, "%%", `C:\%X%`, `\\?\C:\a`} {
		f.Add(s)
	}
	p, err := iis.NewPaths(map[string]string{"C:": "/srv/c", `C:\a`: "/srv/a", `\\nas\media`: "/srv/nas", "%X%": `..\..`})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		local, ok := p.Map(s)
		if !ok {
			require.Empty(t, local)
			return
		}
		require.Equal(t, filepath.Clean(local), local)
		local = filepath.ToSlash(local)
		below := func(dir string) bool { return local == dir || strings.HasPrefix(local, dir+"/") }
		require.True(t, below("/srv/c") || below("/srv/a") || below("/srv/nas"), local)
		require.NotContains(t, local, "\x00")
		again, ok := p.Map(strings.ReplaceAll(s, `\`, "/"))
		require.True(t, ok, "either slash is the same")
		require.Equal(t, local, filepath.ToSlash(again))
	})
}

// strictFS fails the test when it is asked for what a handler must not ask for.
type strictFS struct {
	t *testing.T
	fstest.MapFS
}

func (s strictFS) Open(name string) (fs.File, error) {
	require.True(s.t, fs.ValidPath(name), name)
	require.NotContains(s.t, name, `\`)
	require.NotContains(s.t, name, ":")
	return s.MapFS.Open(name)
}

// FuzzFiles: whatever the path is, the file system gets valid names only, what is kept back stays so, and redirects
// stay where they are.
func FuzzFiles(f *testing.F) {
	for _, p := range []string{
		"/a.mp4", "/SECRET/web.config", "/dir", "/..%2fa.mp4", "/a.mp4::$DATA", "//evil.example/", "/dir%5c..", "/%00", "/b.ism.", "/.git/x", "/web~1.con",
	} {
		f.Add(p)
	}
	files := fstest.MapFS{
		"a.mp4": {Data: []byte("fine")}, "dir/index.html": {Data: []byte("fine")}, "web.config": {Data: []byte("kept")}, "b.ism": {Data: []byte("kept")},
		"bin/a.txt": {Data: []byte("kept")}, ".git/a.txt": {Data: []byte("kept")}, "secret/a.mp4": {Data: []byte("kept")}, "b.ismv": {Data: []byte("kept")},
	}
	settings := iis.DefaultSettings()
	settings.Filtering.HiddenSegments = append(settings.Filtering.HiddenSegments, "secret")
	settings.DirectoryBrowse = true
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" {
			return
		}
		h, err := iis.NewFiles(strictFS{t, files}, options(func(o *iis.FilesOptions) { o.Settings, o.Index = settings, true }))
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/", nil)
		r.URL, r.RequestURI = u, target
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.NotContains(t, w.Body.String(), "kept")
		require.NotEqual(t, 500, w.Code)
		if location := w.Header().Get("Location"); location != "" {
			require.True(t, strings.HasPrefix(location, "./"), location)
			require.NotContains(t, location, "\n")
		}
	})
}

// FuzzRewrite: whatever a client asks for, a rule that takes it over leads to the same host.
func FuzzRewrite(f *testing.F) {
	for _, p := range []string{"/old/a", "/old//evil.example", `/old/\evil`, "/old/http://evil.example", "/old/%0d%0aX:%20y", "/old/%2f%2fevil", "/new/x?y#z"} {
		f.Add(p)
	}
	rules := rulesOf(f, `<rule name="a"><match url="^old/(.*)"/><action type="Redirect" url="{R:1}"/></rule>
		<rule name="b"><match url="^new(.*)"/><action type="Redirect" url="{R:1}?{QUERY_STRING}" appendQueryString="false"/></rule>
		<rule name="c"><match url="(.*)"/><action type="Rewrite" url="in/{R:1}"/></rule>`, "")
	h, err := iis.NewRewrite(echo(), rules, &iis.RewriteOptions{Logger: options(nil).Logger})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || u.Opaque != "" {
			return
		}
		r := httptest.NewRequest("GET", "http://here/", nil)
		base := *u
		base.Scheme, base.Host = "http", "here"
		r.URL, r.RequestURI = u, target
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		location := w.Header().Get("Location")
		if location == "" {
			return
		}
		to, err := base.Parse(location)
		require.NoError(t, err, location)
		require.Equal(t, "here", to.Host, location)
		require.Equal(t, -1, strings.IndexFunc(location, func(c rune) bool { return c < ' ' || c > '~' || c == '\\' }), location)
	})
}
