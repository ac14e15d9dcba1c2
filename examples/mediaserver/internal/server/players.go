package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/page"
)

// Scripts maps a player's name (dash, hls) to the scripts that the page loads for it, in order.
type Scripts map[string][]string

// playerFiles lists the scripts of each player at their place in an npm tree.
var playerFiles = map[string][]string{
	"dash": {"dashjs/dist/modern/umd/dash.all.min.js", "dashjs/dist/modern/umd/dash.mss.min.js"},
	"hls":  {"hls.js/dist/hls.min.js"},
}

// pages are the player page and what it loads.
type pages struct {
	mux     *http.ServeMux
	scripts Scripts
}

// pagePath is where the page is also where the root of a site is something else.
const pagePath = "_page/"

// addPage makes the page.
func (g *generation) addPage() error {
	g.page = &pages{mux: http.NewServeMux()}
	below, err := page.Below("../")
	if err != nil {
		return err
	}
	g.page.mux.Handle("GET /"+pagePath+"{$}", noCache(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(below)
	})))
	g.page.mux.Handle("GET /_page/", noCache(http.StripPrefix("/_page", http.FileServerFS(page.Files()))))
	g.page.mux.Handle("GET /{$}", noCache(http.FileServerFS(page.Files())))
	g.page.mux.HandleFunc("GET /presentations.json", func(w http.ResponseWriter, r *http.Request) { visitOf(r).site.serveList(w, r) })
	return g.page.addPlayers(g.cfg.Players)
}

// serve answers requests for the page and what it loads, and reports whether this is one.
func (p *pages) serve(w http.ResponseWriter, r *http.Request) bool {
	switch path := r.URL.Path; {
	case path == "/", path == "/presentations.json", strings.HasPrefix(path, "/_page"), strings.HasPrefix(path, "/_players/"):
	default:
		return false // which costs less than to ask the mux
	}
	h, pattern := p.mux.Handler(r)
	if pattern == "" {
		return false
	}
	h.ServeHTTP(w, r)
	return true
}

func noCache(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		h.ServeHTTP(w, r)
	})
}

// addPlayers finds the scripts. From a directory the server serves them itself, and only them; an URL is handed to the
// page, as sites that mirror npm use the same layout.
func (p *pages) addPlayers(place string) error {
	if place == "" {
		return nil
	}
	if u, err := url.Parse(place); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if u.Host == "" {
			return fmt.Errorf("-players %s: the URL names no host", place)
		}
		p.scripts = scriptsAt(strings.TrimSuffix(place, "/"))
		return nil
	}
	dir := os.DirFS(place)
	p.scripts = Scripts{}
	for player, files := range playerFiles {
		found, err := findAll(dir, files)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("-players %s: %w", place, err)
		}
		for _, file := range found {
			at := "_players/" + path.Base(file)
			p.mux.HandleFunc("GET /"+at, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, dir, file) })
			p.scripts[player] = append(p.scripts[player], at)
		}
	}
	if len(p.scripts) == 0 {
		return fmt.Errorf("-players %s holds neither %s nor %s; run npm install dashjs hls.js and name its node_modules",
			place, playerFiles["dash"][0], playerFiles["hls"][0])
	}
	return nil
}

func scriptsAt(base string) Scripts {
	scripts := Scripts{}
	for player, files := range playerFiles {
		for _, file := range files {
			scripts[player] = append(scripts[player], base+"/"+file)
		}
	}
	return scripts
}

// findAll returns the paths of all files, each either at its place in an npm tree or directly in the directory.
func findAll(dir fs.FS, files []string) ([]string, error) {
	var found []string
	for _, file := range files {
		_, err := fs.Stat(dir, file)
		if errors.Is(err, fs.ErrNotExist) {
			file = path.Base(file)
			_, err = fs.Stat(dir, file)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, file)
	}
	return found, nil
}
