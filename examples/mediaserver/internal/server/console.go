package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// consolePath is where the console is.
const consolePath = "/console/"

// ofConsole reports whether a path is that of the console or below it.
func ofConsole(p string) bool {
	return p == strings.TrimSuffix(consolePath, "/") || strings.HasPrefix(p, consolePath)
}

func (s *Server) newConsole() *console.Console {
	return console.New(consoleSource{s}, &console.Options{Logger: s.log, Version: s.opts.Version, Player: "../" + pagePath})
}

// consoleSource is what the console shows of the server.
type consoleSource struct{ s *Server }

// generation returns the current one, which the caller leaves.
func (c consoleSource) generation() (*generation, error) {
	if g := c.s.enter(); g != nil {
		return g, nil
	}
	return nil, errors.New("the server is ending")
}

// siteMark stands between the name of a site and a path in it. The first site needs none.
const siteMark = "//"

// names of things in a site as the console shows them.
func (st *site) label(path string) string {
	if st == st.gen.sites[0] {
		return path
	}
	return st.name() + siteMark + path
}

// bySite returns the site and the path that a label is about.
func (g *generation) byLabel(label string) (*site, string, bool) {
	name, path, marked := strings.Cut(label, siteMark)
	if !marked {
		return g.sites[0], label, true
	}
	for _, st := range g.sites[1:] {
		if st.name() == name {
			return st, path, true
		}
	}
	return nil, "", false
}

// Parts implements console.Source.
func (c consoleSource) Parts() console.Parts {
	g, err := c.generation()
	if err != nil {
		return console.Parts{}
	}
	defer g.leave()
	p := console.Parts{Points: len(g.liveServers()) > 0, Throttle: len(g.pacers()) > 0, Limits: true, Archive: g.archive != nil}
	for _, st := range g.sites {
		p.Edge = p.Edge || len(st.edges) > 0
		p.Playlists = p.Playlists || slices.ContainsFunc(st.folders, func(f *folder) bool { return f.playlists != nil })
	}
	return p
}

// Presentations implements console.Source.
func (c consoleSource) Presentations(ctx context.Context, q console.ListQuery) (*console.PresentationList, error) {
	g, err := c.generation()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	var found []console.PresentationItem
	for _, st := range g.sites {
		list, err := st.presentations(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			item := console.PresentationItem{Name: st.label(p.Name), Live: p.Live, Recorded: p.Recording != nil}
			if p.Recording != nil {
				item.Live = p.Recording.SoFar != nil
				item.Duration = time.Duration(p.Recording.Seconds * float64(time.Second))
			}
			if strings.Contains(strings.ToLower(item.Name), strings.ToLower(q.Search)) {
				found = append(found, item)
			}
		}
	}
	slices.SortFunc(found, func(a, b console.PresentationItem) int { return strings.Compare(a.Name, b.Name) })
	if q.Descending {
		slices.Reverse(found)
	}
	page := found[min(q.Offset, len(found)):min(q.Offset+q.Limit, len(found))]
	for i := range page {
		g.describe(ctx, &page[i])
	}
	return &console.PresentationList{Total: len(found), More: len(found) >= listLimit, Items: page}, nil
}

// describe adds what only the manifest tells. What cannot be opened stays as it is.
func (g *generation) describe(ctx context.Context, item *console.PresentationItem) {
	p, err := g.open(ctx, item.Name)
	if err != nil {
		return
	}
	defer p.Close()
	snap, err := p.Snapshot(ctx)
	if err != nil {
		return
	}
	item.Modified = snap.ModTime
	item.Duration = time.Duration(extentOf(snap).seconds * float64(time.Second))
	for _, kind := range []smooth.StreamType{smooth.Video, smooth.Audio} {
		for _, st := range snap.Manifest.Streams {
			if st.Type == kind && (kind == smooth.Video || len(item.Bitrates) == 0) {
				for _, l := range st.Levels {
					item.Bitrates = append(item.Bitrates, l.Bitrate)
				}
			}
		}
	}
	slices.Sort(item.Bitrates)
	for _, st := range snap.Manifest.Streams {
		if st.Language != "" && !slices.Contains(item.Languages, st.Language) {
			item.Languages = append(item.Languages, st.Language)
		}
	}
}

// open opens what the console calls by a name.
func (g *generation) open(ctx context.Context, label string) (smooth.Presentation, error) {
	st, name, ok := g.byLabel(label)
	if !ok {
		return nil, console.ErrNotFound
	}
	if rest, ok := strings.CutPrefix(name, archivePrefix); ok && g.archive != nil {
		return (&recordings{g.archive, st}).Open(ctx, rest)
	}
	f := st.folderOf("/" + name)
	if f == nil {
		return nil, console.ErrNotFound
	}
	name, _ = f.below(name)
	if f.live != nil {
		if p, err := f.live.Point(name); err == nil {
			return p, nil
		}
	}
	if f.source == nil {
		return nil, console.ErrNotFound
	}
	return f.source.Open(ctx, name)
}

// Presentation implements console.Source.
func (c consoleSource) Presentation(ctx context.Context, label string) (*console.Presentation, error) {
	g, err := c.generation()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	p, err := g.open(ctx, label)
	if errors.Is(err, smooth.ErrNotFound) || errors.Is(err, console.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s", console.ErrNotFound, label)
	}
	st, name, _ := g.byLabel(label)
	out := &console.Presentation{Name: label, Outputs: st.outputs(newPresentation(name))}
	if err != nil {
		out.Error = publicReason(err)
		return out, nil
	}
	defer p.Close()
	snap, err := p.Snapshot(ctx)
	if err != nil {
		out.Error = publicReason(err)
		return out, nil
	}
	out.Live, out.Modified = !snap.Ended, snap.ModTime
	e := extentOf(snap)
	out.Duration = time.Duration(e.seconds * float64(time.Second))
	if snap.NotSmooth != nil {
		out.Error = "it cannot be shown over Smooth Streaming"
	}
	sizer, _ := p.(smooth.Sizer)
	for _, st := range snap.Manifest.Streams {
		out.Streams = append(out.Streams, drawStream(snap, st, sizer))
	}
	return out, nil
}

// publicReason says why something cannot be opened, without what only the log may tell.
func publicReason(err error) string {
	switch {
	case errors.Is(err, smooth.ErrNotYet), errors.Is(err, smooth.ErrNotFound):
		return "there is nothing to show yet"
	case errors.Is(err, smooth.ErrUnsupported):
		return "it is in a format that cannot be shown"
	}
	return "it cannot be opened: the log says why"
}

// outputs returns the ways to watch a presentation. Those of other sites than the first have another host, and no player on the page of
// this one.
func (st *site) outputs(p Presentation) []console.Output {
	list := []console.Output{
		{Label: "Smooth Streaming", Format: "smooth", URL: p.URL},
		{Label: "HLS", Format: "hls", URL: p.HLS},
		{Label: "HLS in the browser", Format: "hls", Engine: "native", URL: p.HLS},
		{Label: "HLS, picture and sound together", Format: "hls-muxed", URL: p.HLSMuxed},
		{Label: "HLS, fragmented MP4", Format: "hls-fmp4", URL: p.HLSFragmented},
	}
	if st == st.gen.sites[0] {
		return list
	}
	for i := range list {
		list[i].Format, list[i].Engine = "", ""
		if len(st.hosts) > 0 && !strings.HasPrefix(st.hosts[0], "*") {
			list[i].Host = st.hosts[0]
		}
	}
	return list
}

// drawStream makes a picture of a stream: where its fragments are and how large.
func drawStream(snap *smooth.Snapshot, st *smooth.Stream, sizer smooth.Sizer) console.Stream {
	scale := float64(snap.Manifest.TimescaleOf(st))
	out := console.Stream{Name: st.Name, Type: string(st.Type), Language: st.Language}
	for i, chunk := range st.Timeline {
		if i > 0 && chunk.Time > st.Timeline[i-1].End() {
			out.Gaps = append(out.Gaps, console.Span{Start: float64(st.Timeline[i-1].End()) / scale, End: float64(chunk.Time) / scale})
		}
	}
	for _, l := range st.Levels {
		level := console.Level{
			Bitrate: l.Bitrate, Codec: l.FourCC, Width: int(l.MaxWidth), Height: int(l.MaxHeight),
			SampleRate: int(l.SamplingRate), Channels: int(l.Channels),
		}
		key := smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Attrs: l.AttrsKey()}
		if sizer != nil {
			level.Points = drawLevel(st.Timeline, key, scale, sizer)
		}
		out.Levels = append(out.Levels, level)
	}
	return out
}

// drawLevel returns all fragments of a level: the console puts together as many as there are too many to draw.
func drawLevel(chunks smooth.Timeline, key smooth.FragmentKey, scale float64, sizer smooth.Sizer) []console.FragmentPoint {
	points := make([]console.FragmentPoint, 0, len(chunks))
	for _, c := range chunks {
		key.Time = c.Time
		size, err := sizer.FragmentSize(key)
		if err != nil || c.Duration == 0 {
			continue
		}
		duration := float64(c.Duration) / scale
		points = append(points, console.FragmentPoint{
			Start: float64(c.Time) / scale, Duration: duration, BitsPerSecond: float64(size) * 8 / duration,
		})
	}
	return points
}

// Command implements console.Source.
func (c consoleSource) Command(ctx context.Context, label string, command console.Command) error {
	g, err := c.generation()
	if err != nil {
		return err
	}
	defer g.leave()
	_, point, err := g.point(label)
	if err != nil {
		return err
	}
	switch command {
	case console.Start:
		err = point.Start(ctx)
	case console.Stop:
		err = point.Stop(ctx)
	case console.Shutdown:
		err = point.Shutdown(ctx)
	default:
		return fmt.Errorf("no such command: %q", command)
	}
	if errors.Is(err, livesmooth.ErrTransition) {
		return fmt.Errorf("%w: %w", console.ErrState, err)
	}
	return err
}

// point returns a publishing point by the name that the console has for it.
func (g *generation) point(label string) (*liveServer, *livesmooth.Point, error) {
	st, name, ok := g.byLabel(label)
	if ok {
		if f := st.folderOf("/" + name); f != nil && f.live != nil {
			name, _ = f.below(name)
			if p, err := f.live.Point(name); err == nil {
				return f.live, p, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("%w: %s", console.ErrNotFound, label)
}
