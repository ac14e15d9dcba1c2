package limit

import (
	"net/http"
	"net/netip"
	"slices"

	"github.com/smoothkit/smoothkit/internal/httpx"
)

// RemoteAddress returns the address that a request's connection comes from, invalid if it has none, as over a Unix
// socket.
func RemoteAddress(r *http.Request) netip.Addr { return httpx.RemoteAddress(r) }

// TrustedProxies returns a function for [Options].Address that believes X-Forwarded-For as far as proxies with these
// addresses have written it: of the chain it takes the last address that is not one of theirs. Without proxies it is
// [RemoteAddress].
func TrustedProxies(proxies ...netip.Prefix) func(*http.Request) netip.Addr {
	proxies = slices.Clone(proxies)
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return func(r *http.Request) netip.Addr { return httpx.ForwardedAddress(r, trusted) }
}

// prefix returns the address that counts for a, and the zero value if it is invalid.
func (o *Options) prefix(a netip.Addr) [16]byte {
	if !a.IsValid() {
		return [16]byte{}
	}
	bits := o.IPv6Bits
	if a.Is4() {
		bits = o.IPv4Bits
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return [16]byte{}
	}
	return p.Addr().As16()
}
