package server

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/smooth/edge"
	"github.com/smoothkit/smoothkit/smooth/usage"
)

// edgeCache is a cache that outlives configurations: only its upstreams change.
type edgeCache struct {
	*edge.Cache
	options edgeOptions
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// upstreamsEvery is how often is looked whether upstreams are up.
const upstreamsEvery = time.Second

// watch tells when upstreams go down and come up, until the cache is closed.
func (c *edgeCache) watch(emit func(usage.Event)) {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.done.Go(func() {
		tick := time.NewTicker(upstreamsEvery)
		defer tick.Stop()
		down := make(map[string]bool)
		for {
			for _, u := range c.Stats().Upstreams {
				if down[u.URL] == !u.Up {
					continue
				}
				down[u.URL] = !u.Up
				e := usage.Event{Kind: usage.UpstreamUp, Subject: u.URL, Message: "the upstream answers again"}
				if !u.Up {
					e.Kind, e.Message = usage.UpstreamDown, "the upstream does not answer"
				}
				emit(e)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// Close ends the cache.
func (c *edgeCache) Close() error {
	c.stop()
	c.done.Wait()
	return c.Cache.Close()
}

// edgeOptions are what only a new process can change.
type edgeOptions struct {
	memory, disk config.Size
	directory    string
	stale        config.Duration
	health       string
}

// edgeMount is a part of a site that comes from other servers.
type edgeMount struct {
	prefix string // such as /cdn, without a slash at its end; "" for the whole site
	cache  *edgeCache
}

// addEdge makes a part of a site.
func (g *generation) addEdge(st *site, cfg *config.Edge) error {
	prefix := strings.TrimSuffix(cfg.Path, "/")
	options := edgeOptions{cfg.Memory, cfg.Disk, cfg.Directory, cfg.StaleIfError, cfg.Health}
	upstreams := upstreamsOf(cfg)
	c, err := share(g, keyOf("edge", st.name(), prefix), func() (*edgeCache, error) {
		c, err := edge.New(&edge.Options{
			Upstreams: upstreams, MemoryBytes: int64(cfg.Memory), Dir: cfg.Directory, DiskBytes: int64(cfg.Disk),
			StaleIfError: cfg.StaleIfError.D(), Health: edge.Health{Path: cfg.Health}, Logger: g.server.log,
		})
		if err != nil {
			return nil, err
		}
		made := &edgeCache{Cache: c, options: options}
		made.watch(g.server.usage.Emit)
		return made, nil
	})
	if err != nil {
		return err
	}
	g.keep("edge "+cfg.Path, options, c.options)
	g.changes = append(g.changes, func() error { return c.SetUpstreams(upstreams) })
	st.edges = append(st.edges, &edgeMount{prefix, c})
	return nil
}

func upstreamsOf(cfg *config.Edge) (list []edge.Upstream) {
	for _, u := range cfg.Upstreams {
		up := edge.Upstream{URL: u.URL, Backup: u.Backup, Header: make(http.Header)}
		for name, value := range u.Headers {
			up.Header.Set(name, value.Value())
		}
		list = append(list, up)
	}
	return list
}

// has reports whether a path is in this part.
func (e *edgeMount) has(path string) bool {
	rest, ok := strings.CutPrefix(path, e.prefix)
	return ok && strings.HasPrefix(rest, "/")
}

// ServeHTTP answers a request whose path is that of the site. Who changes something at the upstream does so with the rights of this server
// there: that needs rules for encoders, or those for operators.
func (e *edgeMount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if changes(r.Method) && v.role != config.Operators && v.site.access.anyEncoder {
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	if v.known {
		r = v.site.access.withoutCredentials(r)
	}
	if e.prefix == "" {
		e.cache.ServeHTTP(w, r)
		return
	}
	http.StripPrefix(e.prefix, e.cache).ServeHTTP(w, r)
}

// withoutCredentials returns a request without what its sender has proved to this server who he is with: upstreams need not know, and
// what they answer is then for all who are let in here. Tokens in queries of manifests stay, as who makes those has to repeat them.
func (a *accessRules) withoutCredentials(r *http.Request) *http.Request {
	bare := *r
	bare.Header = maps.Clone(r.Header)
	delete(bare.Header, "Authorization")
	delete(bare.Header, "Referer") // may have a token in its path or query
	switch usage.Classify(r).Kind {
	case usage.Segment, usage.Key, usage.File:
		bare.URL = withoutParameters(r.URL, a.queries)
	}
	return &bare
}

// withoutParameters returns a URL without some parameters of its query. What is not of them stays as it is.
func withoutParameters(u *url.URL, names []string) *url.URL {
	if u.RawQuery == "" {
		return u
	}
	bare := *u
	var kept []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if !slices.Contains(names, name) {
			kept = append(kept, pair)
		}
	}
	bare.RawQuery = strings.Join(kept, "&")
	return &bare
}
