package iis

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

// RewriteOptions tunes a [RewriteHandler]. A nil pointer and the zero value mean the documented defaults.
type RewriteOptions struct {
	// FS has the files that conditions IsFile and IsDirectory ask for, by the path of the request. Without it, rules
	// that have such conditions are an error.
	FS fs.FS
	// HTTPS tells whether the client uses TLS, which a server in front may know. Nil asks the request itself.
	HTTPS func(*http.Request) bool
	// Logger gets a record per request that a rule answers or that cannot be rewritten. Nil means slog.Default().
	Logger *slog.Logger
}

// MaxRules is the number of rules of a [RewriteHandler].
const MaxRules = 1 << 12

// RewriteHandler applies rewrite rules to requests, in their order, before it passes them on. It is safe for concurrent
// use. A request that passes keeps its response writer.
//
// Paths are relative to where the handler is: behind [http.StripPrefix] or not. Redirects within the server have
// relative URLs, so that they work below any prefix. Of several slashes at the beginning of a URL one is left: a request
// for //example.org/ must not lead there.
type RewriteHandler struct {
	next  http.Handler
	rules []*compiledRule
	maps  map[string]*RewriteMap // by lower-case name
	files *tree                  // nil if there are none
	https func(*http.Request) bool
	log   *slog.Logger
}

// NewRewrite returns a handler of rules, of which the global ones come first. Errors wrap [ErrPattern], [ErrRule] or
// [ErrOptions].
func NewRewrite(next http.Handler, rules *Rewrite, opts *RewriteOptions) (*RewriteHandler, error) {
	if opts == nil {
		opts = &RewriteOptions{}
	}
	h := &RewriteHandler{next: next, maps: make(map[string]*RewriteMap), https: opts.HTTPS, log: opts.Logger}
	if h.https == nil {
		h.https = func(r *http.Request) bool { return r.TLS != nil }
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	if opts.FS != nil {
		h.files = newTree(opts.FS, h.log, nil)
	}
	if rules == nil {
		return h, nil
	}
	if n := len(rules.Global) + len(rules.Rules); n > MaxRules {
		return nil, fmt.Errorf("iis: %d rewrite rules, limit %d: %w", n, MaxRules, ErrOptions)
	}
	for i := range rules.Maps {
		h.maps[strings.ToLower(rules.Maps[i].Name)] = &rules.Maps[i]
	}
	for _, list := range [][]RewriteRule{rules.Global, rules.Rules} {
		for i := range list {
			if err := h.add(list[i]); err != nil {
				return nil, err
			}
		}
	}
	return h, nil
}

func (h *RewriteHandler) add(r RewriteRule) error {
	c, err := compileRule(&r)
	if err != nil {
		return err
	}
	if err := c.checkMaps(h.maps); err != nil {
		return err
	}
	for i := range c.conditions {
		if c.conditions[i].kind != MatchPattern && h.files == nil {
			return fmt.Errorf("iis: rewrite rule %.100q: condition %s without files to look at: %w", r.Name,
				c.conditions[i].kind, ErrOptions)
		}
	}
	h.rules = append(h.rules, c)
	return nil
}

// ServeHTTP implements [http.Handler].
func (h *RewriteHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := rewriting{h: h, r: r, path: r.URL.Path, query: r.URL.RawQuery, escaped: r.URL.RawPath}
	for _, rule := range h.rules {
		groups, ok := x.fits(rule)
		if x.wrong {
			h.refuse(w, r, rule)
			return
		}
		if !ok {
			continue
		}
		switch rule.Action.Type {
		case ActionRewrite:
			if !x.rewrite(rule, groups) {
				h.refuse(w, r, rule)
				return
			}
		case ActionRedirect:
			x.redirect(w, rule, groups)
			return
		case ActionCustomResponse:
			h.custom(w, r, rule)
			return
		case ActionAbortRequest:
			panic(http.ErrAbortHandler) // what package net/http has for it
		}
		if rule.Stop {
			break
		}
	}
	h.next.ServeHTTP(w, x.request())
}

// refuse answers a request whose URL would be too long, or none.
func (h *RewriteHandler) refuse(w http.ResponseWriter, r *http.Request, rule *compiledRule) {
	h.log.Info("rewritten URL is not valid", "rule", rule.Name, "status", http.StatusNotFound)
	fail(w, r, http.StatusNotFound)
}

func (h *RewriteHandler) custom(w http.ResponseWriter, r *http.Request, rule *compiledRule) {
	h.log.Debug("request answered by a rewrite rule", "rule", rule.Name, "status", rule.Action.Status)
	if rule.Action.Description == "" {
		fail(w, r, rule.Action.Status)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(rule.Action.Status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, rule.Action.Description+"\n") // there is nobody left to tell
	}
}

// rewriting is the state of one request.
type rewriting struct {
	h *RewriteHandler
	r *http.Request
	// path is decoded; escaped is its RawPath.
	path, escaped, query string
	changed              bool
	// wrong tells that a condition could not be looked at, as its input was too long.
	wrong bool
	// conditionGroups are those of {C:n}; conditionURL tells that they are text of a URL.
	conditionGroups []string
	conditionURL    bool
}

// request returns the request that is passed on.
func (x *rewriting) request() *http.Request {
	if !x.changed {
		return x.r
	}
	r := new(http.Request)
	*r = *x.r
	u := *x.r.URL
	u.Path, u.RawPath, u.RawQuery = x.path, x.escaped, x.query
	r.URL = &u
	return r
}

// subject returns what patterns are compared with: the path without the slash at its beginning, in which several slashes
// are one, so that a rule cannot be gone around with them.
func (x *rewriting) subject() string {
	s := x.path
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return strings.TrimPrefix(s, "/")
}

// fits tells whether a rule is for the request as it is now, with the groups of its pattern.
func (x *rewriting) fits(rule *compiledRule) (groups []string, ok bool) {
	subject := x.subject()
	groups, ok = rule.match.find(subject)
	if ok == rule.Negate {
		return nil, false
	}
	if rule.Negate {
		groups = []string{subject}
	}
	x.conditionGroups, x.conditionURL = nil, true
	if len(rule.conditions) == 0 {
		return groups, true
	}
	for i := range rule.conditions {
		met := x.meets(rule, &rule.conditions[i], groups)
		if met == rule.Any {
			return groups, met
		}
	}
	return groups, !rule.Any
}

func (x *rewriting) meets(rule *compiledRule, c *compiledCondition, groups []string) bool {
	if c.kind != MatchPattern {
		return x.h.files.is(x.path, c.kind == MatchIsDirectory) != c.negated
	}
	var e expansion
	x.expand(&e, c.input, groups, false)
	if e.tooLong() {
		x.wrong = true
		return false
	}
	found, ok := c.match.find(e.String())
	if ok == c.negated {
		return false
	}
	switch {
	case c.negated:
	case rule.TrackAll && x.conditionGroups != nil:
		x.conditionGroups = append(x.conditionGroups, found[1:]...)
		x.conditionURL = x.conditionURL && c.isURL
	default:
		x.conditionGroups, x.conditionURL = append([]string(nil), found...), c.isURL
	}
	return true
}

// target returns the URL of an action, with the query.
func (x *rewriting) target(rule *compiledRule, groups []string) (u *url.URL, ok bool) {
	var e expansion
	x.expand(&e, rule.url, groups, true)
	if e.tooLong() {
		return nil, false
	}
	text := e.String()
	// What a path of a client begins with is no host, whatever it looks like.
	if rule.url.fromPath() || !isAbsolute(text) {
		text = "/" + strings.TrimLeft(text, `/\`)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, false
	}
	if !rule.Action.DropQuery && x.query != "" {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += escapeText(x.query)
	}
	return u, true
}

// rewrite changes the request.
func (x *rewriting) rewrite(rule *compiledRule, groups []string) bool {
	u, ok := x.target(rule, groups)
	if !ok || u.Host != "" || u.Scheme != "" {
		return false
	}
	x.path, x.escaped, x.query, x.changed = u.Path, u.RawPath, u.RawQuery, true
	return true
}

// redirect answers with a redirect.
func (x *rewriting) redirect(w http.ResponseWriter, rule *compiledRule, groups []string) {
	u, ok := x.target(rule, groups)
	if !ok {
		x.h.refuse(w, x.r, rule)
		return
	}
	status := rule.Action.Status
	if status == 0 {
		status = http.StatusMovedPermanently
	}
	location := u.String()
	if u.Host == "" {
		location = relative(x.r, location)
	}
	x.h.log.Debug("request redirected by a rewrite rule", "rule", rule.Name, "status", status)
	w.Header().Set("Location", location)
	fail(w, x.r, status)
}
