package server

import (
	"cmp"
	"errors"
	"maps"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/smooth"
)

// site is what is served under some host names, on some or all addresses.
type site struct {
	gen     *generation
	cfg     *config.Site
	access  *accessRules
	hosts   []string     // in lower case
	folders []*folder    // the longest prefix first
	edges   []*edgeMount // the longest prefix first
	archive http.Handler // what has been recorded, nil if nothing is
	places  []archivePlace
	// policies answers what Silverlight and Flash ask for at the root of a host, where no file of the site does.
	policies http.Handler
	// handler is what a request meets that may be answered: aliases, rewriting, limits, and then serve.
	handler http.Handler
}

func (st *site) name() string { return st.cfg.Name }

// events is what the names of its points are prefixed with in the archive.
func (st *site) events() string {
	if name := st.cfg.Events(); name != "" {
		return name + "/"
	}
	return ""
}

// addSite makes a site.
func (g *generation) addSite(cfg *config.Site) error {
	st := &site{gen: g, cfg: cfg, access: g.access}
	g.sites = append(g.sites, st)
	for _, h := range cfg.Hosts {
		st.hosts = append(st.hosts, strings.ToLower(h))
	}
	if cfg.SiteAccess != nil {
		rules, err := g.newAccess(cfg.SiteAccess, g.access)
		if err != nil {
			return err
		}
		st.access = rules
	}
	if err := g.addFolders(st); err != nil {
		return err
	}
	for i := range cfg.Edge {
		if err := g.addEdge(st, &cfg.Edge[i]); err != nil {
			return err
		}
	}
	slices.SortStableFunc(st.folders, func(a, b *folder) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	slices.SortStableFunc(st.edges, func(a, b *edgeMount) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	if g.archive != nil {
		source := &recordings{g.archive, st}
		st.archive = smooth.NewHandler(source, g.viewerOptions())
	}
	if err := st.findArchive(); err != nil {
		return err
	}
	st.findPolicies()
	return g.addAliases(st)
}

// isPolicy reports whether a path is that of a policy file of Silverlight or Flash.
func isPolicy(p string) bool { return p == "/clientaccesspolicy.xml" || p == "/crossdomain.xml" }

// findPolicies lets a handler of presentations answer policy files, unless the root of the site has files, among which they may be.
func (st *site) findPolicies() {
	for _, f := range st.folders {
		if f.prefix == "" && f.files != nil {
			return
		}
		if f.smooth != nil {
			st.policies = f.smooth
		}
	}
}

// hides reports whether a path is only for playlists.
func (st *site) hides(p string) bool {
	if len(st.cfg.Hide) == 0 || ofPlaylist(p) {
		return false
	}
	folded := fold(ownName(p))
	return slices.ContainsFunc(st.cfg.Hide, func(at string) bool {
		rest, ok := strings.CutPrefix(folded, fold(strings.TrimSuffix(at, "/")))
		rest = strings.TrimPrefix(rest, ".ism") // the directory as a presentation
		return ok && (rest == "" || rest[0] == '/')
	})
}

// addFolders makes the folders of a site: its root, its virtual directories and the sample. A directory of the user's that is called
// sample wins.
func (g *generation) addFolders(st *site) error {
	if _, err := g.addFolder(st, "", st.cfg.Root); err != nil {
		return err
	}
	for _, at := range slices.Sorted(maps.Keys(st.cfg.Folders)) { // the first place of a directory names its points
		if _, err := g.addFolder(st, at, st.cfg.Folders[at]); err != nil {
			return err
		}
	}
	if !st.cfg.Sample && !g.alone() || exists(st.cfg.Root, "sample") {
		return nil
	}
	return g.addSample(st)
}

// alone reports whether nothing is configured to be served.
func (g *generation) alone() bool {
	for i := range g.cfg.Sites {
		s := &g.cfg.Sites[i]
		if s.Root != "" || len(s.Folders)+len(s.Edge) > 0 {
			return false
		}
	}
	return true
}

// siteOf returns the site of a request, nil if no site has its host.
func (g *generation) siteOf(r *http.Request, l *config.Listener) *site {
	host := strings.ToLower(hostname(r.Host))
	var found *site
	best := -1
	for _, st := range g.sites {
		rank := 0
		if len(st.cfg.On) > 0 {
			if l == nil || !slices.Contains(st.cfg.On, l.Address) {
				continue
			}
			rank++
		}
		if len(st.hosts) > 0 {
			if !slices.ContainsFunc(st.hosts, func(pattern string) bool { return matchesHost(pattern, host) }) {
				continue
			}
			rank += 2
		}
		if rank > best {
			found, best = st, rank
		}
	}
	return found
}

// matchesHost reports whether a host is one of those that a name stands for, such as *.example.com.
func matchesHost(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return pattern == host
}

// hostname returns the host without port and brackets.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

// serveRewritten answers a request that has passed access and aliases.
func (st *site) serveRewritten(w http.ResponseWriter, r *http.Request) {
	s := st.gen.server
	switch {
	case ofConsole(r.URL.Path):
		s.serveConsole(w, r)
	case r.URL.Path == st.gen.metricsPath():
		s.usage.metrics.ServeHTTP(w, r)
	default:
		s.limits.ServeHTTP(w, r)
	}
}

// serve answers a request that has passed limits.
func (st *site) serve(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if st.servesPage(r) && st.gen.page.serve(w, r) {
		return
	}
	if st.hides(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	rel := strings.TrimPrefix(r.URL.Path, "/")
	for _, e := range st.edges {
		if e.has(r.URL.Path) {
			e.ServeHTTP(w, r)
			return
		}
	}
	if st.archive != nil && strings.HasPrefix(rel, archivePrefix) {
		http.StripPrefix("/"+path.Clean(archivePrefix), st.archive).ServeHTTP(w, r)
		return
	}
	if isPolicy(r.URL.Path) && st.policies != nil {
		st.policies.ServeHTTP(w, r)
		return
	}
	if st.isFolder(rel) {
		to := path.Base(rel) + "/" // relative, so that it holds below any prefix
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	if f := st.folderOf(r.URL.Path); f != nil && !st.foreign(r.URL.Path) {
		v.folder = f
		if f.prefix == "" {
			f.ServeHTTP(w, r)
			return
		}
		http.StripPrefix("/"+r.URL.Path[1:len(f.prefix)], f).ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// servesPage reports whether the page of players may answer a request. At the root of the site that is only where there is no index, and a
// site that comes from another server as a whole has the page of that, if any.
func (st *site) servesPage(r *http.Request) bool {
	if slices.ContainsFunc(st.edges, func(e *edgeMount) bool { return e.prefix == "" }) {
		return false
	}
	if r.URL.Path != "/" {
		return true
	}
	return !st.hasIndex()
}

// hasIndex reports whether the root of the site has a page of its own.
func (st *site) hasIndex() bool {
	for _, name := range []string{"default.htm", "default.html", "index.htm", "index.html", "iisstart.htm", "Default.htm", "Default.html"} {
		if exists(st.cfg.Root, name) {
			return true
		}
	}
	return false
}

// isFolder reports whether a path is that of a virtual directory, without the slash at its end.
func (st *site) isFolder(rel string) bool {
	return slices.ContainsFunc(st.folders, func(f *folder) bool { return f.prefix != "" && strings.EqualFold(rel+"/", f.prefix) })
}

// folderOf returns the folder with the longest prefix of a path.
func (st *site) folderOf(p string) *folder {
	for _, f := range st.folders {
		if _, ok := f.below(p); ok {
			return f
		}
	}
	return nil
}

// errNoSite is the answer to a request for a host that no site has.
var errNoSite = errors.New("no site has this host")
