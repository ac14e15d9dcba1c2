package console

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// How often pages are drawn again, in intervals.
const (
	often  = 1
	seldom = 5  // what is dear
	rarely = 30 // what may open a hundred files
)

// overviewData is what the sections of the first page get.
type overviewData struct {
	*Overview
	Version      string
	Uptime       string
	Sending      *chart
	Watching     *chart
	Rows         []pointRow
	RecentEvents []Event
}

func (c *Console) overview(ctx context.Context, _ url.Values) (*view, error) {
	const eventsShown = 12
	o, err := c.src.Overview(ctx)
	if err != nil {
		return nil, err
	}
	o = o.with(c.src.Parts())
	d := &overviewData{Overview: o, Version: c.opts.Version, RecentEvents: o.Events[:min(len(o.Events), eventsShown)]}
	if !o.Started.IsZero() {
		d.Uptime = uptime(c.opts.Now().Sub(o.Started))
	}
	out, viewers := make([]value, len(o.History)), make([]value, len(o.History))
	for i, s := range o.History {
		out[i], viewers[i] = value{s.At, s.Out}, value{s.At, float64(s.Viewers)}
	}
	d.Sending = c.newChart("sending", "Sent to viewers", rate, out)
	d.Watching = c.newChart("watching", "Viewers", count, viewers)
	d.Rows = c.pointRows(o.Points)
	return &view{
		title: "Overview", every: often, data: d,
		parts: []string{
			"overview-alarms", "overview-numbers", "overview-charts", "overview-points", "overview-parts", "overview-listeners",
			"overview-config", "overview-events",
		},
	}, nil
}

// with returns a copy with the numbers of the parts that have pages.
func (o *Overview) with(has Parts) *Overview {
	shown := *o
	if !has.Throttle {
		shown.Throttle = nil
	}
	if !has.Limits {
		shown.Limits = nil
	}
	if !has.Edge {
		shown.Edge = nil
	}
	if !has.Playlists {
		shown.Playlists = nil
	}
	if !has.Archive {
		shown.Archive = nil
	}
	return &shown
}

// uptime writes a duration that does not change every second.
func uptime(d time.Duration) string {
	if d < time.Hour {
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	if d < 24*time.Hour {
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// pointRow is an entry of the list of publishing points, with its incoming bit rate over the last hour.
type pointRow struct {
	Point
	Chart *chart
}

func (c *Console) pointRows(points []Point) []pointRow {
	rows := make([]pointRow, len(points))
	for i, p := range points {
		rows[i] = pointRow{Point: p, Chart: c.newChart("in", "Incoming bit rate of "+p.Name, rate, c.incoming.of(p.Name))}
	}
	return rows
}

func (c *Console) points(ctx context.Context, _ url.Values) (*view, error) {
	points, err := c.src.Points(ctx)
	if err != nil {
		return nil, err
	}
	return &view{nav: "points", title: "Publishing points", every: often, parts: []string{"points"}, data: c.pointRows(points)}, nil
}

// pointData is what the sections of a publishing point get.
type pointData struct {
	*Point
	Chart              *chart
	CanStart, CanStop  bool
	CanShutdown, Watch bool
}

func (c *Console) point(ctx context.Context, q url.Values) (*view, error) {
	p, err := c.src.Point(ctx, q.Get("name"))
	if err != nil {
		return nil, err
	}
	d := &pointData{Point: p, Chart: c.newChart("incoming", "Incoming bit rate", rate, c.incoming.of(p.Name))}
	d.CanStart, d.CanStop, d.CanShutdown = commandsIn(p.State)
	d.Watch = p.State == "Started" || p.State == "Stopped" || p.State == "Stopping"
	return &view{
		nav: "points", title: p.Name, every: often, data: d, form: "point?" + url.Values{"name": {p.Name}}.Encode(),
		parts: []string{"point-state", "point-chart", "point-encoders", "point-tracks", "point-sinks", "point-events"},
	}, nil
}

// commandsIn says what is possible in a state: start, stop and shut down.
func commandsIn(state string) (start, stop, shutdown bool) {
	start = state == "Idle" || state == "Stopped" || state == "Error"
	stop = state == "Starting" || state == "Started"
	shutdown = stop || state == "Stopped" || state == "Error"
	return start, stop, shutdown
}

// confirm asks whether a point is to be shut down.
func (c *Console) confirm(ctx context.Context, q url.Values) (*view, error) {
	p, err := c.src.Point(ctx, q.Get("name"))
	if err != nil {
		return nil, err
	}
	return &view{
		nav: "points", title: "Shut down " + p.Name, parts: []string{"confirm"}, data: p,
		form: "point?" + url.Values{"name": {p.Name}}.Encode(),
	}, nil
}

func (c *Console) throttle(ctx context.Context, _ url.Values) (*view, error) {
	t, err := c.src.Throttle(ctx)
	return partView("throttle", "Throttling", t, err)
}

func (c *Console) limits(ctx context.Context, _ url.Values) (*view, error) {
	l, err := c.src.Limits(ctx)
	return partView("limits", "Limits", l, err)
}

func (c *Console) edge(ctx context.Context, _ url.Values) (*view, error) {
	e, err := c.src.Edge(ctx)
	return partView("edge", "Edge cache", e, err)
}

func (c *Console) playlists(ctx context.Context, _ url.Values) (*view, error) {
	p, err := c.src.Playlists(ctx)
	return partView("playlists", "Playlists", p, err)
}

func (c *Console) archive(ctx context.Context, _ url.Values) (*view, error) {
	a, err := c.src.Archive(ctx)
	v, err := partView("archive", "Archive", a, err)
	if v != nil {
		v.every = rarely
	}
	return v, err
}

// partView is the page of a part that a server need not have.
func partView[T any](name, title string, data *T, err error) (*view, error) {
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, ErrNotFound
	}
	return &view{nav: name, title: title, every: often, parts: []string{name}, data: data}, nil
}

func (c *Console) events(ctx context.Context, _ url.Values) (*view, error) {
	const shown = 500
	list, err := c.src.Events(ctx, shown)
	if err != nil {
		return nil, err
	}
	return &view{nav: "events", title: "Events", every: often, parts: []string{"events"}, data: list[:min(len(list), shown)]}, nil
}
