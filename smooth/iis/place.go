package iis

import (
	"fmt"
	"net/http"
	"net/netip"
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
	return p.config.For(p.site, path.Join(p.path, name))
}

// base returns the path of a redirect's location below the place, with a slash at its beginning, or "" for the place
// itself and what is around it.
func (p *place) base(at string) string {
	if p.config == nil {
		return ""
	}
	own := strings.Trim(p.site+"/"+p.path, "/")
	if len(at) <= len(own) || !strings.EqualFold(at[:len(own)], own) {
		return ""
	}
	return "/" + strings.Trim(at[len(own):], "/")
}

// redirect answers a request if its place is redirected. The base is where, below the handler.
func (s *Settings) redirect(w http.ResponseWriter, r *http.Request, base string) bool {
	d := &s.Redirect
	if !d.Enabled || d.Destination == "" {
		return false
	}
	suffix := r.URL.EscapedPath()
	if len(suffix) >= len(base) && strings.EqualFold(suffix[:len(base)], base) {
		suffix = suffix[len(base):]
	}
	if d.ChildOnly && strings.Contains(strings.Trim(suffix, "/"), "/") {
		return false
	}
	for _, h := range s.RedirectHeaders {
		w.Header().Set(h.Name, h.Value)
	}
	status := d.Status
	if status == 0 {
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
	whole := r.URL.EscapedPath() + query
	to := strings.NewReplacer("$S", suffix, "$s", suffix, "$Q", query, "$q", query, "$V", whole, "$v", whole,
		"$P", strings.TrimPrefix(query, "?"), "$p", strings.TrimPrefix(query, "?")).Replace(d.Destination)
	if !d.Exact && to == d.Destination {
		if suffix != "" && !strings.HasPrefix(suffix, "/") {
			suffix = "/" + suffix
		}
		to = strings.TrimSuffix(to, "/") + suffix + query
	}
	if !isAbsolute(to) {
		to = "/" + strings.TrimLeft(to, `/\`) // no host, whatever the request had
	}
	return escapeText(to)
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
