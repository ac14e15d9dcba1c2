package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/smooth"
)

// archivePrefix is where what has been recorded is served.
const archivePrefix = "archive/"

// Recording is what the page shows of a recorded event.
type Recording struct {
	// Event is the path of the event, the same during and after it.
	Event string `json:"event"`
	// Started is when the event began, empty if unknown, and Seconds how long what there is of it lasts, zero if unknown.
	Started string  `json:"started,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	// Interrupted reports that nothing can be recorded at the moment: see the alarms of the publishing point.
	Interrupted bool `json:"interrupted,omitempty"`
	// SoFar is the event on demand while it is being recorded; the entry itself is then the event from its beginning, live.
	SoFar *Presentation `json:"soFar,omitempty"`
}

// extent is when a recorded event began, and how long what there is of it lasts.
type extent struct {
	started time.Time
	seconds float64
}

// extentKey is a state of a recorded event. That of one which is complete does not change but when somebody edits it.
type extentKey struct {
	name string
	mod  time.Time
}

// archives is the archive, which lives until the server ends or another process takes over.
type archives struct {
	*archive.Archive
	options config.Archive

	mu      sync.Mutex // guards extents
	extents map[extentKey]extent
}

// release lets another process have the directory.
func (a *archives) release(context.Context) error { return a.Close() }

func (a *archives) rank() int { return 1 } // what is recorded is safe before the archive is closed

// openArchive opens the archive, if there is one.
func (g *generation) openArchive() error {
	cfg, s := &g.cfg.Archive, g.server
	if cfg.Directory == "" && !s.pool.has("archive") {
		return nil
	}
	var err error
	g.archive, err = share(g, "archive", func() (*archives, error) {
		a, err := archive.New(cfg.Directory, &archive.Options{
			Logger: s.log, SyncInterval: cfg.Sync.D(), ResumeWithin: cfg.ResumeWithin.D(),
			Retention: archive.Retention{Age: cfg.KeepFor.D(), Bytes: int64(cfg.KeepBytes), Events: cfg.KeepEvents},
		})
		return &archives{Archive: a, options: *cfg, extents: make(map[extentKey]extent)}, err
	})
	if errors.Is(err, archive.ErrLocked) {
		return fmt.Errorf("archive %s: another server records there; give each one a directory of its own", cfg.Directory)
	}
	if err != nil {
		return fmt.Errorf("archive %s: %w", cfg.Directory, err)
	}
	g.keep("archive", *cfg, g.archive.options)
	return nil
}

// recordings are those of the archive that are of points of a site, by the names that they have there.
type recordings struct {
	*archives
	site *site
}

// Open implements smooth.Source.
func (r *recordings) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	if _, own := r.site.recorded(r.site.events() + name); !own {
		return nil, smooth.ErrNotFound
	}
	return r.archives.Open(ctx, r.site.events()+name)
}

// List implements smooth.Lister.
func (r *recordings) List(ctx context.Context, yield func(smooth.Info) bool) error {
	return r.archives.List(ctx, func(info smooth.Info) bool {
		name, own := r.site.recorded(info.Name)
		if !own {
			return true
		}
		info.Name = name
		return yield(info)
	})
}

// recorded returns the name in a site of what has a name in the archive, and whether it is of a point of the site: its name begins with
// that of the site, if it has one, and with that of no other. Case does not count, as the archive finds its files without.
func (st *site) recorded(name string) (in string, own bool) {
	first, rest, _ := strings.Cut(name, "/")
	is := func(other *site) bool {
		return other.events() != "" && fold(first) == fold(strings.TrimSuffix(other.events(), "/"))
	}
	if st.events() != "" {
		return rest, is(st)
	}
	return name, !slices.ContainsFunc(st.gen.sites, is)
}

// below returns the path of the archive below the root, "" if it is not there.
func below(root, dir string) (string, error) {
	if root == "" {
		return "", nil
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil || !filepath.IsLocal(rel) { // on Windows they may be on different drives
		return "", nil
	}
	return filepath.ToSlash(rel), nil
}

// belowRoot returns the directories of recorded events that are below the root, where their segments are presentations: they are
// listed as events only.
func (st *site) belowRoot(recorded []Presentation) (map[string]bool, error) {
	if st.gen.archive == nil {
		return nil, nil
	}
	at, err := below(st.cfg.Root, st.gen.archive.options.Directory)
	if at == "" || err != nil {
		return nil, err
	}
	dirs := make(map[string]bool, len(recorded))
	for _, p := range recorded {
		dirs[path.Join(at, st.events(), strings.TrimPrefix(p.Recording.Event, archivePrefix))] = true
	}
	return dirs, nil
}

// recordings returns what is in the archive: what is being recorded first, and then the newest first.
func (st *site) recordings(ctx context.Context) ([]Presentation, error) {
	a := st.gen.archive
	if a == nil {
		return nil, nil
	}
	events := &recordings{a, st}
	var found []smooth.Info
	err := events.List(ctx, func(info smooth.Info) bool {
		found = append(found, info)
		return len(found) < listLimit
	})
	if err != nil {
		return nil, err
	}
	list := make([]Presentation, 0, len(found))
	started := make(map[string]time.Time)
	failing := st.gen.failing()
	for _, info := range found {
		e := events.extent(ctx, info)
		p := newPresentation(archivePrefix + info.Name)
		started[p.Name] = e.started
		p.Live = info.Live
		p.Recording = &Recording{Event: path.Dir(p.Name), Seconds: e.seconds, Interrupted: info.Live && failing[st.events()+path.Dir(info.Name)]}
		if !e.started.IsZero() {
			p.Recording.Started = e.started.UTC().Format(time.RFC3339)
		}
		if info.Live {
			soFar := newPresentation(archivePrefix + withExtension(info.Name, ".ism"))
			p.Recording.SoFar = &soFar
		}
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b Presentation) int {
		if a.Live != b.Live {
			return map[bool]int{true: -1, false: 1}[a.Live]
		}
		return cmp.Or(started[b.Name].Compare(started[a.Name]), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// failing returns the directories of events that cannot be recorded at the moment.
func (g *generation) failing() map[string]bool {
	dirs := make(map[string]bool)
	for _, l := range g.liveServers() {
		for _, point := range l.Points() {
			for _, sink := range point.Stats().Sinks {
				if sink.Failing && sink.Name == g.archive.SinkName() {
					dirs[sink.Target] = true
				}
			}
		}
	}
	return dirs
}

// maxExtents bounds what is remembered of recorded events.
const maxExtents = 2 * listLimit

// extent finds out when a recorded event began and how long it is: once for one that is complete. It is zero for what cannot be
// opened.
func (r *recordings) extent(ctx context.Context, info smooth.Info) extent {
	key := extentKey{r.site.events() + info.Name, info.ModTime}
	r.mu.Lock()
	e, ok := r.extents[key]
	r.mu.Unlock()
	if ok {
		return e
	}
	p, err := r.Open(ctx, withExtension(info.Name, ".isml")) // which has the wall clock
	if err != nil {
		return extent{}
	}
	defer p.Close()
	snap, err := p.Snapshot(ctx)
	if err != nil {
		return extent{}
	}
	e = extentOf(snap)
	if info.Live {
		return e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.extents) >= maxExtents {
		clear(r.extents) // those of events that are gone are among them
	}
	r.extents[key] = e
	return e
}

// extentOf returns the extent of what there is, with what waits for its look-ahead to be listed.
func extentOf(snap *smooth.Snapshot) extent {
	var e extent
	if len(snap.Periods) > 0 {
		e.started = snap.Periods[0].Wall
	}
	from, until := math.Inf(1), 0.0
	for i, st := range snap.Manifest.Streams {
		if len(st.Timeline) == 0 || st.Parent != "" {
			continue
		}
		end := st.Timeline.End()
		if i < len(snap.Edges) {
			end = max(end, snap.Edges[i].Complete)
		}
		scale := float64(snap.Manifest.TimescaleOf(st))
		from, until = min(from, float64(st.Timeline.Start())/scale), max(until, float64(end)/scale)
	}
	e.seconds = max(until-from, 0)
	return e
}

// withExtension returns the name under which an event is live (.isml) or on demand (.ism).
func withExtension(name, extension string) string {
	return name[:len(name)-len(path.Ext(name))] + extension
}
