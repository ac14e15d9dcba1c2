package edge_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// Dates, as seen at the beginning of each test.
const (
	httpNow     = "Thu, 26 Nov 2026 12:00:00 GMT"
	inAnHour    = "Thu, 26 Nov 2026 13:00:00 GMT"
	twoHoursAgo = "Thu, 26 Nov 2026 10:00:00 GMT"
	longAgo     = "Thu, 26 Nov 2020 11:50:00 GMT"
)

// A second request at once, and one after some time, say what was stored and for how long.
func TestStoring(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		fields []string
		hit    bool
		stale  time.Duration // when it is not a hit any more
		opts   *edge.Options
	}{
		"max-age":                  {200, []string{"Cache-Control", "max-age=10"}, true, 10 * time.Second, nil},
		"s-maxage wins":            {200, []string{"Cache-Control", "max-age=100, s-maxage=10"}, true, 10 * time.Second, nil},
		"max-age wins over":        {200, []string{"Cache-Control", "max-age=10", "Expires", inAnHour}, true, 10 * time.Second, nil},
		"expires":                  {200, []string{"Date", httpNow, "Expires", "Thu, 26 Nov 2026 12:00:20 GMT"}, true, 20 * time.Second, nil},
		"expires with skewed date": {200, []string{"Date", inAnHour, "Expires", "Thu, 26 Nov 2026 13:00:20 GMT"}, true, 20 * time.Second, nil},
		"expires 0":                {200, []string{"Expires", "0", "Etag", `"a"`}, false, 0, nil},
		"the shorter one":          {200, []string{"Cache-Control", "max-age=100", "Cache-Control", "max-age=10"}, true, 10 * time.Second, nil},
		"no number":                {200, []string{"Cache-Control", "max-age=ten"}, false, 0, nil},
		"negative":                 {200, []string{"Cache-Control", "max-age=-1"}, false, 0, nil},
		"quoted":                   {200, []string{"Cache-Control", `max-age="10"`}, true, 10 * time.Second, nil},
		"huge":                     {200, []string{"Cache-Control", "max-age=99999999999999999999"}, true, maxDelta, nil},
		"upper case":               {200, []string{"Cache-Control", "Max-Age=10"}, true, 10 * time.Second, nil},
		"age counts":               {200, []string{"Cache-Control", "max-age=10", "Age", "7"}, true, 3 * time.Second, nil},
		"old date counts":          {200, []string{"Cache-Control", "max-age=10", "Date", "Thu, 26 Nov 2026 11:59:56 GMT"}, true, 6 * time.Second, nil},
		"no-store":                 {200, []string{"Cache-Control", "max-age=10, no-store"}, false, 0, nil},
		"private":                  {200, []string{"Cache-Control", "max-age=10, private"}, false, 0, nil},
		"private field":            {200, []string{"Cache-Control", `private="x, max-age=5", max-age=10`}, false, 0, nil},
		"cookie":                   {200, []string{"Cache-Control", "max-age=10", "Set-Cookie", "a=b"}, false, 0, nil},
		"vary on all":              {200, []string{"Cache-Control", "max-age=10", "Vary", "Accept, *"}, false, 0, nil},
		"nothing":                  {200, nil, false, 0, nil},
		"heuristic off":            {200, []string{"Last-Modified", "Thu, 26 Nov 2026 11:00:00 GMT"}, false, 0, nil},
		"heuristic": {200, []string{"Last-Modified", "Thu, 26 Nov 2026 11:50:00 GMT"}, true, time.Minute,
			&edge.Options{MaxHeuristic: time.Hour}},
		"heuristic bounded": {200, []string{"Last-Modified", longAgo}, true, time.Hour,
			&edge.Options{MaxHeuristic: time.Hour}},
		"no heuristic for an explicit zero": {200, []string{"Last-Modified", longAgo, "Cache-Control", "max-age=0"},
			false, 0, &edge.Options{MaxHeuristic: time.Hour}},
		"default": {200, nil, true, time.Second, &edge.Options{DefaultLifetime: time.Second}},
		"no default for what says something": {200, []string{"Cache-Control", "public"}, false, 0,
			&edge.Options{DefaultLifetime: time.Second}},
		"no default for a redirect": {301, nil, false, 0, &edge.Options{DefaultLifetime: time.Second}},
		"no default with a cookie":  {200, []string{"Set-Cookie", "a=b"}, false, 0, &edge.Options{DefaultLifetime: time.Second}},
		"redirect":                  {301, []string{"Cache-Control", "max-age=10", "Location", "/x"}, true, 10 * time.Second, nil},
		"found":                     {302, []string{"Cache-Control", "max-age=10", "Location", "/x"}, true, 10 * time.Second, nil},
		"found without":             {302, []string{"Etag", `"a"`, "Location", "/x"}, false, 0, nil},
		"not found":                 {404, []string{"Cache-Control", "max-age=2"}, true, 2 * time.Second, nil},
		"not found bounded":         {404, []string{"Cache-Control", "max-age=100"}, true, 5 * time.Second, nil},
		"not found without":         {404, []string{"Etag", `"a"`}, false, 0, nil},
		"not found, never":          {404, []string{"Cache-Control", "max-age=2"}, false, 0, &edge.Options{MaxNotFound: -1}},
		"gone":                      {410, []string{"Cache-Control", "max-age=2"}, true, 2 * time.Second, nil},
		"not yet":                   {412, []string{"Cache-Control", "max-age=60"}, false, 0, nil},
		"forbidden":                 {403, []string{"Cache-Control", "max-age=60"}, false, 0, nil},
		"server error":              {500, []string{"Cache-Control", "max-age=60"}, false, 0, nil},
		"unavailable":               {503, []string{"Cache-Control", "max-age=60"}, false, 0, nil},
		"partial":                   {206, []string{"Cache-Control", "max-age=60", "Content-Range", "bytes 0-3/9"}, false, 0, nil},
		"too large a header":        {200, []string{"Cache-Control", "max-age=10", "X-Large", strings.Repeat("x", 17<<10)}, false, 0, nil},
		"too large a body":          {200, []string{"Cache-Control", "max-age=10"}, false, 0, &edge.Options{MaxObject: 3}},
		"pragma of an old one":      {200, []string{"Pragma", "no-cache", "Expires", inAnHour}, false, 0, nil},
		"must-revalidate":           {200, []string{"Cache-Control", "max-age=10, must-revalidate"}, true, 10 * time.Second, nil},
		"unknown and malformed":     {200, []string{"Cache-Control", `,,=,foo="a\",b", max-age=10`}, true, 10 * time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, reply(c.status, "body", c.fields...), c.opts)
			first := r.get("/a")
			assert.Equal(t, c.status, first.status)
			assert.Equal(t, "body", first.body)
			assert.Equal(t, "MISS", first.cache())
			second := r.get("/a")
			assert.Equal(t, c.hit, second.cache() == "HIT", second.cache())
			assert.Equal(t, "body", second.body)
			assert.Equal(t, c.status, second.status)
			if !c.hit {
				return
			}
			r.clock.advance(c.stale - time.Nanosecond)
			last := r.get("/a")
			assert.Equal(t, "HIT", last.cache())
			r.clock.advance(time.Nanosecond)
			requests := r.origin.requests.Load()
			assert.NotEqual(t, "HIT", r.get("/a").cache())
			assert.Equal(t, requests+1, r.origin.requests.Load())
		})
	}
}

const maxDelta = time.Duration(1<<31) * time.Second

// Age grows, Date stays, hop-by-hop fields go, and this hop stands in Via.
func TestHeader(t *testing.T) {
	r := newRig(t, reply(200, "body", "Cache-Control", "max-age=100", "Date", "Thu, 26 Nov 2026 11:59:58 GMT",
		"Etag", `"a"`, "Connection", "X-Hop", "X-Hop", "1", "Keep-Alive", "timeout=5", "X-Kept", "1", "X-Kept", "2", "Content-Type", "video/mp4",
		"Via", "1.1 other", "X-Cache", "HIT"), nil)
	r.get("/a")
	r.clock.advance(1900 * time.Millisecond)
	for _, method := range []string{"GET", "HEAD"} {
		a := r.do(method, "/a", nil)
		assert.Equal(t, http.Header{
			"Cache-Control": {"max-age=100"}, "Date": {"Thu, 26 Nov 2026 11:59:58 GMT"}, "Etag": {`"a"`}, "X-Kept": {"1", "2"},
			"Via": {"1.1 other", "1.1 smoothkit"}, "Age": {"3"}, "X-Cache": {"HIT"}, "Content-Length": {"4"}, "Content-Type": {"video/mp4"}, "Accept-Ranges": {"bytes"},
		}, a.header, method)
	}
}

// What requests say in Cache-Control and Pragma.
func TestRequestDirectives(t *testing.T) {
	for name, c := range map[string]struct {
		response string
		age      time.Duration
		fields   []string
		want     string
		status   int
		opts     *edge.Options
	}{
		"no-cache":                 {"max-age=10", 0, []string{"Cache-Control", "no-cache"}, "REVALIDATED", 200, nil},
		"pragma":                   {"max-age=10", 0, []string{"Pragma", "no-cache"}, "REVALIDATED", 200, nil},
		"pragma beside":            {"max-age=10", 0, []string{"Pragma", "no-cache", "Cache-Control", "max-age=20"}, "HIT", 200, nil},
		"ignored":                  {"max-age=10", 0, []string{"Cache-Control", "no-cache, max-age=0"}, "HIT", 200, &edge.Options{IgnoreReload: true}},
		"no-store":                 {"max-age=10", 0, []string{"Cache-Control", "no-store"}, "BYPASS", 200, nil},
		"max-age younger":          {"max-age=10", 3 * time.Second, []string{"Cache-Control", "max-age=4"}, "HIT", 200, nil},
		"max-age older":            {"max-age=10", 3 * time.Second, []string{"Cache-Control", "max-age=3"}, "REVALIDATED", 200, nil},
		"min-fresh met":            {"max-age=10", 3 * time.Second, []string{"Cache-Control", "min-fresh=7"}, "HIT", 200, nil},
		"min-fresh":                {"max-age=10", 3 * time.Second, []string{"Cache-Control", "min-fresh=8"}, "REVALIDATED", 200, nil},
		"max-stale":                {"max-age=10", 13 * time.Second, []string{"Cache-Control", "max-stale=5"}, "STALE", 200, nil},
		"max-stale any":            {"max-age=10", 13 * time.Hour, []string{"Cache-Control", "max-stale"}, "STALE", 200, nil},
		"max-stale too much":       {"max-age=10", 15 * time.Second, []string{"Cache-Control", "max-stale=5"}, "REVALIDATED", 200, nil},
		"max-stale not allowed":    {"max-age=10, must-revalidate", 13 * time.Second, []string{"Cache-Control", "max-stale=5"}, "REVALIDATED", 200, nil},
		"only-if-cached":           {"max-age=10", 0, []string{"Cache-Control", "only-if-cached"}, "HIT", 200, nil},
		"only-if-cached but stale": {"max-age=10", 10 * time.Second, []string{"Cache-Control", "only-if-cached"}, "MISS", 504, nil},
		"response no-cache":        {"max-age=10, no-cache", 0, nil, "REVALIDATED", 200, nil},
		"nothing":                  {"max-age=10", 0, nil, "HIT", 200, nil},
		"stale":                    {"max-age=10", 10 * time.Second, nil, "REVALIDATED", 200, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") == `"a"` {
					reply(304, "", "Cache-Control", c.response, "Etag", `"a"`)(w, r)
					return
				}
				reply(200, "body", "Cache-Control", c.response, "Etag", `"a"`)(w, r)
			}, c.opts)
			assert.Equal(t, "MISS", r.get("/a").cache())
			r.clock.advance(c.age)
			a := r.get("/a", c.fields...)
			assert.Equal(t, c.want, a.cache())
			assert.Equal(t, c.status, a.status)
			if c.status == 200 {
				assert.Equal(t, "body", a.body)
			}
		})
	}
}

func TestOnlyIfCachedMiss(t *testing.T) {
	r := newRig(t, reply(200, "body"), nil)
	assert.Equal(t, 504, r.get("/a", "Cache-Control", "only-if-cached").status)
	assert.Zero(t, r.origin.requests.Load())
}

// A 304 gives the object a new life and new fields, but not those that describe the bytes. A 200 replaces it.
func TestRevalidation(t *testing.T) {
	version := 1
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		tag := `"` + strconv.Itoa(version) + `"`
		if r.Header.Get("If-None-Match") == tag {
			assert.Equal(t, "Thu, 26 Nov 2026 10:00:00 GMT", r.Header.Get("If-Modified-Since"))
			reply(304, "", "Cache-Control", "max-age=5", "Etag", tag, "X-New", "1",
				"Content-Type", "text/wrong", "Content-Length", "0")(w, r)
			return
		}
		reply(200, "body "+strconv.Itoa(version), "Cache-Control", "max-age=10", "Etag", tag, "Content-Type", "video/mp4",
			"Last-Modified", twoHoursAgo)(w, r)
	}, nil)
	r.get("/a")
	r.clock.advance(10 * time.Second)
	a := r.get("/a")
	assert.Equal(t, "REVALIDATED", a.cache())
	assert.Equal(t, "body 1", a.body)
	assert.Equal(t, "video/mp4", a.header.Get("Content-Type"))
	assert.Equal(t, "1", a.header.Get("X-New"))
	assert.Equal(t, "0", a.header.Get("Age"))
	r.clock.advance(4 * time.Second)
	assert.Equal(t, "HIT", r.get("/a").cache())
	r.clock.advance(time.Second)
	version = 2
	a = r.get("/a")
	assert.Equal(t, "EXPIRED", a.cache())
	assert.Equal(t, "body 2", a.body)
	a = r.get("/a")
	assert.Equal(t, "HIT", a.cache())
	assert.Equal(t, "body 2", a.body)
	assert.EqualValues(t, 3, r.origin.requests.Load())
}

// When the upstream has something else than an object to say, that is gone.
func TestObjectGoes(t *testing.T) {
	for _, c := range []struct {
		status int
		fields []string
	}{
		{404, nil}, {410, nil}, {403, nil},
		{200, []string{"Cache-Control", "no-store"}}, {304, []string{"Cache-Control", "no-store"}},
	} {
		var handler http.HandlerFunc = reply(200, "body", "Cache-Control", "max-age=10, stale-if-error=1000", "Etag", `"a"`)
		r := newRig(t, func(w http.ResponseWriter, r *http.Request) { handler(w, r) }, nil)
		r.get("/a")
		r.clock.advance(10 * time.Second)
		handler = reply(c.status, "", c.fields...)
		r.get("/a")
		handler = reply(500, "")
		r.clock.advance(20 * time.Second) // longer than it is remembered that the response was not for all
		assert.Equal(t, 500, r.get("/a").status, c)
	}
}

// Requests with conditions are answered from the cache, and never conditional for the upstream.
func TestConditions(t *testing.T) {
	r := newRig(t, reply(200, "0123456789", "Cache-Control", "max-age=10", "Etag", `"a"`, "Last-Modified", twoHoursAgo,
		"Content-Type", "video/mp4"), nil)
	for _, c := range []struct {
		fields []string
		status int
		body   string
	}{
		{[]string{"If-None-Match", `"a"`}, 304, ""},
		{[]string{"If-None-Match", `W/"a", "b"`}, 304, ""},
		{[]string{"If-None-Match", `"b"`}, 200, "0123456789"},
		{[]string{"If-Modified-Since", "Thu, 26 Nov 2026 10:00:00 GMT"}, 304, ""},
		{[]string{"If-Modified-Since", "Thu, 26 Nov 2026 09:59:59 GMT"}, 200, "0123456789"},
		{[]string{"If-Match", `"b"`}, 412, ""},
		{[]string{"Range", "bytes=2-4"}, 206, "234"},
		{[]string{"Range", "bytes=0-"}, 206, "0123456789"},
		{[]string{"Range", "bytes=-3"}, 206, "789"},
		{[]string{"Range", "bytes=10-"}, 416, "invalid range: failed to overlap\n"},
		{[]string{"Range", "bytes=2-4", "If-Range", `"a"`}, 206, "234"},
		{[]string{"Range", "bytes=2-4", "If-Range", `"b"`}, 200, "0123456789"},
		{[]string{"Range", "lines=2-4"}, 416, "invalid range\n"},
	} {
		for _, state := range []string{"miss", "hit"} {
			target := "/a"
			if state == "miss" {
				target = "/" + strings.Join(c.fields, "")
				target = strings.NewReplacer(" ", "", `"`, "", ",", "", ":", "", "=", "").Replace(target)
			}
			a := r.get(target, c.fields...)
			assert.Equal(t, c.status, a.status, "%s %v", state, c.fields)
			assert.Equal(t, c.body, a.body, "%s %v", state, c.fields)
			if c.status == 206 {
				assert.NotEmpty(t, a.header.Get("Content-Range"))
				assert.Equal(t, strconv.Itoa(len(c.body)), a.header.Get("Content-Length"))
			}
			if c.status < 400 {
				assert.Equal(t, `"a"`, a.header.Get("Etag"))
			}
		}
	}
	for _, seen := range r.origin.seen {
		for _, name := range []string{"Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Range"} {
			assert.Empty(t, seen.Header[name])
		}
	}
	multi := r.get("/a", "Range", "bytes=0-1,4-5")
	assert.Equal(t, 206, multi.status)
	assert.Contains(t, multi.header.Get("Content-Type"), "multipart/byteranges")
	assert.Contains(t, multi.body, "\r\n\r\n45\r\n")
}

// HEAD is answered from the cache, and otherwise passed through.
func TestHead(t *testing.T) {
	r := newRig(t, reply(200, "body", "Cache-Control", "max-age=10"), nil)
	a := r.do("HEAD", "/a", nil)
	assert.Equal(t, "BYPASS", a.cache())
	assert.Equal(t, "HEAD", r.origin.last().Method)
	r.get("/a")
	a = r.do("HEAD", "/a", nil)
	assert.Equal(t, "HIT", a.cache())
	assert.Equal(t, "4", a.header.Get("Content-Length"))
	assert.Empty(t, a.body)
	assert.Equal(t, 304, r.do("HEAD", "/a", nil, "If-Modified-Since", "x", "If-None-Match", "*").status)
}

// Of what depends on the request, there are variants.
func TestVary(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		reply(200, r.Header.Get("Accept-Encoding")+"|"+r.Header.Get("Origin")+"|"+r.Header.Get("User-Agent")+"|"+r.Header.Get("Cookie"),
			"Cache-Control", "max-age=10", "Vary", "accept-encoding, Origin", "Vary", "User-Agent,Cookie")(w, r)
	}, nil)
	for _, c := range []struct{ encoding, origin, agent, body, cache string }{
		{"gzip, br", "a", "x", "gzip|a|smoothkit|", "MISS"},
		{"br;q=1, gzip;q=0.5", " a ", "y", "gzip|a|smoothkit|", "HIT"},
		{"gzip", "b", "x", "gzip|b|smoothkit|", "MISS"},
		{"br", "b", "x", "identity|b|smoothkit|", "MISS"},
		{"gzip;q=0", "b", "x", "identity|b|smoothkit|", "HIT"},
		{"gzip", "a", "x", "gzip|a|smoothkit|", "HIT"},
	} {
		a := r.get("/a", "Accept-Encoding", c.encoding, "Origin", c.origin, "User-Agent", c.agent, "Cookie", "c=1")
		assert.Equal(t, c.cache, a.cache(), c)
		assert.Equal(t, c.body, strings.ReplaceAll(a.body, " ", ""), c)
	}
	assert.Equal(t, 1, r.cache.Stats().Memory.Keys)
	assert.Equal(t, 1, r.cache.Purge("/a"))
	assert.Equal(t, 0, r.cache.Stats().Memory.Keys)
	for i := range 40 { // bounded
		r.get("/a", "Origin", strconv.Itoa(i))
	}
	assert.Equal(t, "HIT", r.get("/a", "Origin", "39").cache())
	assert.Equal(t, "MISS", r.get("/a", "Origin", "0").cache())
}

// A response that is encoded though it does not say on what that depends is not for who does not understand it.
func TestEncodedWithoutVary(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") == "gzip" {
			w.Header().Set("Content-Encoding", "gzip")
		}
		reply(200, r.Header.Get("Accept-Encoding"), "Cache-Control", "max-age=10")(w, r)
	}, nil)
	assert.Equal(t, "gzip", r.get("/a", "Accept-Encoding", "gzip").body)
	assert.Equal(t, "identity", r.get("/a").body)
}

// A response that allows one origin only is not for another one, even if it does not say on what that depends.
func TestAllowedOriginWithoutVary(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		reply(200, "body", "Cache-Control", "max-age=10", "Access-Control-Allow-Origin", r.Header.Get("Origin"))(w, r)
	}, nil)
	for _, origin := range []string{"http://a", "http://b", "http://a"} {
		assert.Equal(t, origin, r.get("/a", "Origin", origin).header.Get("Access-Control-Allow-Origin"))
	}
	assert.EqualValues(t, 2, r.origin.requests.Load())
}

// Authorization makes a request its own, unless the response says that it is for all: RFC 9111 section 3.5.
func TestAuthorization(t *testing.T) {
	for control, want := range map[string][2]string{
		"max-age=10":                  {"MISS", "MISS"},
		"max-age=10, public":          {"HIT", "HIT"},
		"s-maxage=10":                 {"HIT", "HIT"},
		"max-age=10, must-revalidate": {"HIT", "HIT"},
	} {
		r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			reply(200, r.Header.Get("Authorization"), "Cache-Control", control)(w, r)
		}, nil)
		assert.Equal(t, "Basic x", r.get("/a", "Authorization", "Basic x").body)
		second := r.get("/a", "Authorization", "Basic y")
		third := r.get("/a")
		assert.Equal(t, want, [2]string{second.cache(), third.cache()}, control)
		if want[0] == "MISS" {
			assert.Equal(t, "Basic y", second.body)
			assert.Equal(t, "", third.body)
			r.clock.advance(5 * time.Second)
			assert.Equal(t, "Basic z", r.get("/a", "Authorization", "Basic z").body)
			assert.Equal(t, "HIT", r.get("/a").cache())
		}
	}
}
