package access

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
)

// IsLoopback reports whether a listener at an address such as "127.0.0.1:8080" or "localhost:80" is reached from this
// machine only. An address without a host listens everywhere. It is for programs that refuse to start management without
// authentication elsewhere.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	return isLoopbackHost(host)
}

// isLoopbackHost reports whether a host without port is this machine. Of names only localhost is known to be.
func isLoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	if err != nil && len(host) > 2 && host[0] == '[' {
		a, err = netip.ParseAddr(host[1 : len(host)-1])
	}
	return err == nil && a.Unmap().IsLoopback()
}

// LoopbackOnly returns a policy that lets in programs of this machine, see [CheckLoopback].
func LoopbackOnly() *Policy {
	return &Policy{NoCORS: true, Authorize: func(r *http.Request, _ *Identity) error { return CheckLoopback(r) }}
}

// forwardedBy are headers of requests that a proxy has passed on.
var forwardedBy = [...]string{
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip",
	"Forwarded", "Via",
}

// CheckLoopback returns an error that wraps [ErrForbidden] unless a program of this machine sends the request: from its
// loopback address; under a name of that, as a page from elsewhere may have been loaded under a name that leads here
// (DNS rebinding); and not through a proxy, whose clients are elsewhere: who speaks HTTP/1.0 is taken for one, as nginx
// does that unless told otherwise. A proxy that does not say that it is one cannot be told apart: put no proxy in front
// of what relies on this.
func CheckLoopback(r *http.Request) error {
	if a := RemoteAddress(r); !a.IsLoopback() {
		return fmt.Errorf("access: address %v is not of this machine: %w", a, ErrForbidden)
	}
	if !IsLoopback(r.Host) {
		return fmt.Errorf("access: host %q is not this machine: %w", r.Host, ErrForbidden)
	}
	if !r.ProtoAtLeast(1, 1) {
		return fmt.Errorf("access: request of %s, as proxies send: %w", r.Proto, ErrForbidden)
	}
	for _, name := range forwardedBy {
		if r.Header[name] != nil {
			return fmt.Errorf("access: request through a proxy, header %s: %w", name, ErrForbidden)
		}
	}
	return nil
}
