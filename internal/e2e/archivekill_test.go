package e2e_test

import (
	"crypto/sha256"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// TestArchiveKill kills the example server while an encoder pushes, starts it again, and the encoder comes back with a clock that has
// gone on. It is one event, with everything but what came in the last second before the kill and while there was no server.
func TestArchiveKill(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg")
	exe, dir := buildMediaServer(t), t.TempDir()
	server := startKillable(t, exe, dir)
	began := time.Now()
	encoder := pushFrom(t, server.page, 0, time.Minute)
	event := server.event(t, dir)
	known := server.waitListed(t, event, 8*time.Second)
	before := server.fragments(t, event, known)
	time.Sleep(time.Second) // what was there is durable
	server.kill()
	encoder.kill()

	server = startKillable(t, exe, dir)
	assert.Equal(t, before, server.fragments(t, event, known), "after the kill")
	w, err := watchFFmpeg(t, server.url(event)+master("m3u8-aapl"), 600)
	require.NoError(t, err)
	first := len(w.codes)
	require.NoError(t, w.whole(8*frameRate))
	require.GreaterOrEqual(t, w.sound, 8.)

	const again = 7
	encoder = pushFrom(t, server.page, time.Since(began), again*time.Second)
	<-encoder.done
	require.Eventually(t, func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(event), "1", "*.ismc"))
		return len(found) == 1
	}, 10*time.Second, 100*time.Millisecond, "the event is complete")
	assert.Equal(t, event, server.event(t, dir), "one event")
	assert.Equal(t, before, server.fragments(t, event, known), "at the end")
	if w, err = watchFFmpeg(t, server.url(event)+master("m3u8-aapl"), 600); assert.NoError(t, err) {
		want := describeCodes(slices.Concat(numbers(0, first), numbers(0, again*frameRate)))
		assert.Equal(t, want, describeCodes(w.codes))
	}
	files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(event), "*", "*.ismv"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	assert.Len(t, frameSums(t, files[0], 0, "-fps_mode", "passthrough"), first+again*frameRate)
}

// killable is a server that records, in a process of its own.
type killable struct {
	cmd  *exec.Cmd
	page string // with a slash at the end
}

func startKillable(t *testing.T, exe, dir string) *killable {
	t.Helper()
	s := &killable{}
	s.cmd, s.page = launchMediaServer(t, exe, "-archive", dir)
	t.Cleanup(s.kill)
	return s
}

// kill ends the server as a power cut does, but for what the system has in memory.
func (s *killable) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// url returns the address of an event on demand, with a slash at the end.
func (s *killable) url(event string) string { return s.page + "archive/" + event + "/demo.ism/" }

// pushFrom pushes in real time, from a time on the clock of the event on.
func pushFrom(t *testing.T, page string, at, length time.Duration) *program {
	t.Helper()
	const clock = 1000 // seconds, when the event begins
	return start(t, "ffmpeg", slices.Concat(ffmpegInput(), allTracks(),
		[]string{"-output_ts_offset", fmt.Sprintf("%.2f", clock+at.Seconds()), "-t", fmt.Sprint(length.Seconds())},
		ismlTo(page+"live/demo.isml/Streams(enc1)"))...)
}

// event waits until there is an event and returns the name of its directory, of which there has to be one.
func (s *killable) event(t *testing.T, dir string) string {
	t.Helper()
	var found []string
	require.Eventually(t, func() bool {
		found, _ = filepath.Glob(filepath.Join(dir, "live", "demo-isml", "*", "event.json"))
		return len(found) > 0
	}, 20*time.Second, 100*time.Millisecond, "nothing is recorded")
	require.Len(t, found, 1)
	return "live/demo-isml/" + filepath.Base(filepath.Dir(found[0]))
}

// waitListed waits until so much of an event is listed on demand, and returns the manifest.
func (s *killable) waitListed(t *testing.T, event string, length time.Duration) *smooth.Manifest {
	t.Helper()
	for range 600 {
		m, err := smooth.ParseManifest(download(t, s.url(event)+"Manifest"))
		require.NoError(t, err)
		shortest := length
		for _, st := range m.Streams {
			shortest = min(shortest, time.Duration(st.Timeline.End()-st.Timeline.Start())*100)
		}
		if shortest >= length {
			return m
		}
		time.Sleep(100 * time.Millisecond)
	}
	require.FailNow(t, "not recorded", "%v of %s", length, event)
	return nil
}

// fragments returns checksums of all fragments that a manifest lists, by the end of their URL.
func (s *killable) fragments(t *testing.T, event string, m *smooth.Manifest) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, st := range m.Streams {
		for _, l := range st.Levels {
			for _, c := range st.Timeline {
				path := fmt.Sprintf("QualityLevels(%d)/Fragments(%s=%d)", l.Bitrate, st.Name, c.Time)
				all[path] = fmt.Sprintf("%x", sha256.Sum256(download(t, s.url(event)+path)))
			}
		}
	}
	assert.Greater(t, len(all), 11)
	return all
}
