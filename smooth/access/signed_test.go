package access_test

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/access"
)

func TestSignedForms(t *testing.T) {
	c := newClock()
	s := signed(t, c, nil)
	h := handler(&access.Policy{Authenticators: []access.Authenticator{s}}, &access.HandlerOptions{Signed: s})
	grant := access.Grant{Path: "/live/a b.isml/*", Expires: c.Now().Add(time.Hour), User: "ann", Session: "s1"}

	inPath, err := s.PathURL("/live/a%20b.isml/QualityLevels(1)/Fragments(v=0)?filter=x", grant)
	require.NoError(t, err)
	assert.Regexp(t, `^/t/[\w-]{60,100}/live/a%20b.isml/QualityLevels\(1\)/Fragments\(v=0\)\?filter=x$`, inPath)
	w := serve(h, get(inPath))
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, "/live/a%20b.isml/QualityLevels(1)/Fragments(v=0)?filter=x signed:ann", w.Body.String())

	inQuery, err := s.QueryURL("http://media.example/live/a%20b.isml/Manifest?x=1", grant)
	require.NoError(t, err)
	assert.Regexp(t, `^http://media.example/live/a%20b.isml/Manifest\?x=1&token=[\w-]{60,100}$`, inQuery)
	assert.Equal(t, 200, serve(h, get(inQuery)).Code)
	absolute, err := s.PathURL("https://media.example/live/a%20b.isml/Manifest", grant)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(absolute, "https://media.example/t/"), absolute)

	assert.Equal(t, 403, serve(h, get("/live/a%20b.isml/Manifest")).Code, "without a token")
	_, err = s.PathURL("/live/other.isml/Manifest", grant)
	assert.ErrorIs(t, err, access.ErrGrant)
	_, err = s.QueryURL("/live/a b.isml/../c/Manifest", grant)
	assert.ErrorIs(t, err, access.ErrGrant)
	noQuery := signed(t, c, &access.SignedOptions{Query: "-"})
	_, err = noQuery.QueryURL("/live/a%20b.isml/Manifest", grant)
	assert.ErrorIs(t, err, access.ErrGrant)
	assert.Equal(t, 403, serve(handler(&access.Policy{Authenticators: []access.Authenticator{noQuery}}, nil), get(inQuery)).Code)
}

// All refusals of signed URLs are the same to who asks; the log tells them apart.
func TestSignedRefusals(t *testing.T) {
	c := newClock()
	s := signed(t, c, nil)
	good := access.Grant{Path: "/v/a.ism/*", Expires: c.Now().Add(time.Hour)}
	with := func(change func(*access.Grant)) access.Grant {
		g := good
		change(&g)
		return g
	}
	other, err := access.NewSigner([]byte("another key of 16 bytes and more"))
	require.NoError(t, err)
	otherSigned, err := access.NewSigned(other, &access.SignedOptions{Now: c.Now})
	require.NoError(t, err)
	link := func(s *access.Signed, g access.Grant) string {
		u, err := s.PathURL("/v/a.ism/Manifest", g)
		require.NoError(t, err)
		return u
	}
	fine := link(s, good)
	token := strings.Split(fine, "/")[2]
	tampered := "/t/" + flip(token, len(token)/2) + "/v/a.ism/Manifest"

	for _, test := range []struct {
		name, method, target, logged string
		status                       int
	}{
		{"good", "GET", fine, "", 200},
		{"head", "HEAD", fine, "", 200},
		{"in the query", "GET", "/v/a.ism/Manifest?token=" + token, "", 200},
		{"second in the query", "GET", "/v/a.ism/Manifest?a=b&token=" + token, "", 200},
		{"post", "POST", fine, "role", 403},
		{"put", "PUT", fine, "role", 403},
		{"tampered", "GET", tampered, "signature", 403},
		{"other key", "GET", link(otherSigned, good), "signature", 403},
		{"expired", "GET", link(s, with(func(g *access.Grant) { g.Expires = c.Now().Add(-61 * time.Second) })), "expired", 403},
		{"within the skew", "GET", link(s, with(func(g *access.Grant) { g.Expires = c.Now().Add(-59 * time.Second) })), "", 200},
		{"not yet", "GET", link(s, with(func(g *access.Grant) { g.NotBefore = c.Now().Add(61 * time.Second) })), "begins", 403},
		{"soon", "GET", link(s, with(func(g *access.Grant) { g.NotBefore = c.Now().Add(59 * time.Second) })), "", 200},
		{"address", "GET", link(s, with(func(g *access.Grant) { g.Address = netip.MustParsePrefix("192.0.2.0/24") })), "", 200},
		{"mapped address", "GET", link(s, with(func(g *access.Grant) { g.Address = netip.MustParsePrefix("::ffff:192.0.2.1/128") })), "", 200},
		{"other address", "GET", link(s, with(func(g *access.Grant) { g.Address = netip.MustParsePrefix("192.0.3.0/24") })), "address", 403},
		{"role", "GET", link(s, with(func(g *access.Grant) { g.Role = "encoder" })), "role", 403},
		{"other path", "GET", "/t/" + token + "/v/b.ism/Manifest", "path", 403},
		{"the presentation itself", "GET", "/t/" + token + "/v/a.ism", "path", 403},
		{"longer name", "GET", "/t/" + token + "/v/a.ismx/Manifest", "path", 403},
		{"other case", "GET", "/t/" + token + "/V/a.ism/Manifest", "path", 403},
		{"short token", "GET", "/t/abc/v/a.ism/Manifest", "no credentials", 403},
		{"no path", "GET", "/t/" + token, "no credentials", 403},
		{"nested", "GET", "/t/" + token + "/t/" + token + "/v/a.ism/Manifest", "path", 403},
		{"garbage in the query", "GET", "/v/a.ism/Manifest?token=%zz", "no credentials", 403},
		{"line end in the token", "GET", "/v/a.ism/Manifest?token=" + token[:8] + "%0A" + token[8:], "token", 403},
		{"padding", "GET", "/v/a.ism/Manifest?token=" + token + "%3D", "token", 403},
		{"long token", "GET", "/v/a.ism/Manifest?token=" + strings.Repeat("A", 3000), "token of 3000 bytes", 403},
	} {
		var log logBuffer
		h := handler(&access.Policy{Authenticators: []access.Authenticator{s}}, &access.HandlerOptions{Signed: s, Logger: log.logger()})
		w := serve(h, request(test.method, test.target))
		assert.Equal(t, test.status, w.Code, test.name)
		if test.status == 200 {
			continue
		}
		assert.Equal(t, "Forbidden\n", w.Body.String(), test.name)
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"), test.name)
		assert.Empty(t, w.Header()["Www-Authenticate"], test.name)
		assert.Contains(t, log.String(), test.logged, test.name)
		if test.name != "no path" && test.name != "nested" {
			assert.NotContains(t, log.String(), token, test.name)
		}
	}
}

// flip changes the character at i.
func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

// No other text than the one that Sign returns is a token: whoever counts or bans by it can rely on that.
func TestTokenIsNotMalleable(t *testing.T) {
	signer, err := access.NewSigner(testKey)
	require.NoError(t, err)
	for _, session := range []string{"", "a", "ab", "abc"} { // all lengths of the last group of base64
		token, err := signer.Sign(access.Grant{Path: "/a", Expires: newClock().Now(), Session: session})
		require.NoError(t, err)
		_, err = signer.Verify(token)
		require.NoError(t, err)
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/\n "
		for i := range len(token) {
			for _, c := range alphabet {
				if byte(c) == token[i] {
					continue
				}
				_, err := signer.Verify(token[:i] + string(c) + token[i+1:])
				require.ErrorIs(t, err, access.ErrToken, "%d %q", i, c)
			}
			_, err := signer.Verify(token[:i])
			require.ErrorIs(t, err, access.ErrToken)
		}
	}
}

func TestGrantRoundTrip(t *testing.T) {
	signer, err := access.NewSigner(testKey)
	require.NoError(t, err)
	now := newClock().Now()
	for _, g := range []access.Grant{
		{Path: "/*", Expires: now},
		{Path: "/", Expires: now},
		{Path: "/live/x.isml/*", Expires: now, NotBefore: now.Add(-time.Hour), Session: "s", User: "ann ünïcode", Role: "encoder"},
		{Path: "/x", Expires: now, Address: netip.MustParsePrefix("192.0.2.0/24")},
		{Path: "/x", Expires: now, Address: netip.MustParsePrefix("2001:db8::/32")},
		{Path: "/x", Expires: now, Address: netip.MustParsePrefix("0.0.0.0/0")},
	} {
		token, err := signer.Sign(g)
		require.NoError(t, err)
		got, err := signer.Verify(token)
		require.NoError(t, err)
		g.Expires, g.NotBefore, got.Expires, got.NotBefore = g.Expires.UTC(), g.NotBefore.UTC(), got.Expires.UTC(), got.NotBefore.UTC()
		assert.Equal(t, g, got)
	}
	mapped, err := signer.Sign(access.Grant{Path: "/x", Expires: now, Address: netip.MustParsePrefix("::ffff:192.0.2.7/120")})
	require.NoError(t, err)
	got, err := signer.Verify(mapped)
	require.NoError(t, err)
	assert.Equal(t, netip.MustParsePrefix("192.0.2.0/24"), got.Address)
}

// Tokens that are out stay good: a change of this text needs another version.
func TestTokenForm(t *testing.T) {
	signer, err := access.NewSigner(testKey)
	require.NoError(t, err)
	token, err := signer.Sign(access.Grant{
		Path: "/live/x.isml/*", Expires: time.Unix(1_900_000_000, 0), NotBefore: time.Unix(1_800_000_000, 0),
		Address: netip.MustParsePrefix("192.0.2.0/24"), Session: "s", User: "u", Role: "r",
	})
	require.NoError(t, err)
	assert.Equal(t, "AYDm_okHgKSn2gYEwAACABgOL2xpdmUveC5pc21sLyoBcwF1AXKrThHVdtpdccDZnKUuooJE", token)
}

func TestGrantErrors(t *testing.T) {
	signer, err := access.NewSigner(testKey)
	require.NoError(t, err)
	now := newClock().Now()
	for name, g := range map[string]access.Grant{
		"no path":         {Expires: now},
		"relative":        {Path: "live/*", Expires: now},
		"star inside":     {Path: "/live/x*", Expires: now},
		"two stars":       {Path: "/live/*/*", Expires: now},
		"double slash":    {Path: "/live//x/*", Expires: now},
		"dots":            {Path: "/live/../x", Expires: now},
		"backslash":       {Path: `/live\x`, Expires: now},
		"encoded":         {Path: "/live%2f..", Expires: now},
		"no end":          {Path: "/x"},
		"before its time": {Path: "/x", Expires: now, NotBefore: now.Add(time.Second)},
		"before 1970":     {Path: "/x", Expires: time.Unix(-5, 0)},
		"bad prefix":      {Path: "/x", Expires: now, Address: netip.PrefixFrom(netip.MustParseAddr("192.0.2.1"), 33)},
		"long path":       {Path: "/" + strings.Repeat("x", 1024), Expires: now},
		"long session":    {Path: "/x", Expires: now, Session: strings.Repeat("x", 129)},
		"long user":       {Path: "/x", Expires: now, User: strings.Repeat("x", 129)},
		"long role":       {Path: "/x", Expires: now, Role: strings.Repeat("x", 33)},
		"not UTF-8":       {Path: "/x", Expires: now, User: "\xff"},
	} {
		_, err := signer.Sign(g)
		assert.ErrorIs(t, err, access.ErrGrant, name)
	}
}

func TestKeyRotation(t *testing.T) {
	old, fresh := []byte("the old key of 16 bytes"), []byte("the new key of 16 bytes")
	g := access.Grant{Path: "/x", Expires: newClock().Now()}
	sign := func(keys ...[]byte) (*access.Signer, string) {
		s, err := access.NewSigner(keys...)
		require.NoError(t, err)
		token, err := s.Sign(g)
		require.NoError(t, err)
		return s, token
	}
	before, oldToken := sign(old)
	both, newToken := sign(fresh, old)
	after, _ := sign(fresh)
	verify := func(s *access.Signer, token string) bool { _, err := s.Verify(token); return err == nil }
	assert.True(t, verify(both, oldToken))
	assert.True(t, verify(both, newToken))
	assert.True(t, verify(after, newToken), "the first key signs")
	assert.False(t, verify(after, oldToken))
	assert.False(t, verify(before, newToken))
	for _, keys := range [][][]byte{nil, {[]byte("fifteen bytes..")}, {testKey, nil}, make([][]byte, 17)} {
		_, err := access.NewSigner(keys...)
		assert.ErrorIs(t, err, access.ErrOptions)
	}
}

func TestSignedOptions(t *testing.T) {
	signer, err := access.NewSigner(testKey)
	require.NoError(t, err)
	_, err = access.NewSigned(nil, nil)
	assert.ErrorIs(t, err, access.ErrOptions)
	for _, prefix := range []string{"/", "t/", "/t", "//", "/t//", "/a b/", "/../", "/%74/"} {
		_, err := access.NewSigned(signer, &access.SignedOptions{Prefix: prefix})
		assert.ErrorIs(t, err, access.ErrOptions, prefix)
	}
	s, err := access.NewSigned(signer, &access.SignedOptions{Prefix: "/signed/by/", Query: "st"})
	require.NoError(t, err)
	g := access.Grant{Path: "/*", Expires: time.Now().Add(time.Hour)}
	link, err := s.PathURL("/x", g)
	require.NoError(t, err)
	h := handler(&access.Policy{Authenticators: []access.Authenticator{s}}, &access.HandlerOptions{Signed: s})
	assert.Equal(t, "/x signed:", serve(h, get(link)).Body.String())
	link, err = s.QueryURL("/x", g)
	require.NoError(t, err)
	assert.Contains(t, link, "?st=")
	assert.Equal(t, 200, serve(h, get(link)).Code)
}

// A token for encoders opens nothing for viewers and the other way round.
func TestSignedRoles(t *testing.T) {
	c := newClock()
	view, push := signed(t, c, nil), signed(t, c, &access.SignedOptions{Role: "encoder"})
	policy := access.Roles{
		Viewers:  &access.Policy{Authenticators: []access.Authenticator{view}},
		Encoders: &access.Policy{Authenticators: []access.Authenticator{push}},
	}
	h := handler(policy, &access.HandlerOptions{Signed: view})
	end := c.Now().Add(time.Hour)
	viewer, err := view.PathURL("/live/x.isml/Manifest", access.Grant{Path: "/live/x.isml/*", Expires: end})
	require.NoError(t, err)
	encoder, err := push.PathURL("/live/x.isml/Streams(1)", access.Grant{Path: "/live/x.isml/*", Expires: end, Role: "encoder", User: "enc"})
	require.NoError(t, err)
	assert.Equal(t, 200, serve(h, get(viewer)).Code)
	assert.Equal(t, 403, serve(h, request("POST", viewer)).Code)
	w := serve(h, request("POST", encoder))
	assert.Equal(t, "/live/x.isml/Streams(1) signed:enc", w.Body.String())
	assert.Equal(t, 403, serve(h, get(encoder)).Code)
}

// A Policy may be asked by a hook without a Handler: then the token is in the path still.
func TestSignedWithoutHandler(t *testing.T) {
	c := newClock()
	s := signed(t, c, nil)
	p := &access.Policy{Authenticators: []access.Authenticator{s}}
	link, err := s.PathURL("/a/x", access.Grant{Path: "/a/*", Expires: c.Now().Add(time.Hour), Session: "7"})
	require.NoError(t, err)
	id, err := p.Check(get(link))
	require.NoError(t, err)
	assert.Equal(t, "7", id.Session)
	assert.Equal(t, c.Now().Add(time.Hour).Unix(), id.Expires.Unix())
	_, err = p.Check(get(link + "/../../b"))
	assert.NoError(t, err, "Check leaves that to Handler")
	assert.Equal(t, 400, serve(handler(p, nil), get(link+"/../../b")).Code)
}

func TestStripQuery(t *testing.T) {
	c := newClock()
	s := signed(t, c, nil)
	p := &access.Policy{Authenticators: []access.Authenticator{s}}
	g := access.Grant{Path: "/x", Expires: c.Now().Add(time.Hour)}
	link, err := s.QueryURL("/x?a=1", g)
	require.NoError(t, err)
	link += "&b=2&token=again"
	h := handler(p, &access.HandlerOptions{Signed: s, StripQuery: true})
	assert.Equal(t, "/x?a=1&b=2 signed:", serve(h, get(link)).Body.String())
	h = handler(p, &access.HandlerOptions{Signed: s})
	u, err := url.Parse(link)
	require.NoError(t, err)
	assert.Equal(t, u.RequestURI()+" signed:", serve(h, get(link)).Body.String())
}

func TestPerViewer(t *testing.T) {
	c := newClock()
	s := signed(t, c, nil)
	g := access.Grant{Path: "/x", Expires: c.Now().Add(time.Hour)}
	inPath, err := s.PathURL("/x", g)
	require.NoError(t, err)
	inQuery, err := s.QueryURL("/x", g)
	require.NoError(t, err)
	tokens := bearer(t, access.BearerOptions{Secret: secret, Query: "jwt", Now: c.Now})
	withJWT := "/x?token=x&jwt=" + sign(t, jwt.SigningMethodHS256, secret, "", claimsAt(c))
	jwtPolicy := &access.Policy{Authenticators: []access.Authenticator{tokens}}
	byHeader := authFunc(func(r *http.Request) (*access.Identity, error) { return &access.Identity{}, nil })
	open := &access.Policy{}
	closed := &access.Policy{Authenticators: []access.Authenticator{s}}
	named := &access.Policy{Authenticators: []access.Authenticator{byHeader}}
	for _, test := range []struct {
		name   string
		policy *access.Policy
		r      *http.Request
		opts   access.HandlerOptions
		want   bool
	}{
		{"nobody has to say", open, get("/x?a=b"), access.HandlerOptions{}, false},
		{"token in the path", closed, get(inPath), access.HandlerOptions{}, false},
		{"token in the query", closed, get(inQuery), access.HandlerOptions{}, true},
		{"token taken out", closed, get(inQuery), access.HandlerOptions{StripQuery: true}, false},
		{"JWT in the query", jwtPolicy, get(withJWT), access.HandlerOptions{}, true},
		{"JWT taken out", jwtPolicy, get(withJWT), access.HandlerOptions{StripQuery: true}, false},
		{"header", named, get("/x", "Authorization", "x"), access.HandlerOptions{}, true},
		{"header taken out", named, get("/x", "Authorization", "x"), access.HandlerOptions{StripAuthorization: true}, false},
		{"header for who is behind", open, get("/x", "Authorization", "x"), access.HandlerOptions{}, true},
	} {
		test.opts.Signed = s
		var got, called bool
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got, called = access.PerViewer(r), true
			if test.opts.StripQuery {
				assert.Equal(t, "/x", r.URL.RequestURI(), test.name)
			}
		})
		access.NewHandler(next, test.policy, &test.opts).ServeHTTP(nil, test.r)
		assert.True(t, called, test.name)
		assert.Equal(t, test.want, got, test.name)
	}
	assert.False(t, access.PerViewer(get("/x?token=1")), "without a Handler")
}

// What is accepted is its own canonical form, and stays so when it is decoded once more.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/a/b.ism/x", "/a%20b/", "/a/../b", "/%2e%2e/x", "/a%252fb", "/a//b", `/a\b`, "/100%25", "/%c3%bc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || access.CheckPathOn(u, true) != nil {
			return
		}
		clean := path.Clean(u.Path)
		if clean != "/" && strings.HasSuffix(u.Path, "/") {
			clean += "/"
		}
		require.Equal(t, clean, u.Path)
		if again, err := url.PathUnescape(u.Path); err == nil {
			require.Equal(t, u.Path, again)
		}
		require.Equal(t, strings.Count(u.Path, "/"), strings.Count(u.EscapedPath(), "/"))
		require.NotContains(t, u.Path, `\`)
	})
}

func FuzzToken(f *testing.F) {
	signer, err := access.NewSigner(testKey)
	require.NoError(f, err)
	now := newClock().Now()
	for _, g := range []access.Grant{
		{Path: "/live/x.isml/*", Expires: now},
		{Path: "/x", Expires: now, NotBefore: now, Address: netip.MustParsePrefix("192.0.2.0/24"), User: "u", Session: "s", Role: "r"},
	} {
		token, err := signer.Sign(g)
		require.NoError(f, err)
		f.Add(token)
		payload, err := base64.RawURLEncoding.DecodeString(token)
		require.NoError(f, err)
		f.Add(string(payload[:len(payload)-16]))
	}
	f.Add("")
	f.Add("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00")
	f.Fuzz(func(t *testing.T, text string) {
		if g, err := signer.Verify(text); err == nil {
			again, err := signer.Sign(g)
			require.NoError(t, err)
			require.Equal(t, text, again, "one grant has one token")
		} else {
			require.ErrorIs(t, err, access.ErrToken)
		}
		// As if the key were known: what the parser takes is a grant that has the same token.
		if g, err := access.ParseGrant([]byte(text)); err == nil {
			token, err := signer.Sign(g)
			require.NoError(t, err)
			back, err := signer.Verify(token)
			require.NoError(t, err)
			require.True(t, g.Expires.Equal(back.Expires) && g.Path == back.Path && g.Address.Masked() == back.Address)
		}
	})
}

func TestWithoutToken(t *testing.T) {
	signer, err := access.NewSigner([]byte("0123456789abcdef"))
	require.NoError(t, err)
	s, err := access.NewSigned(signer, nil)
	require.NoError(t, err)
	token, err := signer.Sign(access.Grant{Path: "/a/*", Expires: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	r := get("/t/" + token + "/console/%41?x=1")
	assert.Equal(t, "/console/A?x=1", s.WithoutToken(r).URL.Path+"?"+s.WithoutToken(r).URL.RawQuery)
	assert.True(t, strings.HasPrefix(r.URL.Path, "/t/"), "the request itself stays")
	for _, target := range []string{"/", "/t/", "/t/short/x", "/t/" + token, "/x/t/" + token + "/x"} {
		r := get(target)
		assert.Same(t, r, s.WithoutToken(r), target)
	}
}
