package throttle_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// read asks for a file from a byte on, reads n bytes of it and drops the connection.
func read(ctx context.Context, client *http.Client, from, n int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://server/film.mp4", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	_, err = io.CopyN(io.Discard, resp.Body, n)
	return err
}

// A player that reads three seconds, drops the connection and goes on where it was, as some do for the whole film, is
// sent little more than it plays; and it plays without a pause after the first three seconds.
func TestReopeningPlayer(t *testing.T) {
	for _, buffer := range []int64{8 << 10, 32 << 10, 64 << 10} {
		for _, pace := range []string{"as it plays", "as fast as it gets"} {
			t.Run(fmt.Sprintf("%d kB, %s", buffer>>10, pace), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const rate = 2 * throttle.MbitPerSecond
					const step, played = 3 * time.Second, 5 * time.Minute
					network := newNetwork(buffer)
					client := serve(t, network, encoded(rate, throttle.NewHandler(content(rate.Bytes(time.Hour)), mp4Rules(10*time.Second, 100))))
					start, late := time.Now(), time.Duration(0)
					for at := time.Duration(0); at < played; at += step {
						require.NoError(t, read(t.Context(), client, rate.Bytes(at), rate.Bytes(step)))
						due := start.Add(at) // when it must have these seconds
						late = max(late, time.Since(due))
						if pace == "as it plays" {
							time.Sleep(time.Until(due.Add(step - time.Second)))
						}
					}
					synctest.Wait()
					ratio := float64(network.arrived.Load()) / float64(rate.Bytes(played))
					t.Logf("sent %.3f times what was played, at most %v late", ratio, late)
					assert.Less(t, ratio, 1.3)
					assert.Less(t, late, step, "never waits for more than what it has")
				})
			})
		}
	}
}

// Whoever seeks gets the burst of a seek, not the first one again, and only so often.
func TestSeeks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = throttle.MbitPerSecond
		network := newNetwork(8 << 10)
		client := serve(t, network, encoded(rate, throttle.NewHandler(content(rate.Bytes(2*time.Hour)), mp4Rules(10*time.Second, 100))))
		start := time.Now()
		for i := range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			err := read(ctx, client, rate.Bytes(time.Duration((i*37)%60)*time.Minute), 1<<40)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		synctest.Wait()
		took := time.Since(start)
		most := rate.Bytes(took + 10*time.Second + 19*3*time.Second)
		assert.Less(t, network.arrived.Load(), most+20*8<<10)
		assert.Greater(t, network.arrived.Load(), rate.Bytes(took+10*time.Second+15*time.Second), "seeks do earn a burst")
	})
}

// A download in pieces from everywhere is not a hundred seeks.
func TestPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = throttle.MbitPerSecond
		network := newNetwork(8 << 10)
		client := serve(t, network, encoded(rate, throttle.NewHandler(content(rate.Bytes(2*time.Hour)), mp4Rules(10*time.Second, 100))))
		start := time.Now()
		for i := range 100 {
			require.NoError(t, read(t.Context(), client, rate.Bytes(time.Duration((i*37)%100)*time.Minute), rate.Bytes(3*time.Second)))
		}
		took := time.Since(start)
		assert.Greater(t, took, 2*time.Minute)
	})
}

// Parallel ranges of one player take from one budget; another viewer behind the same address has one of its own.
func TestParallelRanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = throttle.MbitPerSecond
		network := newNetwork(8 << 10)
		client := serve(t, network, encoded(rate, throttle.NewHandler(content(rate.Bytes(2*time.Hour)), mp4Rules(10*time.Second, 100))))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 4 {
			time.Sleep(time.Millisecond)
			wg.Go(func() { _ = read(ctx, client, rate.Bytes(time.Duration(i)*10*time.Minute), 1<<40) })
		}
		wg.Wait()
		synctest.Wait()
		assert.InDelta(t, rate.Bytes(70*time.Second), network.arrived.Load(), 100_000)
		before := network.arrived.Load()

		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 {
			time.Sleep(time.Millisecond)
			wg.Go(func() { _ = read(ctx, client, 0, 1<<40) })
		}
		wg.Wait()
		synctest.Wait()
		got := network.arrived.Load() - before
		assert.InDelta(t, rate.Bytes(60*time.Second+3*time.Second+70*time.Second), got, 200_000, "a seek to the beginning, and a new viewer")
	})
}

// A player that looks at the header, loads the index at the end of the file and begins to play has not played what the
// first of these responses was sent; who asks for the end again and again gets no more than who seeks.
func TestIndexAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = throttle.MbitPerSecond
		size, index := rate.Bytes(10*time.Minute), rate.Bytes(8*time.Second)
		network := newNetwork(4 << 20) // which takes the whole burst
		client := serve(t, network, encoded(rate, throttle.NewHandler(content(size), mp4Rules(10*time.Second, 100))))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		require.ErrorIs(t, read(ctx, client, 0, 1<<40), context.DeadlineExceeded)
		cancel()
		require.Greater(t, network.arrived.Load(), rate.Bytes(10*time.Second), "the burst is gone")
		require.NoError(t, read(t.Context(), client, size-index, index))
		time.Sleep(10 * time.Millisecond)
		require.NoError(t, read(t.Context(), client, 48, rate.Bytes(3*time.Second)))
		assert.Less(t, time.Since(start), 500*time.Millisecond)

		start = time.Now()
		for range 100 {
			require.NoError(t, read(t.Context(), client, size-index, index))
		}
		assert.Greater(t, time.Since(start), 3*time.Minute)
	})
}

// The burst of a seek is three seconds of content unless told otherwise, and none if that is negative.
func TestSeekBurst(t *testing.T) {
	const rate = throttle.MbitPerSecond
	for option, want := range map[time.Duration]time.Duration{
		0: throttle.DefaultSeekBurst, time.Second: time.Second, time.Hour: 10 * time.Second, -1: 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			h := throttle.New(content(rate.Bytes(2*time.Hour)), mp4Rules(10*time.Second, 100), &throttle.HandlerOptions{SeekBurst: option})
			ask := func(from, d time.Duration) *wire {
				ctx, cancel := context.WithTimeout(t.Context(), d)
				defer cancel()
				w := newWire()
				encoded(rate, h).ServeHTTP(w, request("GET", "/film.mp4", "Range", fmt.Sprintf("bytes=%d-", rate.Bytes(from))).WithContext(ctx))
				return w
			}
			first := ask(0, time.Minute+100*time.Millisecond) // between two quanta, so that nothing is due when it ends
			assert.InDelta(t, rate.Bytes(70*time.Second), first.sent, float64(rate.Bytes(throttle.DefaultInterval)))
			seek := ask(time.Hour, time.Millisecond)
			assert.Equal(t, rate.Bytes(want), seek.sent, "SeekBurst %v", option)
		})
	}
}

// Behind one address, as that of a proxy or of a benchmark, there may be any number of viewers of one film.
func TestManyViewersBehindOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, viewers = throttle.MbitPerSecond, 100
		b := newBench(content(rate.Bytes(2*time.Hour)), mp4Rules(10*time.Second, 100), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wires := make([]*wire, viewers)
		var wg sync.WaitGroup
		for i := range wires {
			wires[i] = newWire()
			wg.Go(func() { encoded(rate, b).ServeHTTP(wires[i], request("GET", "/film.mp4").WithContext(ctx)) })
		}
		wg.Wait()
		for i, w := range wires {
			assert.InDelta(t, rate.Bytes(70*time.Second), w.sent, float64(rate.Bytes(throttle.DefaultInterval)), "viewer %d", i)
		}
		assert.Equal(t, 1, b.Stats().Sessions)
	})
}
