// Package edge is a caching handler in front of HTTP origins: an origin shield for Smooth Streaming, HLS and files, on
// demand and live, whatever the origin is (a server of this module, IIS, an Azure style origin).
//
//	cache, err := edge.New(&edge.Options{
//		Upstreams: []edge.Upstream{
//			{URL: "http://origin-1:8080"}, {URL: "http://origin-2:8080"},
//			{URL: "http://spare:8080", Backup: true},
//		},
//		MemoryBytes: 1 << 30,
//		Dir:         "/var/cache/media", DiskBytes: 500 << 30,
//		Health:      edge.Health{Path: "/healthz"},
//	})
//	if err != nil {
//		return err
//	}
//	defer cache.Close()
//	http.Handle("/", cache)
//
// # Objects
//
// An object is a response that an upstream gave and that may be used again, as RFC 9111 rules for a shared cache. It is
// found by its key: the host if [Options].KeepHost, the path and the query. Objects of one key that differ in what Vary
// names are variants of each other. A flight is one request to an upstream and everybody who waits for its response:
// however many ask for a key that is not stored, the upstream is asked once, and all get the bytes as they arrive. An
// object lives in memory, on disk, or with its header in memory and its body on disk, from where it goes out by
// sendfile.
//
// # What is stored
//
// Responses with status 200, 203, 300, 301, 302, 307, 308, 404 and 410 to GET, if their headers allow it: with an
// explicit lifetime, or with a validator, and then they are validated for each use; see [Options].MaxHeuristic and
// DefaultLifetime for what says nothing. A 404 needs an explicit lifetime and never lives longer than
// [Options].MaxNotFound. A 412, by which a Smooth origin says that a live fragment does not exist yet, and every 5xx are
// never stored; those who were waiting for them share them, so that a herd at the live edge is one request to the origin
// per answer. Lifetimes are honoured exactly: a live manifest never gets older than its origin says, unless that is down
// and the response, or [Options].StaleIfError, allows it. What sets cookies, is private or varies on everything is never
// stored.
//
// What is shared must not depend on who asks first. So the request of a flight carries the header fields Accept,
// Accept-Language, Accept-Encoding (as gzip or identity) and Origin, those that [Options].ForwardHeaders names, and no
// others: no cookies, no User-Agent, no address. What may not be shared after all passes through, with every field; only
// who caused the flight, and sent neither cookies nor a range, gets its response at once. For some seconds all requests for that key then
// pass through without waiting.
// A response that depends on a cookie without saying so by Vary, Cache-Control or Set-Cookie would be shared in the
// form that it has without; for such a site set [Options].BypassCookies.
//
// A request with Authorization is never coalesced with others, and its response is stored only if it has public,
// s-maxage or must-revalidate.
//
// # Viewers with rights
//
// Put the handler that checks signed URLs in front of the cache and let it remove the token from path or query: then the
// key has no token, and all who may watch share one object. The part that carries tokens into child URLs has to stand
// in front as well, since it edits responses per viewer. What the upstream itself decides per viewer is to go past the
// cache: see [Options].Bypass.
//
// # Responses
//
// The header X-Cache tells what happened: see [Result]. Age, Date and Via are as RFC 9110 and RFC 9111 say. If an
// upstream fails in the middle of a body, the connections of all who got the first half are cut, so that nobody takes a
// part for the whole; nothing is stored.
//
// # Not here
//
// Pages that depend on cookies, edge side includes, partial objects: a Range is answered from the whole object, and of
// what is larger than [Options].MaxObject it passes through. The cache neither follows nor rewrites redirects.
// Passwords, addresses and signed URLs are the subject of package access, limits that of throttle/limit.
//
// # Specifications
//
// RFC 9110 (semantics), RFC 9111 (caching), RFC 5861 (stale-while-revalidate, stale-if-error), [MS-SSTR] 2.2.6 (status
// 412 at the live edge).
package edge
