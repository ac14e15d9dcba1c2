package server

import (
	"fmt"
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
	address    func(*http.Request) netip.Addr
	viewers    access.Resolver
	byPath     bool // viewers are asked for more in some parts than in others
	encoders   *access.Policy
	anyEncoder bool // the configuration says nothing of encoders
	operators  *access.Policy
	cors       *access.CORSOptions
	queries    []string       // parameters that hold tokens
	stripper   *access.Signed // takes tokens out of paths; they all have the same prefix
	handler    *access.Handler
}

// newAccess makes the rules of the server, or those of a site, which has those of the server where it says nothing.
func (g *generation) newAccess(cfg *config.Access, server *accessRules) (*accessRules, error) {
	a := &accessRules{queries: []string{access.TokenQuery}}
	if err := a.setAddress(cfg, server); err != nil {
		return nil, err
	}
	b := &policies{g: g, rules: a}
	var err error
	if a.viewers, err = b.viewers(cfg, server); err != nil {
		return nil, err
	}
	if a.encoders, err = b.policy(cfg.Encoders, config.Encoders); err != nil {
		return nil, err
	}
	if a.operators, err = b.policy(cfg.Operators, config.Operators); err != nil {
		return nil, err
	}
	a.byPath, a.anyEncoder = len(cfg.Paths) > 0, cfg.Encoders == nil
	if cfg.Operators == nil {
		a.operators = access.LoopbackOnly()
	}
	if server != nil {
		a.inherit(cfg, server)
	}
	a.cors = corsOptions(cfg.CORS, server)
	a.handler = access.NewHandler(http.HandlerFunc(serveAllowed), resolver(resolvePolicy), &access.HandlerOptions{
		Logger: g.server.log, Signed: a.stripper, CORS: a.cors,
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
	if cfg.Viewers == nil { // whose rules are around those of paths already
		a.byPath = a.byPath || server.byPath
	}
	if cfg.Encoders == nil {
		a.encoders, a.anyEncoder = server.encoders, server.anyEncoder
	}
	if cfg.Operators == nil {
		a.operators = server.operators
	}
	for _, q := range server.queries {
		if !slices.Contains(a.queries, q) {
			a.queries = append(a.queries, q)
		}
	}
	if a.stripper == nil {
		a.stripper = server.stripper
	}
}

// policies makes policies of the configuration.
type policies struct {
	g     *generation
	rules *accessRules
}

// viewers returns the policies for viewers by path. Where the configuration of a site has none for all of it, those of the server are
// around those of its parts.
func (b *policies) viewers(cfg *config.Access, server *accessRules) (access.Resolver, error) {
	var everywhere access.Resolver
	if cfg.Viewers == nil && server != nil {
		everywhere = server.viewers
	} else {
		p, err := b.policy(cfg.Viewers, config.Viewers)
		if err != nil {
			return nil, err
		}
		everywhere = p
	}
	if len(cfg.Paths) == 0 {
		return everywhere, nil
	}
	parts := map[string]access.Resolver{"/": everywhere}
	for _, at := range slices.Sorted(maps.Keys(cfg.Paths)) {
		p, err := b.policy(cfg.Paths[at], config.Viewers)
		if err != nil {
			return nil, err
		}
		name := ownName(at)
		if _, twice := parts[name]; twice && name != at {
			return nil, fmt.Errorf("access: %s and %s are the same presentation", at, name)
		}
		parts[name] = p
	}
	return access.NewRouter(parts)
}

// policy makes a policy. Nil lets in everybody.
func (b *policies) policy(cfg *config.Policy, role config.Role) (*access.Policy, error) {
	// Encoders and operators are no pages of other origins, which could do what a browser is let in for.
	p := &access.Policy{Address: b.rules.address, NoCORS: role != config.Viewers}
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
	b.rules.stripper = s
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

// resolvePolicy finds the policy of a request by its role and path, as they are without a token: nil, which lets in nobody, where the
// listener is not for the role.
func resolvePolicy(r *http.Request) *access.Policy {
	v := visitOf(r)
	v.role, v.policy = roleOf(r, v.gen.metricsPath()), nil
	if v.wants(v.role) {
		v.policy = v.policyOf(r)
	}
	return v.policy
}

// wants reports whether the listener of a request is for a role.
func (v *visit) wants(role config.Role) bool {
	l := v.listener
	return l == nil || len(l.For) == 0 || slices.Contains(l.For, role)
}

func (v *visit) policyOf(r *http.Request) *access.Policy {
	a := v.site.access
	switch {
	case v.role == config.Operators && ofServer(r.URL.Path, v.gen.metricsPath()):
		return v.gen.access.operators // who manages a site does not see the others
	case v.role == config.Operators:
		return a.operators
	case v.role == config.Encoders && (changes(r.Method) || !a.anyEncoder):
		return a.encoders
	case !a.byPath:
		return a.viewers.Resolve(r)
	}
	return v.site.viewersOf(r.URL.Path) // also for the streams that servers pull: they are what viewers see
}

// changes reports whether a request with a method may change something.
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// ofServer reports whether a path is of what there is once for all sites: the console and the metrics.
func ofServer(p, metrics string) bool { return ofConsole(p) || p == metrics }

// roleOf says in which role somebody sends a request.
func roleOf(r *http.Request, metrics string) config.Role {
	if ofServer(r.URL.Path, metrics) {
		return config.Operators
	}
	switch usage.Classify(r).Kind {
	case usage.Management:
		return config.Operators
	case usage.Push, usage.Distribution:
		return config.Encoders
	}
	if changes(r.Method) {
		return config.Encoders
	}
	return config.Viewers
}

// serve lets in whom the policy allows. For what the listener is not for there is nothing here.
func (a *accessRules) serve(w http.ResponseWriter, r *http.Request) {
	bare := r
	if a.stripper != nil {
		bare = a.stripper.WithoutToken(r)
	}
	if v := visitOf(r); !v.wants(roleOf(bare, v.gen.metricsPath())) {
		http.NotFound(w, r)
		return
	}
	a.handler.ServeHTTP(w, r)
}

// serveAllowed goes on with a request that was let in.
func serveAllowed(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.allowed = r
	v.identify(w, r)
	v.site.handler.ServeHTTP(w, r)
}

// identify notes who sends a request, if access had to know.
func (v *visit) identify(w http.ResponseWriter, r *http.Request) {
	if id, ok := access.FromContext(r.Context()); ok {
		v.known = true
		usage.Annotate(w, usage.Note{User: id.Name, Session: id.Session})
	}
}

// rewritten lets a request whose path aliases or rules have changed go on only if the policy of where it leads lets it in too. What is
// granted by path is granted for the path that was asked for.
func (a *accessRules) rewritten(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	v := visitOf(r)
	if r.URL.Path == v.allowed.URL.Path {
		next(w, r)
		return
	}
	if err := access.CheckPath(r.URL); err != nil {
		v.gen.server.log.Info("rewritten path refused", "err", err)
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	was := v.policy
	now := resolvePolicy(r)
	if now == was {
		next(w, r)
		return
	}
	again := access.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, as *http.Request) {
		v.identify(w, as)
		next(w, r)
	}), now, &access.HandlerOptions{Logger: v.gen.server.log, CORS: a.cors})
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
