package console_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
)

const arena = "point?name=live%2Farena.isml"

// browser has the cookie and the token of a page that it has loaded.
type browser struct {
	cookie *http.Cookie
	form   url.Values
	action string
	header http.Header
}

func open(t *testing.T, h http.Handler, path string) *browser {
	t.Helper()
	w := get(h, path)
	require.Equal(t, http.StatusOK, w.Code)
	cookies := w.Result().Cookies()
	require.Len(t, cookies, 1)
	form := parse(t, w.Body.String()).only(t, "method", "post")
	token := form.only(t, "name", "token").attrs["value"]
	return &browser{
		cookie: cookies[0], form: url.Values{"token": {token}}, action: resolve(t, path, form.attrs["action"]).String(),
		header: http.Header{"Sec-Fetch-Site": {"same-origin"}},
	}
}

// post sends the form with a command.
func (b *browser) post(h http.Handler, command string) *httptest.ResponseRecorder {
	b.form.Set("command", command)
	r := httptest.NewRequest(http.MethodPost, b.action, strings.NewReader(b.form.Encode()))
	r.Header = b.header.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestCommands: start and stop at once, shutting down when it has been confirmed; afterwards the page of the point is shown.
func TestCommands(t *testing.T) {
	f := at(noon)
	h := newConsole(t, f, nil)
	b := open(t, h, arena)
	for _, c := range []string{"stop", "start"} {
		w := b.post(h, c)
		require.Equal(t, http.StatusSeeOther, w.Code, c)
		assert.Equal(t, arena, w.Header().Get("Location"), "relative: the console does not know the prefix")
	}
	w := b.post(h, "shutdown")
	require.Equal(t, http.StatusSeeOther, w.Code)
	confirm := w.Header().Get("Location")
	assert.Equal(t, "confirm?name=live%2Farena.isml", confirm)
	assert.Equal(t, []string{"stop live/arena.isml", "start live/arena.isml"}, f.done())
	page(t, h, confirm, http.StatusOK).only(t, "name", "confirmed")
	b.form.Set("confirmed", "yes")
	require.Equal(t, http.StatusSeeOther, b.post(h, "shutdown").Code)
	assert.Equal(t, "shutdown live/arena.isml", f.done()[2])
	assert.Equal(t, "Idle", page(t, h, arena, http.StatusOK).only(t, "data-state", "Idle").attrs["data-state"])
}

// TestButtons: those that make no sense in a state cannot be pressed.
func TestButtons(t *testing.T) {
	for state, want := range map[string]string{
		"Idle": "start", "Starting": "stop shutdown", "Started": "stop shutdown", "Stopping": "", "Stopped": "start shutdown", "ShuttingDown": "", "Error": "start shutdown",
	} {
		f := at(noon)
		f.states["live/arena.isml"] = state
		d := page(t, newConsole(t, f, nil), arena, http.StatusOK)
		var can []string
		for _, b := range d.with("name", "command") {
			if _, off := b.attrs["disabled"]; !off {
				can = append(can, b.attrs["value"])
			}
		}
		assert.Equal(t, want, strings.Join(can, " "), state)
	}
}

// TestForgery: forms that were not sent from a page of the console to the same browser do nothing.
func TestForgery(t *testing.T) {
	f := at(noon)
	h := newConsole(t, f, nil)
	for name, change := range map[string]func(*browser){
		"no cookie":         func(b *browser) { b.cookie = nil },
		"another cookie":    func(b *browser) { b.cookie.Value = "AAAAAAAAAAAAAAAAAAAAAAAAAA" },
		"no token":          func(b *browser) { b.form.Del("token") },
		"another token":     func(b *browser) { b.form.Set("token", "A"+b.form.Get("token")[1:]+"A") },
		"another's token":   func(b *browser) { b.form = open(t, h, arena).form },
		"another site":      func(b *browser) { b.header.Set("Sec-Fetch-Site", "cross-site") },
		"a neighbour":       func(b *browser) { b.header.Set("Sec-Fetch-Site", "same-site") },
		"another origin":    func(b *browser) { b.header = http.Header{"Origin": {"http://evil.example"}} },
		"token in the URL":  func(b *browser) { b.action += "&token=" + url.QueryEscape(b.form.Get("token")); b.form.Del("token") },
		"much":              func(b *browser) { b.form.Set("a", strings.Repeat("a", 20_000)) },
		"the cookie's word": func(b *browser) { b.form.Set("token", b.cookie.Value) },
	} {
		b := open(t, h, arena)
		change(b)
		w := b.post(h, "stop")
		assert.Equal(t, http.StatusForbidden, w.Code, name)
		parse(t, w.Body.String()).only(t, "data-notice", "*")
	}
	assert.Empty(t, f.done())
	b := open(t, h, arena)
	b.header = http.Header{"Origin": {"http://example.com"}} // the host of requests of httptest
	assert.Equal(t, http.StatusSeeOther, b.post(h, "stop").Code, "an older browser")
}

// TestKey: with a key of its own a form stays valid when the server begins anew; without one it does not.
func TestKey(t *testing.T) {
	for key, status := range map[string]int{"secret": http.StatusSeeOther, "": http.StatusForbidden} {
		opts := &console.Options{Key: []byte(key)}
		b := open(t, newConsole(t, at(noon), opts), arena)
		assert.Equal(t, status, b.post(newConsole(t, at(noon), opts), "stop").Code, "key %q", key)
	}
}

// TestCookie: scripts do not see it, other sites do not send it, and it is kept.
func TestCookie(t *testing.T) {
	h := newConsole(t, at(noon), nil)
	b := open(t, h, arena)
	assert.True(t, b.cookie.HttpOnly)
	assert.False(t, b.cookie.Secure)
	assert.Equal(t, http.SameSiteLaxMode, b.cookie.SameSite)
	assert.Empty(t, b.cookie.Path, "the directory of the page")
	r := httptest.NewRequest(http.MethodGet, prefix+"/"+arena, nil)
	r.AddCookie(b.cookie)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	assert.Empty(t, w.Result().Cookies())
	r = httptest.NewRequest(http.MethodGet, prefix+"/"+arena, nil)
	r.TLS = &tls.ConnectionState{}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	assert.True(t, w.Result().Cookies()[0].Secure)
	assert.Empty(t, get(h, "limits").Result().Cookies(), "a page without a form")
}

// slow does not come to an end with a command.
type slow struct{ *fake }

func (s slow) Command(ctx context.Context, _ string, _ console.Command) error {
	return fmt.Errorf("stop: %w", context.DeadlineExceeded)
}

// TestRefusedCommands: the page of the point says why nothing happened.
func TestRefusedCommands(t *testing.T) {
	h := newConsole(t, at(noon), nil)
	studio := "point?name=live%2Fstudio.isml"
	w := open(t, h, studio).post(h, "stop")
	assert.Equal(t, http.StatusConflict, w.Code)
	d := parse(t, w.Body.String())
	assert.Contains(t, d.only(t, "data-notice", "*").text, "not possible in the state")
	d.only(t, "data-state", "Idle")
	assert.Equal(t, http.StatusBadRequest, open(t, h, studio).post(h, "explode").Code)
	gone := open(t, h, studio)
	gone.action = strings.Replace(gone.action, "studio", "nope", 1)
	assert.Equal(t, http.StatusNotFound, gone.post(h, "stop").Code)
	h = newConsole(t, slow{at(noon)}, nil)
	assert.Equal(t, http.StatusGatewayTimeout, open(t, h, arena).post(h, "stop").Code)
}
