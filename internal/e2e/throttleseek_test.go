package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// The script of a player that reads three seconds, drops the connection and goes on where it was, for five minutes,
// a tenth as long in everything: a burst of one second, steps of 0.3 s.
const (
	scriptBurst = time.Second
	scriptStep  = 300 * time.Millisecond
	scriptTime  = 30 * time.Second
)

// scriptRate is that of the content, in bytes per second: so high that what is in the buffers of connections counts little.
const scriptRate = 1_000_000

// scriptStepFunc reads from a byte on for one step, and returns how many bytes it got.
type scriptStepFunc func(ctx context.Context, srv *origin, client *http.Client, from int64) (int64, error)

// throttleReopening plays the script: what the server has sent stays below 1.3 times what was played, of which the
// naive way sends more than four times as much.
func throttleReopening(t *testing.T, _ string) {
	file := filepath.Join(t.TempDir(), "film.mp4")
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(scriptRate*120))
	require.NoError(t, f.Close())
	play := func(name string, step scriptStepFunc) func() error {
		stated := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ResponseThrottler-FileExtension", "mp4")
			w.Header().Set("ResponseThrottler-EncodedBitRateKbps", fmt.Sprint(scriptRate*8/1000))
			http.ServeFile(w, r, file)
		})
		h := throttle.New(stated, rulesFor(scriptBurst, 100), &throttle.HandlerOptions{
			Interval: throttle.DefaultInterval / 10, SeekBurst: throttle.DefaultSeekBurst / 10,
		})
		srv := startOrigin(t, h, originOptions{sendBuffer: 8 << 10})
		return func() error {
			client, start, read := srv.client(), time.Now(), int64(0)
			for at := time.Duration(0); at < scriptTime; at += scriptStep {
				n, err := step(t.Context(), srv, client, int64(scriptRate*at.Seconds()))
				if err != nil {
					return fmt.Errorf("%s, at %v: %w", name, at, err)
				}
				read += min(n, int64(scriptRate*scriptStep.Seconds()))
				time.Sleep(time.Until(start.Add(at + scriptStep)))
			}
			took := time.Since(start)
			sent := float64(srv.socket.sent.Load()) / (scriptRate * scriptTime.Seconds())
			played := float64(read) / (scriptRate * scriptTime.Seconds())
			t.Logf("%s: sent %.3f times the film, of which %.3f were played, in %v", name, sent, played, took)
			// A script that is late has had more time to be sent something.
			return errors.Join(within(name+": sent", sent, 0.9, 1.3*took.Seconds()/scriptTime.Seconds()),
				within(name+": played", played, 0.9, 1.001),
				within(name+": took", took, scriptTime, scriptTime*5/4))
		}
	}
	twice(t, func() error {
		return atOnce(
			play("reads what it plays", func(ctx context.Context, srv *origin, client *http.Client, from int64) (int64, error) {
				return readSome(ctx, client, srv.URL+"/film.mp4", from, int64(scriptRate*scriptStep.Seconds()))
			}),
			play("reads all that comes", func(ctx context.Context, srv *origin, client *http.Client, from int64) (int64, error) {
				ctx, cancel := context.WithTimeout(ctx, scriptStep)
				defer cancel()
				n, err := readSome(ctx, client, srv.URL+"/film.mp4", from, scriptRate*3600)
				if errors.Is(err, context.DeadlineExceeded) {
					err = nil
				}
				return n, err
			}))
	})
}

// readSome reads at most n bytes of a file from a byte on, and drops the connection.
func readSome(ctx context.Context, client *http.Client, url string, from, n int64) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return 0, errors.New(resp.Status)
	}
	return io.CopyN(io.Discard, resp.Body, n)
}
