package edge

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Result is what the cache did with a request, the value of the header X-Cache.
type Result string

// Results.
const (
	// Hit was answered from the cache.
	Hit Result = "HIT"
	// Miss was fetched from an upstream, or has failed to be.
	Miss Result = "MISS"
	// Coalesced shared the fetch of another request.
	Coalesced Result = "COALESCED"
	// Stale was answered with an object beyond its lifetime, because upstreams fail or while it is being validated.
	Stale Result = "STALE"
	// Revalidated was answered from the cache after an upstream said that the object is still valid.
	Revalidated Result = "REVALIDATED"
	// Bypass passed through to an upstream.
	Bypass Result = "BYPASS"
	// Expired was fetched from an upstream in place of an object beyond its lifetime.
	Expired Result = "EXPIRED"
)

// Values of X-Cache that responses share. They are never modified.
var (
	cacheHit         = []string{string(Hit)}
	cacheMiss        = []string{string(Miss)}
	cacheCoalesced   = []string{string(Coalesced)}
	cacheStale       = []string{string(Stale)}
	cacheRevalidated = []string{string(Revalidated)}
	cacheBypass      = []string{string(Bypass)}
	cacheExpired     = []string{string(Expired)}
)

// header returns the value of X-Cache.
func (r Result) header() []string {
	switch r {
	case Hit:
		return cacheHit
	case Coalesced:
		return cacheCoalesced
	case Stale:
		return cacheStale
	case Revalidated:
		return cacheRevalidated
	case Bypass:
		return cacheBypass
	case Expired:
		return cacheExpired
	}
	return cacheMiss
}

// Observation is what happened to one request.
type Observation struct {
	// Request is the request as the cache got it. It must not be used after Observe has returned.
	Request *http.Request
	// Result is what the cache did.
	Result Result
	// Status that was sent, or 0 if the client left before. What passes through reports that of the upstream.
	Status int
	// Bytes of the body that were sent. What passes through and ranges report 0.
	Bytes int64
	// Start and Duration of the request, in wall-clock time.
	Start    time.Time
	Duration time.Duration
	// Err is why the request failed, or nil.
	Err error
}

// Stats are counts since the cache was made, and what there is now. Each is exact; together they are not one moment's.
type Stats struct {
	// Requests by [Result].
	Hits, Misses, Coalesced, Stale, Revalidated, Bypassed, Expired uint64
	// Failed requests were answered with an error of the cache's own, or cut.
	Failed uint64
	// HitBytes were sent from memory and disk, SharedBytes from flights. Ranges are not counted.
	HitBytes, SharedBytes uint64
	// Fetches are flights that were sent to an upstream, with and without success; FetchedBytes their bodies.
	Fetches, FetchedBytes uint64
	// InFlight flights are under way, and hold InFlightBytes.
	InFlight, InFlightBytes int64
	// Memory and Disk are the two tiers.
	Memory, Disk TierStats
	// DiskErrors are files that could not be written or read, or were corrupt.
	DiskErrors uint64
	// Upstreams in the order of Options.
	Upstreams []UpstreamStats
}

// TierStats are what one tier holds.
type TierStats struct {
	// Keys that are stored. A key has one object, or several that differ in what Vary names.
	Keys int
	// Bytes that they take, with overhead, and the bound.
	Bytes, MaxBytes int64
	// Evicted keys had to make room.
	Evicted uint64
}

// UpstreamStats is the state of an upstream.
type UpstreamStats struct {
	// URL and Backup are as in [Upstream].
	URL    string
	Backup bool
	// Up is false while the upstream is down.
	Up bool
	// Requests were sent to it, of which Errors failed.
	Requests, Errors uint64
	// InFlight flights are under way.
	InFlight int
}

// counters are what Stats copies.
type counters struct {
	results               [7]atomic.Uint64
	failed                atomic.Uint64
	hitBytes, sharedBytes atomic.Uint64
	fetches, fetchedBytes atomic.Uint64
	inFlight              atomic.Int64
	diskErrors            atomic.Uint64
}

// index returns the place of a result in counters.
func (r Result) index() int {
	switch r {
	case Hit:
		return 0
	case Coalesced:
		return 2
	case Stale:
		return 3
	case Revalidated:
		return 4
	case Bypass:
		return 5
	case Expired:
		return 6
	}
	return 1
}

// Stats returns the counts so far.
func (c *Cache) Stats() Stats {
	n := &c.counters
	s := Stats{
		Hits: n.results[Hit.index()].Load(), Misses: n.results[Miss.index()].Load(),
		Coalesced: n.results[Coalesced.index()].Load(), Stale: n.results[Stale.index()].Load(),
		Revalidated: n.results[Revalidated.index()].Load(), Bypassed: n.results[Bypass.index()].Load(),
		Expired: n.results[Expired.index()].Load(), Failed: n.failed.Load(),
		HitBytes: n.hitBytes.Load(), SharedBytes: n.sharedBytes.Load(),
		Fetches: n.fetches.Load(), FetchedBytes: n.fetchedBytes.Load(),
		InFlight: n.inFlight.Load(), InFlightBytes: c.reserved.Load(),
		Memory: c.memory.stats(), DiskErrors: n.diskErrors.Load(),
		Upstreams: c.upstreams.Load().stats(c.opts.Now()),
	}
	if c.disk != nil {
		s.Disk = c.disk.stats()
	}
	return s
}
