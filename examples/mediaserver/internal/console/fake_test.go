package console_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
)

// noon is when tests look at the console.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// fake is a server with everything, whose values depend on the time only.
type fake struct {
	now   func() time.Time
	names []string // of presentations
	parts console.Parts

	mu       sync.Mutex // guards the fields below
	states   map[string]string
	commands []string
	err      error // of everything
	asked    int   // for the overview
}

func newFake(now func() time.Time) *fake {
	f := &fake{
		now: now, states: map[string]string{"live/arena.isml": "Started", "live/lobby.isml": "Starting", "live/studio.isml": "Idle"},
		parts: console.Parts{Points: true, Throttle: true, Limits: true, Edge: true, Playlists: true, Archive: true},
	}
	for i := range 250 {
		f.names = append(f.names, fmt.Sprintf("films/%03d/film-%03d.ism", i/50, i))
	}
	f.names = append(f.names, "sample/sample.ism")
	return f
}

func at(t time.Time) *fake { return newFake(func() time.Time { return t }) }

func (f *fake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// looks returns how often somebody asked for the overview.
func (f *fake) looks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fake) state(name string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.states[name]
	if !ok {
		return "", fmt.Errorf("point %s: %w", name, console.ErrNotFound)
	}
	return s, f.err
}

func (f *fake) failing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// wave is a number that goes up and down around middle.
func wave(t time.Time, period time.Duration, middle float64) float64 {
	phase := 2 * math.Pi * float64(t.UnixMilli()) / float64(period.Milliseconds())
	return middle * (1 + .3*math.Sin(phase) + .1*math.Sin(phase*7.3))
}

func (f *fake) Parts() console.Parts { return f.parts }

func (f *fake) Overview(ctx context.Context) (*console.Overview, error) {
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	if err := f.failing(); err != nil {
		return nil, err
	}
	now := f.now()
	o := &console.Overview{
		Started: now.Add(-76 * time.Hour), Viewers: int(wave(now, 20*time.Minute, 1240)), Out: wave(now, 15*time.Minute, 3.4e9), In: wave(now, time.Minute, 9.2e6),
		Listeners: []console.Listener{
			{Address: "0.0.0.0:443", Name: "https", Listening: true, Origin: "taken over", Since: now.Add(-3 * time.Hour)},
			{Address: "0.0.0.0:80", Name: "http", Error: "address 0.0.0.0:80 is taken by nginx (pid 123)", Remedy: "Stop it, give it another port, or choose another address.", Attempts: 17, Since: now.Add(-3 * time.Hour)},
		},
		Alarms: []console.Alarm{
			{Severity: console.Failure, Subject: "live/arena.isml", Text: "is not being recorded: the disk is full. Recording goes on by itself when that is over.", Since: now.Add(-10 * time.Minute)},
			{Severity: console.Warning, Subject: "origin-2", Text: "is down; its requests go to the others."},
		},
		Config: &console.Config{File: "mediaserver.yaml", Loaded: now.Add(-3 * time.Hour), Error: `line 12: unknown key "viewrs"`, Warnings: []string{"line 40: a limit of 0 means none"}},
	}
	start := now.Truncate(10 * time.Second).Add(-time.Hour)
	for i := range 361 {
		t := start.Add(time.Duration(i) * 10 * time.Second)
		o.History = append(o.History, console.Sample{At: t, Out: wave(t, 15*time.Minute, 3.4e9), Viewers: int(wave(t, 20*time.Minute, 1240))})
	}
	o.Points, _ = f.Points(ctx)
	o.Throttle, _ = f.Throttle(ctx)
	o.Limits, _ = f.Limits(ctx)
	o.Edge, _ = f.Edge(ctx)
	o.Playlists, _ = f.Playlists(ctx)
	o.Archive, _ = f.Archive(ctx)
	o.Events, _ = f.Events(ctx, 20)
	return o, nil
}

func (f *fake) Presentations(_ context.Context, q console.ListQuery) (*console.PresentationList, error) {
	if err := f.failing(); err != nil {
		return nil, err
	}
	var found []string
	for _, n := range f.names {
		if strings.Contains(strings.ToLower(n), strings.ToLower(q.Search)) {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	if q.Descending {
		slices.Reverse(found)
	}
	list := &console.PresentationList{Total: len(found)}
	for _, n := range found[min(q.Offset, len(found)):min(q.Offset+q.Limit, len(found))] {
		list.Items = append(list.Items, console.PresentationItem{
			Name: n, Duration: 5025 * time.Second, Bitrates: []uint64{3_000_000, 1_500_000, 700_000, 350_000}, Languages: []string{"en", "de"},
			Modified: noon.Add(-100 * time.Hour), Live: strings.HasSuffix(n, ".isml"),
		})
	}
	return list, nil
}

func (f *fake) Presentation(_ context.Context, name string) (*console.Presentation, error) {
	live := strings.HasSuffix(name, ".isml")
	if !live && !slices.Contains(f.names, name) {
		return nil, fmt.Errorf("open %s: %w", name, console.ErrNotFound)
	}
	if err := f.failing(); err != nil {
		return nil, err
	}
	p := &console.Presentation{
		Name: name, Live: live, Duration: 5024 * time.Second, Modified: noon.Add(-100 * time.Hour),
		Outputs: []console.Output{
			{Label: "Smooth", Format: "smooth", Engine: "built-in", URL: name + "/Manifest"},
			{Label: "HLS", Format: "hls", Engine: "hls", URL: name + "/Manifest(format=m3u8-aapl).m3u8"},
			{Label: "HLS, fMP4", Format: "hls-fmp4", Engine: "hls", URL: name + "/Manifest(format=m3u8-cmaf).m3u8"},
			{Label: "HLS in the browser", Format: "hls", Engine: "native", URL: name + "/Manifest(format=m3u8-aapl).m3u8"},
			{Label: "Client manifest, old", URL: name + "/Manifest?old"},
		},
	}
	video := console.Stream{Name: "video", Type: "video", Gaps: []console.Span{{Start: 1200, End: 1206}}}
	for i, rate := range []uint64{3_000_000, 1_500_000, 700_000, 350_000} {
		video.Levels = append(video.Levels, console.Level{Bitrate: rate, Codec: "avc1.64001F", Width: 1920 >> i, Height: 1080 >> i, Points: fragments(2512, 2, float64(rate))})
	}
	p.Streams = append(p.Streams, video)
	for _, l := range []string{"en", "de"} {
		p.Streams = append(p.Streams, console.Stream{Name: "audio_" + l, Type: "audio", Language: l, Levels: []console.Level{
			{Bitrate: 128_000, Codec: "mp4a.40.2", SampleRate: 48000, Channels: 2, Points: fragments(2512, 2, 128_000)},
		}})
	}
	return p, nil
}

// fragments are so many of so many seconds each, without those of the gap at 1,200 seconds.
func fragments(n int, seconds, rate float64) []console.FragmentPoint {
	var list []console.FragmentPoint
	for i := range n {
		start := float64(i) * seconds
		if start >= 1200 && start < 1206 {
			continue
		}
		list = append(list, console.FragmentPoint{
			Start: start, Duration: seconds, BitsPerSecond: rate * (1 + .25*math.Sin(float64(i)/9) + .15*math.Sin(float64(i)*2.1)),
		})
	}
	return list
}

func (f *fake) Points(ctx context.Context) ([]console.Point, error) {
	f.mu.Lock()
	var names []string
	for n := range f.states {
		names = append(names, n)
	}
	f.mu.Unlock()
	slices.Sort(names)
	var list []console.Point
	for _, n := range names {
		p, err := f.Point(ctx, n)
		if err != nil {
			return nil, err
		}
		list = append(list, *p)
	}
	return list, nil
}

func (f *fake) Point(ctx context.Context, name string) (*console.Point, error) {
	state, err := f.state(name)
	if err != nil {
		return nil, err
	}
	now := f.now()
	p := &console.Point{Name: name, State: state, Source: "Push", MemoryBudget: 256 << 20, PushURL: name + "/Streams(enc1)", Archived: true}
	if state != "Started" {
		return p, nil
	}
	p.Title, p.EventID, p.Started = "The arena, main camera", "2026-03-14-final", now.Add(-95*time.Minute)
	p.Viewers, p.In = int(wave(now, 20*time.Minute, 1240)), wave(now, time.Minute, 9.2e6)
	p.Window, p.WindowLimit, p.Memory = 95*time.Minute, 2*time.Hour, 201<<20
	p.Encoders = []console.Encoder{{Input: "enc1", Kind: "HTTP Push", Address: "192.0.2.17", Since: now.Add(-95 * time.Minute), In: p.In, Bytes: 6_500_000_000}}
	for _, rate := range []uint64{3_000_000, 1_500_000, 128_000} {
		p.Tracks = append(p.Tracks, console.Track{Input: "enc1", Name: "video", Bitrate: rate, In: float64(rate) * 1.02, Received: 2850, Gaps: rate / 3_000_000, Last: 95 * time.Minute})
	}
	p.Sinks = []console.Sink{{Name: "Archive", Failing: true, Reason: "the disk is full", Queued: 12, Dropped: 240, Durable: 85 * time.Minute}, {Name: "HTTP Push", Durable: 95 * time.Minute}}
	p.Events, _ = f.Events(ctx, 6)
	return p, nil
}

func (f *fake) Command(_ context.Context, point string, c console.Command) error {
	state, err := f.state(point)
	if err != nil {
		return err
	}
	next := map[console.Command]string{console.Start: "Starting", console.Stop: "Stopped", console.Shutdown: "Idle"}[c]
	if c == console.Stop && state == "Idle" {
		return fmt.Errorf("stop %s: %w", point, console.ErrState)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.states[point] = next
	f.commands = append(f.commands, string(c)+" "+point)
	return nil
}

func (f *fake) done() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.commands)
}

func (f *fake) Throttle(context.Context) (*console.Throttle, error) {
	if !f.parts.Throttle {
		return nil, nil
	}
	return &console.Throttle{
		Active: 42, Sessions: 61, Responses: 10431, Unthrottled: 12, Aborted: 811, Refused: 7, BurstBytes: 12e9, SteadyBytes: 431e9, SavedBytes: 97e9,
		Waited: 51 * time.Hour, Detected: 320, Undetected: 4, Groups: []console.Group{{Name: "VideoFiles", Now: 42, Limit: 1000}},
		Containers: []console.Count{{Name: "mp4", N: 280}, {Name: "asf", N: 40}},
	}, f.failing()
}

func (f *fake) Limits(context.Context) (*console.Limits, error) {
	if !f.parts.Limits {
		return nil, nil
	}
	return &console.Limits{
		Since: f.now().Add(-76 * time.Hour), Players: console.Load{Now: 1240, Peak: 4321, Limit: 5000, Bandwidth: 3.4e9, BandwidthLimit: 1e10, Bytes: 91e12},
		Sessions: 1300, Admitted: 81234, Ended: 79994, Denied: []console.Count{{Name: "players", N: 102}, {Name: "connection-rate", N: 17}},
		Points: []console.PointLoad{{Path: "/live/arena.isml", Load: console.Load{Now: 1100, Peak: 2000, Limit: 2000}}},
		Groups: []console.Group{{Name: "VideoFiles", Now: 42, Peak: 99, Limit: 1000}},
		Files:  []console.FileLoad{{Name: "/live/arena.isml", Viewers: 1100}, {Name: "/sample/sample.ism", Viewers: 17}},
	}, f.failing()
}

func (f *fake) Edge(context.Context) (*console.Edge, error) {
	if !f.parts.Edge {
		return nil, nil
	}
	return &console.Edge{
		Results:  []console.Count{{Name: "hit", N: 981234}, {Name: "coalesced", N: 7120}, {Name: "miss", N: 20111}, {Name: "stale", N: 4}},
		HitRatio: .973, Sent: 91e12, Fetched: 2e12, Memory: &console.Store{Objects: 8123, Used: 480e6, Budget: 512e6}, Disk: &console.Store{Objects: 91230, Used: 61e9, Budget: 200e9},
		Upstreams: []console.Upstream{{Name: "http://origin-1.example", Healthy: true, Requests: 20111}, {Name: "http://origin-2.example", Backup: true, Error: "no answer within 5 s", At: f.now(), Requests: 9, Failures: 3}},
		Fetching:  3,
	}, f.failing()
}

func (f *fake) Playlists(context.Context) (*console.Playlists, error) {
	if !f.parts.Playlists {
		return nil, nil
	}
	return &console.Playlists{Sessions: 17, Items: []console.PlaylistItem{{Name: "shows/evening.isx", URL: "shows/evening.isx?format=html", Sessions: 17}}}, f.failing()
}

func (f *fake) Archive(context.Context) (*console.Archive, error) {
	if !f.parts.Archive {
		return nil, nil
	}
	return &console.Archive{Recording: 1, Used: 812e9, Free: 1.2e12, Events: []console.Recording{
		{Name: "archive/live/arena.isml/2026-03-14", Started: f.now().Add(-95 * time.Minute), Duration: 85 * time.Minute, Bytes: 6e9, Live: true, Failing: true},
		{Name: "archive/live/arena.isml/2026-03-07", Started: f.now().Add(-170 * time.Hour), Duration: 3 * time.Hour, Bytes: 12e9},
	}}, f.failing()
}

func (f *fake) Events(_ context.Context, n int) ([]console.Event, error) {
	kinds := []console.Event{
		{Kind: "encoder connected", Subject: "live/arena.isml", Text: "192.0.2.17 sends enc1"},
		{Kind: "archive failed", Severity: console.Failure, Subject: "live/arena.isml", Text: "the disk is full"},
		{Kind: "limit hit", Severity: console.Warning, Subject: "players", Text: "the server has as many viewers as it may have", Count: 102},
		{Kind: "configuration", Subject: "mediaserver.yaml", Text: "in force"},
	}
	var list []console.Event
	for i := range min(n, 40) {
		e := kinds[i%len(kinds)]
		e.At = f.now().Truncate(10 * time.Second).Add(-time.Duration(i) * 7 * time.Minute)
		list = append(list, e)
	}
	return list, f.failing()
}
