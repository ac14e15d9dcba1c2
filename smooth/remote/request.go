package remote

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// userAgent names this client to origins.
const userAgent = "smoothkit-remote"

// question is a request to an origin.
type question struct {
	url *url.URL
	// limit of the body in bytes, after decompression.
	limit int64
	// gzip tells that the body may be compressed.
	gzip bool
	// etag and modified, if they are not empty, ask for the body only if it differs from that.
	etag, modified string
}

// answer is what came. Whoever gets it puts the body back.
type answer struct {
	final       *url.URL // that answered, after redirects
	header      http.Header
	body        *buffer
	notModified bool
}

// isHTML reports an HTML page, such as the error page of something in between.
func (a *answer) isHTML() bool {
	b := a.body.body()
	head := strings.ToLower(strings.TrimSpace(string(b[:min(len(b), 256)])))
	return strings.HasPrefix(head, "<!doctype html") || strings.HasPrefix(head, "<html")
}

// ask sends a request and reads the body whole. Every error is an [*OriginError], or wraps [smooth.ErrClosed].
func (o *origin) ask(ctx context.Context, q *question) (*answer, error) {
	o.stats.requests.Add(1)
	a, err := o.exchange(ctx, q)
	if err == nil {
		return a, nil
	}
	o.stats.failures.Add(1)
	if o.base.Err() != nil {
		return nil, closed("source")
	}
	var oe *OriginError
	if errors.As(err, &oe) {
		return nil, err
	}
	return nil, failure(q.url, 0, withoutURL(err))
}

func (o *origin) exchange(ctx context.Context, q *question) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, o.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.url.String(), nil)
	if err != nil {
		return nil, err
	}
	if err := o.prepare(req, q); err != nil {
		return nil, err
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && q.etag+q.modified != "":
		return &answer{notModified: true, header: resp.Header, final: resp.Request.URL}, nil
	case resp.StatusCode != http.StatusOK:
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
		return nil, refusal(q.url, resp.StatusCode)
	}
	body, err := o.readBody(resp, q)
	if err != nil {
		return nil, failure(q.url, resp.StatusCode, bodyFault(ctx, err))
	}
	o.stats.bytes.Add(int64(len(body.body())))
	return &answer{final: resp.Request.URL, header: resp.Header, body: body}, nil
}

// prepare sets the headers of a request.
func (o *origin) prepare(req *http.Request, q *question) error {
	if o.trusts(q.url) {
		for name, values := range o.opts.Header {
			req.Header[name] = append([]string(nil), values...)
		}
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept-Encoding", "identity")
	if q.gzip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	if q.etag != "" {
		req.Header.Set("If-None-Match", q.etag)
	}
	if q.modified != "" {
		req.Header.Set("If-Modified-Since", q.modified)
	}
	if o.opts.Prepare != nil && o.trusts(q.url) {
		return o.opts.Prepare(req)
	}
	return nil
}

// ownHeaders are the headers that any host may get.
var ownHeaders = []string{"User-Agent", "Accept-Encoding", "If-None-Match", "If-Modified-Since"}

// stripped returns the headers that any host may get.
func stripped(h http.Header) http.Header {
	out := make(http.Header, len(ownHeaders))
	for _, name := range ownHeaders {
		if v := h.Values(name); len(v) > 0 {
			out[name] = v
		}
	}
	return out
}

// redirect is the rule about redirects: that of the client, and no credentials for other hosts.
func (o *origin) redirect(rule func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if !o.trusts(req.URL) {
			req.Header = stripped(req.Header)
		}
		if rule != nil {
			return rule(req, via)
		}
		if len(via) >= maxRedirects {
			return fmt.Errorf("stopped after %d redirects", maxRedirects)
		}
		return nil
	}
}

// readBody reads the body of an answer, decompressed.
func (o *origin) readBody(resp *http.Response, q *question) (*buffer, error) {
	coding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding")))
	switch coding {
	case "", "identity":
		return o.pool.read(resp.Body, resp.ContentLength, q.limit)
	case "gzip", "x-gzip":
		// Not even empty members without end may keep it busy.
		z, err := gzip.NewReader(io.LimitReader(resp.Body, q.limit))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return o.pool.read(z, -1, q.limit)
	}
	return nil, fmt.Errorf("content encoding %q: %w", coding, smooth.ErrUnsupported)
}

// bodyFault says what an error while reading a body means: one that ends early is broken.
func bodyFault(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("body not complete: %w", ctx.Err())
	case errors.Is(err, smooth.ErrTooLarge), errors.Is(err, smooth.ErrUnsupported):
		return err
	}
	return fmt.Errorf("body ends early: %w: %w", err, smooth.ErrCorrupt)
}
