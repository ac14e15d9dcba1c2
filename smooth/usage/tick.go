package usage

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// tickTime is how often what is not counted as it happens is looked at.
const tickTime = time.Second

// run looks after sessions, rates and logs until ctx ends.
func (r *Recorder) run(ctx context.Context) {
	defer close(r.done)
	t := time.NewTicker(tickTime)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			r.tick(r.opts.Now())
		case <-ctx.Done():
			return
		}
	}
}

// tick does what is done each second.
func (r *Recorder) tick(now time.Time) {
	r.expire(now, now.Add(-r.opts.InactivityTimeout), false)
	r.observe(now)
	for _, e := range r.events.due(now, false) {
		r.tell(e)
	}
	r.watchLogs()
}

// observe reads the totals for rates and history.
func (r *Recorder) observe(now time.Time) {
	c := &r.counters
	all, _ := c.total()
	total := Sample{
		Sent: c.sent.load(), Received: c.received.load(), Requests: all, Denied: c.denied.sum(), Viewers: int(c.viewers.Load()),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.observe(now, total)
	if last, ok := r.meter.add(reading{now, total.Sent, total.Received, processTime()}); ok {
		rise(&c.peakSent, last.sent)
		rise(&c.peakReceived, last.received)
		c.cpu.Store(last.cpu)
	}
	over := r.meter.over()
	c.rateSent.Store(over.sent)
	c.rateReceived.Store(over.received)
}

// History returns the last hour in steps of ten seconds, the oldest first. The last one is not over.
func (r *Recorder) History() []Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.history.samples()
}

// cpu returns the use of all processors in percent, negative if unknown.
func (r *Recorder) cpu() float64 {
	v := r.counters.cpu.Load()
	if v < 0 {
		return -1
	}
	return float64(v) / 1e6
}

// watchLogs emits an event for each log that fails or works again.
func (r *Recorder) watchLogs() {
	for _, l := range r.outputs.Load().logs {
		s, ok := l.(stateful)
		if !ok {
			continue
		}
		state := s.State()
		text := ""
		if state.Err != nil {
			text = state.Err.Error()
		}
		r.mu.Lock()
		before := r.logErrors[l]
		r.logErrors[l] = text
		if text == "" {
			delete(r.logErrors, l)
		}
		r.mu.Unlock()
		if (text == "") != (before == "") {
			r.logChanged(state)
		}
	}
}

func (r *Recorder) logChanged(state LogState) {
	e := Event{Kind: LogRecovered, Subject: state.Name, Message: "the log is written again"}
	if state.Err != nil {
		e.Kind, e.Message = LogFailed, "the log cannot be written"
		if isDiskFull(state.Err) {
			e.Kind, e.Message = DiskFull, "the log cannot be written, as the disk is full"
		}
		r.opts.Logger.Error("log", slog.String("name", state.Name), slog.Any("err", state.Err))
	}
	r.Emit(e)
}

// isDiskFull reports whether an error says that there is no space left.
func isDiskFull(err error) bool {
	for _, full := range diskFull() {
		if errors.Is(err, full) {
			return true
		}
	}
	return false
}
