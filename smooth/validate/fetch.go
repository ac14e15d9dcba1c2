package validate

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/smoothkit/smoothkit/internal/fetch"
)

// answer is a response with its whole body.
type answer = fetch.Answer

const htmlHint = fetch.HTMLHint

// fetcher sends requests.
type fetcher struct {
	client *fetch.Client
	opts   Options
	rec    *Recorder
}

func newFetcher(opts Options, rec *Recorder) *fetcher {
	client := fetch.NewClient(fetch.Options{Client: opts.Client, Timeout: opts.Timeout, PerHost: opts.Concurrency})
	return &fetcher{client: client, opts: opts, rec: rec}
}

// do sends one request and reads at most limit bytes of the body. Extra headers are name-value pairs.
func (f *fetcher) do(ctx context.Context, method, target string, limit int64, headers ...string) (*answer, error) {
	f.rec.Tally(func(n *Counts) { n.Requests++ })
	a, err := f.client.Do(ctx, method, target, limit, headers...)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	return a, nil
}

// redirectHint names what usually stands behind a redirect.
func redirectHint(a *answer) string {
	location := a.Header.Get("Location")
	from, err1 := url.Parse(a.URL)
	to, err2 := url.Parse(location)
	text := fmt.Sprintf("status %d to %q", a.Status, location)
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

// meanings says what a status means to Smooth Streaming.
var meanings = map[int]string{
	http.StatusNotFound:         "the presentation's name or the prefix is wrong (http.StripPrefix?)",
	http.StatusUnauthorized:     refused,
	http.StatusForbidden:        refused,
	http.StatusMethodNotAllowed: "the route does not take this method",
}

const refused = "access is refused; does the URL need a token?"

// intact checks what holds for every body.
func (f *fetcher) intact(a *answer, p Place) {
	if a.Cut {
		f.rec.Add("SH105", p, "the body ends after %d bytes, Content-Length is %d", len(a.Body), a.Length)
	}
	if a.Length < 0 {
		f.rec.Add("SH107", p, "there is no Content-Length (Transfer-Encoding?)")
	}
}

// common checks the headers of a successful GET.
func (f *fetcher) common(a *answer, p Place) {
	f.intact(a, p)
	if a.Header.Get("ETag") == "" && a.Header.Get("Last-Modified") == "" {
		f.rec.Add("SH141", p, "there is neither ETag nor Last-Modified")
	}
	if a.Header.Get("Access-Control-Allow-Origin") == "" {
		f.rec.Add("SH143", p, "there is no Access-Control-Allow-Origin")
	}
	if name, ok := a.Cookie(); ok {
		f.rec.Add("SH144", p, "there is Set-Cookie for %q: caches will not store the answer", name)
	}
	if a.Header.Get("Cache-Control") == "" {
		f.rec.Add("SH145", p, "there is no Cache-Control")
	}
}
