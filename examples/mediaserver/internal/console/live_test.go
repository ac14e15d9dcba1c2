package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
)

// wire is the connection to a browser that follows a page.
type wire struct {
	mu       sync.Mutex // guards the fields below
	header   http.Header
	status   int
	text     strings.Builder
	flushed  int
	deadline time.Time
	broken   bool
	stuck    chan struct{} // if set, writing waits for it
}

func (w *wire) Header() http.Header { return w.header }

func (w *wire) WriteHeader(status int) { w.status = status }

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	stuck := w.stuck
	w.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return 0, errors.New("broken pipe")
	}
	if !w.deadline.After(time.Now()) {
		return 0, errors.New("written without a deadline")
	}
	return w.text.Write(p)
}

func (w *wire) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flushed = w.text.Len()
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	return nil
}

// take returns the events that have been flushed since it was called last, as "name data".
func (w *wire) take() (events []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.text.String()[:w.flushed]
	rest := w.text.String()[w.flushed:]
	w.text.Reset()
	w.text.WriteString(rest)
	w.flushed = 0
	for _, e := range strings.Split(text, "\n\n") {
		if e != "" {
			events = append(events, e)
		}
	}
	return events
}

// sections returns the identifiers of the sections in events, and what they hold.
func sections(t *testing.T, events []string) map[string]string {
	t.Helper()
	list := map[string]string{}
	for _, e := range events {
		data, ok := strings.CutPrefix(e, "event: part\ndata: ")
		if !ok {
			continue
		}
		var p struct{ ID, HTML string }
		require.NoError(t, json.Unmarshal([]byte(data), &p))
		list[p.ID] = p.HTML
	}
	return list
}

// follow opens the updates of a page; done is closed when the handler has returned.
func follow(ctx context.Context, c http.Handler, path string) (w *wire, done chan struct{}) {
	w, done = &wire{header: http.Header{}}, make(chan struct{})
	go func() {
		defer close(done)
		c.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/live/"+path, nil))
	}()
	return w, done
}

// bubble runs a test in a time of its own, with a console that is closed at its end.
func bubble(t *testing.T, opts console.Options, test func(ctx context.Context, t *testing.T, f *fake, c *console.Console)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFake(time.Now)
		opts.Location, opts.Logger = time.UTC, slog.New(slog.DiscardHandler)
		c := console.New(f, &opts)
		test(ctx, t, f, c)
		cancel()
		require.NoError(t, c.Close())
		synctest.Wait() // it ends only when all goroutines have
	})
}

// pass lets time pass, so that what is due happens.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestUpdates: who opens a page gets its sections, and then those which change.
func TestUpdates(t *testing.T) {
	bubble(t, console.Options{}, func(ctx context.Context, t *testing.T, f *fake, c *console.Console) {
		w, _ := follow(ctx, c, "")
		pass(time.Second)
		events := w.take()
		assert.Equal(t, "retry: 3000", events[0])
		assert.Equal(t, "text/event-stream", w.header.Get("Content-Type"))
		first := sections(t, events)
		d := page(t, http.StripPrefix(prefix, c), "", http.StatusOK)
		for _, p := range d.with("data-part", "*") {
			assert.Contains(t, first, p.attrs["data-part"])
		}
		assert.Len(t, first, len(d.with("data-part", "*")))
		pass(time.Second)
		second := sections(t, w.take())
		assert.Contains(t, second, "overview-numbers")
		assert.NotContains(t, second, "overview-parts", "it is as before")
		f.mu.Lock()
		f.states["live/lobby.isml"] = "Started"
		f.mu.Unlock()
		pass(time.Second)
		assert.Contains(t, sections(t, w.take())["overview-points"], `data-point="live/lobby.isml" data-state="Started"`)
	})
}

// TestOneDrawing: a page that many have open is drawn once in an interval, for all of them, and not when nobody has it open.
func TestOneDrawing(t *testing.T) {
	bubble(t, console.Options{Interval: 2 * time.Second}, func(ctx context.Context, t *testing.T, f *fake, c *console.Console) {
		ctx, leave := context.WithCancel(ctx)
		var all []*wire
		for range 20 {
			w, _ := follow(ctx, c, "")
			all = append(all, w)
		}
		synctest.Wait()
		opened := f.looks()
		pass(20 * time.Second)
		assert.Equal(t, 10, f.looks()-opened)
		for _, w := range all {
			assert.Len(t, sections(t, w.take()), 8)
		}
		leave()
		synctest.Wait()
		opened = f.looks()
		pass(time.Minute)
		assert.Equal(t, opened, f.looks())
	})
}

// TestBeat: a stream with nothing to say is kept alive.
func TestBeat(t *testing.T) {
	bubble(t, console.Options{}, func(ctx context.Context, t *testing.T, f *fake, c *console.Console) {
		f.now = func() time.Time { return noon }
		w, _ := follow(ctx, c, "events")
		pass(2 * time.Second)
		w.take()
		pass(44 * time.Second)
		assert.Equal(t, []string{":", ":", ":"}, w.take())
	})
}

// TestGone: the page of a point that has been removed ends; one whose source fails goes on and says so.
func TestGone(t *testing.T) {
	bubble(t, console.Options{}, func(ctx context.Context, t *testing.T, f *fake, c *console.Console) {
		w, done := follow(ctx, c, arena)
		pass(time.Second)
		w.take()
		f.fail(errors.New("open /srv/secret: too many open files"))
		pass(time.Second)
		events := w.take()
		require.Len(t, events, 1)
		assert.True(t, strings.HasPrefix(events[0], "event: trouble\n"))
		assert.NotContains(t, events[0], "secret")
		f.fail(nil)
		pass(time.Second)
		assert.Contains(t, sections(t, w.take()), "point-state")
		f.mu.Lock()
		delete(f.states, "live/arena.isml")
		f.mu.Unlock()
		pass(time.Second)
		events = w.take()
		require.NotEmpty(t, events)
		assert.True(t, strings.HasPrefix(events[len(events)-1], "event: gone\n"))
		<-done
	})
}

// TestMaxStreams: there is a bound of pages that are followed, and those who leave make room.
func TestMaxStreams(t *testing.T) {
	bubble(t, console.Options{MaxStreams: 2}, func(ctx context.Context, t *testing.T, f *fake, c *console.Console) {
		first, leave := context.WithCancel(ctx)
		_, gone := follow(first, c, "events")
		follow(ctx, c, "limits")
		synctest.Wait()
		w, done := follow(ctx, c, "points")
		<-done
		assert.Equal(t, http.StatusServiceUnavailable, w.status)
		assert.Equal(t, "10", w.header.Get("Retry-After"))
		leave()
		<-gone
		w, _ = follow(ctx, c, "points")
		pass(time.Second)
		assert.Contains(t, sections(t, w.take()), "points")
	})
}

// TestSlowBrowser: one that does not read holds up nobody, and gets the newest state when it does.
func TestSlowBrowser(t *testing.T) {
	bubble(t, console.Options{}, func(ctx context.Context, t *testing.T, f *fake, c *console.Console) {
		slow, _ := follow(ctx, c, "points")
		quick, _ := follow(ctx, c, "points")
		pass(time.Second)
		slow.take()
		reading := make(chan struct{})
		slow.mu.Lock()
		slow.stuck = reading
		slow.mu.Unlock()
		pass(9 * time.Second)
		quick.take()
		pass(time.Second)
		assert.NotEmpty(t, sections(t, quick.take()))
		close(reading)
		pass(time.Second)
		assert.Contains(t, sections(t, slow.take()), "points")
	})
}

// TestBrokenBrowser: who cannot be written to is forgotten.
func TestBrokenBrowser(t *testing.T) {
	bubble(t, console.Options{}, func(ctx context.Context, t *testing.T, f *fake, c *console.Console) {
		w, done := follow(ctx, c, "points")
		pass(time.Second)
		w.mu.Lock()
		w.broken = true
		w.mu.Unlock()
		<-done
	})
}

// TestClose: it ends the streams, also those to come, and pages are served as before.
func TestClose(t *testing.T) {
	bubble(t, console.Options{}, func(ctx context.Context, t *testing.T, f *fake, c *console.Console) {
		_, done := follow(ctx, c, "")
		synctest.Wait()
		require.NoError(t, c.Close())
		<-done
		w, done := follow(ctx, c, "")
		<-done
		assert.Equal(t, http.StatusServiceUnavailable, w.status)
		page(t, http.StripPrefix(prefix, c), "", http.StatusOK)
	})
}

// TestStill: what does not change has no updates, and browsers are told not to ask again.
func TestStill(t *testing.T) {
	w := get(newConsole(t, at(noon), nil), "live/presentation?name=sample/sample.ism")
	assert.Equal(t, http.StatusNoContent, w.Code)
}

// TestIncoming: the incoming bit rates of the last hour are kept, also when nobody looks, and those of points that are gone are not.
func TestIncoming(t *testing.T) {
	bubble(t, console.Options{}, func(ctx context.Context, t *testing.T, f *fake, c *console.Console) {
		h := http.StripPrefix(prefix, c)
		assert.Contains(t, page(t, h, arena, http.StatusOK).only(t, "data-chart", "incoming").text, "Nothing measured yet")
		values := func() int {
			x := page(t, h, arena, http.StatusOK).only(t, "data-chart", "incoming").with("data-x", "*")
			require.Len(t, x, 1)
			return len(strings.Split(x[0].attrs["data-x"], " "))
		}
		pass(5 * time.Minute)
		assert.Equal(t, 30, values())
		pass(3 * time.Hour)
		assert.Equal(t, 360, values())
		f.fail(errors.New("busy")) // leaves a hole
		pass(10 * time.Minute)
		f.fail(nil)
		pass(10 * time.Minute)
		line := page(t, h, arena, http.StatusOK).only(t, "data-chart", "incoming").all(func(e *element) bool { return e.attrs["class"] == "line c0" })
		assert.Equal(t, 2, strings.Count(line[0].attrs["d"], "M"))
	})
}
