// Package server is the program code of the media server example: it mounts presentations, as Smooth Streaming and as
// HLS, records live events, lists everything for the page, and serves the page.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/page"
	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// Config says what to serve.
type Config struct {
	// Root is a directory whose presentations are served at the same paths. Empty means the sample only.
	Root string
	// Archive is a directory that publishing points record into whose settings say so, and the demo. It is made if there is none.
	// Empty means that nothing is recorded.
	Archive string
	// Players is a directory or an http(s) URL with dash.js and hls.js, laid out as npm does. Empty means none.
	Players string
	// Logger gets one record per failed request. Nil means slog.Default().
	Logger *slog.Logger
}

// Server serves the page, the presentations and, on request, other players.
type Server struct {
	handler http.Handler // management, live points, then mux
	mux     *http.ServeMux
	mounts  []mount
	root    fs.FS // where playlists are, nil if there are none
	live    *livesmooth.Server
	archive *archive.Archive // nil if nothing is recorded
	below   string           // where it is below the root, "" if it is not there
	spool   *livesmooth.Spool
	hls     *hls.Output
	log     *slog.Logger

	extentsMu sync.Mutex // guards extents
	extents   map[extentKey]extent
}

// mount is a set of presentations below a path prefix, which is empty or ends in a slash.
type mount struct {
	prefix string
	source *hls.ArchiveSource
}

// Presentation is an entry of the list.
type Presentation struct {
	// Name is the path of the presentation below the server's root, such as "sample/sample.ism".
	Name string `json:"name"`
	// URL of its manifest, relative to the server's root.
	URL string `json:"url"`
	// HLS is the URL of its HLS master playlist, HLSMuxed that of the one for old clients, whose segments hold picture and
	// sound, and HLSFragmented that of the one with fragmented MP4.
	HLS           string `json:"hls"`
	HLSMuxed      string `json:"hlsMuxed"`
	HLSFragmented string `json:"hlsFMP4"`
	// Live reports a publishing point, State what it does, such as "Started", and Push the URL that encoders send to.
	Live  bool   `json:"live,omitempty"`
	State string `json:"state,omitempty"`
	Push  string `json:"push,omitempty"`
	// Recorded reports a publishing point whose events are recorded.
	Recorded bool `json:"recorded,omitempty"`
	// Alarms say what is wrong with the recording of a publishing point, and with the servers that it pushes to.
	Alarms []Alarm `json:"alarms,omitempty"`
	// Recording is there for what is in the archive.
	Recording *Recording `json:"recording,omitempty"`
}

func newPresentation(name string) Presentation {
	manifest := escapePath(name) + "/Manifest"
	master := func(format string) string { return manifest + "(format=" + format + ").m3u8" }
	return Presentation{
		Name: name, URL: manifest,
		HLS: master("m3u8-aapl"), HLSMuxed: master("m3u8-aapl-v3"), HLSFragmented: master("m3u8-cmaf"),
	}
}

// New returns a server. It fails if the root or the players cannot be found.
func New(cfg Config) (*Server, error) {
	s := &Server{mux: http.NewServeMux(), log: cfg.Logger}
	if s.log == nil {
		s.log = slog.Default()
	}
	scripts, err := s.addPlayers(cfg.Players)
	if err != nil {
		return nil, err
	}
	if err := s.addPresentations(cfg.Root); err != nil {
		return nil, err
	}
	if err := s.addArchive(cfg.Archive, cfg.Root); err != nil {
		return nil, errors.Join(err, s.closeSources())
	}
	if err := s.addLive(cfg.Root); err != nil {
		return nil, errors.Join(err, s.closeSources())
	}
	s.mux.Handle("GET /_page/", noCache(http.StripPrefix("/_page", http.FileServerFS(page.Files()))))
	s.mux.Handle("GET /{$}", noCache(http.FileServerFS(page.Files())))
	s.mux.HandleFunc("GET /presentations.json", func(w http.ResponseWriter, r *http.Request) { s.serveList(w, r, scripts) })
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Drain tells encoders to go elsewhere and ends recordings, so that the server can end.
func (s *Server) Drain(ctx context.Context) error { return s.live.Shutdown(ctx) }

// Close ends publishing points and releases the files. Requests under way must be over.
func (s *Server) Close() error {
	return errors.Join(s.live.Close(), s.spool.Close(), s.closeSources()) // what records is fed no more when the archive is closed
}

// closeSources closes what is on demand, and before it what may be using it.
func (s *Server) closeSources() error {
	errs := []error{s.hls.Close()}
	if s.archive != nil {
		errs = append(errs, s.archive.Close())
	}
	for _, m := range s.mounts {
		errs = append(errs, m.source.Close())
	}
	return errors.Join(errs...)
}

// addPresentations mounts the sample and the directory. A directory of the user's that is called sample wins.
func (s *Server) addPresentations(root string) error {
	s.hls = hls.NewOutput(&hls.Options{Logger: s.log})
	opts := &smooth.HandlerOptions{Logger: s.log, Outputs: []smooth.Output{s.hls}}
	if root != "" {
		if info, err := os.Stat(root); err != nil || !info.IsDir() {
			return fmt.Errorf("-root %s is not a directory that can be read", root)
		}
		source := s.source(smooth.Dir(root, &smooth.FileOptions{Logger: s.log}))
		s.mounts = append(s.mounts, mount{source: source})
		files := os.DirFS(root)
		s.mux.Handle("/", s.withPlaylists(files, source, smooth.NewHandler(source, opts)))
		if _, err := fs.Stat(files, "sample"); err == nil {
			return nil
		}
	}
	sample := s.source(smooth.FS(smoothtest.Sample(), &smooth.FileOptions{Logger: s.log}))
	s.mounts = append(s.mounts, mount{prefix: "sample/", source: sample})
	handler := smooth.NewHandler(sample, opts)
	s.mux.Handle("/sample/", http.StripPrefix("/sample", handler))
	if root == "" { // else the handler of the root answers these
		s.mux.Handle("/clientaccesspolicy.xml", handler)
		s.mux.Handle("/crossdomain.xml", handler)
	}
	return nil
}

// source adds what IIS archived for HLS to a source.
func (s *Server) source(src *smooth.FileSource) *hls.ArchiveSource {
	return hls.WithArchives(src, &hls.ArchiveOptions{Logger: s.log})
}

// listLimit bounds the list that the page gets.
const listLimit = 10_000

// Presentations returns what can be played, in the order of names, then the publishing points, then what they have recorded.
func (s *Server) Presentations(ctx context.Context) ([]Presentation, error) {
	recorded, err := s.recordings(ctx)
	if err != nil {
		return nil, err
	}
	own := s.belowRoot(recorded)
	list := []Presentation{}
	for _, m := range s.mounts {
		err := m.source.List(ctx, func(info smooth.Info) bool {
			if m.prefix == "" && own[path.Dir(path.Dir(info.Name))] {
				return true
			}
			list = append(list, newPresentation(m.prefix+info.Name))
			return len(list) < listLimit
		})
		if err != nil {
			return nil, err
		}
	}
	for _, point := range s.live.Points() {
		p := newPresentation(point.Name())
		stats := point.Stats()
		p.Live, p.State, p.Push = true, stats.State.String(), escapePath(point.Name())+"/Streams(enc1)"
		p.Recorded = s.archive != nil && point.Settings().Archive.Enabled
		p.Alarms = alarms(stats.Sinks)
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Presentation) int {
		if a.Live != b.Live { // what can always be played comes first
			return map[bool]int{false: -1, true: 1}[a.Live]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return append(list, recorded...), nil
}

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func (s *Server) serveList(w http.ResponseWriter, r *http.Request, scripts Scripts) {
	list, err := s.Presentations(r.Context())
	if err != nil {
		s.log.Error("list presentations", "err", err)
		http.Error(w, "cannot list the presentations", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(struct {
		Presentations []Presentation `json:"presentations"`
		Playlists     []Playlist     `json:"playlists,omitempty"`
		Players       Scripts        `json:"players"`
		Archive       bool           `json:"archive"` // whether anything is recorded
	}{list, s.Playlists(), scripts, s.archive != nil})
}

func noCache(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		h.ServeHTTP(w, r)
	})
}
