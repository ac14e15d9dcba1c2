package e2e_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// station is a server with one publishing point, wired as examples/mediaserver does.
type station struct {
	*livesmooth.Point
	server *livesmooth.Server
	http   *httptest.Server
	url    string // of the point, with a slash at the end
}

// stationOptions say how a station differs from the usual.
type stationOptions struct {
	settings func(*livesmooth.Settings)
	budget   int64           // bytes of memory
	sink     livesmooth.Sink // instead of a spool
}

const liveWindow = time.Minute

// startStation starts a station. Segments of HLS last four seconds, so that players begin soon.
func startStation(t *testing.T, o stationOptions) *station {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	spool, err := livesmooth.NewSpool(t.TempDir(), &livesmooth.SpoolOptions{Logger: log})
	require.NoError(t, err)
	sinks := []livesmooth.Sink{spool}
	if o.sink != nil {
		sinks = []livesmooth.Sink{o.sink}
	}
	output := hls.NewOutput(&hls.Options{Logger: log, SegmentDuration: 4 * time.Second})
	s := &station{}
	s.server, err = livesmooth.NewServer(&livesmooth.Options{
		Logger: log, MemoryBudget: o.budget,
		Viewers: &smooth.HandlerOptions{Logger: log, Outputs: []smooth.Output{output}},
		Sinks:   func(string, *livesmooth.Settings) []livesmooth.Sink { return sinks },
	})
	require.NoError(t, err)
	settings := livesmooth.DefaultSettings()
	settings.AutoStart = true
	settings.Viewers.WindowLength = liveWindow
	if o.settings != nil {
		o.settings(settings)
	}
	const name = "live/event.isml"
	s.Point, err = s.server.Create(t.Context(), name, settings)
	require.NoError(t, err)
	s.http = httptest.NewServer(s.server)
	s.url = s.http.URL + "/" + name + "/"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, s.server.Shutdown(ctx))
		s.http.CloseClientConnections() // of edges, and of players that are still closing
		s.http.Close()
		require.NoError(t, spool.Close())
		require.NoError(t, output.Close())
	})
	return s
}

// waitListed waits until the window, of which viewers see what is listed, is that long.
func (s *station) waitListed(t *testing.T, window time.Duration) {
	t.Helper()
	const limit = 2 * time.Minute
	start := time.Now()
	for listed(t, s.Point) < window {
		if time.Since(start) > limit {
			require.FailNow(t, "no window", "of %v within %v: %+v", window, limit, s.Stats())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// listed returns how much all streams of a presentation list.
func listed(t *testing.T, p smooth.Presentation) time.Duration {
	t.Helper()
	snap, err := p.Snapshot(t.Context())
	if err != nil || len(snap.Manifest.Streams) == 0 {
		return 0
	}
	shortest := time.Duration(1<<63 - 1)
	for _, st := range snap.Manifest.Streams {
		if len(st.Timeline) == 0 {
			return 0
		}
		shortest = min(shortest, time.Duration(st.Timeline.End()-st.Timeline[0].Time)*100)
	}
	return shortest
}

// waitState waits until the point has a state.
func (s *station) waitState(t *testing.T, want livesmooth.State) {
	t.Helper()
	for range 100 {
		if s.State() == want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	require.FailNow(t, "wrong state", "%v instead of %v", s.State(), want)
}

// events collects what happens to the point from now on. The result returns it.
func (s *station) events(t *testing.T) func() []livesmooth.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var mu sync.Mutex
	var list []livesmooth.Event
	watch := s.Watch(ctx)
	go func() {
		for e := range watch {
			mu.Lock()
			list = append(list, e)
			mu.Unlock()
		}
	}()
	return func() []livesmooth.Event {
		mu.Lock()
		defer mu.Unlock()
		return append([]livesmooth.Event(nil), list...)
	}
}
