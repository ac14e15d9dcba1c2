package validate

import (
	"context"
	"fmt"
	"net/http"

	"github.com/smoothkit/smoothkit/internal/fetch"
)

// answer is a response with its whole body.
type answer = fetch.Answer

const htmlHint = fetch.HTMLHint

// fetcher sends requests.
type fetcher struct {
	client *fetch.Client
	opts   Options
	rec    *recorder
	files  bool // there is no server: rules about HTTP do not apply
}

// maxRedirects is how many redirects of one request are followed.
const maxRedirects = 10

func newFetcher(opts Options, rec *recorder) *fetcher {
	client := fetch.NewClient(fetch.Options{
		Client: opts.Client, Timeout: opts.Timeout, PerHost: opts.Concurrency, Redirects: maxRedirects,
	})
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

func (f *fetcher) get(ctx context.Context, target string, limit int64, headers ...string) (*answer, error) {
	return f.do(ctx, http.MethodGet, target, limit, headers...)
}

// meanings says what a status means to HLS.
var meanings = map[int]string{
	http.StatusNotFound:             "the name or the prefix is wrong, or no HLS output is registered",
	http.StatusUnsupportedMediaType: "the presentation cannot be shown as HLS",
	http.StatusUnauthorized:         refused,
	http.StatusForbidden:            refused,
}

const refused = "access is refused; does the URL need a token, and do child URLs carry it?"

// statusHint names what usually stands behind a status other than 200.
func statusHint(a *answer) string {
	text := a.StatusHint(meanings)
	if a.IsRedirect() {
		text += fmt.Sprintf(" to %q after %d redirects: a loop", a.Header.Get("Location"), maxRedirects)
	}
	return text
}

// common checks the headers of a successful GET.
func (f *fetcher) common(a *answer, p Place) {
	if f.files {
		return
	}
	if a.Cut {
		f.rec.Add("HH106", p, "the body ends after %d bytes, Content-Length is %d", len(a.Body), a.Length)
	}
	if a.IsRedirected() {
		f.rec.Add("HH110", p, "%s answers", a.Final)
	}
	if a.Header.Get("Access-Control-Allow-Origin") == "" {
		f.rec.Add("HH143", p, "there is no Access-Control-Allow-Origin")
	}
	if name, ok := a.Cookie(); ok {
		f.rec.Add("HH144", p, "there is Set-Cookie for %q: caches will not store the answer", name)
	}
	if a.Header.Get("Cache-Control") == "" {
		f.rec.Add("HH145", p, "there is no Cache-Control")
	}
}

// head compares the answer to HEAD with that to GET.
func (f *fetcher) head(ctx context.Context, got *answer, id string, p Place) {
	a, err := f.do(ctx, http.MethodHead, got.URL, 0)
	switch {
	case err != nil:
		f.lost(ctx, err, p)
	case a.Status != http.StatusOK:
		f.rec.Add(id, p, "HEAD answers status %d, GET %d", a.Status, got.Status)
	case a.MediaType() != got.MediaType(),
		a.Length >= 0 && got.Status == http.StatusOK && a.Length != int64(len(got.Body)):
		f.rec.Add(id, p, "HEAD answers %q of %d bytes, GET %q of %d", a.MediaType(), a.Length, got.MediaType(), len(got.Body))
	}
}

// lost reports a request that got no answer, unless the check was cancelled.
func (f *fetcher) lost(ctx context.Context, err error, p Place) {
	if ctx.Err() == nil {
		f.rec.Add("HH108", p, "%v", err)
	}
}
