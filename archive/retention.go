package archive

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"time"
)

// SweepReport says what [Archive.Sweep] has deleted.
type SweepReport struct {
	// Segments are the names of the directories.
	Segments []string
	// Events are the directories of those of which nothing is left.
	Events []string
	// Bytes of their files.
	Bytes int64
}

// Sweep deletes what the retention rules do not keep at a time. The archive does so by itself when a segment is complete, when
// the disk is full, and every ten minutes. What cannot be deleted stays for the next time; the error is that of the store.
func (a *Archive) Sweep(ctx context.Context, now time.Time) (SweepReport, error) {
	var report SweepReport
	a.sweeping.Lock()
	defer a.sweeping.Unlock()
	rules := a.opts.Retention
	if rules == (Retention{}) {
		return report, nil
	}
	a.reads.tidy(now)
	a.past.tidy()
	stock, err := a.survey(ctx)
	if err != nil {
		return report, err
	}
	var errs []error
	for _, e := range stock.events {
		errs = append(errs, a.clear(ctx, e, &report))
	}
	for _, name := range stock.ruins {
		errs = append(errs, a.clearRuin(ctx, name, &report))
	}
	for _, dir := range stock.empty {
		a.prune(ctx, dir)
	}
	stock.bytes -= report.Bytes
	p := &sweepPlan{stock: stock, a: a, now: now}
	if rules.Events > 0 {
		p.byCount(rules.Events)
	}
	if rules.Age > 0 {
		p.byAge(rules.Age)
	}
	if rules.Bytes > 0 {
		p.byBytes(rules.Bytes)
	}
	for _, e := range stock.events {
		if e.gone > 0 {
			errs = append(errs, a.delete(ctx, e, now, &report))
		}
	}
	if err := ctx.Err(); err != nil {
		return report, err
	}
	return report, errors.Join(errs...)
}

// A sweepPlan finds out what the rules do not keep. Of each event it takes the first segments.
type sweepPlan struct {
	*stock
	a   *Archive
	now time.Time
}

// byCount takes the events of each point but the newest ones, each as a whole.
func (p *sweepPlan) byCount(most int) {
	points := make(map[string][]*stockEvent)
	for _, e := range p.events {
		points[path.Dir(e.dir)] = append(points[path.Dir(e.dir)], e)
	}
	for _, list := range points {
		slices.SortFunc(list, func(a, b *stockEvent) int { // the newest one first
			return cmp.Or(b.state.Started.Compare(a.state.Started), cmp.Compare(b.dir, a.dir))
		})
		for _, e := range list[min(most, len(list)):] {
			n := 0
			for n < len(e.segments) && p.free(e, n) {
				n++
			}
			if !e.live && n == len(e.segments) {
				e.gone = n
			}
		}
	}
}

// byAge takes the segments that have ended long ago.
func (p *sweepPlan) byAge(most time.Duration) {
	for _, e := range p.events {
		for e.gone < len(e.segments) && p.now.Sub(e.segments[e.gone].end) > most && p.free(e, e.gone) {
			e.gone++
		}
	}
}

// byBytes takes the segments that have ended first, until the rest is small enough.
func (p *sweepPlan) byBytes(most int64) {
	type candidate struct {
		event  *stockEvent
		number int
	}
	var list []candidate
	left := p.bytes
	for _, e := range p.events {
		for i, s := range e.segments {
			if i < e.gone {
				left -= s.bytes
				continue
			}
			list = append(list, candidate{e, i})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(a.event.segments[a.number].end.Compare(b.event.segments[b.number].end), cmp.Compare(a.event.dir, b.event.dir), a.number-b.number)
	})
	for _, c := range list {
		if left <= most {
			return
		}
		if c.event.gone == c.number && p.free(c.event, c.number) {
			c.event.gone++
			left -= c.event.segments[c.number].bytes
		}
	}
}

// free reports whether a segment may be deleted, if those before it are.
func (p *sweepPlan) free(e *stockEvent, i int) bool {
	s := e.segments[i]
	return s.complete && !p.a.reads.busy(s.dir, p.now) && (e.live || !p.a.reads.busy(e.dir, p.now) && !p.a.past.used(e.dir))
}
