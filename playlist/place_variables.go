package playlist

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// variables are the server variables of a request, by the names that IIS has for them.
//
// The client writes the Host header, so it must not say which server is asked: SERVER_NAME and SERVER_PORT are those of
// the operator's list of names where the header names one of it, else those of the first of the list. Without a list
// they are the address and port that the client has connected to, which are this server's whatever the header says.
// HTTP_HOST is the same in the host of a URL, and the header elsewhere.
type variables struct {
	r          *http.Request
	url        *url.URL // as the client asked
	local      netip.AddrPort
	host, port string // that are asked; host is empty if not known
}

// serverVariables returns the variables of a request. names are the names of this server, each a host or host:port, by
// which it can be asked; without a port it is asked at the one that the client has connected to.
func serverVariables(r *http.Request, names []string) *variables {
	v := &variables{r: r, url: r.URL}
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
		v.url = u // as it was before http.StripPrefix
	}
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if a, err := netip.ParseAddrPort(addr.String()); err == nil {
			v.local = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
		}
	}
	switch {
	case v.local.Port() > 0:
		v.port = strconv.Itoa(int(v.local.Port()))
	case r.TLS != nil:
		v.port = "443"
	default:
		v.port = "80"
	}
	v.choose(names)
	return v
}

// choose sets what is asked.
func (v *variables) choose(names []string) {
	asked, _ := splitHost(v.r.Host)
	connected := v.port
	for _, name := range names {
		host, port := splitHost(name)
		named := host != "" && strings.EqualFold(host, asked)
		if named || v.host == "" {
			v.host, v.port = host, cmp.Or(port, connected)
		}
		if named {
			return
		}
	}
	if v.host == "" && v.local.IsValid() {
		v.host = v.local.Addr().String()
	}
}

// splitHost splits a host with an optional port. The host has no brackets and no final dot; both are empty unless they
// are what a name or address and a port can be.
func splitHost(s string) (host, port string) {
	u, err := url.Parse("//" + s)
	if err != nil || u.Host != s || badRemote(&url.URL{Scheme: "http", Host: s}) != "" {
		return "", ""
	}
	host = strings.TrimSuffix(u.Hostname(), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String(), u.Port()
	}
	for i := range len(host) {
		if c := host[i]; !isUnreserved(c) || c == '~' {
			return "", ""
		}
	}
	return host, u.Port()
}

// value returns the value of a variable as it can stand in a part of a URL, or why it cannot.
func (v *variables) value(name string, part urlPart) (value, why string) {
	name = strings.ToUpper(name)
	if part == inHost {
		return v.hostValue(name)
	}
	raw, ok := v.lookup(name)
	switch {
	case !ok:
		return "", "unknown server variable"
	case name == "QUERY_STRING" && part == inQuery:
		return escapeExcept(raw, isQueryByte), ""
	case part == inPath && isPathName(name):
		return escapeExcept(raw, func(c byte) bool { return isUnreserved(c) || c == '/' }), ""
	}
	return escapeValue(raw), ""
}

// hostValue returns the value of a variable in the host of a URL.
func (v *variables) hostValue(name string) (value, why string) {
	if v.host == "" && name != "SERVER_PORT" {
		return "", "server variable in the host, and this server's name is not known"
	}
	switch name {
	case "SERVER_NAME":
		return bracketed(v.host), ""
	case "SERVER_PORT":
		return v.port, ""
	case "HTTP_HOST":
		return bracketed(v.host) + ":" + v.port, ""
	}
	return "", "server variable that cannot be in a host"
}

// bracketed returns a host as it is written in a URL.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// isPathName reports whether a variable is a path.
func isPathName(name string) bool {
	return name == "URL" || name == "SCRIPT_NAME" || name == "PATH_INFO"
}

// isQueryByte reports whether a byte of a query stays as it is. Escapes do.
func isQueryByte(c byte) bool {
	return isUnreserved(c) || strings.IndexByte("%&=;+!$'()*,/:@?", c) >= 0
}

// lookup returns the value of a variable, and whether there is one of this name. Headers that a request does not have are
// empty. What carries credentials is not passed on.
func (v *variables) lookup(name string) (value string, ok bool) {
	switch name {
	case "SERVER_NAME":
		return v.host, v.host != ""
	case "SERVER_PORT":
		return v.port, true
	case "SERVER_PORT_SECURE":
		return v.secure("1", "0"), true
	case "HTTPS":
		return v.secure("on", "off"), true
	case "SERVER_PROTOCOL":
		return v.r.Proto, true
	case "REQUEST_METHOD":
		return v.r.Method, true
	case "URL", "SCRIPT_NAME", "PATH_INFO":
		return v.url.Path, true
	case "QUERY_STRING":
		return v.url.RawQuery, true
	case "REMOTE_ADDR", "REMOTE_HOST":
		host, _ := v.remote()
		return host, true
	case "REMOTE_PORT":
		_, port := v.remote()
		return port, true
	case "LOCAL_ADDR":
		return v.local.Addr().String(), v.local.IsValid()
	case "CONTENT_LENGTH":
		return strconv.FormatInt(max(v.r.ContentLength, 0), 10), true
	case "CONTENT_TYPE":
		return v.r.Header.Get("Content-Type"), true
	case "HTTP_HOST":
		return v.r.Host, true
	case "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "HTTP_COOKIE":
		return "", false
	}
	header, ok := strings.CutPrefix(name, "HTTP_")
	if !ok || header == "" {
		return "", false
	}
	return v.r.Header.Get(strings.ReplaceAll(header, "_", "-")), true
}

func (v *variables) secure(yes, no string) string {
	if v.r.TLS != nil {
		return yes
	}
	return no
}

// remote returns the address and port of the client.
func (v *variables) remote() (host, port string) {
	a, err := netip.ParseAddrPort(v.r.RemoteAddr)
	if err != nil {
		return "", ""
	}
	return a.Addr().Unmap().WithZone("").String(), strconv.Itoa(int(a.Port()))
}
