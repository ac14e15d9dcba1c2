package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// recordedEvent is what the list of presentations has of a recorded event.
type recordedEvent struct {
	Name, URL, HLS string
	Live           bool
	Recording      *struct{ Seconds float64 }
}

// recordedEvents returns the events in the list of presentations.
func recordedEvents(t *testing.T, base string) (events []recordedEvent) {
	t.Helper()
	_, body := get(t, base+"presentations.json")
	var list struct{ Presentations []recordedEvent }
	require.NoError(t, json.Unmarshal(body, &list))
	for _, p := range list.Presentations {
		if p.Recording != nil {
			events = append(events, p)
		}
	}
	return events
}

// untilRecorded waits until there is one event that is as wanted, and returns it.
func untilRecorded(t *testing.T, base string, wanted func(recordedEvent) bool) (e recordedEvent) {
	t.Helper()
	require.Eventually(t, func() bool {
		events := recordedEvents(t, base)
		if len(events) != 1 || !wanted(events[0]) {
			return false
		}
		e = events[0]
		return true
	}, 20*time.Second, 10*time.Millisecond, "recorded")
	return e
}

// recordedEncoder sends a picture and a sound.
func recordedEncoder() *smoothtest.Encoder {
	c := smoothtest.Default()
	c.Streams, c.MaxPayload = c.Streams[:2], 500
	return smoothtest.NewEncoder(c)
}

// TestArchive records an event, plays it on demand, and plays it with another server on the same directory.
func TestArchive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "archive")
	base, printed, end := startStop(t, "-archive", dir)
	assert.Contains(t, printed, "Archive:   "+dir+" (0 recorded)\n")
	resp, err := http.Post(base+"live/demo.isml/Streams(enc1)", "", recordedEncoder().Body(20*time.Second))
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)

	e := untilRecorded(t, base, func(e recordedEvent) bool { return !e.Live })
	first := playRecording(t, base, e)
	resp, _ = get(t, base+e.URL)
	assert.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
	assert.NotEmpty(t, resp.Header.Get("Cache-Control"))
	for _, name := range []string{"demo.ism", "demo.ismc", "enc1.ismv"} {
		found, err := filepath.Glob(filepath.Join(dir, "live", "demo-isml", "*", "1", name))
		require.NoError(t, err)
		assert.Len(t, found, 1, name)
	}
	end()

	base, printed = start(t, "-archive", dir)
	assert.Contains(t, printed, "(1 recorded)\n")
	assert.Equal(t, first, playRecording(t, base, e))
}

// playRecording fetches all of an event and returns its manifest.
func playRecording(t *testing.T, base string, e recordedEvent) string {
	t.Helper()
	resp, body := get(t, base+e.URL)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	manifest, err := smooth.ParseManifest(body)
	require.NoError(t, err)
	assert.False(t, manifest.IsLive)
	for _, stream := range manifest.Streams {
		fetchTrack(t, base+strings.TrimSuffix(e.URL, "Manifest"), stream, stream.Levels[0])
	}
	lists := references(t, base+e.HLS)
	segments := references(t, lists[0])
	resp, segment := get(t, segments[0])
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.NotEmpty(t, segment)
	return string(body)
}

// TestArchiveResume stops the server in the middle of an event. It goes on in the same recording when the encoder comes back to
// another one, which has also found the files as a crash leaves them: with the end of a fragment cut off.
func TestArchiveResume(t *testing.T) {
	dir := t.TempDir()
	base, _, end := startStop(t, "-archive", dir)
	e := recordedEncoder()
	r, w := io.Pipe()
	pushed := make(chan struct{})
	go func() {
		defer close(pushed)
		if resp, err := http.Post(base+"live/demo.isml/Streams(enc1)", "", r); err == nil {
			resp.Body.Close()
		}
		r.CloseWithError(io.ErrClosedPipe)
	}()
	header := e.Header()
	for _, part := range [][]byte{header, e.Until(10 * time.Second)} {
		_, err := w.Write(part)
		require.NoError(t, err)
	}
	before := untilRecorded(t, base, func(e recordedEvent) bool { return e.Live && e.Recording.Seconds > 5 })
	http.DefaultClient.CloseIdleConnections()
	end()
	w.Close()
	<-pushed

	media, err := filepath.Glob(filepath.Join(dir, "live", "demo-isml", "*", "1", "enc1.ismv"))
	require.NoError(t, err)
	require.Len(t, media, 1)
	f, err := os.OpenFile(media[0], os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("\x00\x00\x01\x00moof")
	require.NoError(t, err)
	require.NoError(t, f.Close())

	base, printed := start(t, "-archive", dir)
	assert.Contains(t, printed, "(1 recorded)\n")
	found := untilRecorded(t, base, func(e recordedEvent) bool { return !e.Live })
	assert.Equal(t, strings.TrimSuffix(before.Name, "l"), found.Name, "what there is of it is on demand")
	rest := append(header, e.Until(30*time.Second)...)
	resp, err := http.Post(base+"live/demo.isml/Streams(enc1)", "", strings.NewReader(string(append(rest, e.Trailer()...))))
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	whole := untilRecorded(t, base, func(e recordedEvent) bool { return !e.Live && e.Recording.Seconds > 29 })
	assert.Equal(t, found.Name, whole.Name)
	manifest, err := smooth.ParseManifest([]byte(playRecording(t, base, whole)))
	require.NoError(t, err)
	for _, stream := range manifest.Streams {
		assert.Len(t, stream.Timeline, 15, stream.Name)
		assert.Equal(t, uint64(0), stream.Timeline.Start(), stream.Name)
	}
}
