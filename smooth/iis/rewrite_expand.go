package iis

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// expansion is a text that grows to a bound.
type expansion struct {
	strings.Builder
	long bool
}

func (e *expansion) add(s string) {
	if e.long = e.long || e.Len()+len(s) > maxExpanded; !e.long {
		e.WriteString(s)
	}
}

func (e *expansion) tooLong() bool { return e.long }

// expand writes a template with the values of its variables. As a URL, values that are not text of one are escaped.
func (x *rewriting) expand(e *expansion, t pieces, groups []string, asURL bool) {
	for i := range t {
		p := &t[i]
		v, isURL, long := x.value(p, groups)
		e.long = e.long || long
		switch {
		case !asURL || p.kind == partText:
		case isURL:
			v = escapeText(v)
		default:
			v = escapeValue(v, strings.Contains(e.String(), "?"))
		}
		e.add(v)
	}
}

// value returns what a part stands for, and whether it is text of a URL, which is not escaped again. It is too long if what
// is in its braces is: a condition must not take that for empty.
func (x *rewriting) value(p *part, groups []string) (v string, isURL, long bool) {
	switch p.kind {
	case partText:
		return p.text, true, false
	case partRule:
		return groupOf(groups, p.n), false, false
	case partCondition:
		return groupOf(x.conditionGroups, p.n), x.conditionURL, false
	case partVariable:
		return x.variable(p.text), p.isURL(), false
	}
	var arg expansion
	x.expand(&arg, p.arg, groups, false)
	if p.kind == partMap {
		return x.h.maps[strings.ToLower(p.text)].lookup(arg.String()), true, arg.long
	}
	switch p.text {
	case "URLENCODE":
		return url.QueryEscape(arg.String()), true, arg.long
	case "URLDECODE":
		return unescapeQuery(arg.String()), false, arg.long
	}
	return strings.ToLower(arg.String()), p.arg.isURL(), arg.long
}

func groupOf(groups []string, n int) string {
	if n < len(groups) {
		return groups[n]
	}
	return ""
}

func (m *RewriteMap) lookup(key string) string {
	if v, ok := m.Entries[m.keyOf(key)]; ok {
		return v
	}
	return m.Default
}

// variable returns the value of a server variable of IIS.
func (x *rewriting) variable(name string) string {
	r := x.r
	switch name {
	case "HTTPS":
		return onOff(x.h.https(r), "on", "off")
	case "SERVER_PORT_SECURE":
		return onOff(x.h.https(r), "1", "0")
	case "QUERY_STRING":
		return x.query
	case "REQUEST_URI", "UNENCODED_URL", "CACHE_URL":
		return r.URL.RequestURI()
	case "URL", "PATH_INFO", "SCRIPT_NAME":
		return x.path
	case "REQUEST_METHOD":
		return r.Method
	case "SERVER_PROTOCOL":
		return r.Proto
	case "HTTP_HOST":
		return r.Host
	case "SERVER_NAME":
		return (&url.URL{Host: r.Host}).Hostname()
	case "SERVER_PORT":
		return x.port()
	case "REMOTE_ADDR", "REMOTE_HOST":
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		return host
	case "REMOTE_PORT":
		_, port, _ := net.SplitHostPort(r.RemoteAddr)
		return port
	case "CONTENT_TYPE":
		return r.Header.Get("Content-Type")
	case "CONTENT_LENGTH":
		return strconv.FormatInt(max(r.ContentLength, 0), 10)
	}
	header, _ := strings.CutPrefix(name, "HTTP_")
	return r.Header.Get(strings.ReplaceAll(header, "_", "-"))
}

// port returns the port of the server: that of the connection, or of the host that was asked for.
func (x *rewriting) port() string {
	if addr, ok := x.r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if _, port, err := net.SplitHostPort(addr.String()); err == nil {
			return port
		}
	}
	if port := (&url.URL{Host: x.r.Host}).Port(); port != "" {
		return port
	}
	return onOff(x.h.https(x.r), "443", "80")
}

func onOff(b bool, on, off string) string {
	if b {
		return on
	}
	return off
}
