package edge

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// maxHops bounds the proxies that a request may have come through; more must be a loop.
const maxHops = 16

// isHopByHop reports whether a field concerns one connection only: RFC 9110 section 7.6.1, and what older software sends.
func isHopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Authentication-Info", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// removeHopByHop removes the fields that concern one connection only, those that Connection names among them.
func removeHopByHop(h http.Header) {
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			h.Del(textproto.TrimString(name))
		}
	}
	for name := range h {
		if isHopByHop(name) {
			delete(h, name)
		}
	}
}

// flightHeader returns the header of a flight's request: nothing but what may select a variant, and what validates.
func (c *Cache) flightHeader(in http.Header, authorized bool) http.Header {
	h := make(http.Header, 8)
	for name, values := range in {
		if c.forwards(name) || name == "Via" || authorized && name == "Authorization" {
			h[name] = slices.Clone(values)
		}
	}
	h["Accept-Encoding"] = []string{encodingOf(in)}
	h["User-Agent"] = []string{c.opts.Name}
	c.addVia(h, 1, 1)
	return h
}

// addVia adds this hop: RFC 9110 section 7.6.3.
func (c *Cache) addVia(h http.Header, major, minor int) {
	hop := "1.1 "
	switch {
	case major == 2:
		hop = "2.0 "
	case major == 3:
		hop = "3.0 "
	case major == 1 && minor == 0:
		hop = "1.0 "
	}
	h["Via"] = append(h["Via"][:len(h["Via"]):len(h["Via"])], hop+c.opts.Name)
}

// loops reports whether a request has come through too many proxies.
func loops(h http.Header) bool {
	hops := 0
	for _, value := range h["Via"] {
		hops += 1 + strings.Count(value, ",")
	}
	return hops > maxHops
}

// request returns the request of a flight, whose URL is path and query only.
func (f *flight) request() *http.Request {
	r := &http.Request{
		Method: http.MethodGet, URL: &url.URL{RawPath: f.key.path, RawQuery: f.key.query}, Host: f.key.host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: f.c.flightHeader(f.header, f.authorized),
	}
	r.URL.Path, _ = url.PathUnescape(f.key.path) // a request's path always unescapes
	if o := f.stale; o != nil {
		if tag := o.get("Etag"); tag != "" {
			r.Header["If-None-Match"] = []string{tag}
		}
		if modified := o.get("Last-Modified"); modified != "" {
			r.Header["If-Modified-Since"] = []string{modified}
		}
	}
	return r.WithContext(f.ctx)
}
