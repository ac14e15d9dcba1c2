package edge

import (
	"net/http"
	"strings"
	"time"
)

// maxDelta is the largest number of seconds that a directive or Age means: RFC 9111 section 1.2.2 says 2^31.
const maxDelta = 1 << 31

// absent is the value of a directive that is not there.
const absent time.Duration = -1

// responseControl is the Cache-Control of a response, RFC 9111 section 5.2.2.
type responseControl struct {
	noStore, noCache, private, public bool
	// mustRevalidate is must-revalidate or proxy-revalidate: in a shared cache they mean the same.
	mustRevalidate bool
	// maxAge and sMaxAge are lifetimes, or absent. What is no number of seconds is zero: stale at once.
	maxAge, sMaxAge time.Duration
	// staleWhileRevalidate and staleIfError are those of RFC 5861, or absent.
	staleWhileRevalidate, staleIfError time.Duration
}

// parseResponseControl parses the values of Cache-Control. Of directives that are there twice the stricter one counts.
func parseResponseControl(values []string) responseControl {
	cc := responseControl{maxAge: absent, sMaxAge: absent, staleWhileRevalidate: absent, staleIfError: absent}
	for _, value := range values {
		for value != "" {
			var name, arg string
			name, arg, value = nextDirective(value)
			cc.set(name, arg)
		}
	}
	return cc
}

func (cc *responseControl) set(name, arg string) {
	switch {
	case strings.EqualFold(name, "no-store"):
		cc.noStore = true
	case strings.EqualFold(name, "no-cache"):
		cc.noCache = true // with field names too: to leave out fields would be allowed, to validate is as well
	case strings.EqualFold(name, "private"):
		cc.private = true
	case strings.EqualFold(name, "public"):
		cc.public = true
	case strings.EqualFold(name, "must-revalidate"), strings.EqualFold(name, "proxy-revalidate"):
		cc.mustRevalidate = true
	case strings.EqualFold(name, "max-age"):
		shorten(&cc.maxAge, arg, 0)
	case strings.EqualFold(name, "s-maxage"):
		shorten(&cc.sMaxAge, arg, 0)
	case strings.EqualFold(name, "stale-while-revalidate"):
		shorten(&cc.staleWhileRevalidate, arg, 0)
	case strings.EqualFold(name, "stale-if-error"):
		shorten(&cc.staleIfError, arg, 0)
	}
}

// requestControl is the Cache-Control of a request, RFC 9111 section 5.2.1.
type requestControl struct {
	noStore, noCache, onlyIfCached bool
	// maxAge, minFresh and maxStale are absent where they are not there.
	maxAge, minFresh, maxStale time.Duration
}

// noRequestControl is that of a request without.
var noRequestControl = requestControl{maxAge: absent, minFresh: absent, maxStale: absent}

// requestControlOf returns that of a request. Pragma counts where there is no Cache-Control: RFC 9111 section 5.4.
func requestControlOf(h http.Header, ignoreReload bool) requestControl {
	rc := noRequestControl
	values := h["Cache-Control"]
	if values == nil {
		values = h["Pragma"]
	}
	for _, value := range values {
		for value != "" {
			var name, arg string
			name, arg, value = nextDirective(value)
			rc.set(name, arg)
		}
	}
	if ignoreReload {
		rc.noCache, rc.maxAge, rc.minFresh = false, absent, absent
	}
	return rc
}

func (rc *requestControl) set(name, arg string) {
	switch {
	case strings.EqualFold(name, "no-store"):
		rc.noStore = true
	case strings.EqualFold(name, "no-cache"):
		rc.noCache = true
	case strings.EqualFold(name, "only-if-cached"):
		rc.onlyIfCached = true
	case strings.EqualFold(name, "max-age"):
		shorten(&rc.maxAge, arg, 0)
	case strings.EqualFold(name, "min-fresh"):
		if d, ok := parseDelta(arg); ok {
			rc.minFresh = max(rc.minFresh, d)
		}
	case strings.EqualFold(name, "max-stale"):
		if arg == "" {
			arg = "2147483648" // any
		}
		shorten(&rc.maxStale, arg, absent)
	}
}

// shorten sets a value to the number of seconds in arg, unless it is less already. What is no number means bad.
func shorten(v *time.Duration, arg string, bad time.Duration) {
	d, ok := parseDelta(arg)
	if !ok {
		d = bad
	}
	if *v == absent || d < *v {
		*v = d
	}
}

// parseDelta parses delta-seconds of RFC 9111 section 1.2.2.
func parseDelta(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	n := int64(0)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = min(n*10+int64(s[i]-'0'), maxDelta)
	}
	return time.Duration(n) * time.Second, true
}

// nextDirective returns the first directive of a list and the rest:
//
//	cache-directive = token [ "=" ( token / quoted-string ) ]
//
// It never fails: what is malformed gives a name that nobody knows, and the next comma outside quotes ends it. So a
// directive that follows is not lost.
func nextDirective(s string) (name, arg, rest string) {
	end := 0
	for quoted := false; end < len(s) && (quoted || s[end] != ','); end++ {
		switch {
		case s[end] == '"':
			quoted = !quoted
		case s[end] == '\\' && quoted:
			end++
		}
	}
	item := s[:min(end, len(s))]
	if end+1 < len(s) {
		rest = s[end+1:]
	}
	name, arg, _ = strings.Cut(item, "=")
	arg = strings.Trim(arg, " \t")
	if len(arg) >= 2 && arg[0] == '"' && arg[len(arg)-1] == '"' {
		arg = arg[1 : len(arg)-1]
	}
	return strings.Trim(name, " \t"), arg, rest
}
