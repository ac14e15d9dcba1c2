package access

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CORSOptions are rules over requests of scripts from other origins, with the meaning of smooth.CORS. A nil pointer and
// the zero value let scripts of any origin read everything. See https://fetch.spec.whatwg.org/#http-cors-protocol.
type CORSOptions struct {
	// Disabled sends no CORS headers and leaves OPTIONS to the inner handler.
	Disabled bool
	// Origins are those that may read, such as "https://player.example.com". Nil means any.
	Origins []string
	// Methods are those that scripts may use. Nil means GET, HEAD and OPTIONS.
	Methods []string
	// Headers are the names of request headers that scripts may set. Nil means any, Authorization too.
	Headers []string
	// Expose names response headers that scripts may read besides those that players need.
	Expose []string
	// MaxAge is how long a browser may remember the answer to a preflight request. Zero means one day; negative means not
	// at all.
	MaxAge time.Duration
	// Credentials lets the browser send cookies, client certificates and passwords that it remembers. It needs Origins.
	Credentials bool
}

// CORS adds CORS headers to the answers of a handler that has none of its own, and answers preflight requests with 204.
// It is safe for concurrent use.
type CORS struct {
	next http.Handler
	cors
}

// NewCORS returns a handler that lets scripts of other origins use next. It copies opts.
func NewCORS(next http.Handler, opts *CORSOptions) *CORS {
	return &CORS{next: next, cors: newCORS(opts)}
}

// ServeHTTP implements [http.Handler].
func (c *CORS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.disabled {
		c.setHeaders(w.Header(), r)
		if isPreflight(r) {
			c.answerPreflight(w, r)
			return
		}
	}
	c.next.ServeHTTP(w, r)
}

// cors holds the values of the headers.
type cors struct {
	disabled, credentials    bool
	origins, methods         []string // origins nil for any
	headers, expose, maxAges string   // headers empty for any
}

func newCORS(o *CORSOptions) cors {
	if o == nil {
		o = &CORSOptions{}
	}
	methods := o.Methods
	if methods == nil {
		methods = []string{http.MethodGet, http.MethodHead, http.MethodOptions}
	}
	age := o.MaxAge
	if age == 0 {
		age = 24 * time.Hour
	}
	expose := append([]string{"Content-Length", "Content-Range", "Date", "ETag", "Last-Modified", "Retry-After"}, o.Expose...)
	c := cors{
		disabled: o.Disabled, origins: slices.Clone(o.Origins), methods: []string{strings.Join(methods, ", ")},
		headers: strings.Join(o.Headers, ", "), expose: strings.Join(expose, ", "),
		maxAges: strconv.FormatInt(int64(max(age, 0)/time.Second), 10),
	}
	c.credentials = o.Credentials && c.origins != nil
	return c
}

// isPreflight reports whether a browser asks whether a script may send a request.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header["Origin"] != nil && r.Header["Access-Control-Request-Method"] != nil
}

// setHeaders sets the headers of every answer. It reports whether the origin may read it.
func (c *cors) setHeaders(h http.Header, r *http.Request) bool {
	if c.disabled {
		return false
	}
	allowed := "*"
	if c.origins != nil {
		h.Add("Vary", "Origin")
		origin := r.Header["Origin"]
		if len(origin) != 1 || !slices.Contains(c.origins, origin[0]) {
			return false
		}
		allowed = origin[0]
	}
	h.Set("Access-Control-Allow-Origin", allowed)
	h.Set("Access-Control-Expose-Headers", c.expose)
	if c.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	return true
}

// answerPreflight answers a preflight request after setHeaders: with nothing but 204 if the origin may not ask.
func (c *cors) answerPreflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	if h["Access-Control-Allow-Origin"] != nil {
		h["Access-Control-Allow-Methods"] = c.methods
		h.Set("Access-Control-Max-Age", c.maxAges)
		headers := c.headers
		if headers == "" {
			headers = r.Header.Get("Access-Control-Request-Headers")
		}
		if headers != "" {
			h.Set("Access-Control-Allow-Headers", headers)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
