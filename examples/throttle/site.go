package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/throttle"
)

// maxFiles is the number of files that the page lists.
const maxFiles = 200

//go:embed page.html
var pageText string

// newSite returns the page at "/", what the page shows at "/stats", and the media below "/media/", which is throttled.
func newSite(media http.Handler, files []string, rules *throttle.Rules) http.Handler {
	throttled := throttle.New(http.StripPrefix("/media", media), rules, &throttle.HandlerOptions{DebugHeader: true})
	page := template.Must(template.New("page").Funcs(template.FuncMap{"name": name}).Parse(pageText))
	mux := http.NewServeMux()
	mux.Handle("/media/", throttled)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(throttled.Stats())
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _ = page.Execute(w, files) })
	return mux
}

// name returns what the page calls a file.
func name(file string) string {
	plain, err := url.PathUnescape(strings.TrimPrefix(file, "/media/"))
	if err != nil {
		return file
	}
	return plain
}

// open returns what serves a directory, or without one the sample, and the addresses of its media files.
func open(dir string) (http.Handler, []string, error) {
	if dir == "" {
		return sample(), []string{"/media/sample.wav"}, nil
	}
	var files []string
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err == nil && d.Type().IsRegular() && isMedia(file) {
			files = append(files, (&url.URL{Path: "/media/" + filepath.ToSlash(rel)}).EscapedPath())
		}
		if len(files) == maxFiles {
			return fs.SkipAll
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no media files", dir)
	}
	if err != nil {
		return nil, nil, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, nil, fmt.Errorf("%s is not a directory", dir)
	}
	return http.FileServer(http.Dir(dir)), files, nil
}

// isMedia reports whether a file has an extension of the default rules.
func isMedia(file string) bool {
	ext := strings.ToLower(path.Ext(filepath.ToSlash(file)))
	for _, s := range throttle.DefaultSettings() {
		if s.Match == ext {
			return true
		}
	}
	return false
}
