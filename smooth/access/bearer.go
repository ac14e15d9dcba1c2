package access

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// Bounds and defaults of [BearerOptions].
const (
	DefaultRefreshInterval = time.Hour
	DefaultFetchTimeout    = 10 * time.Second
	DefaultLeeway          = time.Minute

	minSecret      = 32 // RFC 7518 section 3.2
	maxJWT         = 8 << 10
	verifiedFor    = time.Minute
	maxPathsInside = 64
)

// BearerOptions tune [Bearer]. One of JWKS, Keys and Secret is required; Issuer and Audience should be there, as issuers
// make tokens for other services too.
type BearerOptions struct {
	// JWKS are the URLs of JSON Web Key Sets, RFC 7517, with https, or http if the host is this machine.
	JWKS []string
	// Keys are public keys by key ID: *rsa.PublicKey of 2048 bits and more, *ecdsa.PublicKey or ed25519.PublicKey.
	Keys map[string]crypto.PublicKey
	// Secret is the key of HMAC signatures, at least 32 bytes.
	Secret []byte
	// Algorithms are those that tokens may be signed with. Nil means RS, PS and ES with 256, 384 and 512 bits and EdDSA
	// if there are JWKS or Keys, and HS with 256, 384 and 512 bits if there is a Secret. A public key never verifies an
	// HMAC, and "none" is not possible.
	Algorithms []string
	// Issuer and Audience are what iss must be and aud must contain. Empty means that any will do.
	Issuer, Audience string
	// Leeway is for clocks that differ. Zero means [DefaultLeeway]; negative none.
	Leeway time.Duration
	// Claims are values that claims must have: that string, a list that has it, or, in a scope, one of the words.
	Claims map[string]string
	// PathsClaim names the claim with the paths that a token is for: a string or list of strings as [Grant].Path. A token
	// without that claim is refused. Empty means that tokens are for all paths.
	PathsClaim string
	// NameClaim and SessionClaim become [Identity].Name and Session. Empty means sub, and sid or else jti.
	NameClaim, SessionClaim string
	// Query names a query parameter that may have the token, for players that cannot set headers; handlers have to repeat
	// it in the URLs that they send as that of signed URLs. Empty means none.
	Query string
	// Realm is that of the challenge. Empty means [DefaultRealm].
	Realm string
	// Client fetches the key sets. Nil means http.DefaultClient.
	Client *http.Client
	// Timeout bounds a fetch. Zero means [DefaultFetchTimeout].
	Timeout time.Duration
	// RefreshInterval is how old a key set gets. Zero means [DefaultRefreshInterval]. A token with a key ID that is not in
	// it makes it fetched too, at most every thirty seconds. When it cannot be fetched the one of before goes on.
	RefreshInterval time.Duration
	// AllowHTTP allows JWKS with http, where nobody on the way can change them.
	AllowHTTP bool
	// MaxCached bounds the verified tokens that are remembered, for a minute or until keys are fetched again. Zero means
	// [DefaultMaxCached].
	MaxCached int
	// Logger is told when a key set cannot be fetched. Nil means slog.Default().
	Logger *slog.Logger
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Bearer authenticates by JSON Web Tokens, RFC 7519, in the Authorization header, RFC 6750. Tokens must expire. It is
// safe for concurrent use.
type Bearer struct {
	opts      BearerOptions
	challenge string
	keys      *keySets
	public    keyfunc.Keyfunc
	parser    *jwt.Parser
	cached    *cache[[sha256.Size]byte, *bearerToken]
}

// bearerToken is a token that has been verified.
type bearerToken struct {
	id        Identity
	notBefore time.Time
	verified  time.Time
	paths     []pattern
}

// NewBearer returns an authenticator by bearer tokens and starts fetching keys; [Bearer.Close] ends that. It copies opts.
// The error wraps [ErrOptions]. Until keys are there, tokens that need them are [ErrUnavailable].
func NewBearer(opts *BearerOptions) (*Bearer, error) {
	if opts == nil || len(opts.JWKS) == 0 && len(opts.Keys) == 0 && opts.Secret == nil {
		return nil, fmt.Errorf("access: bearer: no keys: %w", ErrOptions)
	}
	b := &Bearer{opts: opts.withDefaults()}
	o := &b.opts
	if o.Secret != nil && len(o.Secret) < minSecret {
		return nil, fmt.Errorf("access: bearer: secret of %d bytes, want %d: %w", len(o.Secret), minSecret, ErrOptions)
	}
	if err := o.checkAlgorithms(); err != nil {
		return nil, err
	}
	b.challenge = "Bearer realm=" + quote(o.Realm)
	b.cached = newCache[[sha256.Size]byte, *bearerToken](o.MaxCached)
	b.parser = jwt.NewParser(b.parserOptions()...)
	var err error
	if b.keys, err = newKeySets(o, b.cached.clear); err != nil {
		return nil, err
	}
	if b.public, err = keyfunc.New(keyfunc.Options{Storage: b.keys}); err != nil {
		b.keys.close()
		return nil, fmt.Errorf("access: bearer: %w", err)
	}
	return b, nil
}

func (o *BearerOptions) withDefaults() BearerOptions {
	opts := *o
	opts.JWKS, opts.Keys = slices.Clone(o.JWKS), maps.Clone(o.Keys)
	opts.Secret, opts.Claims = slices.Clone(o.Secret), maps.Clone(o.Claims)
	if opts.Client == nil {
		opts.Client = http.DefaultClient
	}
	if opts.Timeout <= 0 {
		opts.Timeout = DefaultFetchTimeout
	}
	if opts.RefreshInterval <= 0 {
		opts.RefreshInterval = DefaultRefreshInterval
	}
	if opts.Leeway == 0 {
		opts.Leeway = DefaultLeeway
	}
	opts.Leeway = max(opts.Leeway, 0)
	if opts.NameClaim == "" {
		opts.NameClaim = "sub"
	}
	if opts.MaxCached <= 0 {
		opts.MaxCached = DefaultMaxCached
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return opts
}

// The algorithms of RFC 7518 section 3.1 and RFC 8037 section 3.1 but "none".
const (
	hmacAlgorithms   = "HS256 HS384 HS512"
	publicAlgorithms = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"
)

// checkAlgorithms refuses algorithms without keys, and fills in the default.
func (o *BearerOptions) checkAlgorithms() error {
	var possible []string
	if o.Secret != nil {
		possible = append(possible, strings.Fields(hmacAlgorithms)...)
	}
	if len(o.JWKS) > 0 || len(o.Keys) > 0 {
		possible = append(possible, strings.Fields(publicAlgorithms)...)
	}
	for _, alg := range o.Algorithms {
		if !slices.Contains(possible, alg) {
			return fmt.Errorf("access: bearer: algorithm %q, possible with these keys are %v: %w", alg, possible, ErrOptions)
		}
	}
	if o.Algorithms = slices.Clone(o.Algorithms); len(o.Algorithms) == 0 {
		o.Algorithms = possible
	}
	return nil
}

func (b *Bearer) parserOptions() []jwt.ParserOption {
	o := &b.opts
	list := []jwt.ParserOption{
		jwt.WithValidMethods(o.Algorithms), jwt.WithExpirationRequired(), jwt.WithLeeway(o.Leeway), jwt.WithTimeFunc(o.Now),
		jwt.WithStrictDecoding(),
	}
	if o.Issuer != "" {
		list = append(list, jwt.WithIssuer(o.Issuer))
	}
	if o.Audience != "" {
		list = append(list, jwt.WithAudience(o.Audience))
	}
	return list
}

// Close ends the goroutine that fetches keys and waits for it. Requests that are under way still find those that are there.
func (b *Bearer) Close() error {
	b.keys.close()
	return nil
}

// Challenge implements [Authenticator].
func (b *Bearer) Challenge() string { return b.challenge }

// Authenticate implements [Authenticator]. A token that is wrong in any way is [ErrUnauthenticated], one that is for
// other paths [ErrForbidden], one whose key cannot be fetched [ErrUnavailable].
func (b *Bearer) Authenticate(r *http.Request) (*Identity, error) {
	scheme, token := authorization(r)
	inQuery := false
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		if len(r.Header["Authorization"]) > 1 {
			return nil, b.invalid(errors.New("several Authorization headers"))
		}
	case b.opts.Query != "":
		if token = queryValue(r.URL.RawQuery, b.opts.Query); token == "" {
			return nil, nil
		}
		inQuery = true
	default:
		return nil, nil
	}
	t, err := b.verify(r.Context(), token)
	if err != nil {
		return nil, err
	}
	if b.opts.PathsClaim != "" && !slices.ContainsFunc(t.paths, func(p pattern) bool { return p.matches(r.URL.Path) }) {
		return nil, fmt.Errorf("access: bearer: path %q is not among the token's: %w", r.URL.Path, ErrForbidden)
	}
	if v := visitOf(r.Context()); v != nil && inQuery {
		v.inQuery = b.opts.Query
	}
	return &t.id, nil
}

// invalid returns the error for a wrong token, with the challenge of RFC 6750 section 3.1.
func (b *Bearer) invalid(err error) error {
	return &RefusedError{
		Challenges: []string{b.challenge + `, error="invalid_token"`},
		Err:        fmt.Errorf("access: bearer: %w: %w", err, ErrUnauthenticated),
	}
}

// verify returns what a token stands for.
func (b *Bearer) verify(ctx context.Context, token string) (*bearerToken, error) {
	if len(token) > maxJWT {
		return nil, b.invalid(fmt.Errorf("token of %d bytes, at most %d", len(token), maxJWT))
	}
	key, now := sha256.Sum256([]byte(token)), b.opts.Now()
	if t, ok := b.cached.get(key); ok && t.valid(now, b.opts.Leeway) {
		return t, nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	claims := jwt.MapClaims{}
	_, err := b.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) { return b.key(ctx, t) })
	switch {
	case errors.Is(err, ErrUnavailable):
		return nil, fmt.Errorf("access: bearer: %w", err)
	case err != nil:
		return nil, b.invalid(err)
	}
	t, err := b.read(claims)
	if err != nil {
		return nil, b.invalid(err)
	}
	t.verified = now
	b.cached.set(key, t)
	return t, nil
}

// valid reports whether a remembered token is still good.
func (t *bearerToken) valid(now time.Time, leeway time.Duration) bool {
	return now.Sub(t.verified) < verifiedFor && now.Before(t.id.Expires.Add(leeway)) && !now.Before(t.notBefore.Add(-leeway))
}

// key returns the key that verifies a token: the secret for HMAC and for nothing else. Extensions that the token says
// must be understood (RFC 7515 section 4.1.11) are not.
func (b *Bearer) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		return nil, errors.New("critical header parameters")
	}
	if _, ok := t.Method.(*jwt.SigningMethodHMAC); ok {
		if b.opts.Secret == nil {
			return nil, errors.New("no secret")
		}
		return b.opts.Secret, nil
	}
	return b.public.KeyfuncCtx(ctx)(t)
}

// read makes an identity of claims that the parser has validated.
func (b *Bearer) read(claims jwt.MapClaims) (*bearerToken, error) {
	for name, want := range b.opts.Claims {
		if !hasClaim(claims[name], want, name == "scope" || name == "scp") {
			return nil, fmt.Errorf("claim %s is not %q", name, want)
		}
	}
	t := &bearerToken{id: Identity{Method: MethodBearer, Claims: claims}}
	name, there := claims[b.opts.NameClaim]
	if t.id.Name, _ = name.(string); there && t.id.Name == "" {
		return nil, fmt.Errorf("claim %s is no name", b.opts.NameClaim)
	}
	t.id.Session = b.session(claims)
	if end, err := claims.GetExpirationTime(); err == nil && end != nil {
		t.id.Expires = end.Time
	}
	if begin, err := claims.GetNotBefore(); err == nil && begin != nil {
		t.notBefore = begin.Time
	}
	if b.opts.PathsClaim == "" {
		return t, nil
	}
	var err error
	t.paths, err = patternsOf(claims[b.opts.PathsClaim])
	return t, err
}

func (b *Bearer) session(claims jwt.MapClaims) string {
	names := []string{"sid", "jti"}
	if b.opts.SessionClaim != "" {
		names = []string{b.opts.SessionClaim}
	}
	for _, name := range names {
		if s, _ := claims[name].(string); s != "" {
			return s
		}
	}
	return ""
}

// hasClaim reports whether a claim is a string, or a list that has it. In a scope words count.
func hasClaim(claim any, want string, scope bool) bool {
	switch claim := claim.(type) {
	case string:
		return claim == want || scope && slices.Contains(strings.Fields(claim), want)
	case []any:
		return slices.Contains(claim, any(want))
	}
	return false
}

// patternsOf reads the claim with paths.
func patternsOf(claim any) ([]pattern, error) {
	list, ok := claim.([]any)
	if !ok {
		list = []any{claim}
	}
	if len(list) > maxPathsInside {
		return nil, fmt.Errorf("%d paths, at most %d", len(list), maxPathsInside)
	}
	var paths []pattern
	for _, one := range list {
		s, ok := one.(string)
		if !ok {
			return nil, fmt.Errorf("paths of type %T", claim)
		}
		p, err := parsePattern(s)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	return paths, nil
}
