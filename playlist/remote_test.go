package playlist_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

func TestDecide(t *testing.T) {
	const long = 8 << 10
	for _, c := range []struct {
		name, kind, body string
		status           int
		want, why        string
	}{
		{"path", "text/plain", "ads/a.wmv", 200, "ads/a.wmv", ""},
		{"white space", "Text/Plain; charset=utf-8", "\r\n  ads/a b.wmv\t\r\n", 200, "ads/a b.wmv", ""},
		{"byte order mark", "text/plain;charset", "\uFEFFü.wmv\n", 200, "ü.wmv", ""},
		{"URL", "text/plain", "http://host/a.wmv", 200, "http://host/a.wmv", ""},
		{"as long as it may", "text/plain", "a" + strings.Repeat(" ", long-1), 200, "a", ""},
		{"too long", "text/plain", "a" + strings.Repeat(" ", long), 200, "", "above the limit"},
		{"HTML", "text/html", "<html>", 200, "", "not text/plain"},
		{"no type", "-", "a.wmv", 200, "", "not text/plain"},
		{"empty", "text/plain", " \n", 200, "", "empty"},
		{"lines", "text/plain", "a.wmv\nb.wmv", 200, "", "several lines"},
		{"line separator", "text/plain", "a.wmv\u2028b.wmv", 200, "", "several lines"},
		{"control character", "text/plain", "a\x00b", 200, "", "control"},
		{"not UTF-8", "text/plain", "\xff\xfea", 200, "", "UTF-8"},
		{"question", "text/plain", "HTTPD://host/", 200, "", "another question"},
		{"created", "text/plain", "a.wmv", 201, "", "status 201"},
		{"no content", "text/plain", "", 204, "", "status 204"},
		{"not found", "text/plain", "a.wmv", 404, "", "status 404"},
		{"error", "text/plain", "a.wmv", 500, "", "status 500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
				if w.Header().Set("Content-Type", c.kind); c.kind == "-" {
					w.Header()["Content-Type"] = nil
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			got, err := newRemote(t, nil).Decide(t.Context(), srv.URL+"/pick")
			if c.why == "" {
				require.NoError(t, err)
				assert.Equal(t, c.want, got)
				return
			}
			kind := playlist.ErrRemote
			switch c.name {
			case "too long":
				kind = playlist.ErrTooLarge
			case "not found":
				kind = playlist.ErrNotFound
			}
			checkQuiet(t, err, kind, srv.URL+"/pick")
			assert.ErrorContains(t, err, c.why)
		})
	}
}

func TestFetch(t *testing.T) {
	srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/lists/a.asx?x=1", http.StatusFound)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "x")
		case "/cut":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "12345")
		case "/chunked":
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "0123456789")
		default:
			w.Header().Set("Content-Type", "Video/X-MS-ASF; x=y")
			w.Header().Set("Content-Encoding", "none")
			_, _ = io.WriteString(w, "0123456789")
		}
	})
	r := newRemote(t, nil)
	doc, err := r.Fetch(t.Context(), srv.URL+"/moved", 10)
	require.NoError(t, err)
	want := &playlist.Document{URL: srv.URL + "/lists/a.asx?x=1", MediaType: "video/x-ms-asf", Body: []byte("0123456789")}
	assert.Equal(t, want, doc)
	for path, kind := range map[string]error{"/gzip": playlist.ErrRemote, "/cut": playlist.ErrRemote} {
		_, err = r.Fetch(t.Context(), srv.URL+path, 10)
		checkQuiet(t, err, kind, srv.URL+path)
	}
	for _, path := range []string{"/", "/chunked"} {
		_, err = r.Fetch(t.Context(), srv.URL+path, 9)
		checkQuiet(t, err, playlist.ErrTooLarge, srv.URL+path)
		assert.ErrorIs(t, err, playlist.ErrRemote)
		_, err = r.Fetch(t.Context(), srv.URL+path, -1)
		assert.ErrorIs(t, err, playlist.ErrTooLarge)
	}
	for _, bad := range []string{"ftp://host/a", "a.asx", "http://u:p@host/"} {
		_, err = r.Fetch(t.Context(), bad, 10)
		checkQuiet(t, err, playlist.ErrForbiddenSource, bad)
	}
}

// TestRefusedAddresses: nothing of this machine is asked, by whatever name.
func TestRefusedAddresses(t *testing.T) {
	var hits atomic.Int64
	srv := elsewhere(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	require.NoError(t, err)
	resolver := names(map[string]string{"rebound.example": "127.0.0.1", "mapped.example": "::ffff:127.0.0.1",
		"metadata.example": "169.254.169.254"})
	r := newRemote(t, &playlist.RemoteOptions{Resolver: resolver})
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "127.1.2.3", "0.0.0.0", "[::]", "10.0.0.1", "192.168.1.1",
		"172.16.0.1",
		"100.64.0.1", "169.254.169.254", "[fe80::1]", "[fc00::1]", "[64:ff9b::127.0.0.1]", "224.0.0.1", "255.255.255.255",
		"192.0.2.1",
		"rebound.example", "mapped.example", "metadata.example",
	} {
		u := "http://" + host + ":" + port + "/pick"
		_, err := r.Decide(t.Context(), u)
		checkQuiet(t, err, playlist.ErrForbiddenSource, u)
	}
	_, err = r.Decide(t.Context(), "http://nowhere.example/")
	checkQuiet(t, err, playlist.ErrRemote, "http://nowhere.example/")
	assert.ErrorContains(t, err, "host not found")
	private := newRemote(t, &playlist.RemoteOptions{AllowPrivate: true, Resolver: resolver})
	for _, host := range []string{"metadata.example", "169.254.169.254", "0.0.0.0"} {
		_, err = private.Decide(t.Context(), "http://"+host+":"+port+"/")
		checkQuiet(t, err, playlist.ErrForbiddenSource, "http://"+host+":"+port+"/")
	}
	assert.Zero(t, hits.Load())
}

func TestAllowedHosts(t *testing.T) {
	srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		text("text/plain", r.Host)(w, r)
	})
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	require.NoError(t, err)
	at := func(host string, to string) string {
		return "http://" + host + ":" + port + "/?to=" + url.QueryEscape(to)
	}
	opts := playlist.RemoteOptions{
		AllowedHosts: []string{"ads.example:" + port, "other.example:1"},
		Resolver: names(map[string]string{"ads.example": "127.0.0.1", "other.example": "127.0.0.1",
			"open.example": "127.0.0.1"}),
	}
	r := newRemote(t, &opts)
	got, err := r.Decide(t.Context(), at("ADS.example", ""))
	require.NoError(t, err)
	assert.Equal(t, "ADS.example:"+port, got)
	_, err = r.Decide(t.Context(), at("other.example", ""))
	checkQuiet(t, err, playlist.ErrForbiddenSource, at("other.example", ""))
	_, err = r.Decide(t.Context(), at("ads.example", at("ads.example", "")))
	assert.NoError(t, err, "redirect to itself")
	for _, to := range []string{srv.URL, at("other.example", ""), "http://169.254.169.254/latest", "file:///etc/passwd",
		"ftp://ads.example/", "http://u@ads.example/"} {
		_, err = r.Decide(t.Context(), at("ads.example", to))
		checkQuiet(t, err, playlist.ErrForbiddenSource, to)
	}

	opts.AllowPrivate = true // so that open.example plays a public host
	r = newRemote(t, &opts)
	_, err = r.Decide(t.Context(), at("open.example", ""))
	require.NoError(t, err)
	_, err = r.Decide(t.Context(), at("open.example", at("ads.example", "")))
	checkQuiet(t, err, playlist.ErrForbiddenSource, at("ads.example", ""))
}

func TestRedirects(t *testing.T) {
	srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Referer"))
		if n, _ := strconv.Atoi(r.URL.Path[1:]); n > 0 {
			http.Redirect(w, r, "/"+strconv.Itoa(n-1), http.StatusTemporaryRedirect)
			return
		}
		text("text/plain", "done")(w, r)
	})
	for _, c := range []struct{ limit, redirects int }{{0, 5}, {1, 1}, {-1, 0}} {
		r := newRemote(t, &playlist.RemoteOptions{AllowPrivate: true, MaxRedirects: c.limit})
		_, err := r.Decide(t.Context(), srv.URL+"/"+strconv.Itoa(c.redirects))
		assert.NoError(t, err, "%+v", c)
		_, err = r.Decide(t.Context(), srv.URL+"/"+strconv.Itoa(c.redirects+1))
		checkQuiet(t, err, playlist.ErrRemote, srv.URL)
		assert.ErrorContains(t, err, "redirects")
	}
}

func TestCredentials(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]string)
	r := newRemote(t, &playlist.RemoteOptions{
		Credentials: []playlist.Credential{
			{Prefix: "http://origin/media", UserName: "me", Password: "pw"},
			{Prefix: "http://origin:80/media/ads/", Header: http.Header{"x-key": {"k"}}},
		},
		Transport: transport(func(r *http.Request) (*http.Response, error) {
			user, pw, _ := r.BasicAuth()
			mu.Lock()
			seen[r.URL.String()] = user + pw + r.Header.Get("X-Key")
			mu.Unlock()
			if to := r.URL.Query().Get("to"); to != "" {
				return reply(r, http.StatusFound, http.NoBody, "Location", to), nil
			}
			return reply(r, http.StatusOK, io.NopCloser(strings.NewReader("a")), "Content-Type", "text/plain"), nil
		}),
	})
	for target, want := range map[string]string{
		"http://origin/media": "mepw", "http://ORIGIN/media/a": "mepw", "http://origin:80/media/a?x": "mepw",
		"http://origin/media/ads/a": "k",
		"http://origin/media/adsx":  "mepw", "http://origin/mediax": "", "http://origin/": "", "https://origin/media/a": "",
		"http://origin:81/media/a": "",
		"http://other/media/a":     "", "http://origin/media/../x": "", "http://origin/media/%2e%2e/x": "",
		"http://origin/media/..%2fx": "",
	} {
		_, err := r.Decide(t.Context(), target)
		require.NoError(t, err, target)
		assert.Equal(t, want, seen[target], target)
	}
	_, err := r.Decide(t.Context(), "http://origin/media/ads/b?to=http://other/media/c")
	require.NoError(t, err)
	assert.Equal(t, "k", seen["http://origin/media/ads/b?to=http://other/media/c"])
	got, ok := seen["http://other/media/c"]
	assert.True(t, ok && got == "", "a redirect carries no credential along")
	for _, prefix := range []string{"", "origin", "ftp://origin/", "http://origin/?x", "http://origin/a/../b",
		"http://u@origin/"} {
		_, err := playlist.NewRemote(&playlist.RemoteOptions{Credentials: []playlist.Credential{{Prefix: prefix}}})
		assert.Error(t, err, prefix)
	}
}

// TestNoProxy: the environment has no say. Package http reads it once, so this test runs again in a process of its own.
func TestNoProxy(t *testing.T) {
	if os.Getenv("HTTP_PROXY") != deadProxy {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoProxy$")
		again.Env = append(os.Environ(), "HTTP_PROXY="+deadProxy, "http_proxy="+deadProxy, "NO_PROXY=", "no_proxy=")
		out, err := again.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	proxy, err := http.ProxyFromEnvironment(httptest.NewRequest(http.MethodGet, "http://ads.example/", nil))
	require.NoError(t, err)
	require.NotNil(t, proxy, "others would use it")
	resolver := names(map[string]string{"ads.example": "127.0.0.1"}) // the environment does not apply to localhost
	srv := elsewhere(t, text("text/plain", "a"))
	r := newRemote(t, &playlist.RemoteOptions{AllowPrivate: true, Resolver: resolver})
	_, err = r.Decide(t.Context(), strings.Replace(srv.URL, "127.0.0.1", "ads.example", 1))
	assert.NoError(t, err)
}

// deadProxy is where nobody listens.
const deadProxy = "http://127.0.0.1:1/"

func TestRemoteFailures(t *testing.T) {
	closed := elsewhere(t, nil)
	closed.Close()
	secure := newTLS(t)
	large := elsewhere(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 80<<10)) })
	r := newRemote(t, nil)
	for target, why := range map[string]string{
		closed.URL: "no valid answer", secure: "certificate not accepted", large.URL: "no valid answer",
	} {
		_, err := r.Decide(t.Context(), target)
		checkQuiet(t, err, playlist.ErrRemote, target)
		assert.ErrorContains(t, err, why)
	}
	refusing := newRemote(t, &playlist.RemoteOptions{Transport: transport(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: fs.ErrPermission}
	})})
	_, err := refusing.Decide(t.Context(), "http://secret/")
	checkQuiet(t, err, playlist.ErrRemote, "http://secret/")
	assert.False(t, errors.Is(err, fs.ErrPermission), "a firewall is not an access right to the entry")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Decide(ctx, large.URL)
	assert.ErrorIs(t, err, context.Canceled)
	checkQuiet(t, err, playlist.ErrRemote, large.URL)
}

// stalling answers after a while and then sends a byte at times, until its request ends.
type stalling struct {
	answer, gap time.Duration
	bytes       int
}

func (s *stalling) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := wait(r.Context(), s.answer); err != nil {
		return nil, err
	}
	return reply(r, http.StatusOK, &stallingBody{s: s, ctx: r.Context()}, "Content-Type", "text/plain"), nil
}

type stallingBody struct {
	s   *stalling
	ctx context.Context
	n   int
}

func (b *stallingBody) Read(p []byte) (int, error) {
	if b.n == b.s.bytes {
		return 0, io.EOF
	}
	if err := wait(b.ctx, b.s.gap); err != nil {
		return 0, err
	}
	b.n++
	p[0] = 'a'
	return 1, nil
}

func (b *stallingBody) Close() error { return nil }

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func TestTimeouts(t *testing.T) {
	opts := playlist.RemoteOptions{ // at most 1 + 2*1 + 1 + 5 s to the answer
		ResolveTimeout: time.Second, ConnectTimeout: time.Second, SendTimeout: time.Second,
		ReceiveTimeout: 5 * time.Second, TotalTimeout: 30 * time.Second,
	}
	for name, c := range map[string]struct {
		s    stalling
		late bool
		took time.Duration
	}{
		"quick":       {stalling{bytes: 1}, false, 0},
		"slow":        {stalling{8 * time.Second, 4 * time.Second, 5}, false, 28 * time.Second},
		"no answer":   {stalling{10 * time.Second, 0, 1}, true, 9 * time.Second},
		"gap":         {stalling{0, 6 * time.Second, 2}, true, 5 * time.Second},
		"all in all":  {stalling{0, 4 * time.Second, 100}, true, 30 * time.Second},
		"at the last": {stalling{8 * time.Second, 4 * time.Second, 6}, true, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := opts
			o.Transport = &c.s
			r := newRemote(t, &o)
			began := time.Now()
			_, err := r.Decide(t.Context(), "http://secret/")
			assert.Equal(t, c.took, time.Since(began), name)
			if c.late {
				checkQuiet(t, err, playlist.ErrRemoteTimeout, "http://secret/")
				return
			}
			assert.NoError(t, err, name)
		})
	}
}

func TestDeadlineOfCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := newRemote(t, &playlist.RemoteOptions{Transport: &stalling{answer: time.Hour}})
		_, err := r.Fetch(ctx, "http://secret/", 1)
		checkQuiet(t, err, playlist.ErrRemoteTimeout, "http://secret/")
	})
}

// TestSilentServer is the receive timeout over a real connection, whose server never says a word.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	r := newRemote(t, &playlist.RemoteOptions{AllowPrivate: true, ReceiveTimeout: 20 * time.Millisecond})
	_, err = r.Decide(t.Context(), "http://"+l.Addr().String()+"/pick")
	checkQuiet(t, err, playlist.ErrRemoteTimeout, "http://"+l.Addr().String()+"/pick")
	assert.False(t, errors.Is(err, playlist.ErrRemote))
}
