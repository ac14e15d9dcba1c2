package validate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// answer is a response with its whole body.
type answer struct {
	url    string // that was asked for
	final  *url.URL
	status int
	header http.Header
	length int64 // Content-Length, or -1
	body   []byte
	cut    bool // fewer bytes than Content-Length
	large  bool // more bytes than the limit
}

// fetcher sends requests.
type fetcher struct {
	client *http.Client
	opts   Options
	rec    *recorder
	files  bool // there is no server: rules about HTTP do not apply
}

// maxRedirects is how many redirects of one request are followed.
const maxRedirects = 10

func newFetcher(opts Options, rec *recorder) *fetcher {
	client := &http.Client{Transport: &http.Transport{
		DisableCompression: true, Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: opts.Concurrency,
	}}
	if opts.Client != nil {
		copied := *opts.Client
		client = &copied
	}
	client.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &fetcher{client: client, opts: opts, rec: rec}
}

// do sends one request and reads at most limit bytes of the body. Extra headers are name-value pairs.
func (f *fetcher) do(ctx context.Context, method, target string, limit int64, headers ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	req.Header.Set("User-Agent", "smoothkit-validate")
	req.Header.Set("Origin", "http://player.example")
	req.Header.Set("Accept-Encoding", "identity")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	f.rec.tally(func(n *Counts) { n.Requests++ })
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	defer resp.Body.Close()
	a := &answer{
		url: target, final: resp.Request.URL, status: resp.StatusCode, header: resp.Header, length: resp.ContentLength,
	}
	var buf bytes.Buffer
	_, err = io.Copy(&buf, io.LimitReader(resp.Body, limit+1))
	a.body = buf.Bytes()
	a.large = int64(len(a.body)) > limit
	if errors.Is(err, io.ErrUnexpectedEOF) {
		a.cut = true
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("validate: %s: %w", target, err)
	}
	return a, nil
}

func (f *fetcher) get(ctx context.Context, target string, limit int64, headers ...string) (*answer, error) {
	return f.do(ctx, http.MethodGet, target, limit, headers...)
}

// mediaType is the Content-Type without parameters, in lower case.
func (a *answer) mediaType() string {
	t, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// html reports an HTML page, by type or content.
func (a *answer) html() bool {
	head := bytes.ToLower(bytes.TrimSpace(a.body[:min(len(a.body), 512)]))
	return a.mediaType() == "text/html" || a.mediaType() == "application/xhtml+xml" ||
		bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}

// redirected reports that another URL answered.
func (a *answer) redirected() bool { return a.final.String() != mustNormal(a.url) }

// mustNormal writes a URL as [url.URL] does. A URL that was asked for can be parsed.
func mustNormal(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	return u.String()
}

// statusHint names what usually stands behind a status other than 200.
func (a *answer) statusHint() string {
	text := fmt.Sprintf("status %d", a.status)
	if body := strings.TrimSpace(string(a.body[:min(len(a.body), 80)])); body != "" && !a.html() {
		text += fmt.Sprintf(" with the body %q", body)
	}
	switch {
	case a.status == http.StatusNotFound && strings.Contains(text, "404 page not found"):
		return text + ": that is the answer of a Go mux without a route: is the handler mounted at this prefix, with http.StripPrefix?"
	case a.status == http.StatusNotFound && a.html():
		return text + " with an HTML page: another server or handler answers; is the handler mounted at this prefix?"
	case a.status == http.StatusNotFound:
		return text + ": the name or the prefix is wrong, or no HLS output is registered"
	case a.status == http.StatusUnsupportedMediaType:
		return text + ": the presentation cannot be shown as HLS"
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return text + ": access is refused; does the URL need a token, and do child URLs carry it?"
	case a.status >= 300 && a.status < 400:
		return text + fmt.Sprintf(" to %q after %d redirects: a loop", a.header.Get("Location"), maxRedirects)
	case a.status >= 500:
		return text + ": see the log of the server"
	}
	return text
}

const htmlHint = "the answer is an HTML page: is the handler mounted at this prefix (http.StripPrefix?), or does a single-page " +
	"application's fallback take every path?"

// common checks the headers of a successful GET.
func (f *fetcher) common(a *answer, p Place) {
	if f.files {
		return
	}
	if a.cut {
		f.rec.add("HH106", p, "the body ends after %d bytes, Content-Length is %d", len(a.body), a.length)
	}
	if a.redirected() {
		f.rec.add("HH110", p, "%s answers", a.final)
	}
	if a.header.Get("Access-Control-Allow-Origin") == "" {
		f.rec.add("HH143", p, "there is no Access-Control-Allow-Origin")
	}
	if c := a.header.Values("Set-Cookie"); len(c) > 0 {
		name, _, _ := strings.Cut(c[0], "=")
		f.rec.add("HH144", p, "there is Set-Cookie for %q: caches will not store the answer", name)
	}
	if a.header.Get("Cache-Control") == "" {
		f.rec.add("HH145", p, "there is no Cache-Control")
	}
}

// head compares the answer to HEAD with that to GET.
func (f *fetcher) head(ctx context.Context, got *answer, id string, p Place) {
	a, err := f.do(ctx, http.MethodHead, got.url, 0)
	switch {
	case err != nil:
		f.lost(ctx, err, p)
	case a.status != http.StatusOK:
		f.rec.add(id, p, "HEAD answers status %d, GET %d", a.status, got.status)
	case a.mediaType() != got.mediaType(),
		a.length >= 0 && got.status == http.StatusOK && a.length != int64(len(got.body)):
		f.rec.add(id, p, "HEAD answers %q of %d bytes, GET %q of %d", a.mediaType(), a.length, got.mediaType(), len(got.body))
	}
}

// lost reports a request that got no answer, unless the check was cancelled.
func (f *fetcher) lost(ctx context.Context, err error, p Place) {
	if ctx.Err() == nil {
		f.rec.add("HH108", p, "%v", err)
	}
}

// maxAge returns the seconds of max-age, or -1.
func (a *answer) maxAge() int64 {
	for _, part := range strings.Split(a.header.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(name, "max-age") {
			if n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}
