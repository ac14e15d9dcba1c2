package limit_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/limit"
)

// wire is a response writer that notes what is sent when, by all responses that share it.
type wire struct {
	header    http.Header
	mu        sync.Mutex
	begun     time.Time
	total     int64
	largest   int64
	worst     int64 // the most bytes above rate * time
	rate      throttle.Rate
	sources   []string // types of what ReadFrom was given
	deadlines []time.Time
	flushes   int
}

func newWire(rate throttle.Rate) *wire {
	return &wire{header: make(http.Header), begun: time.Now(), rate: rate}
}

func (w *wire) Header() http.Header { return w.header }
func (w *wire) WriteHeader(int)     {}

func (w *wire) note(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total += n
	w.largest = max(w.largest, n)
	w.worst = max(w.worst, w.total-w.rate.Bytes(time.Since(w.begun)))
}

func (w *wire) Write(p []byte) (int, error) {
	w.note(int64(len(p)))
	return len(p), nil
}

func (w *wire) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flushes++
	return nil
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	w.deadlines = append(w.deadlines, t)
	return nil
}

func (w *wire) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, errHijacked }

var errHijacked = errors.New("hijacked")

// fileWire is one that sends files by itself.
type fileWire struct{ *wire }

func (w fileWire) ReadFrom(src io.Reader) (int64, error) {
	kind := fmt.Sprintf("%T", src)
	if l, ok := src.(*io.LimitedReader); ok {
		kind += fmt.Sprintf(" of %T", l.R)
	}
	w.sources = append(w.sources, kind)
	n, err := io.Copy(io.Discard, src)
	w.note(n)
	return n, err
}

// bytesOf sends n bytes in large writes.
func bytesOf(n int) http.Handler {
	data := make([]byte, min(n, 4<<20))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for left, err := n, error(nil); left > 0 && err == nil; left -= len(data) {
			_, err = w.Write(data[:min(left, len(data))])
		}
	})
}

func TestPacingOfOneViewer(t *testing.T) {
	for _, rate := range []throttle.Rate{64 * throttle.KbitPerSecond, 3 * throttle.MbitPerSecond, throttle.GbitPerSecond} {
		t.Run(rate.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const connections = 6
				size := int(rate.Bytes(2 * time.Second))
				h := limit.NewHandler(bytesOf(size), &limit.Options{Rules: limit.Rules{Server: limit.Limits{BandwidthPerPlayer: rate}}})
				w := newWire(rate)
				var wg sync.WaitGroup
				for i := range connections {
					r := request("/a.mp4", "10.0.0.1")
					r.Header.Set("Range", fmt.Sprintf("bytes=%d-", 1+i*size)) // one player, who begins once
					wg.Go(func() { h.ServeHTTP(w, r) })
				}
				wg.Wait()
				quantum := max(rate.Bytes(100*time.Millisecond), 4<<10)
				assert.EqualValues(t, connections*size, w.total)
				assert.LessOrEqual(t, w.largest, quantum)
				assert.LessOrEqual(t, w.worst, quantum, "never more than a quantum above the law")
				took := time.Since(w.begun)
				assert.InDelta(t, rate.Time(w.total-quantum).Seconds(), took.Seconds(), 0.6, "and not slower")
				assert.Equal(t, rate, h.Stats(0).Players.Allocated)
			})
		})
	}
}

// late is a wire that once stands still, as a processor does that has other things to do.
type late struct {
	*wire
	writes int
}

func (w *late) Write(p []byte) (int, error) {
	if w.writes++; w.writes == 20 {
		time.Sleep(50 * time.Millisecond)
	}
	return w.wire.Write(p)
}

// What a server was late for by less than 100 ms it makes up for: at a Gbit/s a quantum lasts ten.
func TestLateWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = throttle.GbitPerSecond
		body := make([]byte, rate.Bytes(time.Second))
		h := limit.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }),
			&limit.Options{Rules: limit.Rules{Server: limit.Limits{BandwidthPerPlayer: rate}}})
		w, start := &late{wire: newWire(rate)}, time.Now()
		h.ServeHTTP(w, request("/a.mp4", "10.0.0.1"))
		assert.InDelta(t, time.Second, time.Since(start), float64(20*time.Millisecond))
		assert.LessOrEqual(t, w.worst, rate.Bytes(10*time.Millisecond), "the first quantum is out at once")
	})
}

func TestPacingOfEachViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = throttle.MbitPerSecond
		h := limit.NewHandler(bytesOf(1_250_000), &limit.Options{Rules: limit.Rules{
			Server: limit.Limits{BandwidthPerPlayer: rate},
			Points: []limit.Point{
				{Path: "/half", Limits: limit.Limits{BandwidthPerPlayer: rate / 2}}, {Path: "/free", Limits: limit.Limits{BandwidthPerPlayer: -1}},
			},
		}})
		times := make([]time.Duration, 4)
		var wg sync.WaitGroup
		begun := time.Now()
		for i, path := range []string{"/a", "/b", "/half/a", "/free/a"} {
			wg.Go(func() {
				h.ServeHTTP(newWire(rate), request(path, "10.0.0.1"))
				times[i] = time.Since(begun)
			})
		}
		time.Sleep(time.Second)
		h.SetRules(limit.Rules{Server: limit.Limits{BandwidthPerPlayer: rate / 100}}) // for new ones
		wg.Wait()
		for i, want := range []time.Duration{9900 * time.Millisecond, 9900 * time.Millisecond, 19900 * time.Millisecond, 0} {
			assert.InDelta(t, want.Seconds(), times[i].Seconds(), 0.11, "%d", i)
		}
	})
}

func TestCeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, viewers, size = 8 * throttle.MbitPerSecond, 20, 1_000_000
		h := limit.NewHandler(bytesOf(size), &limit.Options{Rules: limit.Rules{Server: limit.Limits{PlayerCeiling: rate}}})
		w := newWire(rate)
		var wg sync.WaitGroup
		for i := range viewers {
			wg.Go(func() { h.ServeHTTP(w, request("/a", fmt.Sprintf("10.0.0.%d", i))) })
		}
		time.Sleep(6 * time.Second)
		assert.Equal(t, viewers, h.Stats(0).Players.Now)
		assert.InDelta(t, float64(rate), float64(h.Stats(0).Players.Bandwidth), float64(rate)/20)
		for s := range h.Sessions() {
			assert.InDelta(t, 6*1_000_000/viewers, s.Bytes, 100_000, "a fair share")
		}
		wg.Wait()
		assert.EqualValues(t, viewers*size, w.total)
		assert.LessOrEqual(t, w.worst, int64(100_000))
		assert.InDelta(t, 19.9, time.Since(w.begun).Seconds(), 0.2)

		h.SetRules(limit.Rules{})
		begun := time.Now()
		h.ServeHTTP(w, request("/a", "10.0.0.1"))
		assert.Zero(t, time.Since(begun))
	})
}

func TestCeilingChangesWhileItIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := limit.Rules{Server: limit.Limits{DistributionCeiling: throttle.MbitPerSecond}}
		h := limit.NewHandler(bytesOf(1_250_000), &limit.Options{Rules: slow, Distribution: func(*http.Request) string { return "edge" }})
		w := newWire(throttle.MbitPerSecond)
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.ServeHTTP(w, request("/a", "10.0.0.1"))
		}()
		time.Sleep(5 * time.Second)
		slow.Server.DistributionCeiling *= 5
		h.SetRules(slow)
		<-done
		assert.InDelta(t, 6, time.Since(w.begun).Seconds(), 0.2)
		assert.EqualValues(t, 1_250_000, h.Stats(0).Distribution.Bytes)
	})
}

func TestCeilingIsLiftedWhileItIsInUse(t *testing.T) {
	for _, rules := range []limit.Rules{
		{Server: limit.Limits{PlayerCeiling: throttle.MbitPerSecond}},
		{Points: []limit.Point{{Path: "/a", Limits: limit.Limits{PlayerCeiling: throttle.MbitPerSecond}}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := limit.NewHandler(bytesOf(1_250_000), &limit.Options{Rules: rules})
			w := newWire(throttle.MbitPerSecond)
			done := make(chan struct{})
			go func() {
				defer close(done)
				h.ServeHTTP(w, request("/a", "10.0.0.1"))
			}()
			time.Sleep(5 * time.Second)
			h.SetRules(limit.Rules{})
			<-done
			assert.InDelta(t, 5, time.Since(w.begun).Seconds(), 0.2)
			begun := time.Now()
			h.ServeHTTP(w, request("/a", "10.0.0.1"))
			assert.Zero(t, time.Since(begun), "the next one is not paced at all")
		})
	}
}

func TestWhatIsNotSentIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limit.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 50 {
				if n, _ := w.(io.ReaderFrom).ReadFrom(strings.NewReader("short")); n != 5 {
					return // nobody is there any more
				}
			}
			_, _ = w.Write(make([]byte, 12_250))
		}), &limit.Options{Rules: limit.Rules{Server: limit.Limits{BandwidthPerPlayer: throttle.MbitPerSecond}}})
		w := newWire(throttle.MbitPerSecond)
		h.ServeHTTP(w, request("/a", "10.0.0.1"))
		assert.Less(t, time.Since(w.begun), 5*time.Millisecond, "all that was sent is one quantum")
		assert.EqualValues(t, 12_500, w.total)

		for range 50 { // which the viewer gives up while they wait
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			h.ServeHTTP(newWire(1), request("/a", "10.0.0.1").WithContext(ctx))
			cancel()
		}
		begun, w2 := time.Now(), newWire(1)
		h.ServeHTTP(w2, request("/a", "10.0.0.1"))
		assert.EqualValues(t, 12_500, w2.total)
		assert.Less(t, time.Since(begun), 200*time.Millisecond)
	})
}

func TestNothingIsFlushedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limit.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 5 {
				_, _ = w.Write(make([]byte, 4096))
				assert.NoError(t, http.NewResponseController(w).Flush())
			}
		}), &limit.Options{Rules: limit.Rules{Server: limit.Limits{BandwidthPerPlayer: 8 * throttle.KbitPerSecond}}})
		w := newWire(8 * throttle.KbitPerSecond)
		h.ServeHTTP(w, request("/a", "10.0.0.1"))
		assert.Equal(t, 5, w.flushes)
		assert.InDelta(t, 4*4.096, time.Since(w.begun).Seconds(), 0.01)
	})
}

func TestFilesAreSentInParts(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.bin")
	require.NoError(t, os.WriteFile(name, make([]byte, 300_000), 0o600))
	serveFile := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(name)
		if assert.NoError(t, err) {
			defer f.Close()
			http.ServeContent(w, r, name, time.Time{}, f)
		}
	})
	for _, c := range []struct {
		name    string
		opts    limit.Options
		parts   int
		largest int64
	}{
		{"paced", server(limit.Limits{BandwidthPerPlayer: 8 * throttle.MbitPerSecond}), 3, 100_000},
		{"measured", limit.Options{Measure: true}, 1, 300_000},
		{"neither", limit.Options{}, 1, 300_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := limit.NewHandler(serveFile, &c.opts)
				w := fileWire{newWire(8 * throttle.MbitPerSecond)}
				h.ServeHTTP(w, request("/a.bin", "10.0.0.1"))
				assert.EqualValues(t, 300_000, w.total)
				assert.Equal(t, c.largest, w.largest)
				require.Len(t, w.sources, c.parts)
				for _, s := range w.sources {
					assert.Equal(t, "*io.LimitedReader of *os.File", s, "what sendfile needs")
				}
				if c.name == "paced" {
					assert.Equal(t, 200*time.Millisecond, time.Since(w.begun))
				}

				plain := newWire(8 * throttle.MbitPerSecond) // without ReadFrom
				h.ServeHTTP(plain, request("/a.bin", "10.0.0.1"))
				assert.EqualValues(t, 300_000, plain.total)
				assert.LessOrEqual(t, plain.largest, int64(32<<10))
			})
		})
	}
}

func TestWriterIsUnchangedOnceASessionIsGood(t *testing.T) {
	var got []http.ResponseWriter
	d := newDesk(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, w)
		ok(w, r)
	}), server(limit.Limits{Players: 5, PlayersPerFile: 5, ConnectionRate: 5}))
	w := httptest.NewRecorder()
	for range 3 {
		d.ServeHTTP(w, request("/a", "10.0.0.1"))
	}
	assert.NotSame(t, w, got[0], "the first answer says whether there is something to watch")
	assert.Same(t, w, got[1])
	assert.Same(t, w, got[2])
	assert.Equal(t, w, got[0].(interface{ Unwrap() http.ResponseWriter }).Unwrap())
}

func TestReadFromLeavesTheSourceAtTheRightPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := bytes.NewReader(make([]byte, 50_000))
		h := limit.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			l := &io.LimitedReader{R: struct{ io.Reader }{src}, N: 30_000}
			n, err := w.(io.ReaderFrom).ReadFrom(l)
			assert.NoError(t, err)
			assert.EqualValues(t, 30_000, n)
			assert.Zero(t, l.N)
			assert.Equal(t, 20_000, src.Len())
			l.N = 40_000
			n, err = w.(io.ReaderFrom).ReadFrom(l)
			assert.NoError(t, err)
			assert.EqualValues(t, 20_000, n)
			assert.EqualValues(t, 20_000, l.N, "more was asked for than there is")
		}), &limit.Options{Rules: limit.Rules{Server: limit.Limits{BandwidthPerPlayer: 64 * throttle.KbitPerSecond}}})
		w := newWire(64 * throttle.KbitPerSecond)
		h.ServeHTTP(w, request("/a", "10.0.0.1"))
		assert.EqualValues(t, 50_000, w.total)
		assert.LessOrEqual(t, w.worst, int64(4096))
	})
}

func TestClientGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 1)
		h := limit.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n, err := w.Write(make([]byte, 1_000_000))
			assert.Equal(t, 112_500, n)
			result <- err
		}), &limit.Options{Rules: limit.Rules{Server: limit.Limits{BandwidthPerPlayer: throttle.MbitPerSecond}}})
		ctx, cancel := context.WithCancel(t.Context())
		go h.ServeHTTP(newWire(throttle.MbitPerSecond), request("/a", "10.0.0.1").WithContext(ctx))
		time.Sleep(850 * time.Millisecond)
		begun := time.Now()
		cancel()
		assert.ErrorIs(t, <-result, context.Canceled)
		assert.Zero(t, time.Since(begun), "at once")
		synctest.Wait()
		for s := range h.Sessions() {
			assert.Zero(t, s.Active)
			assert.EqualValues(t, 112_500, s.Bytes)
		}
	})
}

func TestManyWaitersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine stays
		h := limit.NewHandler(bytesOf(1<<20), &limit.Options{Rules: limit.Rules{Server: limit.Limits{PlayerCeiling: throttle.KbitPerSecond}}})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() {
				h.ServeHTTP(newWire(1), request("/a", fmt.Sprintf("10.0.%d.%d", i/250, i%250)).WithContext(ctx))
			})
		}
		synctest.Wait()
		assert.Equal(t, 500, h.Stats(0).Players.Now)
		cancel()
		wg.Wait()
		time.Sleep(time.Minute)
		assert.Zero(t, h.Stats(0).Players.Now)
		assert.Zero(t, limit.Sizes(h))
		begun := time.Now()
		h.ServeHTTP(newWire(1), request("/a", "10.0.0.1").WithContext(canceled()))
		assert.Zero(t, time.Since(begun))
	})
}

// canceled returns a context that has ended.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestDeadlinesAndFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limit.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 4 {
				_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
			}
			_, _, err := w.(http.Hijacker).Hijack()
			assert.ErrorIs(t, err, http.ErrNotSupported)
			w.(http.Flusher).Flush()
		}), &limit.Options{Rules: limit.Rules{Server: limit.Limits{BandwidthPerPlayer: 80 * throttle.KbitPerSecond}}})
		w := newWire(80 * throttle.KbitPerSecond)
		r := request("/a", "10.0.0.1")
		ctx := context.WithValue(r.Context(), http.ServerContextKey, &http.Server{WriteTimeout: 2 * time.Second})
		h.ServeHTTP(w, r.WithContext(ctx))
		assert.InDelta(t, 3.6, time.Since(w.begun).Seconds(), 0.1)
		require.Len(t, w.deadlines, 12, "one for each part")
		for i, d := range w.deadlines {
			assert.False(t, d.Before(w.begun.Add(2*time.Second)), i)
		}
		assert.InDelta(t, 5.6, w.deadlines[11].Sub(w.begun).Seconds(), 0.1, "it rolls")
		assert.Equal(t, 12, w.flushes, "before each wait, and the handler's")
	})
}

func TestHijackOfWhatIsNotPaced(t *testing.T) {
	h := limit.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _, err := http.NewResponseController(w).Hijack()
		assert.ErrorIs(t, err, errHijacked)
	}), nil)
	h.ServeHTTP(newWire(1), request("/a", "10.0.0.1"))
}

func TestOverHTTP(t *testing.T) {
	dir := t.TempDir()
	body := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.mp4"), body, 0o600))
	opts := server(limit.Limits{BandwidthPerPlayer: 100 * throttle.MbitPerSecond, Players: 1})
	for _, protocol := range []int{1, 2} {
		h := limit.NewHandler(http.FileServer(http.Dir(dir)), &opts)
		srv := httptest.NewUnstartedServer(h)
		srv.EnableHTTP2 = protocol == 2
		srv.Config.WriteTimeout = 10 * time.Second
		srv.StartTLS()
		for _, part := range []string{"", "bytes=100000-299999"} {
			req, err := http.NewRequest(http.MethodGet, srv.URL+"/a.mp4", nil)
			require.NoError(t, err)
			want := body
			if part != "" {
				req.Header.Set("Range", part)
				want = body[100_000:300_000]
			}
			res, err := srv.Client().Do(req)
			require.NoError(t, err)
			got, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, protocol, res.ProtoMajor)
			assert.True(t, bytes.Equal(want, got), "%d bytes", len(got))
		}
		other, err := http.NewRequest(http.MethodGet, srv.URL+"/a.mp4", nil)
		require.NoError(t, err)
		other.Header.Set("User-Agent", "another")
		res, err := srv.Client().Do(other)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		srv.Close()
	}
}
