package server

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// Playlist is a Web Playlist below the root.
type Playlist struct {
	// Name is its path below the server's root, such as "tv/evening.isx", and URL the same as a URL, relative to that root.
	Name string `json:"name"`
	URL  string `json:"url"`
}

// withPlaylists lets the .isx files of the root play, whose entries are files and presentations of the root, and leaves
// the rest to next.
func (s *Server) withPlaylists(root fs.FS, source smooth.Source, next http.Handler) http.Handler {
	s.root = root
	lists := playlist.NewHandler(playlist.NewFiles(root, s.log), &playlist.HandlerOptions{
		Logger: s.log, Files: root, Presentations: source, Outputs: []smooth.Output{s.hls},
		Duration: func(_ context.Context, name string, r io.ReaderAt, size int64) (time.Duration, error) {
			d := bitrate.Detector{Name: path.Base(name)}
			info, err := d.Detect(r, size)
			return info.Duration, err
		},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ofPlaylist(r.URL.Path) {
			lists.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ofPlaylist reports whether a path is that of a playlist, or below one in a session, such as list.isx/SESSION/all.ism.
func ofPlaylist(name string) bool {
	const extension = ".isx"
	lower := strings.ToLower(name)
	i := strings.Index(lower, extension+"/")
	if i < 0 {
		return strings.HasSuffix(lower, extension)
	}
	session, _, _ := strings.Cut(lower[i+len(extension)+1:], "/")
	_, ok := playlist.ParseID(session)
	return ok
}

// Playlists returns the playlists below the root in the order of names. What cannot be read is left out.
func (s *Server) Playlists() (list []Playlist) {
	if s.root == nil {
		return nil
	}
	_ = fs.WalkDir(s.root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && d != nil && d.IsDir():
			return fs.SkipDir
		case err == nil && d.Type().IsRegular() && ofPlaylist(name):
			list = append(list, Playlist{Name: name, URL: escapePath(name)})
		}
		if len(list) == listLimit {
			return fs.SkipAll
		}
		return nil
	})
	return list
}
