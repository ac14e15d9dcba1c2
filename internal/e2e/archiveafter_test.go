package e2e_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// TestArchiveAfter records one event twice: as one presentation, and cut every six seconds. Viewers who watch the archive while the
// event goes on come to its end, and then it is a presentation on demand.
func TestArchiveAfter(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg")
	browser := chromium(t)
	const seconds = 24
	whole, cut := startArchive(t), startArchive(t)
	points := []*station{recordInto(t, whole, 0), recordInto(t, cut, 6*time.Second)}
	encoder := pushToAll(t, seconds, points...)
	one, many := whole.event(t), cut.event(t)
	cut.waitListed(t, many+"/event.isml", 8*time.Second)
	first := download(t, cut.url+many+"/"+firstFragment("event.isml"))

	toTheEnd := func(player, url string) func() error {
		o := watchOrder{Player: player, URL: url, Seconds: 2, Last: seconds*frameRate - 1, Chromium: browser}
		return func() error {
			r, err := watch(t, o)
			if err == nil && math.Abs(r.End.offset()-r.Runs[0].offset()) > 0.1 {
				err = fmt.Errorf("the timeline is another at the end: %+v, %+v", r.Runs[0], r.End)
			}
			return err
		}
	}
	together(t, map[string]func() error{
		"dash to the end":   toTheEnd("dash", whole.url+one+"/event.isml/Manifest"),
		"rx to the end":     toTheEnd("rx", cut.url+many+"/event.isml/Manifest"),
		"hls.js to the end": toTheEnd("hls", cut.url+many+"/event.isml/"+master("m3u8-aapl")),
		"finished": func() error {
			<-encoder.done
			return errors.Join(whole.finished(t, points[0], one), cut.finished(t, points[1], many))
		},
	})
	assert.Equal(t, first, download(t, cut.url+many+"/"+firstFragment("event.isml")), "what live viewers get of an event that has ended")

	onDemand := func(player, url string) func() error {
		o := watchOrder{Player: player, URL: url, Seconds: 2, Seek: 17, Chromium: browser} // it plays two seconds from there, across a cut
		return func() error {
			r, err := watch(t, o)
			if err != nil {
				return err
			}
			if r.Runs[0].First > 2 {
				err = fmt.Errorf("begins with frame %d", r.Runs[0].First)
			}
			return errors.Join(err, r.even(o))
		}
	}
	together(t, map[string]func() error{
		"dash":   onDemand("dash", cut.url+many+"/event.ism/Manifest"),
		"hls.js": onDemand("hls", cut.url+many+"/event.ism/"+master("m3u8-aapl")),
		"ffmpeg": func() error {
			_, err := readAll(t, whole.url+one+"/event.ism/", 0, seconds)
			return err
		},
		"ffmpeg across segments": func() error {
			_, err := readAll(t, cut.url+many+"/event.ism/", 0, seconds)
			return err
		},
		"ffmpeg, each segment": func() error { return readSegments(t, cut.url+many+"/", seconds) },
	})
	together(t, map[string]func() error{
		"validators": func() error {
			var errs []error
			for _, url := range []string{whole.url + one, cut.url + many} {
				demand, was := &station{url: url + "/event.ism/"}, &station{url: url + "/event.isml/"}
				errs = append(errs, validateManifest(t, demand), validateLists(t.Context(), demand, nil),
					// The bit rates of key frames are still what they were said to be at most while it was live.
					validateManifest(t, was), validateLists(t.Context(), was, nil, "HC108"))
			}
			return errors.Join(errs...)
		},
		"rx":     onDemand("rx", cut.url+many+"/event.ism/Manifest"),
		"dash":   onDemand("dash", whole.url+one+"/event.ism/Manifest"),
		"native": onDemand("native", cut.url+many+"/event.ism/"+master("m3u8-aapl")),
	})
}

func firstFragment(name string) string {
	return fmt.Sprintf("%s/QualityLevels(%d)/Fragments(video=0)", name, highRate)
}

// recordInto starts a station that records into an archive, cut into segments of a length unless it is zero.
func recordInto(t *testing.T, a *recorder, segment time.Duration) *station {
	t.Helper()
	return startStation(t, stationOptions{sink: a, settings: func(s *livesmooth.Settings) {
		s.Archive.Enabled, s.Archive.SegmentLength = true, segment
	}})
}

// pushToAll codes once, in real time, and pushes all tracks to several points, for some seconds.
func pushToAll(t *testing.T, seconds int, points ...*station) *program {
	t.Helper()
	var to []string
	for _, s := range points {
		to = append(to, "[f=ismv:movflags=isml+frag_keyframe]"+s.url+"Streams(enc1)")
	}
	return start(t, "ffmpeg", slices.Concat(ffmpegInput(), allTracks(),
		[]string{"-flags", "+global_header", "-t", fmt.Sprint(seconds), "-f", "tee", strings.Join(to, "|")})...)
}

// finished waits until an event has ended, and within a second from then on it has to be complete: for live viewers, for those on
// demand, and on the disk.
func (r *recorder) finished(t *testing.T, of *station, event string) error {
	for of.State() != livesmooth.Stopped {
		time.Sleep(10 * time.Millisecond)
	}
	var err error
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = r.complete(t, event); err == nil {
			break
		}
	}
	return err
}

// complete says what is not complete of an event.
func (r *recorder) complete(t *testing.T, event string) error {
	for _, name := range []string{"event.isml", "event.ism"} {
		url := r.url + event + "/" + name + "/"
		if m := string(download(t, url+"Manifest")); strings.Contains(m, "IsLive") {
			return fmt.Errorf("%s is live: %s", name, m)
		}
		list := string(download(t, fmt.Sprintf("%sQualityLevels(%d)/Manifest(video,format=m3u8-aapl).m3u8", url, highRate)))
		if !strings.HasSuffix(list, "#EXT-X-ENDLIST\n") {
			return fmt.Errorf("the list of %s has no end: %s", name, list)
		}
		if name == "event.ism" && !strings.Contains(list, "#EXT-X-PLAYLIST-TYPE:VOD\n") {
			return fmt.Errorf("the list of %s is not one on demand: %s", name, list)
		}
	}
	segments, err := filepath.Glob(filepath.Join(r.dir, filepath.FromSlash(event), "*", "event.ism"))
	if err != nil || len(segments) == 0 {
		return fmt.Errorf("no segments: %w", err)
	}
	for _, s := range segments {
		if _, err := os.Stat(s + "c"); err != nil {
			return err
		}
		if _, err := os.Stat(strings.TrimSuffix(s, ".ism") + ".journal"); err == nil {
			return fmt.Errorf("%s has a journal", path.Base(filepath.Dir(s)))
		}
	}
	return nil
}

// readAll reads a presentation by HLS to its end: all frames, from one to before another second of the event. It returns how
// long the sound was.
func readAll(t *testing.T, url string, from, to int) (sound float64, err error) {
	w, err := watchFFmpeg(t, url+master("m3u8-aapl"), 600)
	if err != nil {
		return 0, err
	}
	want := describeCodes(numbers(from*frameRate, to*frameRate))
	if got := describeCodes(w.codes); got != want {
		return 0, fmt.Errorf("%s: frames %s instead of %s", url, got, want)
	}
	const packets = 0.08 // of sound are not at the same place as pictures
	if d := w.sound - float64(to-from); d < -packets || d > packets {
		return 0, fmt.Errorf("%s: %.3f s of sound with %d s of picture", url, w.sound, to-from)
	}
	return w.sound, nil
}

func numbers(from, to int) (list []int) {
	for ; from < to; from++ {
		list = append(list, from)
	}
	return list
}

// readSegments reads each segment of six seconds by itself. Together they have all the frames, and all the sound.
func readSegments(t *testing.T, event string, seconds int) error {
	sound := 0.0
	for n, from := 1, 0; from < seconds; n, from = n+1, from+6 {
		s, err := readAll(t, fmt.Sprintf("%s%d/event.ism/", event, n), from, min(from+6, seconds))
		if err != nil {
			return err
		}
		sound += s
	}
	whole, err := watchFFmpeg(t, event+"event.ism/"+master("m3u8-aapl"), 600)
	if err == nil && (sound < whole.sound-0.03 || sound > whole.sound+0.03) {
		err = fmt.Errorf("%.3f s of sound in the segments, %.3f s in the event", sound, whole.sound)
	}
	return err
}
