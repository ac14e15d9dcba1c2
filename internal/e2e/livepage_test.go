package e2e_test

import (
	"slices"
	"testing"
	"time"
)

// TestLivePage starts the example server, pushes to the point that it has, and watches on its page: with its small player,
// going back and to the live edge by the bar below the picture.
func TestLivePage(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg")
	browser := chromium(t)
	page := startMediaServer(t)
	const name = "live/demo.isml"
	start(t, "ffmpeg", slices.Concat(ffmpegInput(), allTracks(), ismlTo(page+name+"/Streams(enc1)"))...)
	time.Sleep(8 * time.Second) // until there is something to watch; the page waits for the rest itself
	o := watchOrder{Player: "page", URL: page, Name: name, Seconds: 10, Rewind: true, Chromium: browser}
	twice(t, func() error { return watchEvenly(t, o) })
}
