package server

import (
	"context"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
	"github.com/smoothkit/smoothkit/livesmooth"
)

// liveServers returns those of all folders.
func (g *generation) liveServers() (list []*liveServer) {
	for _, st := range g.sites {
		for _, f := range st.folders {
			if f.live != nil {
				list = append(list, f.live)
			}
		}
	}
	return list
}

// Points implements console.Source.
func (c consoleSource) Points(context.Context) ([]console.Point, error) {
	g, err := c.generation()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	return g.consolePoints(), nil
}

// consolePoints returns every point once, also where its directory has several places.
func (g *generation) consolePoints() (list []console.Point) {
	seen := make(map[*livesmooth.Point]bool)
	for _, st := range g.sites {
		for _, f := range st.folders {
			if f.live == nil {
				continue
			}
			for _, p := range f.live.Points() {
				if !seen[p] {
					seen[p] = true
					list = append(list, consolePoint(f, p))
				}
			}
		}
	}
	return list
}

// Point implements console.Source.
func (c consoleSource) Point(_ context.Context, label string) (*console.Point, error) {
	g, err := c.generation()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	if _, _, err := g.point(label); err != nil {
		return nil, err
	}
	st, name, _ := g.byLabel(label)
	f := st.folderOf("/" + name)
	name, _ = f.below(name)
	p, err := f.live.Point(name)
	if err != nil {
		return nil, console.ErrNotFound
	}
	out := consolePoint(f, p)
	out.Events = c.s.events.about(out.Name, 50)
	return &out, nil
}

// ticks makes a time of one in units of 100 ns.
func ticks(n uint64) time.Duration { return time.Duration(min(n, 1<<62/100)) * 100 }

func consolePoint(f *folder, p *livesmooth.Point) console.Point {
	stats, set := p.Stats(), p.Settings()
	name := f.prefix + p.Name()
	out := console.Point{
		Name: f.site.label(name), Title: set.Title, State: stats.State.String(), Source: string(set.Source), EventID: stats.EventID,
		Started: stats.Started, Viewers: stats.Viewers, WindowLimit: set.Viewers.WindowLength, Memory: stats.Memory,
		MemoryBudget: stats.Budget, Archived: f.live.archive != nil && set.Archive.Enabled, PushURL: escapePath(name) + "/Streams(enc1)",
	}
	if f.site != f.site.gen.sites[0] {
		out.PushURL = "" // it is that of another host
	}
	if out.Source == "" {
		out.Source = string(livesmooth.SourcePush)
	}
	if err := p.LastError(); err != nil {
		out.LastError = publicReason(err)
	}
	if snap, err := p.Snapshot(context.Background()); err == nil {
		out.Window = time.Duration(extentOf(snap).seconds * float64(time.Second))
	}
	for i := range stats.Inputs {
		addInput(&out, &stats.Inputs[i])
	}
	for i := range stats.Sinks {
		s := &stats.Sinks[i]
		sink := console.Sink{Name: s.Name, Failing: s.Failing, Queued: s.Queued, Dropped: s.Dropped, Durable: ticks(s.Durable)}
		if s.Failing {
			sink.Reason = reason(s.Err)
		}
		out.Sinks = append(out.Sinks, sink)
	}
	return out
}

// addInput adds an input stream: who sends it, and its tracks.
func addInput(out *console.Point, in *livesmooth.InputStats) {
	var rate float64
	for _, t := range in.Tracks {
		rate += float64(t.Incoming)
		out.Tracks = append(out.Tracks, console.Track{
			Input: in.ID, Name: t.Name, Bitrate: t.Bitrate, In: float64(t.Incoming), Received: t.Received, Duplicates: t.Duplicates,
			Late: t.Late, Overlapping: t.Overlapping, Gaps: t.Gaps, Last: ticks(t.LastTime + t.LastDuration),
		})
	}
	out.In += rate
	for _, s := range in.Sources {
		out.Encoders = append(out.Encoders, console.Encoder{
			Input: in.ID, Kind: s.Name, Address: s.Address, Since: s.Since, In: rate, Bytes: s.Bytes,
		})
	}
}
