package e2e_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// unsteady is an encoder that breaks off, loses fragments, and begins its clock anew, all before a point.
type unsteady struct {
	t     *testing.T
	p     *livesmooth.Point
	clock *atomic.Int64
	r     *rand.Rand
	enc   *smoothtest.Encoder
	at    time.Duration
	w     *io.PipeWriter
	done  chan error
}

func (u *unsteady) config() smoothtest.Config {
	const second = smooth.DefaultTimescale
	return smoothtest.Config{MaxPayload: 2000, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(1, 2*second), Levels: []smoothtest.Level{{Bitrate: 900_000}, {Bitrate: 300_000}}},
		{Type: smooth.Audio, Durations: smoothtest.Repeat(1, 2*second), Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}
}

func (u *unsteady) connect(anew bool) {
	if u.w != nil {
		u.w.Close()
		require.NoError(u.t, <-u.done)
	}
	r, w := io.Pipe()
	u.w, u.done = w, make(chan error, 1)
	go func() { u.done <- u.p.Push(context.Background(), livesmooth.PushInfo{Input: "1"}, r) }()
	if anew {
		u.enc, u.at = smoothtest.NewEncoder(u.config()), 0
	}
	u.write(u.enc.Header())
}

func (u *unsteady) write(b []byte) {
	_, err := u.w.Write(b)
	require.NoError(u.t, err)
}

// step goes on by one fragment of each track, mostly.
func (u *unsteady) step() {
	switch u.r.IntN(12) {
	case 0:
		u.clock.Add(int64(time.Duration(u.r.IntN(20)) * time.Second))
		u.connect(true)
	case 1:
		u.connect(false)
	case 2:
		u.at += time.Duration(1+u.r.IntN(5)) * 2 * time.Second
		u.enc.Until(u.at) // lost
	}
	u.at += 2 * time.Second
	u.clock.Add(int64(2 * time.Second))
	u.write(u.enc.Until(u.at))
}

// TestLiveLists has the validator follow the media playlists of a point whose encoder does all that breaks them.
func TestLiveLists(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for _, format := range []string{"m3u8-aapl", "m3u8-cmaf"} {
				clock := new(atomic.Int64)
				clock.Store(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC).UnixNano())
				out := hls.NewOutput(nil)
				set := livesmooth.DefaultSettings()
				set.Viewers.WindowLength = 60 * time.Second
				srv, err := livesmooth.NewServer(&livesmooth.Options{
					Logger: slog.New(slog.DiscardHandler), Points: map[string]*livesmooth.Settings{"a.isml": set},
					Now:     func() time.Time { return time.Unix(0, clock.Load()) },
					Viewers: &smooth.HandlerOptions{Outputs: []smooth.Output{out}},
				})
				require.NoError(t, err)
				web := httptest.NewServer(http.Handler(srv))
				p, err := srv.Point("a.isml")
				require.NoError(t, err)
				require.NoError(t, p.Start(context.Background()))
				u := &unsteady{t: t, p: p, clock: clock, r: rand.New(rand.NewPCG(seed, 9))}
				u.connect(true)
				for range 20 {
					u.step()
				}
				url := web.URL + "/a.isml/QualityLevels(900000)/Manifest(video,format=" + format + ").m3u8"
				report, err := validate.URL(context.Background(), url, &validate.Options{
					PlaylistOnly: true, Reloads: 120,
					Wait: func(context.Context, time.Duration) error { u.step(); return nil },
				})
				require.NoError(t, err)
				for _, v := range report.Violations { // gaps and discontinuities are worth a warning each
					assert.NotEqual(t, validate.Error, v.Rule.Severity, "%s: %v", format, v)
				}
				u.w.Close()
				require.NoError(t, srv.Close())
				web.Close()
			}
		})
	}
}
