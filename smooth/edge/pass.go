package edge

import (
	"context"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
)

// outcomeKey is the context key of what happens to a request that passes through.
type outcomeKey struct{}

// passage is what the parts of the proxy have to know of a request that passes through.
type passage struct {
	key key
	out outcome // a copy, so that those of hits stay on the stack
}

// pass passes a request through to an upstream. Its body and that of the response are streamed, and WebSocket works.
func (c *Cache) pass(w http.ResponseWriter, r *http.Request, k key, out *outcome) {
	out.result = Bypass
	switch {
	case loops(r.Header):
		c.fail(w, r, ErrLoop, out)
		return
	case c.ctx.Err() != nil:
		c.fail(w, r, ErrClosed, out)
		return
	}
	p := &passage{k, *out}
	complete := false
	defer func() { // also when the proxy panics, to cut the connection
		*out = p.out
		if !complete && r.Context().Err() == nil {
			out.err = ErrTruncated
		}
	}()
	c.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), outcomeKey{}, p)))
	complete = true
}

// newProxy returns the proxy for what passes through.
func (c *Cache) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        c.rewrite,
		Transport:      roundTripper(c.roundTrip),
		FlushInterval:  -1, // at once
		ModifyResponse: c.passed,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			c.fail(w, r, err, &r.Context().Value(outcomeKey{}).(*passage).out)
		},
		ErrorLog:   log.New(debugWriter{c}, "", 0),
		BufferPool: &c.buffers,
	}
}

// rewrite makes the request that goes to the upstream; its URL is path and query only.
func (c *Cache) rewrite(p *httputil.ProxyRequest) {
	k := p.In.Context().Value(outcomeKey{}).(*passage).key
	p.Out.URL = &url.URL{RawPath: k.path, RawQuery: k.query}
	p.Out.URL.Path, _ = url.PathUnescape(k.path) // a request's path always unescapes
	p.Out.Host = ""
	if c.opts.KeepHost {
		p.Out.Host = p.In.Host
	}
	if p.Out.Header["User-Agent"] == nil {
		p.Out.Header["User-Agent"] = []string{""} // none, and not that of the transport
	}
	c.forwarded(p)
	c.addVia(p.Out.Header, p.In.ProtoMajor, p.In.ProtoMinor)
}

// forwarded sets X-Forwarded-For, -Host and -Proto.
func (c *Cache) forwarded(p *httputil.ProxyRequest) {
	if c.opts.TrustForwarded {
		p.Out.Header["X-Forwarded-For"] = slices.Clone(p.In.Header["X-Forwarded-For"])
	}
	p.SetXForwarded()
	if !c.opts.TrustForwarded {
		return
	}
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := p.In.Header[name]; values != nil {
			p.Out.Header[name] = slices.Clone(values)
		}
	}
}

// roundTripper is a function as http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// roundTrip sends a request that passes through.
func (c *Cache) roundTrip(r *http.Request) (*http.Response, error) {
	hasBody := r.Body != nil && r.Body != http.NoBody
	resp, err := c.send(r, attempt{
		rank: rank(r.Context().Value(outcomeKey{}).(*passage).key), lastResort: true,
		once: hasBody || !isIdempotent(r.Method), unbounded: hasBody || r.Header["Upgrade"] != nil,
	})
	if err != nil {
		return nil, err
	}
	resp.Request = r
	return resp, nil
}

// isIdempotent reports whether a request may be sent twice: RFC 9110 section 9.2.2.
func isIdempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// isSafe reports whether a method changes nothing: RFC 9110 section 9.2.1.
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

// passed looks at the response of a request that passes through. An unsafe method that succeeds removes the objects of
// its URL, and of those that Location and Content-Location name: RFC 9111 section 4.4.
func (c *Cache) passed(resp *http.Response) error {
	p := resp.Request.Context().Value(outcomeKey{}).(*passage)
	p.out.status = resp.StatusCode
	resp.Header["X-Cache"] = cacheBypass
	c.addVia(resp.Header, resp.ProtoMajor, resp.ProtoMinor)
	if isSafe(resp.Request.Method) || resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return nil
	}
	c.forget(c.hash(p.key), p.key)
	for _, name := range []string{"Location", "Content-Location"} {
		c.forgetReference(p.key, resp.Header.Get(name))
	}
	return nil
}

// forgetReference removes what a reference names, if it is on the same host, which one without a host is.
func (c *Cache) forgetReference(base key, reference string) {
	u, err := url.Parse(reference)
	if err != nil || reference == "" || u.Host != "" && u.Host != base.host {
		return
	}
	if self, err := url.Parse(base.uri()); err == nil {
		u = self.ResolveReference(u)
	}
	if path, err := requestPath(u); err == nil {
		k := key{host: base.host, path: path, query: stripQuery(u.RawQuery, c.opts.StripQuery)}
		c.forget(c.hash(k), k)
	}
}

// debugWriter writes the proxy's log, which tells of clients that left, to the logger.
type debugWriter struct{ c *Cache }

// Write implements io.Writer.
func (w debugWriter) Write(p []byte) (int, error) {
	w.c.opts.Logger.Debug("edge: proxy", "err", string(p))
	return len(p), nil
}

// copyBuffer is the size of the buffers of what is not shared.
const copyBuffer = 32 << 10

// bufferPool keeps buffers, also for the proxy.
type bufferPool struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, copyBuffer)
}

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }
