package iis_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/iis"
)

// TestServerVariables: each is compared by a condition, whose group goes into the URL.
func TestServerVariables(t *testing.T) {
	secure := false
	for name, want := range map[string]string{
		"HTTPS": "on", "SERVER_PORT_SECURE": "1", "QUERY_STRING": "q=1%202", "REQUEST_URI": "/a%20b?q=1%202", "UNENCODED_URL": "/a%20b?q=1%202",
		"URL": "/a%20b", "PATH_INFO": "/a%20b", "REQUEST_METHOD": "POST", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "tv.example.org:8443",
		"SERVER_NAME": "tv.example.org", "SERVER_PORT": "8443", "REMOTE_ADDR": "192.0.2.7", "REMOTE_HOST": "192.0.2.7", "REMOTE_PORT": "4711",
		"CONTENT_TYPE": "video/mp4", "CONTENT_LENGTH": "4", "HTTP_USER_AGENT": "NSPlayer/12", "HTTP_X_NONE": "",
	} {
		secure = name == "HTTPS" || name == "SERVER_PORT_SECURE"
		rules := &iis.Rewrite{Rules: []iis.RewriteRule{{
			Pattern: ".*", Conditions: []iis.RewriteCondition{{Input: "<{" + strings.ToLower(name) + "}>", Pattern: "<(.*)>"}},
			Action: iis.RewriteAction{Type: iis.ActionRedirect, URL: "/x/{C:1}", DropQuery: true},
		}}}
		h, err := iis.NewRewrite(nil, rules, &iis.RewriteOptions{HTTPS: func(*http.Request) bool { return secure }, Logger: options(nil).Logger})
		require.NoError(t, err)
		r := httptest.NewRequest("POST", "http://tv.example.org:8443/a%20b?q=1%202", strings.NewReader("body"))
		r.RemoteAddr = "192.0.2.7:4711"
		r.Header.Set("Content-Type", "video/mp4")
		r.Header.Set("User-Agent", "NSPlayer/12")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, "./x/"+want, w.Header().Get("Location"), name)
	}
}

func TestServerPort(t *testing.T) {
	rules := &iis.Rewrite{Rules: []iis.RewriteRule{{Pattern: ".*", Action: iis.RewriteAction{Type: iis.ActionRewrite, URL: "/{SERVER_PORT}"}}}}
	for _, c := range []struct {
		host, want string
		secure     bool
		local      net.Addr
	}{
		{"a", "/80", false, nil}, {"a", "/443", true, nil}, {"a:81", "/81", false, nil},
		{"a:81", "/8080", false, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}},
	} {
		var path string
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { path = r.URL.Path })
		h, err := iis.NewRewrite(next, rules, &iis.RewriteOptions{HTTPS: func(*http.Request) bool { return c.secure }})
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "http://"+c.host+"/", nil)
		if c.local != nil {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, c.local))
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		assert.Equal(t, c.want, path)
	}
}

func TestClientCache(t *testing.T) {
	root := newRoot(t, "a.mp4")
	for section, want := range map[string]string{
		`cacheControlMode="NoControl"`:                                                                     "||",
		`cacheControlMode="NoControl" cacheControlCustom="private"`:                                        "private||",
		`cacheControlMode="DisableCache"`:                                                                  "no-cache||",
		`cacheControlMode="UseMaxAge" cacheControlMaxAge="00:10:00"`:                                       "max-age=600||",
		`cacheControlMode="usemaxage" cacheControlMaxAge="2" cacheControlCustom="public"`:                  "public,max-age=172800||",
		`cacheControlMode="UseExpires" httpExpires="Sun, 29 Mar 2026 00:00:00 GMT"`:                        "|Sun, 29 Mar 2026 00:00:00 GMT|",
		`cacheControlMode="UseExpires" httpExpires="Sun, 29 Mar 2026 00:00:00 GMT" cacheControlCustom="a"`: "a|Sun, 29 Mar 2026 00:00:00 GMT|",
		`setEtag="false"`: "|no tag|",
	} {
		c, err := iis.Parse([]byte("<system.webServer><staticContent><clientCache " + section + "/></staticContent></system.webServer>"))
		require.NoError(t, err)
		header := do(t, newFiles(t, root, func(o *iis.FilesOptions) { o.Settings = c.For("", "") }), "/a.mp4").Header
		expires := header.Get("Expires")
		if header.Get("Etag") == "" {
			expires = "no tag"
		}
		assert.Equal(t, want, header.Get("Cache-Control")+"|"+expires+"|", section)
	}
}

func TestRedirectSections(t *testing.T) {
	for attributes, want := range map[string]int{
		`enabled="true" destination="http://x/" httpResponseStatus="Permanent"`:    301,
		`enabled="true" destination="/x" httpResponseStatus="Found"`:               302,
		`enabled="true" destination="/x" httpResponseStatus="temporary"`:           307,
		`enabled="true" destination="https://x" httpResponseStatus="PermRedirect"`: 308,
		`enabled="true" destination="/x"`:                                          302,
		`enabled="true"`:                                                           404, `enabled="true" destination="ftp://x"`: 404, `enabled="true" destination="//x"`: 404, `destination="/x"`: 404,
	} {
		c, err := iis.Parse([]byte("<system.webServer><httpRedirect " + attributes + "/></system.webServer>"))
		require.NoError(t, err)
		h := newFiles(t, newRoot(t), func(o *iis.FilesOptions) { o.Settings = c.For("", "") })
		assert.Equal(t, want, do(t, h, "/a").StatusCode, attributes)
		assert.Equal(t, want == 404 && !strings.HasPrefix(attributes, "dest"), strings.Contains(notesOf(c), "httpRedirect: not understood: "), attributes)
	}
}

// TestMoreConfigErrors: what is wrong in values is an error, with the value.
func TestMoreConfigErrors(t *testing.T) {
	site := func(s string) string {
		return "<system.applicationHost><sites><site name='a'>" + s + "</site></sites></system.applicationHost>"
	}
	binding := func(s string) string {
		return site("<bindings><binding protocol='http' bindingInformation='" + s + "'/></bindings>")
	}
	server := func(s string) string { return "<system.webServer>" + s + "</system.webServer>" }
	filter := func(s string) string {
		return server("<security><requestFiltering>" + s + "</requestFiltering></security>")
	}
	for _, c := range [][2]string{
		{site("<bindings><binding protocol='http'/></bindings>"), "binding: bindingInformation: missing"},
		{binding("80"), "not of the form address:port:host"},
		{binding("80:"), "not of the form address:port:host"},
		{binding("*:x:"), `port "x" is not between 1 and 65535`},
		{binding("nowhere:80:"), `"nowhere" is not an address`},
		{site("<limits connectionTimeout='x'/>"), "not a time span such as 1.00:00:00"},
		{site("<limits connectionTimeout='1:2:3:4'/>"), "not a time span such as 1.00:00:00"},
		{filter("<fileExtensions><add fileExtension='x' allowed='true'/></fileExtensions>"),
			`fileExtension "x": no extension with a dot`},
		{filter("<verbs><add verb='G T' allowed='true'/></verbs>"), `verb "G T": no method`},
		{filter("<hiddenSegments><add segment=''/></hiddenSegments>"), `segment "": empty`},
		{filter("<hiddenSegments><remove/></hiddenSegments>"), "remove: segment: missing"},
		{filter("<verbs/><verbs/>"), "verbs: there is one at line 1 already"},
		{server("<security><ipSecurity><add ipAddress='x'/></ipSecurity></security>"), `ipAddress "x": no address`},
		{server("<security><ipSecurity><add ipAddress='::1' subnetMask='129'/></ipSecurity></security>"),
			`subnetMask "129": no mask, nor a length up to 128`},
		{server("<security><ipSecurity><add ipAddress='::1' subnetMask='255.0.0.0'/></ipSecurity></security>"),
			`no mask of 128 bits`},
		{server("<staticContent><mimeMap fileExtension='.a' mimeType=''/></staticContent>"),
			`mimeType "": no value for a header`},
		{server("<staticContent><clientCache cacheControlMode='x'/></staticContent>"),
			`none of NoControl, DisableCache, UseMaxAge, UseExpires`},
		{server("<staticContent><clientCache cacheControlCustom='a&#10;b'/></staticContent>"), `no value for a header`},
		{server("<staticContent><clientCache httpExpires='tomorrow'/></staticContent>"),
			`httpExpires "tomorrow": no date of HTTP`},
		{server("<handlers><add name='a' path='" + strings.Repeat("a", 1025) + "' verb='*'/></handlers>"),
			"a path of 1025 bytes, limit 1024"},
		{server("<handlers><add name='a' verb='*'/></handlers>"), "path: missing"},
		{server("<rewrite><rewriteMaps><rewriteMap name='a'><add key='b' value='1'/><add key='B' value='2'/></rewriteMap></rewriteMaps></rewrite>"),
			`key "B": there is one already`},
		{"<location path='" + strings.Repeat("a", 4097) + "'/>", "path of 4097 bytes, limit 4096"},
	} {
		doc, want := c[0], c[1]
		_, err := iis.Parse([]byte(doc))
		var e *iis.ConfigError
		require.ErrorAs(t, err, &e, doc)
		assert.ErrorContains(t, err, want, doc)
	}
	_, err := iis.Parse([]byte(server("<directoryBrowse enabled='x'/><defaultDocument enabled='y'/>")))
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "several errors are joined")
	assert.Len(t, joined.Unwrap(), 2)

	c, err := iis.Parse([]byte(server("<httpProtocol><customHeaders><add name='Content-Length' value='1'/></customHeaders></httpProtocol>")))
	require.NoError(t, err)
	assert.Empty(t, c.For("", "").Headers)
	assert.Contains(t, notesOf(c), "add Content-Length: not understood: the header is set with the answer itself")
}
