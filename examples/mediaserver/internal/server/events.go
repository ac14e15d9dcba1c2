package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth/usage"
)

// keptEvents is how many events the console can show.
const keptEvents = 500

// eventLog remembers the last events. Its zero value is empty.
type eventLog struct {
	mu   sync.Mutex // guards ring
	ring []console.Event
}

// add is for usage.Options.OnEvent.
func (l *eventLog) add(e usage.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) == keptEvents {
		l.ring = slices.Delete(l.ring, 0, 1)
	}
	l.ring = append(l.ring, console.Event{
		At: e.At, Severity: severityOf(e.Kind), Kind: words(e.Kind), Subject: e.Subject, Text: e.Message, Count: e.Count,
	})
}

// words makes "encoder lost" of encoder_lost.
func words(kind usage.EventKind) string {
	b := []byte(kind)
	for i := range b {
		if b[i] == '_' {
			b[i] = ' '
		}
	}
	return string(b)
}

func severityOf(kind usage.EventKind) console.Severity {
	switch kind {
	case usage.DiskFull, usage.ArchiveFailed, usage.LogFailed, usage.ConfigFailed, usage.UpstreamDown:
		return console.Failure
	case usage.EncoderLost, usage.LimitHit:
		return console.Warning
	}
	return console.Info
}

// last returns the last n events, newest first.
func (l *eventLog) last(n int) []console.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.ring[max(0, len(l.ring)-n):])
	slices.Reverse(list)
	return list
}

// about returns the last n events of a subject, newest first.
func (l *eventLog) about(subject string, n int) []console.Event {
	list := slices.DeleteFunc(l.last(keptEvents), func(e console.Event) bool { return e.Subject != subject })
	return list[:min(n, len(list))]
}

// watcher tells statistics what happens to the points of a live server, until it is closed.
type watcher struct {
	stop context.CancelFunc
	done sync.WaitGroup
	emit func(usage.Event)
	name func(point string) string

	mu     sync.Mutex // guards points
	points map[*livesmooth.Point]bool
}

// pointsEvery is how often a watcher looks for points that have come.
const pointsEvery = time.Second

// watch begins to watch the points of a live server.
func (s *Server) watch(l *liveServer, f *folder) *watcher {
	ctx, stop := context.WithCancel(context.Background())
	prefix, label := f.prefix, f.site.label
	w := &watcher{
		stop: stop, emit: s.usage.Emit, points: make(map[*livesmooth.Point]bool),
		name: func(point string) string { return label(prefix + point) },
	}
	w.done.Go(func() {
		tick := time.NewTicker(pointsEvery)
		defer tick.Stop()
		for {
			for _, p := range l.Points() {
				w.follow(ctx, p)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return w
}

// follow watches a point, once.
func (w *watcher) follow(ctx context.Context, p *livesmooth.Point) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.points[p] {
		return
	}
	w.points[p] = true
	events := p.Watch(ctx)
	w.done.Go(func() {
		stopped := over(p.State())
		for e := range events {
			told, ok := w.tell(p, e)
			if again := told.Kind == usage.Stopped && stopped; ok && !again { // it is let go of after it has stopped
				w.emit(told)
			}
			if e.Kind == livesmooth.StateChanged {
				stopped = over(e.State)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.points, p)
	})
}

// over reports whether a point neither has encoders nor waits for them.
func over(s livesmooth.State) bool { return s == livesmooth.Stopped || s == livesmooth.Idle }

// tell makes an event of one of a point, if it is of interest.
func (w *watcher) tell(p *livesmooth.Point, e livesmooth.Event) (usage.Event, bool) {
	out := usage.Event{At: e.At, Subject: w.name(p.Name())}
	switch e.Kind {
	case livesmooth.StateChanged:
		return w.tellState(out, e)
	case livesmooth.EncoderConnected:
		out.Kind, out.Message = usage.EncoderConnected, fmt.Sprintf("%s sends %s", e.Source, e.Input)
	case livesmooth.EncoderDisconnected:
		if e.State != livesmooth.Started && e.State != livesmooth.Starting || errors.Is(e.Err, livesmooth.ErrEnding) {
			return out, false // it has ended, or was told to go
		}
		out.Kind, out.Message = usage.EncoderLost, fmt.Sprintf("%s does not send %s any more", e.Source, e.Input)
	case livesmooth.SinkFailed:
		out.Kind, out.Message = usage.ArchiveFailed, e.Source+": "+reason(e.Err)
		if errors.Is(e.Err, syscall.ENOSPC) {
			out.Kind = usage.DiskFull
		}
	case livesmooth.SinkRecovered:
		out.Kind, out.Message = "archive_recovered", e.Source+" works again"
	case livesmooth.GapFound:
		out.Kind, out.Message = "gap_found", fmt.Sprintf("fragments of %s are missing at %v", e.Stream, ticks(e.Time))
	case livesmooth.ClockRestarted:
		out.Kind, out.Message = "clock_restarted", "an encoder came back with a lower clock; the timeline goes on after a discontinuity"
	default:
		return out, false
	}
	return out, true
}

func (w *watcher) tellState(out usage.Event, e livesmooth.Event) (usage.Event, bool) {
	out.Message = "the state is " + e.State.String()
	switch e.State {
	case livesmooth.Started:
		out.Kind = usage.Started
	case livesmooth.Stopped, livesmooth.Idle:
		out.Kind = usage.Stopped
	case livesmooth.Faulted:
		out.Kind = "point_failed"
	default:
		return out, false
	}
	return out, true
}

// close ends watching and waits for that.
func (w *watcher) close() {
	if w != nil {
		w.stop()
		w.done.Wait()
	}
}
