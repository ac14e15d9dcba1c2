package server

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/playlist"
)

// Check says why a configuration cannot be used, beyond what is wrong in its file: it reads the files that it names, and makes the rules
// of who may watch. It opens no archive, asks no other server, and changes nothing.
func Check(cfg *config.Config) error {
	quiet := slog.New(slog.DiscardHandler)
	g := &generation{server: &Server{log: quiet}, cfg: cfg}
	defer func() {
		for _, p := range g.parts {
			p.value.Close()
		}
	}()
	var err error
	if g.access, err = g.newAccess(&cfg.Access, nil); err != nil {
		return err
	}
	var errs []error
	for i := range cfg.Sites {
		if err := g.checkSite(&cfg.Sites[i]); err != nil {
			errs = append(errs, fmt.Errorf("site %q: %w", cfg.Sites[i].Name, err))
		}
	}
	return errors.Join(errs...)
}

// checkSite is Check for a site.
func (g *generation) checkSite(cfg *config.Site) error {
	st := &site{gen: g, cfg: cfg, access: g.access}
	g.sites = append(g.sites, st)
	if cfg.SiteAccess != nil {
		var err error
		if st.access, err = g.newAccess(cfg.SiteAccess, g.access); err != nil {
			return err
		}
	}
	errs := []error{g.addAliases(st), g.checkFolder(&folder{site: st, dir: cfg.Root})}
	for at, dir := range cfg.Folders {
		errs = append(errs, g.checkFolder(&folder{site: st, prefix: prefixOf(at), dir: dir}))
	}
	return errors.Join(errs...)
}

// checkFolder reads the sections of media services that hold for a folder.
func (g *generation) checkFolder(f *folder) error {
	_, err := g.throttleRules(f)
	section, wrong := g.playlistSection(f)
	if section != nil {
		var o playlist.HandlerOptions
		section.Apply(&o)
		if o.Remote != nil {
			o.Remote.Close()
		}
	}
	return errors.Join(err, wrong)
}
