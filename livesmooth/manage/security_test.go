package manage_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestAuthorize: strangers and those without the right get the same for what exists and for what does not.
func TestAuthorize(t *testing.T) {
	for _, c := range []struct {
		user, method, target string
		status               int
		code                 string
	}{
		{"", "GET", list, 401, "0x80880022"},
		{"", "GET", list + "/settings", 401, "0x80880022"},
		{"", "GET", "/live/idle.isml/state", 401, "0x80880022"},
		{"", "GET", "/live/none.isml/state", 401, "0x80880022"},
		{"", "POST", list + "/settings", 401, "0x80880022"},
		{"", "GET", "/live/started.isml/events", 401, "0x80880022"},
		{"reader", "GET", list, 200, ""},
		{"reader", "GET", "/live/idle.isml/state", 200, ""},
		{"reader", "GET", "/live/none.isml/state", 404, "0x8088002E"},
		{"reader", "GET", "/secret/%C3%BC%20b.isml/state", 401, "0x80880023"},
		{"reader", "GET", "/SECRET/%C3%BC%20B.ISML/state", 401, "0x80880023"},
		{"reader", "GET", "/secret/none.isml/state", 401, "0x80880023"},
		{"reader", "PUT", "/live/idle.isml/state", 401, "0x80880023"},
		{"reader", "PUT", "/live/idle.isml/settings", 401, "0x80880023"},
		{"reader", "DELETE", "/live/idle.isml/settings", 401, "0x80880023"},
		{"reader", "POST", list + "/settings", 401, "0x80880023"},
		{"writer", "DELETE", "/live/idle.isml/settings", 200, ""},
		{"writer", "PATCH", "/live/idle.isml/settings", 405, "0x80880020"},
	} {
		h := newHandler(t, newFake(), &manage.Options{Authorize: byUser, Challenge: `Basic realm="x"`})
		r := request(c.method, c.target, "", "Slug", "/n.isml")
		if c.user != "" {
			r.SetBasicAuth(c.user, "")
		}
		w := serve(h, r)
		name := c.user + " " + c.method + " " + c.target
		assert.Equal(t, c.status, w.Code, name)
		if c.code != "" && c.target != "/live/started.isml/events" {
			assert.Contains(t, w.Body.String(), "<ErrorCode>"+c.code+"</ErrorCode>", name)
		}
		challenge := ""
		if c.status == http.StatusUnauthorized {
			challenge = `Basic realm="x"`
		}
		assert.Equal(t, challenge, w.Header().Get("WWW-Authenticate"), name)
	}
}

// TestOperations: the hook gets the name as the server spells it.
func TestOperations(t *testing.T) {
	for _, c := range []struct {
		method, target string
		want           manage.Operation
		words          string
	}{
		{"GET", "/LIVE/IDLE.isml/settings", manage.Operation{Kind: manage.Read, Point: "live/Idle.isml"}, "read"},
		{"HEAD", "/live/idle.isml/state", manage.Operation{Kind: manage.Read, Point: "live/Idle.isml"}, "read"},
		{"PUT", "/live/IDLE.isml/state", manage.Operation{Kind: manage.Write, Point: "live/Idle.isml"}, "write"},
		{"PUT", "/None.isml/settings", manage.Operation{Kind: manage.Write, Point: "None.isml"}, "write"},
		{"DELETE", "/live/idle.ISML/settings", manage.Operation{Kind: manage.Delete, Point: "live/Idle.isml"}, "delete"},
		{"POST", list + "/settings", manage.Operation{Kind: manage.Create, Point: "new/ü.isml"}, "create"},
		{"GET", list, manage.Operation{Kind: manage.Read}, "read"},
	} {
		var got []manage.Operation
		h := newHandler(t, newFake(), &manage.Options{Authorize: func(_ *http.Request, op manage.Operation) error {
			got = append(got, op)
			return nil
		}})
		serve(h, request(c.method, c.target, "", "Slug", "/new/%C3%BC.isml"))
		require.NotEmpty(t, got)
		assert.Equal(t, c.want, got[0])
		assert.Equal(t, c.words, got[0].Kind.String())
	}
	assert.Equal(t, "unknown", manage.Kind(9).String())
}

// TestListOmits: the list has only what the user may read.
func TestListOmits(t *testing.T) {
	h := newHandler(t, newFake(), &manage.Options{Authorize: byUser})
	for _, target := range []string{list, list + "/settings"} {
		for _, accept := range []string{atom, "application/json"} {
			for user, secret := range map[string]bool{"reader": false, "writer": true} {
				r := request("GET", target, "", "Accept", accept)
				r.SetBasicAuth(user, "")
				body := serve(h, r).Body.String()
				assert.Contains(t, body, "/live/Idle.isml/")
				assert.Equal(t, secret, strings.Contains(body, "/secret/"), user)
			}
		}
	}
}

// TestSecrets: keys and passwords are shown to those who may change them.
func TestSecrets(t *testing.T) {
	f := &manage.Fake{}
	f.Add("a.isml", full())
	h := newHandler(t, f, &manage.Options{Authorize: byUser})
	for _, target := range []string{"/a.isml/settings", list + "/settings"} {
		for _, accept := range []string{atom, "application/json"} {
			for user, shown := range map[string]bool{"reader": false, "writer": true} {
				r := request("GET", target, "", "Accept", accept)
				r.SetBasicAuth(user, "")
				body := serve(h, r).Body.String()
				assert.Equal(t, shown, strings.Contains(body, "30313233343536373839616263646566"), user)
				assert.Equal(t, shown, strings.Contains(body, "up:secret@"), user)
				assert.Contains(t, body, "backup.example")
			}
		}
	}
	assert.NotEmpty(t, full().HLS.Key)
}

// TestKeyIsKept: a document without a key does not take it away; one with an empty key does.
func TestKeyIsKept(t *testing.T) {
	hls := func(encryption string) string {
		return settingsDocument(`<Modules><Module id="HLS" type="sink"><HLS>` + encryption + `</HLS></Module></Modules>`)
	}
	for _, c := range []struct{ kind, body, want string }{
		{atom, hls(`<Encryption enabled="true"/>`), "0123456789abcdef"},
		{atom, hls(``), "0123456789abcdef"},
		{atom, hls(`<Encryption enabled="true"><Key/></Encryption>`), ""},
		{atom, hls(`<Encryption enabled="true"><Key>41414141414141414141414141414141</Key></Encryption>`), strings.Repeat("A", 16)},
		{"application/json", `{"hls":{"encryption":{"enabled":true}}}`, "0123456789abcdef"},
		{"application/json", `{"hls":{"encryption":{"enabled":true,"keyHex":""}}}`, ""},
		{"application/json", `{"hls":{"encryption":{"keyHex":"41414141414141414141414141414141"}}}`, strings.Repeat("A", 16)},
	} {
		f := &manage.Fake{}
		p := f.Add("a.isml", full())
		w := serve(newHandler(t, f, nil), request("PUT", "/a.isml/settings", c.body, "Content-Type", c.kind))
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		assert.Equal(t, c.want, string(p.Settings().HLS.Key), c.body)
	}
}

// TestCrossOrigin: a page of another origin cannot use the password that a browser remembers.
func TestCrossOrigin(t *testing.T) {
	opts := &manage.Options{Authorize: allow, TrustedOrigins: []string{"https://console.example.com"}}
	for _, c := range []struct {
		method string
		header []string
		status int
	}{
		{"PUT", nil, 200},
		{"PUT", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"PUT", []string{"Sec-Fetch-Site", "none"}, 200},
		{"PUT", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"PUT", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"PUT", []string{"Origin", "http://example.com"}, 200},
		{"PUT", []string{"Origin", "http://evil.example"}, 403},
		{"PUT", []string{"Origin", "null"}, 403},
		{"PUT", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://console.example.com"}, 200},
		{"DELETE", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		f := newFake()
		h := newHandler(t, f, opts)
		target, body := "/live/idle.isml/settings", settingsDocument("<Title>new</Title>")
		w := serve(h, request(c.method, target, body, append(c.header, "Content-Type", atom)...))
		assert.Equal(t, c.status, w.Code, c.header)
		if c.status == http.StatusForbidden {
			assert.Contains(t, w.Body.String(), "0x80880023")
		}
	}
	h := newHandler(t, newFake(), opts)
	w := serve(h, request("POST", list+"/settings", settingsDocument(""), "Slug", "/n.isml", "Content-Type", atom,
		"Sec-Fetch-Site", "cross-site"))
	assert.Equal(t, http.StatusForbidden, w.Code)
}

// TestKept: what documents cannot say stays.
func TestKept(t *testing.T) {
	s := full()
	s.Filters = "f"
	s.Extra = append(s.Extra, smooth.Attribute{Name: "vendor", Value: "1"})
	s.HLS.Extra = append(s.HLS.Extra, smooth.Attribute{Name: "m3u8-aapl-vendor", Value: "2"})
	for kind, body := range map[string]string{
		atom:               settingsDocument(`<Modules><Module id="hls" type="sink" name="x"><HLS/></Module></Modules>`),
		"application/json": `{"hls":{}}`,
	} {
		f := &manage.Fake{}
		p := f.Add("a.isml", s.Clone())
		require.Equal(t, http.StatusOK, serve(newHandler(t, f, nil), request("PUT", "/a.isml/settings", body, "Content-Type", kind)).Code)
		got := p.Settings()
		assert.Equal(t, "f", got.Filters)
		assert.Equal(t, s.Extra, got.Extra)
		assert.Equal(t, s.HLS.Extra, got.HLS.Extra)
		want := livesmooth.DefaultSettings() // everything else has its default
		want.Filters, want.Extra, want.HLS = got.Filters, got.Extra, got.HLS
		assert.Equal(t, want, got)
		assert.Equal(t, &livesmooth.HLSSettings{Key: s.HLS.Key, Extra: s.HLS.Extra}, got.HLS)
	}
}
