package edge

import (
	"net/http"
	"time"
)

// freshness says how long a response may be used.
type freshness struct {
	// received is when the response came: response_time of RFC 9111 section 4.2.3.
	received time.Time
	// initialAge is its age then, corrected_initial_age.
	initialAge time.Duration
	// lifetime is freshness_lifetime, section 4.2.
	lifetime time.Duration
	// staleWhile and staleIfError are how long beyond its lifetime it may be used while it is being validated, and while
	// upstreams fail. Absent means that it does not say.
	staleWhile, staleIfError time.Duration
	// validate means that it is validated before each use: no-cache.
	validate bool
	// strict means that it is never used beyond its lifetime: must-revalidate, proxy-revalidate, s-maxage.
	strict bool
	// shared means that it may be used for requests with Authorization, section 3.5.
	shared bool
}

// age returns current_age of RFC 9111 section 4.2.3.
func (f *freshness) age(now time.Time) time.Duration {
	return max(f.initialAge+max(now.Sub(f.received), 0), 0)
}

// fresh reports whether it may be used without validation.
func (f *freshness) fresh(now time.Time) bool {
	return !f.validate && f.lifetime > f.age(now)
}

// usable reports whether it may answer a request without validation, with what the request says. RFC 9111 section 4.
func (f *freshness) usable(rc *requestControl, now time.Time) bool {
	if rc.noCache || f.validate {
		return false
	}
	age := f.age(now)
	if rc.maxAge != absent && age >= rc.maxAge {
		return false
	}
	left := f.lifetime - age
	if rc.minFresh != absent && left < rc.minFresh {
		return false
	}
	return left > 0 || rc.maxStale != absent && !f.strict && -left < rc.maxStale
}

// usableWhileValidating reports whether a stale response may be used while it is being validated: RFC 5861 section 3.
func (f *freshness) usableWhileValidating(now time.Time) bool {
	return !f.validate && !f.strict && f.staleWhile != absent && f.age(now)-f.lifetime < f.staleWhile
}

// usableOnError reports whether a stale response may be used because upstreams fail: RFC 5861 section 4.
func (f *freshness) usableOnError(byDefault time.Duration, now time.Time) bool {
	if f.validate || f.strict {
		return false
	}
	limit := f.staleIfError
	if limit == absent {
		limit = byDefault
	}
	return f.age(now)-f.lifetime < limit
}

// freshnessOf computes the freshness of a response that was asked for and came at the given times.
func (c *Cache) freshnessOf(status int, h http.Header, cc *responseControl, asked, received time.Time) freshness {
	f := freshness{
		received: received, initialAge: initialAge(h, asked, received), lifetime: c.lifetimeOf(status, h, cc, received),
		staleWhile: cc.staleWhileRevalidate, staleIfError: cc.staleIfError,
		validate: cc.noCache, strict: cc.mustRevalidate || cc.sMaxAge != absent,
		shared: cc.public || cc.sMaxAge != absent || cc.mustRevalidate,
	}
	if h["Cache-Control"] == nil && isNoCache(h["Pragma"]) {
		f.validate = true // what an HTTP/1.0 origin means by it, though RFC 9111 section 5.4 defines it for requests only
	}
	return f
}

// initialAge returns corrected_initial_age of RFC 9111 section 4.2.3. Dates have whole seconds, so the time of receipt
// is cut to them where it is compared with one: else a response would seem up to a second old when it comes, which is
// the whole lifetime of a live manifest.
func initialAge(h http.Header, asked, received time.Time) time.Duration {
	var apparent time.Duration
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		apparent = max(received.Truncate(time.Second).Sub(date), 0)
	}
	age := max(received.Sub(asked), 0)
	if stated, ok := parseDelta(h.Get("Age")); ok {
		age += stated
	}
	return max(apparent, age)
}

// lifetimeOf returns freshness_lifetime of RFC 9111 section 4.2.1, or that of the heuristics that options allow, section
// 4.2.2.
func (c *Cache) lifetimeOf(status int, h http.Header, cc *responseControl, received time.Time) time.Duration {
	life, explicit := explicitLifetime(h, cc, received)
	if isMissing(status) {
		return min(life, max(c.opts.MaxNotFound, 0))
	}
	if explicit || !isHeuristic(status) {
		return life
	}
	if modified, err := http.ParseTime(h.Get("Last-Modified")); err == nil && c.opts.MaxHeuristic > 0 {
		return min(max(received.Sub(modified)/10, 0), c.opts.MaxHeuristic)
	}
	if status == http.StatusOK && h["Cache-Control"] == nil {
		return max(c.opts.DefaultLifetime, 0)
	}
	return 0
}

// explicitLifetime returns the lifetime that a response states, and whether it does.
func explicitLifetime(h http.Header, cc *responseControl, received time.Time) (time.Duration, bool) {
	switch {
	case cc.sMaxAge != absent:
		return cc.sMaxAge, true
	case cc.maxAge != absent:
		return cc.maxAge, true
	}
	values := h["Expires"]
	if len(values) == 0 {
		return 0, false
	}
	expires, err := http.ParseTime(values[0])
	if err != nil {
		return 0, true // RFC 9111 section 5.3: an invalid date, especially 0, is in the past
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		date = received
	}
	return min(max(expires.Sub(date), 0), maxDelta*time.Second), true
}

// isNoCache reports whether Pragma says no-cache.
func isNoCache(values []string) bool {
	rc := noRequestControl
	for _, value := range values {
		for value != "" {
			var name, arg string
			name, arg, value = nextDirective(value)
			rc.set(name, arg)
		}
	}
	return rc.noCache
}
