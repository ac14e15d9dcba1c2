package access_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// issuer is a transport that answers with a key set.
type issuer struct {
	mu      sync.Mutex
	body    string
	status  int
	fetched int
	slow    time.Duration
}

func (i *issuer) set(status int, keys ...map[string]any) {
	body, _ := json.Marshal(map[string]any{"keys": keys})
	i.setBody(status, string(body))
}

func (i *issuer) setBody(status int, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetched
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.fetched++
	status, body, slow := i.status, i.body, i.slow
	i.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if status == 0 {
		return nil, fmt.Errorf("no route to host")
	}
	w := httptest.NewRecorder()
	w.WriteHeader(status)
	_, _ = w.WriteString(body)
	return w.Result(), nil
}

// inBubble calls f with a bearer authenticator of the issuer, where time is that of the test.
func inBubble(t *testing.T, i *issuer, f func(t *testing.T, check func(r *http.Request) error)) {
	t.Helper()
	keysOnce()
	synctest.Test(t, func(t *testing.T) {
		b := bearer(t, access.BearerOptions{
			JWKS: []string{"https://issuer.example/keys"}, Client: &http.Client{Transport: i}, RefreshInterval: time.Hour,
		})
		f(t, func(r *http.Request) error { _, err := b.Authenticate(r); return err })
	})
}

// tokenNow returns a request with a token that is good for a day.
func tokenNow(t *testing.T, key any, kid string) *http.Request {
	c := &clock{t: time.Now().Add(24 * time.Hour)}
	return get("/x", "Authorization", "Bearer "+sign(t, jwt.SigningMethodRS256, key, kid, claimsAt(c)))
}

func TestKeySetRotation(t *testing.T) {
	k, i := keysOnce(), &issuer{}
	i.set(200, publicJWK("1", &k.rsa.PublicKey))
	inBubble(t, i, func(t *testing.T, check func(*http.Request) error) {
		first, second := tokenNow(t, k.rsa, "1"), tokenNow(t, k.rsa2, "2")
		require.NoError(t, check(first), "waits for the first fetch")
		require.ErrorIs(t, check(second), access.ErrUnauthenticated)
		require.Equal(t, 1, i.count(), "a fetch was a moment ago")

		i.set(200, publicJWK("2", &k.rsa2.PublicKey))
		time.Sleep(31 * time.Second)
		require.NoError(t, check(second), "an unknown key makes the set fetched")
		require.ErrorIs(t, check(first), access.ErrUnauthenticated, "the old key is gone, from the cache too")
		require.Equal(t, 2, i.count())
		for range 100 {
			require.Error(t, check(tokenNow(t, k.rsa, "made up")))
		}
		require.Equal(t, 2, i.count(), "not for each of them")
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 3, i.count(), "once an hour")
	})
}

func TestKeySetOutage(t *testing.T) {
	k, i := keysOnce(), &issuer{}
	inBubble(t, i, func(t *testing.T, check func(*http.Request) error) {
		first := tokenNow(t, k.rsa, "1")
		require.ErrorIs(t, check(first), access.ErrUnavailable)
		require.ErrorIs(t, check(tokenNow(t, k.rsa, "")), access.ErrUnavailable, "without key ID")
		i.set(200, publicJWK("1", &k.rsa.PublicKey))
		time.Sleep(31 * time.Second)
		synctest.Wait()
		require.NoError(t, check(first), "it is tried again by itself")
		require.NoError(t, check(tokenNow(t, k.rsa, "")))

		i.set(500)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.NoError(t, check(first), "keys that are there go on")
		require.ErrorIs(t, check(tokenNow(t, k.rsa2, "2")), access.ErrUnavailable, "nobody knows whether there is such a key")
		require.ErrorIs(t, check(tokenNow(t, k.rsa2, "1")), access.ErrUnauthenticated, "a wrong signature is wrong")
	})
}

// Many requests that wait for a key make one fetch.
func TestKeySetCoalesces(t *testing.T) {
	k, i := keysOnce(), &issuer{slow: time.Second}
	i.set(200, publicJWK("1", &k.rsa.PublicKey))
	inBubble(t, i, func(t *testing.T, check func(*http.Request) error) {
		r := tokenNow(t, k.rsa, "1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { assert.NoError(t, check(r)) })
		}
		assert.ErrorIs(t, check(r.WithContext(ctx)), access.ErrUnavailable, "who leaves does not wait")
		wg.Wait()
		assert.Equal(t, 1, i.count())
		i.mu.Lock()
		i.slow = time.Hour
		i.mu.Unlock()
		time.Sleep(time.Minute)
		began := time.Now()
		assert.Error(t, check(tokenNow(t, k.rsa, "2")))
		assert.Equal(t, access.DefaultFetchTimeout, time.Since(began))
	})
}

// A request that is under way when the configuration changes does not wait for keys that nobody fetches.
func TestKeySetClosed(t *testing.T) {
	k := keysOnce()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		i.set(200, publicJWK("1", &k.rsa.PublicKey))
		b := bearer(t, access.BearerOptions{JWKS: []string{"https://issuer.example/keys"}, Client: &http.Client{Transport: i}})
		first := tokenNow(t, k.rsa, "1")
		_, err := b.Authenticate(first)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, b.Close())
		began := time.Now()
		_, err = b.Authenticate(first)
		assert.NoError(t, err)
		_, err = b.Authenticate(tokenNow(t, k.rsa2, "2"))
		assert.ErrorIs(t, err, access.ErrUnauthenticated)
		assert.Equal(t, began, time.Now())

		early := bearer(t, access.BearerOptions{JWKS: []string{"https://issuer.example/keys"}, Client: &http.Client{Transport: &issuer{slow: time.Hour}}})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := early.Authenticate(first)
			assert.ErrorIs(t, err, access.ErrUnavailable)
		})
		synctest.Wait()
		require.NoError(t, early.Close())
		wg.Wait()
		assert.Equal(t, began, time.Now())
	})
}

func TestKeySetBad(t *testing.T) {
	k := keysOnce()
	good := publicJWK("1", &k.rsa.PublicKey)
	with := func(changes ...string) map[string]any {
		m := publicJWK("1", &k.rsa.PublicKey)
		for i := 0; i < len(changes); i += 2 {
			m[changes[i]] = changes[i+1]
		}
		return m
	}
	many := make([]map[string]any, 300)
	for i := range many {
		many[i] = good
	}
	set := func(keys ...map[string]any) string {
		b, err := json.Marshal(map[string]any{"keys": keys})
		require.NoError(t, err)
		return string(b)
	}
	for name, test := range map[string]struct {
		body string
		want error
	}{
		"good":                    {set(good), nil},
		"bad ones beside it":      {set(map[string]any{"kty": "X"}, map[string]any{"kty": "EC", "crv": "P-256", "x": "AA", "y": "??"}, good), nil},
		"not JSON":                {"<html>", access.ErrUnavailable},
		"empty":                   {set(), access.ErrUnavailable},
		"large":                   {set(good) + strings.Repeat(" ", 1<<20), access.ErrUnavailable},
		"many":                    {set(many...), access.ErrUnavailable},
		"for encryption":          {set(with("use", "enc")), access.ErrUnavailable},
		"for another algorithm":   {set(with("alg", "PS256")), access.ErrUnauthenticated},
		"weak":                    {set(with("n", "0"+strings.Repeat("x", 100))), access.ErrUnavailable},
		"symmetric, as the other": {set(map[string]any{"kty": "oct", "kid": "1", "k": "c2VjcmV0"}), access.ErrUnavailable},
	} {
		i := &issuer{}
		i.setBody(200, test.body)
		inBubble(t, i, func(t *testing.T, check func(*http.Request) error) {
			err := check(tokenNow(t, k.rsa, "1"))
			if test.want == nil {
				assert.NoError(t, err, name)
			} else {
				assert.ErrorIs(t, err, test.want, name)
			}
		})
	}
	i := &issuer{}
	i.set(200, map[string]any{"kty": "oct", "kid": "1", "k": "c2VjcmV0"}, publicJWK("2", &k.rsa.PublicKey))
	inBubble(t, i, func(t *testing.T, check func(*http.Request) error) {
		c := &clock{t: time.Now()}
		token := sign(t, jwt.SigningMethodHS256, []byte("secret"), "1", claimsAt(c))
		assert.ErrorIs(t, check(get("/x", "Authorization", "Bearer "+token)), access.ErrUnauthenticated, "a published secret is none")
	})
}

// Over TLS, from a server whose certificate has to be the right one.
func TestKeySetTLS(t *testing.T) {
	k := keysOnce()
	var asked atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{publicJWK("1", &k.rsa.PublicKey)}})
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the stranger's handshake
	server.StartTLS()
	defer server.Close()
	b := bearer(t, access.BearerOptions{JWKS: []string{server.URL}, Client: server.Client()})
	_, err := b.Authenticate(tokenNow(t, k.rsa, "1"))
	require.NoError(t, err)
	assert.Equal(t, int64(1), asked.Load())
	stranger := bearer(t, access.BearerOptions{JWKS: []string{server.URL}})
	_, err = stranger.Authenticate(tokenNow(t, k.rsa, "1"))
	assert.ErrorIs(t, err, access.ErrUnavailable)
}
