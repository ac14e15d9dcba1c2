package prom_test

import (
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
	"github.com/smoothkit/smoothkit/smooth/usage/prom"
)

var update = flag.Bool("update", false, "rewrite golden files")

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// used returns a recorder in which everything is counted that there is.
func used(t *testing.T, metrics func(func(usage.Metric) bool)) *usage.Recorder {
	t.Helper()
	log, err := usage.NewW3C(t.TempDir()+"/access.log", nil)
	require.NoError(t, err)
	hook, err := usage.NewWebhook(&usage.WebhookOptions{URL: "http://127.0.0.1:1/hook", Kinds: []usage.EventKind{"none"}})
	require.NoError(t, err)
	rec, err := usage.New(&usage.Options{Logs: []usage.Log{log}, Webhooks: []*usage.Webhook{hook}, Metrics: metrics, Logger: quiet()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rec.Close()) })
	ok := rec.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Cache", "HIT")
		w.Header().Set("X-Throttle", "rate=1")
		_, _ = io.WriteString(w, "hello")
	}))
	send := func(h http.Handler, method, url, body string) {
		r := httptest.NewRequest(method, url, strings.NewReader(body))
		r.Header.Set("CMCD-Status", "bs")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	send(ok, "GET", "/vod/film.ism/Manifest", "")
	send(ok, "GET", "/vod/film.ism/QualityLevels(300000)/Fragments(video=0)", "")
	send(ok, "GET", "/hls/film/master.m3u8", "")
	send(ok, "GET", "/film.mp4", "")
	send(ok, "POST", "/live/a.isml/Streams(1)", "data")
	send(rec.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Limit", "players")
		w.WriteHeader(503)
	})), "GET", "/vod/film.ism/Manifest", "")
	return rec
}

// steady removes what depends on the machine.
func steady(text string) string {
	text = regexp.MustCompile(`(_duration_seconds_(?:bucket|sum)\{[^}]*\}) .*`).ReplaceAllString(text, "$1 X")
	return regexp.MustCompile(`(log_lines_total\{[^}]*\}) .*`).ReplaceAllString(text, "$1 X")
}

func scrape(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	return w.Body.String()
}

// own returns the lines of our own metrics.
func own(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, "smoothkit_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestNames pins names, help, types and labels: dashboards are made of them.
func TestNames(t *testing.T) {
	got := steady(own(scrape(t, prom.Handler(used(t, nil), nil))))
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile("testdata/metrics.txt", []byte(got), 0o644))
	}
	want, err := os.ReadFile("testdata/metrics.txt")
	require.NoError(t, err)
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}

// TestDocumented compares the names with the table in the documentation of package usage.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../doc.go")
	require.NoError(t, err)
	documented := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^//\t(smoothkit_\w+)(\{[\w,]+\})? +(gauge|counter|histogram)`).FindAllStringSubmatch(string(doc), -1) {
		documented[m[1]+" "+m[2]+" "+m[3]] = true
	}
	there := make(map[string]bool)
	for m := range used(t, nil).Metrics() {
		var names []string
		for _, l := range m.Labels {
			names = append(names, l[0])
		}
		labels := ""
		if names != nil {
			labels = "{" + strings.Join(names, ",") + "}"
		}
		there[m.Name+" "+labels+" "+[...]string{usage.Gauge: "gauge", usage.Counter: "counter", usage.Histogram: "histogram"}[m.Type]] = true
	}
	assert.Equal(t, documented, there)
}

func TestLint(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(prom.NewCollector(used(t, nil), &prom.Options{Labels: map[string]string{"server": "edge1"}})))
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	assert.Empty(t, problems)
}

// TestBadMetrics lets another package tell what Prometheus would refuse.
func TestBadMetrics(t *testing.T) {
	good := usage.Metric{Name: "other_things", Help: "Things.", Labels: [][2]string{{"a", "1"}}, Value: 7}
	change := func(f func(*usage.Metric)) usage.Metric {
		m := good
		f(&m)
		return m
	}
	metrics := []usage.Metric{
		good, good,
		change(func(m *usage.Metric) { m.Labels = [][2]string{{"a", "2"}}; m.Help = "Others." }),
		change(func(m *usage.Metric) { m.Labels = [][2]string{{"b", "2"}} }),
		change(func(m *usage.Metric) { m.Labels = [][2]string{{"a", "2"}}; m.Type = usage.Counter }),
		change(func(m *usage.Metric) { m.Name = "bad name" }),
		change(func(m *usage.Metric) { m.Name = "" }),
		change(func(m *usage.Metric) { m.Name, m.Labels = "x", [][2]string{{"__a", "1"}} }),
		change(func(m *usage.Metric) { m.Name, m.Labels = "x", [][2]string{{"server", "1"}} }),
		change(func(m *usage.Metric) { m.Name, m.Labels = "x", [][2]string{{"a", "1"}, {"a", "2"}} }),
		change(func(m *usage.Metric) { m.Name, m.Labels = "smoothkit_viewers_peak", nil }),
		change(func(m *usage.Metric) { m.Labels = [][2]string{{"a", "\xff\n\""}} }),
	}
	rec := used(t, func(yield func(usage.Metric) bool) {
		for _, m := range metrics {
			if !yield(m) {
				return
			}
		}
	})
	text := scrape(t, prom.Handler(rec, &prom.Options{Labels: map[string]string{"server": "edge1"}, Logger: quiet()}))
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "other_things") || strings.HasPrefix(line, "x") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	assert.Equal(t, []string{`other_things{a="1",server="edge1"} 7`, `other_things{a="` + "\uFFFD" + `\n\"",server="edge1"} 7`}, lines)
	assert.Contains(t, text, "smoothkit_viewers_peak{server=\"edge1\"} 3")
	assert.Contains(t, text, "go_goroutines")
}

func ExampleHandler() {
	rec, err := usage.New(nil)
	if err != nil {
		return
	}
	defer rec.Close()
	http.Handle("/metrics", prom.Handler(rec, nil))
}
