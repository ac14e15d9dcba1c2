package livesmooth

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func hammerConfig() smoothtest.Config {
	return smoothtest.Config{MaxPayload: 2000, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(1, 2*scale), Levels: []smoothtest.Level{{Bitrate: 900_000}, {Bitrate: 300_000}}},
		{Type: smooth.Audio, Durations: smoothtest.Repeat(1, 2*scale), Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}
}

// TestPointHammer gives every command at once with pushes, viewers and watchers: no call hangs, and nothing is left.
func TestPointHammer(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	spool, err := NewSpool(t.TempDir(), nil)
	require.NoError(t, err)
	srv, err := NewServer(&Options{
		Logger: slog.New(slog.DiscardHandler), MemoryBudget: 20 << 10, Sinks: func(string, *Settings) []Sink { return []Sink{spool} },
	})
	require.NoError(t, err)
	set := DefaultSettings()
	set.AutoStart, set.AutoRestart = true, true
	set.Viewers.WindowLength = 20 * time.Second
	var seen sync.Map
	point := func() *Point {
		p, err := srv.Point("a.isml")
		if err != nil {
			if p, err = srv.Create(ctx, "a.isml", set); err != nil {
				return nil
			}
		}
		if b := p.live.Load(); b != nil {
			seen.Store(b, true)
		}
		return p
	}
	get := func(path string) {
		srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	var work sync.WaitGroup
	run := func(n int, f func(p *Point)) {
		work.Go(func() {
			for range n {
				if p := point(); p != nil {
					f(p)
				}
			}
		})
	}
	run(300, func(p *Point) { _ = p.Start(ctx) })
	run(300, func(p *Point) { _ = p.Stop(ctx) })
	run(100, func(p *Point) { _ = p.Shutdown(ctx) })
	run(100, func(p *Point) { _ = p.SetSettings(ctx, set) })
	run(30, func(p *Point) { _ = srv.Remove(ctx, p.Name()) })
	for range 3 {
		run(100, func(p *Point) {
			_ = p.Push(ctx, PushInfo{Input: "1"}, io.NopCloser(smoothtest.NewEncoder(hammerConfig()).Body(30*time.Second)))
		})
	}
	run(200, func(p *Point) { get("/a.isml/Manifest") })
	run(200, func(p *Point) {
		s, err := p.Snapshot(ctx)
		if err != nil {
			return
		}
		for _, c := range s.Manifest.Streams[0].Timeline {
			f, err := p.Fragment(ctx, smooth.FragmentKey{Stream: "video", Bitrate: 900_000, Time: c.Time})
			if err == nil {
				_, _ = f.WriteTo(io.Discard)
				f.Close()
			}
		}
		p.Stats()
	})
	watching, look := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() {
		for watching.Err() == nil {
			if p := point(); p != nil {
				for range p.Watch(watching) {
				}
			}
		}
	})
	ended := make(chan struct{})
	go func() { defer close(ended); work.Wait() }()
	select {
	case <-ended:
	case <-ctx.Done():
		b := make([]byte, 1<<20)
		t.Fatalf("hangs:\n%s", b[:runtime.Stack(b, true)])
	}
	look()
	watchers.Wait()
	last := point()
	require.NoError(t, srv.Close())
	_ = last.Stop(ctx)
	require.NoError(t, last.Shutdown(ctx))
	assert.Equal(t, Idle, last.State())
	require.NoError(t, spool.Close())
	seen.Range(func(b, _ any) bool {
		assert.Zero(t, b.(*broadcast).pool.used.Load())
		return true
	})
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, 5*time.Second, 10*time.Millisecond)
}

// TestPointClosed gives commands while the server is closed, and after.
func TestPointClosed(t *testing.T) {
	for range 50 {
		srv, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		p, err := srv.Create(ctx, "a.isml", nil)
		require.NoError(t, err)
		require.NoError(t, p.Start(ctx))
		var work sync.WaitGroup
		work.Go(func() { srv.Close() })
		work.Go(func() { _ = p.Stop(ctx) })
		work.Go(func() { _ = p.Shutdown(ctx) })
		work.Go(func() {
			_ = p.Push(ctx, PushInfo{Input: "1"}, smoothtest.NewEncoder(hammerConfig()).Body(4*time.Second))
		})
		work.Wait()
		require.NoError(t, ctx.Err(), "nobody hangs")
		assert.Equal(t, Idle, p.State())
		assert.ErrorIs(t, p.Start(ctx), ErrNoPoint)
		cancel()
	}
}

// TestPointProbe sends a body without anything, in chunks: it is a probe, too, and does not start or restart the point.
func TestPointProbe(t *testing.T) {
	set := DefaultSettings()
	set.AutoStart, set.AutoRestart = true, true
	srv, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler), Points: map[string]*Settings{"a.isml": set}})
	require.NoError(t, err)
	defer srv.Close()
	p, err := srv.Point("a.isml")
	require.NoError(t, err)
	post := func(body string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/a.isml/Streams(1)", io.NopCloser(strings.NewReader(body)))
		r.ContentLength = -1
		srv.ServeHTTP(w, r)
		return w.Code
	}
	assert.Equal(t, 200, post(""))
	assert.Equal(t, Idle, p.State())
	require.NoError(t, p.Push(t.Context(), PushInfo{Input: "1"}, smoothtest.NewEncoder(hammerConfig()).Body(20*time.Second)))
	require.NoError(t, p.await(t.Context(), func(s State) bool { return s == Stopped }))
	assert.Equal(t, 200, post(""))
	assert.Equal(t, 400, post("GET / HTTP/1.1\r\n\r\n"))
	assert.Equal(t, Stopped, p.State(), "noise does not restart it, either")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Len(t, s.Manifest.Streams, 2)
}

// TestPointFault has a fault of ours while a fragment is taken: the event has failed, viewers keep what there is, and the
// operator can start anew. One in the reading of a body is the end of that push alone.
func TestPointFault(t *testing.T) {
	srv, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer srv.Close()
	p, err := srv.Create(t.Context(), "a.isml", nil)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context()))
	e := smoothtest.NewEncoder(hammerConfig())
	start := append(e.Header(), e.Until(20*time.Second)...)
	require.NoError(t, p.Push(t.Context(), PushInfo{Input: "1"}, bytes.NewReader(start)))
	err = p.Push(t.Context(), PushInfo{Input: "1"}, io.MultiReader(bytes.NewReader(start[:100]), panicReader{}))
	require.ErrorContains(t, err, "no memory")
	assert.Equal(t, 500, StatusOf(err))
	assert.Equal(t, Started, p.State())
	p.live.Load().begun = func() { panic("no state") }
	err = p.Push(t.Context(), PushInfo{Input: "1"}, bytes.NewReader(start))
	require.ErrorContains(t, err, "no state")
	assert.Equal(t, Faulted, p.State())
	assert.ErrorContains(t, p.LastError(), "no state")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, s.Manifest.Streams[0].Timeline)
	old := p.live.Load()
	require.NoError(t, p.Start(t.Context()))
	assert.NoError(t, p.LastError())
	require.NoError(t, p.Push(t.Context(), PushInfo{Input: "1"}, bytes.NewReader(start)))
	require.NoError(t, p.Shutdown(t.Context()))
	p.work.Wait()
	assert.Zero(t, old.pool.used.Load())
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("no memory") }

// TestPointEventState reads the state that events tell.
func TestPointEventState(t *testing.T) {
	srv, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler), Points: map[string]*Settings{"a.isml": nil}})
	require.NoError(t, err)
	defer srv.Close()
	p, err := srv.Point("a.isml")
	require.NoError(t, err)
	events := p.Watch(t.Context())
	require.NoError(t, p.Start(t.Context()))
	require.NoError(t, p.Push(t.Context(), PushInfo{Input: "1"}, smoothtest.NewEncoder(hammerConfig()).Body(20*time.Second)))
	require.NoError(t, p.await(t.Context(), func(s State) bool { return s == Stopped }))
	require.NoError(t, p.Shutdown(t.Context()))
	state := Idle
	for e := range events {
		if e.Kind == StateChanged {
			state = e.State
		}
		assert.Equal(t, state, e.State, "%v", e.Kind)
		if state == Idle {
			break
		}
	}
}
