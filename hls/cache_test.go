package hls_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// kinds runs a test with the files of the system and with those of systems that have none without a name.
func kinds(t *testing.T, f func(t *testing.T, named bool)) {
	for _, named := range []bool{false, true} {
		t.Run(fmt.Sprintf("named %t", named), func(t *testing.T) { f(t, named) })
	}
}

// content returns made-up bytes that depend on a key.
func content(key string, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte([]byte(key + strings.Repeat(".", 32))[:32]))
	_, _ = r.Read(b)
	return b
}

// readFromWriter is a writer as net/http has it, and counts the calls of ReadFrom.
type readFromWriter struct {
	bytes.Buffer
	reads int
}

func (w *readFromWriter) ReadFrom(r io.Reader) (int64, error) {
	w.reads++
	return w.Buffer.ReadFrom(r)
}

// plainWriter hides all but Write.
type plainWriter struct{ io.Writer }

// checkBody reads a segment in all ways and gives it back.
func checkBody(t *testing.T, b *hls.Body, want []byte) {
	t.Helper()
	defer b.Release()
	for range 2 {
		var w readFromWriter
		n, err := b.WriteTo(&w)
		require.NoError(t, err)
		require.EqualValues(t, len(want), n)
		require.True(t, bytes.Equal(want, w.Bytes()))
		if b.IsFile() {
			require.Equal(t, 1, w.reads, "the kernel could send it")
		}
	}
	var w bytes.Buffer
	_, err := b.WriteTo(plainWriter{&w})
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, w.Bytes()))
	part := make([]byte, 10)
	n, err := b.ReadAt(part, int64(len(want)-4))
	require.Equal(t, io.EOF, err)
	require.Equal(t, want[len(want)-4:], part[:n])
	_, err = b.ReadAt(part, int64(len(want)))
	require.Equal(t, io.EOF, err)
}

func TestCacheKeepsWhatIsAskedForAgain(t *testing.T) {
	kinds(t, func(t *testing.T, named bool) {
		c := hls.NewCache(1<<20, t.TempDir(), named)
		want := content("a", 100_000)
		made := 0
		for i := range 5 {
			b, err := c.Get(t.Context(), "a", func() ([]byte, error) { made++; return want, nil })
			require.NoError(t, err)
			assert.Equal(t, i >= 2, b.IsFile())
			checkBody(t, b, want)
		}
		assert.Equal(t, 2, made)
		assert.Equal(t, hls.Stats{Made: 2, Hits: 3, Kept: 1}, c.Stats())
		c.Clear()
		b, err := c.Get(t.Context(), "a", func() ([]byte, error) { made++; return want, nil })
		require.NoError(t, err)
		checkBody(t, b, want)
		assert.Equal(t, 3, made)
	})
}

// TestCacheIsBounded: the least recently used segments go, files vanish with their last user, and no segment takes more
// than its share.
func TestCacheIsBounded(t *testing.T) {
	kinds(t, func(t *testing.T, named bool) {
		const limit = 100_000
		dir := t.TempDir()
		c := hls.NewCache(limit, dir, named)
		r := rand.New(rand.NewPCG(1, 5))
		var held []*hls.Body // that are being sent
		var bodies [][]byte
		for i := range 800 {
			key := fmt.Sprint(r.IntN(100))
			size := 5 + len(key)*9000*(1+len(key)%2) // 9 or 18 or 36 kB
			want := content(key, size)
			b, err := c.Get(t.Context(), key, func() ([]byte, error) { return want, nil })
			require.NoError(t, err)
			if i%10 == 0 {
				held, bodies = append(held, b), append(bodies, want)
			} else {
				checkBody(t, b, want)
			}
			if n := len(held); n > 20 {
				checkBody(t, held[0], bodies[0])
				held, bodies = held[1:], bodies[1:]
			}
			size64, n := c.Bytes()
			require.LessOrEqual(t, size64, int64(limit))
			require.Less(t, n, limit/9000+1)
		}
		assert.Positive(t, c.Stats().Hits)
		c.Clear()
		for i, b := range held {
			checkBody(t, b, bodies[i])
		}
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, files)
		for range 3 {
			b, err := c.Get(t.Context(), "large", func() ([]byte, error) { return content("large", limit/4+1), nil })
			require.NoError(t, err)
			assert.False(t, b.IsFile(), "it would take too large a share")
			b.Release()
		}
	})
}

// TestCacheLeavesFiles: many small segments do not take all descriptors of the process.
func TestCacheLeavesFiles(t *testing.T) {
	for limit, want := range map[uint64]int{0: 1, 7: 1, 1024: 256, 20_000: 4096, 1 << 63: 4096} {
		assert.Equal(t, want, hls.KeptFiles(limit), "of %d", limit)
	}
	kinds(t, func(t *testing.T, named bool) {
		c := hls.NewCache(1<<20, t.TempDir(), named)
		defer c.Clear()
		c.SetMost(10)
		for i := range 40 {
			key := fmt.Sprint(i)
			for range 3 {
				b, err := c.Get(t.Context(), key, func() ([]byte, error) { return content(key, 100), nil })
				require.NoError(t, err)
				checkBody(t, b, content(key, 100))
			}
			_, n := c.Bytes()
			require.Equal(t, min(i+1, 10), n)
			require.LessOrEqual(t, c.Spare(), 5)
		}
		require.Equal(t, 5, c.Spare())
		c.Clear()
		require.Zero(t, c.Spare())
	})
}

func TestCacheWithoutRoom(t *testing.T) {
	want := content("a", 1000)
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []*hls.Cache{hls.NewCache(1<<20, none, false), hls.NewCache(1<<20, none, true), hls.NewCache(-1, "", false), hls.NewCache(0, "", false)} {
		for range 4 {
			b, err := c.Get(t.Context(), "a", func() ([]byte, error) { return want, nil })
			require.NoError(t, err)
			checkBody(t, b, want)
		}
	}
}

// TestCacheMakesOnce: those who ask at the same time share what one of them makes, also if some leave.
func TestCacheMakesOnce(t *testing.T) {
	want := content("a", 50_000)
	synctest.Test(t, func(t *testing.T) {
		c := hls.NewCache(1<<20, "", false)
		gate := make(chan struct{})
		made := 0
		build := func() ([]byte, error) {
			made++
			<-gate
			return want, nil
		}
		leaving, leave := context.WithCancel(t.Context())
		var served, left atomic.Int32
		for i := range 1000 {
			ctx := t.Context()
			if i%3 == 1 {
				ctx = leaving
			}
			go func() {
				b, err := c.Get(ctx, "a", build)
				if err != nil {
					assert.ErrorIs(t, err, context.Canceled)
					left.Add(1)
					return
				}
				served.Add(1)
				var w bytes.Buffer
				_, _ = b.WriteTo(&w)
				assert.True(t, bytes.Equal(want, w.Bytes()))
				b.Release()
			}()
			if i == 0 {
				synctest.Wait() // the first one makes it
			}
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		assert.EqualValues(t, 333, left.Load())
		close(gate)
		synctest.Wait()
		assert.EqualValues(t, 667, served.Load())
		assert.Equal(t, 1, made)
		assert.Equal(t, hls.Stats{Made: 1, Shared: 999, Kept: 1}, c.Stats())
		c.Clear()
	})
}

// TestCacheFailures: an error and a panic reach all who wait, and are not kept.
func TestCacheFailures(t *testing.T) {
	broken := errors.New("broken")
	for _, fail := range []func() ([]byte, error){
		func() ([]byte, error) { return nil, broken },
		func() ([]byte, error) { panic("broken") },
	} {
		synctest.Test(t, func(t *testing.T) {
			c := hls.NewCache(1<<20, "", false)
			gate := make(chan struct{})
			var failed, panicked atomic.Int32
			for i := range 10 {
				go func() {
					defer func() {
						if recover() != nil {
							panicked.Add(1)
						}
					}()
					_, err := c.Get(t.Context(), "a", func() ([]byte, error) { <-gate; return fail() })
					if err != nil {
						failed.Add(1)
					}
				}()
				if i == 0 {
					synctest.Wait()
				}
			}
			synctest.Wait()
			close(gate)
			synctest.Wait()
			assert.EqualValues(t, 10, failed.Load()+panicked.Load())
			assert.LessOrEqual(t, panicked.Load(), int32(1))
			b, err := c.Get(t.Context(), "a", func() ([]byte, error) { return []byte("fine, now"), nil })
			require.NoError(t, err)
			checkBody(t, b, []byte("fine, now"))
		})
	}
}

// TestCacheFreesUnlocked: nobody waits for the disk while segments are given up.
func TestCacheFreesUnlocked(t *testing.T) {
	kinds(t, func(t *testing.T, named bool) {
		c := hls.NewCache(300_000, t.TempDir(), named)
		discarded := 0
		c.OnDiscard(func(locked bool) {
			discarded++
			assert.False(t, locked)
		})
		for i := range 10 {
			for range 2 {
				b, err := c.Get(t.Context(), fmt.Sprint(i), func() ([]byte, error) { return content("a", 70_000), nil })
				require.NoError(t, err)
				b.Release()
			}
		}
		assert.Equal(t, 6, discarded)
		c.Clear()
		assert.Equal(t, 10, discarded)
	})
}

// TestManyClients: any number of clients get the same bytes, made a few times, and give back all fragments.
func TestManyClients(t *testing.T) {
	p := smoothtest.New(smoothtest.Default())
	o := hls.NewOutput(&hls.Options{Logger: quietLogger})
	defer o.Close()
	h := smooth.NewHandler(sourceOf(p), &smooth.HandlerOptions{Logger: quietLogger, Outputs: []smooth.Output{o}})
	const one = "/a.ism/QualityLevels(400000)/Fragments(video=0,format=m3u8-aapl,n=3).ts"
	want := get(t, smoothHandler(sourceOf(p), nil), one)
	var clients sync.WaitGroup
	for range 1000 {
		clients.Go(func() {
			if w := do(h, "GET", one); w.Code != 200 || !bytes.Equal(want, w.Body.Bytes()) {
				t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
			}
		})
	}
	clients.Wait()
	s := o.Stats()
	assert.LessOrEqual(t, s.Made, uint64(2), "%+v", s)
	assert.EqualValues(t, 1000, s.Made+s.Shared+s.Hits)

	urls := crawl(t, h, "/a.ism/Manifest(format=m3u8-aapl-v3).m3u8")
	urls = append(urls, crawl(t, h, "/a.ism/Manifest(format=m3u8-cmaf).m3u8")...)
	urls = append(urls, crawl(t, h, "/a.ism/Manifest(format=m3u8-aapl).m3u8")...)
	var bodies sync.Map
	for c := range 8 {
		clients.Go(func() {
			for i := range urls {
				u := urls[(i*7+c*31)%len(urls)]
				w := do(h, "GET", u)
				if old, ok := bodies.LoadOrStore(u, w.Body.String()); w.Code != 200 || ok && old != w.Body.String() {
					t.Errorf("%s: %d", u, w.Code)
				}
			}
		})
	}
	clients.Wait()
	assert.Zero(t, p.OpenFragments())
}

// TestFailuresGiveBack: whatever goes wrong, no fragment stays open, and the next request is answered.
func TestFailuresGiveBack(t *testing.T) {
	w := newWeights(t, 100_000, 9, true, shapes["even"])
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("broken") },
		"panic": func() error { panic("broken") },
		"gone":  func() error { return smooth.ErrGone },
	} {
		for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
			for _, key := range []*hls.Encryption{nil, {Keys: hls.StaticKey{1}}} {
				for _, at := range []uint64{0, 2 * second, 4 * second, 94 * 1024} { // of picture or sound
					h := smoothHandler(sourceOf(w), &hls.Options{Encryption: key})
					target := "/a.ism/QualityLevels(100000)/Fragments(video=0,format=" + format + ",n=3)"
					w.broken = func(k smooth.FragmentKey) error {
						if k.Time == at {
							return fail()
						}
						return nil
					}
					for range 2 {
						r := do(h, "GET", target)
						if at != 94*1024 || format == "m3u8-aapl-v3" {
							assert.Equal(t, map[string]int{"error": 500, "panic": 500, "gone": 404}[name], r.Code, "%s %s", name, target)
						}
						assert.Zero(t, w.OpenFragments(), "%s %s", name, target)
					}
					w.broken = nil
					assert.Equal(t, 200, do(h, "GET", target).Code)
				}
			}
		}
	}
	assert.Zero(t, w.OpenFragments())
}

// TestCancelledRequests: a request whose client has left before it began leaves nothing behind.
func TestCancelledRequests(t *testing.T) {
	for _, live := range []bool{false, true} {
		cfg := liveConfig(0)
		cfg.Live = live
		cfg.Streams[0].Durations = smoothtest.Repeat(10, 2*second)
		cfg.Streams[1].Durations = smoothtest.Repeat(10, 94*1024)
		p := smoothtest.New(cfg)
		h := smoothHandler(sourceOf(p), nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
			for _, target := range []string{"Manifest(", "QualityLevels(300000)/Manifest(video,", "QualityLevels(300000)/Fragments(video=0,n=3,"} {
				r := httptest.NewRequestWithContext(ctx, "GET", "/a.ism/"+target+"format="+format+")", nil)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				assert.Equal(t, http.StatusServiceUnavailable, w.Code)
				assert.Zero(t, p.OpenFragments())
			}
		}
	}
}

// TestNoiseIsNoPicture: samples that are not made of NAL units are an error with a place.
func TestNoiseIsNoPicture(t *testing.T) {
	cfg := smoothtest.Config{MaxPayload: 32, Streams: []smoothtest.Stream{ // too small to look like a NAL unit
		{Type: smooth.Video, Durations: smoothtest.Repeat(3, 2*second), Levels: []smoothtest.Level{{Bitrate: 1}}},
	}}
	p := smoothtest.New(cfg)
	var log bytes.Buffer
	h := smoothHandlerLogging(sourceOf(p), &log)
	w := do(h, "GET", "/a.ism/QualityLevels(1)/Fragments(video=0,format=m3u8-aapl,n=3).ts")
	assert.Equal(t, 500, w.Code)
	assert.Equal(t, "internal server error\n", w.Body.String())
	assert.Contains(t, log.String(), "fragment video 0, byte 0")
	assert.Equal(t, 200, do(h, "GET", "/a.ism/QualityLevels(1)/Fragments(video=0,format=m3u8-cmaf,n=3).mp4").Code)
	assert.Zero(t, p.OpenFragments())
}

// TestOverConnections: over real connections, where the kernel sends, clients get the whole or leave in the middle, and
// nothing is held in the end.
func TestOverConnections(t *testing.T) {
	cfg := smoothtest.Default()
	cfg.MaxPayload = 1 << 20
	p := smoothtest.New(cfg)
	h := smoothHandler(sourceOf(p), nil)
	server := httptest.NewServer(h)
	defer server.Close()
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
		target := "/a.ism/QualityLevels(400000)/Fragments(video=0,format=" + format + ",n=3)"
		want := get(t, h, target)
		for i := range 8 {
			resp, err := server.Client().Get(server.URL + target)
			require.NoError(t, err)
			if i%2 == 1 {
				_, err = io.CopyN(io.Discard, resp.Body, 1000)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				continue
			}
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.True(t, bytes.Equal(want, got), "%s, request %d", target, i)
			require.EqualValues(t, len(want), resp.ContentLength)
		}
	}
	server.CloseClientConnections()
	server.Close() // waits for the handlers
	assert.Zero(t, p.OpenFragments())
}

// TestKeptFromTheSecondRequest: a segment that is asked for once is counted once and not kept, whether its samples can be
// sent from where they are or have to be read. Without a cache it is counted, too.
func TestKeptFromTheSecondRequest(t *testing.T) {
	const target = "/a/hls-ts/video/400000/0-3.ts"
	p := smoothtest.New(smoothtest.Default())
	for name, src := range map[string]smooth.Source{"in memory": sourceOf(p), "to be read": sourceOf(unlent{p})} {
		t.Run(name, func(t *testing.T) {
			h := plainHandler(t, src, nil)
			for i, want := range []hls.Stats{{Made: 1}, {Made: 2, Kept: 1}, {Made: 2, Kept: 1, Hits: 1}} {
				get(t, h, target)
				assert.Equal(t, want, h.Stats(), "request %d", i+1)
			}
			h = plainHandler(t, src, &hls.Options{CacheBytes: -1})
			for i := range uint64(3) {
				get(t, h, target)
				assert.Equal(t, hls.Stats{Made: i + 1}, h.Stats())
			}
			get(t, h, "/a/hls-fmp4/video/400000/0-3.mp4")
			assert.Equal(t, hls.Stats{Made: 3}, h.Stats(), "what is not made does not count")
			assert.Zero(t, p.OpenFragments())
		})
	}
}

// unlent is a presentation whose sample data has to be read.
type unlent struct{ smooth.Presentation }

func (u unlent) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	f, err := u.Presentation.Fragment(ctx, k)
	if err != nil {
		return nil, err
	}
	head, err := f.Header(smooth.Smooth)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return smooth.NewFragment(smooth.FragmentInit{
		Key: f.Key, Timescale: f.Timescale, Duration: f.Duration, Codec: f.Codec, Head: head, Body: payloadOf{f},
		Size: f.PayloadSize(), Release: func() { f.Close() },
	}), nil
}

type payloadOf struct{ *smooth.Fragment }

func (p payloadOf) ReadAt(b []byte, off int64) (int, error) { return p.ReadPayloadAt(b, off) }
