package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// event returns the path of the event in the archive, of which there has to be one.
func (b *box) event() (string, error) {
	a, err := inquire(b.url("presentations.json"), "")
	if err != nil {
		return "", err
	}
	var list struct {
		Presentations []struct {
			Recording *struct{ Event string }
		}
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		return "", err
	}
	var events []string
	for _, p := range list.Presentations {
		if p.Recording != nil {
			events = append(events, p.Recording.Event)
		}
	}
	if len(events) != 1 {
		return "", fmt.Errorf("events in the archive: %q", events)
	}
	return events[0], nil
}

// recorded looks at the event in the archive, which is one, on one timeline, whichever processes have recorded it.
func (b *box) recorded(t *testing.T) {
	t.Helper()
	event, err := b.event()
	require.NoError(t, err)
	dirs, err := filepath.Glob(filepath.Join(b.archive, "Default Web Site", "live", "event-isml", "*", "event.json"))
	require.NoError(t, err)
	assert.Len(t, dirs, 1)
	m, err := smooth.ParseManifest(download(t, b.url(event+"/event.ism/Manifest")))
	require.NoError(t, err)
	for _, st := range m.Streams {
		gaps := 0
		for i, c := range st.Timeline[1:] {
			require.GreaterOrEqual(t, c.Time, st.Timeline[i].End(), st.Name)
			if c.Time > st.Timeline[i].End()+uint64(smooth.DefaultTimescale) {
				gaps++
			}
		}
		t.Logf("%s: %d chunks, %d gaps, %v", st.Name, len(st.Timeline), gaps, time.Duration(st.Timeline.End()-st.Timeline.Start())*100)
		assert.GreaterOrEqual(t, gaps, 1, "the encoder was away")
		for _, l := range st.Levels {
			for _, c := range []smooth.Chunk{st.Timeline[0], st.Timeline[len(st.Timeline)-1]} {
				path := fmt.Sprintf("%s/event.ism/QualityLevels(%d)/Fragments(%s=%d)", event, l.Bitrate, st.Name, c.Time)
				assert.NotEmpty(t, mediaOf(download(t, b.url(path))), path)
			}
		}
	}
}

// loses kills the encoder, which connects again, and looks at what the operators are told about the point from its beginning.
func (b *box) loses(t *testing.T, encoder *encoderLoop) {
	t.Helper()
	connected := b.hook.count("encoder_connected", boxPoint)
	assert.GreaterOrEqual(t, connected, 2, "in both processes")
	assert.Zero(t, b.hook.count("encoder_lost", boxPoint), "who is told to go is not lost")
	encoder.kill()
	err := poll(20*time.Second, func() bool {
		return b.hook.count("encoder_lost", boxPoint) == 1 && b.hook.count("encoder_connected", boxPoint) == connected+1
	})
	assert.NoError(t, err, "%+v", b.hook.all())
	assert.GreaterOrEqual(t, b.hook.count("started", boxPoint), 2, "in both processes")
	assert.Positive(t, b.hook.count("stopped", boxSpare), "by a button of the console")
}

// metrics returns the numbers for Prometheus by name and labels. It fails on a line that is none.
func (b *box) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	line := regexp.MustCompile(`^([a-z_][a-z0-9_]*(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (\S+)$`)
	numbers := make(map[string]float64)
	for _, text := range strings.Split(strings.TrimSuffix(string(download(t, b.url("metrics"))), "\n"), "\n") {
		if strings.HasPrefix(text, "# HELP ") || strings.HasPrefix(text, "# TYPE ") {
			continue
		}
		found := line.FindStringSubmatch(text)
		require.NotNil(t, found, "%q", text)
		n, err := strconv.ParseFloat(found[2], 64)
		require.NoError(t, err, "%q", text)
		numbers[found[1]] = n
	}
	return numbers
}

// measured looks at the metrics of the process that has served the old URLs.
func (b *box) measured(t *testing.T) {
	t.Helper()
	m := b.metrics(t)
	for name, least := range map[string]float64{
		`smoothkit_requests_total{code="2xx",kind="segment"}`: 60, `smoothkit_encoders`: 1, `smoothkit_ingest_bits_per_second`: 1000,
		`smoothkit_publishing_points{state="Started"}`: 1, `smoothkit_throttle_responses_total`: 1, `smoothkit_sessions_total{proto="smooth"}`: 1,
		`smoothkit_events_total{kind="encoder_connected"}`: 1, `smoothkit_stream_requests_total{stream="/vod/sample.ism"}`: 60,
	} {
		if n, ok := m[name]; assert.True(t, ok, name) {
			assert.GreaterOrEqual(t, n, least, name)
		}
	}
}

// counted reads the logs of requests and sessions, which both processes have written.
func (b *box) counted(t *testing.T) {
	t.Helper()
	requests := readW3C(t, filepath.Join(b.logs, "requests.log"))
	for _, want := range []struct{ stem, status, stream string }{
		{"/" + trailer, "200", ""}, {"/evening.isx", "200", ""}, {"/hello.txt", "200", ""}, {"/web.config", "404", ""},
		{"/newest/sample.ism/Manifest", "200", ""}, {"/" + boxPoint + "/Streams(enc1)", "503", ""},
		{"/" + boxPoint + "/Manifest", "200", "/" + boxPoint},
	} {
		found := false
		for _, r := range requests {
			if stem, err := url.PathUnescape(r["cs-uri-stem"]); err == nil && stem == want.stem && r["sc-status"] == want.status {
				found = want.stream == "" || r["x-stream"] == want.stream
			}
		}
		assert.True(t, found, "%+v", want)
	}
	watched := make(map[string]int) // seconds, by stream
	for _, s := range readW3C(t, filepath.Join(b.logs, "sessions.log")) {
		seconds, err := strconv.Atoi(s["x-duration"])
		require.NoError(t, err, "%v", s)
		bytes, err := strconv.Atoi(s["sc-bytes"])
		require.NoError(t, err, "%v", s)
		if s["c-status"] == "200" && bytes > 0 {
			watched[s["cs-uri-stem"]] = max(watched[s["cs-uri-stem"]], seconds)
		}
	}
	t.Logf("sessions: %v", watched)
	assert.GreaterOrEqual(t, watched["/"+trailer], boxTrailer-boxBurst-1)
	assert.Greater(t, watched["/"+boxPoint], 3)
	assert.Positive(t, watched["/vod/sample.ism"])
}

// readW3C reads a log: lines by name of field.
func readW3C(t *testing.T, name string) (lines []map[string]string) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	var fields []string
	for _, text := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if names, ok := strings.CutPrefix(text, "#Fields: "); ok {
			fields = strings.Fields(names)
		}
		if strings.HasPrefix(text, "#") {
			continue
		}
		values := strings.Fields(text)
		require.Len(t, values, len(fields), text)
		line := make(map[string]string, len(fields))
		for i, f := range fields {
			line[f] = values[i]
		}
		lines = append(lines, line)
	}
	require.NotEmpty(t, lines, name)
	return lines
}
