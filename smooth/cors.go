package smooth

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CORS rules over requests of scripts from other origins. The zero value lets any origin read everything.
// See https://fetch.spec.whatwg.org/#http-cors-protocol.
type CORS struct {
	// Disabled sends no CORS headers at all, refuses OPTIONS, and leaves the policy files of Silverlight and Flash out.
	Disabled bool
	// Origins are those that may read, such as "https://player.example.com". Nil means any.
	Origins []string
	// Credentials lets the browser send cookies and client certificates. It needs Origins.
	Credentials bool
	// Expose names response headers that scripts may read besides those that players need.
	Expose []string
	// MaxAge is how long a browser may remember the answer to a preflight request. Zero means one day; negative
	// means not at all.
	MaxAge time.Duration
}

// cors holds the values of the headers.
type cors struct {
	disabled, credentials bool
	origins               []string // nil for any
	methods               []string
	expose                []string
	maxAge                []string
}

var anyOrigin = []string{"*"}

func newCORS(c *CORS) cors {
	if c == nil {
		c = &CORS{}
	}
	if c.Disabled {
		return cors{disabled: true, methods: []string{"GET, HEAD"}}
	}
	expose := append([]string{"Content-Length", "Content-Range", "Date", "ETag", "Last-Modified"}, c.Expose...)
	age := c.MaxAge
	if age == 0 {
		age = 24 * time.Hour
	}
	return cors{
		origins: slices.Clone(c.Origins), credentials: c.Credentials && c.Origins != nil,
		methods: []string{"GET, HEAD, OPTIONS"}, expose: []string{strings.Join(expose, ", ")},
		maxAge: []string{strconv.FormatInt(int64(max(age, 0)/time.Second), 10)},
	}
}

// setHeaders sets the headers of every answer.
func (c *cors) setHeaders(h http.Header, r *http.Request) {
	if c.disabled {
		return
	}
	if c.origins == nil {
		h["Access-Control-Allow-Origin"] = anyOrigin
		h["Access-Control-Expose-Headers"] = c.expose
		return
	}
	addVary(h, varyOrigin)
	origin := r.Header["Origin"]
	if len(origin) != 1 || !slices.Contains(c.origins, origin[0]) {
		return
	}
	h["Access-Control-Allow-Origin"] = origin[:1:1]
	h["Access-Control-Expose-Headers"] = c.expose
	if c.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// setPreflight adds the headers of the answer to OPTIONS.
func (c *cors) setPreflight(h http.Header, r *http.Request) {
	h.Add("Vary", "Access-Control-Request-Headers")
	if h["Access-Control-Allow-Origin"] == nil || r.Header["Access-Control-Request-Method"] == nil {
		return
	}
	h["Access-Control-Allow-Methods"] = c.methods
	h["Access-Control-Max-Age"] = c.maxAge
	if wanted := r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		h.Set("Access-Control-Allow-Headers", wanted)
	}
}
