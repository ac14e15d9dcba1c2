package e2e_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	hlsvalidate "github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/livesmooth"
)

// TestLiveRestart kills the encoder, which sends each track in a POST of its own, while three players watch, and starts
// it again: its clock begins at zero, the timeline goes on after a discontinuity, and so do the players. dash.js goes on
// by the tfrf of what came before; rx-player 4.5 reads its time only if the duration there is another.
func TestLiveRestart(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg")
	browser := chromium(t)
	s := startStation(t, stationOptions{})
	happened := s.events(t)
	encoder := pushEach(t, s)
	s.waitListed(t, 12*time.Second)
	restarts := 0
	twice(t, func() error {
		restarts++
		var orders []watchOrder
		for player, file := range map[string]string{"dash": "Manifest", "rx": "Manifest", "hls": master("m3u8-aapl")} {
			orders = append(orders, watchOrder{Player: player, URL: s.url + file, Seconds: 5, Outlast: 40, Chromium: browser})
		}
		lists := make(chan error, 1)
		err := watchTogether(t, orders, func() {
			go func() {
				// While no encoder sends, the lists stay as they are.
				lists <- validateLists(t.Context(), s, &hlsvalidate.Options{PlaylistOnly: true, Reloads: 10}, "HR108")
			}()
			encoder.kill()
			time.Sleep(time.Second) // dash.js goes over a gap of four seconds, and often stays in one of six
			encoder = pushEach(t, s)
		})
		return errors.Join(err, <-lists)
	})
	assert.Equal(t, restarts+1, s.Stats().Periods)
	kinds := make(map[livesmooth.EventKind]int)
	for _, e := range happened() {
		kinds[e.Kind]++
	}
	assert.Equal(t, restarts, kinds[livesmooth.ClockRestarted])
	assert.Zero(t, kinds[livesmooth.FragmentDropped])
	media := fmt.Sprintf("QualityLevels(%d)/Manifest(video,format=m3u8-aapl).m3u8", lowRate)
	assert.Contains(t, string(download(t, s.url+media)), "#EXT-X-DISCONTINUITY\n")
	require.NoError(t, encoder.interrupt(10*time.Second))
	s.waitState(t, livesmooth.Stopped) // it has sent the end of all streams
}

// watchTogether watches with several players at a time, and interferes once all of them play. Each must go on with what
// comes after.
func watchTogether(t *testing.T, orders []watchOrder, interfere func()) error {
	t.Helper()
	var playing, done sync.WaitGroup
	errs := make([]error, len(orders))
	playing.Add(len(orders))
	for i, o := range orders {
		once := sync.OnceFunc(playing.Done)
		o.playing = once
		done.Go(func() {
			defer once() // one that does not begin must not keep the others
			r, err := watch(t, o)
			if err == nil {
				err = r.anew()
			}
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", o.Player, err)
			}
		})
	}
	playing.Wait()
	interfere()
	done.Wait()
	return errors.Join(errs...)
}

// anew says what was wrong about the time after an encoder began anew: it comes later on the timeline, once.
func (r *watchReport) anew() error {
	if len(r.Runs) != 2 {
		return fmt.Errorf("expected pictures before and after, got %+v", r.Runs)
	}
	before, after := r.Runs[0], r.Runs[1]
	if after.Start < before.End || after.offset() < before.offset()+float64(before.Last)/frameRate {
		return fmt.Errorf("the timeline goes back: %+v", r.Runs)
	}
	return nil
}

// TestLiveRedundant kills one of two encoders that send the same: viewers see no gap.
func TestLiveRedundant(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg", "gst-launch-1.0")
	browser := chromium(t)
	s := startStation(t, stationOptions{})
	happened := s.events(t)
	first, second := pushOnce(t, s), pushOnce(t, s)
	s.waitListed(t, 12*time.Second)
	twice(t, func() error {
		kill := sync.OnceFunc(first.kill) // a second attempt finds it dead, which is less to ask for
		var others sync.WaitGroup
		var hls watched
		var hlsErr error
		o := watchOrder{Player: "dash", URL: s.url + "Manifest", Seconds: 12, Chromium: browser, playing: func() {
			// Of these it finds twelve.
			others.Go(func() { hls, hlsErr = watchFFmpeg(t, s.url+master("m3u8-aapl"), 22) })
			time.Sleep(time.Second)
			kill()
		}}
		err := watchEvenly(t, o)
		others.Wait()
		return errors.Join(err, hlsErr, hls.even(21))
	})
	for _, e := range happened() {
		assert.NotContains(t, []livesmooth.EventKind{livesmooth.GapFound, livesmooth.FragmentDropped, livesmooth.ClockRestarted}, e.Kind, "%+v", e)
	}
	require.NoError(t, second.interrupt(10*time.Second))
	s.waitState(t, livesmooth.Stopped)
}
