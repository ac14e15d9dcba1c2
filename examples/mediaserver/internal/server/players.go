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
)

// Scripts maps a player's name (dash, hls) to the scripts that the page loads for it, in order.
type Scripts map[string][]string

// playerFiles lists the scripts of each player at their place in an npm tree.
var playerFiles = map[string][]string{
	"dash": {"dashjs/dist/modern/umd/dash.all.min.js", "dashjs/dist/modern/umd/dash.mss.min.js"},
	"hls":  {"hls.js/dist/hls.min.js"},
}

// addPlayers finds the scripts. From a directory the server serves them itself, and only them; an URL is handed to the
// page, as sites that mirror npm use the same layout.
func (s *Server) addPlayers(place string) (Scripts, error) {
	if place == "" {
		return nil, nil
	}
	if u, err := url.Parse(place); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if u.Host == "" {
			return nil, fmt.Errorf("-players %s: the URL names no host", place)
		}
		return scriptsAt(strings.TrimSuffix(place, "/")), nil
	}
	dir := os.DirFS(place)
	scripts := Scripts{}
	for player, files := range playerFiles {
		found, err := findAll(dir, files)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("-players %s: %w", place, err)
		}
		for _, file := range found {
			at := "_players/" + path.Base(file)
			s.mux.HandleFunc("GET /"+at, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, dir, file) })
			scripts[player] = append(scripts[player], at)
		}
	}
	if len(scripts) == 0 {
		return nil, fmt.Errorf("-players %s holds neither %s nor %s; run npm install dashjs hls.js and name its node_modules",
			place, playerFiles["dash"][0], playerFiles["hls"][0])
	}
	return scripts, nil
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
