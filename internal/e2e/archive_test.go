package e2e_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

// recorder is an archive behind a server of its own, to which a station gives what it receives.
type recorder struct {
	*archive.Archive
	dir string
	url string // with a slash at the end
}

// startArchive opens an empty archive. It has to be started before the stations that record into it.
func startArchive(t *testing.T) *recorder {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	r := &recorder{dir: t.TempDir()}
	var err error
	r.Archive, err = archive.New(r.dir, &archive.Options{Logger: log})
	require.NoError(t, err)
	output := hls.NewOutput(&hls.Options{Logger: log, SegmentDuration: 4 * time.Second})
	srv := httptest.NewServer(smooth.NewHandler(r.Archive, &smooth.HandlerOptions{Logger: log, Outputs: []smooth.Output{output}}))
	r.url = srv.URL + "/"
	t.Cleanup(func() {
		srv.CloseClientConnections() // of players that are still closing
		srv.Close()
		require.NoError(t, output.Close())
		require.NoError(t, r.Close())
	})
	return r
}

// event waits until something of a station has been recorded. It returns the name of the directory of the event, of which there
// has to be one.
func (r *recorder) event(t *testing.T) string {
	t.Helper()
	var dirs []string
	require.Eventually(t, func() bool {
		dirs = nil
		require.NoError(t, r.List(t.Context(), func(i smooth.Info) bool {
			dirs = append(dirs, path.Dir(i.Name))
			return true
		}))
		return len(dirs) > 0
	}, 20*time.Second, 100*time.Millisecond, "nothing is recorded")
	require.Len(t, dirs, 1)
	return dirs[0]
}

// listed returns how much of a presentation is listed.
func (r *recorder) listed(t *testing.T, name string) time.Duration {
	t.Helper()
	p, err := r.Open(t.Context(), name)
	require.NoError(t, err)
	defer p.Close()
	return listed(t, p)
}

// waitListed waits until so much of a presentation is listed.
func (r *recorder) waitListed(t *testing.T, name string, length time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool { return r.listed(t, name) >= length }, 2*time.Minute, 100*time.Millisecond, "%v of %s", length, name)
}

// whole says what is missing of a number of frames, or of more, that have to be all from the first one on, with sound.
func (w watched) whole(frames int) error {
	if len(w.codes) < frames || w.codes[0] != 0 {
		return fmt.Errorf("expected %d frames from the first one on: %s", frames, describeCodes(w.codes))
	}
	return w.even(float64(frames)/frameRate - 0.2)
}
