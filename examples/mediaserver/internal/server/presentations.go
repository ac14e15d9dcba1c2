package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

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

// listLimit bounds the list that the page gets.
const listLimit = 10_000

// Presentations returns what can be played of the first site, in the order of names, then the publishing points, then what they have
// recorded.
func (s *Server) Presentations(ctx context.Context) ([]Presentation, error) {
	g := s.enter()
	if g == nil {
		return nil, context.Canceled
	}
	defer g.leave()
	return g.sites[0].presentations(ctx)
}

// Playlists returns the playlists of the first site in the order of names. What cannot be read is left out.
func (s *Server) Playlists() []Playlist {
	g := s.enter()
	if g == nil {
		return nil
	}
	defer g.leave()
	return g.sites[0].playlists()
}

// PagePath returns where the page of players of the first site is, relative to its root: "", or another path if there is an index.
func (s *Server) PagePath() string {
	g := s.enter()
	if g == nil {
		return ""
	}
	defer g.leave()
	if g.sites[0].hasIndex() {
		return pagePath
	}
	return ""
}

func (st *site) presentations(ctx context.Context) ([]Presentation, error) {
	recorded, err := st.recordings(ctx)
	if err != nil {
		return nil, err
	}
	own, err := st.belowRoot(recorded)
	if err != nil {
		return nil, err
	}
	list := []Presentation{}
	for _, f := range st.folders {
		if f.source == nil {
			continue
		}
		err := f.source.List(ctx, func(info smooth.Info) bool {
			if f.prefix == "" && own[path.Dir(path.Dir(info.Name))] {
				return true
			}
			list = append(list, newPresentation(f.prefix+info.Name))
			return len(list) < listLimit
		})
		if err != nil {
			return nil, err
		}
	}
	list = append(list, st.points()...)
	slices.SortFunc(list, func(a, b Presentation) int {
		if a.Live != b.Live { // what can always be played comes first
			return map[bool]int{false: -1, true: 1}[a.Live]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return append(list, recorded...), nil
}

// points returns the publishing points of a site.
func (st *site) points() (list []Presentation) {
	for _, f := range st.folders {
		if f.live == nil {
			continue
		}
		for _, point := range f.live.Points() {
			p := newPresentation(f.prefix + point.Name())
			stats := point.Stats()
			p.Live, p.State, p.Push = true, stats.State.String(), escapePath(p.Name)+"/Streams(enc1)"
			p.Recorded = f.live.archive != nil && point.Settings().Archive.Enabled
			p.Alarms = alarms(stats.Sinks)
			list = append(list, p)
		}
	}
	return list
}

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// shows reports whether who has been let in to the list may know of what is in it: neither what is only for playlists nor what has rules
// of its own, unless everybody meets those.
func (st *site) shows(r *http.Request, name string) bool {
	if st.hides("/" + name) {
		return false
	}
	p := st.viewersOf("/" + name)
	if p == visitOf(r).policy {
		return true
	}
	if p == nil || len(p.Authenticators) > 0 {
		return false
	}
	_, err := p.Check(r)
	return err == nil
}

// serveList answers with what the page lists.
func (st *site) serveList(w http.ResponseWriter, r *http.Request) {
	list, err := st.presentations(r.Context())
	if err != nil {
		st.gen.server.log.Error("list presentations", "err", err)
		http.Error(w, "cannot list the presentations", http.StatusInternalServerError)
		return
	}
	list = slices.DeleteFunc(list, func(p Presentation) bool { return !st.shows(r, p.Name) })
	playlists := slices.DeleteFunc(st.playlists(), func(p Playlist) bool { return !st.shows(r, p.Name) })
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(struct {
		Presentations []Presentation `json:"presentations"`
		Playlists     []Playlist     `json:"playlists,omitempty"`
		Players       Scripts        `json:"players"`
		Archive       bool           `json:"archive"` // whether anything is recorded
	}{list, playlists, st.gen.page.scripts, st.gen.archive != nil})
}
