package httpx

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// RemoteAddress returns the address that a request's connection comes from, invalid if it has none, as over a Unix socket.
func RemoteAddress(r *http.Request) netip.Addr { return ParseAddress(r.RemoteAddr) }

// ParseAddress reads an address with or without a port. It is invalid if there is none. IPv4 addresses inside IPv6 are IPv4 addresses.
func ParseAddress(s string) netip.Addr {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap()
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

// ForwardedAddress returns the address of the client of a request that has come through proxies: of the chain in X-Forwarded-For, as far
// as trusted proxies have written it, the last address that is not one of theirs.
func ForwardedAddress(r *http.Request, trusted func(netip.Addr) bool) netip.Addr {
	a := RemoteAddress(r)
	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
		for more := true; more; {
			if !trusted(a) {
				return a
			}
			i := strings.LastIndexByte(line, ',')
			next := ParseAddress(strings.Trim(line[i+1:], " \t"))
			if !next.IsValid() {
				return a // whatever is before it may be forged
			}
			a, line, more = next, line[:max(i, 0)], i >= 0
		}
	}
	return a
}
