package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/livesmooth"
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

// addArchive opens the archive and serves what is in it.
func (s *Server) addArchive(dir, root string) error {
	if dir == "" {
		return nil
	}
	var err error
	s.archive, err = archive.New(dir, &archive.Options{Logger: s.log})
	if errors.Is(err, archive.ErrLocked) {
		return fmt.Errorf("-archive %s: another server records there; give each one a directory of its own", dir)
	}
	if err != nil {
		return fmt.Errorf("-archive %s: %w", dir, err)
	}
	if s.below, err = below(root, dir); err != nil {
		return err
	}
	s.extents = make(map[extentKey]extent)
	handler := smooth.NewHandler(s.archive, &smooth.HandlerOptions{Logger: s.log, Outputs: []smooth.Output{s.hls}})
	s.mux.Handle("/"+archivePrefix, http.StripPrefix("/"+path.Clean(archivePrefix), handler))
	return nil
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
func (s *Server) belowRoot(recorded []Presentation) map[string]bool {
	if s.below == "" {
		return nil
	}
	dirs := make(map[string]bool, len(recorded))
	for _, p := range recorded {
		dirs[path.Join(s.below, strings.TrimPrefix(p.Recording.Event, archivePrefix))] = true
	}
	return dirs
}

// sinks returns what records the events of a point: the archive if its settings say so, else what keeps the window on disk.
func (s *Server) sinks(_ string, set *livesmooth.Settings) []livesmooth.Sink {
	if s.archive != nil && set.Archive.Enabled {
		return []livesmooth.Sink{s.archive}
	}
	return []livesmooth.Sink{s.spool}
}

// recordings returns what is in the archive: what is being recorded first, and then the newest first.
func (s *Server) recordings(ctx context.Context) ([]Presentation, error) {
	if s.archive == nil {
		return nil, nil
	}
	var found []smooth.Info
	err := s.archive.List(ctx, func(info smooth.Info) bool {
		found = append(found, info)
		return len(found) < listLimit
	})
	if err != nil {
		return nil, err
	}
	list := make([]Presentation, 0, len(found))
	started := make(map[string]time.Time)
	failing := s.failing()
	known := make(map[extentKey]extent)
	for _, info := range found {
		e, ok := s.extent(ctx, info)
		if ok && !info.Live {
			known[extentKey{info.Name, info.ModTime}] = e
		}
		p := newPresentation(archivePrefix + info.Name)
		started[p.Name] = e.started
		p.Live = info.Live
		p.Recording = &Recording{Event: path.Dir(p.Name), Seconds: e.seconds, Interrupted: info.Live && failing[path.Dir(info.Name)]}
		if !e.started.IsZero() {
			p.Recording.Started = e.started.UTC().Format(time.RFC3339)
		}
		if info.Live {
			soFar := newPresentation(archivePrefix + withExtension(info.Name, ".ism"))
			p.Recording.SoFar = &soFar
		}
		list = append(list, p)
	}
	s.extentsMu.Lock()
	s.extents = known // those of events that are gone are forgotten
	s.extentsMu.Unlock()
	slices.SortStableFunc(list, func(a, b Presentation) int {
		if a.Live != b.Live {
			return map[bool]int{true: -1, false: 1}[a.Live]
		}
		return cmp.Or(started[b.Name].Compare(started[a.Name]), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// failing returns the directories of events that cannot be recorded at the moment.
func (s *Server) failing() map[string]bool {
	dirs := make(map[string]bool)
	for _, point := range s.live.Points() {
		for _, sink := range point.Stats().Sinks {
			if sink.Failing && sink.Name == s.archive.SinkName() {
				dirs[sink.Target] = true
			}
		}
	}
	return dirs
}

// extent finds out when a recorded event began and how long it is: once for one that is complete. It reports false for what cannot
// be opened.
func (s *Server) extent(ctx context.Context, info smooth.Info) (extent, bool) {
	s.extentsMu.Lock()
	e, ok := s.extents[extentKey{info.Name, info.ModTime}]
	s.extentsMu.Unlock()
	if ok {
		return e, true
	}
	p, err := s.archive.Open(ctx, withExtension(info.Name, ".isml")) // which has the wall clock
	if err != nil {
		return extent{}, false
	}
	defer p.Close()
	snap, err := p.Snapshot(ctx)
	if err != nil {
		return extent{}, false
	}
	return extentOf(snap), true
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
