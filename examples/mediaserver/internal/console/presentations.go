package console

import (
	"context"
	"math"
	"net/url"
	"strconv"
)

const pageSize = 100 // presentations

// listData is what the list of presentations gets.
type listData struct {
	*PresentationList
	Search      string
	Order       string
	First, Last int
	// Previous, Next and Turned are the queries of other pages and the other order; empty if there is no such page.
	Previous, Next, Turned string
}

func (c *Console) presentations(ctx context.Context, q url.Values) (*view, error) {
	number, err := strconv.Atoi(q.Get("page"))
	if err != nil || number < 1 || number > math.MaxInt32/pageSize {
		number = 1
	}
	d := &listData{Search: q.Get("q"), Order: q.Get("order")}
	if d.Order != "down" {
		d.Order = ""
	}
	query := ListQuery{Search: d.Search, Descending: d.Order == "down", Offset: (number - 1) * pageSize, Limit: pageSize}
	if d.PresentationList, err = c.src.Presentations(ctx, query); err != nil {
		return nil, err
	}
	d.First, d.Last = query.Offset+1, query.Offset+len(d.Items)
	if number > 1 {
		d.Previous = d.link(d.Order, number-1)
	}
	if d.Last < d.Total && len(d.Items) > 0 || d.More {
		d.Next = d.link(d.Order, number+1)
	}
	d.Turned = d.link(map[string]string{"": "down", "down": ""}[d.Order], 1)
	return &view{
		nav: "presentations", title: "Presentations", every: rarely, data: d, parts: []string{"presentations-search", "presentations"},
	}, nil
}

// link returns the URL of a page of the list.
func (d *listData) link(order string, page int) string {
	q := url.Values{}
	if d.Search != "" {
		q.Set("q", d.Search)
	}
	if order != "" {
		q.Set("order", order)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	return "presentations?" + q.Encode()
}

// presentationData is what the sections of a presentation get.
type presentationData struct {
	*Presentation
	Timelines []*timeline
	// Undrawn is the number of streams that have no timeline for there are too many.
	Undrawn int
	Zoom    zoom
	// Merged is how many fragments a step stands for at most, Marked and Broken are whether there are boundaries and gaps.
	Merged         int
	Marked, Broken bool
}

func (c *Console) presentation(ctx context.Context, q url.Values) (*view, error) {
	p, err := c.src.Presentation(ctx, q.Get("name"))
	if err != nil {
		return nil, err
	}
	d := &presentationData{Presentation: p}
	if start, end, ok := p.extent(); ok {
		d.Zoom = newZoom(q, p.Name, start, end)
		d.draw()
	}
	v := &view{
		nav: "presentations", title: p.Name, data: d,
		parts: []string{"presentation-facts", "presentation-outputs", "presentation-timeline", "presentation-streams"},
	}
	if p.Live {
		v.every = seldom
	}
	return v, nil
}

// draw makes the timelines: pictures first, then the others in their order.
func (d *presentationData) draw() {
	for _, pictures := range []bool{true, false} {
		for i := range d.Streams {
			s := &d.Streams[i]
			if (s.Type == "video") != pictures || !s.hasPoints() {
				continue
			}
			if len(d.Timelines) == timelinesDraw {
				d.Undrawn++
				continue
			}
			t := newTimeline("timeline-"+strconv.Itoa(i), s, d.Zoom.From, d.Zoom.To)
			d.Timelines = append(d.Timelines, t)
			d.Merged = max(d.Merged, t.Merged)
			d.Marked, d.Broken = d.Marked || len(t.Marks) > 0, d.Broken || len(t.Gaps) > 0
		}
	}
}

func (s *Stream) hasPoints() bool {
	for i := range s.Levels {
		if len(s.Levels[i].Points) > 0 {
			return true
		}
	}
	return false
}

// extent returns where the presentation begins and ends on the timeline; ok is false if it has no fragments.
func (p *Presentation) extent() (start, end float64, ok bool) {
	start, end = math.Inf(1), math.Inf(-1)
	for i := range p.Streams {
		for _, l := range p.Streams[i].Levels {
			if n := len(l.Points); n > 0 {
				start = min(start, l.Points[0].Start)
				end = max(end, l.Points[n-1].Start+l.Points[n-1].Duration)
			}
		}
	}
	return start, end, end > start && !math.IsInf(end-start, 0)
}
