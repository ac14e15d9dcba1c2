package throttle_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// content serves zeros of a size under any name, as net/http serves files.
func content(size int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, r.URL.Path, time.Time{}, &zeros{size: size})
	})
}

// encoded says in variables what rate the content has, so that no test needs a file of it.
func encoded(rate throttle.Rate, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := throttle.Variables{FileExtension: "mp4", EncodedRate: rate}
		next.ServeHTTP(w, r.WithContext(throttle.WithVariables(r.Context(), v)))
	})
}

func mp4Rules(burst time.Duration, percent int) *throttle.Rules {
	return &throttle.Rules{Settings: []throttle.Setting{{Match: ".mp4", InitialBufferTime: burst, RatePercentage: percent}}}
}

// From 64 kbit/s to 1 Gbit/s, what has been sent is never more than the law allows, nor less by more than a quantum, and
// no write after the burst is larger than that.
func TestLaw(t *testing.T) {
	for _, rate := range []throttle.Rate{64_000, 300_000, throttle.MbitPerSecond, 12_345_678, 100 * throttle.MbitPerSecond, throttle.GbitPerSecond} {
		for _, interval := range []time.Duration{50 * time.Millisecond, 250 * time.Millisecond, time.Second} {
			for _, burst := range []time.Duration{0, 10 * time.Second} {
				t.Run(fmt.Sprintf("%v/%v/%v", rate, interval, burst), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testLaw(t, rate, interval, burst) })
				})
			}
		}
	}
}

func testLaw(t *testing.T, rate throttle.Rate, interval, burst time.Duration) {
	const percent = 110
	steady := rate * percent / 100
	size := rate.Bytes(burst) + steady.Bytes(30*time.Second)
	var seen []throttle.Observation
	h := throttle.New(content(size), mp4Rules(burst, percent), &throttle.HandlerOptions{
		Interval: interval, Observe: func(o throttle.Observation) { seen = append(seen, o) },
	})
	w, start := newWire(), time.Now()
	encoded(rate, h).ServeHTTP(w, httptest.NewRequest("GET", "/film.mp4", nil))
	require.Equal(t, size, w.sent)

	quantum := max(min(steady.Bytes(interval), max(1<<20, steady.Bytes(8*time.Millisecond))), throttle.DefaultMinSendSize)
	var sent int64
	for i, one := range w.writes {
		at := one.at.Sub(start)
		allowed := rate.Bytes(burst) + steady.Bytes(at)
		before := sent
		sent += one.n
		require.LessOrEqual(t, sent, allowed, "write %d after %v", i, at)
		require.True(t, one.file, "sendfile")
		if at > 0 {
			// The quantum is rounded down to whole bytes.
			require.LessOrEqual(t, allowed-before, quantum+1, "write %d after %v is late", i, at)
			require.LessOrEqual(t, one.n, quantum, "write %d", i)
			if i < len(w.writes)-1 {
				require.GreaterOrEqual(t, one.n, min(quantum/2, throttle.DefaultMinSendSize), "write %d", i)
			}
		}
	}
	took := time.Since(start)
	assert.InDelta(t, 30, took.Seconds(), interval.Seconds()+steady.Time(quantum).Seconds())
	require.Len(t, seen, 1)
	o := seen[0]
	assert.Equal(t, rate.Bytes(burst), o.BurstBytes)
	assert.Equal(t, size-o.BurstBytes, o.SteadyBytes)
	assert.Equal(t, took, o.Waited)
	assert.False(t, o.Aborted)
	assert.Equal(t, steady, o.Rate)
	assert.Equal(t, rate, o.Encoded)
	stats := h.Stats()
	assert.Equal(t, uint64(o.BurstBytes), stats.BurstBytes)
	assert.Equal(t, uint64(o.SteadyBytes), stats.SteadyBytes)
	assert.Zero(t, stats.Active)
}

// stalling is a wire that once stands still for a while, as a processor does that has other things to do.
type stalling struct {
	*wire
	at    int // the write that does
	stall time.Duration
}

func (w *stalling) ReadFrom(src io.Reader) (int64, error) {
	if len(w.writes) == w.at {
		time.Sleep(w.stall)
	}
	return w.wire.ReadFrom(src)
}

// What a server was too late for by less than an interval it makes up for, also where there is no burst and a quantum
// lasts a few milliseconds, and at a rate that the site's target has raised.
func TestLateWrites(t *testing.T) {
	const rate = throttle.GbitPerSecond
	raised := dataRules(throttle.MbitPerSecond)
	raised.TargetRate = rate
	for name, rules := range map[string]*throttle.Rules{"set": dataRules(rate), "raised": raised} {
		for _, stall := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s/%v", name, stall), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := throttle.New(content(rate.Bytes(time.Second)), rules, nil)
					w, start := &stalling{newWire(), 50, stall}, time.Now()
					h.ServeHTTP(w, httptest.NewRequest("GET", "/x.dat", nil))
					assert.InDelta(t, time.Second, time.Since(start), float64(rate.Time(1<<20)))
					var sent int64
					for i, one := range w.writes {
						sent += one.n
						require.LessOrEqual(t, sent, rate.Bytes(one.at.Sub(start)), "write %d", i)
						require.LessOrEqual(t, one.n, int64(1<<20), "write %d", i)
					}
				})
			})
		}
	}
}
