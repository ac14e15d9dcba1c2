package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
	"github.com/smoothkit/smoothkit/smooth"
)

// demoName is the publishing point that is always there.
const demoName = "live/demo.isml"

// demoWindow is how far back viewers of the demo may go.
const demoWindow = 10 * time.Minute

// liveServer has the publishing points of a directory. It lives as long as the configuration has that, whatever the site or the folder is
// called: two servers would record the same events twice.
type liveServer struct {
	*livesmooth.Server
	handler *manage.Handler // management, then the points, then what the folder of the request has
	spool   *livesmooth.Spool
	archive *archives // nil if nothing is recorded
	options liveOptions
	watcher *watcher
}

// liveOptions are what only a new process can change.
type liveOptions struct {
	Live    config.Live
	Archive string
	// Events is what the names of its points are prefixed with in the archive, and Queries and CORS are those of its manifests.
	Events  string
	Queries []string
	CORS    smooth.CORS
}

// liveServer returns the publishing points of a folder, nil if it can have none.
func (g *generation) liveServer(f *folder) (*liveServer, error) {
	demo := f.prefix == "" && f.site == g.sites[0] && g.cfg.Live.Demo != nil && *g.cfg.Live.Demo
	if f.dir == "" && !demo {
		return nil, nil
	}
	dir := f.dir
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		dir = abs
	}
	made := false
	live, err := share(g, keyOf("live", dir, demo), func() (*liveServer, error) {
		made = true
		return g.newLiveServer(f, dir, demo, g.liveOptions(f))
	})
	if err == nil && !made && !g.hasLive(live) {
		g.keep("live and archive, and of access for points", g.liveOptions(f), live.options)
	}
	return live, err
}

// hasLive reports whether a folder has the points already, whose options they are.
func (g *generation) hasLive(l *liveServer) bool { return slices.Contains(g.liveServers(), l) }

// liveOptions returns the options that the points of a folder would have if they were made now.
func (g *generation) liveOptions(f *folder) liveOptions {
	o := liveOptions{Live: g.cfg.Live, Archive: g.cfg.Archive.Directory, Events: f.site.events() + f.prefix}
	o.Live.Demo = nil // is a part of the key
	o.Queries = g.access.childQuery()
	if c := g.access.smoothCORS(); c != nil {
		o.CORS = *c
	}
	return o
}

func (g *generation) newLiveServer(f *folder, dir string, demo bool, options liveOptions) (*liveServer, error) {
	s := g.server
	l := &liveServer{archive: g.archive, options: options}
	var err error
	place := cmp.Or(g.cfg.Live.Spool, os.TempDir())
	if l.spool, err = livesmooth.NewSpool(place, &livesmooth.SpoolOptions{Logger: s.log}); err != nil {
		return nil, err
	}
	points := make(map[string]*livesmooth.Settings)
	if demo {
		points[demoName] = demoSettings(l.archive != nil)
	}
	l.Server, err = livesmooth.NewServer(&livesmooth.Options{
		Logger: s.log, Root: dir, Points: points, MemoryBudget: int64(g.cfg.Live.Memory), Sinks: l.sinks, Viewers: g.viewerOptions(),
		Outputs:         func(point string, set *livesmooth.Settings) []smooth.Output { return liveOutputs(point, set, s.log) },
		AuthorizeCreate: mayCreate, Credentials: credentials(g.cfg.Live.Credentials), Next: http.HandlerFunc(serveAfterLive),
	})
	if err != nil {
		return nil, errors.Join(err, l.spool.Close())
	}
	l.handler, err = manage.NewHandler(l.Server, &manage.Options{
		Authorize: mayManage, Next: l.Server, Logger: s.log, Challenge: `Basic realm="publishing points"`,
	})
	if err != nil {
		return nil, errors.Join(err, l.Server.Close(), l.spool.Close())
	}
	l.watcher = s.watch(l, f)
	return l, nil
}

// Close ends all points.
func (l *liveServer) Close() error {
	err := errors.Join(l.handler.Close(), l.Server.Close(), l.spool.Close())
	l.watcher.close()
	return err
}

// release tells encoders to go elsewhere, and ends recordings so that they can be gone on with.
func (l *liveServer) release(ctx context.Context) error {
	return errors.Join(l.handler.Close(), l.Shutdown(ctx))
}

func (l *liveServer) rank() int { return 0 }

// serveAfterLive goes on with a request that is not for a publishing point. The configuration, and with it the folder, may be
// newer than the points.
func serveAfterLive(w http.ResponseWriter, r *http.Request) {
	if v := visitOf(r); v != nil && v.folder != nil {
		v.folder.afterLive(w, r)
		return
	}
	http.NotFound(w, r)
}

// mayCreate lets encoders that may push create points where the configuration says so.
func mayCreate(r *http.Request, _ string) error {
	if v := visitOf(r); v != nil && v.gen.cfg.Live.Create {
		return nil
	}
	return errors.New("publishing points are not created by encoders here: see create in the section live")
}

// mayManage asks the policy for operators.
func mayManage(r *http.Request, _ manage.Operation) error {
	v := visitOf(r)
	if v == nil {
		return manage.ErrUnauthenticated
	}
	return v.gen.access.operator(r, v)
}

// credentials looks up users of other servers.
func credentials(known map[string]config.Credential) func(string) (string, string, bool) {
	return func(name string) (user, password string, ok bool) {
		c, ok := known[name]
		return c.User, c.Password.Value(), ok
	}
}

func demoSettings(recorded bool) *livesmooth.Settings {
	demo := livesmooth.DefaultSettings()
	demo.Title = "Demo"
	demo.AutoStart, demo.AutoRestart = true, true
	demo.Viewers.WindowLength = demoWindow
	demo.Archive.Enabled = recorded
	return demo
}

// sinks returns what records the events of a point: the archive if its settings say so, else what keeps the window on disk.
func (l *liveServer) sinks(_ string, set *livesmooth.Settings) []livesmooth.Sink {
	if l.archive != nil && set.Archive.Enabled {
		return []livesmooth.Sink{&recorder{l.archive.Archive, l.options.Events}}
	}
	return []livesmooth.Sink{l.spool}
}

// recorder records points of several folders in one archive: their names there begin with a prefix of the folder.
type recorder struct {
	*archive.Archive
	prefix string
}

// Begin implements livesmooth.Sink.
func (r *recorder) Begin(ctx context.Context, e smooth.EventInfo) (smooth.Recording, error) {
	e.Point = path.Join(r.prefix, e.Point)
	return r.Archive.Begin(ctx, e)
}

// liveOutputs returns the HLS output of a point that needs one of its own: its .isml file has settings for it, its window has
// no room for segments of the usual length, or its next event has the same URLs. The others share the server's.
func liveOutputs(point string, set *livesmooth.Settings, log *slog.Logger) []smooth.Output {
	length, fits := segmentLength(set)
	if !fits {
		log.Warn("segments of HLS are shortened, so that three are in the window", "point", point, "length", length.String())
	}
	opts := &hls.Options{Logger: log, SegmentDuration: length}
	if set.AutoRestart {
		opts.SegmentMaxAge = livesmooth.RestartMaxAge
	}
	switch {
	case set.HLS != nil:
		if err := useSettings(opts, set.HLS); err != nil {
			log.Error("no key for HLS", "point", point, "err", err)
			return nil
		}
	case fits && !set.AutoRestart:
		return nil
	}
	return []smooth.Output{hls.NewOutput(opts)}
}

// segmentLength returns the length of the segments of HLS, zero for the usual one, and whether that of the settings fits into
// the window three times: players start three segments before the end, and of less than one there is nothing to show.
func segmentLength(set *livesmooth.Settings) (length time.Duration, fits bool) {
	const usual = 6 * time.Second // of package hls
	if h := set.HLS; h != nil {
		length = cmp.Or(h.SegmentLength, livesmooth.DefaultHLSSegmentLength)
	}
	window := set.Viewers.WindowLength
	if window == 0 || 3*cmp.Or(length, usual) <= window {
		return length, true
	}
	return max((window / 3).Truncate(time.Second), time.Second), false
}

// useSettings makes options of the settings of an .isml file.
func useSettings(opts *hls.Options, h *livesmooth.HLSSettings) error {
	opts.MaxBitrate = cmp.Or(h.MaxBitrate, livesmooth.DefaultHLSMaxBitrate)
	opts.OmitCodecs, opts.DisallowCaching = !h.IncludeCodecs, !h.AllowCaching
	if !h.Encrypt {
		return nil
	}
	key, err := hlsKey(h.Key)
	if err != nil {
		return err
	}
	opts.Encryption = &hls.Encryption{Keys: key}
	return nil
}

// hlsKey returns the key of the settings, or one that is made up if there is none.
func hlsKey(b []byte) (hls.StaticKey, error) {
	var key hls.StaticKey
	switch len(b) {
	case 0:
		_, err := rand.Read(key[:])
		return key, err
	case len(key):
		copy(key[:], b)
		return key, nil
	}
	return key, fmt.Errorf("key of %d bytes, want %d", len(b), len(key))
}
