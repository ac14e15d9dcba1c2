package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// deliveries are what a handler has reported.
type deliveries struct {
	mu   sync.Mutex // guards seen
	seen []playlist.Delivery
}

func (d *deliveries) add(seen playlist.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, seen)
}

// check says which of three entries have not been delivered to their end, one after the other.
func (d *deliveries) check() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	var order string
	percent := make(map[string]int)
	for _, s := range d.seen {
		if s.Bytes > 0 && !strings.HasSuffix(order, s.Entry) {
			order += s.Entry
		}
		percent[s.Entry] = max(percent[s.Entry], s.Percent)
	}
	for _, entry := range []string{"1", "2", "3"} {
		errs = append(errs, within("percent of entry "+entry, percent[entry], 97, 100))
	}
	if order != "123" {
		errs = append(errs, fmt.Errorf("entries were played in the order %s", order))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w\n%+v", err, d.seen)
	}
	return nil
}

// windowsMedia makes a list of Windows Media files, as IIS had them: list.isx, with the advertisement locked.
func windowsMedia(t *testing.T) string {
	t.Helper()
	need(t, "ffmpeg")
	dir := t.TempDir()
	makeFilm(t, filepath.Join(dir, "one.wmv"), 3, 320, 300)
	makeFilm(t, filepath.Join(dir, "ad.wmv"), 5, 256, 900)
	makeFilm(t, filepath.Join(dir, "two.wmv"), 3, 320, 400)
	writeFile(t, dir, "list.isx", isx("wmv"))
	return dir
}

// serveLists serves the lists and files of a directory and returns the address, with a slash at the end.
func serveLists(t *testing.T, dir string, opts *playlist.HandlerOptions) string {
	t.Helper()
	opts.Logger, opts.Duration = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})), fileDuration
	srv := httptest.NewServer(playlist.NewHandler(playlist.NewFiles(os.DirFS(dir), opts.Logger), opts))
	t.Cleanup(srv.Close)
	return srv.URL + "/"
}

// withPresentations adds to options what makes presentations of the files of a directory.
func withPresentations(t *testing.T, dir string, opts *playlist.HandlerOptions) *playlist.HandlerOptions {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	source, output := smooth.Dir(dir, &smooth.FileOptions{Logger: log}), hls.NewOutput(&hls.Options{Logger: log})
	t.Cleanup(func() { require.NoError(t, errors.Join(output.Close(), source.Close())) }) // after the server
	opts.Presentations, opts.Outputs = source, []smooth.Output{output}
	return opts
}

// fileDuration finds how long a file plays.
func fileDuration(_ context.Context, name string, r io.ReaderAt, size int64) (time.Duration, error) {
	d := bitrate.Detector{Name: filepath.Base(name)}
	info, err := d.Detect(r, size)
	return info.Duration, err
}

// TestPlaylistVLC: VLC plays the ASX of a list of Windows Media files to its end, with an advertisement that is locked.
func TestPlaylistVLC(t *testing.T) {
	t.Parallel()
	need(t, "cvlc")
	dir := windowsMedia(t)
	twice(t, func() error {
		var d deliveries
		start := time.Now()
		v, err := startVLC(t, serveLists(t, dir, &playlist.HandlerOptions{Report: d.add})+"list.isx")
		if err != nil {
			return err
		}
		defer v.stop()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range v.lines {
			}
		}()
		select {
		case <-ended:
		case <-time.After(40 * time.Second):
			return errors.Join(errors.New("vlc does not come to the end of the list"), d.check())
		}
		return errors.Join(d.check(), within("seconds it took", time.Since(start).Seconds(), 9.5, 20))
	})
}

// TestPlaylistStitchedVLC: VLC plays the one presentation of a list over HLS. It asks for what comes behind the
// advertisement long before, and does not ask again after an answer that says so: it has to be held until then.
func TestPlaylistStitchedVLC(t *testing.T) {
	t.Parallel()
	need(t, "cvlc")
	dir := playlistMedia(t)
	base := serveLists(t, dir, withPresentations(t, dir, &playlist.HandlerOptions{Hold: adPart * time.Second}))
	twice(t, func() error { return playThroughVLC(t, base+"list.isx?format=hls", firstPart+adPart+2) })
}

// TestPlaylistInterstitials: hls.js puts the advertisement into the programme by itself.
func TestPlaylistInterstitials(t *testing.T) {
	t.Parallel()
	browser, dir := chromium(t), playlistMedia(t)
	base := serveLists(t, dir, withPresentations(t, dir, &playlist.HandlerOptions{Interstitials: true}))
	twice(t, func() error {
		o := listOrder{Player: "hls", URL: base + "list.isx?format=hls-interstitials", Parts: 3, Ahead: 30, Chromium: browser}
		r, err := playList(t, o)
		if err != nil {
			return err
		}
		errs := []error{r.complaints()}
		if len(r.Runs) != 3 || r.Runs[0].Width != programmeWidth || r.Runs[1].Width != adWidth || r.Runs[2].Width != programmeWidth {
			return errors.Join(append(errs, fmt.Errorf("shown: %+v", r.Runs))...)
		}
		return errors.Join(append(errs,
			within("end of the first part", r.Runs[0].End, firstPart-0.5, firstPart+0.3), within("end of the advertisement", r.Runs[1].End, adPart-0.5, adPart+0.3),
			within("begin of the second part", r.Runs[2].Start, firstPart-0.1, firstPart+0.5))...)
	})
}

// playThroughVLC plays to a second, which it must come to in time and not before. VLC begins anew at a discontinuity, where
// it leaves out a second or so.
func playThroughVLC(t *testing.T, url string, second float64) error {
	need(t, "cvlc")
	v, err := startVLC(t, url)
	if err != nil {
		return err
	}
	defer v.stop()
	if err := v.waitFor(1, 20*time.Second); err != nil {
		return err
	}
	start := time.Now()
	if err := v.waitFor(second, time.Duration(second+10)*time.Second); err != nil {
		return err
	}
	frames, lost, err := v.frames()
	if err != nil {
		return err
	}
	t.Logf("vlc: %d frames shown, %d lost", frames, lost)
	return errors.Join(within("seconds VLC took", time.Since(start).Seconds(), second-4.5, second+4),
		within("frames VLC has shown", float64(frames), (second-4.5)*25*0.8, (second+4)*25))
}

// TestPlaylistFFmpeg: ffmpeg reads what M3U8 lists, one entry after the other, and gets the packets of the files.
func TestPlaylistFFmpeg(t *testing.T) {
	t.Parallel()
	dir := windowsMedia(t)
	packets := func(from string) string {
		out, err := run(t, time.Minute, "ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-xerror", "-i", from, "-c", "copy", "-f", "framemd5", "-")
		require.NoError(t, err, out)
		return out
	}
	var d deliveries
	text := string(download(t, serveLists(t, dir, &playlist.HandlerOptions{Report: d.add})+"list.isx?format=m3u8"))
	var entries []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			entries = append(entries, line)
		}
	}
	require.Len(t, entries, 3, text)
	for i, file := range []string{"one.wmv", "ad.wmv", "two.wmv"} {
		want := packets(filepath.Join(dir, file))
		require.Greater(t, strings.Count(want, "\n"), 70)
		require.Equal(t, want, packets(entries[i]), file)
	}
	require.NoError(t, d.check())
	resp, err := http.Get(entries[1])
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "the advertisement again")
}
