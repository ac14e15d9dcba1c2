package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// throttleBrowser plays ten minutes in Chromium's own video element through IIS's own rules, leaves after seconds, and
// seeks: it does not stall, and most of the file is never sent.
func throttleBrowser(t *testing.T, dir string) {
	browser := chromium(t)
	for _, c := range []struct {
		name string
		film film
		seek float64
	}{
		{"leaves", slow, 0}, {"seeks", slow, 0.6 * slow.seconds}, {"moov at the end", tail, 0.6 * tail.seconds},
	} {
		t.Run(c.name, func(t *testing.T) {
			twice(t, func() error { return playFilm(t, dir, c.film, c.seek, browser) })
		})
	}
}

// playFilm plays a film for some seconds, and again elsewhere.
func playFilm(t *testing.T, dir string, f film, seek float64, browser string) error {
	const first, after = 6, 5
	var seen observed
	h := throttle.New(http.FileServer(http.Dir(dir)), nil, &throttle.HandlerOptions{Observe: seen.add})
	srv := startOrigin(t, h, originOptions{writeTimeout: 2 * time.Second})
	o := order{Player: "native", URL: srv.URL + "/" + f.name, Seconds: first, Seek: seek, Chromium: browser, Brief: true}
	if seek > 0 {
		o.After = after
	}
	start := time.Now()
	r, err := play(t, o)
	if r == nil {
		return err
	}
	took := time.Since(start).Seconds()
	srv.CloseClientConnections()
	srv.Close() // waits for the handlers
	responses, sent, saved := seen.sums("/" + f.name)
	rate, total := f.rate(t, dir), f.bytes(t, dir)
	burst := 10 * rate
	t.Logf("%d responses, %d bytes of %d sent in %.1f s: the burst has %.0f, a second %.0f", responses, sent, total, took, burst, rate)
	errs := []error{
		r.smooth(o),
		// The browser takes a while to start and to end, which is in took. A further response earns what a seek does,
		// and one of them the index, of about a hundredth of the file.
		within("bytes sent", float64(sent), burst+rate*(first-1), burst+rate*took+3*rate*float64(responses-1)+float64(total)/64),
		within("part of the file that was sent", float64(sent)/float64(total), 0, 0.15),
		within("bytes given to the sockets", srv.socket.sent.Load(), sent, sent+16<<10), // with headers
	}
	if responses == 1 {
		errs = append(errs, within("bytes sent or saved", sent+saved, total, total))
	}
	if s := h.Stats(); s.Active != 0 || s.SavedBytes == 0 || s.Undetected != 0 || s.Containers["mp4"] != 1 {
		errs = append(errs, fmt.Errorf("stats %+v", s))
	}
	return errors.Join(errs...)
}

// smooth says where playback stood still for more than two seconds.
func (r *report) smooth(o order) error {
	var errs []error
	if len(r.Errors) > 0 || len(r.Failed) > 0 {
		errs = append(errs, fmt.Errorf("errors %q, failed requests %q", r.Errors, r.Failed))
	}
	errs = append(errs, within("seconds before the start", r.Loading, 0, 3),
		within("seconds played", r.Played.Media, o.Seconds, o.Seconds+3),
		within("seconds it took", r.Played.Wall, 0, r.Played.Media+2))
	if o.Seek > 0 {
		errs = append(errs, within("position after the seek", r.Sought.Time, o.Seek, o.Seek+5),
			within("seconds played after it", r.After.Media, o.After, o.After+3),
			within("seconds that took", r.After.Wall, 0, r.After.Media+2))
	}
	return errors.Join(errs...)
}

// shortCopies are files with the content of the short film that ffmpeg makes.
var shortCopies = []string{"short-end.mp4", "short.mov", "short.mkv", "short.flv", "short.avi", "short.ts"}

// throttleFFmpeg reads each container to its end, as fast as it comes, and compares every packet with the file's own.
func throttleFFmpeg(t *testing.T, dir string) {
	const burst = 3 // seconds of the content
	rules := &throttle.Rules{}
	for _, s := range throttle.DefaultSettings() {
		s.InitialBufferTime = burst * time.Second
		rules.Settings = append(rules.Settings, s)
	}
	names := append([]string{short.name}, shortCopies...)
	packets := func(from string, agent ...string) (string, error) {
		args := append([]string{"-hide_banner", "-loglevel", "error", "-nostdin", "-xerror"}, agent...)
		return run(t, time.Minute, "ffmpeg", append(args, "-i", from, "-c", "copy", "-f", "framemd5", "-")...)
	}
	twice(t, func() error {
		var seen observed
		h := throttle.New(http.FileServer(http.Dir(dir)), rules, &throttle.HandlerOptions{Observe: seen.add})
		srv := startOrigin(t, h, originOptions{writeTimeout: time.Second})
		var runs []func() error
		for _, name := range names {
			want, err := packets(filepath.Join(dir, name))
			require.NoError(t, err, want)
			runs = append(runs, func() error {
				start := time.Now()
				got, err := packets(srv.URL+"/"+name, "-user_agent", name)
				took := time.Since(start).Seconds()
				responses, sent, _ := seen.sums("/" + name)
				t.Logf("%s: %.1f s, %d responses, %d bytes of %.0f", name, took, responses, sent, size(t, filepath.Join(dir, name)))
				if err != nil {
					return fmt.Errorf("%s: %w\n%.300s", name, err, got)
				}
				if got != want {
					return fmt.Errorf("%s: %d lines of packets, not %d, or others", name, strings.Count(got, "\n"), strings.Count(want, "\n"))
				}
				// Each further response may earn what a seek does, and asks for more than the file.
				return within(name+": seconds", took, short.seconds-burst-0.2-3*float64(max(responses-1, 0)), 2*short.seconds)
			})
		}
		err := atOnce(runs...)
		if s := h.Stats(); s.Unthrottled > 0 || s.Undetected > 0 {
			err = errors.Join(err, fmt.Errorf("stats %+v", s))
		}
		return err
	})
}

// throttleStart waits for the first picture of ten minutes in ffmpeg, which loads an index at the end of the file first.
func throttleStart(t *testing.T, dir string) {
	twice(t, func() error {
		srv := startOrigin(t, throttle.NewHandler(http.FileServer(http.Dir(dir)), nil), originOptions{})
		for _, name := range []string{slow.name, tail.name, tailAVI} {
			start := time.Now()
			args := []string{"-hide_banner", "-loglevel", "error", "-nostdin", "-i", srv.URL + "/" + name,
				"-frames:v", "1", "-f", "null", "-"}
			out, err := run(t, time.Minute, "ffmpeg", args...)
			took := time.Since(start)
			t.Logf("%s: %v", name, took)
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", name, err, out)
			}
			if err := within(name+": first picture", took, 0, 2500*time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	})
}

// throttleVLC compares VLC's position with the clock.
func throttleVLC(t *testing.T, dir string) {
	need(t, "cvlc")
	var seen observed
	h := throttle.New(http.FileServer(http.Dir(dir)), nil, &throttle.HandlerOptions{Observe: seen.add})
	srv := startOrigin(t, h, originOptions{writeTimeout: 2 * time.Second})
	twice(t, func() error { return playVLC(t, srv.URL+"/"+slow.name, 5*time.Second) })
	srv.CloseClientConnections()
	srv.Close()
	responses, sent, _ := seen.sums("/" + slow.name)
	t.Logf("%d responses, %d bytes of %d sent", responses, sent, slow.bytes(t, dir))
	require.NoError(t, within("part of the film that was sent", float64(sent)/float64(slow.bytes(t, dir)), 0.01, 0.15))
}
