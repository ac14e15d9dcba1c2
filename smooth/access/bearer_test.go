package access_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// issuerKeys are made once, as RSA keys take a while.
type issuerKeys struct {
	rsa, rsa2 *rsa.PrivateKey
	ec        *ecdsa.PrivateKey
	ed        ed25519.PrivateKey
}

var keysOnce = sync.OnceValue(func() (k issuerKeys) {
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.rsa2, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, k.ed, _ = ed25519.GenerateKey(rand.Reader)
	return k
})

// sign returns a token.
func sign(t testing.TB, method jwt.SigningMethod, key any, kid string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	s, err := token.SignedString(key)
	require.NoError(t, err)
	return s
}

// claimsAt are good ones, with changes: nil removes.
func claimsAt(c *clock, changes ...any) jwt.MapClaims {
	claims := jwt.MapClaims{"sub": "ann", "iss": "https://issuer.example", "aud": "media", "exp": c.Now().Add(time.Hour).Unix(), "jti": "t1"}
	for i := 0; i < len(changes); i += 2 {
		if claims[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
			delete(claims, changes[i].(string))
		}
	}
	return claims
}

func bearer(t testing.TB, opts access.BearerOptions) *access.Bearer {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = quiet()
	}
	b, err := access.NewBearer(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

var secret = []byte("a secret of thirty-two bytes ...")

func TestBearerClaims(t *testing.T) {
	c, k := newClock(), keysOnce()
	opts := access.BearerOptions{
		Keys: map[string]crypto.PublicKey{"r": &k.rsa.PublicKey, "e": &k.ec.PublicKey, "d": k.ed.Public()}, Secret: secret,
		Issuer: "https://issuer.example", Audience: "media", Claims: map[string]string{"scope": "watch"}, Realm: "tv", Now: c.Now,
	}
	b := bearer(t, opts)
	h := handler(&access.Policy{Authenticators: []access.Authenticator{b}}, nil)
	at := func(changes ...any) jwt.MapClaims {
		return claimsAt(c, append([]any{"scope", "push watch"}, changes...)...)
	}
	now := c.Now()
	ps := jwt.SigningMethodPS384
	for name, test := range map[string]struct {
		token  string
		status int
	}{
		"RS256":                   {sign(t, jwt.SigningMethodRS256, k.rsa, "r", at()), 200},
		"PS384":                   {sign(t, ps, k.rsa, "r", at()), 200},
		"ES256":                   {sign(t, jwt.SigningMethodES256, k.ec, "e", at()), 200},
		"EdDSA":                   {sign(t, jwt.SigningMethodEdDSA, k.ed, "d", at()), 200},
		"HS256":                   {sign(t, jwt.SigningMethodHS256, secret, "", at()), 200},
		"no key ID":               {sign(t, jwt.SigningMethodES256, k.ec, "", at()), 200},
		"audiences":               {sign(t, jwt.SigningMethodHS256, secret, "", at("aud", []string{"x", "media"})), 200},
		"scope list":              {sign(t, jwt.SigningMethodHS256, secret, "", at("scope", []string{"x", "watch"})), 200},
		"within the leeway":       {sign(t, jwt.SigningMethodHS256, secret, "", at("exp", now.Add(-59*time.Second).Unix())), 200},
		"expired":                 {sign(t, jwt.SigningMethodHS256, secret, "", at("exp", now.Add(-61*time.Second).Unix())), 401},
		"no end":                  {sign(t, jwt.SigningMethodHS256, secret, "", at("exp", nil)), 401},
		"end is text":             {sign(t, jwt.SigningMethodHS256, secret, "", at("exp", "never")), 401},
		"not yet":                 {sign(t, jwt.SigningMethodHS256, secret, "", at("nbf", now.Add(61*time.Second).Unix())), 401},
		"other issuer":            {sign(t, jwt.SigningMethodHS256, secret, "", at("iss", "https://evil.example")), 401},
		"no issuer":               {sign(t, jwt.SigningMethodHS256, secret, "", at("iss", nil)), 401},
		"other audience":          {sign(t, jwt.SigningMethodHS256, secret, "", at("aud", "mail")), 401},
		"no audience":             {sign(t, jwt.SigningMethodHS256, secret, "", at("aud", nil)), 401},
		"other scope":             {sign(t, jwt.SigningMethodHS256, secret, "", at("scope", "watching")), 401},
		"scope is an object":      {sign(t, jwt.SigningMethodHS256, secret, "", at("scope", map[string]any{"watch": 1})), 401},
		"other secret":            {sign(t, jwt.SigningMethodHS256, []byte("another secret"), "", at()), 401},
		"other key of the kind":   {sign(t, jwt.SigningMethodRS256, k.rsa2, "r", at()), 401},
		"other key, no ID":        {sign(t, jwt.SigningMethodRS256, k.rsa2, "", at()), 401},
		"unknown key ID":          {sign(t, jwt.SigningMethodRS256, k.rsa, "x", at()), 401},
		"key ID of another kind":  {sign(t, jwt.SigningMethodRS256, k.rsa, "e", at()), 401},
		"none":                    {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "r", at()), 401},
		"none, no ID":             {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", at()), 401},
		"None":                    {withHeader(t, sign(t, jwt.SigningMethodHS256, secret, "", at()), `{"alg":"None"}`, ""), 401},
		"critical extension":      {critical(t, at()), 401},
		"key in the header":       {embedded(t, at()), 401},
		"not a token":             {"abc", 401},
		"empty":                   {"", 401},
		"two parts":               {"abc.def", 401},
		"long":                    {strings.Repeat("a", 9000), 401},
		"padding":                 {sign(t, jwt.SigningMethodHS256, secret, "", at()) + "=", 401},
		"subject of another type": {sign(t, jwt.SigningMethodHS256, secret, "", at("sub", 7)), 401},
	} {
		r := get("/x", "Authorization", "Bearer "+test.token)
		for range 2 { // the second time from the cache
			w := serve(h, r)
			assert.Equal(t, test.status, w.Code, name)
			if w.Code == 401 {
				assert.Equal(t, []string{`Bearer realm="tv", error="invalid_token"`}, w.Header()["Www-Authenticate"], name)
			} else {
				assert.Equal(t, "/x bearer:ann", w.Body.String(), name)
			}
		}
	}
	w := serve(h, get("/x"))
	assert.Equal(t, 401, w.Code)
	assert.Equal(t, []string{`Bearer realm="tv"`}, w.Header()["Www-Authenticate"])
	two := get("/x", "Authorization", "Bearer "+sign(t, jwt.SigningMethodHS256, secret, "", at()), "Authorization", "Bearer x")
	assert.Equal(t, 401, serve(h, two).Code)
}

// withHeader returns a token with another header and signature.
func withHeader(t *testing.T, token, header, signature string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "." + signature
}

func critical(t *testing.T, claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["crit"], token.Header["b64"] = []string{"b64"}, true
	s, err := token.SignedString(secret)
	require.NoError(t, err)
	return s
}

// embedded returns a token that brings the key along that verifies it.
func embedded(t *testing.T, claims jwt.MapClaims) string {
	k := keysOnce()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["jwk"] = publicJWK("evil", &k.rsa2.PublicKey)
	token.Header["kid"] = "evil"
	s, err := token.SignedString(k.rsa2)
	require.NoError(t, err)
	return s
}

// publicJWK returns a key of a key set.
func publicJWK(kid string, key *rsa.PublicKey) map[string]any {
	return map[string]any{
		"kty": "RSA", "kid": kid, "use": "sig", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": "AQAB",
	}
}

// A public key is no secret: nothing that is signed with it as one is taken.
func TestBearerAlgorithmConfusion(t *testing.T) {
	c, k := newClock(), keysOnce()
	der, err := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	require.NoError(t, err)
	forms := map[string][]byte{
		"DER":     der,
		"PEM":     pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"PKCS1":   x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey),
		"modulus": k.rsa.N.Bytes(),
	}
	jwk, err := json.Marshal(publicJWK("r", &k.rsa.PublicKey))
	require.NoError(t, err)
	forms["JWK"] = jwk
	keys := map[string]crypto.PublicKey{"r": &k.rsa.PublicKey}
	for _, b := range []*access.Bearer{
		bearer(t, access.BearerOptions{Keys: keys, Now: c.Now}),
		bearer(t, access.BearerOptions{Keys: keys, Secret: secret, Now: c.Now}),
	} {
		for form, key := range forms {
			for _, kid := range []string{"r", ""} {
				_, err := b.Authenticate(get("/x", "Authorization", "Bearer "+sign(t, jwt.SigningMethodHS256, key, kid, claimsAt(c))))
				assert.ErrorIs(t, err, access.ErrUnauthenticated, form)
			}
		}
		_, err := b.Authenticate(get("/x", "Authorization", "Bearer "+sign(t, jwt.SigningMethodRS256, k.rsa, "r", claimsAt(c))))
		assert.NoError(t, err)
	}
}

func TestBearerOptions(t *testing.T) {
	k := keysOnce()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	keys := map[string]crypto.PublicKey{"r": &k.rsa.PublicKey}
	for name, opts := range map[string]*access.BearerOptions{
		"nil":                    nil,
		"no keys":                {},
		"short secret":           {Secret: []byte("0123456789")},
		"empty secret":           {Secret: []byte{}},
		"none":                   {Secret: secret, Algorithms: []string{"none"}},
		"unknown":                {Secret: secret, Algorithms: []string{"HS1"}},
		"HMAC without secret":    {Keys: keys, Algorithms: []string{"HS256"}},
		"RSA without public key": {Secret: secret, Algorithms: []string{"RS256"}},
		"weak key":               {Keys: map[string]crypto.PublicKey{"w": &weak.PublicKey}},
		"private key":            {Keys: map[string]crypto.PublicKey{"p": k.rsa}},
		"secret as public key":   {Keys: map[string]crypto.PublicKey{"p": secret}},
		"clear text":             {JWKS: []string{"http://issuer.example/keys"}},
		"relative":               {JWKS: []string{"/keys"}},
		"file":                   {JWKS: []string{"file:///keys"}},
	} {
		_, err := access.NewBearer(opts)
		assert.ErrorIs(t, err, access.ErrOptions, name)
	}
	c := newClock()
	only := bearer(t, access.BearerOptions{Secret: secret, Algorithms: []string{"HS512"}, Now: c.Now, NameClaim: "email", SessionClaim: "x"})
	_, err = only.Authenticate(get("/x", "Authorization", "Bearer "+sign(t, jwt.SigningMethodHS256, secret, "", claimsAt(c))))
	assert.ErrorIs(t, err, access.ErrUnauthenticated)
	id, err := only.Authenticate(get("/x", "Authorization", "bearer "+sign(t, jwt.SigningMethodHS512, secret, "", claimsAt(c, "email", "a@b", "x", "s"))))
	require.NoError(t, err)
	assert.Equal(t, []string{"a@b", "s"}, []string{id.Name, id.Session})
	assert.Equal(t, "media", id.Claims["aud"])
}

func TestBearerPaths(t *testing.T) {
	c := newClock()
	b := bearer(t, access.BearerOptions{Secret: secret, PathsClaim: "paths", Query: "jwt", Now: c.Now})
	h := handler(&access.Policy{Authenticators: []access.Authenticator{b}}, nil)
	for _, test := range []struct {
		claim  any
		path   string
		status int
	}{
		{"/live/a.isml/*", "/live/a.isml/Manifest", 200},
		{"/live/a.isml/*", "/live/b.isml/Manifest", 403},
		{[]string{"/x", "/live/*"}, "/live/b.isml/Manifest", 200},
		{[]string{"/x", "/live/*"}, "/x", 200},
		{[]string{"/x", "/live/*"}, "/y", 403},
		{[]string{}, "/y", 403},
		{"/live/*", "/live/../y", 400},
		{nil, "/y", 401},
		{7, "/y", 401},
		{[]any{"/y", 7}, "/y", 401},
		{"live*", "/y", 401},
		{make([]string, 65), "/y", 401},
	} {
		token := sign(t, jwt.SigningMethodHS256, secret, "", claimsAt(c, "paths", test.claim))
		assert.Equal(t, test.status, serve(h, get(test.path+"?a=b&jwt="+token)).Code, "%v %s", test.claim, test.path)
		assert.Equal(t, test.status, serve(h, get(test.path, "Authorization", "Bearer "+token)).Code, "%v %s", test.claim, test.path)
	}
	assert.Equal(t, 401, serve(h, get("/y?token=x")).Code)
}

// What is remembered ends when the token does.
func TestBearerCacheEnds(t *testing.T) {
	c := newClock()
	b := bearer(t, access.BearerOptions{Secret: secret, Now: c.Now, Leeway: -1})
	r := get("/x", "Authorization", "Bearer "+sign(t, jwt.SigningMethodHS256, secret, "", claimsAt(c, "exp", c.Now().Add(30*time.Second).Unix())))
	_, err := b.Authenticate(r)
	require.NoError(t, err)
	c.advance(29 * time.Second)
	_, err = b.Authenticate(r)
	require.NoError(t, err)
	c.advance(time.Second)
	_, err = b.Authenticate(r)
	assert.ErrorIs(t, err, access.ErrUnauthenticated)
}
