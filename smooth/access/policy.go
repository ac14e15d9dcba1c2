package access

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
)

// Policy says who may send a request. The zero value lets in everybody; a nil policy nobody. It must not be changed
// while it is in use, and is then safe for concurrent use.
type Policy struct {
	// Addresses are asked first.
	Addresses Addresses
	// Address returns the address of a client for them. Nil means [RemoteAddress]; behind a proxy that is the proxy's,
	// see [TrustedProxies].
	Address func(*http.Request) netip.Addr
	// Authenticators are asked in this order until one knows who sends the request. Empty means that nobody has to say.
	Authenticators []Authenticator
	// Authorize, if set, rules on who has been let in so far: nil lets in. The identity is nil if there are no
	// authenticators. An error that wraps a sentinel of this package keeps its status, see [StatusOf]; any other one
	// means [ErrForbidden].
	Authorize func(r *http.Request, id *Identity) error
	// NoCORS is for management: pages of other origins are refused when they change something, as browsers send passwords
	// that they remember with that (see [http.CrossOriginProtection]), and [Handler] does nothing for their scripts: they
	// can read no refusals, and their preflight requests need credentials as any other.
	NoCORS bool
}

// Resolver finds the policy for a request. A nil policy refuses it. A [*Policy], a [*Router] and [Roles] are resolvers.
type Resolver interface {
	Resolve(r *http.Request) *Policy
}

// Resolve returns p, so that a policy is the resolver of itself.
func (p *Policy) Resolve(*http.Request) *Policy { return p }

// Check returns who sends the request, nil if nobody has to say, or why it is refused: an error that wraps a sentinel of
// this package. It suffices that one authenticator knows the sender. If none does, wrong credentials are an error
// whatever else is there; without any credentials the error is [ErrUnauthenticated], or [ErrForbidden] if no
// authenticator has a way to ask for them. The challenges are in a [RefusedError].
//
// Check does not look at whether the path is unambiguous, as [Handler] does, and is meant for hooks behind one.
func (p *Policy) Check(r *http.Request) (*Identity, error) {
	if p == nil {
		return nil, fmt.Errorf("access: no policy: %w", ErrForbidden)
	}
	if err := p.checkAddress(r); err != nil {
		return nil, err
	}
	if p.NoCORS {
		if err := new(http.CrossOriginProtection).Check(r); err != nil {
			return nil, fmt.Errorf("access: %w: %w", err, ErrForbidden)
		}
	}
	id, err := p.authenticate(r)
	if err != nil || p.Authorize == nil {
		return id, err
	}
	if err := p.Authorize(r, id); err != nil {
		return nil, withSentinel(err)
	}
	return id, nil
}

func (p *Policy) checkAddress(r *http.Request) error {
	if len(p.Addresses.Allow) == 0 && len(p.Addresses.Deny) == 0 {
		return nil
	}
	address := p.Address
	if address == nil {
		address = RemoteAddress
	}
	if a := address(r); !p.Addresses.Allows(a) {
		return fmt.Errorf("access: address %v: %w", a, ErrForbidden)
	}
	return nil
}

func (p *Policy) authenticate(r *http.Request) (*Identity, error) {
	var failed error
	refused := &RefusedError{}
	for _, a := range p.Authenticators {
		if a == nil {
			continue // as len(p.Authenticators) > 0, somebody else must know the sender
		}
		id, err := a.Authenticate(r)
		if err == nil && id != nil {
			return id, nil
		}
		refused.add(a, err)
		if err != nil && (failed == nil || errors.Is(err, ErrUnavailable) && !errors.Is(failed, ErrUnavailable)) {
			failed = withSentinel(err)
		}
	}
	switch {
	case len(p.Authenticators) == 0:
		return nil, nil
	case failed != nil:
		refused.Err = failed
	case len(refused.Challenges) == 0:
		refused.Err = fmt.Errorf("access: %w: %w", errNoCredentials, ErrForbidden)
	default:
		refused.Err = fmt.Errorf("access: %w: %w", errNoCredentials, ErrUnauthenticated)
	}
	return nil, refused
}

// errNoCredentials is for the log.
var errNoCredentials = errors.New("no credentials")

// add adds what an authenticator says that does not know the sender.
func (e *RefusedError) add(a Authenticator, err error) {
	var own *RefusedError
	if errors.As(err, &own) {
		e.RetryAfter = max(e.RetryAfter, own.RetryAfter)
		if len(own.Challenges) > 0 {
			e.Challenges = append(e.Challenges, own.Challenges...)
			return
		}
	}
	if c := a.Challenge(); c != "" {
		e.Challenges = append(e.Challenges, c)
	}
}

// withSentinel returns err such that it wraps a sentinel.
func withSentinel(err error) error {
	if StatusOf(err) == http.StatusForbidden && !errors.Is(err, ErrForbidden) {
		return fmt.Errorf("%w: %w", err, ErrForbidden)
	}
	return err
}

// challenges returns the values of WWW-Authenticate for who has been refused by something else than authenticators.
func (p *Policy) challenges() []string {
	refused := &RefusedError{}
	if p != nil {
		for _, a := range p.Authenticators {
			if a != nil {
				refused.add(a, nil)
			}
		}
	}
	return refused.Challenges
}
