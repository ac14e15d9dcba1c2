package access_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// service is what a hook asks: answer is called for each question.
func service(t *testing.T, answer http.HandlerFunc) (target string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/decide?service=1", asked
}

func hook(t *testing.T, opts access.HookOptions) *access.Hook {
	t.Helper()
	h, err := access.NewHook(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.Close()) })
	return h
}

func TestHookQuestion(t *testing.T) {
	var got *http.Request
	target, _ := service(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(r.Context())
		w.Header().Set("X-User", "ann")
		w.Header().Set("X-Session", "s7")
		w.WriteHeader(http.StatusNoContent)
	})
	h := hook(t, access.HookOptions{
		URL: target, Role: "viewer", Headers: []string{"authorization", "x-app"},
		Address: func(*http.Request) netip.Addr { return netip.MustParseAddr("203.0.113.9") },
	})
	id, err := h.Authenticate(request("HEAD", "http://media.example/live/a%20b.isml/QualityLevels(1)/Fragments(v=0)?x=1",
		"Authorization", "Bearer x", "X-App", "y", "X-Other", "z", "X-Forwarded-For", "127.0.0.1", "X-Original-URI", "/forged"))
	require.NoError(t, err)
	assert.Equal(t, &access.Identity{Name: "ann", Session: "s7", Method: access.MethodHook}, id)
	assert.Equal(t, "GET", got.Method)
	assert.Equal(t, "/decide?service=1", got.URL.RequestURI())
	for name, want := range map[string]string{
		"X-Original-Uri": "/live/a%20b.isml/QualityLevels(1)/Fragments(v=0)?x=1", "X-Original-Method": "HEAD",
		"X-Original-Host": "media.example", "X-Presentation": "/live/a%20b.isml", "X-Role": "viewer",
		"X-Forwarded-For": "203.0.113.9", "Authorization": "Bearer x", "X-App": "y", "X-Other": "",
	} {
		assert.Equal(t, want, got.Header.Get(name), name)
	}
	assert.Empty(t, h.Challenge())
}

func TestHookAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		status int
	}{
		"200": {func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, 100_000)) }, 200},
		"204": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }, 200},
		"401": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("WWW-Authenticate", "Own x")
			w.WriteHeader(401)
		}, 401},
		"403": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }, 403},
		"404": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, 503},
		"500": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, 503},
		"302": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/ok" {
				http.Redirect(w, r, "/ok", http.StatusFound)
			}
		}, 503},
		"long":     {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-User", strings.Repeat("x", 300)) }, 503},
		"cut":      {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, 503},
		"too much": {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X", strings.Repeat("x", 100_000)) }, 503},
	} {
		target, _ := service(t, test.answer)
		h := hook(t, access.HookOptions{URL: target})
		w := serve(handler(&access.Policy{Authenticators: []access.Authenticator{h}}, nil), get("/x"))
		assert.Equal(t, test.status, w.Code, name)
		if name == "401" {
			assert.Equal(t, []string{"Own x"}, w.Header()["Www-Authenticate"])
		}
	}
	down := httptest.NewServer(nil)
	down.Close()
	_, err := hook(t, access.HookOptions{URL: down.URL}).Authenticate(get("/x"))
	assert.ErrorIs(t, err, access.ErrUnavailable)
	for _, bad := range []string{"", "/x", "ftp://x/y", "http://", "::"} {
		_, err := access.NewHook(&access.HookOptions{URL: bad})
		assert.ErrorIs(t, err, access.ErrOptions, bad)
	}
	_, err = access.NewHook(nil)
	assert.ErrorIs(t, err, access.ErrOptions)
}

func TestHookTimeout(t *testing.T) {
	release := make(chan struct{})
	target, _ := service(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	h := hook(t, access.HookOptions{URL: target, Timeout: time.Millisecond})
	_, err := h.Authenticate(get("/x"))
	assert.ErrorIs(t, err, access.ErrUnavailable)
}

func TestHookCache(t *testing.T) {
	c := newClock()
	var control atomic.Value
	control.Store("")
	var status atomic.Int64
	status.Store(200)
	target, asked := service(t, func(w http.ResponseWriter, r *http.Request) {
		if s := control.Load().(string); s != "" {
			w.Header().Set("Cache-Control", s)
		}
		w.WriteHeader(int(status.Load()))
	})
	h := hook(t, access.HookOptions{URL: target, CacheFor: time.Minute, MaxCached: 20, Now: c.Now})
	ask := func(target string, headers ...string) {
		_, _ = h.Authenticate(get(target, headers...))
	}
	expect := func(want int64, msg string) {
		t.Helper()
		assert.Equal(t, want, asked.Swap(0), msg)
	}
	ask("/a.ism/Manifest")
	ask("/a.ism/QualityLevels(1)/Fragments(v=0)")
	ask("/a.ism/QualityLevels(1)/Fragments(v=2)")
	expect(1, "one question for a presentation")
	ask("/a.ism/Manifest", "Authorization", "Bearer 1")
	ask("/a.ism/Manifest", "Authorization", "Bearer 2")
	ask("/a.ism/Manifest", "Cookie", "a=b")
	ask("/a.ism/Manifest", "Cookie", "a=b", "Cookie", "c")
	ask("/a.ism/Manifest?token=1")
	ask("/a.ism/Manifest", "Host", "other.example")
	ask("/b.ism/Manifest")
	expect(7, "what the answer may depend on")
	r := get("/a.ism/Manifest")
	r.RemoteAddr = "198.51.100.1:1"
	_, _ = h.Authenticate(r)
	_, _ = h.Authenticate(request("POST", "/a.ism/Manifest"))
	expect(2, "address and method")
	_, _ = h.Authenticate(request("HEAD", "/a.ism/Manifest"))
	expect(0, "HEAD is as GET")
	c.advance(59 * time.Second)
	ask("/a.ism/Manifest")
	expect(0, "remembered")
	c.advance(2 * time.Second)
	ask("/a.ism/Manifest")
	expect(1, "for a minute")
	for i := range 100 {
		ask("/" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".ism/x")
	}
	assert.LessOrEqual(t, h.CacheLen(), 20)
	asked.Store(0)

	for value, seconds := range map[string]int{
		"max-age=5": 5, "private, Max-Age=\"7\"": 7, "max-age=600": 60, "no-store": 0, "no-cache": 0, "max-age=0": 0, "max-age=x": 0, "public": 60,
		"max-age=99999999999999999999": 0,
	} {
		control.Store(value)
		path := "/life.ism/x?s=" + url.QueryEscape(value)
		ask(path)
		if seconds > 0 {
			c.advance(time.Duration(seconds)*time.Second - time.Millisecond)
			ask(path)
			expect(1, value+" is remembered")
			c.advance(time.Millisecond)
		}
		asked.Store(0)
		ask(path)
		expect(1, value+" is over")
	}

	control.Store("")
	status.Store(403)
	ask("/refused.ism/x")
	ask("/refused.ism/x")
	expect(1, "refusals are remembered")
	c.advance(2 * time.Second)
	ask("/refused.ism/x")
	expect(1, "for two seconds")
	status.Store(500)
	ask("/failed.ism/x")
	ask("/failed.ism/x")
	expect(2, "failures are not")
}

// transport answers without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestHookCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, asked := make(chan struct{}), 0
		client := &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			asked++
			<-release
			return &http.Response{StatusCode: 200, Header: http.Header{"X-User": {"ann"}}, Body: http.NoBody}, nil
		})}
		h := hook(t, access.HookOptions{URL: "http://decide.example", Client: client, CacheFor: -1, MaxAsking: 1})
		var done sync.WaitGroup
		for i := range 50 {
			ctx, leave := context.WithCancel(t.Context())
			done.Go(func() {
				id, err := h.Authenticate(get("/a.ism/x").WithContext(ctx))
				if i == 0 {
					assert.ErrorIs(t, err, context.Canceled)
					assert.ErrorIs(t, err, access.ErrUnavailable)
				} else if assert.NoError(t, err) {
					assert.Equal(t, "ann", id.Name)
				}
			})
			if synctest.Wait(); i == 0 {
				leave() // who was first does not take the answer from the others
			}
			defer leave()
		}
		synctest.Wait()
		_, err := h.Authenticate(get("/b.ism/x"))
		assert.ErrorIs(t, err, access.ErrUnavailable, "one question at a time")
		close(release)
		done.Wait()
		assert.Equal(t, 1, asked)
	})
}

// Wrong passwords are counted, right ones and other credentials are not.
func TestHookAttempts(t *testing.T) {
	target, asked := service(t, func(w http.ResponseWriter, r *http.Request) {
		if _, password, ok := r.BasicAuth(); ok && password == "right" {
			return
		}
		w.WriteHeader(401)
	})
	h := hook(t, access.HookOptions{URL: target, CacheFor: -1, Attempts: access.NewAttempts(&access.AttemptsOptions{Max: 2})})
	for range 5 {
		_, err := h.Authenticate(login("ann", "right"))
		require.NoError(t, err)
		_, err = h.Authenticate(get("/x", "Authorization", "Bearer wrong"))
		require.Equal(t, 401, access.StatusOf(err))
	}
	for range 2 {
		_, err := h.Authenticate(login("ann", "wrong"))
		require.ErrorIs(t, err, access.ErrCredentials)
	}
	before := asked.Load()
	_, err := h.Authenticate(login("ann", "wrong"))
	require.ErrorIs(t, err, access.ErrTooMany)
	assert.Equal(t, before, asked.Load())
}

// Close waits for answers, and who asks later still gets one.
func TestHookClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			asked++
			select {
			case <-time.After(time.Duration(asked) * 2 * time.Second):
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})}
		h, err := access.NewHook(&access.HookOptions{URL: "http://decide.example", Client: client, CacheFor: -1})
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := h.Authenticate(get("/x"))
			assert.NoError(t, err)
		})
		synctest.Wait()
		began := time.Now()
		require.NoError(t, h.Close())
		assert.Equal(t, 2*time.Second, time.Since(began))
		wg.Wait()
		_, err = h.Authenticate(get("/x"))
		assert.NoError(t, err)
		_, err = h.Authenticate(get("/x"))
		assert.ErrorIs(t, err, access.ErrUnavailable, "the timeout")
		assert.Equal(t, began.Add((2+4+5)*time.Second), time.Now())
		require.NoError(t, h.Close(), "twice")
	})
}

func TestPresentationPath(t *testing.T) {
	for path, want := range map[string]string{
		"/a/b.ism/Manifest":                     "/a/b.ism",
		"/a/b.ISML/QualityLevels(1)/Fragments(": "/a/b.ISML",
		"/a/b.isx":                              "/a/b.isx",
		"/a/b.csm/x":                            "/a/b.csm",
		"/.ism/x":                               "/.ism",
		"/a/b.mp4":                              "/a/b.mp4",
		"/":                                     "/",
		"/a/":                                   "/a/",
		"":                                      "",
	} {
		r := get("/")
		r.URL.Path = path
		assert.Equal(t, want, access.PresentationPath(r), path)
	}
}
