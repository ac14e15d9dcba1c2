package prom

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

// Options tunes a [Collector]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Labels are added to all metrics, such as the name of the server.
	Labels map[string]string
	// Logger gets metrics that are left out, at Warn, each name once. Nil means slog.Default().
	Logger *slog.Logger
}

// Collector is a [prometheus.Collector] of what a recorder counts. It is safe for concurrent use.
type Collector struct {
	rec    *usage.Recorder
	labels prometheus.Labels
	logger *slog.Logger
	faults faults
}

// NewCollector returns a collector, to be registered with a [prometheus.Registerer]. It copies opts.
func NewCollector(rec *usage.Recorder, opts *Options) *Collector {
	if opts == nil {
		opts = new(Options)
	}
	c := &Collector{rec: rec, labels: prometheus.Labels{}, logger: cmp.Or(opts.Logger, slog.Default())}
	for name, value := range opts.Labels {
		c.labels[name] = value
	}
	return c
}

// Describe implements [prometheus.Collector]. It describes nothing, as other packages add metrics at any time.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector]. A metric that Prometheus would not take, and with it all metrics, is left out: one
// with a malformed name, with another help, type or labels than those of the same name before, or twice with the same
// labels.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	seen := make(map[string]*family)
	for m := range c.rec.Metrics() {
		metric, err := c.convert(&m, seen)
		if err != nil {
			if c.faults.first(m.Name) {
				c.logger.Warn("metric is left out", slog.String("name", m.Name), slog.Any("err", err))
			}
			continue
		}
		out <- metric
	}
}

// Handler returns a handler for /metrics: the recorder's metrics, and those of Go and of the process.
func Handler(rec *usage.Recorder, opts *Options) http.Handler {
	reg := prometheus.NewRegistry()
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	reg.MustRegister(NewCollector(rec, opts), collectors.NewGoCollector(), process)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}

// family is what metrics of one name have in common.
type family struct {
	kind   usage.MetricType
	desc   *prometheus.Desc
	help   string
	labels []string
	values map[string]bool
}

// convert makes a metric of Prometheus.
func (c *Collector) convert(m *usage.Metric, seen map[string]*family) (prometheus.Metric, error) {
	names, values := make([]string, len(m.Labels)), make([]string, len(m.Labels))
	for i, l := range m.Labels {
		names[i], values[i] = l[0], strings.ToValidUTF8(l[1], "\uFFFD")
	}
	f, err := c.family(m, names, seen)
	if err != nil {
		return nil, err
	}
	if key := strings.Join(values, "\xff"); f.values[key] {
		return nil, errTwice
	} else {
		f.values[key] = true
	}
	switch m.Type {
	case usage.Counter:
		return prometheus.NewConstMetric(f.desc, prometheus.CounterValue, m.Value, values...)
	case usage.Histogram:
		buckets := make(map[float64]uint64, len(m.Buckets))
		for _, b := range m.Buckets {
			buckets[b.UpperBound] = b.Count
		}
		return prometheus.NewConstHistogram(f.desc, m.Count, m.Value, buckets, values...)
	}
	return prometheus.NewConstMetric(f.desc, prometheus.GaugeValue, m.Value, values...)
}

// family returns what a metric has in common with others of its name.
func (c *Collector) family(m *usage.Metric, names []string, seen map[string]*family) (*family, error) {
	f := seen[m.Name]
	if f == nil {
		bad := func(n string) bool { return !validName(n, false) || c.labels[n] != "" }
		if !validName(m.Name, true) || slices.ContainsFunc(names, bad) {
			return nil, errName
		}
		f = &family{
			kind: m.Type, help: m.Help, labels: names, values: make(map[string]bool),
			desc: prometheus.NewDesc(m.Name, m.Help, names, c.labels),
		}
		seen[m.Name] = f
	}
	if f.kind != m.Type || f.help != m.Help || !slices.Equal(f.labels, names) {
		return nil, errOther
	}
	return f, nil
}

// validName reports whether that is a name of a metric or a label.
func validName(s string, colon bool) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9' && i > 0, c == ':' && colon:
		default:
			return false
		}
	}
	return s != "" && !strings.HasPrefix(s, "__") && (colon || s != "le")
}
