package edge

import (
	"net/http"
	"time"
)

// ServeHTTP implements http.Handler. Where the body ends early it panics with http.ErrAbortHandler, which net/http takes
// for the order to cut the connection.
func (c *Cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var start time.Time
	if c.opts.Observe != nil {
		start = time.Now()
	}
	out := outcome{result: Miss}
	defer c.done(r, &out, start)
	c.serve(w, r, &out)
	if out.abort {
		panic(http.ErrAbortHandler)
	}
}

// done counts a request and reports it.
func (c *Cache) done(r *http.Request, out *outcome, start time.Time) {
	c.counters.results[out.result.index()].Add(1)
	switch {
	case out.err != nil:
		c.counters.failed.Add(1)
	case out.result == Hit || out.result == Revalidated || out.result == Stale:
		c.counters.hitBytes.Add(uint64(out.bytes))
	default:
		c.counters.sharedBytes.Add(uint64(out.bytes))
	}
	if c.opts.Observe != nil {
		c.opts.Observe(Observation{
			Request: r, Result: out.result, Status: out.status, Bytes: out.bytes,
			Start: start, Duration: time.Since(start), Err: out.err,
		})
	}
}

// serve answers a request: from the cache, by a flight, or by passing it through.
func (c *Cache) serve(w http.ResponseWriter, r *http.Request, out *outcome) {
	k, err := c.keyOf(r)
	if r.Method == http.MethodTrace || r.Method == http.MethodConnect {
		err = ErrMethod
	}
	if err != nil {
		c.fail(w, r, err, out)
		return
	}
	if c.passes(r, k) {
		c.pass(w, r, k, out)
		return
	}
	q := query{r: r, key: k, hash: c.hash(k), control: noRequestControl, now: c.opts.Now()}
	q.authorized = r.Header["Authorization"] != nil
	if r.Header["Cache-Control"] != nil || r.Header["Pragma"] != nil {
		q.control = requestControlOf(r.Header, c.opts.IgnoreReload)
		if q.control.noStore {
			c.pass(w, r, k, out)
			return
		}
	}
	if c.serveFound(w, &q, out) {
		return
	}
	switch {
	case q.control.onlyIfCached: // RFC 9111 section 5.2.1.7
		c.fail(w, r, ErrNotCached, out)
	case r.Method == http.MethodHead || c.passing.has(q.hash, q.now):
		c.pass(w, r, k, out)
	default:
		c.fly(w, &q, out)
	}
}

// passes reports whether a request goes past the cache.
func (c *Cache) passes(r *http.Request, k key) bool {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead, r.ContentLength != 0, k.len() > maxKey:
		return true
	case r.Header["Upgrade"] != nil, c.opts.BypassCookies && r.Header["Cookie"] != nil:
		return true
	}
	return c.opts.Bypass != nil && c.opts.Bypass(r)
}

// serveFound answers a query with an object that is there, if it may be used, and notes it in the query if not.
func (c *Cache) serveFound(w http.ResponseWriter, q *query, out *outcome) bool {
	o, like := c.find(q.hash, q.key, q.r.Header)
	if o == nil || q.authorized && !o.shared {
		if like != nil {
			q.like = like
		}
		return false
	}
	q.found, q.like = o, o.vary
	result := Hit
	if !o.usable(&q.control, q.now) {
		if q.control != noRequestControl || !o.usableWhileValidating(q.now) {
			return false
		}
		c.validateBehind(q)
		result = Stale
	} else if !o.fresh(q.now) {
		result = Stale // within the max-stale of the request
	}
	if err := c.serveObject(w, q.r, o, result, q.now, out); err != nil {
		c.memory.remove(q.hash, q.key)
		q.found = nil
		return false
	}
	return true
}

// fail answers with an error of the cache's own.
func (c *Cache) fail(w http.ResponseWriter, r *http.Request, err error, out *outcome) {
	if r.Context().Err() != nil {
		return // nobody is there
	}
	out.err, out.status = err, statusOf(err)
	h := w.Header()
	h["X-Cache"] = out.result.header()
	h["Cache-Control"] = []string{"no-store"}
	switch out.status {
	case http.StatusServiceUnavailable:
		h["Retry-After"] = []string{"1"}
	case http.StatusMethodNotAllowed:
		h["Allow"] = []string{"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
	}
	http.Error(w, http.StatusText(out.status), out.status)
	c.opts.Logger.Debug("edge: request", "path", r.URL.Path, "status", out.status, "err", err)
}
