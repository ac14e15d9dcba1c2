package edge

import (
	"io"
	"net/http"

	"github.com/smoothkit/smoothkit/internal/httpx"
)

// maxRounds bounds how often a request looks for another flight because the one it waited for had another variant, or a
// file was gone. Then it passes through.
const maxRounds = 4

// fly answers a query by a flight, one that is there or a new one.
func (c *Cache) fly(w http.ResponseWriter, q *query, out *outcome) {
	if loops(q.r.Header) {
		c.fail(w, q.r, ErrLoop, out)
		return
	}
	for range maxRounds {
		again := q.again
		f, leader, o := c.join(q)
		switch {
		case o != nil:
			if c.serveObject(w, q.r, o, Hit, q.now, out) == nil {
				return
			}
			c.memory.remove(q.hash, q.key)
		case f == nil && q.again != again:
			q.now = c.opts.Now()
			if c.serveFound(w, q, out) {
				return
			}
		case f == nil:
			c.fail(w, q.r, ErrClosed, out)
			return
		default:
			if c.follow(w, q, f, leader, out) {
				return
			}
			q.now = c.opts.Now()
			q.found, q.like = nil, f.likeOf(q)
			if c.serveFound(w, q, out) {
				return
			}
		}
	}
	c.pass(w, q.r, q.key, out)
}

// likeOf returns what the key of a flight depends on, as far as that is known now.
func (f *flight) likeOf(q *query) []selector {
	if f.head != nil {
		return f.head.vary
	}
	return q.like
}

// follow waits for a flight and answers with what comes of it. It returns false if that is not for this request.
func (c *Cache) follow(w http.ResponseWriter, q *query, f *flight, leader bool, out *outcome) bool {
	passes := false
	done := c.wait(w, q, f, leader, &passes, out)
	if passes {
		c.pass(w, q.r, q.key, out)
	}
	return done
}

// wait is follow while the flight is held. It sets passes if the request has to pass through afterwards.
func (c *Cache) wait(w http.ResponseWriter, q *query, f *flight, leader bool, passes *bool, out *outcome) bool {
	defer f.leave(leader)
	select {
	case <-f.ready:
	case <-q.r.Context().Done():
		return true
	}
	out.result = resultOf(f, leader)
	switch f.kind {
	case kindShared:
		return c.serveShared(w, q, f, out)
	case kindStored:
		return c.matches(f.head, q.r.Header) && c.serveObject(w, q.r, f.head, Revalidated, c.opts.Now(), out) == nil
	case kindStale:
		if q.control != noRequestControl {
			break // it asked for something fresh
		}
		return c.matches(f.head, q.r.Header) && c.serveObject(w, q.r, f.head, Stale, c.opts.Now(), out) == nil
	case kindPrivate:
		if leader && canRelay(q.r) {
			c.relay(w, f.resp, out)
		} else {
			*passes = true
		}
		return true
	}
	c.fail(w, q.r, f.err, out)
	return true
}

// resultOf returns what the response of a flight is called.
func resultOf(f *flight, leader bool) Result {
	switch {
	case !leader:
		return Coalesced
	case f.stale != nil:
		return Expired
	}
	return Miss
}

// serveShared sends what arrives, as it arrives.
func (c *Cache) serveShared(w http.ResponseWriter, q *query, f *flight, out *outcome) bool {
	if !c.matches(f.head, q.r.Header) {
		return false
	}
	if c.watches(q.r, f.head.size) {
		defer c.watch.End(c.watch.Begin(w))
	}
	f.head.writeHeader(w.Header(), out.result, c.opts.Now())
	if f.head.status == http.StatusOK && f.head.size >= 0 && httpx.Conditional(q.r) {
		body := &flightBody{f: f, ctx: q.r.Context()}
		c.serveContent(w, q.r, f.head, body, out)
		out.err = body.err
		out.abort = body.err != nil
		return true
	}
	out.status = f.head.status
	w.WriteHeader(f.head.status)
	c.stream(w, q.r, f, out)
	return true
}

// stream sends a body as it arrives. What was written is flushed before it waits for more.
func (c *Cache) stream(w http.ResponseWriter, r *http.Request, f *flight, out *outcome) {
	control := http.NewResponseController(w)
	unflushed := true
	for {
		data, wake, err := f.next(out.bytes)
		switch {
		case len(data) > 0:
			n, err := w.Write(data)
			out.bytes += int64(n)
			unflushed = true
			if err != nil {
				return // the client has left
			}
			continue
		case wake == nil:
			out.err, out.abort = err, err != nil
			return
		case unflushed:
			_ = control.Flush()
			unflushed = false
		}
		select {
		case <-wake:
		case <-r.Context().Done():
			return
		}
	}
}

// canRelay reports whether a response that is not for all is the right one for the request that caused it, although that
// was asked for without some of its fields.
func canRelay(r *http.Request) bool { return r.Header["Cookie"] == nil && r.Header["Range"] == nil }

// relay sends a response that is for this request alone.
func (c *Cache) relay(w http.ResponseWriter, resp *http.Response, out *outcome) {
	h := w.Header()
	for name, values := range resp.Header {
		h[name] = values
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // nobody guesses
	}
	h["X-Cache"] = out.result.header()
	out.status = resp.StatusCode
	w.WriteHeader(resp.StatusCode)
	control := http.NewResponseController(w)
	buf := c.buffers.Get()
	defer c.buffers.Put(buf)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			m, failed := w.Write(buf[:n])
			out.bytes += int64(m)
			if failed != nil {
				return
			}
			if resp.ContentLength < 0 {
				_ = control.Flush()
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			out.err, out.abort = err, true
			return
		}
	}
}
