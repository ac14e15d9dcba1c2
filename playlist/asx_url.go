package playlist

import (
	"net/url"
	"strings"
)

// asxScheme returns the scheme of a place in lower case, empty if it has none. One letter before a colon is a drive of
// Windows; and what is followed by a number is a host with its port, such as "server:8080/a.wmv".
func asxScheme(s string) string {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || len(scheme) < 2 || !isTagLetter(scheme[0]) || rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		return ""
	}
	for _, c := range []byte(scheme) {
		if !isTagLetter(c) && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return ""
		}
	}
	return strings.ToLower(scheme)
}

// isPhysical tells whether a place is a path of Windows: of a drive, or of a share.
func isPhysical(s string) bool {
	return len(s) > 2 && isTagLetter(s[0]) && s[1] == ':' && (s[2] == '\\' || s[2] == '/') || strings.HasPrefix(s, `\\`)
}

// filePath returns the path of a file URL as Windows has it: file:///C:/a.wmv, file://C:\a.wmv, file://server/share/a.wmv.
func filePath(s string) string {
	rest := strings.ReplaceAll(s[len("file:"):], "/", `\`)
	if p, err := url.PathUnescape(rest); err == nil {
		rest = p
	}
	local := strings.TrimLeft(rest, `\`)
	switch {
	case len(local) > 1 && local[1] == ':':
		return local
	case strings.HasPrefix(rest, `\\\`): // no host: a path of another system than Windows
		return "/" + strings.ReplaceAll(local, `\`, "/")
	}
	return rest
}

// isAbsolute tells whether a base has no effect on a place.
func isAbsolute(s string) bool { return asxScheme(s) != "" || isPhysical(s) }

// resolveASX returns a place below a base, which ends with a slash. A base without a scheme is itself relative to the
// playlist.
func resolveASX(base, ref string) string {
	if base == "" || isAbsolute(ref) {
		return ref
	}
	if asxScheme(base) == "" {
		if strings.HasPrefix(ref, "/") {
			return ref
		}
		return base + ref
	}
	b, err := url.Parse(base)
	if err != nil {
		return base + ref
	}
	r, err := url.Parse(ref)
	if err != nil {
		return base + ref
	}
	return b.ResolveReference(r).String()
}

// cleanBase returns the base of a BASE element, or false if it is none. Windows Media Player appends the slash.
func cleanBase(s string) (string, bool) {
	s = strings.TrimSpace(s)
	s, _, _ = strings.Cut(s, "#")
	if s == "" || isPhysical(s) {
		return "", false
	}
	if host, rest, ok := strings.Cut(s, ":"); ok && asxScheme(s) == "" && !strings.Contains(host, "/") && rest != "" {
		return "", false // a host with its port, without a scheme
	}
	if !strings.HasSuffix(s, "/") {
		s += "/"
	}
	return s, true
}

// asxSource returns the place and the type of what a metafile refers to, or why it cannot be an entry.
func asxSource(s string) (src string, t SrcType, problem string) {
	switch scheme := asxScheme(s); scheme {
	case "http", "https":
		return s, RemoteURL, ""
	case "mms", "mmst", "mmsu", "mmsh", "rtsp", "rtspt", "rtspu":
		return s, RemoteURL, ""
	case "file":
		if src = strings.TrimSpace(filePath(s)); src == "" {
			return "", 0, "a file without a name"
		}
		return src, PhysicalPath, ""
	case "httpd":
		return "", 0, "httpd is for playlists of this server"
	case "":
		if isPhysical(s) {
			return s, PhysicalPath, ""
		}
		if first, _, _ := strings.Cut(s, "/"); strings.Contains(first, ":") {
			return "", 0, "a host without a scheme"
		}
		return s, RelativeURI, ""
	default:
		return "", 0, "scheme " + scheme + " is not known"
	}
}

// isStreaming tells whether a place is of a protocol of Windows Media Services.
func isStreaming(s string) bool {
	scheme := asxScheme(s)
	return strings.HasPrefix(scheme, "mms") || strings.HasPrefix(scheme, "rtsp")
}
