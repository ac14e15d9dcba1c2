package e2e_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLiveGStreamer has GStreamer push with ismlmux, which sends no live server manifest, tfdt instead of tfxd, and no
// bit rates. Without trak-timescale the tracks have timescales of their own.
func TestLiveGStreamer(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg", "gst-launch-1.0")
	clip := filepath.Join(t.TempDir(), "clip.mp4")
	const seconds = 120 // more than it is watched
	require.NoError(t, ffmpeg(t, slices.Concat([]string{
		"-f", "lavfi", "-i", codedPicture(highLines), "-f", "lavfi", "-i", "sine=r=48000",
	}, pictureCoder("-b:v %d", highRate), soundCoder(), []string{"-t", fmt.Sprint(seconds), clip})...))
	stations := make(map[string]*station)
	for _, mux := range []string{"ismlmux trak-timescale=10000000", "ismlmux"} {
		s := startStation(t, stationOptions{})
		stations[mux] = s
		args := fmt.Sprintf("-q filesrc location=%s ! qtdemux name=file "+
			"%s name=mux fragment-duration=2000 ! curlhttpsink use-content-length=false location=%s "+
			"file.video_0 ! h264parse ! identity sync=true ! queue ! mux. file.audio_0 ! aacparse ! identity sync=true ! queue ! mux.",
			clip, mux, s.url+"Streams(gst)")
		start(t, "gst-launch-1.0", strings.Fields(args)...)
	}
	for mux, s := range stations {
		s.waitListed(t, 12*time.Second)
		t.Run(mux+"/browser", func(t *testing.T) {
			o := watchOrder{Player: "dash", URL: s.url + "Manifest", Seconds: 4, Rewind: true, Chromium: chromium(t)}
			twice(t, func() error { return watchEvenly(t, o) })
		})
		t.Run(mux+"/programs", func(t *testing.T) {
			twice(t, func() error {
				var mss watched
				var errMSS error
				var other sync.WaitGroup
				other.Go(func() { mss, errMSS = watchGStreamer(t, s.url+"Manifest", 11*time.Second) })
				w, err := watchFFmpeg(t, s.url+master("m3u8-aapl"), 16)
				other.Wait()
				return errors.Join(err, w.even(14), errMSS, mss.even(3)) // its sound may begin a fragment later
			})
		})
	}
}
