package manage_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
)

// watcher is a client of an event stream.
type watcher struct {
	*httptest.ResponseRecorder
	cancel context.CancelFunc
	ended  chan struct{}

	mu sync.Mutex // guards the body
}

// Write implements [http.ResponseWriter].
func (c *watcher) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ResponseRecorder.Write(b)
}

// watch begins an event stream, in a bubble of synctest.
func watch(h http.Handler, target string) *watcher {
	r := request("GET", target, "")
	ctx, cancel := context.WithCancel(r.Context())
	c := &watcher{ResponseRecorder: httptest.NewRecorder(), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		h.ServeHTTP(c, r.WithContext(ctx))
	}()
	synctest.Wait()
	return c
}

// take returns what has come since the last call.
func (c *watcher) take() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.Body.String()
	c.Body.Reset()
	return s
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &manage.Fake{}
		p := f.Add("live/a.isml", bunny())
		h := newHandler(t, f, nil)
		c := watch(h, "/live/A.isml/Events")
		assert.Equal(t, http.StatusOK, c.Code)
		assert.Equal(t, "text/event-stream", c.Header().Get("Content-Type"))
		assert.Equal(t, "no-store", c.Header().Get("Cache-Control"))
		assert.True(t, c.Flushed)
		assert.Equal(t, "event: state\ndata: {\"state\":\"Idle\"}\n\n", c.take())

		at := time.Date(2011, 6, 13, 22, 0, 0, 0, time.FixedZone("", 7200))
		p.Events <- livesmooth.Event{Number: 7, At: at, Kind: livesmooth.StateChanged, State: livesmooth.Started, Count: 1}
		assert.Equal(t, "id: 7\ndata: {\"number\":7,\"at\":\"2011-06-13T20:00:00Z\",\"kind\":\"state changed\",\"state\":\"Started\","+
			"\"timeTicks\":\"0\",\"durationTicks\":\"0\",\"count\":1}\n\n", c.take())
		p.Events <- livesmooth.Event{
			Number: 8, At: at, Kind: livesmooth.FragmentDropped, State: livesmooth.Started, Input: "enc\n1", Source: "http://u:p@up/a.isml",
			Stream: "video", Bitrate: 500000, Time: 17e18, Duration: 2e7, Count: 3, Err: errors.New("too late"),
		}
		lines := strings.Split(c.take(), "\n")
		require.Len(t, lines, 4) // whatever is in it, an event is two lines
		var e map[string]any
		require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(lines[1], "data: ")), &e))
		assert.Equal(t, map[string]any{
			"number": 8.0, "at": "2011-06-13T20:00:00Z", "kind": "fragment dropped", "state": "Started", "input": "enc\n1",
			"source": "http://u:xxxxx@up/a.isml", "stream": "video", "bitRateBitsPerSecond": 500000.0, "timeTicks": "17000000000000000000",
			"durationTicks": "20000000", "count": 3.0, "error": "too late",
		}, e)

		time.Sleep(manage.Heartbeat - time.Millisecond) // in a bubble: no time passes
		assert.Empty(t, c.take())
		time.Sleep(time.Millisecond)
		assert.Equal(t, ":\n\n", c.take())
		time.Sleep(2 * manage.Heartbeat)
		assert.Equal(t, ":\n\n:\n\n", c.take())

		close(p.Events) // the publishing point has been removed
		<-c.ended
		assert.Empty(t, c.take())
	})
}

// TestEventsEnd: the stream ends with its client, with the handler, and when nothing can be written any more.
func TestEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &manage.Fake{}
		p := f.Add("a.isml", bunny())
		h := newHandler(t, f, nil)
		c := watch(h, "/a.isml/events")
		c.cancel()
		<-c.ended

		w := &brokenWriter{ResponseRecorder: httptest.NewRecorder(), writes: 1}
		ended := make(chan struct{})
		go func() { defer close(ended); h.ServeHTTP(w, request("GET", "/a.isml/events", "")) }()
		synctest.Wait()
		p.Events <- livesmooth.Event{Number: 1}
		<-ended

		c = watch(h, "/a.isml/events")
		require.NoError(t, h.Close())
		require.NoError(t, h.Close())
		<-c.ended
		c = watch(h, "/a.isml/events")
		<-c.ended
		assert.Equal(t, http.StatusServiceUnavailable, c.Code)
		assert.Equal(t, http.StatusOK, serve(h, request("GET", "/a.isml/state", "")).Code)
	})
}

// brokenWriter takes a number of writes.
type brokenWriter struct {
	*httptest.ResponseRecorder
	writes int
}

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.writes--; w.writes < 0 {
		return 0, errors.New("broken pipe")
	}
	return len(b), nil
}

// TestEventsLimit: so many streams at a time, and no more.
func TestEventsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &manage.Fake{}
		f.Add("a.isml", bunny())
		h := newHandler(t, f, nil)
		var all []*watcher
		for range manage.MaxStreams {
			all = append(all, watch(h, "/a.isml/events"))
		}
		c := watch(h, "/a.isml/events")
		<-c.ended
		assert.Equal(t, http.StatusServiceUnavailable, c.Code)
		assert.Contains(t, c.Body.String(), `"0x80004005"`)
		all[0].cancel()
		<-all[0].ended
		all[0] = watch(h, "/a.isml/events")
		assert.Equal(t, http.StatusOK, all[0].Code)
		for _, c := range all {
			c.cancel()
			<-c.ended
		}
	})
}

func TestEventsHead(t *testing.T) {
	f := &manage.Fake{}
	f.Add("a.isml", bunny())
	w := serve(newHandler(t, f, nil), request("HEAD", "/a.isml/events", ""))
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
	assert.Empty(t, w.Body.String())
	w = serve(newHandler(t, f, nil), request("GET", "/none.isml/events", ""))
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Contains(t, w.Body.String(), `"MPE_MGMT_PUBLISHING_POINT_NOT_FOUND"`)
}

// TestConcurrent uses everything at once over a real connection.
func TestConcurrent(t *testing.T) {
	f := newFake()
	h := newHandler(t, f, nil)
	srv := httptest.NewServer(h)
	defer srv.Close()
	defer h.Close()
	do := func(method, path, body string, header ...string) *http.Response {
		r := request(method, srv.URL+path, body, header...)
		r.RequestURI = ""
		resp, err := http.DefaultClient.Do(r)
		if !assert.NoError(t, err) {
			return nil
		}
		return resp
	}
	stream := do("GET", "/live/idle.isml/events", "")
	line, err := bufio.NewReader(stream.Body).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "event: state\n", line)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				for _, c := range [][2]string{
					{"GET", list + "/settings"}, {"GET", "/live/idle.isml/state"}, {"PUT", "/live/idle.isml/settings"},
					{"POST", list + "/settings"}, {"DELETE", "/new.isml/settings"}, {"GET", "/live/started.isml/statistics"},
				} {
					body := settingsDocument("<Title>" + strings.Repeat("x", i) + "</Title>")
					resp := do(c[0], c[1], body, "Content-Type", atom, "Slug", "/new.isml")
					if resp == nil {
						return
					}
					assert.Less(t, resp.StatusCode, 500, c)
					resp.Body.Close()
				}
			}
		})
	}
	wg.Wait()
	stream.Body.Close()
}
