package edge

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// upstream is an origin and what is known of it.
type upstream struct {
	Upstream
	base *url.URL // path without a slash at the end
	id   uint64   // hash of URL
	// slots bound the flights that are under way; queued are those that wait.
	slots  chan struct{}
	queued atomic.Int32

	requests, errors atomic.Uint64

	mu           sync.Mutex // guards what follows
	failures     int        // of requests in succession
	failedChecks int        // in succession
	down         bool
	until        time.Time // when a down one counts as up again; zero means when a check succeeds
}

// upstreamSet is an immutable list of upstreams.
type upstreamSet struct{ list []*upstream }

// newUpstreamSet checks upstreams, and takes over the state of those that were there before.
func newUpstreamSet(list []Upstream, maxFetches int, before *upstreamSet) (*upstreamSet, error) {
	s := &upstreamSet{}
	primaries := 0
	for _, u := range list {
		base, err := url.Parse(u.URL)
		if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
			return nil, fmt.Errorf("%w: %q", ErrUpstreamURL, redacted(u.URL))
		}
		base.Path, base.RawPath = strings.TrimRight(base.Path, "/"), strings.TrimRight(base.RawPath, "/")
		u.Header = u.Header.Clone()
		up := &upstream{Upstream: u, base: base, id: fnv(fnvStart, u.URL), slots: make(chan struct{}, maxFetches)}
		if !u.Backup {
			primaries++
		}
		if old := before.find(u.URL); old != nil {
			up.takeOver(old)
		}
		s.list = append(s.list, up)
	}
	if primaries == 0 {
		return nil, ErrNoUpstream
	}
	return s, nil
}

// redacted returns a URL for messages, without a password.
func redacted(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Redacted()
	}
	return "unparsable"
}

func (s *upstreamSet) find(raw string) *upstream {
	if s == nil {
		return nil
	}
	for _, u := range s.list {
		if u.URL == raw {
			return u
		}
	}
	return nil
}

// takeOver copies the state of an upstream of the same URL.
func (u *upstream) takeOver(old *upstream) {
	old.mu.Lock()
	defer old.mu.Unlock()
	u.failures, u.failedChecks, u.down, u.until = old.failures, old.failedChecks, old.down, old.until
	u.requests.Store(old.requests.Load())
	u.errors.Store(old.errors.Load())
}

// candidates returns the upstreams to try for a key, in order: those that are up, the backups that are up, and, as a
// last resort, those that are down. Those of one kind are ordered by rendezvous hashing, so that they share the keys,
// and each key keeps its upstream while that is up.
func (s *upstreamSet) candidates(h uint64, now time.Time, lastResort bool) []*upstream {
	if len(s.list) == 1 && (lastResort || s.list[0].isUp(now)) {
		return s.list
	}
	type ranked struct {
		u     *upstream
		group int
		rank  uint64
	}
	list := make([]ranked, 0, len(s.list))
	for _, u := range s.list {
		r := ranked{u: u, rank: mix(h, u.id)}
		if u.Backup {
			r.group = 1
		}
		if !u.isUp(now) {
			if !lastResort {
				continue
			}
			r.group += 2
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.rank, b.rank))
	})
	candidates := make([]*upstream, len(list))
	for i, r := range list {
		candidates[i] = r.u
	}
	return candidates
}

// mix returns a hash of two numbers.
func mix(a, b uint64) uint64 {
	x := a ^ (b+1)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// isUp reports whether an upstream is to be asked.
func (u *upstream) isUp(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.down || !u.until.IsZero() && !now.Before(u.until)
}

// event is what came of a request or of a check.
type event struct{ ok, check bool }

// note takes down an event, and reports whether the upstream went up or down by it. Where there are checks, only one of
// these makes it go up, and requests that succeed do not make up for checks that fail: an upstream that is to be taken out of
// service says so in its checks, and goes on answering.
func (u *upstream) note(e event, health *Health, now time.Time) (changed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	failures := &u.failures
	if e.check {
		failures = &u.failedChecks
	}
	switch {
	case e.ok && (e.check || health.Path == ""):
		changed = u.down
		u.failures, u.failedChecks, u.down = 0, 0, false
		return changed
	case e.ok:
		u.failures = 0
		return false
	}
	if *failures = min(*failures+1, health.Failures); *failures < health.Failures {
		return false
	}
	changed = !u.down
	u.down, u.until = true, time.Time{}
	if health.Path == "" {
		u.until = now.Add(health.Interval)
	}
	return changed
}

// acquire waits for the turn of a flight.
func (u *upstream) acquire(ctx context.Context) error {
	select {
	case u.slots <- struct{}{}:
		return nil
	default:
	}
	defer u.queued.Add(-1)
	if int(u.queued.Add(1)) > cap(u.slots) {
		return fmt.Errorf("%w: %d at upstream %s", ErrBusy, cap(u.slots), u.base.Redacted())
	}
	select {
	case u.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (u *upstream) release() { <-u.slots }

// target makes a request that has only path and query one to this upstream.
func (u *upstream) target(r *http.Request) {
	path := r.URL.EscapedPath()
	next := *u.base
	next.User = nil
	next.RawQuery = r.URL.RawQuery
	next.ForceQuery = r.URL.ForceQuery
	next.RawPath = u.base.EscapedPath() + path
	if plain, err := url.PathUnescape(next.RawPath); err == nil {
		next.Path = plain
	}
	r.URL = &next
	switch {
	case u.Host != "":
		r.Host = u.Host
	case r.Host == "":
		r.Host = u.base.Host
	}
	for name, values := range u.Header {
		r.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if u.base.User != nil && r.Header["Authorization"] == nil {
		password, _ := u.base.User.Password()
		r.SetBasicAuth(u.base.User.Username(), password)
	}
}

// stats returns the state of all.
func (s *upstreamSet) stats(now time.Time) []UpstreamStats {
	list := make([]UpstreamStats, 0, len(s.list))
	for _, u := range s.list {
		list = append(list, UpstreamStats{
			URL: u.base.Redacted(), Backup: u.Backup, Up: u.isUp(now),
			Requests: u.requests.Load(), Errors: u.errors.Load(), InFlight: len(u.slots),
		})
	}
	return list
}

// rank returns a number of a key by which upstreams share the keys, the same in all processes: FNV-1a.
func rank(k key) uint64 {
	return fnv(fnv(fnvStart, k.path), k.query)
}

const fnvStart uint64 = 14695981039346656037

func fnv(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
