package playlist

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asked returns the request of a client that has connected to 192.0.2.7:8080.
func asked(target, host string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = host
	r.RemoteAddr = "[2001:db8::9]:4711"
	r.Header.Set("User-Agent", "NSPlayer/11.0 (x&y=z)")
	r.Header.Set("Cookie", "id=secret")
	r.Header.Set("Authorization", "Basic c2VjcmV0")
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8080}
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
}

func TestIsQuestion(t *testing.T) {
	for src, want := range map[string]bool{
		"httpd://host/": true, " HTTPD://host": true, "http://host": false, "httpd:/host": false, "": false, "a.wmv": false,
	} {
		assert.Equal(t, want, isQuestion(src), src)
	}
}

func TestQuestionURL(t *testing.T) {
	const target = "/lists/evening%20one.isx?sessionId=g;entryId=1&q=a%20b"
	names := []string{"www.example", "media.example:81", "[2001:db8::1]:82"}
	for _, c := range []struct{ src, host, want string }{
		{"httpd://ads/pick", "any", "http://ads/pick"},
		{"HTTPD://ads:81/pick?a=1#x", "any", "http://ads:81/pick?a=1"},
		{"httpd://{SERVER_NAME}:{SERVER_PORT}/pick.aspx", "www.example", "http://www.example:8080/pick.aspx"},
		{"httpd://{server_name}:{Server_Port}/pick.aspx", "WWW.example.:9", "http://www.example:8080/pick.aspx"},
		{"httpd://{SERVER_NAME}:{SERVER_PORT}/", "media.example:8080", "http://media.example:81/"},
		{"httpd://{HTTP_HOST}/", "media.example:8080", "http://media.example:81/"},
		{"httpd://{HTTP_HOST}/", "[2001:db8::1]", "http://[2001:db8::1]:82/"},
		{"httpd://{SERVER_NAME}/pick", "evil.example", "http://www.example/pick"},
		{"httpd://ads/{SERVER_NAME}/{SERVER_PORT}?h={HTTP_HOST}", "evil.example:1",
			"http://ads/www.example/8080?h=evil.example%3A1"},
		{"httpd://ads/?ip={REMOTE_ADDR}&p={REMOTE_PORT}", "x", "http://ads/?ip=2001%3Adb8%3A%3A9&p=4711"},
		{"httpd://ads/?{QUERY_STRING}", "x", "http://ads/?sessionId=g;entryId=1&q=a%20b"},
		{"httpd://ads/?l=1&{QUERY_STRING}&m=2", "x", "http://ads/?l=1&sessionId=g;entryId=1&q=a%20b&m=2"},
		{"httpd://ads/?q={QUERY_STRING}", "x", "http://ads/?q=sessionId%3Dg%3BentryId%3D1%26q%3Da%2520b"},
		{"httpd://ads{}", "x", ""},
		{"httpd://ads/for{URL}", "x", "http://ads/for/lists/evening%20one.isx"},
		{"httpd://ads/?u={URL}", "x", "http://ads/?u=%2Flists%2Fevening%20one.isx"},
		{"httpd://ads/?a={HTTP_USER_AGENT}&b={HTTP_X_NONE}&c=1", "x", "http://ads/?a=NSPlayer%2F11.0%20%28x%26y%3Dz%29&b=&c=1"},
		{"httpd://ads/{HTTPS}/{SERVER_PORT_SECURE}/{REQUEST_METHOD}/{SERVER_PROTOCOL}", "x", "http://ads/off/0/GET/HTTP%2F1.1"},
		{"httpd://ads/{LOCAL_ADDR}/{CONTENT_LENGTH}{CONTENT_TYPE}", "x", "http://ads/192.0.2.7/0"},
	} {
		u, err := questionURL(c.src, serverVariables(asked(target, c.host), names))
		if c.want == "" {
			assert.ErrorIs(t, err, ErrForbiddenSource, c.src)
		} else if assert.NoError(t, err, c.src) {
			assert.Equal(t, c.want, u.String(), c.src)
		}
	}
}

// TestQuestionHost: without names, the server that is asked is the one that the client has connected to.
func TestQuestionHost(t *testing.T) {
	for _, host := range []string{"", "evil.example", "evil.example:22", "192.0.2.7", "127.0.0.1:6379",
		"a@evil.example", "x/", "x?", "x#", `x\`, "{URL}", "[::1]"} {
		for _, src := range []string{"httpd://{SERVER_NAME}:{SERVER_PORT}/pick", "httpd://{HTTP_HOST}/pick"} {
			u, err := questionURL(src, serverVariables(asked("/a.isx", host), nil))
			require.NoError(t, err, host)
			assert.Equal(t, "http://192.0.2.7:8080/pick", u.String(), host)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/a.isx", nil)
	_, err := questionURL("httpd://{SERVER_NAME}/", serverVariables(r, nil))
	assert.ErrorIs(t, err, ErrForbiddenSource, "neither names nor a local address")
	for secure, want := range map[bool]string{false: "http://ads:80/off", true: "http://ads:443/on"} {
		if r.TLS = nil; secure {
			r.TLS = &tls.ConnectionState{}
		}
		u, err := questionURL("httpd://ads:{SERVER_PORT}/{HTTPS}", serverVariables(r, nil))
		require.NoError(t, err)
		assert.Equal(t, want, u.String())
	}
}

func TestQuestionUnderPrefix(t *testing.T) {
	r := asked("/media/lists/a.isx", "x")
	var u string
	http.StripPrefix("/media", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, err := questionURL("httpd://ads{/x", serverVariables(r, nil))
		assert.ErrorIs(t, err, ErrForbiddenSource)
		assert.Nil(t, got)
		got, err = questionURL("httpd://ads/?u={URL}", serverVariables(r, nil))
		require.NoError(t, err)
		u = got.String()
	})).ServeHTTP(httptest.NewRecorder(), r)
	assert.Equal(t, "http://ads/?u=%2Fmedia%2Flists%2Fa.isx", u, "as the client has asked")
}

func TestQuestionForbidden(t *testing.T) {
	for _, src := range []string{
		"http://ads/", "httpd://", "httpd:///pick", "httpd://user@ads/", "httpd://{REMOTE_ADDR}/", "httpd://{URL}",
		"httpd://ads{URL}",
		"httpd://{QUERY_STRING}/", "httpd://{HTTP_USER_AGENT}/", "httpd://ads/{}", "httpd://ads/{NONE}",
		"httpd://ads/{HTTP_}", "httpd://ads/{URL",
		"httpd://ads/URL}", "httpd://ads/{{URL}}", "httpd://ads/{HTTP_COOKIE}", "httpd://ads/?{HTTP_AUTHORIZATION}",
		"httpd://ads/?{http_proxy_authorization}",
		"httpd://ads/{AUTH_PASSWORD}", "httpd://ads/{PATH_TRANSLATED}", "httpd://ads/../x", "httpd://ads/%2e%2e/x",
		"httpd://ads/..%5cx",
		"httpd://ads/pick?{URL}" + strings.Repeat("a", maxSource), "httpd://ads:{SERVER_NAME}/", "httpd://ads/\r\nx",
		`httpd://{SERVER_NAME}\@evil/`,
	} {
		_, err := questionURL(src, serverVariables(asked("/a.isx", "x"), []string{"www.example"}))
		assert.ErrorIs(t, err, ErrForbiddenSource, src)
	}
	for _, target := range []string{"/../a", "/x/%2e%2e/a", "/x/..%2fa", "/x/..%5ca", "/x/%252e%252e/a"} {
		_, err := questionURL("httpd://ads/for{URL}", serverVariables(asked(target, "x"), nil))
		assert.ErrorIs(t, err, ErrForbiddenSource, target)
	}
	_, err := questionURL("httpd://ads/x/{HTTP_USER_AGENT}/y", serverVariables(asked("/a", "x"), nil))
	assert.NoError(t, err)
	r := asked("/a", "x")
	r.Header.Set("User-Agent", "..")
	_, err = questionURL("httpd://ads/x/{HTTP_USER_AGENT}/y", serverVariables(r, nil))
	assert.ErrorIs(t, err, ErrForbiddenSource, "an element made of dots")
}

func FuzzServerVariables(f *testing.F) {
	for _, host := range []string{"www.example", "evil.example:22", "a@b", "x/../y", "[::1]:80", "x\r\ny", "{URL}", "\xff%2f"} {
		f.Add("httpd://{SERVER_NAME}:{SERVER_PORT}/pick?{QUERY_STRING}&u={URL}&h={HTTP_HOST}", host, "a=1;b=2#c", "/lists/a.isx")
		f.Add("httpd://ads/x{URL}/{HTTP_HOST}?a={QUERY_STRING}#{URL}", host, "../..%2f", "/a/../b")
		f.Add("httpd://{HTTP_HOST}/", host, "", "//evil/x")
	}
	f.Add("httpd://{", "", "", "")
	f.Fuzz(func(t *testing.T, src, host, query, urlPath string) {
		r := asked("/", host)
		r.RequestURI = ""
		r.URL.Path, r.URL.RawQuery = urlPath, query
		r.Header.Set("User-Agent", host)
		u, err := questionURL(src, serverVariables(r, []string{"www.example"}))
		if err != nil {
			assert.ErrorIs(t, err, ErrForbiddenSource)
			return
		}
		honest := asked("/", "www.example")
		honest.RequestURI = ""
		honest.URL.RawQuery = "a=1"
		want, err := questionURL(src, serverVariables(honest, []string{"www.example"}))
		if err == nil { // a header of the template may make a path of dots, which is an error
			assert.Equal(t, want.Host, u.Host, "nothing of the client chooses the host")
		}
		assert.Equal(t, "http", u.Scheme)
		assert.Nil(t, u.User)
		assert.False(t, hasDots(u), u.String())
		assert.LessOrEqual(t, len(u.String()), 3*maxSource)
		assert.False(t, strings.ContainsAny(u.RequestURI(), " \r\n\t#"), u.RequestURI())
		_, err = http.NewRequest(http.MethodGet, u.String(), nil)
		assert.NoError(t, err)
	})
}
