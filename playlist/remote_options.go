package playlist

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// RemoteOptions tunes a [Remote]. A nil pointer and the zero value mean the documented defaults. The timeouts are those of
// winHttpSetTimeouts in IIS's configuration.
type RemoteOptions struct {
	// ResolveTimeout is added to ConnectTimeout for looking up a host. Zero adds nothing.
	ResolveTimeout time.Duration
	// ConnectTimeout bounds looking up a host and connecting to it, and the TLS handshake. Zero means a minute.
	ConnectTimeout time.Duration
	// SendTimeout bounds sending a request. Zero means 30 seconds.
	SendTimeout time.Duration
	// ReceiveTimeout is how long nothing may come from the server: from the request to the header of its answer, and
	// between parts of the body. Zero means 30 seconds.
	ReceiveTimeout time.Duration
	// TotalTimeout bounds a request with all its redirects: with the body for [Remote.Decide] and [Remote.Fetch], up to
	// the body for [Remote.Proxy]. Zero means two minutes.
	TotalTimeout time.Duration
	// MaxRedirects is how many redirects are followed. Zero means five; negative means none.
	MaxRedirects int
	// MaxReply bounds the answer to a question, in bytes. Zero means 8 KiB.
	MaxReply int64
	// AllowPrivate allows addresses of this machine and of private networks (RFC 1918, RFC 4193, RFC 6598). Link-local
	// addresses and those of metadata services of clouds are still refused.
	AllowPrivate bool
	// AllowedHosts are hosts, each a name or address with or without a port, that may have any address. Other hosts
	// cannot redirect to them.
	AllowedHosts []string
	// Credentials are sent to servers elsewhere. They are held here, not in playlists, which clients may see.
	Credentials []Credential
	// Resolver looks up hosts. Nil means net.DefaultResolver.
	Resolver *net.Resolver
	// Transport, if set, sends the requests in the place of a transport that refuses addresses which are not allowed,
	// uses no proxy and bounds the headers of answers. It has to do all of that itself.
	Transport http.RoundTripper
}

// Credential is what is sent with requests of URLs that begin with a prefix.
type Credential struct {
	// Prefix is a URL without a query, such as https://origin.example/media/. What is below the path and the path itself
	// match, on the same port. Of several that match the longest is used.
	Prefix string
	// UserName and Password are sent by basic authentication if UserName is not empty.
	UserName, Password string
	// Header is added to requests.
	Header http.Header
}

// withDefaults returns a copy with defaults in the place of zero values.
func (o *RemoteOptions) withDefaults() RemoteOptions {
	var c RemoteOptions
	if o != nil {
		c = *o
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.ConnectTimeout, time.Minute}, {&c.SendTimeout, 30 * time.Second}, {&c.ReceiveTimeout, 30 * time.Second},
		{&c.TotalTimeout, 2 * time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	c.ResolveTimeout = max(c.ResolveTimeout, 0)
	if c.MaxRedirects == 0 {
		c.MaxRedirects = 5
	}
	if c.MaxReply <= 0 {
		c.MaxReply = 8 << 10
	}
	return c
}

// credentials are in the form in which they are matched.
type credentials []credential

type credential struct {
	prefix             *url.URL
	userName, password string
	header             http.Header
}

// newCredentials copies what the operator has given.
func newCredentials(list []Credential) (credentials, error) {
	var c credentials
	for i, given := range list {
		u, err := parseRemote(given.Prefix)
		if err != nil || u.RawQuery != "" || u.Fragment != "" || hasDots(u) {
			return nil, fmt.Errorf("playlist: credential %d: prefix is no http or https URL without a query", i+1)
		}
		c = append(c, credential{u, given.UserName, given.Password, given.Header.Clone()})
	}
	return c, nil
}

// add adds the credential of a request's URL, if there is one, to its header. A path with dot segments has none: the
// server may take it for one that is not below the prefix.
func (c credentials) add(r *http.Request) {
	var best *credential
	for i := range c {
		if p := c[i].prefix; below(p, r.URL) && (best == nil || len(p.Path) > len(best.prefix.Path)) {
			best = &c[i]
		}
	}
	if best == nil || hasDots(r.URL) {
		return
	}
	for name, values := range best.header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	if best.userName != "" {
		r.SetBasicAuth(best.userName, best.password)
	}
}

// below reports whether a URL is that of a prefix or below it.
func below(prefix, u *url.URL) bool {
	if u.Scheme != prefix.Scheme || !strings.EqualFold(u.Hostname(), prefix.Hostname()) || portOf(u) != portOf(prefix) {
		return false
	}
	dir := strings.TrimSuffix(prefix.Path, "/")
	rest, ok := strings.CutPrefix(u.Path, dir)
	return ok && (rest == "" || rest[0] == '/')
}
