package iis

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// place finds the settings of what a handler serves.
type place struct {
	config     *Config
	site, path string
	settings   *Settings
}

// newPlace returns the place of a handler. Settings are those of everything if there is no configuration.
func newPlace(config *Config, site, dir string, settings *Settings) (place, error) {
	if config != nil && settings != nil {
		return place{}, fmt.Errorf("iis: both a configuration and settings: %w", ErrOptions)
	}
	if settings == nil {
		settings = DefaultSettings()
	}
	return place{config, site, strings.Trim(dir, "/"), settings}, nil
}

// of returns the settings of a name, whose root is the place.
func (p *place) of(name string) *Settings {
	if p.config == nil {
		return p.settings
	}
	return p.config.For(p.site, path.Join(p.path, path.Clean("/"+name)))
}

// suffix returns the rest of a path of the handler below the location of a redirect, with a slash at its beginning or
// empty. The location may be around the place of the handler.
func (p *place) suffix(location, urlPath string) string {
	site := strings.Trim(p.site, "/")
	whole := strings.TrimSuffix("/"+p.path, "/") + "/" + strings.TrimPrefix(urlPath, "/")
	if p.config == nil {
		return whole
	}
	return cutFold(whole, cutFold("/"+location, "/"+site))
}

// cutFold removes the beginning of a path, in any case.
func cutFold(path, prefix string) string {
	if len(path) >= len(prefix) && strings.EqualFold(path[:len(prefix)], prefix) {
		return path[len(prefix):]
	}
	return path
}

// redirect answers a request if its place is redirected. The suffix is the rest of the path below that place.
func (s *Settings) redirect(w http.ResponseWriter, r *http.Request, suffix string) bool {
	d := &s.Redirect
	if !d.Enabled || d.Destination == "" {
		return false
	}
	if d.ChildOnly && strings.Contains(strings.Trim(suffix, "/"), "/") {
		return false
	}
	for _, h := range s.RedirectHeaders {
		w.Header().Set(h.Name, h.Value)
	}
	status := d.Status
	if status < 300 || status > 399 || status == http.StatusNotModified {
		status = http.StatusFound
	}
	w.Header().Set("Location", d.location(suffix, r))
	fail(w, r, status)
	return true
}

// location returns where a request is sent.
func (d *Redirect) location(suffix string, r *http.Request) string {
	query := ""
	if r.URL.RawQuery != "" {
		query = "?" + escapeText(r.URL.RawQuery)
	}
	if suffix != "" && suffix[0] != '/' {
		suffix = "/" + suffix // or it would go on with the host of the destination
	}
	suffix = (&url.URL{Path: suffix}).EscapedPath()
	whole := r.URL.EscapedPath() + query
	to := strings.NewReplacer("$S", suffix, "$s", suffix, "$Q", query, "$q", query, "$V", whole, "$v", whole,
		"$P", strings.TrimPrefix(query, "?"), "$p", strings.TrimPrefix(query, "?")).Replace(d.Destination)
	if !d.Exact && to == d.Destination {
		to = strings.TrimSuffix(to, "/") + suffix + query
	}
	if !isAbsolute(to) {
		to = "/" + strings.TrimLeft(to, `/\`) // no host, whatever the request had
	}
	return escapeBytes(to, true)
}

// isDestination reports destinations that are understood: absolute URLs of HTTP, and paths of the same server.
func isDestination(s string) bool {
	return isAbsolute(s) || strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
}

// addressOf returns the address of a request as an application sees it.
type addressOf func(*http.Request) netip.Addr

// denies tells whether the address of a request may not come in.
func (f addressOf) denies(s *Settings, r *http.Request) bool {
	return f != nil && !s.IPSecurity.Allows(f(r))
}
