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
	url    string
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
}

func newFetcher(opts Options, rec *recorder) *fetcher {
	client := &http.Client{Transport: &http.Transport{
		DisableCompression: true, Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: opts.Concurrency,
	}}
	if opts.Client != nil {
		copied := *opts.Client
		client = &copied
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
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
	a := &answer{url: target, status: resp.StatusCode, header: resp.Header, length: resp.ContentLength}
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

func (a *answer) redirect() bool {
	return a.status >= 300 && a.status < 400 && a.status != http.StatusNotModified
}

// redirectHint names what usually stands behind a redirect.
func (a *answer) redirectHint() string {
	location := a.header.Get("Location")
	from, err1 := url.Parse(a.url)
	to, err2 := url.Parse(location)
	text := fmt.Sprintf("status %d to %q", a.status, location)
	if err1 != nil || err2 != nil {
		return text
	}
	to = from.ResolveReference(to)
	switch lower := strings.ToLower(to.Path); {
	case strings.Contains(lower, "login") || strings.Contains(lower, "signin") || strings.Contains(lower, "auth"):
		return text + ": a sign-in page is in the way; players cannot sign in, let these paths pass or use signed URLs"
	case to.Path == from.Path+"/":
		return text + ": something adds a slash, a file server or a mux pattern; is the handler mounted at this prefix?"
	case to.Path == from.Path && to.Host == from.Host && to.Scheme != from.Scheme:
		return text + ": use that scheme in the URL"
	case to.Host != from.Host:
		return text + ": another server answers; players that resolve fragments against the first URL are sent there each time, use the URL there"
	case to.String() == from.String():
		return text + ": that is the same URL, a loop"
	case strings.EqualFold(strings.ReplaceAll(from.Path, "//", "/"), to.Path):
		return text + ": a mux cleans the path; write the URL in that form, or mount the handler so that it sees the path as it is"
	}
	return text + ": a handler in front answers; is the Smooth handler mounted at this prefix?"
}

// statusHint names what usually stands behind a status other than 200.
func (a *answer) statusHint() string {
	text := fmt.Sprintf("status %d", a.status)
	if body := strings.TrimSpace(string(a.body[:min(len(a.body), 80)])); body != "" {
		text += fmt.Sprintf(" with the body %q", body)
	}
	switch {
	case a.status == http.StatusNotFound && strings.Contains(string(a.body[:min(len(a.body), 80)]), "404 page not found"):
		return text + ": that is the answer of a Go mux without a route: is the handler mounted at this prefix, with http.StripPrefix?"
	case a.status == http.StatusNotFound && a.html():
		return text + ": another server or handler answers with its own page: is the handler mounted at this prefix?"
	case a.status == http.StatusNotFound:
		return text + ": the presentation's name or the prefix is wrong (http.StripPrefix?)"
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return text + ": access is refused; does the URL need a token?"
	case a.status == http.StatusMethodNotAllowed:
		return text + ": the route does not take this method"
	case a.status >= 500:
		return text + ": see the log of the server"
	}
	return text
}

const htmlHint = "the answer is an HTML page: is the handler mounted at this prefix (http.StripPrefix?), or does a single-page " +
	"application's fallback take every path?"

// intact checks what holds for every body.
func (f *fetcher) intact(a *answer, p Place) {
	if a.cut {
		f.rec.add("SH105", p, "the body ends after %d bytes, Content-Length is %d", len(a.body), a.length)
	}
	if a.length < 0 {
		f.rec.add("SH107", p, "there is no Content-Length (Transfer-Encoding?)")
	}
}

// common checks the headers of a successful GET.
func (f *fetcher) common(a *answer, p Place) {
	f.intact(a, p)
	if a.header.Get("ETag") == "" && a.header.Get("Last-Modified") == "" {
		f.rec.add("SH141", p, "there is neither ETag nor Last-Modified")
	}
	if a.header.Get("Access-Control-Allow-Origin") == "" {
		f.rec.add("SH143", p, "there is no Access-Control-Allow-Origin")
	}
	if c := a.header.Values("Set-Cookie"); len(c) > 0 {
		name, _, _ := strings.Cut(c[0], "=")
		f.rec.add("SH144", p, "there is Set-Cookie for %q: caches will not store the answer", name)
	}
	if a.header.Get("Cache-Control") == "" {
		f.rec.add("SH145", p, "there is no Cache-Control")
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
