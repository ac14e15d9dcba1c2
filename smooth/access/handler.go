package access

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// HandlerOptions tune a [Handler]. A nil pointer and the zero value mean the documented defaults.
type HandlerOptions struct {
	// Logger gets one record per refused request: at level Debug without credentials, Info with wrong ones, and Error,
	// at most once a second, if it could not be decided. Tokens and passwords are never in it. Nil means slog.Default().
	Logger *slog.Logger
	// Signed, if set, takes tokens out of paths. It is the one that policies have as authenticator, or one of several
	// with the same prefix.
	Signed *Signed
	// StripQuery also takes tokens out of the query: that of Signed, and that by which a request has been let in. Then the
	// handlers behind cannot repeat it in manifests.
	StripQuery bool
	// StripAuthorization takes the Authorization header out of a request that it has let in, so that nothing behind
	// passes it on.
	StripAuthorization bool
	// CORS are rules over scripts that read refusals, and over preflight requests that have no credentials. Nil means
	// that any origin may. Policies with NoCORS have none.
	CORS *CORSOptions
}

// Handler lets requests that a policy allows pass to the inner handler, and answers all others: 401 with a challenge of
// each authenticator, 403, 429 or 503, or 400 for a path that could be taken for another one. Refusals are never stored
// by caches and tell scripts what their status is.
//
// The response writer goes to the inner handler unchanged, the request with its identity, see [FromContext], and with
// the token taken out of the path. A preflight request, which never has credentials, is answered with 204 if it would be
// refused. Handler is safe for concurrent use.
type Handler struct {
	next     http.Handler
	opts     HandlerOptions
	cors     cors
	resolver atomic.Pointer[Resolver]
	allowed  atomic.Int64
	refused  [5]atomic.Int64 // by refusalStatuses
	logged   atomic.Int64    // when an Error was logged, in seconds since 1970
}

const maxLoggedPath = 512

// refusalStatuses are those that Handler answers with.
var refusalStatuses = [5]int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable,
}

// NewHandler returns a handler that lets in to next whom the policy of the request allows. A nil policy lets in nobody.
// It copies opts.
func NewHandler(next http.Handler, policy Resolver, opts *HandlerOptions) *Handler {
	h := &Handler{next: next}
	if opts != nil {
		h.opts = *opts
	}
	if h.opts.Logger == nil {
		h.opts.Logger = slog.Default()
	}
	h.cors = newCORS(h.opts.CORS)
	h.SetPolicy(policy)
	return h
}

// SetPolicy replaces the policy for requests that come from now on. Those that have been let in go on.
func (h *Handler) SetPolicy(policy Resolver) {
	if policy == nil {
		policy = (*Policy)(nil)
	}
	h.resolver.Store(&policy)
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := checkPath(r.URL, onWindows); err != nil {
		h.refuse(w, r, &Policy{NoCORS: true}, err)
		return
	}
	v := &visit{}
	if outer := visitOf(r.Context()); outer != nil { // of a Handler around this one
		v.token, v.identity, v.inQuery = outer.token, outer.identity, outer.inQuery
	}
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	if s := h.opts.Signed; s != nil {
		if token, u, ok := s.strip(r.URL); ok {
			v.token, r.URL = token, u
		}
	}
	policy := (*h.resolver.Load()).Resolve(r)
	id, err := policy.Check(r)
	if err != nil {
		h.refuse(w, r, policy, err)
		return
	}
	h.allowed.Add(1)
	if id != nil {
		v.identity = id
	}
	h.clean(r, v)
	h.next.ServeHTTP(w, r)
}

// clean takes out of a request, a copy that ServeHTTP has made, what those behind are not meant to see.
func (h *Handler) clean(r *http.Request, v *visit) {
	if h.opts.StripAuthorization && r.Header["Authorization"] != nil {
		r.Header = maps.Clone(r.Header)
		delete(r.Header, "Authorization")
	}
	if !h.opts.StripQuery || r.URL.RawQuery == "" {
		return
	}
	if s := h.opts.Signed; s != nil && s.opts.Query != "" {
		r.URL = withoutQuery(r.URL, s.opts.Query)
	}
	if v.inQuery != "" {
		r.URL, v.inQuery = withoutQuery(r.URL, v.inQuery), ""
	}
}

// refuse answers a request that is not let in.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, p *Policy, err error) {
	status := StatusOf(err)
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		header.Set("Connection", "close") // else net/http reads on first, and an encoder would not learn that it is refused
	}
	if p == nil || !p.NoCORS {
		if h.cors.setHeaders(header, r) && isPreflight(r) {
			h.cors.answerPreflight(w, r)
			return
		}
	}
	h.count(status)
	h.log(r, status, err)
	var refused *RefusedError
	if !errors.As(err, &refused) {
		refused = &RefusedError{Challenges: p.challenges()}
	}
	if status == http.StatusUnauthorized && len(refused.Challenges) > 0 {
		header["Www-Authenticate"] = refused.Challenges
	}
	if refused.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(refused.RetryAfter.Seconds()))))
	}
	http.Error(w, http.StatusText(status), status)
}

func (h *Handler) count(status int) {
	for i, s := range refusalStatuses {
		if s == status {
			h.refused[i].Add(1)
		}
	}
}

// log writes the record of a refusal. The path has no token any more, and the query is left out.
func (h *Handler) log(r *http.Request, status int, err error) {
	level := slog.LevelInfo
	switch {
	case r.Context().Err() != nil:
		level = slog.LevelDebug
	case status == http.StatusServiceUnavailable:
		level = slog.LevelDebug
		if now := time.Now().Unix(); h.logged.Swap(now) != now {
			level = slog.LevelError
		}
	case errors.Is(err, errNoCredentials):
		level = slog.LevelDebug
	}
	path := r.URL.Path
	if h.opts.Signed != nil {
		if _, rest, ok := h.opts.Signed.cut(path); ok {
			path = rest
		}
	}
	path = path[:min(len(path), maxLoggedPath)]
	h.opts.Logger.LogAttrs(r.Context(), level, "refused", slog.String("method", r.Method), slog.String("path", path),
		slog.String("remote", r.RemoteAddr), slog.Int("status", status), slog.Any("err", err))
}

// Stats are the counters of a [Handler].
type Stats struct {
	// Allowed is the number of requests that were let in.
	Allowed int64
	// Refused are those that were not, by status.
	Refused map[int]int64
}

// Stats returns the counters.
func (h *Handler) Stats() Stats {
	s := Stats{Allowed: h.allowed.Load(), Refused: make(map[int]int64)}
	for i, status := range refusalStatuses {
		if n := h.refused[i].Load(); n > 0 {
			s.Refused[status] = n
		}
	}
	return s
}

// PerViewer reports whether the answer to a request may be for its sender only, so that it must not be stored for
// others: the request has an Authorization header, or a [Handler] has let it in by something in its query, which
// manifests repeat. It is for the Bypass of package edge behind a Handler: of requests whose token was in the path, and
// those that StripAuthorization and StripQuery have cleaned, the answers are for all who are let in.
func PerViewer(r *http.Request) bool {
	v := visitOf(r.Context())
	return r.Header["Authorization"] != nil || v != nil && v.inQuery != ""
}

// withoutQuery returns a URL without the parameters of that name.
func withoutQuery(u *url.URL, name string) *url.URL {
	if !strings.Contains(u.RawQuery, name) {
		return u
	}
	var kept []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if key, _, _ := strings.Cut(pair, "="); key != name {
			kept = append(kept, pair)
		}
	}
	clone := *u
	clone.RawQuery = strings.Join(kept, "&")
	return &clone
}
