package livesmooth

import (
	"hash/maphash"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// audienceSpan is how long a client counts as a viewer after its last request.
	audienceSpan = 30 * time.Second
	// audienceLimit bounds the clients that are told apart.
	audienceLimit = 1 << 17
)

// audience counts viewers: clients that have asked for something lately, told apart by address and user agent. It is safe
// for concurrent use.
type audience struct {
	mu    sync.Mutex // guards the fields below
	seed  maphash.Seed
	seen  map[uint64]int64 // seconds
	swept int64
}

// note counts a request.
func (a *audience) note(r *http.Request, now time.Time) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seed, a.seen = maphash.MakeSeed(), make(map[uint64]int64)
	}
	var h maphash.Hash
	h.SetSeed(a.seed)
	h.WriteString(host)
	h.WriteByte(0)
	h.WriteString(r.UserAgent())
	id := h.Sum64()
	if _, known := a.seen[id]; !known && len(a.seen) >= audienceLimit {
		a.sweep(now)
		if len(a.seen) >= audienceLimit {
			return
		}
	}
	a.seen[id] = now.Unix()
	if now.Unix()-a.swept > int64(audienceSpan/time.Second) {
		a.sweep(now)
	}
}

// sweep forgets clients that are gone. mu must be held.
func (a *audience) sweep(now time.Time) {
	a.swept = now.Unix()
	for id, at := range a.seen {
		if now.Unix()-at > int64(audienceSpan/time.Second) {
			delete(a.seen, id)
		}
	}
}

// count returns the number of viewers.
func (a *audience) count(now time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(now)
	return len(a.seen)
}
