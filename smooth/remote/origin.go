package remote

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// origin is what all presentations of a source share: how to ask, and what was fetched. It is safe for concurrent use.
type origin struct {
	opts   Options
	client *http.Client
	hosts  map[string]bool // scheme and host of the configured URLs, which get credentials
	turns  turns
	pool   bufferPool
	cache  fragmentCache
	stats  counters
	base   context.Context // of all requests, ended by close
	stop   context.CancelFunc
	owned  bool // the connections are the origin's own

	mu     sync.Mutex // guards the fields below
	closed bool
	work   sync.WaitGroup
}

type counters struct{ requests, failures, bytes, hits, loads atomic.Int64 }

// newOrigin returns an origin with these URLs, the first one and its fallbacks.
func newOrigin(o Options, urls []*url.URL) *origin {
	g := &origin{opts: o, hosts: make(map[string]bool), turns: turns{n: len(urls), logger: o.Logger}}
	for _, u := range urls {
		g.hosts[u.Scheme+"://"+u.Host] = true
	}
	g.base, g.stop = context.WithCancel(context.Background())
	var client http.Client
	if g.owned = o.Client == nil; g.owned {
		client.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableCompression: true, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second,
		}
	} else {
		client = *o.Client
	}
	client.CheckRedirect = g.redirect(client.CheckRedirect)
	g.client = &client
	g.cache.limit = max(o.CacheBytes, 0)
	g.cache.init()
	return g
}

// trusts reports whether a URL leads to a host that was configured.
func (o *origin) trusts(u *url.URL) bool { return o.hosts[u.Scheme+"://"+u.Host] }

// start runs a function on a goroutine of the origin. It reports false after close.
func (o *origin) start(f func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.work.Go(f)
	return true
}

// close ends all work and waits for it.
func (o *origin) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.stop()
	o.work.Wait()
	o.cache.clear(nil)
	if o.owned {
		o.client.CloseIdleConnections()
	}
}

// try calls f for one base URL after another, by position, until one answers.
func (o *origin) try(f func(base int) error) error {
	var first error
	for base := range o.turns.order(o.opts.Now()) {
		err := f(base)
		if !unanswered(err) {
			o.turns.answered(base, o.opts.Now())
			return err
		}
		o.turns.failed(base, o.opts.Now())
		if first == nil {
			first = err
		}
	}
	return first
}

// turns remembers which of the base URLs answers. It is safe for concurrent use.
type turns struct {
	n      int
	logger *slog.Logger

	mu      sync.Mutex // guards the fields below
	current int
	retry   time.Time // when the first one may be tried again
}

// order yields the positions of the base URLs in the order in which to try them.
func (t *turns) order(now time.Time) func(yield func(int) bool) {
	t.mu.Lock()
	first := t.current
	if !now.Before(t.retry) {
		first = 0
	}
	t.mu.Unlock()
	return func(yield func(int) bool) {
		if !yield(first) {
			return
		}
		for i := range t.n {
			if i != first && !yield(i) {
				return
			}
		}
	}
}

// answered keeps to a base URL that has answered.
func (t *turns) answered(base int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if base == t.current {
		return
	}
	t.current, t.retry = base, now.Add(primaryRetry)
	t.logger.Warn("another origin answers now", "origin", base)
}

// failed notes that a base URL does not answer.
func (t *turns) failed(base int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if base == 0 && t.current != 0 {
		t.retry = now.Add(primaryRetry)
	}
}

// parseURL parses a configured URL.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("remote: URL: %w", withoutURL(err))
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("remote: URL of scheme %q and host %q, want an absolute one of http or https", u.Scheme, u.Host)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// parseURLs parses a URL and its fallbacks.
func parseURLs(first string, fallback []string) ([]*url.URL, error) {
	var urls []*url.URL
	for _, s := range append([]string{first}, fallback...) {
		u, err := parseURL(s)
		if err != nil {
			return nil, err
		}
		urls = append(urls, u)
	}
	return urls, nil
}
