package livesmooth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// bench is a server behind HTTP.
type bench struct {
	*livesmooth.Server
	t   *testing.T
	url string
}

func newBench(t *testing.T, opts livesmooth.Options) *bench {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := livesmooth.NewServer(&opts)
	require.NoError(t, err)
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		web.Close()
	})
	return &bench{s, t, web.URL + "/"}
}

// point makes a started point.
func (b *bench) point(name string, change func(*livesmooth.Settings)) *livesmooth.Point {
	b.t.Helper()
	set := livesmooth.DefaultSettings()
	if change != nil {
		change(set)
	}
	p, err := b.Create(context.Background(), name, set)
	require.NoError(b.t, err)
	require.NoError(b.t, p.Start(context.Background()))
	return p
}

// config is what the encoders of these tests send: two levels and sound in fragments of two seconds.
func config() smoothtest.Config {
	const second = smooth.DefaultTimescale
	return smoothtest.Config{MaxPayload: 2000, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(1, 2*second), Levels: []smoothtest.Level{{Bitrate: 900_000}, {Bitrate: 300_000}}},
		{Type: smooth.Audio, Durations: smoothtest.Repeat(1, 2*second), Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}
}

// do sends a request and returns the answer with its body.
func (b *bench) do(method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.url+path, body)
	require.NoError(b.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(b.t, err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	require.NoError(b.t, err)
	return answer, string(data)
}

func TestServerPush(t *testing.T) {
	b := newBench(t, livesmooth.Options{})
	p := b.point("live/a.isml", nil)
	answer, _ := b.do("POST", "live/a.isml/Streams(1)", nil)
	assert.Equal(t, 200, answer.StatusCode, "a probe")
	assert.Equal(t, livesmooth.Starting, p.State())
	answer, _ = b.do("GET", "live/a.isml/Manifest", nil)
	assert.Equal(t, 412, answer.StatusCode, "no streams yet")

	answer, body := b.do("POST", "live/A.isml/streams(1)", smoothtest.NewEncoder(config()).Body(20*time.Second))
	require.Equal(t, 200, answer.StatusCode, body)
	require.Eventually(t, func() bool { return p.State() == livesmooth.Stopped }, 5*time.Second, time.Millisecond, "its end has come")
	report, err := validate.Handler(context.Background(), b.Server, "/live/a.isml", nil)
	require.NoError(t, err)
	assert.Empty(t, report.Violations)
	assert.Equal(t, 30, report.Checked.Fragments)

	answer, _ = b.do("POST", "live/a.isml/Streams(1)", smoothtest.NewEncoder(config()).Body(20*time.Second))
	assert.Equal(t, 403, answer.StatusCode, "stopped")
	stats := p.Stats()
	require.Len(t, stats.Inputs, 1)
	require.Len(t, stats.Inputs[0].Tracks, 3)
	assert.EqualValues(t, 10, stats.Inputs[0].Tracks[0].Received)
	require.NoError(t, p.Shutdown(context.Background()))
	assert.Equal(t, livesmooth.Idle, p.State())
	answer, _ = b.do("GET", "live/a.isml/Manifest", nil)
	assert.Equal(t, 404, answer.StatusCode)
	assert.Zero(t, p.Stats().Memory)
}

// TestServerLive follows an event with the validator's eyes while it goes on.
func TestServerLive(t *testing.T) {
	b := newBench(t, livesmooth.Options{})
	p := b.point("a.isml", func(s *livesmooth.Settings) { s.Viewers.WindowLength = 30 * time.Second })
	r, w := io.Pipe()
	done := make(chan error)
	go func() { done <- p.Push(context.Background(), livesmooth.PushInfo{Input: "1"}, r) }()
	e := smoothtest.NewEncoder(config())
	send := func(data []byte) {
		_, err := w.Write(data)
		require.NoError(t, err)
	}
	send(e.Header())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for i := range 40 {
		send(e.Until(time.Duration(2*(i+1)) * time.Second))
		if i < 2 {
			continue
		}
		k := smooth.FragmentKey{Stream: "audio", Bitrate: 96_000, Time: uint64(i-2) * 2 * smooth.DefaultTimescale}
		require.NoError(t, p.Wait(ctx, k))
		f, err := p.Fragment(ctx, k)
		require.NoError(t, err)
		require.False(t, f.Early)
		f.Close()
	}
	s, err := p.Snapshot(ctx)
	require.NoError(t, err)
	assert.Len(t, s.Manifest.Streams[0].Timeline, 15)
	answer, body := b.do("GET", "a.isml/Manifest", nil)
	assert.Equal(t, 200, answer.StatusCode)
	assert.Contains(t, body, `IsLive="TRUE"`)
	assert.Contains(t, body, `DVRWindowLength="300000000"`)
	assert.Equal(t, "public, max-age=1", answer.Header.Get("Cache-Control"))
	answer, body = b.do("GET", "a.isml/QualityLevels(96000)/Fragments(audio=780000000)", nil)
	assert.Equal(t, 412, answer.StatusCode)
	assert.Empty(t, body)
	assert.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
	answer, _ = b.do("GET", "a.isml/QualityLevels(96000)/Fragments(audio=760000000)", nil)
	assert.Equal(t, 412, answer.StatusCode, "received, not announced")
	answer, _ = b.do("GET", "a.isml/QualityLevels(96000)/Fragments(audio=740000000)", nil)
	assert.Equal(t, 200, answer.StatusCode)
	answer, _ = b.do("GET", "a.isml/QualityLevels(96000)/Fragments(audio=0)", nil)
	assert.Equal(t, 404, answer.StatusCode, "left the window")
	require.NoError(t, p.Stop(ctx))
	require.ErrorIs(t, <-done, livesmooth.ErrEnding)
	s, err = p.Snapshot(ctx)
	require.NoError(t, err)
	assert.True(t, s.Ended)
	require.NoError(t, w.Close())
}

// TestServerRefuses sends what cannot be taken, and gets its answer though the body never ends.
func TestServerRefuses(t *testing.T) {
	b := newBench(t, livesmooth.Options{
		AuthorizeEncoder: func(r *http.Request, push livesmooth.PushInfo) error {
			switch _, password, ok := r.BasicAuth(); {
			case push.Input == "open":
				return nil
			case !ok:
				return livesmooth.ErrUnauthorized
			case password != "right":
				return errors.New("wrong password")
			}
			return nil
		},
	})
	b.point("a.isml", nil)
	idle, err := b.Create(context.Background(), "idle.isml", nil)
	require.NoError(t, err)
	header := smoothtest.NewEncoder(config()).Header()
	noise := bytes.Repeat([]byte{1, 2, 3, 4}, 1000)
	tests := []struct {
		name, path string
		body       []byte
		headers    []string
		status     int
	}{
		{"no point", "b.isml/Streams(open)", header, nil, 404},
		{"idle", "idle.isml/Streams(open)", header, nil, 403},
		{"no credentials", "a.isml/Streams(1)", header, nil, 401},
		{"wrong credentials", "a.isml/Streams(1)", header, []string{"Authorization", "Basic YTpi"}, 403},
		{"noise", "a.isml/Streams(open)", noise, nil, 400},
		{"no header", "a.isml/Streams(open)", smoothtest.NewEncoder(config()).Until(4 * time.Second), nil, 412},
		{"box without size", "a.isml/Streams(open)", append(bytes.Clone(header), 0, 0, 0, 0, 'm', 'd', 'a', 't'), nil, 400},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			body, more := io.Pipe()
			defer more.Close()
			go func() { _, _ = more.Write(c.body) }() // and nothing after it
			answer, text := b.do("POST", c.path, body, c.headers...)
			assert.Equal(t, c.status, answer.StatusCode, text)
			assert.True(t, answer.Close, "the connection is closed")
			if c.status == 401 {
				assert.Equal(t, `Basic realm="encoder"`, answer.Header.Get("WWW-Authenticate"))
			}
		})
	}
	assert.Equal(t, livesmooth.Idle, idle.State())
	answer, _ := b.do("POST", "a.isml/Streams(1)", nil)
	assert.Equal(t, 401, answer.StatusCode, "a probe meets the hook, too")
	answer, _ = b.do("DELETE", "a.isml/Streams(open)", nil)
	assert.Equal(t, 404, answer.StatusCode)
}

func TestServerTimeouts(t *testing.T) {
	b := newBench(t, livesmooth.Options{Limits: livesmooth.Limits{
		HeaderTimeout: 50 * time.Millisecond, IdleTimeout: 100 * time.Millisecond, FragmentTimeout: 50 * time.Millisecond,
	}})
	p := b.point("a.isml", nil)
	e := smoothtest.NewEncoder(config())
	header, fragments := e.Header(), e.Until(2*time.Second)
	for name, start := range map[string][]byte{
		"header": header[:len(header)-1], "fragment": append(bytes.Clone(header), fragments[:len(fragments)-1]...), "silence": append(bytes.Clone(header), fragments...),
	} {
		t.Run(name, func(t *testing.T) {
			body, more := io.Pipe()
			defer more.Close()
			go func() { _, _ = more.Write(start) }()
			answer, _ := b.do("POST", "a.isml/Streams(1)", body)
			assert.Equal(t, 408, answer.StatusCode)
		})
	}
	assert.Equal(t, livesmooth.Started, p.State(), "an encoder that breaks off does not end the event")
}

func TestServerViewers(t *testing.T) {
	b := newBench(t, livesmooth.Options{Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(299) })})
	set := livesmooth.DefaultSettings()
	set.AutoStart = true
	p, err := b.Create(context.Background(), "a.isml", set)
	require.NoError(t, err)
	answer, _ := b.do("GET", "film.ism/Manifest", nil)
	assert.Equal(t, 299, answer.StatusCode)
	answer, _ = b.do("GET", "none.isml/Manifest", nil)
	assert.Equal(t, 299, answer.StatusCode)
	assert.Equal(t, livesmooth.Idle, p.State())
	answer, _ = b.do("GET", "a.isml/Manifest", nil)
	assert.Equal(t, 412, answer.StatusCode)
	assert.Equal(t, livesmooth.Starting, p.State(), "the first request starts it")
	assert.Equal(t, 1, p.Stats().Viewers)
	answer, _ = b.do("GET", "a.isml/nothing", nil)
	assert.Equal(t, 404, answer.StatusCode)
	require.NoError(t, p.Shutdown(context.Background()))
	set.Viewers.Enabled, set.AutoStart = false, false
	require.NoError(t, p.SetSettings(context.Background(), set))
	answer, _ = b.do("GET", "a.isml/Manifest", nil)
	assert.Equal(t, 403, answer.StatusCode)
	require.NoError(t, p.Start(context.Background()))
	assert.ErrorIs(t, p.SetSettings(context.Background(), set), livesmooth.ErrInUse)
}

func TestServerRestart(t *testing.T) {
	b := newBench(t, livesmooth.Options{})
	set := livesmooth.DefaultSettings()
	set.AutoStart, set.AutoRestart = true, true
	p, err := b.Create(context.Background(), "a.isml", set)
	require.NoError(t, err)
	for range 3 {
		answer, body := b.do("POST", "a.isml/Streams(1)", smoothtest.NewEncoder(config()).Body(20*time.Second))
		require.Equal(t, 200, answer.StatusCode, body)
		require.Eventually(t, func() bool { return p.State() == livesmooth.Stopped }, 5*time.Second, time.Millisecond)
		s, err := p.Snapshot(context.Background())
		require.NoError(t, err)
		assert.Len(t, s.Manifest.Streams[0].Timeline, 10)
	}
}

func TestServerPoints(t *testing.T) {
	ctx := context.Background()
	b := newBench(t, livesmooth.Options{})
	_, err := b.Create(ctx, "a.ism", nil)
	assert.ErrorIs(t, err, livesmooth.ErrName)
	_, err = b.Create(ctx, "../a.isml", nil)
	assert.ErrorIs(t, err, livesmooth.ErrName)
	_, err = b.Create(ctx, "b/a.isml", nil)
	require.NoError(t, err)
	_, err = b.Create(ctx, "B/a.isml", nil)
	assert.ErrorIs(t, err, livesmooth.ErrExists)
	_, err = b.Create(ctx, "c.isml", &livesmooth.Settings{Lookahead: 99})
	assert.ErrorIs(t, err, livesmooth.ErrSettings)
	_, err = b.Create(ctx, "a.isml", nil)
	require.NoError(t, err)
	var names []string
	require.NoError(t, b.List(ctx, func(info smooth.Info) bool { names = append(names, info.Name); return info.Live }))
	assert.Equal(t, "a.isml b/a.isml", strings.Join(names, " "))
	p, err := b.Point("B/A.ISML")
	require.NoError(t, err)
	watched := make(chan livesmooth.Event, 10)
	stopped := make(chan struct{})
	seq := p.Watch(ctx)
	go func() {
		defer close(stopped)
		for e := range seq {
			watched <- e
		}
	}()
	require.NoError(t, p.Start(ctx))
	require.NoError(t, b.Remove(ctx, "b/a.isml"))
	<-stopped
	close(watched)
	var states []string
	for e := range watched {
		states = append(states, e.State.String())
	}
	assert.Equal(t, []string{"Starting", "ShuttingDown", "Idle"}, states)
	_, err = b.Open(ctx, "b/a.isml")
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.ErrorIs(t, b.Remove(ctx, "b/a.isml"), livesmooth.ErrNoPoint)
	assert.ErrorIs(t, p.Start(ctx), livesmooth.ErrNoPoint)
}

// TestServerCreate puts definitions as the push encoder of IIS did.
func TestServerCreate(t *testing.T) {
	definition := `<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head><meta name="title" content="Regatta"/>` +
		`<meta name="startOnFirstRequest" content="true"/></head><body/></smil>`
	put := func(b *bench, path, text string) int {
		answer, _ := b.do("PUT", path, strings.NewReader(text))
		return answer.StatusCode
	}
	b := newBench(t, livesmooth.Options{})
	assert.Equal(t, 403, put(b, "a.isml", definition), "nobody may by default")
	root := t.TempDir()
	b = newBench(t, livesmooth.Options{Root: root, AuthorizeCreate: func(r *http.Request, point string) error {
		if strings.HasPrefix(strings.ToLower(point), "live/") {
			return nil
		}
		return errors.New("elsewhere")
	}})
	assert.Equal(t, 403, put(b, "a.isml", definition))
	assert.Equal(t, 400, put(b, "live/a.isml", "<smil"))
	require.Equal(t, 200, put(b, "live/a.isml", definition))
	p, err := b.Point("live/a.isml")
	require.NoError(t, err)
	assert.Equal(t, "Regatta", p.Settings().Title)
	assert.FileExists(t, filepath.Join(root, "live", "a.isml"))
	require.Equal(t, 200, put(b, "live/A.isml", strings.ReplaceAll(definition, "Regatta", "Race")))
	assert.Equal(t, "Race", p.Settings().Title)
	require.NoError(t, p.Start(context.Background()))
	assert.Equal(t, 409, put(b, "live/a.isml", definition), "in use")
	require.Equal(t, 200, put(b, "LIVE/b.isml", definition))
	assert.Len(t, b.Points(), 2)
	_, err = b.Point("live/b.isml")
	assert.NoError(t, err, "directories keep the case they have")
}

// TestServerRoot follows the files of a directory.
func TestServerRoot(t *testing.T) {
	root := t.TempDir()
	write := func(name, title string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		s := livesmooth.DefaultSettings()
		s.Title = title
		data, err := s.AppendISML(nil)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, name), data, 0o644))
	}
	write("a.isml", "one")
	b := newBench(t, livesmooth.Options{Root: root, Poll: 5 * time.Millisecond})
	p, err := b.Point("a.isml")
	require.NoError(t, err)
	write("sub/new.isml", "two")
	_, err = b.Point("sub/new.isml")
	require.NoError(t, err, "found as soon as it is asked for")
	write("sub/other.isml", "three")
	require.Eventually(t, func() bool { return len(b.Points()) == 3 }, 10*time.Second, time.Millisecond)
	write("a.isml", "changed title")
	require.Eventually(t, func() bool { return p.Settings().Title == "changed title" }, 10*time.Second, time.Millisecond)
	require.NoError(t, p.Start(context.Background()))
	write("a.isml", "changed while in use")
	require.NoError(t, os.WriteFile(filepath.Join(root, "broken.isml"), []byte("<smil"), 0o644))
	require.NoError(t, os.Remove(filepath.Join(root, "sub", "new.isml")))
	require.Eventually(t, func() bool { return len(b.Points()) == 2 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, "changed title", p.Settings().Title)
	require.NoError(t, p.Shutdown(context.Background()))
	require.Eventually(t, func() bool { return p.Settings().Title == "changed while in use" }, 10*time.Second, time.Millisecond)
	require.NoError(t, b.Remove(context.Background(), "a.isml"))
	assert.NoFileExists(t, filepath.Join(root, "a.isml"))
}

// TestServerLateHeader opens the request of a segment before that of the header has ended, as encoders do that send one file
// per request.
func TestServerLateHeader(t *testing.T) {
	b := newBench(t, livesmooth.Options{})
	p := b.point("a.isml", nil)
	e := smoothtest.NewEncoder(config())
	header, fragments := e.Header(), e.Until(10*time.Second)
	r, w := io.Pipe()
	done := make(chan error)
	go func() {
		err := p.Push(context.Background(), livesmooth.PushInfo{Input: "1"}, r)
		r.CloseWithError(err)
		done <- err
	}()
	_, err := w.Write([]byte("\x00\x00\x00\x08free"))
	require.NoError(t, err)
	require.NoError(t, p.Push(context.Background(), livesmooth.PushInfo{Input: "1"}, bytes.NewReader(header)))
	_, err = w.Write(fragments)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, <-done)
	assert.EqualValues(t, 5, p.Stats().Inputs[0].Tracks[0].Received)
}
