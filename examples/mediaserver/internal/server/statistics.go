package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
	"github.com/smoothkit/smoothkit/smooth/usage"
	"github.com/smoothkit/smoothkit/smooth/usage/prom"
)

// statistics records requests and viewers, and tells events. It lives as long as the server; its logs change with the configuration.
type statistics struct {
	*usage.Recorder
	handler http.Handler
	metrics http.Handler
	healthy http.Handler
	ready   http.Handler

	mu  sync.Mutex // guards log and hooks
	log string     // key of what the logs are made of
	w3c []*usage.W3C
	web string // and of the webhooks
}

// newStatistics makes the recorder without logs, which configure adds.
func (s *Server) newStatistics() (*statistics, error) {
	st := &statistics{}
	var err error
	st.Recorder, err = usage.New(&usage.Options{
		Logger: s.log, OnEvent: s.events.add, Metrics: s.partMetrics, Classify: classify, Media: s.media,
		Address: addressOf,
	})
	if err != nil {
		return nil, err
	}
	st.handler = st.Handler(http.HandlerFunc(s.serve))
	st.metrics = prom.Handler(st.Recorder, &prom.Options{Logger: s.log})
	st.healthy, st.ready = usage.Health(nil), usage.Health(nil, s.readiness()...)
	return st, nil
}

// recording is what a configuration says of statistics, ready to be put in force.
type recording struct {
	st      *statistics
	privacy usage.Privacy
	log     string // keys, see statistics
	web     string
	logs    []usage.Log // unless they are what they were
	hooks   []*usage.Webhook
}

// secrets names the parameters of queries that are in no log.
func (g *generation) secrets() []string {
	list := append(usage.DefaultSecrets(), g.access.queries...)
	for _, st := range g.sites {
		list = append(list, st.access.queries...)
	}
	return list
}

// prepare opens the logs and makes the webhooks that the configuration names, where they are others than those there are.
func (st *statistics) prepare(cfg *config.Usage, s *Server, secrets []string) (*recording, error) {
	var log config.UsageLog
	if cfg.Log != nil {
		log = *cfg.Log
	}
	n := &recording{
		st: st, privacy: usage.Privacy{MaskAddresses: cfg.MaskAddresses, Secrets: secrets},
		log: keyOf("log", log, cfg.JSON), web: keyOf("web", cfg.Webhooks),
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	var err error
	if n.log != st.log {
		if n.logs, err = newLogs(cfg, s); err != nil {
			return nil, err
		}
	}
	if n.web != st.web {
		if n.hooks, err = newWebhooks(cfg, s); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

// apply puts it in force. What was there before is closed.
func (n *recording) apply(log *slog.Logger) {
	st := n.st
	st.mu.Lock()
	defer st.mu.Unlock()
	st.SetPrivacy(n.privacy)
	if n.log != st.log {
		if err := st.SetLogs(n.logs...); err != nil {
			log.Warn("close logs", "err", err)
		}
		st.log, st.w3c = n.log, nil
		for _, l := range n.logs {
			if w, ok := l.(*usage.W3C); ok {
				st.w3c = append(st.w3c, w)
			}
		}
	}
	if n.web == st.web {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := st.SetWebhooks(ctx, n.hooks...); err != nil {
		log.Warn("events were not told", "err", err)
	}
	st.web = n.web
}

// close gives up what is not put in force.
func (n *recording) close() error {
	var errs []error
	for _, l := range n.logs {
		errs = append(errs, l.Close())
	}
	for _, h := range n.hooks {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}

// classify tells what a request is for, as the recorder does, and knows the console.
func classify(r *http.Request) usage.Class {
	if v := visitOf(r); ofConsole(r.URL.Path) || v != nil && ofServer(r.URL.Path, v.gen.metricsPath()) {
		return usage.Class{Kind: usage.Management}
	}
	return usage.Classify(r)
}

// Reopen begins new log files, for programs that have moved the old ones away.
func (s *Server) Reopen() error {
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	var errs []error
	for _, w := range s.usage.w3c {
		errs = append(errs, w.Reopen())
	}
	return errors.Join(errs...)
}

// newLogs opens the logs. The old ones, which may be the same files, are still open until they are replaced.
func newLogs(cfg *config.Usage, s *Server) (logs []usage.Log, err error) {
	if cfg.JSON {
		logs = append(logs, usage.NewSlog(s.log, &usage.SlogOptions{RequestLevel: slog.LevelInfo}))
	}
	l := cfg.Log
	if l == nil {
		return logs, nil
	}
	options := usage.W3COptions{
		LocalTime: l.LocalTime, MaxSize: int64(l.MaxSize), Keep: l.Keep, Gzip: l.Compress, Logger: s.log, Fields: l.RequestFields,
		Rotation: map[string]usage.Rotation{"hour": usage.Hourly, "never": usage.BySize}[l.Rotate],
	}
	if !l.NoRequests {
		w, err := usage.NewW3C(filepath.Join(l.Directory, "requests.log"), &options)
		if err != nil {
			return nil, err
		}
		logs = append(logs, w)
	}
	if l.NoSessions {
		return logs, nil
	}
	options.Sessions, options.Fields = true, l.SessionFields
	w, err := usage.NewW3C(filepath.Join(l.Directory, "sessions.log"), &options)
	if err != nil {
		for _, l := range logs {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	return append(logs, w), nil
}

func newWebhooks(cfg *config.Usage, s *Server) (hooks []*usage.Webhook, err error) {
	for _, w := range cfg.Webhooks {
		var kinds []usage.EventKind
		for _, k := range w.Events {
			kinds = append(kinds, usage.EventKind(k))
		}
		h, err := usage.NewWebhook(&usage.WebhookOptions{URL: w.URL, Secret: []byte(w.Secret.Value()), Kinds: kinds, Source: "mediaserver", Logger: s.log})
		if err != nil {
			for _, h := range hooks {
				err = errors.Join(err, h.Close())
			}
			return nil, err
		}
		hooks = append(hooks, h)
	}
	return hooks, nil
}

// metricsPath is where the metrics are, "" if they are nowhere.
func (g *generation) metricsPath() string {
	switch m := g.cfg.Usage.Metrics; m {
	case "":
		return "/metrics"
	case "off":
		return ""
	default:
		return m
	}
}

// partMetrics yields what the other packages count.
func (s *Server) partMetrics(yield func(usage.Metric) bool) {
	g := s.enter()
	if g == nil {
		return
	}
	defer g.leave()
	for _, m := range slices.Concat(g.throttleMetrics(), s.limitMetrics(), g.liveMetrics(), g.edgeMetrics()) {
		if !yield(m) {
			return
		}
	}
}

func gauge(name, help string, value float64, labels ...[2]string) usage.Metric {
	return usage.Metric{Name: "smoothkit_" + name, Help: help, Type: usage.Gauge, Value: value, Labels: labels}
}

func counter(name, help string, value float64, labels ...[2]string) usage.Metric {
	return usage.Metric{Name: "smoothkit_" + name + "_total", Help: help, Type: usage.Counter, Value: value, Labels: labels}
}

func (g *generation) throttleMetrics() []usage.Metric {
	t := g.throttleNumbers()
	if t == nil {
		return nil
	}
	return []usage.Metric{
		gauge("throttle_active_responses", "Paced responses that are being sent.", float64(t.Active)),
		counter("throttle_responses", "Responses that were paced.", float64(t.Responses)),
		counter("throttle_saved_bytes", "Bytes of aborted responses that were not sent.", float64(t.SavedBytes)),
		counter("throttle_sent_bytes", "Bytes of paced responses, by phase.", float64(t.BurstBytes), [2]string{"phase", "burst"}),
		counter("throttle_sent_bytes", "Bytes of paced responses, by phase.", float64(t.SteadyBytes), [2]string{"phase", "steady"}),
		counter("throttle_refused", "Responses that were refused as their group was full.", float64(t.Refused)),
	}
}

func (s *Server) limitMetrics() []usage.Metric {
	l := s.limits.Stats(0)
	return []usage.Metric{
		gauge("limit_players", "Viewers as limits count them.", float64(l.Players.Now)),
		gauge("limit_players_peak", "The most viewers at a time.", float64(l.Players.Peak)),
		gauge("limit_allocated_bits_per_second", "Bandwidth that is set aside for viewers.", float64(l.Players.Allocated)),
		gauge("limit_distribution_connections", "Files that other servers pull.", float64(l.Distribution.Now)),
	}
}

func (g *generation) liveMetrics() (list []usage.Metric) {
	states := make(map[string]int)
	for _, name := range []string{"Idle", "Starting", "Started", "Stopping", "Stopped", "ShuttingDown", "Error"} {
		states[name] = 0
	}
	var encoders int
	var in float64
	for _, p := range g.consolePoints() {
		states[p.State]++
		encoders += len(p.Encoders)
		in += p.In
	}
	for name, n := range states {
		list = append(list, gauge("publishing_points", "Publishing points by state.", float64(n), [2]string{"state", name}))
	}
	return append(list,
		gauge("encoders", "Encoders that are connected.", float64(encoders)),
		gauge("ingest_bits_per_second", "What encoders send.", in),
	)
}

func (g *generation) edgeMetrics() (list []usage.Metric) {
	e := g.edgeNumbers()
	if e == nil {
		return nil
	}
	for _, r := range e.Results {
		list = append(list, counter("edge_requests", "Requests to caches, by what became of them.", float64(r.N), [2]string{"result", r.Name}))
	}
	for _, u := range e.Upstreams {
		up := 0.0
		if u.Healthy {
			up = 1
		}
		list = append(list, gauge("edge_upstream_up", "Whether an upstream answers.", up, [2]string{"upstream", u.Name}))
	}
	return append(list,
		gauge("edge_memory_bytes", "Bytes that caches hold in memory.", float64(e.Memory.Used)),
		gauge("edge_disk_bytes", "Bytes that caches hold on disk.", float64(e.Disk.Used)),
		counter("edge_fetched_bytes", "Bytes that came from upstreams.", float64(e.Fetched)),
	)
}

// serveHealth answers questions about the health of the process, which need no rights and say no more than that.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/healthz":
		s.usage.healthy.ServeHTTP(w, r)
	case "/readyz":
		s.usage.ready.ServeHTTP(w, r)
	default:
		return false
	}
	return true
}

// readiness are the checks of /readyz.
func (s *Server) readiness() []usage.Check {
	return []usage.Check{
		{Name: "listeners", Run: func(context.Context) error {
			if s.opts.Listeners == nil || slices.ContainsFunc(s.opts.Listeners(), func(l console.Listener) bool { return l.Listening }) {
				return nil
			}
			return errors.New("no address is listening")
		}},
		{Name: "archive", Run: func(context.Context) error {
			g := s.enter()
			if g == nil {
				return errors.New("the server is ending")
			}
			defer g.leave()
			if g.archive == nil {
				return nil
			}
			_, err := os.Stat(g.archive.options.Directory)
			return err
		}},
	}
}
