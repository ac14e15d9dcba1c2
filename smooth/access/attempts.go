package access

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Defaults of [AttemptsOptions].
const (
	DefaultMaxAttempts  = 10
	DefaultAttemptAfter = time.Minute
	DefaultMaxAddresses = 1 << 16
)

// AttemptsOptions tune [Attempts]. A nil pointer and the zero value mean the documented defaults.
type AttemptsOptions struct {
	// Max is how many wrong passwords may come from one address at once. Zero means [DefaultMaxAttempts]; negative means
	// any number.
	Max int
	// After is when a further one may come. Zero means [DefaultAttemptAfter].
	After time.Duration
	// Address returns the address of a client. Nil means [RemoteAddress].
	Address func(*http.Request) netip.Addr
	// IPv6Bits is the length of the prefix that counts as one address. Zero means 64, what one household has.
	IPv6Bits int
	// MaxAddresses bounds the memory. When there are more, those whose last wrong password is longest ago are
	// forgotten. Zero means [DefaultMaxAddresses].
	MaxAddresses int
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Attempts bounds how many wrong passwords come from one address. What cannot be guessed, signed URLs and bearer
// tokens, does not count, and neither do passwords that were right a moment ago: a viewer behind the same address as who
// guesses goes on watching. It is safe for concurrent use and may be shared by authenticators, also by those of a
// configuration that replaces another one.
type Attempts struct {
	opts AttemptsOptions

	mu        sync.Mutex                             // guards the values of addresses
	addresses *cache[netip.Addr, *attemptsOfAddress] // those with wrong passwords
}

// attemptsOfAddress is a leaky bucket: until is when the last of the wrong passwords is forgotten.
type attemptsOfAddress struct{ until time.Time }

// NewAttempts returns a bound on wrong passwords. It copies opts.
func NewAttempts(opts *AttemptsOptions) *Attempts {
	a := &Attempts{}
	if opts != nil {
		a.opts = *opts
	}
	o := &a.opts
	if o.Max == 0 {
		o.Max = DefaultMaxAttempts
	}
	if o.After <= 0 {
		o.After = DefaultAttemptAfter
	}
	if o.Address == nil {
		o.Address = RemoteAddress
	}
	if o.IPv6Bits <= 0 || o.IPv6Bits > 128 {
		o.IPv6Bits = 64
	}
	if o.MaxAddresses <= 0 {
		o.MaxAddresses = DefaultMaxAddresses
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a.addresses = newCache[netip.Addr, *attemptsOfAddress](o.MaxAddresses)
	return a
}

// take counts an attempt before it is made, as many may be made at once. The error wraps [ErrTooMany].
func (a *Attempts) take(r *http.Request) error {
	if a.opts.Max < 0 {
		return nil
	}
	now, key := a.opts.Now(), a.key(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	b, ok := a.addresses.get(key)
	if !ok {
		b = &attemptsOfAddress{}
		a.addresses.set(key, b)
	}
	if b.until.Before(now) {
		b.until = now
	}
	until := b.until.Add(a.opts.After)
	if wait := until.Sub(now) - time.Duration(a.opts.Max)*a.opts.After; wait > 0 {
		return &RefusedError{RetryAfter: wait, Err: fmt.Errorf("access: address %v: %w", key, ErrTooMany)}
	}
	b.until = until
	return nil
}

// giveBack undoes take, for an attempt that was right or not made.
func (a *Attempts) giveBack(r *http.Request) {
	if a.opts.Max < 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if b, ok := a.addresses.get(a.key(r)); ok {
		b.until = b.until.Add(-a.opts.After)
	}
}

// key returns what counts as the address of a request, invalid if it has none.
func (a *Attempts) key(r *http.Request) netip.Addr {
	addr := a.opts.Address(r).Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	p, err := addr.Prefix(a.opts.IPv6Bits)
	if err != nil {
		return addr
	}
	return p.Addr()
}
