package access_test

import (
	"crypto"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// noWriter is an answer that goes nowhere.
type noWriter struct{ h http.Header }

func (w noWriter) Header() http.Header         { return w.h }
func (w noWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w noWriter) WriteHeader(int)             {}

func benchmark(b *testing.B, p access.Resolver, s *access.Signed, r *http.Request) {
	h := access.NewHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), p, &access.HandlerOptions{Signed: s, Logger: quiet()})
	b.ReportAllocs()
	w := noWriter{h: http.Header{}}
	h.ServeHTTP(w, r)
	require.Equal(b, int64(1), h.Stats().Allowed)
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

const fragment = "/live/event.isml/QualityLevels(2500000)/Fragments(video=1234567890)"

func BenchmarkOpen(b *testing.B) { benchmark(b, &access.Policy{}, nil, get(fragment)) }

func BenchmarkSignedPath(b *testing.B) {
	c := newClock()
	s := signed(b, c, nil)
	link, err := s.PathURL(fragment, access.Grant{Path: "/live/event.isml/*", Expires: c.Now().Add(time.Hour), Session: "0123456789"})
	require.NoError(b, err)
	router, err := access.NewRouter(map[string]access.Resolver{
		"/": &access.Policy{}, "/live/event.isml": &access.Policy{Authenticators: []access.Authenticator{s}},
	})
	require.NoError(b, err)
	benchmark(b, router, s, get(link))
}

func BenchmarkSignedQuery(b *testing.B) {
	c := newClock()
	s := signed(b, c, nil)
	link, err := s.QueryURL(fragment, access.Grant{Path: "/live/event.isml/*", Expires: c.Now().Add(time.Hour)})
	require.NoError(b, err)
	benchmark(b, &access.Policy{Authenticators: []access.Authenticator{s}}, s, get(link))
}

// BenchmarkVerify is what the first request with a token costs.
func BenchmarkVerify(b *testing.B) {
	signer, err := access.NewSigner(testKey)
	require.NoError(b, err)
	token, err := signer.Sign(access.Grant{Path: "/live/event.isml/*", Expires: newClock().Now(), Session: "0123456789"})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = signer.Verify(token)
	}
}

func BenchmarkBasic(b *testing.B) {
	basic, err := access.NewBasic(&access.BasicOptions{Users: map[string]string{"ann": hashOf(b, "secret")}})
	require.NoError(b, err)
	r := login("ann", "secret")
	r.URL.Path = fragment
	benchmark(b, &access.Policy{Authenticators: []access.Authenticator{basic}}, nil, r)
}

func BenchmarkBearer(b *testing.B) {
	c, k := newClock(), keysOnce()
	bear := bearer(b, access.BearerOptions{Keys: map[string]crypto.PublicKey{"r": &k.rsa.PublicKey}, Now: c.Now})
	r := get(fragment, "Authorization", "Bearer "+sign(b, jwt.SigningMethodRS256, k.rsa, "r", claimsAt(c)))
	benchmark(b, &access.Policy{Authenticators: []access.Authenticator{bear}}, nil, r)
}
