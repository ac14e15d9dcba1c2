package e2e_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestLive watches one event, pushed by ffmpeg in one POST, with one client after another, and at last at an edge that
// pulls it. The memory budget holds a third of the window, the spool the rest.
func TestLive(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg")
	const budget = 1 << 20
	s := startStation(t, stationOptions{budget: budget})
	pushOnce(t, s)
	s.waitListed(t, 12*time.Second)
	t.Run("programs", func(t *testing.T) { watchInPrograms(t, s) })
	for _, c := range []struct {
		player, file string
		seconds      float64
	}{
		{"dash", "Manifest", 20}, {"rx", "Manifest", 20}, {"hls", master("m3u8-aapl"), 8}, {"native", master("m3u8-aapl"), 5},
	} {
		t.Run(c.player, func(t *testing.T) {
			o := watchOrder{Player: c.player, URL: s.url + c.file, Seconds: c.seconds, Chromium: chromium(t)}
			o.Rewind = c.player != "native" // which does not say what it can seek in
			twice(t, func() error { return watchEvenly(t, o) })
			stats := s.Stats()
			assert.LessOrEqual(t, stats.Memory, int64(budget))
			assert.Greater(t, stats.Inputs[0].Sources[0].Bytes, uint64(2*budget), "what it has gone back to was not in memory")
		})
	}
	t.Run("edge", func(t *testing.T) { watchEdge(t, s) })
}

// watchEvenly runs the driver once, and demands that nothing is left out or stalls.
func watchEvenly(t *testing.T, o watchOrder) error {
	t.Helper()
	r, err := watch(t, o)
	if r == nil {
		return err
	}
	return errors.Join(err, r.even(o))
}
