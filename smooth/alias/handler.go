package alias

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// HandlerOptions tunes a [Handler]. A nil pointer and the zero value mean the documented defaults.
type HandlerOptions struct {
	// Host returns the host that a request is for, for servers behind others that change it. Nil means the Host header.
	Host func(*http.Request) string
	// Header is added to redirects and to what is gone, such as Cache-Control, and Access-Control-Allow-Origin, without
	// which scripts of other origins do not follow redirects. Nil means none.
	Header http.Header
}

// Handler applies the rules of a [Map] to requests and hands those that it does not answer itself to another handler,
// with the response writer untouched. Where a rule rewrites, that one gets a copy of the request whose URL has the new path
// and query; RequestURI stays as the client sent it. It is safe for concurrent use.
type Handler struct {
	next  http.Handler
	opts  HandlerOptions
	rules atomic.Pointer[Map]

	rewritten, redirected, gone atomic.Uint64
}

// NewHandler returns a handler that applies the rules of m, which may be nil for none, to requests for next. It copies
// opts.
func NewHandler(next http.Handler, m *Map, opts *HandlerOptions) *Handler {
	h := &Handler{next: next}
	if opts != nil {
		h.opts = *opts
		h.opts.Header = opts.Header.Clone()
	}
	h.SetMap(m)
	return h
}

// SetMap puts other rules in the place of all that there are. Requests that have begun go on with the old ones.
func (h *Handler) SetMap(m *Map) { h.rules.Store(m) }

// Map returns the rules.
func (h *Handler) Map() *Map { return h.rules.Load() }

// Stats counts requests since the handler was made.
type Stats struct {
	Rewritten, Redirected, Gone uint64
}

// Stats returns the counts.
func (h *Handler) Stats() Stats {
	return Stats{Rewritten: h.rewritten.Load(), Redirected: h.redirected.Load(), Gone: h.gone.Load()}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	match, ok := h.match(r)
	switch {
	case !ok:
		h.next.ServeHTTP(w, r)
	case match.URL == nil:
		h.gone.Add(1)
		h.answer(w, r, http.StatusGone)
	case match.Rule.Status == 0:
		h.rewritten.Add(1)
		h.next.ServeHTTP(w, rewritten(r, match.URL))
	default:
		h.redirected.Add(1)
		w.Header().Set("Location", location(r, match.URL))
		h.answer(w, r, match.Rule.Status)
	}
}

// match looks a request up. A path in whose encoded form a slash is encoded matches nothing, nor one whose encoded form
// another handler forgot to change.
func (h *Handler) match(r *http.Request) (Match, bool) {
	m := h.rules.Load()
	if m.Len() == 0 || r.URL.RawPath != "" && !encodes(r.URL.RawPath, r.URL.Path) {
		return Match{}, false
	}
	host := r.Host
	if h.opts.Host != nil {
		host = h.opts.Host(r)
	}
	return m.lookup(host, r.URL.Path, r.URL.RawPath)
}

// answer sends a status and its text.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, status int) {
	header := w.Header()
	for name, values := range h.opts.Header {
		header[name] = append(slices.Clip(header[name]), values...)
	}
	http.Error(w, http.StatusText(status), status)
}

// rewritten returns a copy of the request with another path.
func rewritten(r *http.Request, to *url.URL) *http.Request {
	ctx := r.Context()
	if Original(ctx) == nil {
		ctx = context.WithValue(ctx, originalKey{}, r.URL)
	}
	c := r.WithContext(ctx)
	u := *r.URL
	u.Path, u.RawPath, u.RawQuery = to.Path, to.RawPath, joinQueries(to.RawQuery, u.RawQuery)
	c.URL = &u
	return c
}

type originalKey struct{}

// Original returns the URL that a request had before it was rewritten first, for logs, or nil. It is not to be changed.
func Original(ctx context.Context) *url.URL {
	u, _ := ctx.Value(originalKey{}).(*url.URL)
	return u
}

// location returns the value of Location. It is relative to the request's URL where the target is a path, so that it is
// right below a prefix that another handler took away.
func location(r *http.Request, to *url.URL) string {
	u := *to
	u.RawQuery = joinQueries(to.RawQuery, r.URL.RawQuery)
	if u.Host != "" {
		return u.String()
	}
	up := "./"
	if depth := strings.Count(r.URL.Path, "/") - 1; depth > 0 {
		up = strings.Repeat("../", depth)
	}
	path := u.EscapedPath()
	u.Path, u.RawPath = "", ""
	return up + path[1:] + u.String()
}

// joinQueries keeps both queries.
func joinQueries(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "&" + b
}
