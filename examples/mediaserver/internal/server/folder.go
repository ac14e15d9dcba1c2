package server

import (
	"cmp"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// folder is a directory of a site: presentations, publishing points, playlists, media and plain files, at the paths that they have
// there.
type folder struct {
	site   *site
	prefix string // of its URLs below the site: "" or one that ends in a slash
	dir    string // "" for the sample, and where there is none
	source *hls.ArchiveSource
	media  *mediaNames // of presentations in the directory, nil if there is none
	live   *liveServer // nil if it has no publishing points
	// What a request meets, from the outside: live points, then one of these.
	playlists http.Handler // nil if there are none
	smooth    http.Handler
	files     http.Handler // nil if there are none
	plain     http.Handler // files, behind the throttle
}

// sources is a source that is shared as long as some configuration has its directory.
type sources struct {
	*hls.ArchiveSource
	media *mediaNames // nil for the sample
}

// addFolder makes a folder of a site. Without a directory it has publishing points only.
func (g *generation) addFolder(st *site, at, dir string) (*folder, error) {
	f := &folder{site: st, prefix: prefixOf(at), dir: dir}
	if dir != "" {
		if err := g.openDirectory(f); err != nil {
			return nil, err
		}
	}
	live, err := g.liveServer(f)
	if err != nil {
		return nil, err
	}
	f.live = live
	st.folders = append(st.folders, f)
	return f, nil
}

// openDirectory gives a folder what is in its directory.
func (g *generation) openDirectory(f *folder) error {
	s := g.server
	abs, err := filepath.Abs(f.dir)
	if err != nil {
		return err
	}
	src, err := share(g, keyOf("source", abs), func() (sources, error) {
		media := newMediaNames(os.DirFS(abs))
		files := smooth.Dir(abs, &smooth.FileOptions{Logger: s.log, Hidden: media.has})
		return sources{hls.WithArchives(files, &hls.ArchiveOptions{Logger: s.log}), media}, nil
	})
	if err != nil {
		return err
	}
	f.source, f.media = src.ArchiveSource, src.media
	f.smooth = smooth.NewHandler(f.source, g.viewerOptions())
	if f.playlists, err = g.playlists(f, abs); err != nil {
		return err
	}
	f.files, err = g.plainFiles(f, abs)
	return err
}

// addSample makes the folder with the presentation that is in the program.
func (g *generation) addSample(st *site) error {
	src, err := share(g, "sample", func() (sources, error) {
		files := smooth.FS(smoothtest.Sample(), &smooth.FileOptions{Logger: g.server.log})
		return sources{ArchiveSource: hls.WithArchives(files, &hls.ArchiveOptions{Logger: g.server.log})}, nil
	})
	if err != nil {
		return err
	}
	f := &folder{site: st, prefix: "sample/", source: src.ArchiveSource}
	f.smooth = smooth.NewHandler(f.source, g.viewerOptions())
	st.folders = append(st.folders, f)
	return nil
}

// viewerOptions are those of all handlers for viewers.
func (g *generation) viewerOptions() *smooth.HandlerOptions {
	return &smooth.HandlerOptions{
		Logger: g.server.log, Outputs: []smooth.Output{g.server.hls}, WaitAtEdge: g.cfg.Live.WaitAtEdge.D(),
		CORS: g.access.smoothCORS(), ChildQuery: g.access.childQuery(),
	}
}

// prefixOf makes a prefix of the path of a folder, such as video/ of /video.
func prefixOf(at string) string {
	at = strings.Trim(path.Clean("/"+at), "/")
	if at == "" {
		return ""
	}
	return at + "/"
}

// below returns the path of a request relative to the folder, or false.
func (f *folder) below(p string) (string, bool) {
	p = strings.TrimPrefix(p, "/")
	if len(p) < len(f.prefix) || !strings.EqualFold(p[:len(f.prefix)], f.prefix) {
		return "", false
	}
	return p[len(f.prefix):], true
}

// ServeHTTP answers a request whose path is relative to the folder.
func (f *folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.live != nil {
		f.live.handler.ServeHTTP(w, r) // which leaves to afterLive what is for none of its points
		return
	}
	f.afterLive(w, r)
}

// afterLive answers what is not for a publishing point.
func (f *folder) afterLive(w http.ResponseWriter, r *http.Request) {
	switch {
	case f.playlists != nil && ofPlaylist(r.URL.Path):
		f.playlists.ServeHTTP(w, r)
	case f.files != nil && !ofPresentation(r.URL.Path):
		f.files.ServeHTTP(w, r)
	case f.smooth != nil:
		f.smooth.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// ofPresentation reports whether a path is below a presentation: the rest are files, which the handler of presentations does not
// have.
func ofPresentation(p string) bool {
	for rest := strings.ToLower(p); ; {
		i := strings.Index(rest, ".")
		if i < 0 {
			return false
		}
		rest = rest[i:]
		for _, extension := range []string{".ism/", ".isml/", ".csm/"} {
			if strings.HasPrefix(rest, extension) {
				return true
			}
		}
		rest = rest[1:]
	}
}

// name is what people call the folder.
func (f *folder) name() string {
	return cmp.Or(strings.TrimSuffix(f.prefix, "/"), f.site.name(), "/")
}

// keep tells that a part has options which differ from the configuration's and only a new process can change.
func (g *generation) keep(what string, now, was any) {
	if keyOf("", now) != keyOf("", was) {
		g.warn("changes of " + what + " need a new process: start one, which takes over, or restart")
	}
}
