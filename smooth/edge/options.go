package edge

import (
	"log/slog"
	"net/http"
	"time"
)

// Defaults of [Options].
const (
	// DefaultMemoryBytes is the default of Options.MemoryBytes.
	DefaultMemoryBytes = 256 << 20
	// DefaultDiskBytes is the default of Options.DiskBytes.
	DefaultDiskBytes = 10 << 30
	// DefaultMaxObject is the default of Options.MaxObject.
	DefaultMaxObject = 64 << 20
	// DefaultMaxMemoryObject is the default of Options.MaxMemoryObject where there is a directory: from about here on
	// sendfile costs less than writing from memory.
	DefaultMaxMemoryObject = 256 << 10
	// DefaultMaxNotFound is the default of Options.MaxNotFound.
	DefaultMaxNotFound = 5 * time.Second
	// DefaultHeaderTimeout is the default of Options.HeaderTimeout.
	DefaultHeaderTimeout = 30 * time.Second
	// DefaultSendTimeout is the default of Options.SendTimeout.
	DefaultSendTimeout = 5 * time.Minute
	// DefaultIdleTimeout is the default of Options.IdleTimeout.
	DefaultIdleTimeout = 30 * time.Second
	// DefaultMaxFetches is the default of Options.MaxFetches.
	DefaultMaxFetches = 256
	// DefaultName is the default of Options.Name.
	DefaultName = "smoothkit"
)

// Upstream is an origin.
type Upstream struct {
	// URL is the scheme, host and, if any, the path below which the origin has what this cache has at its root.
	URL string
	// Backup means that the upstream is asked only when none of the others is up.
	Backup bool
	// Header is added to each request, such as a secret that lets the cache in. It replaces what is there.
	Header http.Header
	// Host is sent as the Host. Empty means that of URL, or that of the client with Options.KeepHost.
	Host string
}

// Health says when an upstream is up. One is down after a number of failures in succession (no connection, no header in
// time, 502, 503 or 504), whether of requests or of checks. With a Path it is asked until it answers with a status below
// 400; without one it counts as up again after an interval, and the next failure makes it go down again.
type Health struct {
	// Path is asked by GET every Interval, with the query if it has one. Empty means that nothing is asked.
	Path string
	// Interval of checks, or how long an upstream stays down without. Zero means five seconds.
	Interval time.Duration
	// Timeout of a check. Zero means two seconds.
	Timeout time.Duration
	// Failures in succession that make it go down. Zero means 3.
	Failures int
}

// Options tune a [Cache]. The zero value of a field means the documented default; only Upstreams must be there.
// Functions are called on the goroutine of the request and must be safe for concurrent use.
type Options struct {
	// Upstreams are the origins at the beginning; [Cache.SetUpstreams] changes them. Those that are no backups share the
	// keys among them, so that one key is asked of one upstream while that is up.
	Upstreams []Upstream
	// Health says when an upstream is up.
	Health Health
	// Transport sends requests to upstreams. It must not decompress. Nil means one of the cache's own, which uses no
	// proxy and that [Cache.Close] closes.
	Transport http.RoundTripper

	// MemoryBytes bounds the objects in memory, including their headers, keys and the overhead. Besides it, as many bytes
	// at most are in flight. Zero means [DefaultMemoryBytes].
	MemoryBytes int64
	// MaxMemoryObject is the largest body that is kept in memory. Zero means [DefaultMaxMemoryObject] with a directory,
	// and without one MaxObject. It is never more than half of what one of the up to 16 parts of the memory
	// holds, which have at least 32 MiB, or all there is.
	MaxMemoryObject int64
	// Dir is the directory of the objects on disk, which the cache has for itself; a second process may use it only while
	// it takes over. It is made if it does not exist. Empty means that there is no disk tier.
	Dir string
	// DiskBytes bounds the files in Dir. Zero means [DefaultDiskBytes].
	DiskBytes int64
	// MaxObject is the largest body that is stored, and shared in flight. Larger ones pass through. Zero means
	// [DefaultMaxObject].
	MaxObject int64

	// MaxHeuristic bounds the lifetime of responses that state none: a tenth of the time since Last-Modified, see RFC
	// 9111 4.2.2. Zero means that they are validated for each use.
	MaxHeuristic time.Duration
	// DefaultLifetime is the lifetime of responses with status 200 that have neither Cache-Control nor Expires, and get none
	// by MaxHeuristic. A second or less makes an origin that says nothing about its live manifests bear a crowd; it is for
	// origins that serve everybody the same. Zero means that such responses are validated for each use, or not shared if
	// they have no validator.
	DefaultLifetime time.Duration
	// MaxNotFound bounds the lifetime of a 404 or 410. Zero means [DefaultMaxNotFound]; negative means that they are not
	// stored.
	MaxNotFound time.Duration
	// StaleIfError is how long beyond its lifetime an object serves while all upstreams fail, if its own stale-if-error
	// says nothing and it does not forbid it (must-revalidate, proxy-revalidate, s-maxage, no-cache). Zero means that
	// only objects with stale-if-error do.
	StaleIfError time.Duration
	// IgnoreReload makes no-cache and max-age of requests have no effect, so that viewers cannot cause requests to the
	// origin.
	IgnoreReload bool

	// Bypass returns true for requests that go past the cache, such as those that the upstream authorises per viewer.
	Bypass func(*http.Request) bool
	// BypassCookies makes requests with cookies go past the cache.
	BypassCookies bool
	// StripQuery names the query parameters that belong to the viewer and not to the content: they are removed from the
	// key and from what the upstream gets. Nil means CMCD, by which players report; empty means none.
	StripQuery []string
	// KeepHost sends the client's Host to upstreams and makes it part of the key.
	KeepHost bool
	// ForwardHeaders names further header fields of requests that flights carry. The upstream has to name them in Vary
	// if its responses depend on them.
	ForwardHeaders []string
	// TrustForwarded keeps X-Forwarded-For, -Host and -Proto of requests that pass through, for a cache behind a proxy.
	// Otherwise they are set anew. Flights carry none of them.
	TrustForwarded bool
	// Name is the pseudonym in Via. Empty means [DefaultName].
	Name string

	// HeaderTimeout bounds the wait for the header of the response of one upstream to a request without a body,
	// including that for a turn. Then the next one is asked. Zero means [DefaultHeaderTimeout].
	HeaderTimeout time.Duration
	// IdleTimeout bounds the wait for the next part of a body that is shared. Zero means [DefaultIdleTimeout].
	IdleTimeout time.Duration
	// SendTimeout bounds, to within an eighth, how long sending one body of more than 64 kB may take before the connection
	// is cut, so that a client that has stopped reading gives back the memory or open file that it holds. Zero means
	// [DefaultSendTimeout]; negative means no bound. Where the [http.Server] has a WriteTimeout, that one counts instead. What
	// passes through is not bounded.
	SendTimeout time.Duration
	// MaxFetches bounds the flights to one upstream at a time. As many more wait for their turn; beyond these the answer
	// is 503. Zero means [DefaultMaxFetches].
	MaxFetches int

	// Logger gets what happens to upstreams and disk, at Debug also what fails per request. Nil means slog.Default().
	Logger *slog.Logger
	// Observe, if set, is called once per finished request. It must not block.
	Observe func(Observation)
	// Now tells the time of freshness and of upstreams that are down. Nil means time.Now. Timeouts use the real clock.
	Now func() time.Time
}

// withDefaults returns a copy in which nothing but Transport, Dir, Bypass and Observe is missing.
func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	positive(&opts.MemoryBytes, DefaultMemoryBytes)
	positive(&opts.DiskBytes, DefaultDiskBytes)
	positive(&opts.MaxObject, DefaultMaxObject)
	if opts.MaxMemoryObject <= 0 {
		opts.MaxMemoryObject = opts.MaxObject
		if opts.Dir != "" {
			opts.MaxMemoryObject = DefaultMaxMemoryObject
		}
	}
	if opts.MaxNotFound == 0 {
		opts.MaxNotFound = DefaultMaxNotFound
	}
	positive(&opts.HeaderTimeout, DefaultHeaderTimeout)
	positive(&opts.IdleTimeout, DefaultIdleTimeout)
	if opts.SendTimeout == 0 {
		opts.SendTimeout = DefaultSendTimeout
	}
	positive(&opts.MaxFetches, DefaultMaxFetches)
	positive(&opts.Health.Interval, 5*time.Second)
	positive(&opts.Health.Timeout, 2*time.Second)
	positive(&opts.Health.Failures, 3)
	if opts.StripQuery == nil {
		opts.StripQuery = []string{"CMCD"}
	}
	if opts.Name == "" {
		opts.Name = DefaultName
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	opts.StripQuery = append([]string(nil), opts.StripQuery...)
	opts.ForwardHeaders = canonicalNames(opts.ForwardHeaders)
	return opts
}

// positive sets a value that is not positive to its default.
func positive[N int | int64 | time.Duration](v *N, def N) {
	if *v <= 0 {
		*v = def
	}
}

// canonicalNames returns a copy of names of header fields in their canonical form.
func canonicalNames(names []string) []string {
	list := make([]string, 0, len(names))
	for _, name := range names {
		list = append(list, http.CanonicalHeaderKey(name))
	}
	return list
}
