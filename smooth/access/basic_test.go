package access_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// hashOf returns a quick hash of a password.
func hashOf(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	return string(hash)
}

// login returns a request with a name and password.
func login(name, password string) *http.Request {
	r := get("/x")
	r.SetBasicAuth(name, password)
	return r
}

func TestBasic(t *testing.T) {
	hash := hashOf(t, "secret")
	basic, err := access.NewBasic(&access.BasicOptions{
		Users:    map[string]string{"ann": hash, "jörg": "$2y$" + hashOf(t, "pass:wörd")[4:]},
		Realm:    "my \"studio\"\r\n",
		Attempts: access.NewAttempts(&access.AttemptsOptions{Max: -1}),
	})
	require.NoError(t, err)
	assert.Equal(t, `Basic realm="my \"studio\"", charset="UTF-8"`, basic.Challenge())
	twice := login("ann", "secret")
	twice.Header.Add("Authorization", "Bearer x")
	for name, test := range map[string]struct {
		r      *http.Request
		status int
	}{
		"right":            {login("ann", "secret"), 200},
		"right again":      {login("ann", "secret"), 200},
		"UTF-8, colon":     {login("jörg", "pass:wörd"), 200},
		"wrong":            {login("ann", "Secret"), 401},
		"prefix":           {login("ann", "secre"), 401},
		"longer":           {login("ann", "secret\x00"), 401},
		"unknown":          {login("bob", "secret"), 401},
		"hash as password": {login("ann", hash), 401},
		"no name":          {login("", "secret"), 401},
		"no password":      {login("ann", ""), 401},
		"none":             {get("/x"), 401},
		"other scheme":     {get("/x", "Authorization", "Bearer abc"), 401},
		"not base64":       {get("/x", "Authorization", "Basic ***"), 401},
		"lower case":       {get("/x", "Authorization", "basic YW5uOnNlY3JldA=="), 200},
		"long name":        {login(strings.Repeat("a", 257), "secret"), 401},
		"long password":    {login("ann", strings.Repeat("a", 1025)), 401},
		"two headers":      {twice, 401},
	} {
		w := serve(handler(&access.Policy{Authenticators: []access.Authenticator{basic}}, nil), test.r)
		assert.Equal(t, test.status, w.Code, name)
		if test.status == 401 {
			assert.Equal(t, []string{basic.Challenge()}, w.Header()["Www-Authenticate"], name)
		}
	}
	id, err := basic.Authenticate(get("/x"))
	assert.Nil(t, id)
	assert.NoError(t, err, "no credentials of this kind")
	_, err = basic.Authenticate(login("ann", "x"))
	assert.ErrorIs(t, err, access.ErrCredentials)
	assert.NotContains(t, err.Error(), hash)
}

// bcrypt looks at 72 bytes: who knows those does not know a longer password.
func TestBasicLongPassword(t *testing.T) {
	p72 := strings.Repeat("p", 72)
	basic, err := access.NewBasic(&access.BasicOptions{Users: map[string]string{"ann": hashOf(t, p72)}})
	require.NoError(t, err)
	_, err = basic.Authenticate(login("ann", p72))
	assert.NoError(t, err)
	_, err = basic.Authenticate(login("ann", p72+"q"))
	assert.ErrorIs(t, err, access.ErrCredentials)
}

func TestBasicVerify(t *testing.T) {
	c, asked := newClock(), 0
	basic, err := access.NewBasic(&access.BasicOptions{
		Now: c.Now, MaxCached: 2,
		Verify: func(_ *http.Request, name, password string) (*access.Identity, error) {
			asked++
			switch password {
			case "right":
				return &access.Identity{Name: name, Method: "directory"}, nil
			case "down":
				return nil, access.ErrUnavailable
			case "odd":
				return nil, errors.New("odd")
			}
			return nil, nil
		},
	})
	require.NoError(t, err)
	id, err := basic.Authenticate(login("ann", "right"))
	require.NoError(t, err)
	assert.Equal(t, "directory", id.Method)
	_, err = basic.Authenticate(login("ann", "right"))
	require.NoError(t, err)
	assert.Equal(t, 1, asked, "remembered")
	for _, step := range []time.Duration{4 * time.Minute, 2 * time.Minute} {
		c.advance(step)
		_, err = basic.Authenticate(login("ann", "right"))
		require.NoError(t, err)
	}
	assert.Equal(t, 2, asked, "asked again after five minutes although it was used")
	_, err = basic.Authenticate(login("ann", "wrong"))
	assert.ErrorIs(t, err, access.ErrCredentials)
	_, err = basic.Authenticate(login("ann", "down"))
	assert.Equal(t, 503, access.StatusOf(err))
	_, err = basic.Authenticate(login("ann", "odd"))
	assert.ErrorIs(t, err, access.ErrForbidden)
	for i := range 20 {
		_, err = basic.Authenticate(login(fmt.Sprint("user", i), "right"))
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, basic.CacheLen(), 2)
}

func TestBasicCacheSlides(t *testing.T) {
	c := newClock()
	attempts := access.NewAttempts(&access.AttemptsOptions{Max: 1, After: time.Hour, Now: c.Now})
	basic, err := access.NewBasic(&access.BasicOptions{Users: map[string]string{"ann": hashOf(t, "s")}, Now: c.Now, Attempts: attempts})
	require.NoError(t, err)
	_, err = basic.Authenticate(login("ann", "s"))
	require.NoError(t, err)
	_, err = basic.Authenticate(login("ann", "wrong"))
	require.ErrorIs(t, err, access.ErrCredentials)
	for range 10 { // somebody at the same address has guessed: who watches goes on
		c.advance(4 * time.Minute)
		_, err = basic.Authenticate(login("ann", "s"))
		require.NoError(t, err)
	}
	c.advance(6 * time.Minute)
	_, err = basic.Authenticate(login("ann", "s"))
	require.ErrorIs(t, err, access.ErrTooMany, "forgotten")

	no, err := access.NewBasic(&access.BasicOptions{Users: map[string]string{"ann": hashOf(t, "s")}, CacheFor: -1})
	require.NoError(t, err)
	for range 2 {
		_, err = no.Authenticate(login("ann", "s"))
		require.NoError(t, err)
	}
}

// A name that does not exist costs as much as the dearest one that does: the hash for it is one that bcrypt computes.
func TestBasicUnknownUser(t *testing.T) {
	dear := "$2a$06$" + hashOf(t, "x")[7:]
	basic, err := access.NewBasic(&access.BasicOptions{Users: map[string]string{"a": hashOf(t, "x"), "b": dear}})
	require.NoError(t, err)
	cost, err := bcrypt.Cost(basic.UnknownHash())
	require.NoError(t, err)
	assert.Equal(t, 6, cost)
	for _, password := range []string{"", "x"} {
		assert.ErrorIs(t, bcrypt.CompareHashAndPassword(basic.UnknownHash(), []byte(password)), bcrypt.ErrMismatchedHashAndPassword)
	}
}

func TestBasicOptions(t *testing.T) {
	hash := hashOf(t, "x")
	for name, opts := range map[string]*access.BasicOptions{
		"nil":      nil,
		"nothing":  {},
		"both":     {Users: map[string]string{}, Verify: func(*http.Request, string, string) (*access.Identity, error) { return nil, nil }},
		"clear":    {Users: map[string]string{"a": "password"}},
		"md5":      {Users: map[string]string{"a": "$apr1$" + strings.Repeat("x", 54)}},
		"cost":     {Users: map[string]string{"a": "$2a$15$" + hash[7:]}},
		"no cost":  {Users: map[string]string{"a": "$2a$xx$" + hash[7:]}},
		"too long": {Users: map[string]string{"a": hash + "x"}},
	} {
		_, err := access.NewBasic(opts)
		assert.ErrorIs(t, err, access.ErrOptions, name)
		if err != nil {
			assert.NotContains(t, err.Error(), hash[10:], name)
		}
	}
	users := map[string]string{"a": hash}
	basic, err := access.NewBasic(&access.BasicOptions{Users: users})
	require.NoError(t, err)
	delete(users, "a")
	_, err = basic.Authenticate(login("a", "x"))
	assert.NoError(t, err, "options are copied")
}

func TestAttempts(t *testing.T) {
	c := newClock()
	attempts := access.NewAttempts(&access.AttemptsOptions{Max: 3, Now: c.Now})
	basic, err := access.NewBasic(&access.BasicOptions{Users: map[string]string{"ann": hashOf(t, "secret")}, Attempts: attempts, Now: c.Now})
	require.NoError(t, err)
	from := func(addr string, r *http.Request) *http.Request { r.RemoteAddr = addr; return r }
	h := handler(&access.Policy{Authenticators: []access.Authenticator{basic}}, nil)
	status := func(addr, password string) int { return serve(h, from(addr, login("ann", password))).Code }
	for range 3 {
		assert.Equal(t, 401, status("192.0.2.1:1", "guess"))
	}
	w := serve(h, from("192.0.2.1:2", login("ann", "secret")))
	assert.Equal(t, 429, w.Code, "the right password too")
	assert.Equal(t, "60", w.Header().Get("Retry-After"))
	assert.Equal(t, 401, serve(h, from("192.0.2.1:2", get("/x"))).Code, "who does not guess is not refused for it")
	assert.Equal(t, 200, status("192.0.2.2:1", "secret"), "another address")
	assert.Equal(t, 429, status("[::ffff:192.0.2.1]:1", "guess"), "the same address")
	c.advance(time.Minute)
	assert.Equal(t, 401, status("192.0.2.1:3", "guess"))
	assert.Equal(t, 429, status("192.0.2.1:3", "guess"))
	c.advance(time.Minute)
	for range 5 {
		assert.Equal(t, 200, status("192.0.2.1:3", "secret"), "remembered ones do not count")
	}

	for i := range 3 { // one household
		assert.Equal(t, 401, status(fmt.Sprintf("[2001:db8::%d]:1", i), "guess"))
	}
	assert.Equal(t, 429, status("[2001:db8::ffff:1]:1", "guess"))
	assert.Equal(t, 401, status("[2001:db8:0:1::1]:1", "guess"))
}

func TestAttemptsBounded(t *testing.T) {
	attempts := access.NewAttempts(&access.AttemptsOptions{Max: 1, MaxAddresses: 10})
	basic, err := access.NewBasic(&access.BasicOptions{Users: map[string]string{}, Attempts: attempts})
	require.NoError(t, err)
	for i := range 200 {
		r := login("x", "y")
		r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", i/100, i%100)
		_, _ = basic.Authenticate(r)
	}
	assert.LessOrEqual(t, attempts.CacheLen(), 10)
	r := login("x", "y")
	r.RemoteAddr = "10.0.1.99:1"
	_, err = basic.Authenticate(r)
	assert.ErrorIs(t, err, access.ErrTooMany, "the last is not forgotten")
}

// Of many guesses at once no more are made than of as many one after the other.
func TestAttemptsAtOnce(t *testing.T) {
	var mu sync.Mutex
	made := 0
	basic, err := access.NewBasic(&access.BasicOptions{Verify: func(*http.Request, string, string) (*access.Identity, error) {
		mu.Lock()
		defer mu.Unlock()
		made++
		return nil, nil
	}})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { _, _ = basic.Authenticate(login("ann", fmt.Sprint(i))) })
	}
	wg.Wait()
	assert.LessOrEqual(t, made, access.DefaultMaxAttempts)
	assert.Positive(t, made)
}

// Who waits for a slow verification leaves with the request, and is not counted.
func TestBasicQueue(t *testing.T) {
	begun, release := make(chan struct{}, 1000), make(chan struct{})
	attempts := access.NewAttempts(&access.AttemptsOptions{Max: -1})
	basic, err := access.NewBasic(&access.BasicOptions{Attempts: attempts, Verify: func(*http.Request, string, string) (*access.Identity, error) {
		begun <- struct{}{}
		<-release
		return nil, nil
	}})
	require.NoError(t, err)
	var wg sync.WaitGroup
	full := make(chan error, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 1000 {
		wg.Go(func() {
			_, err := basic.Authenticate(login("ann", fmt.Sprint(i)).WithContext(ctx))
			full <- err
		})
	}
	<-begun
	err = <-full // the first that is not made to wait
	assert.ErrorIs(t, err, access.ErrTooMany)
	cancel()
	close(release)
	wg.Wait()
}

func TestParseHtpasswd(t *testing.T) {
	hash := hashOf(t, "x")
	users, err := access.ParseHtpasswd(strings.NewReader("# operators\r\n\r\nann:" + hash + "\r\nbob:" + hash + " \n"))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"ann": hash, "bob": hash}, users)
	many := &strings.Builder{}
	for i := range 10_001 {
		fmt.Fprintf(many, "u%d:%s\n", i, hash)
	}
	for name, test := range map[string]struct{ text, want string }{
		"clear text":  {"ann:secret", "line 1: user \"ann\""},
		"md5":         {"\nann:$apr1$xyz$abcdefghijklmnopqrstuv", "line 2"},
		"sha":         {"ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "line 1"},
		"no colon":    {"ann", "line 1: want name:hash"},
		"no name":     {":" + hash, "line 1"},
		"twice":       {"ann:" + hash + "\nann:" + hash, "line 2"},
		"more fields": {"ann:" + hash + ":x", "line 1"},
		"long line":   {"#\n" + strings.Repeat("x", 5000), "line 2: over 1024"},
		"many":        {many.String(), "line 10001: over 10000 users"},
	} {
		_, err := access.ParseHtpasswd(strings.NewReader(test.text))
		require.ErrorIs(t, err, access.ErrHtpasswd, name)
		assert.Contains(t, err.Error(), test.want, name)
		assert.NotContains(t, err.Error(), hash[10:], name)
	}
}

func FuzzHtpasswd(f *testing.F) {
	hash := hashOf(f, "x")
	for _, s := range []string{"", "#", "ann:" + hash, "ann:" + hash + "\nbob:" + hash + "\n", "ann:$2a$", "a:" + strings.Repeat("$2", 30)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		users, err := access.ParseHtpasswd(strings.NewReader(text))
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(users), strings.Count(text, ":"))
		for name, hash := range users {
			require.NotEmpty(t, name)
			require.Contains(t, text, name+":"+hash)
		}
		_, err = access.NewBasic(&access.BasicOptions{Users: users})
		require.NoError(t, err, "what is read can be used")
	})
}
