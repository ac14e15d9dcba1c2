package access_test

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/access"
)

func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	list, err := access.ParsePrefixes(texts...)
	require.NoError(t, err)
	return list
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		allow, deny []string
		addr        string
		want        bool
	}{
		{nil, nil, "192.0.2.1", true},
		{nil, nil, "", true},
		{nil, []string{"192.0.2.0/24"}, "192.0.2.1", false},
		{nil, []string{"192.0.2.0/24"}, "192.0.3.1", true},
		{nil, []string{"192.0.2.0/24"}, "", false},
		{[]string{"192.0.2.0/24"}, nil, "192.0.2.1", true},
		{[]string{"192.0.2.0/24"}, nil, "192.0.3.1", false},
		{[]string{"192.0.2.0/24"}, nil, "", false},
		{[]string{"192.0.2.0/24"}, nil, "::ffff:192.0.2.1", true},
		{nil, []string{"192.0.2.0/24"}, "::ffff:192.0.2.1", false},
		{nil, []string{"::ffff:192.0.2.0/120"}, "192.0.2.1", false},
		{nil, []string{"0.0.0.0/0"}, "::ffff:192.0.2.1", false},
		{nil, []string{"0.0.0.0/0"}, "2001:db8::1", true},
		{nil, []string{"::/0"}, "192.0.2.1", true},
		{[]string{"10.1.2.3"}, []string{"10.0.0.0/8"}, "10.1.2.3", true},
		{[]string{"10.1.2.3"}, []string{"10.0.0.0/8"}, "10.1.2.4", false},
		{[]string{"10.0.0.0/8"}, []string{"10.1.2.3"}, "10.1.2.3", false},
		{[]string{"10.0.0.0/8"}, []string{"10.0.0.0/8"}, "10.1.2.3", false},
		{[]string{"10.0.0.0/8"}, []string{"11.0.0.0/8"}, "12.0.0.1", false},
		{nil, []string{"fe80::/10"}, "fe80::1%eth0", false},
		{[]string{"2001:db8::/32"}, nil, "2001:db8:1::1", true},
	} {
		d := access.Addresses{Allow: prefixes(t, test.allow...), Deny: prefixes(t, test.deny...)}
		a, _ := netip.ParseAddr(test.addr)
		assert.Equal(t, test.want, d.Allows(a), "allow %v deny %v: %s", test.allow, test.deny, test.addr)
	}
}

func TestParsePrefixes(t *testing.T) {
	assert.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8::1/128"),
		netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.0/25"),
	}, prefixes(t, "192.0.2.0/24", " 192.0.2.1 ", "2001:db8::1", "::ffff:192.0.2.1", "::ffff:192.0.2.0/121"))
	for _, bad := range []string{"", "x", "192.0.2.1/24", "192.0.2.0/33", "192.0.2", "2001:db8::1/32", "fe80::1%eth0", "192.0.2.0/", "localhost"} {
		_, err := access.ParsePrefixes(bad)
		assert.ErrorIs(t, err, access.ErrOptions, bad)
	}
}

func TestTrustedProxies(t *testing.T) {
	address := access.TrustedProxies(prefixes(t, "10.0.0.0/8", "192.0.2.7")...)
	for _, test := range []struct {
		remote string
		lines  []string
		want   string
	}{
		{"198.51.100.1:5", nil, "198.51.100.1"},
		{"198.51.100.1:5", []string{"203.0.113.9"}, "198.51.100.1"}, // no proxy of ours
		{"10.0.0.1:5", []string{"203.0.113.9"}, "203.0.113.9"},
		{"[::ffff:10.0.0.1]:5", []string{"203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:5", []string{"127.0.0.1, 203.0.113.9"}, "203.0.113.9"}, // the first is forged
		{"10.0.0.1:5", []string{"127.0.0.1", "203.0.113.9, 192.0.2.7"}, "203.0.113.9"},
		{"10.0.0.1:5", []string{"10.1.1.1"}, "10.1.1.1"},
		{"10.0.0.1:5", []string{"203.0.113.9, garbage"}, "10.0.0.1"},
		{"10.0.0.1:5", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"10.0.0.1:5", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"10.0.0.1:5", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"10.0.0.1:5", []string{""}, "10.0.0.1"},
		{"@", []string{"203.0.113.9"}, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": test.lines}}
		assert.Equal(t, test.want, address(r).String(), "%v", test)
	}
	r := &http.Request{RemoteAddr: "10.0.0.1:5", Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}}}
	assert.Equal(t, "10.0.0.1", access.TrustedProxies()(r).String(), "without proxies nobody is believed")
}

func TestPolicyCheck(t *testing.T) {
	known := func(name string) authFunc {
		return func(*http.Request) (*access.Identity, error) { return &access.Identity{Name: name}, nil }
	}
	silent := authFunc(func(*http.Request) (*access.Identity, error) { return nil, nil })
	failing := func(err error) authFunc {
		return func(*http.Request) (*access.Identity, error) { return nil, err }
	}
	wrong, down, no := failing(access.ErrUnauthenticated), failing(access.ErrUnavailable), failing(access.ErrForbidden)
	for _, test := range []struct {
		name string
		list []access.Authenticator
		want error
		id   string
	}{
		{"nobody has to say", nil, nil, ""},
		{"known", []access.Authenticator{known("ann")}, nil, "ann"},
		{"the first counts", []access.Authenticator{silent, known("ann"), known("bob")}, nil, "ann"},
		{"any suffices", []access.Authenticator{wrong, down, known("ann")}, nil, "ann"},
		{"no credentials", []access.Authenticator{silent, silent}, access.ErrUnauthenticated, ""},
		{"wrong is not none", []access.Authenticator{silent, no, silent}, access.ErrForbidden, ""},
		{"the first error", []access.Authenticator{no, wrong}, access.ErrForbidden, ""},
		{"unavailable before wrong", []access.Authenticator{wrong, down}, access.ErrUnavailable, ""},
		{"unavailable stays", []access.Authenticator{down, wrong}, access.ErrUnavailable, ""},
		{"error of the application", []access.Authenticator{failing(errors.New("x"))}, access.ErrForbidden, ""},
		{"nil lets nobody in", []access.Authenticator{nil}, access.ErrForbidden, ""},
		{"nil is passed over", []access.Authenticator{nil, known("ann")}, nil, "ann"},
	} {
		id, err := (&access.Policy{Authenticators: test.list}).Check(get("/x"))
		if test.want == nil {
			require.NoError(t, err, test.name)
		} else {
			require.ErrorIs(t, err, test.want, test.name)
			assert.Nil(t, id, test.name)
		}
		if test.id != "" {
			assert.Equal(t, test.id, id.Name, test.name)
		}
	}
	_, err := (*access.Policy)(nil).Check(get("/x"))
	assert.ErrorIs(t, err, access.ErrForbidden)
}

func TestPolicyAuthorize(t *testing.T) {
	asked := 0
	p := &access.Policy{
		Addresses: access.Addresses{Deny: prefixes(t, "192.0.2.66")},
		Authorize: func(r *http.Request, id *access.Identity) error {
			asked++
			if id == nil && r.URL.Path == "/x" {
				return nil
			}
			return errors.New("no")
		},
	}
	_, err := p.Check(get("/x"))
	assert.NoError(t, err)
	_, err = p.Check(get("/y"))
	assert.ErrorIs(t, err, access.ErrForbidden)
	r := get("/x")
	r.RemoteAddr = "192.0.2.66:1"
	_, err = p.Check(r)
	assert.ErrorIs(t, err, access.ErrForbidden)
	assert.Equal(t, 2, asked, "addresses come first")
	p.Address = func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.1") }
	_, err = p.Check(r)
	assert.NoError(t, err)
	p.Authorize = func(*http.Request, *access.Identity) error { return access.ErrUnauthenticated }
	_, err = p.Check(r)
	assert.Equal(t, 401, access.StatusOf(err))
}

// An answer has the challenges of all authenticators.
func TestChallenges(t *testing.T) {
	basic, err := access.NewBasic(&access.BasicOptions{Users: map[string]string{}, Realm: "b"})
	require.NoError(t, err)
	tokens := bearer(t, access.BearerOptions{Secret: secret, Realm: "t"})
	p := &access.Policy{Authenticators: []access.Authenticator{basic, nil, tokens, access.ClientCertificate{}}}
	none, wrong := `Bearer realm="t"`, `Bearer realm="t", error="invalid_token"`
	for credentials, want := range map[string]string{"": none, "Bearer x": wrong, "Basic eDp5": none, "Digest x": none} {
		r := get("/x", "Authorization", credentials)
		if credentials == "" {
			r.Header.Del("Authorization")
		}
		w := serve(handler(p, nil), r)
		assert.Equal(t, 401, w.Code)
		assert.Equal(t, []string{basic.Challenge(), want}, w.Header()["Www-Authenticate"], credentials)
	}
	inside := *p
	inside.Authenticators = []access.Authenticator{authFunc(func(*http.Request) (*access.Identity, error) { return &access.Identity{}, nil })}
	inside.Authorize = func(*http.Request, *access.Identity) error { return access.ErrUnauthenticated }
	assert.Equal(t, []string{"Test"}, serve(handler(&inside, nil), get("/x")).Header()["Www-Authenticate"])
}

// Pages of other origins change nothing with what browsers remember.
func TestCrossOrigin(t *testing.T) {
	p := &access.Policy{NoCORS: true}
	for _, test := range []struct {
		method  string
		headers []string
		status  int
	}{
		{"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"POST", nil, 200}, // no browser
		{"POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"POST", []string{"Origin", "http://example.com"}, 200},
		{"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"POST", []string{"Origin", "https://evil.example"}, 403},
		{"POST", []string{"Origin", "null"}, 403},
	} {
		r := request(test.method, "http://example.com/x", test.headers...)
		assert.Equal(t, test.status, serve(handler(p, nil), r).Code, "%v", test)
		assert.Equal(t, 200, serve(handler(&access.Policy{}, nil), r).Code, "%v", test)
	}
}

// The policy of a part replaces that of what is around it.
func TestRouter(t *testing.T) {
	part := func(name string) *access.Policy {
		return &access.Policy{Authorize: func(*http.Request, *access.Identity) error { return errors.New(name) }}
	}
	router, err := access.NewRouter(map[string]access.Resolver{
		"/": part("root"), "/live": part("live"), "/live/a.isml": part("a"), "/Vod/": part("vod"), "/straße/É": part("é"),
	})
	require.NoError(t, err)
	for path, want := range map[string]string{
		"/":                        "root",
		"/x":                       "root",
		"/live":                    "live",
		"/live/":                   "live",
		"/LIVE/x":                  "live",
		"/livex":                   "root",
		"/live/a.isml":             "a",
		"/live/a.isml/Manifest":    "a",
		"/Live/A.ISML/Manifest":    "a",
		"/live/a.ismlx/Manifest":   "live",
		"/vod":                     "vod",
		"/vod/x":                   "vod",
		"/STRAßE/é/x":              "é",
		"/\u017ftraße/é":           "é", // a long s is a lower case S
		"/strasse/é":               "root",
		"/live\u212A":              "root",
		"/x/live/a.isml/Manifest":  "root",
		"/live/b/../a.isml/secret": "live", // Handler refuses it
	} {
		r := get("/")
		r.URL.Path = path
		_, err := router.Resolve(r).Check(r)
		require.Error(t, err)
		assert.Equal(t, want, firstLine(err), path)
	}
	only, err := access.NewRouter(map[string]access.Resolver{"/live": part("live")})
	require.NoError(t, err)
	assert.Nil(t, only.Resolve(get("/x")), "outside all parts")
	assert.Equal(t, 403, serve(handler(only, nil), get("/x")).Code)

	for name, parts := range map[string]map[string]access.Resolver{
		"relative":  {"live": part("x")},
		"empty":     {"": part("x")},
		"twice":     {"/live": part("x"), "/Live/": part("y")},
		"no policy": {"/live": nil},
		"dots":      {"/live/../x": part("x")},
		"slashes":   {"/live//x": part("x")},
	} {
		_, err := access.NewRouter(parts)
		assert.ErrorIs(t, err, access.ErrOptions, name)
	}
}

// firstLine returns the text of the application's error.
func firstLine(err error) string {
	for {
		list, ok := err.(interface{ Unwrap() []error })
		if !ok {
			return err.Error()
		}
		err = list.Unwrap()[0]
	}
}

func TestRoles(t *testing.T) {
	part := func(name string) *access.Policy {
		return &access.Policy{Authorize: func(*http.Request, *access.Identity) error { return errors.New(name) }}
	}
	roles := access.Roles{
		Viewers: part("viewer"), Encoders: part("encoder"), Operators: part("operator"),
		IsOperation: func(r *http.Request) bool { return r.URL.Path == "/console" },
	}
	for _, test := range [][3]string{
		{"GET", "/x", "viewer"}, {"HEAD", "/x", "viewer"}, {"OPTIONS", "/x", "viewer"},
		{"POST", "/x", "encoder"}, {"PUT", "/x", "encoder"}, {"DELETE", "/x", "encoder"}, {"get", "/x", "encoder"},
		{"GET", "/console", "operator"}, {"POST", "/console", "operator"},
	} {
		r := request(test[0], test[1])
		_, err := roles.Resolve(r).Check(r)
		assert.Equal(t, test[2], firstLine(err), "%v", test)
	}
	assert.Nil(t, access.Roles{}.Resolve(get("/x")), "a role without a policy is refused")
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "localhost:80": true, "localhost": true, "::1": true,
		"[::1]": true, "[::ffff:127.0.0.1]:80": true, ":80": false, "": false, "0.0.0.0:80": false, "[::]:80": false,
		"192.0.2.1:80": false, "localhost.example:80": false, "127.0.0.1.example": false, "[": false, "0:80": false,
		"127.1:80": false, "LOCALHOST.:80": false,
	} {
		assert.Equal(t, want, access.IsLoopback(addr), addr)
	}
	for _, test := range []struct {
		remote, host string
		headers      []string
		status       int
	}{
		{"127.0.0.1:5", "localhost:8080", nil, 200},
		{"[::1]:5", "[::1]:8080", nil, 200},
		{"[::ffff:127.0.0.1]:5", "127.0.0.1", nil, 200},
		{"192.0.2.1:5", "localhost:8080", nil, 403},
		{"127.0.0.1:5", "rebound.example:8080", nil, 403},
		{"127.0.0.1:5", "", nil, 403},
		{"127.0.0.1:5", "localhost", []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{"127.0.0.1:5", "localhost", []string{"X-Real-IP", "127.0.0.1"}, 403},
		{"127.0.0.1:5", "localhost", []string{"Via", "1.1 proxy"}, 403},
		{"127.0.0.1:5", "localhost", []string{"Forwarded", "for=127.0.0.1"}, 403},
		{"127.0.0.1:5", "localhost", []string{"X-Forwarded-Proto", "https"}, 403},
		{"@", "localhost", nil, 403},
	} {
		r := get("/", test.headers...)
		r.RemoteAddr, r.Host = test.remote, test.host
		w := serve(handler(access.LoopbackOnly(), nil), r)
		assert.Equal(t, test.status, w.Code, "%v", test)
		assert.Empty(t, w.Header()["Access-Control-Allow-Origin"])
	}
	r := get("/")
	r.RemoteAddr, r.Host = "127.0.0.1:5", "localhost"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0
	assert.ErrorIs(t, access.CheckLoopback(r), access.ErrForbidden, "as proxies ask")
}

// TestRouterFold: whatever handlers take for the same name when they find files is in the same part.
func TestRouterFold(t *testing.T) {
	for c := rune('!'); c <= unicode.MaxRune; c++ {
		folded := strings.ToLower(strings.ToUpper(string(c)))
		if folded == string(c) || c >= 0xd800 && c <= 0xdfff || !unicode.IsPrint(c) {
			continue
		}
		locked := &access.Policy{}
		ro, err := access.NewRouter(map[string]access.Resolver{"/": &access.Policy{}, "/" + folded: locked})
		require.NoError(t, err)
		require.Same(t, locked, ro.Resolve(&http.Request{URL: &url.URL{Path: "/" + string(c) + "/x"}}), "%U", c)
	}
}

func TestCheckPath(t *testing.T) {
	assert.NoError(t, access.CheckPath(&url.URL{Path: "/live/a.isml/x"}))
	for _, p := range []string{"", "x", "//x", "/./x", "/a/../x", "/a%2e", `/a\b`} {
		assert.ErrorIs(t, access.CheckPath(&url.URL{Path: p}), access.ErrPath, p)
	}
}

func TestCORS(t *testing.T) {
	preflight := func(origin string) *http.Request {
		return request("OPTIONS", "/x", "Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "x-a, x-b")
	}
	next := http.HandlerFunc(echo)
	any := access.NewCORS(next, nil)
	w := serve(any, get("/x", "Origin", "https://a.example"))
	assert.Equal(t, "/x -", w.Body.String())
	assert.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Contains(t, w.Header().Get("Access-Control-Expose-Headers"), "Content-Range")
	assert.Empty(t, w.Header()["Vary"])
	w = serve(any, preflight("https://a.example"))
	assert.Equal(t, 204, w.Code)
	assert.Equal(t, "GET, HEAD, OPTIONS", w.Header().Get("Access-Control-Allow-Methods"))
	assert.Equal(t, "x-a, x-b", w.Header().Get("Access-Control-Allow-Headers"))
	assert.Equal(t, "86400", w.Header().Get("Access-Control-Max-Age"))
	assert.Equal(t, "/x -", serve(any, request("OPTIONS", "/x")).Body.String(), "no preflight request")

	some := access.NewCORS(next, &access.CORSOptions{
		Origins: []string{"https://a.example"}, Methods: []string{"GET", "PUT"}, Headers: []string{"X-A"}, Expose: []string{"X-Cache"},
		MaxAge: -1, Credentials: true,
	})
	w = serve(some, preflight("https://a.example"))
	assert.Equal(t, "https://a.example", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "true", w.Header().Get("Access-Control-Allow-Credentials"))
	assert.Equal(t, "GET, PUT", w.Header().Get("Access-Control-Allow-Methods"))
	assert.Equal(t, "X-A", w.Header().Get("Access-Control-Allow-Headers"))
	assert.Equal(t, "0", w.Header().Get("Access-Control-Max-Age"))
	assert.Contains(t, w.Header().Get("Access-Control-Expose-Headers"), "X-Cache")
	assert.Contains(t, w.Header()["Vary"], "Origin")
	for _, origin := range []string{"https://b.example", "https://a.example.evil", "http://a.example", "null", ""} {
		w = serve(some, preflight(origin))
		assert.Equal(t, 204, w.Code, origin)
		assert.Empty(t, w.Header()["Access-Control-Allow-Origin"], origin)
		assert.Empty(t, w.Header()["Access-Control-Allow-Methods"], origin)
		assert.Contains(t, w.Header()["Vary"], "Origin", origin)
	}
	w = serve(access.NewCORS(next, &access.CORSOptions{Credentials: true}), get("/x", "Origin", "https://a.example"))
	assert.Empty(t, w.Header()["Access-Control-Allow-Credentials"], "needs origins")
	w = serve(access.NewCORS(next, &access.CORSOptions{Disabled: true}), preflight("https://a.example"))
	assert.Equal(t, "/x -", w.Body.String())
	assert.Empty(t, w.Header()["Access-Control-Allow-Origin"])
}
