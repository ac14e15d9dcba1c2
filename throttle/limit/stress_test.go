package limit_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/limit"
)

// somebody is a request of one of a few clients for one of a few files, by the numbers of a generator.
func somebody(rng *rand.Rand) *http.Request {
	paths := []string{"/live/a.isml/Manifest", "/live/b.isml/QualityLevels(1)/Fragments(video=1)", "/vod/c/1.ts", "/vod/d.mp4", "/missing"}
	r := request(paths[rng.IntN(len(paths))], fmt.Sprintf("10.0.0.%d", rng.IntN(20)))
	switch rng.IntN(4) {
	case 0:
		r.Header.Set("X-Playback-Session-Id", fmt.Sprint(rng.IntN(10)))
	case 1:
		r.Header.Set("Edge", fmt.Sprint(rng.IntN(3)))
	}
	return r
}

// someRules are rules by the numbers of a generator, in which most limits are small.
func someRules(rng *rand.Rand) limit.Rules {
	n := func() int { return rng.IntN(12) - 1 }
	limits := func() limit.Limits {
		return limit.Limits{
			Players: n(), PlayersPerFile: n(), PlayersPerAddress: n(), ConnectionRate: n() * 50, DistributionConnections: n(),
			PlayerBandwidth: throttle.Rate(n()) * throttle.MbitPerSecond, BandwidthPerPlayer: throttle.Rate(n()) * throttle.GbitPerSecond,
			PlayerCeiling: throttle.Rate(n()) * throttle.GbitPerSecond, PlayerInactivityTimeout: time.Duration(n()) * time.Second,
		}
	}
	rules := limit.Rules{Server: limits(), Groups: []limit.Group{{Name: "ts", Limit: n(), Patterns: []string{"*.ts"}}}}
	for _, p := range []string{"/live", "/live/a.isml", "/vod"} {
		if rng.IntN(2) == 0 {
			rules.Points = append(rules.Points, limit.Point{Path: p, Replace: rng.IntN(2) == 0, Limits: limits()})
		}
	}
	return rules
}

// stressed returns a handler with everything turned on.
func stressed(c *clock, observe func(limit.Event)) *limit.Handler {
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, "some bytes")
	})
	return limit.NewHandler(next, &limit.Options{
		Now: c.Now, Observe: observe, Distribution: func(r *http.Request) string { return r.Header.Get("Edge") }, MaxSessions: 100,
	})
}

// assertEmpty asserts that nothing is left when all sessions have expired.
func assertEmpty(t *testing.T, c *clock, h *limit.Handler) {
	t.Helper()
	c.pass(time.Hour)
	h.SetRules(limit.Rules{})
	s := h.Stats(10)
	assert.Zero(t, s.Players.Now)
	assert.Zero(t, s.Players.Allocated)
	assert.Zero(t, s.Distribution.Now)
	assert.Zero(t, s.Distribution.Allocated)
	assert.Equal(t, s.Admitted, s.Ended)
	assert.Empty(t, s.Groups)
	assert.Empty(t, s.Files)
	h.SetRules(limit.Rules{})
	assert.Empty(t, h.Stats(0).Points)
	assert.Zero(t, limit.Sizes(h))
}

func TestManyAtTheSameTime(t *testing.T) {
	c := newClock()
	var admitted, ended, denied atomic.Int64
	h := stressed(c, func(e limit.Event) {
		switch e.Kind {
		case limit.Admitted:
			admitted.Add(1)
		case limit.Ended:
			ended.Add(1)
		case limit.Denied:
			denied.Add(1)
		}
	})
	var wg sync.WaitGroup
	for worker := range 8 {
		rng := rand.New(rand.NewPCG(uint64(worker), 7))
		wg.Go(func() {
			for i := range 400 {
				serve(h, somebody(rng))
				switch {
				case i%50 == 0:
					h.SetRules(someRules(rng))
				case i%20 == 0:
					c.pass(time.Duration(rng.IntN(3000)) * time.Millisecond)
				case i%33 == 0:
					h.Stats(3)
				case i%71 == 0:
					for range h.Sessions() {
					}
				}
			}
		})
	}
	wg.Wait()
	assertEmpty(t, c, h)
	s := h.Stats(0)
	var refused int64
	for _, n := range s.Denied {
		refused += n
	}
	assert.Equal(t, s.Admitted, admitted.Load())
	assert.Equal(t, s.Ended, ended.Load())
	assert.Equal(t, refused, denied.Load())
	assert.Positive(t, refused)
}

// TestAgainstModel compares with the simplest thing that could be right: a list of who came when.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := limit.Limits{Players: 5 + rng.IntN(10), PlayersPerFile: 3, PlayersPerAddress: 2}
		d := newDesk(ok, server(l))
		type who struct{ file, address string }
		last := make(map[who]time.Time)
		for step := range 400 {
			d.pass(time.Duration(rng.IntN(4000)) * time.Millisecond)
			w := who{fmt.Sprintf("/%d.mp4", rng.IntN(6)), fmt.Sprintf("10.0.0.%d", rng.IntN(8))}
			files, addresses := 0, 0
			for other, at := range last {
				switch {
				case d.Now().Sub(at) >= limit.DefaultInactivityTimeout:
					delete(last, other)
				default:
					if other.file == w.file {
						files++
					}
					if other.address == w.address {
						addresses++
					}
				}
			}
			_, there := last[w]
			want := there || len(last) < l.Players && files < l.PlayersPerFile && addresses < l.PlayersPerAddress
			got := get(d, w.file, w.address) == http.StatusOK
			require.Equal(t, want, got, "seed %d step %d: %v of %d viewers, %d of the file, %d of the address",
				seed, step, w, len(last), files, addresses)
			if got {
				last[w] = d.Now()
			}
			if step%10 == 0 {
				require.Equal(t, len(last), d.players(), "seed %d step %d", seed, step)
			}
		}
	}
}
