package playlist

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseRemote reads an absolute http or https URL with a host and without user information: credentials are held outside
// playlists. What cannot be in a query is percent-encoded in it. Errors wrap [ErrForbiddenSource].
func parseRemote(src string) (*url.URL, error) {
	if len(src) > maxSource {
		return nil, forbidden("longer than "+maxSourceText, src[:64]+"...")
	}
	u, err := url.Parse(src)
	if err != nil || !utf8.ValidString(src) {
		return nil, forbidden("no valid URL", src)
	}
	if why := badRemote(u); why != "" {
		return nil, forbidden(why, src)
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	return u, nil
}

// badRemote says why a URL is none that may be asked for, or nothing.
func badRemote(u *url.URL) string {
	switch host := u.Hostname(); {
	case u.Scheme != "http" && u.Scheme != "https":
		return "URL of another scheme than http and https"
	case u.User != nil:
		return "URL with user information"
	case u.Opaque != "" || host == "":
		return "URL without a host"
	case strings.ContainsAny(host, "%\\ \t"): // zones of IPv6 addresses among them
		return "URL with a host that cannot be"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "URL with a port that cannot be"
		}
	}
	if len(u.String()) > 3*maxSource {
		return "URL too long when encoded"
	}
	return ""
}

// escapeQuery percent-encodes what cannot be in a query. Package url leaves queries as they are, spaces too, which would
// end a request line early.
func escapeQuery(q string) string {
	return escapeExcept(q, func(c byte) bool { return c > ' ' && c < 0x7f && strings.IndexByte("\"<>\\^`{|}#", c) < 0 })
}

// escapeValue percent-encodes all but unreserved characters. See RFC 3986 section 2.3.
func escapeValue(s string) string { return escapeExcept(s, isUnreserved) }

// escapeExcept percent-encodes all bytes but some.
func escapeExcept(s string, keep func(byte) bool) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; keep(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

func isUnreserved(c byte) bool {
	return isLetter(c) || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
