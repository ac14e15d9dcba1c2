package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Bounds of basic authentication.
const (
	maxName      = 256
	maxPassword  = 1024
	maxBcrypt    = 72 // bytes that bcrypt looks at
	minCost      = 4
	maxCost      = 14 // about a second
	maxVerifying = 64 // requests that wait to be verified
)

// Defaults of [BasicOptions].
const (
	DefaultBasicCacheFor = 5 * time.Minute
	DefaultMaxCached     = 4096
	DefaultRealm         = "media"
)

// BasicOptions tune [Basic]. One of Users and Verify is required.
type BasicOptions struct {
	// Users are the bcrypt hashes of their passwords, by name, as [ParseHtpasswd] reads them. They should have the same
	// cost: what a name that does not exist costs is that of the highest.
	Users map[string]string
	// Verify says who has this name and password, instead of Users: nil and no error for nobody. It may block.
	Verify func(r *http.Request, name, password string) (*Identity, error)
	// Realm is what browsers show. Empty means [DefaultRealm].
	Realm string
	// CacheFor is how long a password that was right is right without asking again: for Users since it was last used, for
	// Verify since it was asked. Zero means [DefaultBasicCacheFor]; negative means not at all, so that each fragment costs
	// as much as bcrypt.
	CacheFor time.Duration
	// MaxCached bounds the passwords that are remembered, as keyed hashes. Zero means [DefaultMaxCached].
	MaxCached int
	// Attempts bounds wrong passwords. Nil means one with the defaults for this authenticator alone; behind a proxy use
	// one that knows the address of clients.
	Attempts *Attempts
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Basic authenticates by name and password, RFC 7617. They cross the network in clear text: use it over TLS. It is safe
// for concurrent use.
type Basic struct {
	opts      BasicOptions
	challenge string
	unknown   []byte // the hash that passwords of unknown users are compared with
	key       [sha256.Size]byte
	cached    *cache[[sha256.Size]byte, verified]
	slots     chan struct{} // who verifies
	queue     chan struct{} // who verifies or waits for it
}

// verified is a password that was right.
type verified struct {
	id    *Identity
	until time.Time
}

// NewBasic returns an authenticator by name and password. It copies opts. The error wraps [ErrOptions].
func NewBasic(opts *BasicOptions) (*Basic, error) {
	if opts == nil || (opts.Users == nil) == (opts.Verify == nil) {
		return nil, fmt.Errorf("access: basic: want either users or a function: %w", ErrOptions)
	}
	b := &Basic{opts: *opts}
	o := &b.opts
	o.Users = maps.Clone(o.Users)
	if o.CacheFor == 0 {
		o.CacheFor = DefaultBasicCacheFor
	}
	if o.MaxCached <= 0 {
		o.MaxCached = DefaultMaxCached
	}
	if o.Attempts == nil {
		o.Attempts = NewAttempts(nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	cost := minCost
	for name, hash := range o.Users {
		c, err := hashCost(hash)
		if err != nil {
			return nil, fmt.Errorf("access: basic: user %q: %w: %w", name, err, ErrOptions)
		}
		cost = max(cost, c)
	}
	// Nothing has this hash: it need not belong to a password to be compared with.
	b.unknown = fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat(".", 53))
	b.challenge = "Basic realm=" + quote(o.Realm) + `, charset="UTF-8"`
	if o.CacheFor > 0 {
		b.cached = newCache[[sha256.Size]byte, verified](o.MaxCached)
	}
	slots := max(1, runtime.GOMAXPROCS(0)/2)
	b.slots, b.queue = make(chan struct{}, slots), make(chan struct{}, slots+maxVerifying)
	_, err := rand.Read(b.key[:])
	return b, err
}

// hashCost returns the cost of a bcrypt hash that can be used.
func hashCost(hash string) (int, error) {
	if len(hash) != 60 || !strings.HasPrefix(hash, "$2") {
		return 0, fmt.Errorf("%d bytes are not a bcrypt hash", len(hash))
	}
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case err != nil:
		return 0, err
	case cost < minCost || cost > maxCost:
		return 0, fmt.Errorf("bcrypt cost %d is not in %d to %d", cost, minCost, maxCost)
	}
	return cost, nil
}

// Challenge implements [Authenticator].
func (b *Basic) Challenge() string { return b.challenge }

// Authenticate implements [Authenticator]. A wrong password is [ErrCredentials] with [ErrUnauthenticated].
func (b *Basic) Authenticate(r *http.Request) (*Identity, error) {
	if scheme, _ := authorization(r); !strings.EqualFold(scheme, "Basic") {
		return nil, nil
	}
	name, password, ok := r.BasicAuth()
	if !ok || len(r.Header["Authorization"]) != 1 || name == "" || len(name) > maxName || len(password) > maxPassword {
		return nil, fmt.Errorf("access: basic: malformed credentials: %w", ErrUnauthenticated)
	}
	key := b.hash(name, password)
	if v, ok := b.cached.get(key); ok && b.opts.Now().Before(v.until) {
		if b.opts.Users != nil { // which do not change: who goes on watching needs no further bcrypt
			b.remember(key, v.id)
		}
		return v.id, nil
	}
	id, err := b.verify(r, name, password)
	if err != nil {
		return nil, err
	}
	b.remember(key, id)
	return id, nil
}

func (b *Basic) remember(key [sha256.Size]byte, id *Identity) {
	b.cached.set(key, verified{id: id, until: b.opts.Now().Add(b.opts.CacheFor)})
}

// hash returns the key of the cache: without b.key a copy of the memory does not help to guess passwords.
func (b *Basic) hash(name, password string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, b.key[:])
	_, _ = fmt.Fprintf(h, "%d %s %s", len(name), name, password)
	h.Sum(sum[:0])
	return sum
}

// verify counts the attempt and waits until it may be made.
func (b *Basic) verify(r *http.Request, name, password string) (*Identity, error) {
	if err := b.opts.Attempts.take(r); err != nil {
		return nil, err
	}
	id, err := b.verifyInTurn(r, name, password)
	if err == nil || !errors.Is(err, ErrCredentials) {
		b.opts.Attempts.giveBack(r)
	}
	return id, err
}

// verifyInTurn keeps half of the processors free of bcrypt.
func (b *Basic) verifyInTurn(r *http.Request, name, password string) (*Identity, error) {
	select {
	case b.queue <- struct{}{}:
		defer func() { <-b.queue }()
	default:
		err := fmt.Errorf("access: basic: %d passwords are being verified: %w", cap(b.queue), ErrTooMany)
		return nil, &RefusedError{RetryAfter: time.Second, Err: err}
	}
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-r.Context().Done():
		return nil, fmt.Errorf("access: basic: %w: %w", r.Context().Err(), ErrUnavailable)
	}
	if b.opts.Verify != nil {
		return b.ask(r, name, password)
	}
	hash, known := b.opts.Users[name]
	against := []byte(hash)
	if !known {
		against = b.unknown
	}
	err := bcrypt.CompareHashAndPassword(against, []byte(password))
	if err != nil || !known || len(password) > maxBcrypt {
		return nil, wrongPassword(name)
	}
	return &Identity{Name: name, Method: MethodBasic}, nil
}

// ask asks the function of the application.
func (b *Basic) ask(r *http.Request, name, password string) (*Identity, error) {
	id, err := b.opts.Verify(r, name, password)
	switch {
	case err != nil:
		return nil, withSentinel(fmt.Errorf("access: basic: %w", err))
	case id == nil:
		return nil, wrongPassword(name)
	}
	return id, nil
}

func wrongPassword(name string) error {
	return fmt.Errorf("access: basic: user %q: %w: %w", name, ErrCredentials, ErrUnauthenticated)
}

// authorization returns the scheme and the rest of the Authorization header, "" if there is none.
func authorization(r *http.Request) (scheme, rest string) {
	scheme, rest, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	return scheme, strings.Trim(rest, " ")
}

// quote writes a realm as a quoted string, RFC 9110 section 5.6.4.
func quote(realm string) string {
	if realm == "" {
		realm = DefaultRealm
	}
	var sb strings.Builder
	sb.WriteByte('"')
	for _, c := range []byte(realm) {
		switch {
		case c < ' ' || c == 0x7f:
			continue
		case c == '"' || c == '\\':
			sb.WriteByte('\\')
		}
		sb.WriteByte(c)
	}
	sb.WriteByte('"')
	return sb.String()
}
