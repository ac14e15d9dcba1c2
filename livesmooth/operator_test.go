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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// operatorLog collects log records as lines of text.
type operatorLog struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *operatorLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// take returns what has been logged since the last time.
func (l *operatorLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.buf.String()
	l.buf.Reset()
	return s
}

func (l *operatorLog) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func operatorServer(t *testing.T, opts livesmooth.Options) *livesmooth.Server {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := livesmooth.NewServer(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// TestRestartMaxAge: fragments of a point whose next event has the same URLs are not cached for long.
func TestRestartMaxAge(t *testing.T) {
	for _, tt := range []struct {
		name    string
		restart bool
		viewers *smooth.HandlerOptions
		want    string
	}{
		{"no restart", false, nil, "public, max-age=3600"},
		{"restart", true, nil, "public, max-age=10"},
		{"restart, chosen", true, &smooth.HandlerOptions{FragmentMaxAge: time.Minute}, "public, max-age=60"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := operatorServer(t, livesmooth.Options{Viewers: tt.viewers})
			set := livesmooth.DefaultSettings()
			set.AutoStart, set.AutoRestart = true, tt.restart
			p, err := s.Create(t.Context(), "a.isml", set)
			require.NoError(t, err)
			e := smoothtest.NewEncoder(config())
			body := append(e.Header(), e.Until(8*time.Second)...)
			require.NoError(t, p.Push(t.Context(), livesmooth.PushInfo{Input: "1"}, bytes.NewReader(body)))
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest("GET", "/a.isml/QualityLevels(900000)/Fragments(video=0)", nil))
			require.Equal(t, 200, w.Code)
			assert.Equal(t, tt.want, w.Header().Get("Cache-Control"))
		})
	}
}

// TestAdvice: errors say what to do.
func TestAdvice(t *testing.T) {
	ctx := t.Context()
	s := operatorServer(t, livesmooth.Options{})
	p, err := s.Create(ctx, "a.isml", nil)
	require.NoError(t, err)
	pull, err := s.Create(ctx, "pull.isml", &livesmooth.Settings{
		Source: livesmooth.SourcePull, PullFrom: []livesmooth.RemotePoint{{URL: "http://127.0.0.1:1/a.isml"}},
	})
	require.NoError(t, err)
	push := func(p *livesmooth.Point) error {
		return p.Push(ctx, livesmooth.PushInfo{Input: "1"}, strings.NewReader("this is no MP4, but text"))
	}
	create := func(name string, set *livesmooth.Settings) error {
		_, err := s.Create(ctx, name, set)
		return err
	}
	create2 := func(o livesmooth.Options) error { _, err := livesmooth.NewServer(&o); return err }
	for _, tt := range []struct {
		what string
		err  error
		is   error
		want string
	}{
		{"name", create("event", nil), livesmooth.ErrName, "want a path such as live/event.isml"},
		{"static name", create2(livesmooth.Options{Points: map[string]*livesmooth.Settings{"/a.isml": nil}}), livesmooth.ErrName,
			"with slashes between its parts only"},
		{"negative", create2(livesmooth.Options{Poll: -1, MemoryBudget: -1}), nil, "negative options: MemoryBudget Poll; zero means the default"},
		{"negative limit", create2(livesmooth.Options{Limits: livesmooth.Limits{GapWait: -1}}), nil, "negative options: Limits.GapWait"},
		{"address", create("b.isml", &livesmooth.Settings{PushTo: []livesmooth.RemotePoint{{URL: "other/a.isml"}}}), livesmooth.ErrSettings,
			"such as http://host/live/event.isml"},
		{"stop", p.Stop(ctx), livesmooth.ErrTransition, "a.isml: stop in state Idle: not possible"},
		{"push to Idle", push(p), livesmooth.ErrNotAccepting, "state Idle: the publishing point does not accept encoders now: start it, or set AutoStart"},
		{"push to a pull point", push(pull), livesmooth.ErrNotAccepting, "it pulls from other servers"},
		{"no settings", p.SetSettings(ctx, nil), livesmooth.ErrSettings, "none given"},
		{"start", p.Start(ctx), nil, ""},
		{"settings of a started point", p.SetSettings(ctx, livesmooth.DefaultSettings()), livesmooth.ErrInUse, "shut it down first"},
		{"text", push(p), livesmooth.ErrMalformed, "the body does not begin with a box of fragmented MP4"},
		{"stop", p.Stop(ctx), nil, ""},
		{"push to Stopped", push(p), livesmooth.ErrNotAccepting, "start it, or set AutoRestart"},
	} {
		if tt.want == "" {
			require.NoError(t, tt.err, tt.what)
			continue
		}
		require.Error(t, tt.err, tt.what)
		assert.Contains(t, tt.err.Error(), tt.want, tt.what)
		if tt.is != nil {
			assert.ErrorIs(t, tt.err, tt.is, tt.what)
		}
	}
}

// TestDelete: who may create points by HTTP may delete them.
func TestDelete(t *testing.T) {
	allowed := errors.New("not today")
	root := t.TempDir()
	s := operatorServer(t, livesmooth.Options{Root: root, AuthorizeCreate: func(*http.Request, string) error { return allowed }})
	_, err := s.Create(t.Context(), "a.isml", nil)
	require.NoError(t, err)
	do := func(s *livesmooth.Server, path string) int {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("DELETE", path, nil))
		return w.Code
	}
	assert.Equal(t, 403, do(s, "/a.isml"))
	allowed = nil
	assert.Equal(t, 404, do(s, "/b.isml"))
	assert.Equal(t, 204, do(s, "/a.isml"))
	assert.NoFileExists(t, filepath.Join(root, "a.isml"))
	assert.Empty(t, s.Points())
	assert.NotEqual(t, 204, do(operatorServer(t, livesmooth.Options{}), "/a.isml"))
}

// TestEncoderLog: an operator sees in the log which encoders come, end and break off, and why.
func TestEncoderLog(t *testing.T) {
	var log operatorLog
	s := operatorServer(t, livesmooth.Options{Logger: log.logger()})
	p, err := s.Create(t.Context(), "a.isml", nil)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context()))
	e := smoothtest.NewEncoder(config())
	body := append(e.Header(), e.Until(4*time.Second)...)
	log.take()
	require.NoError(t, p.Push(t.Context(), livesmooth.PushInfo{Input: "1", Address: "10.0.0.1"}, bytes.NewReader(body)))
	text := log.take()
	assert.Contains(t, text, "level=INFO msg=encoder point=a.isml stream=1 source=10.0.0.1 tracks=3")
	assert.NotContains(t, text, "end of stream")

	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- p.Push(ctx, livesmooth.PushInfo{Input: "1"}, r) }()
	_, err = w.Write(body)
	require.NoError(t, err)
	cancel()
	err = <-done
	require.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, err.Error(), `the source has gone`)

	log.take()
	require.NoError(t, p.Push(t.Context(), livesmooth.PushInfo{Input: "1"}, bytes.NewReader(append(body, e.Trailer()...))))
	assert.Contains(t, log.take(), `level=INFO msg="end of stream" point=a.isml stream=1`)
}

// TestBareEncoder: an encoder that sends no parameter sets, as ffmpeg's tee does unless it is told to, is taken with a
// warning that has the remedy, since nobody could play what it sends.
func TestBareEncoder(t *testing.T) {
	var log operatorLog
	s := operatorServer(t, livesmooth.Options{Logger: log.logger()})
	p, err := s.Create(t.Context(), "a.isml", nil)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context()))
	body, err := os.ReadFile("testdata/push/ffmpeg-bare.ismv")
	require.NoError(t, err)
	require.NoError(t, p.Push(t.Context(), livesmooth.PushInfo{Input: "1"}, bytes.NewReader(body)))
	text := log.take()
	assert.Contains(t, text, `level=WARN msg="most players cannot play a track without parameter sets"`)
	assert.Contains(t, text, "-flags +global_header")
}

// TestFolderLog: an operator sees in the log what becomes of the files; one that is being written is not complained about.
func TestFolderLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log operatorLog
		root := t.TempDir()
		file := filepath.Join(root, "a.isml")
		write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
		s := operatorServer(t, livesmooth.Options{Root: root, Logger: log.logger()})
		poll := func() string {
			time.Sleep(time.Second)
			synctest.Wait()
			return log.take()
		}
		text, err := livesmooth.DefaultSettings().AppendISML(nil)
		require.NoError(t, err)

		write("")
		assert.Empty(t, poll(), "it may be in the middle of being written")
		write(string(text))
		assert.Contains(t, poll(), `level=INFO msg="publishing point found" point=a.isml`)
		p, err := s.Point("a.isml")
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context()))
		log.take()
		write(strings.Replace(string(text), `"2"`, `"3"`, 1) + "\n")
		assert.Contains(t, poll(), `level=INFO msg="changed settings wait for state Idle" point=a.isml state=Starting`)
		require.NoError(t, p.Shutdown(t.Context()))
		assert.Contains(t, log.take(), `level=INFO msg="settings changed" point=a.isml`)
		assert.Equal(t, 3, p.Settings().Lookahead)

		write("<smil")
		assert.Empty(t, poll(), "it may be in the middle of being written")
		assert.Contains(t, poll(), `level=WARN msg="changed settings are not used" point=a.isml`)
		assert.Empty(t, poll(), "said once")
		require.NoError(t, os.Remove(file))
		assert.Contains(t, poll(), `level=INFO msg="publishing point has gone with its file" point=a.isml`)

		write("<smil")
		assert.Empty(t, poll())
		assert.Contains(t, poll(), `level=WARN msg="publishing point is left out" point=a.isml`)
		assert.Empty(t, poll(), "said once")
		require.NoError(t, s.Close())
	})
}
