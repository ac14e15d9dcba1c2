package edge

import (
	"net/http"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/httpx"
)

// maxVariants bounds the variants of one key. A further one replaces the oldest.
const maxVariants = 16

// selector is a field of requests that a response depends on, with what the request of the flight had.
type selector struct{ name, value string }

// selectorsOf returns what a response depends on, sorted by name: what Vary names, and, although it may not say so,
// Accept-Encoding if it is encoded, and Origin if it allows one origin only.
func (c *Cache) selectorsOf(h, request http.Header) []selector {
	var names []string
	for _, value := range h["Vary"] {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	if h["Content-Encoding"] != nil {
		names = append(names, "Accept-Encoding")
	}
	if allowed := h["Access-Control-Allow-Origin"]; len(allowed) > 0 && allowed[0] != "*" {
		names = append(names, "Origin")
	}
	slices.Sort(names)
	names = slices.Compact(names)
	list := make([]selector, 0, len(names))
	for _, name := range names {
		list = append(list, selector{name, c.selecting(request, name)})
	}
	return list
}

// selecting returns the value of a request's field as flights send it, normalised: RFC 9111 section 4.1. What they do
// not send is the same for everybody.
func (c *Cache) selecting(h http.Header, name string) string {
	if name == "Accept-Encoding" {
		return encodingOf(h)
	}
	if values := h[name]; len(values) > 0 && c.forwards(name) {
		if len(values) == 1 {
			return strings.Trim(values[0], " \t")
		}
		return strings.Join(values, ", ")
	}
	return ""
}

// encodingOf returns the Accept-Encoding that a flight sends: one of two, so that there are two variants at most.
func encodingOf(h http.Header) string {
	if httpx.AcceptsGzip(h["Accept-Encoding"]) {
		return "gzip"
	}
	return "identity"
}

// forwards reports whether flights carry a field of requests.
func (c *Cache) forwards(name string) bool {
	switch name {
	case "Accept", "Accept-Language", "Origin":
		return true
	}
	return slices.Contains(c.opts.ForwardHeaders, name)
}

// matches reports whether a request selects an object.
func (c *Cache) matches(o *object, h http.Header) bool {
	for i := range o.vary {
		if s := &o.vary[i]; c.selecting(h, s.name) != s.value {
			return false
		}
	}
	return true
}

// variantOf returns what tells the variant that a request selects from others, where responses depend on what these
// selectors name.
func (c *Cache) variantOf(h http.Header, like []selector) string {
	if len(like) == 0 {
		return ""
	}
	var b strings.Builder
	for _, s := range like {
		b.WriteString(s.name)
		b.WriteByte(0)
		b.WriteString(c.selecting(h, s.name))
		b.WriteByte(0)
	}
	return b.String()
}
