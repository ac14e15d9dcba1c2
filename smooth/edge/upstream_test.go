package edge_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// hosts is a transport to several origins by their host.
type hosts struct {
	mu       sync.Mutex
	handlers map[string]http.HandlerFunc
	counts   map[string]int
}

func (h *hosts) set(host string, handler http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.handlers == nil {
		h.handlers, h.counts = map[string]http.HandlerFunc{}, map[string]int{}
	}
	h.handlers[host] = handler
}

func (h *hosts) count(host string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts[host]
}

// RoundTrip implements http.RoundTripper. A host without a handler refuses connections.
func (h *hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	h.counts[r.URL.Host]++
	handler := h.handlers[r.URL.Host]
	h.mu.Unlock()
	if handler == nil {
		return nil, errors.New("connection refused")
	}
	return direct{handler}.RoundTrip(r)
}

func named(name string) http.HandlerFunc { return reply(200, name, "Cache-Control", "max-age=10") }

// Primaries share the keys, the backup gets none while one of them is up, and one request finds the one that works.
func TestFailOver(t *testing.T) {
	h := &hosts{}
	h.set("a", named("a"))
	h.set("b", named("b"))
	h.set("c", named("c"))
	r := newRig(t, nil, &edge.Options{Transport: h, Upstreams: []edge.Upstream{
		{URL: "http://c", Backup: true}, {URL: "http://a"}, {URL: "http://b"},
	}})
	owners := map[string]int{}
	for i := range 200 {
		owners[r.get(fmt.Sprintf("/%d", i)).body]++
	}
	assert.Len(t, owners, 2)
	assert.Greater(t, owners["a"], 50)
	assert.Greater(t, owners["b"], 50)

	h.set("a", nil)
	for i := range 20 {
		assert.Equal(t, "b", r.get(fmt.Sprintf("/x%d", i)).body)
	}
	assert.Less(t, h.count("a")-owners["a"], 4, "three failures, and it is not asked any more")
	assert.Equal(t, []bool{true, false, true}, ups(r.cache))
	h.set("b", reply(503, "busy"))
	assert.Equal(t, "c", r.get("/y").body)
	assert.Equal(t, "c", r.get("/z").body)
	h.set("c", reply(500, "own page"))
	a := r.get("/w")
	assert.Equal(t, 500, a.status, "the last answer counts, although one that is down was tried afterwards")
	assert.Equal(t, "own page", a.body)

	h.set("a", named("a"))
	h.set("b", named("b"))
	r.clock.advance(5 * time.Second)
	assert.Contains(t, "ab", r.get("/v").body)
}

func ups(c *edge.Cache) (list []bool) {
	for _, u := range c.Stats().Upstreams {
		list = append(list, u.Up)
	}
	return list
}

// A request with a body, or that is not idempotent, is sent once.
func TestOnce(t *testing.T) {
	h := &hosts{}
	h.set("a", nil)
	h.set("b", nil)
	r := newRig(t, nil, &edge.Options{Transport: h, Upstreams: []edge.Upstream{{URL: "http://a"}, {URL: "http://b"}}})
	assert.Equal(t, 502, r.do("POST", "/a", nil).status)
	assert.Equal(t, 1, h.count("a")+h.count("b"))
	assert.Equal(t, 502, r.do("PUT", "/a", strings.NewReader("x")).status)
	assert.Equal(t, 2, h.count("a")+h.count("b"))
	assert.Equal(t, 502, r.do("DELETE", "/a", nil).status)
	assert.Equal(t, 4, h.count("a")+h.count("b"))
}

// A hung upstream costs one header timeout, then another one answers.
func TestFailOverOnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hosts{}
		h.set("a", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		h.set("b", named("b"))
		r := newRig(t, nil, &edge.Options{
			Transport: h, HeaderTimeout: time.Second, Upstreams: []edge.Upstream{{URL: "http://a"}, {URL: "http://b", Backup: true}},
		})
		began := time.Now()
		assert.Equal(t, "b", r.get("/1").body)
		assert.Equal(t, time.Second, time.Since(began))
		assert.Equal(t, 200, r.do("HEAD", "/2", nil).status)
	})
}

// Health checks find out about both directions.
func TestHealth(t *testing.T) {
	h := &hosts{}
	var ok atomic.Bool
	var path atomic.Value
	h.set("a", func(w http.ResponseWriter, r *http.Request) {
		path.Store(r.URL.RequestURI())
		if !ok.Load() {
			w.WriteHeader(404)
		}
	})
	r := newRig(t, nil, &edge.Options{Transport: h, Upstreams: []edge.Upstream{{URL: "http://a/base/"}},
		Health: edge.Health{Path: "/healthz?x=1", Interval: time.Hour, Failures: 2}})
	ok.Store(true)
	r.cache.CheckHealth()
	r.cache.CheckHealth()
	assert.Equal(t, []bool{true}, ups(r.cache))
	assert.Equal(t, "/base/healthz?x=1", path.Load())
	ok.Store(false)
	r.cache.CheckHealth()
	assert.Equal(t, []bool{true}, ups(r.cache))
	r.get("/works") // which does not make up for the checks
	r.cache.CheckHealth()
	assert.Equal(t, []bool{false}, ups(r.cache))
	r.get("/last-resort")
	assert.Equal(t, []bool{false}, ups(r.cache))
	r.clock.advance(24 * time.Hour)
	assert.Equal(t, []bool{false}, ups(r.cache), "until a check succeeds")
	require.NoError(t, r.cache.SetUpstreams([]edge.Upstream{{URL: "http://b"}, {URL: "http://a/base/"}}))
	assert.Equal(t, []bool{true, false}, ups(r.cache), "a reload does not forget")
	ok.Store(true)
	r.cache.CheckHealth()
	assert.Equal(t, []bool{true, true}, ups(r.cache))
}

func TestSetUpstreams(t *testing.T) {
	h := &hosts{}
	h.set("a", named("a"))
	h.set("b", named("b"))
	r := newRig(t, nil, &edge.Options{Transport: h, Upstreams: []edge.Upstream{{URL: "http://a"}}})
	assert.Equal(t, "a", r.get("/1").body)
	for _, bad := range []string{"", "a", "ftp://a", "http://", "http://[", "//a"} {
		assert.ErrorIs(t, r.cache.SetUpstreams([]edge.Upstream{{URL: bad}}), edge.ErrUpstreamURL, bad)
	}
	assert.ErrorIs(t, r.cache.SetUpstreams(nil), edge.ErrNoUpstream)
	assert.ErrorIs(t, r.cache.SetUpstreams([]edge.Upstream{{URL: "http://a", Backup: true}}), edge.ErrNoUpstream)
	assert.Equal(t, "a", r.get("/2").body)
	require.NoError(t, r.cache.SetUpstreams([]edge.Upstream{{URL: "http://b"}}))
	assert.Equal(t, "b", r.get("/3").body)
	assert.Equal(t, "a", r.get("/1").body)
	_, err := edge.New(nil)
	assert.ErrorIs(t, err, edge.ErrNoUpstream)
}

// While all upstreams fail, objects serve beyond their lifetime if that is allowed, and for as long as it is.
func TestStaleIfError(t *testing.T) {
	for name, c := range map[string]struct {
		control string
		byOpts  time.Duration
		age     time.Duration
		request string
		stale   bool
	}{
		"not allowed":      {"max-age=10", 0, 11 * time.Second, "", false},
		"by the response":  {"max-age=10, stale-if-error=5", 0, 14 * time.Second, "", true},
		"too old":          {"max-age=10, stale-if-error=5", time.Hour, 15 * time.Second, "", false},
		"by option":        {"max-age=10", 5 * time.Second, 14 * time.Second, "", true},
		"too old for it":   {"max-age=10", 5 * time.Second, 15 * time.Second, "", false},
		"must-revalidate":  {"max-age=10, must-revalidate, stale-if-error=5", 5 * time.Second, 11 * time.Second, "", false},
		"proxy-revalidate": {"max-age=10, proxy-revalidate", 5 * time.Second, 11 * time.Second, "", false},
		"s-maxage":         {"s-maxage=10", 5 * time.Second, 11 * time.Second, "", false},
		"no-cache":         {"max-age=10, no-cache", 50 * time.Second, 11 * time.Second, "", false},
		"request no-cache": {"max-age=10", 50 * time.Second, 11 * time.Second, "no-cache", false},
	} {
		for _, failure := range []string{"500", "503", "connection"} {
			t.Run(name+" "+failure, func(t *testing.T) {
				h := &hosts{}
				h.set("a", reply(200, "body", "Cache-Control", c.control, "Etag", `"a"`))
				r := newRig(t, nil, &edge.Options{Transport: h, StaleIfError: c.byOpts, Upstreams: []edge.Upstream{{URL: "http://a"}}})
				r.get("/a")
				r.clock.advance(c.age)
				want := 502
				switch failure {
				case "500":
					h.set("a", reply(500, "oops"))
					want = 500
				case "503":
					h.set("a", reply(503, "oops"))
					want = 503
				default:
					h.set("a", nil)
				}
				var fields []string
				if c.request != "" {
					fields = []string{"Cache-Control", c.request}
				}
				for range 5 { // the upstream goes down on the way
					a := r.get("/a", fields...)
					switch {
					case c.stale:
						assert.Equal(t, "STALE", a.cache())
						assert.Equal(t, "body", a.body)
					case c.request != "": // there is a fallback, only not for this request
						assert.GreaterOrEqual(t, a.status, 500)
					default:
						assert.Equal(t, want, a.status)
					}
				}
			})
		}
	}
}

// A response that allows it is used while it is being validated, by one request.
func TestStaleWhileRevalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{}, 1)
		gate <- struct{}{}
		version := 0
		r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			<-gate
			version++
			reply(200, fmt.Sprint(version), "Cache-Control", "max-age=10, stale-while-revalidate=5")(w, r)
		}, nil)
		assert.Equal(t, "1", r.get("/a").body)
		r.clock.advance(12 * time.Second)
		for range 10 {
			a := r.get("/a")
			assert.Equal(t, "STALE", a.cache())
			assert.Equal(t, "1", a.body)
		}
		gate <- struct{}{}
		synctest.Wait()
		assert.EqualValues(t, 2, r.origin.requests.Load())
		assert.Equal(t, "2", r.get("/a").body)
		r.clock.advance(15 * time.Second)
		gate <- struct{}{}
		assert.Equal(t, "EXPIRED", r.get("/a").cache())
	})
}

// What goes upstream, and what does not.
func TestForwarding(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		reply(200, r.Method+" "+r.Host+r.URL.RequestURI(), "Cache-Control", "max-age=10")(w, r)
	}, &edge.Options{
		Upstreams:      []edge.Upstream{{URL: "http://user:pass@origin:8080/base/", Header: http.Header{"x-secret": {"s"}}}},
		ForwardHeaders: []string{"x-forwarded-by-option"},
	})
	fields := []string{
		"Accept", "video/*", "Accept-Language", "de", "Origin", "http://site", "User-Agent", "player", "Cookie", "c=1", "Referer", "x",
		"X-Forwarded-For", "1.2.3.4", "X-Forwarded-By-Option", "1", "X-Secret", "guess", "Via", "1.0 front", "X-Original-Url", "/admin",
		"Connection", "X-Hop", "X-Hop", "1", "Cmcd-Session", "sid=1",
	}
	a := r.get("http://edge/a.ism/QualityLevels%28100%29/Fragments(video%3d0)?x=1&CMCD=br%3D100&y=2", fields...)
	assert.Equal(t, "GET origin:8080/base/a.ism/QualityLevels(100)/Fragments(video=0)?x=1&y=2", a.body)
	assert.Equal(t, http.Header{
		"Accept": {"video/*"}, "Accept-Language": {"de"}, "Origin": {"http://site"}, "User-Agent": {"smoothkit"}, "X-Secret": {"s"},
		"X-Forwarded-By-Option": {"1"}, "Via": {"1.0 front", "1.1 smoothkit"}, "Accept-Encoding": {"identity"},
		"Authorization": {"Basic dXNlcjpwYXNz"},
	}, r.origin.last().Header)
	assert.Equal(t, "HIT", r.get("http://other/a.ism/QualityLevels(100)/Fragments(video=0)?x=1&y=2").cache())

	a = r.do("POST", "http://edge/a%2fb?x=1&CMCD=2", strings.NewReader("push"), append(fields, "Authorization", "Bearer t")...)
	assert.Equal(t, "POST origin:8080/base/a%2Fb?x=1", a.body)
	assert.Equal(t, "BYPASS", a.cache())
	h := r.origin.last().Header
	for name, want := range map[string]string{
		"Cookie": "c=1", "User-Agent": "player", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "edge", "X-Forwarded-Proto": "http",
		"Authorization": "Bearer t", "X-Secret": "s", "X-Hop": "", "Via": "1.0 front",
	} {
		assert.Equal(t, want, h.Get(name), name)
	}
	assert.Equal(t, []string{"1.0 front", "1.1 smoothkit"}, h["Via"])
}

func TestForwardingOptions(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		reply(200, r.Host, "Cache-Control", "max-age=10")(w, r)
	}, &edge.Options{KeepHost: true, TrustForwarded: true, Name: "shield", StripQuery: []string{}, BypassCookies: true})
	assert.Equal(t, "a", r.get("http://a/x").body)
	assert.Equal(t, "b", r.get("http://b/x").body)
	assert.Equal(t, "HIT", r.get("http://A/x").cache())
	r.do("POST", "http://a/x?CMCD=1", nil, "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "front")
	h := r.origin.last().Header
	assert.Equal(t, "1.2.3.4, 192.0.2.1", h.Get("X-Forwarded-For"))
	assert.Equal(t, "https", h.Get("X-Forwarded-Proto"))
	assert.Equal(t, "front", h.Get("X-Forwarded-Host"))
	assert.Equal(t, "1.1 shield", h.Get("Via"))
	assert.Equal(t, "CMCD=1", r.origin.last().URL.RawQuery)
	assert.Equal(t, "HIT", r.get("http://a/x").cache(), "the POST named another query")
	assert.Equal(t, "BYPASS", r.get("http://a/x", "Cookie", "c").cache())
}

func TestBypass(t *testing.T) {
	r := newRig(t, named("body"), &edge.Options{Bypass: func(r *http.Request) bool { return r.URL.Query().Has("token") }})
	for range 2 {
		assert.Equal(t, "BYPASS", r.get("/a?token=1").cache())
		assert.Equal(t, "BYPASS", r.get("/a?"+strings.Repeat("x", 9000)).cache())
	}
	assert.Zero(t, r.cache.Stats().Memory.Keys)
	assert.Equal(t, 508, r.get("/a", "Via", strings.Repeat("1.1 smoothkit,", 20)).status)
	assert.Equal(t, 508, r.do("POST", "/a", nil, "Via", strings.Repeat("1.1 smoothkit,", 20)).status)
	for _, method := range []string{"TRACE", "CONNECT"} {
		a := r.do(method, "/a", nil)
		assert.Equal(t, 405, a.status)
		assert.NotEmpty(t, a.header.Get("Allow"))
	}
	for _, path := range []string{"/a/../b", "/..", "/a/%2e%2E/b", "/a/..%5cb", `/a%2f..%2fb`} {
		assert.Equal(t, 400, r.get(path).status, path)
	}
	assert.Equal(t, 200, r.get("/a..b/...").status)
}

// An unsafe method that succeeds removes what it names; one that fails does not.
func TestInvalidation(t *testing.T) {
	status := 200
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			reply(status, "", "Location", "/c", "Content-Location", "d?x=1")(w, r)
			return
		}
		named("body")(w, r)
	}, nil)
	targets := []string{"/a/b", "/c", "/a/d?x=1", "/a/e"}
	for _, c := range []struct {
		status int
		want   []string
	}{{500, []string{"HIT", "HIT", "HIT", "HIT"}}, {201, []string{"MISS", "MISS", "MISS", "HIT"}}} {
		for _, target := range targets {
			r.get(target)
		}
		status = c.status
		assert.Equal(t, c.status, r.do("POST", "/a/b", strings.NewReader("x")).status)
		var got []string
		for _, target := range targets {
			got = append(got, r.get(target).cache())
		}
		assert.Equal(t, c.want, got)
	}
}

// The body of a push reaches the upstream as it is sent, and its response as it comes.
func TestPushStreams(t *testing.T) {
	arrived := make(chan string)
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 3)
		for {
			n, err := io.ReadFull(r.Body, buf)
			if n == 0 || err != nil {
				break
			}
			arrived <- string(buf[:n])
			_, _ = w.Write(buf[:n])
		}
	}, nil)
	reader, writer := io.Pipe()
	result := make(chan answer)
	go func() { result <- r.do("POST", "/live.isml/Streams(a)", reader) }()
	for _, part := range []string{"abc", "def"} {
		_, _ = io.WriteString(writer, part)
		assert.Equal(t, part, <-arrived)
	}
	_ = writer.Close()
	assert.Equal(t, "abcdef", (<-result).body)
}

// Purge removes keys by prefix, and what is in flight for them is not stored.
func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(200, "Cache-Control", "max-age=10", "Content-Length", "4")
		r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/a/slow" {
				g.serve(w, r)
				return
			}
			named("body")(w, r)
		}, nil)
		for _, target := range []string{"/a/1", "/a/1?x", "/a/2", "/b/1"} {
			r.get(target)
		}
		slow := r.start(t.Context(), "/a/slow")
		synctest.Wait()
		close(g.begin)
		g.parts <- "ab"
		synctest.Wait()
		assert.Equal(t, 3, r.cache.Purge("/a/"))
		g.parts <- "cd"
		close(g.parts)
		assert.Equal(t, "abcd", (<-slow).body)
		synctest.Wait()
		assert.Equal(t, 1, r.cache.Stats().Memory.Keys)
		assert.Equal(t, "HIT", r.get("/b/1").cache())
		assert.Equal(t, "MISS", r.get("/a/1").cache())
	})
}
