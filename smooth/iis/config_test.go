package iis_test

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth/iis"
)

const siteName = "Default Web Site"

func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(tb, err)
	return data
}

func serverConfig(tb testing.TB) *iis.Config {
	tb.Helper()
	c, err := iis.Parse(sample(tb, "applicationHost.config"))
	require.NoError(tb, err)
	return c
}

func TestSites(t *testing.T) {
	c := serverConfig(t)
	require.Len(t, c.Sites, 2)
	s := c.Site("default web SITE")
	require.NotNil(t, s)
	assert.Equal(t, uint32(1), s.ID)
	assert.True(t, s.AutoStart)
	assert.False(t, c.Site("old").AutoStart)
	assert.Nil(t, c.Site("none"))
	assert.Equal(t, []iis.Binding{
		{Protocol: "http", Port: 80, Line: 55},
		{Protocol: "https", Address: netip.MustParseAddr("192.0.2.1"), Port: 443, Host: "video.example.org", Line: 56},
		{Protocol: "http", Address: netip.MustParseAddr("2001:db8::1"), Port: 8080, Line: 57},
	}, s.Bindings)
	assert.Equal(t, iis.SiteLimits{MaxBandwidth: 12_500_000, ConnectionTimeout: 2 * time.Minute}, s.Limits)
	assert.Equal(t, []iis.Application{
		{Path: "/", Pool: "DefaultAppPool", Line: 46, VirtualDirectories: []iis.VirtualDirectory{
			{Path: "/", PhysicalPath: `%SystemDrive%\inetpub\wwwroot`, Line: 47},
			{Path: "/archive", PhysicalPath: `\\nas\media\archive`, LogonName: `DOMAIN\reader`, NoWebConfig: true, Line: 48},
		}},
		{Path: "/shop", Pool: "DefaultAppPool", Line: 50, VirtualDirectories: []iis.VirtualDirectory{
			{Path: "/", PhysicalPath: `D:\shop`, Line: 51}, {Path: "/images", PhysicalPath: "E:/images", Line: 52},
		}},
	}, s.Applications)
	for path, want := range map[string]string{
		"/": "/ / ", "/a/b.mp4": "/ / a/b.mp4", "/Archive/x": "/ /archive x", "/archives": "/ / archives",
		"/shop": "/shop / ", "/SHOP/images/1.png": "/shop /images 1.png", "/shop/imagesx": "/shop / imagesx",
	} {
		app, dir, rest, ok := s.Place(path)
		require.True(t, ok, path)
		assert.Equal(t, want, app.Path+" "+dir.Path+" "+rest, path)
	}
	_, _, _, ok := (&iis.Site{}).Place("/")
	assert.False(t, ok)
}

func TestSettingsOfPlaces(t *testing.T) {
	c := serverConfig(t)
	s := c.For(siteName, "")
	assert.Equal(t, []string{"Default.htm", "index.html"}, s.DefaultDocument.Files, "the server's own list is the whole list")
	assert.Equal(t, iis.MIMETypes{".htm": "text/html", ".html": "text/html", ".mp4": "video/mp4", ".wmv": "video/x-ms-wmv"},
		s.StaticContent.Types)
	assert.Equal(t, iis.ClientCache{Mode: iis.UseMaxAge, MaxAge: 7 * 24 * time.Hour}, s.StaticContent.ClientCache)
	assert.Equal(t, []iis.Header{{Name: "X-Powered-By", Value: "ASP.NET"}}, s.Headers)
	assert.Equal(t, []string{"web.config", "bin", "App_Data"}, s.Filtering.HiddenSegments)
	assert.EqualValues(t, 1024, s.Filtering.MaxURL)
	assert.False(t, s.DirectoryBrowse)
	assert.Len(t, s.Handlers, 6)
	assert.Len(t, s.Rewrite.Global, 1)
	assert.Equal(t, iis.Authentication{Anonymous: true}, s.Authentication)

	video := c.For("DEFAULT web site", "/Videos/sub/x.wmv")
	assert.True(t, video.DirectoryBrowse)
	assert.Equal(t, "video/asf", video.StaticContent.Types[".wmv"])
	assert.Equal(t, "video/mp4", video.StaticContent.Types[".mp4"])
	assert.Equal(t, iis.UseMaxAge, video.StaticContent.ClientCache.Mode)
	assert.Same(t, s, c.For("old", "videos"), "another site has only what the server has")
	locked := c.For(siteName, "videos/locked")
	assert.Equal(t, iis.DisableCache, locked.StaticContent.ClientCache.Mode)
	assert.True(t, locked.DirectoryBrowse)
	// Windows takes both letters for an s, so that neither leads around a location.
	assert.Same(t, c.For(siteName, "videos"), c.For(siteName, "video\u017f"))

	r := c.For(siteName, "old/any").Redirect
	assert.Equal(t, iis.Redirect{Enabled: true, Destination: "http://archive.example.org/new", Status: 301, At: siteName + "/old"}, r)
	assert.Equal(t, []iis.MediaSection{
		{Name: "bitrateThrottling", Line: 105}, {Name: "playlist", Line: 110}, {Name: "liveStreaming", Line: 111},
	}, c.Media)
}

func TestAddressRules(t *testing.T) {
	s := serverConfig(t).For(siteName, "").IPSecurity
	require.Len(t, s.Rules, 2)
	for addr, want := range map[string]bool{
		"198.51.100.77": false, "::ffff:198.51.100.1": false, "198.51.101.1": true, "2001:db8:bad::7": false, "2001:db8::1": true,
	} {
		assert.Equal(t, want, s.Allows(netip.MustParseAddr(addr)), addr)
	}
	c, err := iis.ParseOver(serverConfig(t).For("old", ""), []byte("<system.webServer/>"))
	require.NoError(t, err)
	assert.Len(t, c.For("", "").IPSecurity.Rules, 2)
	c, err = iis.Parse([]byte(`<system.webServer><security><ipSecurity allowUnlisted="false">
		<add ipAddress="10.1.2.3" allowed="true"/><add ipAddress="10.0.0.0" subnetMask="255.0.0.0" allowed="true"/>
		<remove ipAddress="10.0.0.0" subnetMask="8"/></ipSecurity></security></system.webServer>`))
	require.NoError(t, err)
	rules := c.For("", "").IPSecurity
	assert.True(t, rules.Allows(netip.MustParseAddr("10.1.2.3")))
	assert.False(t, rules.Allows(netip.MustParseAddr("10.1.2.4")))
}

func TestWebConfigOverServer(t *testing.T) {
	server := serverConfig(t)
	c, err := iis.ParseOver(server.For(siteName, ""), sample(t, "web.config"))
	require.NoError(t, err)
	s := c.For("", "")
	assert.Equal(t, []string{"home.html", "index.html"}, s.DefaultDocument.Files, "what is added comes first")
	assert.Equal(t, "video/webm", s.StaticContent.Types[".webm"])
	assert.Equal(t, "video/mp4", s.StaticContent.Types[".mp4"])
	assert.Equal(t, iis.ClientCache{Mode: iis.UseMaxAge, MaxAge: 365 * 24 * time.Hour, Custom: "public"}, s.StaticContent.ClientCache)
	assert.Equal(t, []string{"web.config", "bin", "App_Data", "private"}, s.Filtering.HiddenSegments)
	assert.True(t, s.Filtering.AllowDoubleEscaping)
	assert.EqualValues(t, 1<<30, s.Filtering.MaxContentLength)
	assert.EqualValues(t, 1024, s.Filtering.MaxURL)
	assert.Equal(t, []iis.Header{{Name: "Access-Control-Allow-Origin", Value: "*"}}, s.Headers)
	assert.Equal(t, "ours", s.Handlers[0].Name, "handlers that are added come first")
	assert.Len(t, s.Rewrite.Rules, 1)
	assert.Equal(t, iis.Redirect{Enabled: true, Destination: "/login", Exact: true, At: "private"}, c.For("", "Private/x").Redirect)
	assert.False(t, s.Redirect.Enabled)
	assert.False(t, server.For(siteName, "").Filtering.AllowDoubleEscaping, "what is inherited stays as it is")
	for _, n := range c.Notes {
		assert.NotContains(t, n.String(), "hunter2")
	}
}

func TestLocks(t *testing.T) {
	server := serverConfig(t)
	const doc = `<configuration><system.webServer>
		<staticContent><clientCache cacheControlMode="NoControl"/></staticContent>
		<security><ipSecurity allowUnlisted="false"/></security></system.webServer></configuration>`
	cache := func(place string) (iis.CacheMode, bool, string) {
		c, err := iis.ParseOver(server.For(siteName, place), []byte(doc))
		require.NoError(t, err)
		s := c.For("", "")
		return s.StaticContent.ClientCache.Mode, s.IPSecurity.AllowUnlisted, notesOf(c)
	}
	mode, open, notes := cache("videos")
	assert.Equal(t, iis.NoControl, mode)
	assert.True(t, open, "ipSecurity is locked by its definition")
	assert.Contains(t, notes, "line 3: system.webServer/security/ipSecurity: not understood: locked at line 20")
	mode, _, notes = cache("videos/locked/below")
	assert.Equal(t, iis.DisableCache, mode, "overrideMode Deny")
	assert.Contains(t, notes, "line 2: system.webServer/staticContent: not understood: locked at line 196")
}

func notesOf(c *iis.Config) string {
	var b strings.Builder
	for _, n := range c.Notes {
		b.WriteString(n.String() + "\n")
	}
	return b.String()
}

func TestUTF16(t *testing.T) {
	want := serverConfig(t)
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		data := order.AppendUint16(nil, 0xfeff)
		for _, c := range utf16.Encode([]rune(string(sample(t, "applicationHost.config")))) {
			data = order.AppendUint16(data, c)
		}
		got, err := iis.Parse(data)
		require.NoError(t, err)
		assert.Equal(t, want.Notes, got.Notes)
	}
}

func TestConfigErrors(t *testing.T) {
	server := func(s string) string { return "<system.webServer>\n " + s + "</system.webServer>" }
	for _, c := range []struct {
		doc, want    string
		line, column int
	}{
		{"", "iis: config line 1: no element: no configuration of IIS", 1, 1},
		{"<html/>", "iis: config line 1: html: no configuration of IIS", 1, 1},
		{"<configuration>\n<a></configuration>", "iis: config line 2: a: closed by </configuration>: syntax error", 2, 4},
		{"<!DOCTYPE a><configuration/>", "iis: config line 1: document types are not allowed: syntax error", 1, 1},
		{"<configuration/>\n<configuration/>",
			"iis: config line 2: configuration: a second root element, the first is configuration of line 1: syntax error", 2, 1},
		{server(`<directoryBrowse enabled="yes"/>`), `iis: config line 2: directoryBrowse: enabled "yes": neither true nor false`,
			2, 19},
		{server(`<staticContent><mimeMap fileExtension="mp4" mimeType="video/mp4"/></staticContent>`),
			`iis: config line 2: mimeMap mp4: fileExtension "mp4": no extension with a dot`, 2, 26},
		{server(`<staticContent><mimeMap fileExtension=".a"/></staticContent>`), `iis: config line 2: mimeMap .a: mimeType: missing`,
			2, 17},
		{server(`<staticContent><mimeMap fileExtension=".a" mimeType="b/c"/><mimeMap fileExtension=".A" mimeType="b/c"/></staticContent>`),
			`iis: config line 2: mimeMap .A: fileExtension ".A": there is one at line 2 already`, 2, 70},
		{server(`<directoryBrowse/><directoryBrowse/>`), `iis: config line 2: directoryBrowse: there is one for this location at line 2 already`, 2, 20},
		{server(`<httpProtocol><customHeaders><add name="a b" value="c"/></customHeaders></httpProtocol>`),
			`iis: config line 2: add a b: name "a b": no name of a header`, 2, 36},
		{server(`<httpProtocol><customHeaders><add name="a" value="c&#10;d: e"/></customHeaders></httpProtocol>`),
			`iis: config line 2: add a: value "c\nd: e": no value for a header`, 2, 45},
		{server(`<security><requestFiltering><requestLimits maxUrl="-1"/></requestFiltering></security>`),
			`iis: config line 2: requestLimits: maxUrl "-1": not between 0 and 4294967295`, 2, 45},
		{server(`<staticContent><clientCache cacheControlMaxAge="1.25:00:00"/></staticContent>`),
			`iis: config line 2: clientCache: cacheControlMaxAge "1.25:00:00": not a time span such as 1.00:00:00`, 2, 30},
		{server(`<security><ipSecurity><add ipAddress="10.0.0.0" subnetMask="255.0.255.0"/></ipSecurity></security>`),
			`iis: config line 2: add 10.0.0.0: subnetMask "255.0.255.0": a mask with gaps`, 2, 50},
		{`<system.applicationHost><sites><site name="a"><bindings><binding protocol="http" bindingInformation="*:0:"/></bindings></site></sites></system.applicationHost>`,
			`iis: config line 1: binding *:0:: bindingInformation "*:0:": port "0" is not between 1 and 65535`, 1, 82},
		{`<system.applicationHost><sites><site/></sites></system.applicationHost>`, `iis: config line 1: site: name: missing`, 1, 32},
		{"<configuration><location path='a'>\n<location path='b'/></location></configuration>", `iis: config line 2: location b: a location in that of "a"`, 2, 1},
		{strings.Repeat("<configuration>",
			65), "iis: config line 1: configuration: more than 64 nested elements: above the limit", 1, 961},
		{strings.Repeat(" ", iis.MaxBytes+1), "iis: config: 8388609 bytes, limit 8388608: above the limit", 0, 0},
		{"<configuration>" + strings.Repeat("<a/>", iis.MaxElements) + "</configuration>",
			"iis: config line 1: a: more than 131072 elements: above the limit", 1, 524300},
	} {
		_, err := iis.Parse([]byte(c.doc))
		assert.EqualError(t, err, c.want)
		var e *iis.ConfigError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, []int{c.line, c.column}, []int{e.Line, e.Column}, c.want)
	}
	_, err := iis.ParseOver(serverConfig(t).For("", ""), []byte(server(`<staticContent><mimeMap fileExtension=".MP4" mimeType="a/b"/></staticContent>`)))
	require.EqualError(t, err,
		`iis: config line 2: mimeMap .MP4: fileExtension ".MP4": there is one inherited already, which must be removed first`)
	_, err = iis.Parse([]byte(server(`<staticContent><mimeMap fileExtension=".mp4" mimeType="a/b"/></staticContent>`)))
	require.NoError(t, err, "a default is replaced")
}

// TestInheritedEntriesAreBounded: many locations that each inherit a long list.
func TestInheritedEntriesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("<configuration>")
	for i := range 1000 {
		fmt.Fprintf(&b, `<location path="%d"><system.webServer><staticContent><remove fileExtension=".x"/></staticContent></system.webServer></location>`, i)
	}
	b.WriteString("</configuration>")
	_, err := iis.Parse([]byte(b.String()))
	require.ErrorContains(t, err, "more than 131072 entries with those inherited")
}

// TestEverythingIsAccountedFor puts an attribute and an element that nobody knows into every element of the samples: each
// is told by a note of its own, or inside an element that is not understood or belongs to another package as a whole.
func TestEverythingIsAccountedFor(t *testing.T) {
	for _, name := range []string{"applicationHost.config", "web.config"} {
		data := sample(t, name)
		for _, at := range startTags(t, data) {
			tag := data[at.from:at.to]
			end := at.from + bytes.LastIndexByte(tag, '>')
			if data[end-1] == '/' {
				end--
			}
			spoiled := bytes.Join([][]byte{data[:end], []byte(` zzz="1"`), data[end:]}, nil)
			c, err := iis.Parse(spoiled)
			require.NoError(t, err, string(tag))
			assert.True(t, at.isTold(c.Notes, "attribute zzz"), "%s line %d: %s", name, at.line, tag)
			if data[end] != '/' {
				spoiled = bytes.Join([][]byte{data[:at.to], []byte(`<zzz/>`), data[at.to:]}, nil)
				c, err = iis.Parse(spoiled)
				require.NoError(t, err, string(tag))
				assert.True(t, at.isTold(c.Notes, "/zzz: not understood") || strings.Contains(notesOf(c), ": zzz: not understood"),
					"%s line %d: %s", name, at.line, tag)
			}
		}
	}
}

// startTag is where a start tag is in a document, and the lines of the elements around it and its own.
type startTag struct {
	from, to, line int
	around         []int
}

func startTags(t *testing.T, data []byte) (list []startTag) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	var lines []int
	for {
		from := int(dec.InputOffset())
		line, _ := dec.InputPos()
		tok, err := dec.RawToken()
		if err == io.EOF {
			return list
		}
		require.NoError(t, err)
		switch tok.(type) {
		case xml.StartElement:
			lines = append(lines, line)
			list = append(list, startTag{from, int(dec.InputOffset()), line, append([]int(nil), lines...)})
		case xml.EndElement:
			lines = lines[:len(lines)-1]
		}
	}
}

// isTold tells whether there is a note with a text on the line, or one about the whole of an element around it.
func (s startTag) isTold(notes []iis.Note, text string) bool {
	for _, n := range notes {
		if n.Line == s.line && strings.Contains(n.String(), text) {
			return true
		}
		whole := !n.Understood && !strings.HasPrefix(n.Text, "attribute") || strings.HasPrefix(n.Text, "read by package")
		for _, line := range s.around {
			if whole && n.Line == line && n.Element != "location" {
				return true
			}
		}
		if n.Line <= s.line && strings.HasPrefix(n.Element, "configSections") && s.around[1] == n.Line {
			return true // definitions are read as a whole
		}
	}
	return false
}

func TestNotesAreInOrderAndBounded(t *testing.T) {
	c, err := iis.Parse([]byte("<configuration>" + strings.Repeat("<a/>\n", iis.MaxNotes+5) + "</configuration>"))
	require.NoError(t, err)
	require.Len(t, c.Notes, iis.MaxNotes+1)
	assert.Equal(t, "not understood: 5 more notes", c.Notes[iis.MaxNotes].String())
	last := 0
	for _, n := range serverConfig(t).Notes {
		assert.GreaterOrEqual(t, n.Line, last)
		last = n.Line
	}
	c, err = iis.Parse([]byte("<configuration>\n text<system.webServer/></configuration>"))
	require.NoError(t, err)
	assert.Equal(t, `line 2: configuration: not understood: text "text" is ignored`+"\n", notesOf(c))
}

// TestSharedSamples reads what the documentation of IIS shows.
func TestSharedSamples(t *testing.T) {
	data, err := os.ReadFile(testmedia.Shared(t, "config/iis-docs-throttling-3.xml"))
	require.NoError(t, err)
	c, err := iis.Parse(data)
	require.NoError(t, err)
	require.Len(t, c.Media, 1)
	assert.Equal(t, "bitrateThrottling", c.Media[0].Name)
	names, err := filepath.Glob(filepath.Join(testmedia.Shared(t, "config"), "*.xml"))
	require.NoError(t, err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		if _, err := iis.Parse(data); err != nil {
			var e *iis.ConfigError
			require.ErrorAs(t, err, &e, name)
		}
	}
}

func TestDefaults(t *testing.T) {
	s := iis.DefaultSettings()
	assert.Greater(t, len(s.StaticContent.Types), 370)
	for name, want := range map[string]string{
		"a.MP4": "video/mp4", "x/b.wmv": "video/x-ms-wmv", "c.ism": "", "noext": "", "d.exe.config": "text/xml", "e.config": "",
		"a.b.html": "text/html", "v1.0/x": "", "f.m3u8": "application/vnd.apple.mpegurl", ".htm": "text/html",
	} {
		got, ok := s.StaticContent.Types.TypeOf(name)
		assert.Equal(t, want, got, name)
		assert.Equal(t, want != "", ok, name)
	}
	types := iis.MIMETypes{".": "text/plain", ".*": "application/octet-stream"}
	got, _ := types.TypeOf("README")
	assert.Equal(t, "text/plain", got)
	got, _ = types.TypeOf("a.xyz")
	assert.Equal(t, "application/octet-stream", got)

	c := s.Clone()
	c.StaticContent.Types[".mp4"] = "x/y"
	c.DefaultDocument.Files[0] = "x"
	c.Filtering.HiddenSegments[0] = "x"
	assert.Equal(t, iis.DefaultSettings(), s)
}

func TestHandlerMappings(t *testing.T) {
	s := serverConfig(t).For("", "")
	for request, want := range map[string]string{
		"GET /a/b.ism/Manifest":            "SmoothHandler",
		"HEAD /a/B.ISM/QualityLevels(1)/x": "SmoothHandler",
		"POST /a/b.ism/Manifest":           "StaticFile",
		"POST /live.isml/Streams(a)":       "LiveStreamingHandler",
		"GET /list.isx":                    "PlaylistHandler",
		"GET /index.php/path":              "PHP",
		"TRACE /":                          "TRACEVerbHandler",
		"GET /a.htm":                       "StaticFile",
	} {
		method, path, _ := strings.Cut(request, " ")
		m := s.HandlerFor(method, path)
		require.NotNil(t, m, request)
		assert.Equal(t, want, m.Name, request)
	}
	kinds := make(map[string]string)
	for _, m := range s.Handlers {
		kinds[m.Name] = m.Kind.String()
	}
	assert.Equal(t, map[string]string{
		"LiveStreamingHandler": "Live Smooth Streaming", "SmoothHandler": "Smooth Streaming", "PlaylistHandler": "Web Playlists",
		"PHP": "unknown", "TRACEVerbHandler": "unknown", "StaticFile": "static files",
	}, kinds)
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"*.", "/a/noext", true}, {"*.", "/a.b", false}, {"media/*", "/media/x", true}, {"/media/*.ism", "/MEDIA/x/y.ism", true},
		{"media/*",
			"/other/x", false}, {"a?c.x", "/abc.x", true}, {"*a*b*", "/xaxbx", true}, {"*a*b", "/xaxbx", false}, {"*", "/", true},
	} {
		m := iis.HandlerMapping{Path: c.pattern, Verbs: []string{"*"}}
		assert.Equal(t, c.want, m.Matches("GET", c.path), "%s %s", c.pattern, c.path)
	}
	assert.Nil(t, iis.DefaultSettings().HandlerFor("GET", "/"))
}

func TestWhoMayComeIn(t *testing.T) {
	for _, pair := range [][2]string{
		{`<access sslFlags="None"/>`, "security/access: TLS is not required"},
		{`<access/>`, "security/access: TLS is not required"},
		{`<access sslFlags="Ssl, Ssl128"/>`, "security/access: not understood: NOT ENFORCED"},
		{`<authorization><add accessType="Allow" users="*"/></authorization>`, "security/authorization: everybody"},
		{`<authorization><add accessType="Deny" users="?"/></authorization>`,
			"security/authorization: not understood: NOT ENFORCED"},
		{`<authorization><clear/><add accessType="Allow" users="*"/></authorization>`,
			"security/authorization: not understood: NOT ENFORCED"},
		{`<authentication><anonymousAuthentication enabled="false"/></authentication>`,
			"anonymousAuthentication: not understood: NOT ENFORCED"},
		{`<authentication><iisClientCertificateMappingAuthentication enabled="true"/></authentication>`,
			"Authentication: not understood: NOT ENFORCED"},
		{`<authentication><windowsAuthentication enabled="true"/><digestAuthentication enabled="true"/></authentication>`,
			"windowsAuthentication: enabled: true"},
	} {
		section, want := pair[0], pair[1]
		c, err := iis.Parse([]byte("<system.webServer><security>" + section + "</security></system.webServer>"))
		require.NoError(t, err)
		assert.Contains(t, notesOf(c), want, section)
		s := c.For("", "")
		assert.Equal(t, strings.Contains(section, "Ssl128"), s.RequireTLS)
		assert.Equal(t, strings.Contains(section, "windows"), s.Authentication.Windows && s.Authentication.Digest)
	}
}
