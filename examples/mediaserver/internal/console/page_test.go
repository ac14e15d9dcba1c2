package console_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
)

// pages are all of them, by their URLs.
var pages = []string{
	"", "presentations", "presentations?q=film-1&order=down&page=2", "presentation?name=sample/sample.ism", "presentation?name=live/arena.isml",
	"presentation?name=sample/sample.ism&from=1000&to=1300", "points", "point?name=live/arena.isml", "point?name=live/studio.isml",
	"confirm?name=live/arena.isml", "throttle", "limits", "playlists", "edge", "archive", "events",
}

// TestPages: every page has its landmarks and labels, and nothing that the policy for its content forbids.
func TestPages(t *testing.T) {
	h := newConsole(t, at(noon), nil)
	for _, p := range pages {
		t.Run(p, func(t *testing.T) {
			w := get(h, p)
			require.Equal(t, http.StatusOK, w.Code)
			policy := w.Header().Get("Content-Security-Policy")
			assert.Contains(t, policy, "default-src 'self'")
			assert.NotContains(t, policy, "unsafe")
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			assert.NotContains(t, w.Body.String(), "ZgotmplZ", "html/template has refused a value")
			assert.NotContains(t, w.Body.String(), "NaN")
			checkDocument(t, parse(t, w.Body.String()))
		})
	}
}

func checkDocument(t *testing.T, d *element) {
	t.Helper()
	for name, n := range map[string]int{"html": 1, "title": 1, "header": 1, "main": 1, "h1": 1, "footer": 1, "script": 1} {
		assert.Len(t, d.named(name), n, name)
	}
	assert.Equal(t, "en", d.named("html")[0].attrs["lang"])
	skip := d.named("a")[0]
	assert.Equal(t, "#"+d.named("main")[0].attrs["id"], skip.attrs["href"], "the first link skips to the content")
	assert.Equal(t, "Console", d.named("header")[0].named("nav")[0].attrs["aria-label"])
	ids := map[string]bool{}
	for _, e := range d.with("id", "*") {
		assert.False(t, ids[e.attrs["id"]], "the identifier %s is there twice", e.attrs["id"])
		ids[e.attrs["id"]] = true
	}
	for _, e := range d.all(func(*element) bool { return true }) {
		checkElement(t, d, e)
	}
}

// checkElement checks what holds for single elements: inline styles and scripts, foreign addresses, names for those who do not see.
func checkElement(t *testing.T, d, e *element) {
	t.Helper()
	for a, v := range e.attrs {
		assert.False(t, a == "style" || strings.HasPrefix(a, "on"), "%s has %s", e.name, a)
		if slices.Contains([]string{"href", "src", "action", "data-live", "formaction"}, a) {
			assert.NotRegexp(t, `^(/|[a-z]+:)`, v, "%s is not relative", a)
		}
	}
	switch {
	case e.name == "style":
		t.Error("a style element")
	case e.name == "script":
		assert.NotEmpty(t, e.attrs["src"])
		assert.Empty(t, strings.TrimSpace(e.text))
	case e.name == "svg" && e.attrs["aria-hidden"] != "true":
		assert.NotEmpty(t, e.attrs["aria-label"], "an image without a text")
	case e.name == "input" && e.attrs["type"] != "hidden":
		labelled := len(d.all(func(l *element) bool { return l.name == "label" && l.attrs["for"] == e.attrs["id"] })) > 0
		assert.True(t, labelled || e.attrs["aria-label"] != "", "an input without a label")
	case e.name == "iframe":
		assert.NotEmpty(t, e.attrs["title"])
	case e.name == "meter" || e.attrs["role"] == "region":
		assert.NotEmpty(t, e.attrs["aria-label"])
	case e.name == "button":
		if form, ok := e.attrs["form"]; ok {
			assert.NotEmpty(t, d.with("id", form), "a button of a form that is not there")
		}
	}
}

// TestLinks: whatever the prefix, all links within the console lead to pages, and the others to the server's root.
func TestLinks(t *testing.T) {
	h := newConsole(t, at(noon), nil)
	todo, seen := []string{""}, map[string]bool{"": true}
	for len(todo) > 0 && len(seen) < 100 {
		from := todo[0]
		todo = todo[1:]
		w := get(h, from)
		require.Equal(t, http.StatusOK, w.Code, from)
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		for _, e := range parse(t, w.Body.String()).named("a", "link", "script", "img") {
			u := resolve(t, from, e.attrs["href"]+e.attrs["src"])
			u.Fragment = ""
			inside, ok := strings.CutPrefix(u.String(), prefix+"/")
			if !ok {
				assert.True(t, strings.HasPrefix(u.String(), "/some/prefix/"), "%s leads to %s", from, u)
				continue
			}
			if !seen[inside] {
				seen[inside] = true
				todo = append(todo, inside)
			}
		}
	}
	for _, p := range []string{"assets/console.css", "assets/console.js", "points", "events", "point?name=live%2farena.isml"} {
		assert.True(t, seen[p], p)
	}
}

// TestHostileNames: names of files and what encoders and peers say are text, whatever is in them.
func TestHostileNames(t *testing.T) {
	const evil = `live/"><script>alert(1)</script><img src=x onerror=alert(1)> javascript:&amp;.isml`
	f := at(noon)
	f.states[evil] = "Started"
	f.names = append(f.names, evil)
	h := newConsole(t, f, nil)
	for _, p := range []string{"", "points", "point?name=" + url.QueryEscape(evil), "confirm?name=" + url.QueryEscape(evil), "presentation?name=" + url.QueryEscape(evil), "presentations?q=" + url.QueryEscape(evil)} {
		d := page(t, h, p, http.StatusOK)
		checkDocument(t, d)
		assert.Len(t, d.named("img"), 1, "the logo")
		if p != "" {
			assert.Contains(t, d.text, "<script>alert(1)</script>", p)
		}
	}
	w := get(h, "presentations?q=nothing</title><script>")
	assert.NotContains(t, w.Body.String(), "nothing</title>")
	d := page(t, h, "presentation?name="+url.QueryEscape(evil), http.StatusOK)
	link := d.only(t, "data-output", "smooth/built-in").named("a")[0].attrs["href"]
	u := resolve(t, "presentation", link)
	assert.Equal(t, "/some/prefix/", u.Path)
	assert.Equal(t, evil, u.Query().Get("play"))
}

// TestFaults: pages that are not there, or not to be had, with words for people and nothing of what the source says.
func TestFaults(t *testing.T) {
	const secret = "open /srv/media/secret.ismv: permission denied"
	var log strings.Builder
	f := at(noon)
	h := newConsole(t, f, &console.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for path, status := range map[string]int{
		"nope": 404, "presentation?name=nope.ism": 404, "point?name=nope.isml": 404, "confirm?name=nope": 404, "assets/nope.js": 404, "live/nope": 404,
		"point": 404, "presentation/x": 404, "live/point?name=nope": 404, "assets/../console.go": 404, "events?name=" + strings.Repeat("a", 5000): 414,
	} {
		w := get(h, path)
		assert.Equal(t, status, w.Code, path)
		d := parse(t, w.Body.String())
		checkDocument(t, d)
		d.only(t, "data-notice", "*")
	}
	f.fail(errors.New(secret))
	for _, p := range []string{"", "presentations", "points", "limits", "events", "live/events", "presentation?name=sample/sample.ism"} {
		w := get(h, p)
		assert.Equal(t, http.StatusInternalServerError, w.Code, p)
		assert.NotContains(t, w.Body.String(), "secret")
	}
	assert.Contains(t, log.String(), "secret.ismv")
}

// TestMethods: pages are for GET and HEAD, and that of a publishing point for forms too.
func TestMethods(t *testing.T) {
	h := newConsole(t, at(noon), nil)
	for path, allow := range map[string]string{
		"": "GET, HEAD", "points": "GET, HEAD", "assets/console.js": "GET, HEAD", "live/": "GET", "point?name=live/arena.isml": "GET, HEAD, POST",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, prefix+"/"+path, nil))
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code, path)
		assert.Equal(t, allow, w.Header().Get("Allow"), path)
		if path == "live/" {
			continue
		}
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, prefix+"/"+path, nil))
		assert.Equal(t, http.StatusOK, w.Code, path)
		assert.Zero(t, w.Body.Len(), path)
	}
}

// TestMissingParts: what the server has not is neither in the navigation nor on the first page, and has no page.
func TestMissingParts(t *testing.T) {
	f := at(noon)
	f.parts = console.Parts{Points: true}
	h := newConsole(t, f, nil)
	d := page(t, h, "", http.StatusOK)
	assert.Empty(t, d.with("data-card", "*"))
	var names []string
	for _, a := range d.named("nav")[0].named("a") {
		names = append(names, a.text)
	}
	assert.Equal(t, []string{"Overview", "Presentations", "Publishing points", "Events"}, names)
	for _, p := range []string{"throttle", "limits", "playlists", "edge", "archive"} {
		page(t, h, p, http.StatusNotFound)
	}
}

// TestOverview: the first page has what an operator looks for.
func TestOverview(t *testing.T) {
	d := page(t, newConsole(t, at(noon), nil), "", http.StatusOK)
	assert.Equal(t, "live/", d.named("main")[0].attrs["data-live"])
	assert.Contains(t, d.only(t, "data-number", "uptime").text, "3 d 4 h")
	assert.Equal(t, "1.2.3", d.only(t, "data-version", "*").text)
	assert.Contains(t, d.only(t, "data-alarm", "live/arena.isml").text, "the disk is full")
	waiting := d.only(t, "data-listener", "0.0.0.0:80").text
	for _, s := range []string{"Waiting", "taken by nginx", "give it another port", "Tried 17 times"} {
		assert.Contains(t, waiting, s)
	}
	assert.Contains(t, d.only(t, "data-config", "error").text, `line 12: unknown key "viewrs"`)
	assert.Contains(t, d.only(t, "data-card", "limits").text, "119")
	assert.Equal(t, "Started", d.only(t, "data-point", "live/arena.isml").attrs["data-state"])
	assert.Len(t, d.with("data-severity", "*"), 12)
	chart := d.only(t, "data-chart", "sending")
	assert.Contains(t, chart.with("role", "img")[0].attrs["aria-label"], "Sent to viewers over the last hour: now 3.")
	assert.Len(t, strings.Split(chart.with("data-x", "*")[0].attrs["data-x"], " "), 361)
	assert.Len(t, strings.Split(chart.with("data-labels", "*")[0].attrs["data-labels"], "|"), 361)
	assert.Len(t, chart.named("tbody")[0].named("tr"), 13, "steps of five minutes")
}

// TestAssets: files that pages load have their types and can be asked for again.
func TestAssets(t *testing.T) {
	h := newConsole(t, at(noon), nil)
	for name, kind := range map[string]string{"console.css": "text/css", "console.js": "javascript", "morph.js": "javascript", "chart.js": "javascript", "icon.svg": "image/svg+xml"} {
		w := get(h, "assets/"+name)
		require.Equal(t, http.StatusOK, w.Code, name)
		assert.Contains(t, w.Header().Get("Content-Type"), kind)
		r := httptest.NewRequest(http.MethodGet, prefix+"/assets/"+name, nil)
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		again := httptest.NewRecorder()
		h.ServeHTTP(again, r)
		assert.Equal(t, http.StatusNotModified, again.Code, name)
	}
}
