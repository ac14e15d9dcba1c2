package smooth_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// earlyFake is a live fake whose next fragment has been received and is listed after a while.
type earlyFake struct {
	*fakePresentation
	listed time.Duration
}

func (p *earlyFake) Wait(ctx context.Context, k smooth.FragmentKey) error {
	select {
	case <-time.After(p.listed):
		in := p.fragments[k]
		in.Early = false
		p.fragments[k] = in
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestHandlerEarly: a fragment that has been received but is not listed is as if it were not there, for every noun.
func TestHandlerEarly(t *testing.T) {
	const early = "/a.ism/QualityLevels(1200000)/Fragments(video=60000000)"
	for _, tt := range []struct {
		name         string
		listed, wait time.Duration
		target       string
		status       int
		took         time.Duration
		held         uint64
	}{
		{"not held", time.Second, 0, early, 412, 0, 0},
		{"its header", time.Second, 0, "/a.ism/QualityLevels(1200000)/FragmentInfo(video=60000000)", 412, 0, 0},
		{"its data", time.Second, 0, "/a.ism/QualityLevels(1200000)/RawFragments(video=60000000)", 412, 0, 0},
		{"nearly its time", time.Second, 0, "/a.ism/QualityLevels(1200000)/Fragments(video=59999999)", 412, 0, 0},
		{"listed in time", time.Second, 2 * time.Second, early, 200, time.Second, 1},
		{"listed too late", 3 * time.Second, 2 * time.Second, early, 412, 2 * time.Second, 1},
		{"in another case", time.Second, 0, "/a.ism/QualityLevels(1200000)/Fragments(VIDEO=60000000)", 412, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &earlyFake{newFake(t), tt.listed}
				k := videoKey(60000000)
				p.fragments[k] = fakeFragment(t, k, smooth.Video, 10)
				want := p.fragments[k].Memory
				in := p.fragments[k]
				in.Early = true
				p.fragments[k] = in
				m := p.snapshot.Manifest.Clone()
				m.IsLive = true
				if tt.name == "nearly its time" { // as if a client knew it from the list of another server
					m.Streams[0].Timeline = append(m.Streams[0].Timeline, smooth.Chunk{Time: 60000000, Duration: 20000000})
				}
				p.snapshot = smooth.NewSnapshot(m, "live")
				h := smooth.NewHandler(&fakeSource{name: "a.ism", p: p}, quiet(&smooth.HandlerOptions{WaitAtEdge: tt.wait, TimeTolerance: 10}))
				start := time.Now()
				resp := do(h, "GET", tt.target)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				assert.Equal(t, tt.status, resp.StatusCode)
				assert.Equal(t, tt.took, time.Since(start))
				assert.Equal(t, tt.held, h.Stats().Held)
				assert.Zero(t, p.open, "nothing stays open")
				if tt.status == 412 {
					assert.Empty(t, body)
					assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
				} else {
					assert.Equal(t, want, body)
				}
			})
		})
	}
}
