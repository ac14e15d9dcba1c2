package throttle_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// What a writer has written is never more than its bucket allows, nor less by more than a quantum, however it is given.
func TestWriterLaw(t *testing.T) {
	for _, rate := range []throttle.Rate{64 * kbit, 1_234_567, 100 * throttle.MbitPerSecond} {
		for name, send := range map[string]func(w *throttle.Writer, n int64) error{
			"one write": func(w *throttle.Writer, n int64) error { _, err := w.Write(make([]byte, n)); return err },
			"pieces": func(w *throttle.Writer, n int64) error {
				_, err := io.CopyBuffer(struct{ io.Writer }{w}, &zeros{size: n}, make([]byte, 1000))
				return err
			},
			"ReadFrom": func(w *throttle.Writer, n int64) error { _, err := w.ReadFrom(&zeros{size: n}); return err },
			"limited":  func(w *throttle.Writer, n int64) error { _, err := io.CopyN(w, &zeros{size: n + 5}, n); return err },
		} {
			t.Run(rate.String()+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const burst = 10_000
					quantum := max(rate.Bytes(100*time.Millisecond), throttle.DefaultMinSendSize)
					size := burst + rate.Bytes(10*time.Second)
					below := newWire()
					w := throttle.NewWriter(t.Context(), below, throttle.NewBucket(rate, burst, quantum))
					w.Interval = 100 * time.Millisecond
					start := time.Now()
					require.NoError(t, send(w, size))
					require.Equal(t, size, below.sent)
					var sent int64
					for _, one := range below.writes {
						allowed := burst + rate.Bytes(one.at.Sub(start))
						require.LessOrEqual(t, one.n, quantum)
						require.LessOrEqual(t, allowed-sent, 2*quantum)
						sent += one.n
						require.LessOrEqual(t, sent, allowed)
					}
					assert.InDelta(t, 10, time.Since(start).Seconds(), rate.Time(quantum).Seconds())
				})
			})
		}
	}
}

// A shared bucket is divided evenly; its rate may be changed while it is in use.
func TestSharedBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 8 * throttle.MbitPerSecond
		b := throttle.NewBucket(rate, 0, rate.Bytes(250*time.Millisecond))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var wires []*wire
		var wg sync.WaitGroup
		start := time.Now()
		for i := range 8 {
			w := newWire()
			wires = append(wires, w)
			wg.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = throttle.NewWriter(ctx, w, b).Write(make([]byte, 100_000_000))
				} else {
					_, err = throttle.NewWriter(ctx, w, b).ReadFrom(&zeros{size: 100_000_000})
				}
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assertShares(t, wires, start, rate.Bytes(10*time.Second))
		b.SetRate(time.Now(), 2*rate)
		middle := time.Now()
		wg.Wait()
		assertShares(t, wires, middle, (2 * rate).Bytes(10*time.Second))
		assert.InDelta(t, 0, b.Available(time.Now()), float64(rate.Bytes(time.Second)), "who was stopped gave back")
	})
}

func assertShares(t *testing.T, wires []*wire, from time.Time, total int64) {
	t.Helper()
	var sum int64
	for i, w := range wires {
		n := w.sentBetween(from, time.Now())
		sum += n
		assert.InEpsilon(t, total/int64(len(wires)), n, 0.3, "writer %d", i)
	}
	assert.InEpsilon(t, total, sum, 0.3)
}

// The slowest of several buckets decides.
func TestBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast := throttle.NewBucket(throttle.MbitPerSecond, 0, 50_000), throttle.NewBucket(10*throttle.MbitPerSecond, 0, 50_000)
		start := time.Now()
		_, err := throttle.NewWriter(t.Context(), io.Discard, fast, slow).Write(make([]byte, 1_250_000))
		require.NoError(t, err)
		assert.InDelta(t, 10, time.Since(start).Seconds(), 0.01)
		start = time.Now()
		_, err = throttle.NewWriter(t.Context(), io.Discard).Write(make([]byte, 1_250_000))
		require.NoError(t, err)
		assert.Zero(t, time.Since(start), "no bucket, no pace")
	})
}

func TestWriterContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		b := throttle.NewBucket(80*kbit, 0, 10_000)
		start := time.Now()
		n, err := throttle.NewWriter(ctx, io.Discard, b).Write(make([]byte, 100_000))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 1500*time.Millisecond, time.Since(start))
		assert.InDelta(t, 15_000, n, throttle.DefaultMinSendSize)
		assert.Equal(t, 15_000-int64(n), b.Available(time.Now()), "what was waited for is given back")
		n, err = throttle.NewWriter(ctx, io.Discard, b).Write(make([]byte, 10))
		assert.Zero(t, n)
		assert.ErrorIs(t, err, context.DeadlineExceeded, "also where nothing had to be waited for")
		read, err := throttle.NewWriter(ctx, io.Discard, b).ReadFrom(&zeros{size: 10})
		assert.Zero(t, read)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = throttle.NewReader(ctx, &zeros{size: 10}, b).Read(make([]byte, 10))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A rate of zero is said at once, and takes nothing of other buckets.
func TestNoRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other, none := throttle.NewBucket(throttle.MbitPerSecond, 50_000, 50_000), throttle.NewBucket(0, 100, 100)
		n, err := throttle.NewWriter(t.Context(), io.Discard, other, none).Write(make([]byte, 10_000))
		assert.ErrorIs(t, err, throttle.ErrNoRate)
		assert.Zero(t, n)
		assert.Equal(t, int64(50_000), other.Available(time.Now()))
		_, err = throttle.NewReader(t.Context(), &zeros{size: 1000}, other, none).Read(make([]byte, 1000))
		assert.ErrorIs(t, err, throttle.ErrNoRate)
		n, err = throttle.NewWriter(t.Context(), io.Discard, none).Write(make([]byte, 100))
		assert.NoError(t, err, "what is there may be used")
		assert.Equal(t, 100, n)
	})
}

// sink notes what its ReadFrom is given.
type sink struct {
	bytes.Buffer
	sources []io.Reader
}

func (s *sink) ReadFrom(src io.Reader) (int64, error) {
	s.sources = append(s.sources, src)
	return io.Copy(&s.Buffer, struct{ io.Reader }{src})
}

// A file arrives below in the form that sendfile knows: limited once.
func TestReadFromKeepsSendfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "film")
		require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("smooth"), 10_000), 0o600))
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		below := &sink{}
		limited := &io.LimitedReader{R: f, N: 50_000}
		n, err := throttle.NewWriter(t.Context(), below, throttle.NewBucket(100*kbit, 0, 5000)).ReadFrom(limited)
		require.NoError(t, err)
		assert.Equal(t, int64(50_000), n)
		assert.Zero(t, limited.N, "what was read of it")
		assert.Greater(t, len(below.sources), 5)
		for _, src := range below.sources {
			l, ok := src.(*io.LimitedReader)
			require.True(t, ok)
			assert.Same(t, f, l.R)
		}
		assert.Equal(t, bytes.Repeat([]byte("smooth"), 10_000)[:50_000], below.Bytes())
		n, err = throttle.NewWriter(t.Context(), below).ReadFrom(f)
		require.NoError(t, err)
		assert.Equal(t, int64(10_000), n, "the rest")
		n, err = throttle.NewWriter(t.Context(), below).ReadFrom(&io.LimitedReader{R: f, N: -1})
		require.NoError(t, err)
		assert.Zero(t, n)
	})
}

// faulty takes so many bytes and then fails, or takes less than it is given without an error.
type faulty struct {
	left int
	err  error
}

var errFull = errors.New("full")

func (f *faulty) Write(p []byte) (int, error) {
	n := min(f.left, len(p))
	f.left -= n
	if n < len(p) {
		return n, f.err
	}
	return n, nil
}

// What was granted and not written is given back, whatever the writer below does.
func TestWriterErrors(t *testing.T) {
	for _, below := range []error{errFull, nil} {
		for name, send := range map[string]func(w *throttle.Writer) (int64, error){
			"Write":    func(w *throttle.Writer) (int64, error) { n, err := w.Write(make([]byte, 20_000)); return int64(n), err },
			"ReadFrom": func(w *throttle.Writer) (int64, error) { return w.ReadFrom(&zeros{size: 20_000}) },
		} {
			synctest.Test(t, func(t *testing.T) {
				b := throttle.NewBucket(8*throttle.MbitPerSecond, 500_000, 500_000)
				n, err := send(throttle.NewWriter(t.Context(), &faulty{7000, below}, b))
				want := below
				if below == nil {
					want = io.ErrShortWrite
				}
				assert.ErrorIs(t, err, want, name)
				assert.Equal(t, int64(7000), n)
				assert.Equal(t, int64(493_000), b.Available(time.Now()), name)
			})
		}
	}
}

func TestWriterSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := throttle.NewBucket(8*throttle.MbitPerSecond, 500_000, 500_000)
		n, err := throttle.NewWriter(t.Context(), io.Discard, b).ReadFrom(io.MultiReader(&zeros{size: 7000}, errReader{}))
		assert.ErrorIs(t, err, errStore)
		assert.Equal(t, int64(7000), n)
		assert.Equal(t, int64(493_000), b.Available(time.Now()))
		n, err = throttle.NewWriter(t.Context(), io.Discard, b).ReadFrom(&zeros{})
		assert.NoError(t, err)
		assert.Zero(t, n)
		assert.Equal(t, int64(493_000), b.Available(time.Now()))
	})
}

func TestReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = throttle.MbitPerSecond
		b := throttle.NewBucket(rate, 0, 31_250)
		r := throttle.NewReader(t.Context(), &zeros{size: 1_250_000}, b)
		start, sum := time.Now(), int64(0)
		buf := make([]byte, 1<<20)
		for {
			n, err := r.Read(buf)
			sum += int64(n)
			require.LessOrEqual(t, n, 31_250)
			require.LessOrEqual(t, sum, rate.Bytes(time.Since(start)))
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
		}
		assert.Equal(t, int64(1_250_000), sum)
		assert.InDelta(t, 10, time.Since(start).Seconds(), 0.3)
		n, err := r.Read(nil)
		assert.Zero(t, n)
		assert.ErrorIs(t, err, io.EOF, "that of the reader below")

		b = throttle.NewBucket(rate, 10_000, 10_000)
		n, err = throttle.NewReader(t.Context(), &zeros{size: 100}, b).Read(buf[:5000])
		assert.NoError(t, err)
		assert.Equal(t, 100, n)
		assert.Equal(t, int64(9900), b.Available(time.Now()), "what was not read is given back")
	})
}
