package playlist

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// reach is who can be reached at an address.
type reach int

const (
	reachPublic  reach = iota // anybody
	reachPrivate              // this machine and its neighbours
	reachOther                // links, groups, the metadata services of clouds, and what is reserved
)

// Ranges of IPv4 that are not public. See RFC 6890 and IANA's registry of special-purpose addresses.
var (
	private4 = prefixes("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
	other4   = prefixes(
		"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"100.100.100.200/32", "168.63.129.16/32", // metadata services of Alibaba and Azure
	)
)

// Ranges of IPv6. Of the rest only 2000::/3 is public.
var (
	private6 = prefixes("::1/128", "fc00::/7")
	other6   = prefixes(
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
		"fd00:ec2::254/128", // metadata service of AWS
	)
	public6 = netip.MustParsePrefix("2000::/3")
	// nat64 carries an IPv4 address in its last four bytes. See RFC 6052 section 2.1.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(list ...string) []netip.Prefix {
	p := make([]netip.Prefix, len(list))
	for i, s := range list {
		p[i] = netip.MustParsePrefix(s)
	}
	return p
}

// reachOf returns who can be reached at an address. An IPv4 address in one of IPv6 counts as what it is.
func reachOf(a netip.Addr) reach {
	if a.Zone() != "" || !a.IsValid() {
		return reachOther
	}
	if a = a.Unmap(); nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	private, other := private4, other4
	if a.Is6() {
		private, other = private6, other6
	}
	switch {
	case inAny(other, a):
		return reachOther
	case inAny(private, a):
		return reachPrivate
	case a.Is6() && !public6.Contains(a):
		return reachOther
	}
	return reachPublic
}

func inAny(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// hosts are names with or without ports whose addresses are trusted.
type hosts map[string]bool

// newHosts returns a set of hosts, or an error for one that is none.
func newHosts(list []string) (hosts, error) {
	h := make(hosts)
	for _, s := range list {
		host, port := splitHost(s)
		if host == "" {
			return nil, fmt.Errorf("playlist: allowed host %q is none", s)
		}
		h[hostKey(host, port)] = true
	}
	return h, nil
}

func hostKey(host, port string) string { return strings.ToLower(host) + " " + port }

// has reports whether a host and port are in the set.
func (h hosts) has(host, port string) bool {
	host, _ = splitHost(bracketed(host)) // in the same form
	return host != "" && (h[hostKey(host, "")] || h[hostKey(host, port)])
}

// hasURL reports whether the host of a URL is in the set.
func (h hosts) hasURL(u *url.URL) bool { return h.has(u.Hostname(), portOf(u)) }

// portOf returns the port of a URL, that of its scheme if it has none.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// dial connects to a host. Each address is checked when the socket is about to connect to it, so it does not matter what
// the name meant before.
func (r *Remote) dial(ctx context.Context, network, address string) (net.Conn, error) {
	limit := reachPublic
	if r.opts.AllowPrivate {
		limit = reachPrivate
	}
	if host, port, err := net.SplitHostPort(address); err == nil && r.hosts.has(host, port) {
		limit = reachOther
	}
	if a, err := netip.ParseAddrPort(address); err == nil && reachOf(a.Addr()) > limit { // before there is a socket
		return nil, forbidden("address that is not public", address)
	}
	d := net.Dialer{Timeout: r.opts.ResolveTimeout + r.opts.ConnectTimeout, Resolver: r.opts.Resolver}
	d.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
		return checkAddress(network, address, limit)
	}
	return d.DialContext(ctx, network, address)
}

// checkAddress returns an error that wraps ErrForbiddenSource unless a socket may connect to an address.
func checkAddress(network, address string, limit reach) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return forbidden("no TCP address", address)
	}
	if reachOf(a.Addr()) > limit {
		return forbidden("address that is not public", address)
	}
	return nil
}
