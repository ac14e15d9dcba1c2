package server

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/redisstore"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// Playlist is a Web Playlist below the root.
type Playlist struct {
	// Name is its path below the server's root, such as "tv/evening.isx", and URL the same as a URL, relative to that root.
	Name string `json:"name"`
	URL  string `json:"url"`
}

// playlists lets the .isx files of a folder play, whose entries are files and presentations of the folder.
func (g *generation) playlists(f *folder, dir string) (http.Handler, error) {
	if g.cfg.Playlist.Disabled {
		return nil, nil
	}
	options, err := g.playlistOptions(f, dir)
	if err != nil {
		return nil, err
	}
	if options.Store, err = g.sessions(); err != nil {
		return nil, err
	}
	return playlist.NewHandler(playlist.NewFiles(options.Files, g.server.log), options), nil
}

// playlistOptions returns what the configuration says of the playlists of a folder.
func (g *generation) playlistOptions(f *folder, dir string) (*playlist.HandlerOptions, error) {
	cfg := &g.cfg.Playlist
	options := &playlist.HandlerOptions{
		Logger: g.server.log, Files: os.DirFS(dir), Presentations: f.source, Outputs: []smooth.Output{g.server.hls},
		Interstitials: cfg.Interstitials, ProxyRemote: cfg.Remote, RideAlong: g.access.childQuery(), Media: g.pacedMedia(f),
		Duration: duration, ServerNames: f.site.cfg.Hosts,
	}
	for _, key := range cfg.Keys {
		options.Keys = append(options.Keys, []byte(key.Value()))
	}
	section, err := g.playlistSection(f)
	if err != nil || section == nil {
		return options, err
	}
	for _, text := range section.Apply(options) {
		g.warn("playlists of " + f.name() + ": " + text)
	}
	if r := options.Remote; r != nil {
		g.own(closer(func() error { r.Close(); return nil }))
	}
	return options, nil
}

// playlistSection returns the section of IIS's configuration that holds for a folder, nil if there is none.
func (g *generation) playlistSection(f *folder) (*playlist.Config, error) {
	data, place, err := g.section(g.cfg.Playlist.File, f)
	if data == nil || err != nil {
		return nil, err
	}
	section, err := playlist.ParseConfig(data)
	if errors.Is(err, playlist.ErrNoSection) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return section.For(place), nil
}

// sessionStore is a store of sessions that outlives configurations.
type sessionStore struct{ playlist.Store }

// Close ends the store's connections, if it has any.
func (s *sessionStore) Close() error {
	if c, ok := s.Store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// count returns the number of sessions, zero if the store does not answer.
func (s *sessionStore) count(ctx context.Context) int {
	n, _ := s.Len(ctx)
	return n
}

// maxSessions bounds the sessions in this process: some 350 MB.
const maxSessions = 1_000_000

// sessions returns where sessions of playlists are kept: in this process, or in Redis for a farm.
func (g *generation) sessions() (*sessionStore, error) {
	address := g.cfg.Playlist.Redis
	return share(g, keyOf("sessions", address.Value()), func() (*sessionStore, error) {
		if !address.IsSet() {
			return &sessionStore{playlist.NewMemoryStore(&playlist.MemoryOptions{MaxSessions: maxSessions})}, nil
		}
		store, err := redisstore.Open(address.Value(), nil)
		if err != nil {
			return nil, errors.New("playlist: redis is not the URL of a Redis server") // the error would show the password
		}
		return &sessionStore{store}, nil
	})
}

// duration finds how long a media file plays.
func duration(_ context.Context, name string, r io.ReaderAt, size int64) (time.Duration, error) {
	d := bitrate.Detector{Name: path.Base(name)}
	info, err := d.Detect(r, size)
	return info.Duration, err
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

// playlists returns the playlists of a site in the order of names. What cannot be read is left out.
func (st *site) playlists() (list []Playlist) {
	for _, f := range st.folders {
		if f.playlists == nil {
			continue
		}
		_ = fs.WalkDir(os.DirFS(f.dir), ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil && d != nil && d.IsDir():
				return fs.SkipDir
			case err == nil && d.Type().IsRegular() && ofPlaylist(name):
				list = append(list, Playlist{Name: f.prefix + name, URL: escapePath(f.prefix + name)})
			}
			if len(list) == listLimit {
				return fs.SkipAll
			}
			return nil
		})
	}
	slices.SortFunc(list, func(a, b Playlist) int { return strings.Compare(a.Name, b.Name) })
	return list
}
