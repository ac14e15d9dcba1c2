package manage_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
	"github.com/smoothkit/smoothkit/smooth"
)

const (
	atom = "application/atom+xml"
	list = "/services/smoothstreaming/publishingpoints.isml"
	ct   = "Content-Type"
)

// asAtom is the header of an Atom document.
var asAtom = []string{ct, atom}

// newFake has a publishing point for each thing that tests do with one.
func newFake() *manage.Fake {
	f := &manage.Fake{}
	f.Add("live/Idle.isml", bunny())
	f.Add("live/starting.isml", bunny()).Put(livesmooth.Starting, nil)
	f.Add("live/started.isml", bunny()).Put(livesmooth.Started, nil)
	f.Add("live/stopping.isml", bunny()).Put(livesmooth.Stopping, nil)
	f.Add("live/stopped.isml", bunny()).Put(livesmooth.Stopped, nil)
	f.Add("live/shutting.isml", bunny()).Put(livesmooth.ShuttingDown, nil)
	f.Add("live/faulted.isml", bunny()).Put(livesmooth.Faulted, errors.New("disk full"))
	f.Add("secret/ü b.isml", full())
	return f
}

// protocol is what the services answer to everything that is not a matter of what is in the documents: status, and the
// code of an error.
var protocol = []struct {
	name, method, target string
	header               []string
	body                 string
	status               int
	code                 string // of the error, without its prefix; empty for none
}{
	{"list", "GET", list, nil, "", 200, ""},
	{"list in another case", "GET", "/Services/SmoothStreaming/PublishingPoints.ISML", nil, "", 200, ""},
	{"list, HEAD", "HEAD", list, nil, "", 200, ""},
	{"list, POST", "POST", list, nil, "", 405, "METHOD_NOT_ALLOWED"},
	{"list with details", "GET", list + "/settings", nil, "", 200, ""},
	{"list with details, PUT", "PUT", list + "/Settings", nil, "", 405, "METHOD_NOT_ALLOWED"},
	{"state of the list", "GET", list + "/state", nil, "", 404, "PUBLISHING_POINT_NOT_FOUND"},

	{"settings", "GET", "/live/idle.isml/settings", nil, "", 200, ""},
	{"settings in another case", "GET", "/LIVE/idle.ISML/SETTINGS", nil, "", 200, ""},
	{"settings while live", "GET", "/live/started.isml/settings", nil, "", 200, ""},
	{"settings, HEAD", "HEAD", "/live/idle.isml/settings", nil, "", 200, ""},
	{"settings, POST", "POST", "/live/idle.isml/settings", nil, "", 405, "METHOD_NOT_ALLOWED"},
	{"settings, OPTIONS", "OPTIONS", "/live/idle.isml/settings", nil, "", 405, "METHOD_NOT_ALLOWED"},
	{"settings of none", "GET", "/live/none.isml/settings", nil, "", 404, "PUBLISHING_POINT_NOT_FOUND"},
	{"name with an encoded slash", "GET", "/live%2Fidle.isml/settings", nil, "", 404, "PUBLISHING_POINT_NOT_FOUND"},
	{"name that needs encoding", "GET", "/secret/%C3%BC%20b.isml/settings", nil, "", 200, ""},

	{"update", "PUT", "/live/idle.isml/settings", asAtom, settingsDocument("<Title>x</Title>"), 200, ""},
	{"update, type with parameters", "PUT", "/live/idle.isml/settings",
		[]string{ct, `Application/Atom+XML; type=entry; charset="utf-8"`}, settingsDocument(""), 200, ""},
	{"update, no type", "PUT", "/live/idle.isml/settings", nil, settingsDocument(""), 415, "CONTENT_TYPE_NOT_SUPPORTED"},
	{"update, another type", "PUT", "/live/idle.isml/settings", []string{ct, "text/xml"}, settingsDocument(""), 415,
		"CONTENT_TYPE_NOT_SUPPORTED"},
	{"update while live", "PUT", "/live/started.isml/settings", asAtom, settingsDocument(""), 400,
		"PUBLISHING_POINT_IN_USE"},
	{"update of none", "PUT", "/live/none.isml/settings", asAtom, settingsDocument(""), 404,
		"PUBLISHING_POINT_NOT_FOUND"},
	{"update, broken", "PUT", "/live/idle.isml/settings", asAtom, "<entry", 400, "INVALID_XML"},
	{"update, empty", "PUT", "/live/idle.isml/settings", asAtom, "", 400, "INVALID_XML"},
	{"update with a state", "PUT", "/live/idle.isml/settings", asAtom, stateDocument("Idle"), 400, "INVALID_SCHEMA"},
	{"update, too long", "PUT", "/live/idle.isml/settings", asAtom,
		settingsDocument(strings.Repeat(" ", 256<<10)), 400, "INVALID_DATA"},
	{"update, out of range", "PUT", "/live/idle.isml/settings", asAtom,
		settingsDocument("<LookAheadChunks>99</LookAheadChunks>"), 400, "INVALID_DATA"},

	{"state", "GET", "/live/idle.isml/state", nil, "", 200, ""},
	{"state, DELETE", "DELETE", "/live/idle.isml/state", nil, "", 405, "METHOD_NOT_ALLOWED"},
	{"start", "PUT", "/live/idle.isml/state", asAtom, stateDocument("Started"), 200, ""},
	{"start anew", "PUT", "/live/stopped.isml/state", asAtom, stateDocument("started"), 200, ""},
	{"start while stopping", "PUT", "/live/stopping.isml/state", asAtom, stateDocument("Started"), 400,
		"PUBLISHING_POINT_LOCKED"},
	{"stop while shutting down", "PUT", "/live/shutting.isml/state", asAtom, stateDocument("Stopped"), 400,
		"PUBLISHING_POINT_LOCKED"},
	{"stop", "PUT", "/live/started.isml/state", asAtom, stateDocument("Stopped"), 200, ""},
	{"stop while idle", "PUT", "/live/idle.isml/state", asAtom, stateDocument("Stopped"), 400,
		"STATE_TRANSITION_INVALID"},
	{"shut down", "PUT", "/live/stopped.isml/state", asAtom, stateDocument("Idle"), 200, ""},
	{"shut down after a fault", "PUT", "/live/faulted.isml/state", asAtom, stateDocument("Idle"), 200, ""},
	{"Starting", "PUT", "/live/idle.isml/state", asAtom, stateDocument("Starting"), 400,
		"STATE_TRANSITION_NOT_SUPPORTED"},
	{"Stopping", "PUT", "/live/started.isml/state", asAtom, stateDocument("Stopping"), 400,
		"STATE_TRANSITION_NOT_SUPPORTED"},
	{"ShuttingDown", "PUT", "/live/started.isml/state", asAtom, stateDocument("ShuttingDown"), 400,
		"STATE_TRANSITION_NOT_SUPPORTED"},
	{"Error", "PUT", "/live/started.isml/state", asAtom, stateDocument("Error"), 400,
		"STATE_TRANSITION_NOT_SUPPORTED"},
	{"no state", "PUT", "/live/started.isml/state", asAtom, stateDocument("Running"), 400, "INVALID_DATA"},
	{"state without a type", "PUT", "/live/started.isml/state", nil, stateDocument("Stopped"), 415, "CONTENT_TYPE_NOT_SUPPORTED"},

	{"statistics", "GET", "/live/starting.isml/statistics", nil, "", 200, ""},
	{"statistics while idle", "GET", "/live/idle.isml/statistics", nil, "", 400, "PUBLISHING_POINT_NOT_STARTED"},
	{"statistics of none", "GET", "/live/none.isml/statistics", nil, "", 404, "PUBLISHING_POINT_NOT_FOUND"},
	{"statistics, PUT", "PUT", "/live/started.isml/statistics", nil, "", 405, "METHOD_NOT_ALLOWED"},

	{"delete", "DELETE", "/live/IDLE.isml/settings", nil, "", 200, ""},
	{"delete while live", "DELETE", "/live/started.isml/settings", nil, "", 200, ""},
	{"delete none", "DELETE", "/live/none.isml/settings", nil, "", 404, "PUBLISHING_POINT_NOT_FOUND"},

	{"create", "POST", list + "/settings", []string{ct, atom, "Slug", "/new/n.isml"}, settingsDocument(""), 201, ""},
	{"create without a slash", "POST", list + "/settings", []string{ct, atom, "Slug", "n.isml"}, settingsDocument(""), 201, ""},
	{"create without a slug", "POST", list + "/settings", asAtom, settingsDocument(""), 400, "SLUG_HEADER_REQUIRED"},
	{"create with an empty slug", "POST", list + "/settings", []string{ct, atom, "Slug", " "}, settingsDocument(""), 400,
		"SLUG_HEADER_REQUIRED"},
	{"create with two slugs", "POST", list + "/settings", []string{ct, atom, "Slug", "/a.isml", "Slug", "/b.isml"},
		settingsDocument(""), 400, "SLUG_HEADER_INVALID"},
	{"create with another extension", "POST", list + "/settings", []string{ct, atom, "Slug", "/web.config"},
		settingsDocument(""), 400, "SLUG_HEADER_INVALID"},
	{"create with half an escape", "POST", list + "/settings", []string{ct, atom, "Slug", "/a%2.isml"}, settingsDocument(""),
		400, "SLUG_HEADER_INVALID"},
	{"create outside", "POST", list + "/settings", []string{ct, atom, "Slug", "/../n.isml"}, settingsDocument(""), 400,
		"SLUG_HEADER_INVALID"},
	{"create the list", "POST", list + "/settings", []string{ct, atom, "Slug", strings.ToUpper(list)}, settingsDocument(""),
		400, "SLUG_HEADER_INVALID"},
	{"create again", "POST", list + "/settings", []string{ct, atom, "Slug", "/live/IDLE.isml"}, settingsDocument(""), 400,
		"PUBLISHING_POINT_ALREADY_EXISTS"},
	{"create without a type", "POST", list + "/settings", []string{"Slug", "/n.isml"}, settingsDocument(""), 415,
		"CONTENT_TYPE_NOT_SUPPORTED"},
}

// TestProtocol runs the table in Atom, and what has no document also in JSON.
func TestProtocol(t *testing.T) {
	for _, c := range protocol {
		t.Run(c.name, func(t *testing.T) {
			h := newHandler(t, newFake(), nil)
			w := serve(h, request(c.method, c.target, c.body, c.header...))
			assert.Equal(t, c.status, w.Code)
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
			if c.method == "HEAD" {
				assert.Empty(t, w.Body.String())
				assert.NotEqual(t, "0", w.Header().Get("Content-Length"))
				return
			}
			checkAtom(t, c.code, w.Code, w.Header().Get("Content-Type"), w.Body.Bytes())
			if c.body == "" {
				h = newHandler(t, newFake(), nil)
				w = serve(h, request(c.method, c.target, "", append(c.header, "Accept", "application/json")...))
				assert.Equal(t, c.status, w.Code)
				checkJSON(t, c.code, w.Header().Get("Content-Type"), w.Body.Bytes())
			}
		})
	}
}

func checkAtom(t *testing.T, code string, status int, kind string, body []byte) {
	t.Helper()
	switch {
	case code != "":
		assert.Equal(t, "application/xml", kind)
		assert.Contains(t, string(body), "<ErrorCode>0x808800")
	case len(body) > 0:
		assert.Equal(t, "application/atom+xml", kind)
	default:
		assert.Empty(t, kind)
		assert.Equal(t, http.StatusOK, status)
	}
	if len(body) > 0 {
		canonical(t, body)
	}
}

func checkJSON(t *testing.T, code, kind string, body []byte) {
	t.Helper()
	if len(body) == 0 {
		return
	}
	assert.Equal(t, "application/json", kind)
	var answer struct {
		Error struct{ Code, Name, Message string }
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	if code != "" {
		assert.Equal(t, "MPE_MGMT_"+code, answer.Error.Name)
		assert.NotEmpty(t, answer.Error.Message)
	}
	assert.Equal(t, code != "", strings.HasPrefix(answer.Error.Code, "0x808800"))
}

// TestErrorCodes compares numbers and names with the documentation.
func TestErrorCodes(t *testing.T) {
	for name, want := range map[string]string{
		"METHOD_NOT_ALLOWED": "20", "CONTENT_TYPE_NOT_SUPPORTED": "21", "INVALID_SCHEMA": "24", "INVALID_XML": "25",
		"INVALID_DATA": "26", "STATE_TRANSITION_NOT_SUPPORTED": "27", "STATE_TRANSITION_INVALID": "28",
		"PUBLISHING_POINT_IN_USE": "29", "PUBLISHING_POINT_LOCKED": "2A", "PUBLISHING_POINT_ALREADY_EXISTS": "2B",
		"SLUG_HEADER_REQUIRED": "2C", "SLUG_HEADER_INVALID": "2D", "PUBLISHING_POINT_NOT_FOUND": "2E",
		"PUBLISHING_POINT_NOT_STARTED": "2F",
	} {
		found := false
		for _, c := range protocol {
			if c.code != name {
				continue
			}
			found = true
			w := serve(newHandler(t, newFake(), nil), request(c.method, c.target, c.body, c.header...))
			assert.Contains(t, w.Body.String(), "<ErrorCode>0x808800"+want+"</ErrorCode>", name)
			break
		}
		assert.True(t, found, name)
	}
}

func TestMethodNotAllowed(t *testing.T) {
	h := newHandler(t, newFake(), nil)
	for target, want := range map[string]string{
		list: "GET, HEAD", list + "/settings": "GET, HEAD, POST", "/a.isml/settings": "GET, HEAD, PUT, DELETE",
		"/a.isml/state": "GET, HEAD, PUT", "/a.isml/statistics": "GET, HEAD", "/a.isml/events": "GET, HEAD",
	} {
		for _, method := range []string{"OPTIONS", "PATCH", "TRACE"} {
			w := serve(h, request(method, target, ""))
			assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
			assert.Equal(t, want, w.Header().Get("Allow"), target)
		}
	}
}

// TestOtherErrors: what the table does not know is 500, and its cause is for the log.
func TestOtherErrors(t *testing.T) {
	f := newFake()
	f.Err = errors.New("disk /dev/sda1 on fire")
	w := serve(newHandler(t, f, nil), request("GET", "/a.isml/state", ""))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.Contains(t, w.Body.String(), "0x80004005")
	assert.NotContains(t, w.Body.String(), "sda1")
	f.Err = smooth.ErrClosed
	assert.Equal(t, http.StatusServiceUnavailable, serve(newHandler(t, f, nil), request("GET", "/a.isml/state", "")).Code)
	f.Err = livesmooth.ErrName
	assert.Equal(t, http.StatusNotFound, serve(newHandler(t, f, nil), request("GET", "/a.isml/state", "")).Code)
}

func TestNext(t *testing.T) {
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := newHandler(t, newFake(), &manage.Options{Authorize: byUser, Next: next})
	bare := newHandler(t, newFake(), &manage.Options{Authorize: byUser})
	for path, want := range map[string]bool{
		list: true, list + "/settings": true, list + "/Manifest": false, "/a.isml/settings": true, "/a.isml/State": true,
		"/x/a.isml/statistics": true, "/a.isml/events": true, "/a.isml/Manifest": false, "/a.isml": false, "/settings": false,
		"/a.ism/settings": false, "/.isml/settings": false, "/a.isml/settings/": false, "/": false, "": false, "a.isml/state": false,
		"/a.isml/ſettings": false, "/a.isml/Streams(x)": false,
	} {
		assert.Equal(t, want, h.Handles(path), path)
		if !strings.HasPrefix(path, "/") {
			continue
		}
		r := request("GET", "/", "")
		r.URL.Path = path
		status, without := http.StatusTeapot, http.StatusNotFound
		if want {
			status, without = http.StatusUnauthorized, http.StatusUnauthorized
		}
		assert.Equal(t, status, serve(h, r).Code, path)
		assert.Equal(t, without, serve(bare, r).Code, path)
	}
}

func TestNewHandler(t *testing.T) {
	_, err := manage.NewHandler(nil, nil)
	assert.ErrorIs(t, err, manage.ErrNoAuthorize)
	_, err = manage.NewHandler(nil, &manage.Options{})
	assert.ErrorIs(t, err, manage.ErrNoAuthorize)
	_, err = manage.NewHandler(nil, &manage.Options{Authorize: allow, BaseURL: "/live"})
	assert.ErrorContains(t, err, "base URL")
	_, err = manage.NewHandler(nil, &manage.Options{Authorize: allow, TrustedOrigins: []string{"console.example.com"}})
	assert.Error(t, err)
	_, err = manage.NewHandler(nil, &manage.Options{Authorize: allow})
	assert.NoError(t, err)
}

// TestURLs: absolute URLs begin as the client's own request did, or as the application says.
func TestURLs(t *testing.T) {
	id := func(h http.Handler, r *http.Request) string {
		w := serve(h, r)
		require.Equal(t, http.StatusOK, w.Code)
		_, rest, _ := strings.Cut(w.Body.String(), "<id>")
		id, _, _ := strings.Cut(rest, "</id>")
		return id
	}
	h := newHandler(t, newFake(), nil)
	const path = "/live/idle.isml/settings"
	assert.Equal(t, "http://example.com/live/Idle.isml/settings", id(h, request("GET", path, "")))
	assert.Equal(t, "http://example.com/secret/%C3%BC%20b.isml/state", id(h, request("GET", "/secret/%C3%BC%20b.isml/state", "")))

	secure := request("GET", path, "")
	secure.TLS, secure.Host = &tls.ConnectionState{}, "[::1]:8443"
	assert.Equal(t, "https://[::1]:8443/live/Idle.isml/settings", id(h, secure))

	forwarded := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "media.example"}
	assert.Equal(t, "http://example.com/live/Idle.isml/settings", id(h, request("GET", path, "", forwarded...)))
	trusting := newHandler(t, newFake(), &manage.Options{Authorize: allow, TrustForwarded: true})
	assert.Equal(t, "https://media.example/live/Idle.isml/settings", id(trusting, request("GET", path, "", forwarded...)))
	assert.Equal(t, "http://example.com/live/Idle.isml/settings",
		id(trusting, request("GET", path, "", "X-Forwarded-Proto", "javascript")))

	stripped := http.StripPrefix("/media", h)
	assert.Equal(t, "http://example.com/media/live/Idle.isml/settings", id(stripped, request("GET", "/media"+path, "")))
	based := newHandler(t, newFake(), &manage.Options{Authorize: allow, BaseURL: "https://cdn.example/x/"})
	assert.Equal(t, "https://cdn.example/x/live/Idle.isml/settings", id(based, request("GET", path, "")))

	evil := request("GET", path, "")
	evil.Host = `"><script>`
	assert.NotContains(t, serve(h, evil).Body.String(), "<script>")
}

// TestNegotiation: Atom unless JSON is asked for by name, or sent by a client that does not care.
func TestNegotiation(t *testing.T) {
	h := newHandler(t, newFake(), nil)
	for _, c := range []struct {
		accept, content string
		json            bool
	}{
		{"", "", false},
		{"*/*", "", false},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "", false},
		{"text/json", "", false},
		{"application/json", "", true},
		{"Application/JSON; charset=utf-8", "", true},
		{"application/json, text/plain, */*", "", true},
		{"application/json;q=0.5, application/atom+xml", "", false},
		{"application/json, application/atom+xml;q=0.5", "", true},
		{"application/json;q=0.1, */*", "", false},
		{"application/json;q=0", "application/json", false},
		{"application/json;q=x", "", false},
		{"*/*", "application/json", true},
		{"application/atom+xml", "application/json", false},
		{"*/*", "application/atom+xml", false},
	} {
		header := []string{"Accept", c.accept}
		if c.content != "" {
			header = append(header, ct, c.content)
		}
		w := serve(h, request("GET", "/live/idle.isml/state", "", header...))
		want := atom
		if c.json {
			want = "application/json"
		}
		assert.Equal(t, want, w.Header().Get("Content-Type"), c.accept)
		assert.Equal(t, "Accept", w.Header().Get("Vary"))
	}
}

// TestBodyThatBreaksOff: nothing is changed by a part of a document.
func TestBodyThatBreaksOff(t *testing.T) {
	f := newFake()
	r := request("PUT", "/live/idle.isml/state", "", ct, atom)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(stateDocument("Started")), iotest.ErrReader(io.ErrUnexpectedEOF)))
	assert.Equal(t, http.StatusBadRequest, serve(newHandler(t, f, nil), r).Code)
	w := serve(newHandler(t, f, nil), request("GET", "/live/idle.isml/state", ""))
	assert.Contains(t, w.Body.String(), "<Value>Idle</Value>")
}

// TestLog: one record for each change and each failure, without documents in it.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	opts := &manage.Options{Authorize: byUser, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	h, err := manage.NewFakeHandler(newFake(), opts)
	require.NoError(t, err)
	for _, c := range []struct {
		user, method, state, want string
	}{
		{"reader", "GET", "", ""},
		{"writer", "PUT", "Started", "level=INFO msg=managed operation=\"PUT state\" point=live/Idle.isml\n"},
		{"writer", "PUT", "Zombie", "level=INFO msg=\"management request failed\" operation=\"PUT state\" point=live/Idle.isml status=400"},
		{"reader", "PUT", "Stopped", "level=INFO msg=\"management request failed\" operation=\"PUT state\" point=live/Idle.isml status=401"},
	} {
		log.Reset()
		r := request(c.method, "/live/idle.isml/state", stateDocument(c.state), ct, atom)
		r.SetBasicAuth(c.user, "password")
		serve(h, r)
		if c.want == "" {
			assert.Empty(t, log.String())
			continue
		}
		assert.Contains(t, log.String(), c.want)
		assert.Equal(t, 1, strings.Count(log.String(), "\n"))
		assert.NotContains(t, log.String(), "password")
	}
}
