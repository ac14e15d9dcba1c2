package listen

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxAddress bounds the length of an address and of a name; a host name has at most 253 bytes, a path of a socket 107.
const maxAddress = 300

// Spec is an address to listen on.
type Spec struct {
	// Address is host:port or unix:/path. ":80" and "*:80" are all addresses of both families, "0.0.0.0:80" those of IPv4
	// and "[::]:80" those of IPv6 only, as in nginx. Port 0 lets the system choose.
	Address string
	// Name is the FileDescriptorName of the systemd socket unit that has this address. Empty means by address only.
	Name string
}

// place is a parsed address.
type place struct {
	network, address string // for net.Listen; address of unix is the path
	host             string // empty for all addresses and for unix
	port             uint16 // 0 for unix
}

// String returns the address in the one form that places are compared by.
func (p place) String() string {
	if p.network == "unix" {
		return "unix:" + p.address
	}
	return p.address
}

// parseAddress parses the address of a Spec.
func parseAddress(s string) (place, error) {
	if len(s) > maxAddress {
		return place{}, fmt.Errorf("listen: address of %d bytes, at most %d: %w", len(s), maxAddress, ErrAddress)
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" || strings.ContainsRune(path, 0) {
			return place{}, fmt.Errorf("listen: %q names no path: %w", s, ErrAddress)
		}
		return place{network: "unix", address: path}, nil
	}
	host, service, err := net.SplitHostPort(s)
	if err != nil {
		return place{}, fmt.Errorf("listen: %q is neither host:port nor unix:/path (all addresses are :port): %w", s, ErrAddress)
	}
	port, err := parsePort(service)
	if err != nil {
		return place{}, fmt.Errorf("listen: port of %q: %w", s, err)
	}
	p := place{network: "tcp", host: host, port: port}
	switch ip, err := netip.ParseAddr(host); {
	case host == "*":
		p.host = ""
	case err == nil && ip.Is4():
		p.network = "tcp4"
	case err == nil:
		p.network, p.host = "tcp6", ip.String()
	case strings.ContainsAny(host, " /:[]%,;\x00"):
		return place{}, fmt.Errorf("listen: host of %q: %w", s, ErrAddress)
	}
	p.address = net.JoinHostPort(p.host, strconv.Itoa(int(port)))
	return p, nil
}

// parsePort parses a port, or the name of a service.
func parsePort(s string) (uint16, error) {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil {
		return uint16(n), nil
	}
	if s == "" || s[0] == '-' || s[0] == '+' || s[0] >= '0' && s[0] <= '9' {
		return 0, fmt.Errorf("%q is not from 0 to 65535: %w", s, ErrAddress)
	}
	n, err := net.LookupPort("tcp", s)
	if err != nil {
		return 0, fmt.Errorf("unknown service %q: %w", s, ErrAddress)
	}
	return uint16(n), nil
}

// is reports whether a socket that listens on addr is the one that p asks for. One that listens on the addresses of one
// family is, for a place that wants both, as the system would refuse another beside it.
func (p place) is(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.UnixAddr:
		return p.network == "unix" && a.Name == p.address
	case *net.TCPAddr:
		ip := a.AddrPort().Addr().Unmap()
		if p.network == "unix" || p.port == 0 || int(p.port) != a.Port {
			return false
		}
		want, err := netip.ParseAddr(p.host)
		return err == nil && want.Unmap() == ip || p.host == "" && (!ip.IsValid() || ip.IsUnspecified()) ||
			p.host == "localhost" && ip.IsLoopback()
	}
	return false
}

// Check returns [ErrAddress] if [Open] and [Set.Update] would: for an address that is not valid, or that is there twice.
func Check(specs []Spec) error {
	_, err := parseSpecs(specs)
	return err
}

// parseSpecs parses addresses and checks that none is there twice.
func parseSpecs(specs []Spec) ([]place, error) {
	if len(specs) > maxSockets {
		return nil, fmt.Errorf("listen: %d addresses, at most %d: %w", len(specs), maxSockets, ErrAddress)
	}
	places := make([]place, 0, len(specs))
	seen := make(map[string]string, len(specs))
	for _, spec := range specs {
		if len(spec.Name) > maxAddress {
			return nil, fmt.Errorf("listen: name of %d bytes, at most %d: %w", len(spec.Name), maxAddress, ErrAddress)
		}
		p, err := parseAddress(spec.Address)
		if err != nil {
			return nil, err
		}
		if other, ok := seen[p.String()]; ok && (p.network == "unix" || p.port != 0) {
			return nil, fmt.Errorf("listen: %s is there twice, also as %s: %w", spec.Address, other, ErrAddress)
		}
		seen[p.String()] = spec.Address
		places = append(places, p)
	}
	return places, nil
}
