package access_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// Whatever the form of a path, it is refused or served as it was authorised.
func TestAmbiguousPaths(t *testing.T) {
	c := newClock()
	s := signed(t, c, nil)
	link, err := s.PathURL("/live/a.isml/x", access.Grant{Path: "/live/a.isml/*", Expires: c.Now().Add(time.Hour)})
	require.NoError(t, err)
	prefix := strings.TrimSuffix(link, "x")
	token := strings.Split(link, "/")[2]
	router, err := access.NewRouter(map[string]access.Resolver{
		"/":     &access.Policy{},
		"/live": &access.Policy{Authenticators: []access.Authenticator{s}},
	})
	require.NoError(t, err)
	h := handler(router, &access.HandlerOptions{Signed: s})

	for _, test := range []struct {
		target string
		status int
	}{
		{prefix + "x", 200},
		{prefix, 200},
		{prefix + "%78", 200},
		{prefix + "a%20b(c=d,e)", 200},
		{prefix + "%C3%BC", 200},
		{prefix + "x%25", 200},
		{prefix + "100%25%20x", 200},
		{prefix + "../b.isml/x", 400},
		{prefix + "%2e%2e/b.isml/x", 400},
		{prefix + "%2E./b.isml/x", 400},
		{prefix + ".%2e/b.isml/x", 400},
		{prefix + "%2e%2e%2fb.isml/x", 400},
		{prefix + "..%2Fb.isml/x", 400},
		{prefix + "..%5cb.isml/x", 400},
		{prefix + `..\b.isml\x`, 400},
		{prefix + "%5C..%5Cb.isml", 400},
		{prefix + "%252e%252e/b.isml/x", 400},
		{prefix + "%252E%252E%252Fb.isml", 400},
		{prefix + "..%255cb.isml", 400},
		{prefix + "%25252e%25252e/x", 400},
		{"/%256cive/a.isml/x", 400},
		{prefix + "%2561", 400},
		{prefix + "%25zz", 200},
		{prefix + "x%2fy", 400},
		{prefix + "x%00", 400},
		{prefix + "x%0a", 400},
		{prefix + "x%7f", 400},
		{prefix + "%ff%fe", 400},
		{prefix + "%c0%ae%c0%ae/x", 400}, // overlong dots
		{prefix + "./x", 400},
		{prefix + "/x", 400},
		{prefix + "y//x", 400},
		{prefix + ".", 400},
		{prefix + "..", 400},
		{"//live/a.isml/x", 400},
		{"/./live/a.isml/x", 400},
		{"/x/../live/a.isml/x", 400},
		{"/%6cive/a.isml/x", 403},
		{"/LIVE/a.isml/x", 403},
		{"/%4Cive/a.isml/x", 403},
		{"/Live", 403},
		{"/liVe/", 403},
		{"/l\u0131ve/x", 403}, // a dotless i is another letter on most systems, and finds the same file in handlers that fold names
		{"/l\u0130ve/x", 403},
		{"/lively/x", 200},
		{"/x", 200},
		{"/t/" + token + "/../../live/a.isml/x", 400},
		{"/t/" + token + "/%2e%2e/x", 400},
		{"/t/" + token + "%2flive/a.isml/x", 400},
		{"/t%2f" + token + "/live/a.isml/x", 400},
		{"//t/" + token + "/live/a.isml/x", 400},
		{"/T/" + token + "/live/a.isml/x", 200}, // not ours: outside /live, and served as it is
		{"/x/t/" + token + "/live/a.isml/x", 200},
	} {
		u, err := url.ParseRequestURI(test.target)
		require.NoError(t, err, test.target)
		r := httptest.NewRequest("GET", "/", nil)
		r.URL, r.RequestURI = u, test.target
		w := serve(h, r)
		assert.Equal(t, test.status, w.Code, "%q", test.target)
		if w.Code != 200 {
			continue
		}
		// The inner handler sees the path behind the token, byte for byte.
		seen, _, _ := strings.Cut(w.Body.String(), " ")
		want := strings.TrimPrefix(u.RequestURI(), "/t/"+token)
		assert.Equal(t, want, seen, "%q", test.target)
	}
}

// What Windows takes for another file is refused there.
func TestWindowsPaths(t *testing.T) {
	for path, refused := range map[string]bool{
		"/live/a.isml/x":                    false,
		"/live./x":                          true,
		"/live /x":                          true,
		"/live::$INDEX_ALLOCATION/x":        true,
		"/x.mp4::$DATA":                     true,
		"/PROTEC~1/x":                       true,
		"/a~b/x~":                           false,
		"/x/.hidden":                        false,
		"/QualityLevels(1)/Fragments(v=0,)": false,
		"/":                                 false,
		"/a/":                               false,
	} {
		u := &url.URL{Path: path}
		assert.Equal(t, refused, access.CheckPathOn(u, true) != nil, path)
		assert.NoError(t, access.CheckPathOn(u, false), path)
	}
	for _, path := range []string{"", "*", "x", "host:443"} {
		assert.ErrorIs(t, access.CheckPathOn(&url.URL{Path: path}, false), access.ErrPath, path)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		err       error
		status    int
		challenge []string
		retry     string
	}{
		{fmt.Errorf("x: %w", access.ErrUnauthenticated), 401, []string{"Test"}, ""},
		{&access.RefusedError{Challenges: []string{"A", "B"}, Err: access.ErrUnauthenticated}, 401, []string{"A", "B"}, ""},
		{access.ErrForbidden, 403, nil, ""},
		{errors.New("of the application"), 403, nil, ""},
		{access.ErrPath, 400, nil, ""},
		{&access.RefusedError{RetryAfter: 1500 * time.Millisecond, Err: access.ErrTooMany}, 429, nil, "2"},
		{access.ErrUnavailable, 503, nil, ""},
	} {
		h := handler(&access.Policy{Authenticators: []access.Authenticator{
			authFunc(func(*http.Request) (*access.Identity, error) { return nil, test.err }),
		}}, nil)
		w := serve(h, get("/x"))
		assert.Equal(t, test.status, w.Code, test.err)
		assert.Equal(t, test.challenge, w.Header()["Www-Authenticate"], test.err)
		assert.Equal(t, test.retry, w.Header().Get("Retry-After"))
		assert.Equal(t, http.StatusText(test.status)+"\n", w.Body.String())
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		assert.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
		assert.Equal(t, access.Stats{Refused: map[int]int64{test.status: 1}}, h.Stats())
	}
	assert.Equal(t, 200, access.StatusOf(nil))
	assert.Equal(t, "x", (&access.RefusedError{Err: errors.New("x")}).Error())
}

func TestPreflight(t *testing.T) {
	refused := &access.Policy{Authenticators: []access.Authenticator{
		authFunc(func(*http.Request) (*access.Identity, error) { return nil, nil }),
	}}
	ask := func() *http.Request {
		return request("OPTIONS", "/x", "Origin", "https://player.example", "Access-Control-Request-Method", "GET",
			"Access-Control-Request-Headers", "authorization")
	}
	w := serve(handler(refused, nil), ask())
	assert.Equal(t, 204, w.Code)
	assert.Empty(t, w.Body.String(), "the inner handler is not asked")
	assert.Equal(t, "authorization", w.Header().Get("Access-Control-Allow-Headers"))
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))

	w = serve(handler(refused, nil), request("OPTIONS", "/x"))
	assert.Equal(t, 401, w.Code, "no preflight request")
	closed := *refused
	closed.NoCORS = true
	w = serve(handler(&closed, nil), ask())
	assert.Equal(t, 401, w.Code)
	assert.Empty(t, w.Header()["Access-Control-Allow-Origin"])
	w = serve(handler(refused, &access.HandlerOptions{CORS: &access.CORSOptions{Origins: []string{"https://other.example"}}}), ask())
	assert.Equal(t, 401, w.Code, "another origin")
	w = serve(handler(&access.Policy{}, nil), ask())
	assert.Equal(t, "/x -", w.Body.String(), "who is let in reaches the inner handler")
}

func TestSetPolicy(t *testing.T) {
	h := access.NewHandler(http.HandlerFunc(echo), nil, &access.HandlerOptions{Logger: quiet()})
	assert.Equal(t, 403, serve(h, get("/x")).Code, "no policy lets in nobody")
	h.SetPolicy(&access.Policy{})
	assert.Equal(t, 200, serve(h, get("/x")).Code)
	h.SetPolicy(nil)
	assert.Equal(t, 403, serve(h, get("/x")).Code)
	assert.Equal(t, int64(1), h.Stats().Allowed)
}

func TestStripAuthorization(t *testing.T) {
	basic, err := access.NewBasic(&access.BasicOptions{Users: map[string]string{"ann": hashOf(t, "secret")}})
	require.NoError(t, err)
	r := get("/x")
	r.SetBasicAuth("ann", "secret")
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := access.FromContext(r.Context())
		_, _ = fmt.Fprint(w, id.Name, r.Header["Authorization"], r.Header["X"])
	})
	r.Header.Set("X", "y")
	p := &access.Policy{Authenticators: []access.Authenticator{basic}}
	h := access.NewHandler(next, p, &access.HandlerOptions{StripAuthorization: true})
	assert.Equal(t, "ann[] [y]", serve(h, r).Body.String())
	assert.NotEmpty(t, r.Header["Authorization"], "the request of the server stays as it is")
}

// One Handler may stand around another one, for a part of what it serves.
func TestNestedHandlers(t *testing.T) {
	c := newClock()
	s := signed(t, c, nil)
	p := &access.Policy{Authenticators: []access.Authenticator{s}}
	inner := handler(p, &access.HandlerOptions{Signed: s})
	outer := access.NewHandler(inner, &access.Policy{}, &access.HandlerOptions{Signed: s, Logger: quiet()})
	link, err := s.PathURL("/x", access.Grant{Path: "/x", User: "ann", Expires: c.Now().Add(time.Hour)})
	require.NoError(t, err)
	assert.Equal(t, "/x signed:ann", serve(outer, get(link)).Body.String())
	both := access.NewHandler(handler(&access.Policy{}, nil), p, &access.HandlerOptions{Signed: s, Logger: quiet()})
	assert.Equal(t, "/x signed:ann", serve(both, get(link)).Body.String(), "the identity stays")
}

// The writer is the server's, so that files go out by sendfile and deadlines can be set.
func TestWriterUnchanged(t *testing.T) {
	w := httptest.NewRecorder()
	var got http.ResponseWriter
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = w })
	access.NewHandler(next, &access.Policy{}, nil).ServeHTTP(w, get("/x"))
	assert.Same(t, w, got)
}

func TestContext(t *testing.T) {
	_, ok := access.FromContext(t.Context())
	assert.False(t, ok)
	id, ok := access.FromContext(access.NewContext(t.Context(), &access.Identity{Name: "ann"}))
	assert.True(t, ok)
	assert.Equal(t, "ann", id.Name)
	_, ok = access.FromContext(access.NewContext(t.Context(), nil))
	assert.False(t, ok)
}

func TestLogLevels(t *testing.T) {
	var log logBuffer
	unavailable := authFunc(func(r *http.Request) (*access.Identity, error) { return nil, access.ErrUnavailable })
	h := handler(&access.Policy{Authenticators: []access.Authenticator{unavailable}}, &access.HandlerOptions{Logger: log.logger()})
	for range 20 {
		serve(h, get("/x"))
	}
	assert.LessOrEqual(t, strings.Count(log.String(), "level=ERROR"), 3, "at most one a second")
	assert.Contains(t, log.String(), "level=ERROR")

	log = logBuffer{}
	wrong := authFunc(func(r *http.Request) (*access.Identity, error) { return nil, access.ErrUnauthenticated })
	h = handler(&access.Policy{Authenticators: []access.Authenticator{wrong}}, &access.HandlerOptions{Logger: log.logger()})
	serve(h, get("/"+strings.Repeat("x", 2000), "Authorization", "Secret credentials"))
	assert.Contains(t, log.String(), "level=INFO")
	assert.NotContains(t, log.String(), "credentials")
	assert.Less(t, len(log.String()), 900)
}

// An encoder whose push is refused gets the answer though it goes on sending.
func TestRefusedPush(t *testing.T) {
	server := httptest.NewServer(handler(nil, nil))
	defer server.Close()
	body, feed := io.Pipe()
	defer feed.Close()
	resp, err := http.Post(server.URL+"/live/x.isml/Streams(1)", "video/mp4", body)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, 403, resp.StatusCode)
}
