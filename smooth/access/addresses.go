package access

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/httpx"
)

// Addresses are rules on the addresses of clients. Of the prefixes that contain an address the longest decides, and of
// equal ones that which denies. An address in none is let in if nothing is in Allow, so the zero value lets in
// everybody. IPv4 addresses inside IPv6 (::ffff:192.0.2.1) are IPv4 addresses, in prefixes too. Who has no address, as
// over a Unix socket, is let in only if there are no rules.
type Addresses struct {
	Allow, Deny []netip.Prefix
}

// Allows reports whether a client with address a may come in.
func (d *Addresses) Allows(a netip.Addr) bool {
	if len(d.Allow) == 0 && len(d.Deny) == 0 {
		return true
	}
	if !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	allow, deny := longest(d.Allow, a), longest(d.Deny, a)
	if allow < 0 && deny < 0 {
		return len(d.Allow) == 0
	}
	return allow > deny
}

// longest returns the length of the longest prefix that contains a, -1 if none does.
func longest(prefixes []netip.Prefix, a netip.Addr) int {
	bits := -1
	for _, p := range prefixes {
		if p = unmapPrefix(p); p.Bits() > bits && p.Contains(a) {
			bits = p.Bits()
		}
	}
	return bits
}

// unmapPrefix makes an IPv4 prefix of one that is inside IPv6.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// ParsePrefixes reads prefixes such as 192.0.2.0/24 and 2001:db8::/32, and bare addresses, which are prefixes of one
// address. Bits behind the prefix must be zero, as otherwise somebody has mistyped one of the two. The error wraps
// [ErrOptions].
func ParsePrefixes(texts ...string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range texts {
		p, err := parsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("access: address %q: %w: %w", text, err, ErrOptions)
		}
		list = append(list, p)
	}
	return list, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.IndexByte(s, '/') < 0 {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		if a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("zone %q does not count", a.Zone())
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if p = unmapPrefix(p); p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("bits behind the prefix, want %v", p.Masked())
	}
	return p, nil
}

// RemoteAddress returns the address that a request's connection comes from, invalid if it has none, as over a Unix
// socket. It is the default of all options named Address.
func RemoteAddress(r *http.Request) netip.Addr { return httpx.RemoteAddress(r) }

// TrustedProxies returns a function for options named Address that believes X-Forwarded-For as far as proxies with
// these addresses have written it: of the chain it takes the last address that is not one of theirs. What clients write
// into that header counts for nothing, as proxies append to it. Without proxies it is [RemoteAddress].
func TrustedProxies(proxies ...netip.Prefix) func(*http.Request) netip.Addr {
	proxies = slices.Clone(proxies)
	if len(proxies) == 0 {
		return RemoteAddress
	}
	rules := Addresses{Allow: proxies}
	return func(r *http.Request) netip.Addr { return httpx.ForwardedAddress(r, rules.Allows) }
}
