package usage

import (
	"iter"
	"slices"
	"strconv"
)

// Metrics yields the metrics of this package, see the package documentation, and then those of [Options].Metrics.
func (r *Recorder) Metrics() iter.Seq[Metric] {
	return func(yield func(Metric) bool) {
		m := &metrics{yield: yield}
		r.totals(m)
		r.requestMetrics(m)
		r.streamMetrics(m)
		r.outputMetrics(m)
		if m.stopped || r.opts.Metrics == nil {
			return
		}
		r.opts.Metrics(yield)
	}
}

// metrics yields metrics until the receiver has enough.
type metrics struct {
	yield   func(Metric) bool
	stopped bool
}

func (m *metrics) put(v Metric) {
	if !m.stopped {
		m.stopped = !m.yield(v)
	}
}

func (m *metrics) gauge(name, help string, value float64, labels ...[2]string) {
	m.put(Metric{Name: name, Help: help, Type: Gauge, Labels: labels, Value: value})
}

func (m *metrics) counter(name, help string, value int64, labels ...[2]string) {
	m.put(Metric{Name: name, Help: help, Type: Counter, Labels: labels, Value: float64(value)})
}

// byWord yields a counter for each word, in alphabetical order.
func (m *metrics) byWord(name, help, label string, w *words) {
	counts := w.counts()
	all := make([]string, 0, len(counts))
	for word := range counts {
		all = append(all, word)
	}
	slices.Sort(all)
	for _, word := range all {
		m.counter(name, help, counts[word], [2]string{label, word})
	}
}

// totals yields what is not about requests or streams.
func (r *Recorder) totals(m *metrics) {
	c := &r.counters
	const viewers, sessions = "Viewers who are watching, by protocol.", "Viewer sessions that have begun, by protocol."
	for p := range protocols {
		m.gauge("smoothkit_viewers", viewers, float64(c.viewersBy[p].Load()), [2]string{"proto", p.String()})
	}
	m.gauge("smoothkit_viewers_peak", "Most viewers at the same time since the peaks were reset.",
		float64(max(c.peakViewers.Load(), c.viewers.Load())))
	for p := range protocols {
		m.counter("smoothkit_sessions_total", sessions, c.sessionsBy[p].Load(), [2]string{"proto", p.String()})
	}
	m.counter("smoothkit_sessions_overflow_total", "Good requests of viewers for whose session there was no room.", c.overflow.Load())
	m.gauge("smoothkit_requests_active", "Requests that are being served.", float64(c.active.Load()))
	const transferred = "Bytes of bodies: out is sent to clients, in is received from encoders and others."
	m.counter("smoothkit_bytes_total", transferred, c.sent.load(), [2]string{"dir", "out"})
	m.counter("smoothkit_bytes_total", transferred, c.received.load(), [2]string{"dir", "in"})
	m.counter("smoothkit_requests_aborted_total", "Requests that were not answered completely.", c.aborted.Load())
	m.counter("smoothkit_responses_throttled_total", "Answers that were paced.", c.throttled.Load())
	m.counter("smoothkit_late_segments_total", "Segments that took longer to send than the player could wait.", c.late.Load())
	m.counter("smoothkit_rebuffers_total", "Times that players said their buffers ran empty.", c.starved.Load())
	m.byWord("smoothkit_denied_total", "Requests that were refused, by limit or status.", "reason", &c.denied)
	m.byWord("smoothkit_cache_requests_total", "Answers through a cache, by its result.", "result", &c.cache)
	m.byWord("smoothkit_events_total", "Events that were told, by kind.", "kind", &c.events)
}

// requestMetrics yields what is counted for each kind of request.
func (r *Recorder) requestMetrics(m *metrics) {
	c := &r.counters
	for k := range kinds {
		for s := range c.requests[k] {
			n := c.requests[k][s].Load()
			if n == 0 && s != 2 {
				continue
			}
			class := "none"
			if s > 0 {
				class = strconv.Itoa(s) + "xx"
			}
			m.counter("smoothkit_requests_total", "Requests that have ended, by kind and class of status.", n,
				[2]string{"kind", k.String()}, [2]string{"code", class})
		}
	}
	for k := range kinds {
		if !k.watched() {
			continue
		}
		buckets, count, sum := c.seconds[k].read()
		m.put(Metric{
			Name: "smoothkit_request_duration_seconds", Help: "Time from the request to the end of its answer, by kind.", Type: Histogram,
			Labels: [][2]string{{"kind", k.String()}}, Value: sum, Count: count, Buckets: buckets,
		})
	}
}

// streamMetrics yields what is counted for each stream.
func (r *Recorder) streamMetrics(m *metrics) {
	all := r.streams.list()
	for _, s := range all {
		for p := range protocols {
			if s.sessions[p].Load() > 0 {
				m.gauge("smoothkit_stream_viewers", "Viewers who are watching, by stream and protocol.",
					float64(s.viewers[p].Load()), [2]string{"stream", s.name}, [2]string{"proto", p.String()})
			}
		}
	}
	for _, s := range all {
		const help = "Bytes of bodies of a stream: out is sent to viewers and servers, in is received from encoders."
		m.counter("smoothkit_stream_bytes_total", help, s.sent.Load(), [2]string{"stream", s.name}, [2]string{"dir", "out"})
		m.counter("smoothkit_stream_bytes_total", help, s.received.Load(), [2]string{"stream", s.name}, [2]string{"dir", "in"})
	}
	for _, v := range [...]struct {
		name, help string
		value      func(*stream) int64
	}{
		{"smoothkit_stream_requests_total", "Requests for a stream.", func(s *stream) int64 { return s.requests.Load() }},
		{"smoothkit_stream_late_segments_total", "Segments of a stream that took longer to send than the player could wait.",
			func(s *stream) int64 { return s.late.Load() }},
		{"smoothkit_stream_rebuffers_total", "Times that players of a stream said their buffers ran empty.",
			func(s *stream) int64 { return s.starved.Load() }},
	} {
		for _, s := range all {
			m.counter(v.name, v.help, v.value(s), [2]string{"stream", s.name})
		}
	}
}

// outputMetrics yields how logs and webhooks are doing.
func (r *Recorder) outputMetrics(m *metrics) {
	out := r.outputs.Load()
	logs, hooks := out.states()
	for _, s := range logs {
		m.counter("smoothkit_log_lines_total", "Lines that were written, by log.", s.Lines, [2]string{"log", s.Name})
	}
	for _, s := range logs {
		m.counter("smoothkit_log_lines_dropped_total", "Lines that could not be written, by log.", s.Dropped, [2]string{"log", s.Name})
	}
	for _, s := range hooks {
		const help = "Events for a webhook, by what became of them."
		for _, v := range [...]struct {
			result string
			n      int64
		}{{"delivered", s.Delivered}, {"failed", s.Failed}, {"dropped", s.Dropped}} {
			m.counter("smoothkit_webhook_events_total", help, v.n, [2]string{"url", s.URL}, [2]string{"result", v.result})
		}
	}
}

// states returns how logs and webhooks are doing. Those of the same name, as of files in different directories, are taken
// together: a metric is there once for its labels.
func (o *outputs) states() (logs []LogState, hooks []WebhookStats) {
	for _, l := range o.logs {
		l, ok := l.(stateful)
		if !ok {
			continue
		}
		s := l.State()
		if i := slices.IndexFunc(logs, func(v LogState) bool { return v.Name == s.Name }); i >= 0 {
			logs[i].Lines += s.Lines
			logs[i].Dropped += s.Dropped
			continue
		}
		logs = append(logs, s)
	}
	for _, h := range o.webhooks {
		s := h.Stats()
		if i := slices.IndexFunc(hooks, func(v WebhookStats) bool { return v.URL == s.URL }); i >= 0 {
			hooks[i].Delivered += s.Delivered
			hooks[i].Failed += s.Failed
			hooks[i].Dropped += s.Dropped
			continue
		}
		hooks = append(hooks, s)
	}
	return logs, hooks
}
