package server

import (
	"maps"
	"net/http"
	"net/netip"
	"os"
	"slices"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/access"
	"github.com/smoothkit/smoothkit/smooth/usage"
)

// accessRules say who may do what in a site.
type accessRules struct {
	address   func(*http.Request) netip.Addr
	viewers   access.Resolver
	encoders  *access.Policy
	operators *access.Policy
	cors      *access.CORSOptions
	queries   []string // parameters that hold tokens
	handler   *access.Handler
}

// newAccess makes the rules of the server, or those of a site, which has those of the server where it says nothing.
func (g *generation) newAccess(cfg *config.Access, server *accessRules) (*accessRules, error) {
	a := &accessRules{queries: []string{access.TokenQuery}}
	if err := a.setAddress(cfg, server); err != nil {
		return nil, err
	}
	b := &policies{g: g, rules: a}
	viewers, err := b.policy(cfg.Viewers, config.Viewers)
	if err != nil {
		return nil, err
	}
	if a.encoders, err = b.policy(cfg.Encoders, config.Encoders); err != nil {
		return nil, err
	}
	if a.operators, err = b.policy(cfg.Operators, config.Operators); err != nil {
		return nil, err
	}
	if cfg.Operators == nil {
		a.operators = access.LoopbackOnly()
	}
	if server != nil {
		a.inherit(cfg, server)
	}
	a.cors = corsOptions(cfg.CORS, server)
	if a.viewers, err = b.viewers(viewers, cfg, a.viewers); err != nil {
		return nil, err
	}
	a.handler = access.NewHandler(http.HandlerFunc(serveAllowed), resolver(resolvePolicy), &access.HandlerOptions{
		Logger: g.server.log, Signed: b.stripper, CORS: a.cors,
	})
	return a, nil
}

// setAddress says how the address of a client is found.
func (a *accessRules) setAddress(cfg *config.Access, server *accessRules) error {
	if len(cfg.TrustedProxies) == 0 && server != nil {
		a.address = server.address
		return nil
	}
	proxies, err := access.ParsePrefixes(cfg.TrustedProxies...)
	if a.address = access.RemoteAddress; len(proxies) > 0 {
		a.address = access.TrustedProxies(proxies...)
	}
	return err
}

// inherit takes the rules of the server for the roles that a site says nothing of.
func (a *accessRules) inherit(cfg *config.Access, server *accessRules) {
	if cfg.Viewers == nil && len(cfg.Paths) == 0 {
		a.viewers = server.viewers
	}
	if cfg.Encoders == nil {
		a.encoders = server.encoders
	}
	if cfg.Operators == nil {
		a.operators = server.operators
	}
	for _, q := range server.queries {
		if !slices.Contains(a.queries, q) {
			a.queries = append(a.queries, q)
		}
	}
}

// policies makes policies of the configuration.
type policies struct {
	g        *generation
	rules    *accessRules
	stripper *access.Signed // takes tokens out of paths; they all have the same prefix
}

// viewers returns the policies for viewers by path.
func (b *policies) viewers(everywhere *access.Policy, cfg *config.Access, inherited access.Resolver) (access.Resolver, error) {
	if inherited != nil {
		return inherited, nil
	}
	parts := map[string]access.Resolver{"/": everywhere}
	for _, at := range slices.Sorted(maps.Keys(cfg.Paths)) {
		p, err := b.policy(cfg.Paths[at], config.Viewers)
		if err != nil {
			return nil, err
		}
		parts[at] = p
	}
	return access.NewRouter(parts)
}

// policy makes a policy. Nil lets in everybody.
func (b *policies) policy(cfg *config.Policy, role config.Role) (*access.Policy, error) {
	p := &access.Policy{Address: b.rules.address, NoCORS: role == config.Operators}
	if cfg == nil {
		return p, nil
	}
	var err error
	if p.Addresses.Allow, err = access.ParsePrefixes(cfg.Allow...); err != nil {
		return nil, err
	}
	if p.Addresses.Deny, err = access.ParsePrefixes(cfg.Deny...); err != nil {
		return nil, err
	}
	for _, add := range []func(*access.Policy, *config.Policy, config.Role) error{b.signed, b.bearer, b.basic, b.hook} {
		if err := add(p, cfg, role); err != nil {
			return nil, err
		}
	}
	if role == config.Operators && len(p.Authenticators) == 0 {
		// Addresses alone do not make an operator.
		p.Authorize = func(r *http.Request, _ *access.Identity) error { return access.CheckLoopback(r) }
	}
	return p, nil
}

func (b *policies) signed(p *access.Policy, cfg *config.Policy, role config.Role) error {
	if cfg.Signed == nil {
		return nil
	}
	var keys [][]byte
	for _, k := range cfg.Signed.Keys {
		keys = append(keys, []byte(k.Value()))
	}
	signer, err := access.NewSigner(keys...)
	if err != nil {
		return err
	}
	options := &access.SignedOptions{Address: b.rules.address}
	if role != config.Viewers {
		options.Role = string(role)
	}
	s, err := access.NewSigned(signer, options)
	if err != nil {
		return err
	}
	b.stripper = s
	p.Authenticators = append(p.Authenticators, s)
	return nil
}

func (b *policies) bearer(p *access.Policy, cfg *config.Policy, _ config.Role) error {
	c := cfg.Bearer
	if c == nil {
		return nil
	}
	var secret []byte
	if c.Secret.IsSet() {
		secret = []byte(c.Secret.Value())
	}
	bearer, err := access.NewBearer(&access.BearerOptions{
		JWKS: c.JWKS, Secret: secret, Issuer: c.Issuer, Audience: c.Audience, Algorithms: c.Algorithms,
		Claims: c.Claims, PathsClaim: c.Paths, Query: c.Query, Realm: cfg.Realm, Logger: b.g.server.log,
	})
	if err != nil {
		return err
	}
	b.g.own(bearer)
	if c.Query != "" && !slices.Contains(b.rules.queries, c.Query) {
		b.rules.queries = append(b.rules.queries, c.Query)
	}
	p.Authenticators = append(p.Authenticators, bearer)
	return nil
}

func (b *policies) basic(p *access.Policy, cfg *config.Policy, _ config.Role) error {
	c := cfg.Basic
	if c == nil {
		return nil
	}
	users := make(map[string]string)
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		if users, err = access.ParseHtpasswd(f); err != nil {
			return err
		}
	}
	for name, hash := range c.Users {
		users[name] = hash.Value()
	}
	basic, err := access.NewBasic(&access.BasicOptions{Users: users, Realm: cfg.Realm, Attempts: b.g.server.attempts})
	if err != nil {
		return err
	}
	p.Authenticators = append(p.Authenticators, basic)
	return nil
}

func (b *policies) hook(p *access.Policy, cfg *config.Policy, role config.Role) error {
	c := cfg.Hook
	if c == nil {
		return nil
	}
	hook, err := access.NewHook(&access.HookOptions{
		URL: c.URL, Timeout: c.Timeout.D(), Headers: c.Headers, CacheFor: c.CacheFor.D(), Address: b.rules.address,
		Role: string(role), Attempts: b.g.server.attempts,
	})
	if err != nil {
		return err
	}
	b.g.own(hook)
	p.Authenticators = append(p.Authenticators, hook)
	return nil
}

// resolver makes a function an access.Resolver.
type resolver func(*http.Request) *access.Policy

// Resolve implements access.Resolver.
func (f resolver) Resolve(r *http.Request) *access.Policy { return f(r) }

// resolvePolicy finds the policy of a request by its role and path.
func resolvePolicy(r *http.Request) *access.Policy {
	v := visitOf(r)
	a := v.site.access
	switch v.role {
	case config.Operators:
		return a.operators
	case config.Encoders:
		return a.encoders
	}
	return a.viewers.Resolve(r)
}

// roleOf says in which role somebody sends a request.
func roleOf(r *http.Request, metrics string) config.Role {
	if ofConsole(r.URL.Path) || r.URL.Path == metrics {
		return config.Operators
	}
	switch usage.Classify(r).Kind {
	case usage.Management:
		return config.Operators
	case usage.Push, usage.Distribution:
		return config.Encoders
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return config.Viewers
	}
	return config.Encoders
}

// serve lets in whom the policy allows.
func (a *accessRules) serve(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.role = roleOf(r, v.gen.metricsPath())
	if l := v.listener; l != nil && len(l.For) > 0 && !slices.Contains(l.For, v.role) {
		http.NotFound(w, r)
		return
	}
	a.handler.ServeHTTP(w, r)
}

// serveAllowed goes on with a request that was let in.
func serveAllowed(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.allowed = r
	if id, ok := access.FromContext(r.Context()); ok {
		usage.Annotate(w, usage.Note{User: id.Name, Session: id.Session})
	}
	v.site.handler.ServeHTTP(w, r)
}

// rewritten lets a request whose path aliases or rules have changed go on only if the policy of where it leads lets it in too.
func (a *accessRules) rewritten(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	v := visitOf(r)
	if r.URL.Path == v.allowed.URL.Path {
		next(w, r)
		return
	}
	v.role = roleOf(r, v.gen.metricsPath())
	was, now := resolvePolicy(v.allowed), resolvePolicy(r)
	if was == now {
		next(w, r)
		return
	}
	again := access.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { next(w, r) }), now,
		&access.HandlerOptions{Logger: v.gen.server.log, CORS: a.cors})
	again.ServeHTTP(w, v.allowed)
}

// operator reports whether the sender of a request may manage.
func (a *accessRules) operator(r *http.Request, v *visit) error {
	if v.role == config.Operators {
		return nil // access has let it in as such
	}
	_, err := v.site.access.operators.Check(r)
	return err
}

// childQuery names what is repeated in the URLs of manifests.
func (a *accessRules) childQuery() []string { return a.queries }

// smoothCORS are the rules for handlers of presentations.
func (a *accessRules) smoothCORS() *smooth.CORS {
	if a.cors == nil {
		return nil
	}
	return &smooth.CORS{Origins: a.cors.Origins, Credentials: a.cors.Credentials, MaxAge: a.cors.MaxAge}
}

func corsOptions(c *config.CORS, server *accessRules) *access.CORSOptions {
	switch {
	case c != nil:
		return &access.CORSOptions{Origins: c.Origins, Headers: c.Headers, Credentials: c.Credentials, MaxAge: c.MaxAge.D()}
	case server != nil:
		return server.cors
	}
	return nil
}
