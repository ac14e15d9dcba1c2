package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

// hlsHandler is our handler with HLS. Without a cache every segment is made for its request.
func hlsHandler(root string, cached bool) http.Handler {
	log := slog.New(slog.DiscardHandler)
	opts := &hls.Options{Logger: log, CacheBytes: 1 << 30}
	if !cached {
		opts.CacheBytes = -1
	}
	return smooth.NewHandler(smooth.Dir(root, nil), &smooth.HandlerOptions{Logger: log, Outputs: []smooth.Output{hls.NewOutput(opts)}})
}

// prepareHLS writes the first variant of a presentation in a format, playlist and segments, to files of their own.
func prepareHLS(c config, dir string) ([]load, error) {
	h := hlsHandler(c.root, false)
	master := fmt.Sprintf("/%s/Manifest(format=%s)", c.name, c.format)
	text, err := fetch(h, master)
	if err != nil {
		return nil, err
	}
	list := path.Join(path.Dir(master), entries(text)[0])
	if text, err = fetch(h, list); err != nil {
		return nil, err
	}
	segments := load{name: "segment"}
	for _, e := range entries(text) {
		segments.pieces = append(segments.pieces, piece{Path: strings.TrimPrefix(path.Join(path.Dir(list), e), "/")})
	}
	playlist := load{name: "playlist", pieces: []piece{{Path: strings.TrimPrefix(list, "/")}}}
	loads := []load{segments, playlist}
	for _, l := range loads {
		for i := range l.pieces {
			p := &l.pieces[i]
			body, err := fetch(h, "/"+p.Path)
			if err != nil {
				return nil, err
			}
			p.File, p.Size = filepath.Join(dir, "static", p.Path), int64(len(body))
			if err := os.MkdirAll(filepath.Dir(p.File), 0o755); err != nil {
				return nil, err
			}
			if err := os.WriteFile(p.File, []byte(body), 0o644); err != nil {
				return nil, err
			}
		}
	}
	return loads, writeIndex(filepath.Join(dir, "index.json"), loads)
}

func fetch(h http.Handler, target string) (string, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	if w.Code != http.StatusOK {
		return "", fmt.Errorf("%s: status %d", target, w.Code)
	}
	return w.Body.String(), nil
}

// entries returns the URIs of a playlist.
func entries(playlist string) (list []string) {
	for s := bufio.NewScanner(strings.NewReader(playlist)); s.Scan(); {
		if line := s.Text(); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
}

// hlsPeerPaths reads the media playlist of another origin for the paths of its segments.
func hlsPeerPaths(u *url.URL) (map[string][]string, error) {
	resp, err := http.Get(u.String())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	paths := map[string][]string{"playlist": {u.Path}}
	for _, e := range entries(string(data)) {
		at, err := u.Parse(e)
		if err != nil {
			return nil, err
		}
		paths["segment"] = append(paths["segment"], at.EscapedPath())
	}
	return paths, nil
}
