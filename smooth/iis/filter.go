package iis

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"unicode"
)

// FilterOptions tunes a [Filter]. A nil pointer and the zero value mean the documented defaults.
type FilterOptions struct {
	// Config has the settings of every place; Site and Path say which one the root of the handler is, such as "Default
	// Web Site" and "media". Nil means that Settings hold everywhere.
	Config     *Config
	Site, Path string
	// Settings are those of everything. Nil means DefaultSettings. Only one of Config and Settings may be there.
	Settings *Settings
	// Address returns the address of a client, for the rules of ipSecurity. Nil means that they are not applied.
	Address func(*http.Request) netip.Addr
	// Logger gets a record per request that is refused. Nil means slog.Default().
	Logger *slog.Logger
}

// Filter refuses what request filtering refuses, redirects what httpRedirect redirects, and gives all other answers the
// headers of httpProtocol. It goes in front of all handlers of a site, behind a [RewriteHandler]. It is safe for
// concurrent use. A request that passes keeps its response writer.
//
// Whatever is refused is answered with 404, as IIS does, and with 403 for an address.
type Filter struct {
	next    http.Handler
	place   place
	address addressOf
	log     *slog.Logger
}

// NewFilter returns a filter in front of a handler. Errors wrap [ErrOptions].
func NewFilter(next http.Handler, opts *FilterOptions) (*Filter, error) {
	if opts == nil {
		opts = &FilterOptions{}
	}
	p, err := newPlace(opts.Config, opts.Site, opts.Path, opts.Settings)
	if err != nil {
		return nil, err
	}
	f := &Filter{next: next, place: p, address: opts.Address, log: opts.Logger}
	if f.log == nil {
		f.log = slog.Default()
	}
	return f, nil
}

// ServeHTTP implements [http.Handler].
func (f *Filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := f.place.of(foldName(r.URL.Path))
	if f.address.denies(s, r) {
		f.log.Debug("address is denied", "status", http.StatusForbidden)
		fail(w, r, http.StatusForbidden)
		return
	}
	if strings.Contains(r.URL.Path, `\`) || strings.IndexFunc(r.URL.Path, unicode.IsControl) >= 0 {
		f.log.Debug("path has a backslash or a control character", "status", http.StatusNotFound)
		fail(w, r, http.StatusNotFound)
		return
	}
	if d := s.Filtering.Check(r); d != 0 {
		f.log.Debug("request is filtered", "substatus", int(d), "status", http.StatusNotFound)
		fail(w, r, http.StatusNotFound)
		return
	}
	s.addHeaders(w)
	if !s.redirect(w, r, f.place.suffix(s.Redirect.At, r.URL.Path)) {
		f.next.ServeHTTP(w, r)
	}
}

// addHeaders gives an answer the headers of all answers.
func (s *Settings) addHeaders(w http.ResponseWriter) {
	for _, h := range s.Headers {
		w.Header().Set(h.Name, h.Value)
	}
}
