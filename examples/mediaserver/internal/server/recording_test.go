package server_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// demo is the configuration of a program that was started with -root and -archive.
func demo(t *testing.T, root, archive string) *config.Config {
	t.Helper()
	cfg, err := config.Parse(nil, "")
	require.NoError(t, err)
	yes := true
	cfg.Live.Demo = &yes
	cfg.Sites[0].Root, cfg.Sites[0].Sample, cfg.Archive.Directory = root, true, archive
	return cfg
}

// newServer returns a server that is closed at the end of the test.
func newServer(t *testing.T, cfg *config.Config) *server.Server {
	t.Helper()
	s, err := server.New(cfg, &server.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// event is a small encoder's, with a picture and sound.
func event() *smoothtest.Encoder {
	c := smoothtest.Default()
	c.Streams = c.Streams[:2]
	c.MaxPayload = 500
	return smoothtest.NewEncoder(c)
}

// push pushes to the stream enc of a point, and returns the status.
func push(t *testing.T, s *server.Server, point string, e *smoothtest.Encoder, d time.Duration) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/"+point+"/Streams(enc)", e.Body(d)))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
}

func get(t *testing.T, s *server.Server, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+path, nil))
	return w
}

// recorded returns what is listed of the archive.
func recorded(t *testing.T, s *server.Server) []server.Presentation {
	t.Helper()
	var list struct{ Presentations []server.Presentation }
	w := get(t, s, "presentations.json")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &list))
	return slices.DeleteFunc(list.Presentations, func(p server.Presentation) bool { return p.Recording == nil })
}

// eventually waits for what other goroutines do.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	require.Eventually(t, done, 20*time.Second, 5*time.Millisecond, what)
}

// TestRecording: points whose settings say so are recorded, the demo too, and others are not. Events are listed once, also where the
// archive is below the root.
func TestRecording(t *testing.T) {
	for _, place := range []string{"kept/here", ".", "../beside"} {
		t.Run(place, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "root")
			require.NoError(t, os.Mkdir(root, 0o755))
			for name, publishing := range map[string]string{"yes": "Fragments;Streams;Archives", "no": "Fragments;Streams"} {
				isml := `<smil><head><meta name="startOnFirstRequest" content="true"/><meta name="publishing" content="` + publishing + `"/></head></smil>`
				require.NoError(t, os.WriteFile(filepath.Join(root, name+".isml"), []byte(isml), 0o644))
			}
			archive := filepath.Join(root, filepath.FromSlash(place))
			s := newServer(t, demo(t, root, archive))
			for _, point := range []string{"yes.isml", "no.isml", "live/demo.isml"} {
				push(t, s, point, event(), 20*time.Second)
			}
			eventually(t, "both events are complete", func() bool {
				list := recorded(t, s)
				return len(list) == 2 && !list[0].Live && !list[1].Live
			})
			var names []string
			all, err := s.Presentations(t.Context())
			require.NoError(t, err)
			for _, p := range all {
				names = append(names, p.Name)
			}
			require.Len(t, names, 1+3+2, names) // the sample, points, events
			assert.Equal(t, []bool{false, true, false, true}, []bool{all[0].Recorded, all[1].Recorded, all[2].Recorded, all[3].Recorded}, names)
			for _, p := range all[4:] {
				assert.Regexp(t, `^archive/(live/demo|yes)-isml/\d{8}T\d{6}Z/(demo|yes)\.ism$`, p.Name)
				assert.InDelta(t, 20, p.Recording.Seconds, 0.1)
				started, err := time.Parse(time.RFC3339, p.Recording.Started)
				require.NoError(t, err)
				assert.WithinDuration(t, time.Now(), started, time.Minute)
				assert.Equal(t, http.StatusOK, get(t, s, p.URL).Code)
				assert.Equal(t, http.StatusOK, get(t, s, p.HLS).Code)
			}
		})
	}
}

// TestRecordingGrows: during an event it is listed as live, and what there is so far beside it.
func TestRecordingGrows(t *testing.T) {
	s := newServer(t, demo(t, "", t.TempDir()))
	body, pushed := startPush(t, s, "live/demo.isml")
	e := event()
	body.write(e.Header(), e.Until(20*time.Second))
	eventually(t, "what has been pushed is listed", func() bool {
		list := recorded(t, s)
		return len(list) == 1 && list[0].Recording.Seconds > 19.9 // with what is not listed yet
	})
	p := recorded(t, s)[0]
	assert.True(t, p.Live)
	require.NotNil(t, p.Recording.SoFar)
	for url, live := range map[string]bool{p.URL: true, p.Recording.SoFar.URL: false} {
		w := get(t, s, url)
		require.Equal(t, http.StatusOK, w.Code, url)
		m, err := smooth.ParseManifest(w.Body.Bytes())
		require.NoError(t, err)
		assert.Equal(t, live, m.IsLive, url)
		assert.Zero(t, m.Streams[0].Timeline.Start(), url)
	}
	body.write(e.Trailer())
	body.end()
	require.Equal(t, http.StatusOK, <-pushed)
	eventually(t, "the event is complete", func() bool { return !recorded(t, s)[0].Live })
	done := recorded(t, s)[0]
	assert.Equal(t, p.Recording.SoFar.Name, done.Name)
	assert.Equal(t, p.Recording.Event, done.Recording.Event)
	assert.Equal(t, http.StatusOK, get(t, s, p.URL).Code, "viewers of the live one go on")
}

// TestRecordingFails: a directory that cannot be written is an alarm at the point, and the event is there for live viewers.
func TestRecordingFails(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, demo(t, "", dir))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "live"), []byte("in the way"), 0o644))
	push(t, s, "live/demo.isml", event(), 20*time.Second)
	var alarms []server.Alarm
	eventually(t, "there is an alarm", func() bool {
		list, err := s.Presentations(t.Context())
		require.NoError(t, err)
		alarms = list[1].Alarms
		return len(alarms) > 0 && alarms[0].Dropped > 0
	})
	assert.Equal(t, server.Alarm{Sink: "Archive", Failing: true, Reason: "the log of the server says why", Dropped: alarms[0].Dropped}, alarms[0])
	assert.Equal(t, http.StatusOK, get(t, s, "live/demo.isml/Manifest").Code)
	assert.Empty(t, recorded(t, s))
}

// TestRecordingInterrupted: an event that cannot be recorded any more is marked while that lasts.
func TestRecordingInterrupted(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	isml := `<smil><head><meta name="startOnFirstRequest" content="true"/><meta name="publishing" content="Fragments;Archives"/>
		<meta name="archiveSegmentLength" content="1"/></head></smil>`
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.isml"), []byte(isml), 0o644))
	s := newServer(t, demo(t, root, dir))
	body, pushed := startPush(t, s, "a.isml")
	e := event()
	body.write(e.Header(), e.Until(50*time.Second))
	eventually(t, "the event is recorded", func() bool { return len(recorded(t, s)) == 1 })
	first := recorded(t, s)[0]
	assert.False(t, first.Recording.Interrupted)
	next := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(first.Recording.Event, "archive/")), "2")
	require.NoError(t, os.WriteFile(next, []byte("in the way of the second segment"), 0o644))
	body.write(e.Until(70 * time.Second))
	eventually(t, "the event is interrupted", func() bool { return recorded(t, s)[0].Recording.Interrupted })
	require.NoError(t, os.Remove(next))
	body.write(e.Until(80*time.Second), e.Trailer())
	body.end()
	require.Equal(t, http.StatusOK, <-pushed)
	eventually(t, "the event is complete", func() bool { return !recorded(t, s)[0].Live })
	assert.False(t, recorded(t, s)[0].Recording.Interrupted)
}

// TestArchiveLocked: a second server is told why it cannot record.
func TestArchiveLocked(t *testing.T) {
	dir := t.TempDir()
	newServer(t, demo(t, "", dir))
	_, err := server.New(demo(t, "", dir), nil)
	assert.ErrorContains(t, err, "another server records there")
}
