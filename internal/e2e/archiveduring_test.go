package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	hlsvalidate "github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/livesmooth"
)

// TestArchiveDuring watches an event while it is recorded. The point keeps sixteen seconds, of which four are in memory; the
// archive has the event from its beginning.
func TestArchiveDuring(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg")
	browser := chromium(t)
	const window, memory, before = 16 * time.Second, 4 * time.Second, 24 * time.Second
	a := startArchive(t)
	s := startStation(t, stationOptions{sink: a, settings: func(s *livesmooth.Settings) {
		s.Archive.Enabled = true
		s.Viewers.WindowLength, s.Viewers.LiveCacheLength = window, memory
	}})
	pushOnce(t, s)
	dir := a.event(t)
	a.waitListed(t, dir+"/event.isml", before)
	event := a.url + dir + "/"
	player := func(player, url string, over bool) func() error {
		o := watchOrder{Player: player, URL: url, Seconds: 2, Rewind: true, Over: over, Chromium: browser}
		return func() error {
			r, err := watch(t, o)
			if err != nil {
				return err
			}
			return errors.Join(r.even(o), r.from(over))
		}
	}
	list := master("m3u8-aapl")
	together(t, map[string]func() error{
		"dash, start over":   player("dash", event+"event.isml/Manifest", true),
		"hls.js, start over": player("hls", event+"event.isml/"+list, true),
		"dash, from memory and archive": func() error {
			err := player("dash", s.url+"Manifest", false)()
			assert.Less(t, s.Stats().Memory, int64(s.Stats().Inputs[0].Sources[0].Bytes/2), "what it has gone back to was not in memory")
			return err
		},
		"ffmpeg, start over": func() error {
			// It takes what is there at once and goes on with what comes.
			w, err := watchFFmpeg(t, event+"event.isml/"+list, (before + 6*time.Second).Seconds(), "-live_start_index", "0")
			return errors.Join(err, w.whole(int((before+6*time.Second).Seconds())*frameRate))
		},
		"validators": func() error {
			live := &station{url: event + "event.isml/"}
			return errors.Join(validateManifest(t, live), validateLists(t.Context(), live, &hlsvalidate.Options{Sample: 3, Reloads: 3}))
		},
		"ffmpeg, on demand": func() error { return a.watchNow(t, event+"event.ism/", before) },
		"ffmpeg, segment":   func() error { return a.watchNow(t, event+"1/event.ism/", before) },
	})
}

// watchNow reads what there is of an event to the end, which comes by itself.
func (a *recorder) watchNow(t *testing.T, url string, atLeast time.Duration) error {
	if list := string(download(t, fmt.Sprintf("%sQualityLevels(%d)/Manifest(video,format=m3u8-aapl).m3u8", url, highRate))); !strings.HasSuffix(list, "#EXT-X-ENDLIST\n") {
		return fmt.Errorf("not a finished list: %s", list)
	}
	w, err := watchFFmpeg(t, url+master("m3u8-aapl"), 600)
	return errors.Join(err, w.whole(int(atLeast.Seconds())*frameRate))
}

// from says whether a viewer who has gone back was at the beginning of the event.
func (r *watchReport) from(beginning bool) error {
	if got := r.Rewound.First < 3; got != beginning {
		return fmt.Errorf("gone back to frame %d", r.Rewound.First)
	}
	return nil
}
