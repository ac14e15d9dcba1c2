package access

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Defaults of [SignedOptions].
const (
	// DefaultTokenPrefix is what comes before the token in the path: "/t/<token>/live/event.isml/Manifest".
	DefaultTokenPrefix = "/t/"
	// TokenQuery is the query parameter of the token. The handlers of the suite repeat it in the URLs that they send if
	// it is in ChildQuery of smooth.HandlerOptions and of the options of package hls, and in RideAlong of those of
	// package playlist.
	TokenQuery = "token"
)

// SignedOptions tune [Signed]. A nil pointer and the zero value mean the documented defaults.
type SignedOptions struct {
	// Prefix is what comes before the token in the path, with slashes at both ends. Empty means [DefaultTokenPrefix]. It
	// must be the same for all who are behind one [Handler].
	Prefix string
	// Query is the query parameter of the token. Empty means [TokenQuery], "-" none.
	Query string
	// Role is that which a grant must have. With the empty one, for viewing, only GET, HEAD and OPTIONS are allowed.
	Role string
	// Address returns the address of a client, for grants that are bound to one. Nil means [RemoteAddress].
	Address func(*http.Request) netip.Addr
	// MaxCached bounds the verified tokens that are remembered. Zero means [DefaultMaxCached].
	MaxCached int
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Signed authenticates by the token in a signed URL. The token is in the path, which URLs relative to it inherit, those
// in manifests and playlists too:
//
//	/t/<token>/live/event.isml/Manifest
//
// or in the query, which handlers have to repeat, see [TokenQuery]:
//
//	/live/event.isml/Manifest?token=<token>
//
// A [Handler] whose options name it takes the token out of the path, so that handlers and caches behind it see the same
// URL from all viewers. Whatever is wrong with a token, the answer is 403 and does not say what: that is in the log.
// It is safe for concurrent use.
type Signed struct {
	signer *Signer
	opts   SignedOptions
	cached *cache[string, *signedGrant]
}

// signedGrant is what a token that has been verified stands for.
type signedGrant struct {
	grant Grant
	id    Identity
}

// NewSigned returns an authenticator by signed URLs. It copies opts. The error wraps [ErrOptions].
func NewSigned(signer *Signer, opts *SignedOptions) (*Signed, error) {
	s := &Signed{signer: signer}
	if opts != nil {
		s.opts = *opts
	}
	o := &s.opts
	switch o.Query {
	case "":
		o.Query = TokenQuery
	case "-":
		o.Query = ""
	}
	if o.Prefix == "" {
		o.Prefix = DefaultTokenPrefix
	}
	if o.Address == nil {
		o.Address = RemoteAddress
	}
	if o.MaxCached <= 0 {
		o.MaxCached = DefaultMaxCached
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if signer == nil {
		return nil, fmt.Errorf("access: signed URLs without a signer: %w", ErrOptions)
	}
	err := checkPath(&url.URL{Path: o.Prefix}, true)
	if err != nil || len(o.Prefix) < 3 || !strings.HasSuffix(o.Prefix, "/") || (&url.URL{Path: o.Prefix}).EscapedPath() != o.Prefix {
		return nil, fmt.Errorf("access: token prefix %q, want one such as %q: %w", o.Prefix, DefaultTokenPrefix, ErrOptions)
	}
	s.cached = newCache[string, *signedGrant](o.MaxCached)
	return s, nil
}

// Challenge returns "", as there is no way to ask for a signed URL.
func (s *Signed) Challenge() string { return "" }

// Authenticate implements [Authenticator]. All errors wrap [ErrForbidden].
func (s *Signed) Authenticate(r *http.Request) (*Identity, error) {
	token, path := s.tokenOf(r)
	if token == "" {
		return nil, nil
	}
	g, err := s.verify(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrForbidden)
	}
	if g.grant.Role != s.opts.Role || g.grant.Role == "" && !isViewing(r.Method) {
		return nil, fmt.Errorf("access: grant for role %q, want %q, method %s: %w", g.grant.Role, s.opts.Role, r.Method, ErrForbidden)
	}
	var from netip.Addr
	if g.grant.Address.IsValid() {
		from = s.opts.Address(r)
	}
	if err := g.grant.Allows(path, from, s.opts.Now()); err != nil {
		return nil, err
	}
	if v := visitOf(r.Context()); v != nil && v.token == "" {
		v.inQuery = s.opts.Query
	}
	return &g.id, nil
}

// verify returns what a token stands for.
func (s *Signed) verify(token string) (*signedGrant, error) {
	if g, ok := s.cached.get(token); ok {
		return g, nil
	}
	grant, err := s.signer.Verify(token)
	if err != nil {
		return nil, err
	}
	g := &signedGrant{grant: grant}
	g.id = Identity{
		Name: grant.User, Method: MethodSigned, Session: grant.Session, Role: grant.Role, Expires: grant.Expires,
	}
	s.cached.set(strings.Clone(token), g)
	return g, nil
}

// tokenOf returns the token of a request, "" if it has none, and the path that it is used for.
func (s *Signed) tokenOf(r *http.Request) (token, path string) {
	if v := visitOf(r.Context()); v != nil && v.token != "" {
		return v.token, r.URL.Path // a Handler has taken it out of the path
	}
	if token, path, ok := s.cut(r.URL.Path); ok {
		return token, path
	}
	return s.queryToken(r.URL.RawQuery), r.URL.Path
}

// cut takes the token out of a path.
func (s *Signed) cut(path string) (token, rest string, ok bool) {
	after, ok := strings.CutPrefix(path, s.opts.Prefix)
	if !ok {
		return "", "", false
	}
	i := strings.IndexByte(after, '/')
	if i < 1 || !isToken(after[:i]) {
		return "", "", false
	}
	return after[:i], after[i:], true
}

// isToken reports whether s consists of the characters of tokens and has at least the length of the shortest one.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return len(s) >= minToken
}

// minToken is less than the length of any token: that of the signature and a version, a time, and four lengths.
const minToken = (macSize + 7) * 4 / 3

// queryToken returns the value of the first parameter of that name.
func (s *Signed) queryToken(query string) string {
	if s.opts.Query == "" {
		return ""
	}
	return queryValue(query, s.opts.Query)
}

// queryValue returns the value of the first parameter of that name, "" if there is none or it is malformed.
func queryValue(query, name string) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key != name {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			return value
		}
		return ""
	}
	return ""
}

// strip returns a path, in both forms, without the token.
func (s *Signed) strip(u *url.URL) (token string, stripped *url.URL, ok bool) {
	token, path, ok := s.cut(u.Path)
	if !ok {
		return "", nil, false
	}
	clone := *u
	clone.Path = path
	if u.RawPath != "" {
		if _, clone.RawPath, ok = s.cut(u.RawPath); !ok { // the token itself was escaped, as no client of ours does
			return "", nil, false
		}
	}
	return token, &clone, true
}

// WithoutToken returns a request as it is when [Handler] has taken the token out of its path: r itself if it has none. The token has
// not been verified.
func (s *Signed) WithoutToken(r *http.Request) *http.Request {
	_, u, ok := s.strip(r.URL)
	if !ok {
		return r
	}
	bare := *r
	bare.URL = u
	return &bare
}

// PathURL signs a grant and returns a URL with the token in the path. rawURL is absolute or begins with a slash, and its
// path is that below the root of the [Handler], which the grant has to cover. The error wraps [ErrGrant].
func (s *Signed) PathURL(rawURL string, g Grant) (string, error) {
	u, token, err := s.sign(rawURL, g)
	if err != nil {
		return "", err
	}
	escaped := u.EscapedPath()
	u.RawPath = s.opts.Prefix + token + escaped
	u.Path = s.opts.Prefix + token + u.Path
	return u.String(), nil
}

// QueryURL is [Signed.PathURL] with the token in the query.
func (s *Signed) QueryURL(rawURL string, g Grant) (string, error) {
	u, token, err := s.sign(rawURL, g)
	if err != nil {
		return "", err
	}
	if s.opts.Query == "" {
		return "", fmt.Errorf("access: tokens are not in queries: %w", ErrGrant)
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += url.QueryEscape(s.opts.Query) + "=" + token
	return u.String(), nil
}

func (s *Signed) sign(rawURL string, g Grant) (*url.URL, string, error) {
	u, err := grantsURL(rawURL, &g)
	if err != nil {
		return nil, "", fmt.Errorf("access: signed URL: %w: %w", err, ErrGrant)
	}
	token, err := s.signer.Sign(g)
	return u, token, err
}
