package server

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
	"github.com/smoothkit/smoothkit/smooth/edge"
	"github.com/smoothkit/smoothkit/smooth/usage"
	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/smoothkit/smoothkit/throttle/limit"
)

// Overview implements console.Source.
func (c consoleSource) Overview(ctx context.Context) (*console.Overview, error) {
	g, err := c.generation()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	s := c.s
	stats := s.usage.Stats()
	o := &console.Overview{
		Started: s.started, Viewers: int(stats.Viewers.Now), Out: float64(stats.SentRate.Now), In: float64(stats.ReceivedRate.Now),
		History: history(s.usage.History()), Points: g.consolePoints(), Config: s.configState(), Events: s.events.last(12),
		Throttle: g.throttleNumbers(), Limits: s.limitNumbers(), Edge: g.edgeNumbers(), Playlists: g.playlistNumbers(ctx, false),
	}
	if s.opts.Listeners != nil {
		o.Listeners = s.opts.Listeners()
	}
	o.Alarms = alarmsOf(o)
	return o, nil
}

func history(samples []usage.Sample) []console.Sample {
	list := make([]console.Sample, 0, len(samples))
	for _, x := range samples {
		seconds := usage.HistoryStep.Seconds()
		list = append(list, console.Sample{
			At: x.Start, Out: float64(x.Sent) * 8 / seconds, Viewers: x.Viewers, Requests: float64(x.Requests) / seconds,
			Denied: float64(x.Denied) / seconds,
		})
	}
	return list
}

// configState returns the state of the configuration.
func (s *Server) configState() *console.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	return &state
}

// alarmsOf returns what is wrong now.
func alarmsOf(o *console.Overview) (list []console.Alarm) {
	for _, l := range o.Listeners {
		if !l.Listening {
			list = append(list, console.Alarm{
				Severity: console.Failure, Subject: l.Address, Text: strings.TrimSpace(l.Error + " " + l.Remedy), Since: l.Since,
			})
		}
	}
	for _, p := range o.Points {
		if p.State == "Error" {
			list = append(list, console.Alarm{Severity: console.Failure, Subject: p.Name, Text: p.LastError})
		}
		for _, s := range p.Sinks {
			if s.Failing {
				list = append(list, console.Alarm{Severity: console.Failure, Subject: p.Name, Text: s.Name + ": " + s.Reason})
			}
		}
	}
	if o.Config.Error != "" {
		list = append(list, console.Alarm{
			Severity: console.Warning, Subject: "configuration", Text: "the newest one is not in force: " + o.Config.Error, Since: o.Config.At,
		})
	}
	if o.Edge == nil {
		return list
	}
	for _, u := range o.Edge.Upstreams {
		if !u.Healthy {
			list = append(list, console.Alarm{Severity: console.Warning, Subject: u.Name, Text: "the upstream does not answer", Since: u.At})
		}
	}
	return list
}

// Throttle implements console.Source.
func (c consoleSource) Throttle(context.Context) (*console.Throttle, error) {
	g, err := c.generation()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	return g.throttleNumbers(), nil
}

// pacers returns what paces the files of all folders.
func (g *generation) pacers() (list []pacer) {
	for _, p := range g.parts {
		if h, ok := p.value.(pacer); ok {
			list = append(list, h)
		}
	}
	return list
}

func (g *generation) throttleNumbers() *console.Throttle {
	pacers := g.pacers()
	if len(pacers) == 0 {
		return nil
	}
	out := &console.Throttle{}
	containers := make(map[bitrate.Container]uint64)
	for _, p := range pacers {
		s := p.Stats()
		addThrottle(out, &s)
		for name, n := range s.Containers {
			containers[name] += n
		}
	}
	for name, n := range containers {
		out.Containers = append(out.Containers, console.Count{Name: string(name), N: int64(n)})
	}
	slices.SortFunc(out.Containers, func(a, b console.Count) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func addThrottle(out *console.Throttle, s *throttle.Stats) {
	out.Active += s.Active
	out.Sessions += s.Sessions
	out.Responses += s.Responses
	out.Unthrottled += s.Unthrottled
	out.Aborted += s.Aborted
	out.Refused += s.Refused
	out.BurstBytes += s.BurstBytes
	out.SteadyBytes += s.SteadyBytes
	out.SavedBytes += s.SavedBytes
	out.Waited += s.Waited
	out.Detected += s.Detected
	out.Undetected += s.Undetected
	for _, group := range s.Groups {
		out.Groups = append(out.Groups, console.Group{Name: group.Name, Now: group.Active, Limit: group.Limit})
	}
}

// Limits implements console.Source.
func (c consoleSource) Limits(context.Context) (*console.Limits, error) {
	return c.s.limitNumbers(), nil
}

// topFiles is how many files with most viewers the console shows.
const topFiles = 20

func (s *Server) limitNumbers() *console.Limits {
	st, rules := s.limits.Stats(topFiles), s.limits.Rules()
	out := &console.Limits{
		Since: st.Since, Players: loadOf(st.Players, rules.Server.Players, rules.Server.PlayerBandwidth),
		Others:   loadOf(st.Distribution, rules.Server.DistributionConnections, rules.Server.DistributionBandwidth),
		Sessions: st.Sessions, Admitted: st.Admitted, Ended: st.Ended,
	}
	for r, n := range st.Denied {
		out.Denied = append(out.Denied, console.Count{Name: r.String(), N: n})
	}
	slices.SortFunc(out.Denied, func(a, b console.Count) int { return strings.Compare(a.Name, b.Name) })
	for i, p := range st.Points {
		load := console.PointLoad{Path: p.Path}
		if i < len(rules.Points) {
			load.Load = loadOf(p.Players, rules.Points[i].Players, rules.Points[i].PlayerBandwidth)
		}
		out.Points = append(out.Points, load)
	}
	for _, group := range st.Groups {
		out.Groups = append(out.Groups, console.Group{Name: group.Name, Now: group.Now, Peak: group.Peak, Limit: groupLimit(rules.Groups, group.Name)})
	}
	for _, f := range st.Files {
		out.Files = append(out.Files, console.FileLoad{Name: f.File, Viewers: f.Players})
	}
	return out
}

func groupLimit(groups []limit.Group, name string) int {
	for _, g := range groups {
		if g.Name == name {
			return max(g.Limit, 0)
		}
	}
	return 0
}

func loadOf(c limit.Counts, most int, bandwidth throttle.Rate) console.Load {
	return console.Load{
		Now: c.Now, Peak: c.Peak, Limit: max(most, 0), Bandwidth: float64(c.Bandwidth), Allocated: float64(c.Allocated),
		BandwidthLimit: max(float64(bandwidth), 0), Bytes: c.Bytes,
	}
}

// Edge implements console.Source.
func (c consoleSource) Edge(context.Context) (*console.Edge, error) {
	g, err := c.generation()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	return g.edgeNumbers(), nil
}

func (g *generation) edgeNumbers() *console.Edge {
	var sum edge.Stats
	out := &console.Edge{Memory: &console.Store{}, Disk: &console.Store{}}
	found := false
	for _, st := range g.sites {
		for _, e := range st.edges {
			found = true
			addEdgeStats(&sum, out, e.cache.Stats())
		}
	}
	if !found {
		return nil
	}
	for _, x := range []struct {
		name string
		n    uint64
	}{
		{"hit", sum.Hits}, {"miss", sum.Misses}, {"coalesced", sum.Coalesced}, {"revalidated", sum.Revalidated},
		{"stale", sum.Stale}, {"expired", sum.Expired}, {"bypass", sum.Bypassed}, {"failed", sum.Failed},
	} {
		out.Results = append(out.Results, console.Count{Name: x.name, N: int64(x.n)})
	}
	if all := sum.Hits + sum.Misses + sum.Coalesced + sum.Revalidated + sum.Stale + sum.Expired; all > 0 {
		out.HitRatio = float64(sum.Hits+sum.Coalesced+sum.Revalidated+sum.Stale) / float64(all)
	}
	out.Sent, out.Fetched = int64(sum.HitBytes+sum.SharedBytes), int64(sum.FetchedBytes)
	out.Fetching = int(sum.InFlight)
	return out
}

func addEdgeStats(sum *edge.Stats, out *console.Edge, s edge.Stats) {
	sum.Hits += s.Hits
	sum.Misses += s.Misses
	sum.Coalesced += s.Coalesced
	sum.Revalidated += s.Revalidated
	sum.Stale += s.Stale
	sum.Expired += s.Expired
	sum.Bypassed += s.Bypassed
	sum.Failed += s.Failed
	sum.HitBytes += s.HitBytes
	sum.SharedBytes += s.SharedBytes
	sum.FetchedBytes += s.FetchedBytes
	sum.InFlight += s.InFlight
	addTier(out.Memory, s.Memory)
	addTier(out.Disk, s.Disk)
	for _, u := range s.Upstreams {
		out.Upstreams = append(out.Upstreams, console.Upstream{
			Name: u.URL, Healthy: u.Up, Backup: u.Backup, Requests: int64(u.Requests), Failures: int64(u.Errors),
		})
	}
}

func addTier(out *console.Store, t edge.TierStats) {
	out.Objects += int64(t.Keys)
	out.Used += t.Bytes
	out.Budget += t.MaxBytes
}

// Playlists implements console.Source.
func (c consoleSource) Playlists(ctx context.Context) (*console.Playlists, error) {
	g, err := c.generation()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	return g.playlistNumbers(ctx, true), nil
}

// playlistNumbers returns the sessions of playlists, and which playlists there are, as that takes longer, only if all is set.
func (g *generation) playlistNumbers(ctx context.Context, all bool) *console.Playlists {
	if g.cfg.Playlist.Disabled {
		return nil
	}
	out := &console.Playlists{}
	for _, p := range g.parts {
		if store, ok := p.value.(*sessionStore); ok {
			out.Sessions += store.count(ctx)
		}
	}
	if !all {
		return out
	}
	for _, st := range g.sites {
		for _, p := range st.playlists() {
			item := console.PlaylistItem{Name: st.label(p.Name)}
			if st == g.sites[0] {
				item.URL = p.URL
			}
			out.Items = append(out.Items, item)
		}
	}
	return out
}

// Archive implements console.Source.
func (c consoleSource) Archive(ctx context.Context) (*console.Archive, error) {
	g, err := c.generation()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	if g.archive == nil {
		return nil, nil
	}
	out := &console.Archive{Free: freeSpace(g.archive.options.Directory)}
	for _, st := range g.sites {
		list, err := st.recordings(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			r := console.Recording{
				Name: st.label(p.Name), Live: p.Live, Failing: p.Recording.Interrupted,
				Duration: time.Duration(p.Recording.Seconds * float64(time.Second)),
			}
			r.Started, _ = time.Parse(time.RFC3339, p.Recording.Started)
			if p.Live {
				out.Recording++
			}
			out.Events = append(out.Events, r)
		}
	}
	return out, nil
}

// Events implements console.Source.
func (c consoleSource) Events(_ context.Context, n int) ([]console.Event, error) {
	return c.s.events.last(n), nil
}

// serveConsole answers what only operators may see.
func (s *Server) serveConsole(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path+"/" == consolePath {
		http.Redirect(w, r, path.Base(consolePath)+"/", http.StatusMovedPermanently)
		return
	}
	http.StripPrefix(strings.TrimSuffix(consolePath, "/"), s.console).ServeHTTP(w, r)
}
