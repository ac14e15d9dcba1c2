package server

import (
	"fmt"
	"net/http"
	"os"

	"github.com/smoothkit/smoothkit/smooth/alias"
	"github.com/smoothkit/smoothkit/smooth/iis"
)

// addAliases puts aliases and rewriting rules before what a site serves.
func (g *generation) addAliases(st *site) error {
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st.access.rewritten(w, r, func(w http.ResponseWriter, r *http.Request) { st.serveRewritten(w, r) })
	})
	if err := g.addRules(st, next); err != nil {
		return err
	}
	var rules []alias.Rule
	for _, name := range st.cfg.Aliases {
		m, err := readAliases(name)
		if err != nil {
			return err
		}
		rules = append(rules, m.Rules()...)
	}
	if len(rules) == 0 {
		return nil
	}
	m, err := alias.Build(rules...)
	if err != nil {
		return err
	}
	header := make(http.Header)
	if st.access.cors == nil {
		header.Set("Access-Control-Allow-Origin", "*")
	}
	st.handler = alias.NewHandler(st.handler, m, &alias.HandlerOptions{Header: header})
	return nil
}

func readAliases(name string) (*alias.Map, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := alias.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// addRules puts what an imported configuration says of all requests of a site before what it serves: rewriting, filtering, redirects.
func (g *generation) addRules(st *site, next http.Handler) error {
	st.handler = next
	im := st.cfg.IIS
	if im == nil {
		return nil
	}
	filter, err := iis.NewFilter(next, &iis.FilterOptions{
		Config: im.Config, Site: im.Site, Address: st.access.address, Logger: g.server.log,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", im.File, err)
	}
	st.handler = filter
	rules := im.Config.For(im.Site, "/").Rewrite
	if len(rules.Global)+len(rules.Rules) == 0 {
		return nil
	}
	options := &iis.RewriteOptions{Logger: g.server.log}
	if st.cfg.Root != "" {
		options.FS = os.DirFS(st.cfg.Root)
	}
	if st.handler, err = iis.NewRewrite(filter, &rules, options); err != nil {
		return fmt.Errorf("%s: %w", im.File, err)
	}
	return nil
}
