package usage

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
)

// DefaultSecrets are the query parameters whose values are never told, unless [Privacy].Secrets says otherwise.
func DefaultSecrets() []string { return []string{"token", "sig", "access_token"} }

// DefaultTokenPrefixes are the beginnings of paths behind which a token stands: that of package access.
func DefaultTokenPrefixes() []string { return []string{"/t/"} }

// redacted stands for a secret.
const redacted = "redacted"

// Privacy says what is left out of everything that a [Recorder] tells: records, sessions, logs and events. The zero value
// leaves out the default secrets only.
type Privacy struct {
	// MaskAddresses zeroes the part of addresses that tells households apart: IPv4 addresses keep 24 bits, IPv6 addresses 48.
	// Viewers are told apart by the whole address all the same, which is kept as a keyed hash only.
	MaskAddresses bool
	// DropQueries leaves out queries altogether, of the URL and of the Referer.
	DropQueries bool
	// Secrets are names of query parameters whose values are replaced, without regard to case, in URLs and in the Referer.
	// Nil means [DefaultSecrets].
	Secrets []string
	// TokenPrefixes are beginnings of paths such as "/t/": the element behind one is a token. It is replaced in logs, and
	// removed together with the prefix before requests are classified, so that a stream has one name whoever watches. Nil
	// means [DefaultTokenPrefixes].
	TokenPrefixes []string
}

func (p Privacy) withDefaults() *Privacy {
	if p.Secrets == nil {
		p.Secrets = DefaultSecrets()
	}
	if p.TokenPrefixes == nil {
		p.TokenPrefixes = DefaultTokenPrefixes()
	}
	p.Secrets, p.TokenPrefixes = slices.Clone(p.Secrets), slices.Clone(p.TokenPrefixes)
	for i, prefix := range p.TokenPrefixes {
		p.TokenPrefixes[i] = "/" + strings.Trim(prefix, "/") + "/"
	}
	return &p
}

// address returns an address as it may be told.
func (p *Privacy) address(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !p.MaskAddresses || !a.IsValid() {
		return a
	}
	bits := 48
	if a.Is4() {
		bits = 24
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return netip.Addr{}
	}
	return prefix.Addr()
}

// token returns where the path behind a token begins, and the prefix, or zero if there is no token. What is not clean is
// cleaned first, as the handler that knows the token may do that too.
func (p *Privacy) token(s string) (cleaned, prefix string, rest int) {
	if len(p.TokenPrefixes) == 0 {
		return s, "", 0
	}
	cleaned = s
	if !isClean(s) {
		cleaned = path.Clean("/" + strings.ReplaceAll(s, `\`, "/"))
	}
	for _, prefix := range p.TokenPrefixes {
		if len(cleaned) < len(prefix) || cleaned[:len(prefix)] != prefix {
			continue
		}
		end := strings.IndexByte(cleaned[len(prefix):], '/')
		if end < 0 {
			return cleaned, prefix, len(cleaned)
		}
		return cleaned, prefix, len(prefix) + end
	}
	return s, "", 0
}

// isClean reports whether a path has no element that cleaning removes.
func isClean(s string) bool {
	return s != "" && s[0] == '/' && !strings.Contains(s, "//") && !strings.Contains(s, "/.") && strings.IndexByte(s, '\\') < 0
}

// bare returns a request without the token in its path, the same one if there is none.
func (p *Privacy) bare(r *http.Request) *http.Request {
	cleaned, _, rest := p.token(r.URL.Path)
	if rest == 0 {
		return r
	}
	bare, u := *r, *r.URL
	u.Path, u.RawPath = cleaned[rest:], ""
	if u.Path == "" {
		u.Path = "/"
	}
	bare.URL = &u
	return &bare
}

// path returns a path as it may be told.
func (p *Privacy) path(u *url.URL) string {
	cleaned, prefix, rest := p.token(u.Path)
	if rest == 0 {
		return u.Path
	}
	if u.RawPath != "" && strings.Contains(strings.ToLower(u.RawPath), "%2f") {
		return prefix + redacted // where the token ends depends on who reads it
	}
	return prefix + redacted + cleaned[rest:]
}

// query returns a query as it may be told.
func (p *Privacy) query(s string) string {
	if s == "" || p.DropQueries {
		return ""
	}
	if !p.hasSecret(s) {
		return s
	}
	var b strings.Builder
	for rest := s; ; {
		end := strings.IndexAny(rest, "&;")
		pair := rest
		if end >= 0 {
			pair = rest[:end]
		}
		if name, _, _ := strings.Cut(pair, "="); p.isSecret(name) {
			pair = name + "=" + redacted
		}
		b.WriteString(pair)
		if end < 0 {
			return b.String()
		}
		b.WriteByte(rest[end])
		rest = rest[end+1:]
	}
}

func (p *Privacy) hasSecret(query string) bool {
	for rest := query; rest != ""; {
		end := strings.IndexAny(rest, "&;")
		pair := rest
		if end >= 0 {
			pair, rest = rest[:end], rest[end+1:]
		} else {
			rest = ""
		}
		if name, _, _ := strings.Cut(pair, "="); p.isSecret(name) {
			return true
		}
	}
	return false
}

// isSecret reports whether a parameter, by its name as it was sent, is a secret.
func (p *Privacy) isSecret(name string) bool {
	if strings.ContainsAny(name, "%+") {
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
	}
	for _, secret := range p.Secrets {
		if strings.EqualFold(name, secret) {
			return true
		}
	}
	return false
}

// referer returns a Referer as it may be told: without user and password, and with its path and query as those of the
// request.
func (p *Privacy) referer(s string) string {
	if p.isPlain(s) {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return "" // what cannot be read may have a secret anywhere
	}
	told := p.path(u)
	if u.User == nil && u.Fragment == "" && told == u.Path && (u.RawQuery == "" || !p.DropQueries && !p.hasSecret(u.RawQuery)) {
		return s
	}
	if told != u.Path {
		u.Path, u.RawPath = told, ""
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	u.RawQuery = p.query(u.RawQuery)
	u.ForceQuery = false
	return u.String()
}

// isPlain reports whether a Referer surely has nothing to hide, without parsing it.
func (p *Privacy) isPlain(s string) bool {
	if strings.ContainsAny(s, `?#@%\`) || strings.Contains(s, "/.") {
		return false
	}
	_, rest, ok := strings.Cut(s, "://")
	if !ok || strings.Contains(rest, "//") {
		return s == ""
	}
	for _, prefix := range p.TokenPrefixes {
		if strings.Contains(rest, prefix) {
			return false
		}
	}
	return true
}
