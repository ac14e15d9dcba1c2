package server

import (
	"net/http"
	"strings"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/smooth/edge"
)

// edgeCache is a cache that outlives configurations: only its upstreams change.
type edgeCache struct {
	*edge.Cache
	options edgeOptions
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
		return &edgeCache{c, options}, err
	})
	if err != nil {
		return err
	}
	g.keep("edge "+cfg.Path, options, c.options)
	if err := c.SetUpstreams(upstreams); err != nil {
		return err
	}
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

// ServeHTTP answers a request whose path is that of the site.
func (e *edgeMount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.prefix == "" {
		e.cache.ServeHTTP(w, r)
		return
	}
	http.StripPrefix(e.prefix, e.cache).ServeHTTP(w, r)
}
