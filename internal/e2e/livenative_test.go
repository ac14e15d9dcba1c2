package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	hlsvalidate "github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// watched is what a client without a screen has shown: the numbers of all frames, and how long the sound was, in
// seconds.
type watched struct {
	codes []int
	sound float64
}

// even says what was uneven: frames that do not follow each other, or fewer seconds than wanted.
func (w watched) even(seconds float64) error {
	for i := 1; i < len(w.codes); i++ {
		if w.codes[i] != w.codes[i-1]+1 {
			return fmt.Errorf("the frames shown do not follow each other: %s", describeCodes(w.codes))
		}
	}
	if len(w.codes) == 0 || w.codes[0] < 0 {
		return fmt.Errorf("no frames with numbers: %s", describeCodes(w.codes))
	}
	if got := float64(len(w.codes)) / frameRate; got < seconds || w.sound < seconds {
		return fmt.Errorf("%.1f s of picture and %.1f s of sound, expected %.1f s", got, w.sound, seconds)
	}
	return nil
}

// readWatched reads the files that a client has written: small pictures, and plain sound with one channel.
func readWatched(video, audio string) (w watched, err error) {
	if w.codes, err = readCodes(video); err != nil {
		return w, err
	}
	info, err := os.Stat(audio)
	if err != nil {
		return w, err
	}
	const second = 48000 * 2 // bytes
	w.sound = float64(info.Size()) / second
	return w, nil
}

// watchGStreamer plays in real time for some seconds, with mssdemux or hlsdemux. It is playbin, since uridecodebin in
// gst-launch-1.0 hands out sound and stops with the picture when both go to files (GStreamer 1.22). There is no end to
// wait for, and it does not let itself be interrupted.
func watchGStreamer(t *testing.T, url string, seconds time.Duration) (watched, error) {
	video, audio := filepath.Join(t.TempDir(), "video"), filepath.Join(t.TempDir(), "audio")
	const sink = " ! filesink sync=true buffer-mode=2 location="
	p, err := launch(t, "gst-launch-1.0", "-q", "playbin", "flags=video+audio", "uri="+url, "connection-speed=1000",
		fmt.Sprintf("video-sink=videoconvert ! videoscale ! video/x-raw,format=GRAY8,width=%d,height=%d,pixel-aspect-ratio=1/1",
			codeCells, codeRows)+sink+video,
		"audio-sink=audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=1"+sink+audio)
	if err != nil {
		return watched{}, err
	}
	time.Sleep(seconds)
	p.kill()
	return readWatched(video, audio)
}

// watchFFmpeg reads some seconds of HLS: first what is listed already, as fast as it can, then what comes. The list of
// the sound may begin a little before that of the picture, so that of one of them there may be less. Options are for the
// input.
func watchFFmpeg(t *testing.T, url string, seconds float64, options ...string) (watched, error) {
	video, audio := filepath.Join(t.TempDir(), "video"), filepath.Join(t.TempDir(), "audio")
	duration := strconv.FormatFloat(seconds, 'f', -1, 64)
	err := ffmpeg(t, append(options, "-i", url, "-fps_mode", "passthrough", "-map", "0:v:0", "-t", duration,
		"-vf", fmt.Sprintf("scale=%d:%d:flags=area,format=gray", codeCells, codeRows), "-f", "rawvideo", video,
		"-map", "0:a:0", "-t", duration, "-ac", "1", "-f", "s16le", audio)...)
	if err != nil {
		return watched{}, err
	}
	return readWatched(video, audio)
}

// watchInPrograms uses the clients without a browser, all at the same time, since they leave the processors much to do.
func watchInPrograms(t *testing.T, s *station) {
	need(t, "gst-launch-1.0", "cvlc")
	const seconds = 12
	gstreamer := func(file string) func() error {
		return func() error {
			w, err := watchGStreamer(t, s.url+file, seconds*time.Second)
			return errors.Join(err, w.even(seconds-5))
		}
	}
	clients := map[string]func() error{
		"mssdemux": gstreamer("Manifest"),
		"hlsdemux": gstreamer(master("m3u8-aapl-v3")),
		"ffmpeg": func() error {
			const some = 20 // of which it finds twelve
			w, err := watchFFmpeg(t, s.url+master("m3u8-aapl"), some)
			return errors.Join(err, w.even(some-1))
		},
		"vlc": func() error { return playVLC(t, s.url+"Manifest", 6*time.Second) },
		"validators": func() error {
			opts := &hlsvalidate.Options{Sample: 3, Reloads: 3}
			return errors.Join(validateManifest(t, s), validateLists(t.Context(), s, opts))
		},
	}
	together(t, clients)
}

// together uses clients at the same time, each once more if it fails.
func together(t *testing.T, clients map[string]func() error) {
	t.Helper()
	var done sync.WaitGroup
	for name, watch := range clients {
		done.Go(func() {
			err := watch()
			if err != nil {
				t.Logf("%s: trying once more after: %v", name, err)
				err = watch()
			}
			assert.NoError(t, err, name)
		})
	}
	done.Wait()
}

// validateManifest checks the manifest of a point and all that it lists.
func validateManifest(t *testing.T, s *station) error {
	report, err := validate.URL(t.Context(), s.url+"Manifest", nil)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range report.Violations {
		errs = append(errs, fmt.Errorf("%v", v))
	}
	if report.Checked.Fragments < 12 {
		errs = append(errs, fmt.Errorf("%d fragments checked", report.Checked.Fragments))
	}
	return errors.Join(errs...)
}

// validateLists checks the HLS of a point, and again as it changes, by all rules but some.
func validateLists(ctx context.Context, s *station, opts *hlsvalidate.Options, but ...string) error {
	report, err := hlsvalidate.URL(ctx, s.url+master("m3u8-aapl"), opts)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range report.Violations {
		if _, known := advice[v.Rule.ID]; !known && !slices.Contains(but, v.Rule.ID) {
			errs = append(errs, fmt.Errorf("%v", v))
		}
	}
	return errors.Join(errs...)
}
