package server

import (
	"errors"
	"net/http"

	"github.com/smoothkit/smoothkit/throttle"
)

// pacer paces the media files of a folder. It outlives configurations, so that what it has counted and what players have been sent is
// not forgotten.
type pacer struct{ *throttle.Handler }

// Close implements io.Closer: a handler has nothing to close.
func (pacer) Close() error { return nil }

// paced returns what paces the media files of a folder, and serves files by the folder of the request, which may be newer.
func (g *generation) paced(f *folder, next http.Handler) (http.Handler, error) {
	rules, err := g.throttleRules(f)
	if rules == nil || err != nil {
		return next, err
	}
	cfg := &g.cfg.Throttle
	key := keyOf("throttle", f.site.name(), f.prefix, cfg.Interval, cfg.Kernel, cfg.Debug)
	p, err := share(g, key, func() (pacer, error) {
		return pacer{throttle.New(http.HandlerFunc(servePlain), rules, g.throttleOptions())}, nil
	})
	if err != nil {
		return nil, err
	}
	g.changes = append(g.changes, func() error { p.SetRules(rules); return nil })
	f.plain = next
	return p, nil
}

// servePlain serves a file after the throttle.
func servePlain(w http.ResponseWriter, r *http.Request) {
	if v := visitOf(r); v != nil && v.folder != nil && v.folder.plain != nil {
		v.folder.plain.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// pacedMedia paces the media of playlists by the rules of a folder.
func (g *generation) pacedMedia(f *folder) func(http.Handler) http.Handler {
	rules, err := g.throttleRules(f)
	if rules == nil || err != nil { // the error is told by paced
		return nil
	}
	return func(next http.Handler) http.Handler { return throttle.New(next, rules, g.throttleOptions()) }
}

func (g *generation) throttleOptions() *throttle.HandlerOptions {
	cfg := &g.cfg.Throttle
	return &throttle.HandlerOptions{
		Logger: g.server.log, Interval: cfg.Interval.D(), KernelPacing: cfg.Kernel, DebugHeader: cfg.Debug,
	}
}

// throttleRules returns what paces the files of a folder: the section of IIS's configuration if there is one, else what IIS has by
// default; nil if nothing does.
func (g *generation) throttleRules(f *folder) (*throttle.Rules, error) {
	if g.cfg.Throttle.Disabled {
		return nil, nil
	}
	data, place, err := g.section(g.cfg.Throttle.File, f)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return &throttle.Rules{Settings: throttle.DefaultSettings()}, nil
	}
	c, err := throttle.ParseConfig(data)
	if errors.Is(err, throttle.ErrNoSection) {
		return &throttle.Rules{Settings: throttle.DefaultSettings()}, nil
	}
	if err != nil {
		return nil, err
	}
	return c.RulesFor(place), nil
}
