package edge

import (
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
)

// maxKey bounds the bytes of a key. Requests with longer ones pass through.
const maxKey = 8 << 10

// key names what is asked for: the cache key of RFC 9111 section 2, without the method, which is always GET.
type key struct {
	// host is empty unless Options.KeepHost.
	host string
	// path is escaped, see [canonicalPath].
	path string
	// query is without the parameters that belong to the viewer.
	query string
}

func (k key) len() int { return len(k.host) + len(k.path) + len(k.query) }

// uri returns the path and query as in a request line.
func (k key) uri() string {
	if k.query == "" {
		return k.path
	}
	return k.path + "?" + k.query
}

// keyOf returns the key of a request. In the usual case it allocates nothing.
func (c *Cache) keyOf(r *http.Request) (key, error) {
	path, err := requestPath(r.URL)
	if err != nil {
		return key{}, err
	}
	k := key{path: path, query: stripQuery(r.URL.RawQuery, c.opts.StripQuery)}
	if c.opts.KeepHost {
		k.host = strings.ToLower(r.Host)
	}
	return k, nil
}

// hash returns the number by which memory and flights find a key. It differs from process to process, so that nobody
// can make keys collide.
func (c *Cache) hash(k key) uint64 {
	h := maphash.String(c.seed, k.path)
	if k.query != "" {
		h = h*0x9e3779b97f4a7c15 ^ maphash.String(c.seed, k.query)
	}
	if k.host != "" {
		h = h*0x9e3779b97f4a7c15 ^ maphash.String(c.seed, k.host) ^ 1
	}
	return h
}

// requestPath returns the escaped path of a request in canonical form, as it goes into the key and to the upstream.
func requestPath(u *url.URL) (string, error) {
	path := canonicalPath(u.EscapedPath())
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if strings.Contains(path, "..") && leadsUpwards(path) {
		return "", ErrBadPath
	}
	return path, nil
}

// canonicalPath returns an escaped path in which nothing is escaped that need not be, and the rest with capital
// letters, so that players that write Fragments(video=0) and proxies that write Fragments%28video=0%29 share an object.
// RFC 3986 section 6.2.2 says so for unreserved characters. For the sub-delimiters of section 2.2 it leaves it to the
// server, and no server of media tells them apart.
func canonicalPath(path string) string {
	if strings.IndexByte(path, '%') < 0 {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b = append(b, path[i])
			continue
		}
		hi, lo := byte(255), byte(255)
		if i+2 < len(path) {
			hi, lo = unhex(path[i+1]), unhex(path[i+2])
		}
		switch c := hi<<4 | lo; {
		case hi > 15 || lo > 15:
			b = append(b, "%25"...) // no escape, and it must not become one by what follows
		case plain(c):
			b = append(b, c)
			i += 2
		default:
			b = append(b, '%', upperHex[hi], upperHex[lo])
			i += 2
		}
	}
	return string(b)
}

const upperHex = "0123456789ABCDEF"

// unhex returns the value of a hexadecimal digit, or 255.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// plain reports whether a byte stands for itself in a path: pchar of RFC 3986 section 3.3.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0
}

// leadsUpwards reports whether a canonical path has a segment of two dots, also where the upstream might take an
// escaped slash or backslash for a separator.
func leadsUpwards(path string) bool {
	path = strings.NewReplacer("%2F", "/", "%5C", "/", `\`, "/").Replace(path)
	for segment := range strings.SplitSeq(path, "/") {
		if segment == ".." {
			return true
		}
	}
	return false
}

// stripQuery returns a raw query without some parameters.
func stripQuery(query string, names []string) string {
	if query == "" || len(names) == 0 || !hasParameter(query, names) {
		return query
	}
	kept := make([]string, 0, 8)
	for pair := range strings.SplitSeq(query, "&") {
		if !isParameter(pair, names) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

func hasParameter(query string, names []string) bool {
	for rest, more := query, true; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		if isParameter(pair, names) {
			return true
		}
	}
	return false
}

func isParameter(pair string, names []string) bool {
	name, _, _ := strings.Cut(pair, "=")
	if strings.IndexByte(name, '%') >= 0 || strings.IndexByte(name, '+') >= 0 {
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
	}
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
