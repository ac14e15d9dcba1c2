package usage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

func TestBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var called atomic.Int64
		r, _ := newRecorder(t, usage.Options{OnEvent: func(usage.Event) { called.Add(1) }})
		h := r.Handler(answer(503, 1, "X-Limit", "players"))
		for range 100 {
			serve(h, get("/a.ism/Manifest"))
		}
		serve(h, get("/b.ism/Manifest"))
		r.Emit(usage.Event{Kind: usage.Started, Subject: "/a"})
		r.Emit(usage.Event{Kind: usage.Started, Subject: "/a"})
		told := r.Events()
		require.Len(t, told, 4, "one for each stream; others are no bursts")
		assert.Equal(t, usage.LimitHit, told[0].Kind)
		assert.Equal(t, "/a.ism", told[0].Subject)
		assert.Equal(t, [][2]string{{"limit", "players"}}, told[0].Attrs)
		assert.Equal(t, 1, told[0].Count)
		time.Sleep(62 * time.Second)
		synctest.Wait()
		told = r.Events()
		require.Len(t, told, 5)
		assert.Equal(t, 99, told[4].Count)
		serve(h, get("/a.ism/Manifest"))
		assert.Len(t, r.Events(), 5, "the next minute has begun")
		require.NoError(t, r.Close())
		told = r.Events()
		require.Len(t, told, 6, "what was held back is told at the end")
		assert.Equal(t, 1, told[5].Count)
		assert.Equal(t, int64(6), called.Load())
	})
}

func TestBurstsOfManySubjects(t *testing.T) {
	var told []usage.Event
	r, _ := newRecorder(t, usage.Options{OnEvent: func(e usage.Event) { told = append(told, e) }})
	for i := range 1000 {
		r.Emit(usage.Event{Kind: usage.LimitHit, Subject: strconv.Itoa(i)})
	}
	assert.Len(t, told, 65, "one for all others together")
	require.NoError(t, r.Close())
	require.Len(t, told, 66)
	assert.Equal(t, 935, told[65].Count)
	assert.Empty(t, told[65].Subject)
	assert.Equal(t, int64(0), r.Stats().Requests)
}

func TestEventsAreBounded(t *testing.T) {
	r, _ := newRecorder(t, usage.Options{})
	for i := range 300 {
		r.Emit(usage.Event{Kind: usage.Stopped, Subject: strconv.Itoa(i)})
	}
	got := r.Events()
	require.Len(t, got, 256)
	assert.Equal(t, "299", got[255].Subject)
	assert.False(t, got[0].At.IsZero())
}

func TestEventsGoToWebhooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := &target{answers: []any{200}}, &target{answers: []any{200}}
		first, second := newWebhook(t, one, usage.WebhookOptions{}), newWebhook(t, two, usage.WebhookOptions{})
		r, _ := newRecorder(t, usage.Options{Webhooks: []*usage.Webhook{first}})
		r.Emit(event("1"))
		require.NoError(t, r.SetWebhooks(context.Background(), second))
		r.Emit(event("2"))
		require.NoError(t, r.Shutdown(context.Background()))
		assert.Equal(t, []any{"1"}, one.subjects())
		assert.Equal(t, []any{"2"}, two.subjects())
	})
}

func TestSetLogs(t *testing.T) {
	r, first := newRecorder(t, usage.Options{})
	second := new(memory)
	h := r.Handler(answer(200, 1))
	serve(h, get("/a.mp4"))
	require.NoError(t, r.SetLogs(second))
	assert.Equal(t, 1, first.closed)
	serve(h, get("/a.mp4"))
	assert.Len(t, first.requests, 1)
	assert.Len(t, second.requests, 1)
	require.NoError(t, r.SetLogs(second))
	assert.Zero(t, second.closed, "it stays")
}

func TestRatesAndPeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRecorder(t, usage.Options{})
		h := r.Handler(answer(200, 1000))
		time.Sleep(500 * time.Millisecond) // between ticks
		for i := range 10 {
			serve(h, get("/a.ism/Manifest", "CMCD-Session", `sid="`+strconv.Itoa(i)+`"`))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		s := r.Stats()
		assert.Equal(t, int64(8000), s.SentRate.Now)
		assert.Equal(t, int64(8000), s.SentRate.Peak)
		assert.Equal(t, usage.Level{Now: 10, Peak: 10}, s.Viewers)
		assert.Equal(t, usage.Level{Now: 0, Peak: 1}, s.Active)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, usage.Level{Now: 0, Peak: 10}, r.Stats().Viewers)
		assert.Equal(t, usage.Level{Now: 0, Peak: 8000}, r.Stats().SentRate)
		r.ResetPeaks()
		assert.Equal(t, usage.Level{}, r.Stats().Viewers)
		assert.Equal(t, time.Now(), r.Stats().PeaksSince)
		assert.Equal(t, time.Now().Add(-70500*time.Millisecond), r.Stats().Since)
	})
}

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRecorder(t, usage.Options{})
		h := r.Handler(answer(200, 1000))
		time.Sleep(500 * time.Millisecond) // between ticks
		for range 5000 {
			serve(h, get("/a.ism/Manifest"))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		all := r.History()
		require.Len(t, all, usage.HistorySteps)
		for i, s := range all[:len(all)-1] { // the last one is not over
			require.Equal(t, int64(10), s.Requests, i)
			require.Equal(t, int64(10_000), s.Sent, i)
			require.Equal(t, 1, s.Viewers)
			require.Equal(t, usage.HistoryStep, all[i+1].Start.Sub(s.Start))
			require.Zero(t, s.Start.UnixNano()%int64(usage.HistoryStep))
		}
	})
}

func TestHistoryOfABrokenClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		offset := time.Duration(0)
		var mu sync.Mutex
		jump := func(d time.Duration) { mu.Lock(); offset += d; mu.Unlock() }
		r, _ := newRecorder(t, usage.Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(offset) }})
		h := r.Handler(answer(503, 10))
		time.Sleep(500 * time.Millisecond) // between ticks
		serve(h, get("/a.mp4"))
		time.Sleep(2 * time.Second)
		jump(35 * time.Second) // a laptop that slept
		serve(h, get("/a.mp4"))
		time.Sleep(2 * time.Second)
		jump(-time.Hour)
		serve(h, get("/a.mp4"))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		var requests, denied []int64
		for _, s := range r.History() {
			requests, denied = append(requests, s.Requests), append(denied, s.Denied)
		}
		assert.Equal(t, []int64{1, 0, 0, 2}, requests)
		assert.Equal(t, requests, denied)
		jump(1000 * time.Hour)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Len(t, r.History(), usage.HistorySteps)
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRecorder(t, usage.Options{MaxStreams: 2})
		h := r.Handler(answer(200, 10))
		for _, name := range []string{"/a.ism", "/b.ism", "/c.ism", "/d.ism"} {
			serve(h, get(name+"/Manifest"))
			time.Sleep(time.Second)
		}
		assert.Equal(t, map[string]int64{"/a.ism": 10, "/b.ism": 10, "other": 20}, streams(r))
		assert.Equal(t, int64(4), r.Stats().Viewers.Now)
		time.Sleep(time.Minute)
		synctest.Wait()
		serve(h, get("/e.ism/Manifest"))
		assert.Equal(t, map[string]int64{"/b.ism": 10, "/e.ism": 10, "other": 20}, streams(r), "the one that nobody used for longest gave way")
		serve(h, get("/b.ism/Manifest"))
		assert.Equal(t, int64(20), streams(r)["/b.ism"])
		serve(h, get("/"+strings.Repeat("x", 600)+".ism/Manifest"))
		assert.Equal(t, int64(30), streams(r)["other"], "a long name")
	})
}

func streams(r *usage.Recorder) map[string]int64 {
	m := make(map[string]int64)
	for _, s := range r.Stats().Streams {
		m[s.Stream] = s.Sent
	}
	return m
}

func TestLateSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRecorder(t, usage.Options{})
		slow := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(3 * time.Second)
			_, _ = io.WriteString(w, "x")
		}))
		for _, c := range []struct {
			cmcd string
			late int64
		}{{"d=2000", 1}, {"d=4000", 1}, {"d=2000,dl=10000", 1}, {"d=10000,dl=1000", 2}, {"bl=1000", 2}} {
			serve(slow, get(fragment, "CMCD-Object", c.cmcd))
			assert.Equal(t, c.late, r.Stats().LateSegments, c.cmcd)
		}
		assert.Equal(t, int64(2), r.Stats().Streams[0].LateSegments)
	})
}

func TestSlog(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime && !a.Value.Time().Equal(start()) {
			return slog.Attr{}
		}
		return a
	}}))
	s := usage.NewSlog(logger, nil)
	s.Request(record())
	s.Session(viewer())
	require.NoError(t, s.Close())
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		assert.True(t, json.Valid([]byte(line)))
	}
	golden(t, "slog.json", out.String())
	out.Reset()
	quietly := usage.NewSlog(slog.New(slog.NewJSONHandler(&out, nil)), &usage.SlogOptions{SessionLevel: slog.LevelDebug})
	quietly.Request(record())
	quietly.Session(viewer())
	assert.Empty(t, out.String())
	loud := usage.NewSlog(slog.New(slog.NewJSONHandler(&out, nil)), &usage.SlogOptions{RequestLevel: slog.LevelWarn})
	loud.Request(record())
	assert.Contains(t, out.String(), `"level":"WARN"`)
}

func TestObserve(t *testing.T) {
	var got usage.Record
	r, err := usage.New(&usage.Options{Observe: func(rec *usage.Record) { got = *rec }, Logger: quiet()})
	require.NoError(t, err)
	serve(r.Handler(answer(206, 10, "X-Cache", "MISS")), get(fragment, "Range", "bytes=0-9"))
	assert.Equal(t, "bytes=0-9", got.Range)
	assert.Equal(t, "MISS", got.Cache)
	assert.Equal(t, int64(10), got.Sent)
	assert.Equal(t, 1, got.Viewers)
	assert.NotEmpty(t, got.Session)
	require.NoError(t, r.Close())
}

func TestOptions(t *testing.T) {
	for _, o := range []usage.Options{{InactivityTimeout: -1}, {MaxSessions: -1}, {MaxStreams: -1}} {
		_, err := usage.New(&o)
		assert.ErrorIs(t, err, usage.ErrOptions)
	}
	r, err := usage.New(nil)
	require.NoError(t, err)
	require.NoError(t, r.Close())
}

func TestMetricsStopEarly(t *testing.T) {
	called := false
	r, _ := newRecorder(t, usage.Options{Metrics: func(func(usage.Metric) bool) { called = true }})
	n := 0
	for range r.Metrics() {
		if n++; n == 3 {
			break
		}
	}
	assert.Equal(t, 3, n)
	assert.False(t, called)
}

func TestConcurrentUse(t *testing.T) {
	l, _ := newLog(t, usage.W3COptions{})
	s, _ := newLog(t, usage.W3COptions{Sessions: true})
	r, _ := newRecorder(t, usage.Options{Logs: []usage.Log{l, s}, MaxStreams: 3, InactivityTimeout: time.Millisecond, MaxSessions: 50})
	h := r.Handler(answer(200, 100))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				serve(h, get("/"+strconv.Itoa(j%7)+".ism/Manifest", "CMCD-Session", `sid="`+strconv.Itoa(i*j)+`"`))
				r.Emit(usage.Event{Kind: usage.LimitHit, Subject: strconv.Itoa(j)})
				if j%20 == 0 {
					r.Stats()
					r.History()
					r.SetPrivacy(usage.Privacy{MaskAddresses: j%40 == 0})
					for range r.Sessions() {
						break
					}
					for range r.Metrics() {
						continue
					}
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int64(800), r.Stats().Requests)
	assert.Equal(t, int64(80_000), r.Stats().Sent)
	assert.Zero(t, r.Stats().Active.Now)
	require.NoError(t, r.Close())
	stats := r.Stats()
	assert.Zero(t, stats.Viewers.Now)
	for _, v := range stats.Streams {
		assert.Zero(t, v.Viewers, v.Stream)
	}
}

func TestClassesOfOthers(t *testing.T) {
	r, log := newRecorder(t, usage.Options{Classify: func(*http.Request) usage.Class {
		return usage.Class{Stream: "/x", Kind: 200, Protocol: 200, Bitrate: -1, MediaTime: -1}
	}})
	serve(r.Handler(answer(200, 1)), get("/a"))
	assert.Equal(t, usage.Class{Stream: "/x"}, log.last(t).Class)
	serve(r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		usage.Annotate(w, usage.Note{Class: &usage.Class{Stream: "/y", Kind: usage.File, Protocol: 77}})
	})), get("/a"))
	assert.Equal(t, map[usage.Protocol]int{usage.Other: 1}, r.Stats().ViewersBy)
}

func TestClosedRecorder(t *testing.T) {
	r, _ := newRecorder(t, usage.Options{})
	require.NoError(t, r.Close())
	log := new(memory)
	assert.ErrorIs(t, r.SetLogs(log), usage.ErrClosed)
	assert.Zero(t, log.closed, "it stays the caller's")
	assert.ErrorIs(t, r.SetWebhooks(context.Background()), usage.ErrClosed)
	r.Emit(usage.Event{Kind: usage.Stopped})
	assert.Len(t, r.Events(), 1)
}

func TestNextObjectIsNotTold(t *testing.T) {
	r, log := newRecorder(t, usage.Options{})
	serve(r.Handler(answer(200, 1)), get(fragment, "CMCD-Request", `nor="..%2Fx%3Ftoken%3Dabc",bl=100`))
	assert.Equal(t, "bl=100", log.last(t).CMCD.String())
}
