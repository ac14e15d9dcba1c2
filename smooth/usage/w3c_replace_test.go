package usage_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

// checkColumns checks that each line has the columns of the header above it, and returns how many lines there are.
func checkColumns(t *testing.T, text string) (lines int) {
	t.Helper()
	columns := 0
	for line := range strings.Lines(text) {
		if fields, ok := strings.CutPrefix(line, "#Fields: "); ok {
			columns = len(strings.Fields(fields))
		}
		if line[0] != '#' {
			lines++
			require.Len(t, strings.Fields(line), columns, line)
		}
	}
	return lines
}

// TestReplacedUnderLoad replaces a log by one of the same file with other fields, as a reload of a configuration does, while
// requests end.
func TestReplacedUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	open := func(i int) *usage.W3C {
		fields := []string{"time", "sc-status", "x-kind"}
		l, err := usage.NewW3C(path, &usage.W3COptions{Fields: fields[:1+i%3], Now: start, Logger: quiet()})
		require.NoError(t, err)
		return l
	}
	r, log := newRecorder(t, usage.Options{Now: start})
	require.NoError(t, r.SetLogs(open(0), log))
	h := r.Handler(answer(200, 1))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var sent [4]int
	for i := range sent {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					serve(h, get("/a.mp4"))
					sent[i]++
				}
			}
		})
	}
	for i := range 50 {
		l := open(i)
		serve(h, get("/a.mp4")) // between the two, as a reload takes its time
		require.NoError(t, r.SetLogs(l, log))
	}
	close(stop)
	wg.Wait()
	require.NoError(t, r.Close())
	assert.Equal(t, 50+sent[0]+sent[1]+sent[2]+sent[3], checkColumns(t, read(t, path)), "no line is lost")
}

// TestGivenUp opens a log for the file of another one and closes it, as where the rest of a new configuration is wrong.
func TestGivenUp(t *testing.T) {
	l, path := newLog(t, usage.W3COptions{Fields: []string{"time"}})
	l.Request(record())
	other, err := usage.NewW3C(path, &usage.W3COptions{Fields: []string{"time", "sc-status"}, Now: start, Logger: quiet()})
	require.NoError(t, err)
	require.NoError(t, other.Close())
	l.Request(record())
	require.NoError(t, l.Close())
	assert.Equal(t, 2, checkColumns(t, read(t, path)))
	assert.Equal(t, 1, strings.Count(read(t, path), "#Software"))
}

// TestReplacedLogsAreNotToldAnything closes a log whose Request would notice.
func TestReplacedLogsAreNotToldAnything(t *testing.T) {
	r, _ := newRecorder(t, usage.Options{})
	h := r.Handler(answer(200, 1))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				serve(h, get("/a.mp4"))
			}
		})
	}
	for range 50 {
		require.NoError(t, r.SetLogs(&strict{t: t}))
	}
	wg.Wait()
	require.NoError(t, r.SetLogs())
}

// strict is a log that fails a test if it is told something after it was closed.
type strict struct {
	t      *testing.T
	mu     sync.Mutex
	closed bool
}

func (s *strict) told() {
	s.mu.Lock()
	defer s.mu.Unlock()
	assert.False(s.t, s.closed)
}

func (s *strict) Request(*usage.Record)  { s.told() }
func (s *strict) Session(*usage.Session) { s.told() }

func (s *strict) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// TestEqualNames has logs and webhooks whose names in metrics are the same.
func TestEqualNames(t *testing.T) {
	one, _ := newLog(t, usage.W3COptions{})
	two, _ := newLog(t, usage.W3COptions{Sessions: true})
	var hooks []*usage.Webhook
	for _, query := range []string{"?a", "?b"} {
		h, err := usage.NewWebhook(&usage.WebhookOptions{URL: "http://127.0.0.1:1/hook" + query, Kinds: []usage.EventKind{"none"}})
		require.NoError(t, err)
		hooks = append(hooks, h)
	}
	r, _ := newRecorder(t, usage.Options{Logs: []usage.Log{one, two}, Webhooks: hooks})
	seen := make(map[string]bool)
	for m := range r.Metrics() {
		key := fmt.Sprint(m.Name, m.Labels)
		assert.False(t, seen[key], key)
		seen[key] = true
	}
}
