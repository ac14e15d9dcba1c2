package edge_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/edge"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// pair is an origin and a cache in front of it, both on loopback.
func pair(t *testing.T, h http.Handler, opts edge.Options) (cache *edge.Cache, originURL, edgeURL string) {
	t.Helper()
	origin := httptest.NewServer(h)
	t.Cleanup(origin.Close)
	opts.Upstreams = []edge.Upstream{{URL: origin.URL}}
	opts.Logger = slog.New(slog.DiscardHandler)
	cache, err := edge.New(&opts)
	require.NoError(t, err)
	front := httptest.NewServer(cache)
	t.Cleanup(func() {
		front.Close()
		_ = cache.Close()
	})
	return cache, origin.URL, front.URL
}

// fetch gets a URL with some fields, and the body as it is on the wire.
func fetch(t *testing.T, target string, fields ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
	require.NoError(t, err)
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), err}
}

// A herd over real connections is one request, and all get the right bytes while the upstream is still sending.
func TestHerdOverNetwork(t *testing.T) {
	const viewers = 1000
	want := noise(7, 50_000)
	var requests, waiting atomic.Int64
	all := make(chan struct{})
	cache, _, url := pair(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Cache-Control", "max-age=100")
		w.Header().Set("Content-Length", "50000")
		_, _ = io.WriteString(w, want[:25_000])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-all:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, want[25_000:])
	}), edge.Options{})
	address := strings.TrimPrefix(url, "http://")
	var wg sync.WaitGroup
	var wrong atomic.Int64
	for range viewers {
		wg.Go(func() {
			if !halfAndHalf(address, want, func() {
				if waiting.Add(1) == viewers {
					close(all)
				}
			}) {
				wrong.Add(1)
			}
		})
	}
	wg.Wait()
	assert.Zero(t, wrong.Load())
	assert.EqualValues(t, 1, requests.Load())
	assert.Eventually(t, func() bool { // the last one is counted when its client has had all already
		s := cache.Stats()
		return s.Misses == 1 && s.Coalesced == viewers-1
	}, 10*time.Second, time.Millisecond)
}

// halfAndHalf gets the first half of a body, says so, and gets the second.
func halfAndHalf(address, want string, half func()) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		half()
		return false
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /fragment HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		half()
		return false
	}
	defer resp.Body.Close()
	got := make([]byte, len(want))
	_, err = io.ReadFull(resp.Body, got[:len(got)/2])
	half()
	if err == nil {
		_, err = io.ReadFull(resp.Body, got[len(got)/2:])
	}
	return err == nil && string(got) == want
}

// An upstream that fails in the middle cuts the connections of viewers: none sees a complete response.
func TestCutOverNetwork(t *testing.T) {
	for _, length := range []string{"200000", ""} {
		cache, _, url := pair(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=100")
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			_, _ = io.WriteString(w, noise(1, 100_000))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}), edge.Options{})
		a := fetch(t, url+"/a")
		assert.Equal(t, 200, a.status)
		assert.ErrorIs(t, a.err, io.ErrUnexpectedEOF)
		assert.Zero(t, cache.Stats().Memory.Keys)
	}
}

// Whatever happens at the same time, nobody gets wrong bytes: hits and misses in both tiers, ranges, reloads, purges,
// upstreams that fail in the middle, and viewers who leave.
func TestMixedLoad(t *testing.T) {
	var requests atomic.Uint64
	cache, _, url := pair(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		w = &cutter{ResponseWriter: w, after: 1 << 30}
		if n%7 == 0 {
			w.(*cutter).after = 10_000
		}
		sized(w, r)
	}), edge.Options{Dir: t.TempDir(), MemoryBytes: 2 << 20, DiskBytes: 4 << 20, MaxMemoryObject: 40_000})
	var complete, cut atomic.Int64
	var wg sync.WaitGroup
	for viewer := range 16 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(viewer), 1))
			for range 60 {
				n := 20_000 + 1000*random.IntN(40)
				var fields []string
				from, to := 0, n
				switch random.IntN(12) {
				case 0:
					from, to = 100, 15_000
					fields = []string{"Range", "bytes=100-14999"}
				case 1:
					fields = []string{"Cache-Control", "no-cache"}
				case 2:
					cache.Purge(fmt.Sprintf("/%d", n))
				case 3:
					ctx, cancel := context.WithCancel(context.Background())
					r, _ := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/%d", url, n), nil)
					if resp, err := http.DefaultClient.Do(r); err == nil {
						cancel()
						_ = resp.Body.Close()
					}
					cancel()
					continue
				}
				a := fetch(t, fmt.Sprintf("%s/%d", url, n), fields...)
				switch {
				case a.err != nil:
					cut.Add(1)
				case a.body != noise(uint64(n), n)[from:to]:
					t.Errorf("%d %v: status %d, %s, %d bytes are wrong", n, fields, a.status, a.cache(), len(a.body))
				default:
					complete.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.Positive(t, complete.Load())
	assert.Positive(t, cut.Load())
	require.NoError(t, cache.Close())
	s := cache.Stats()
	assert.Zero(t, s.InFlight)
	assert.Zero(t, s.InFlightBytes)
	assert.Zero(t, s.DiskErrors)
	assert.LessOrEqual(t, s.Memory.Bytes, int64(2<<20))
	assert.LessOrEqual(t, s.Disk.Bytes, int64(4<<20))
}

// cutter cuts a body after some bytes.
type cutter struct {
	http.ResponseWriter
	after int
}

// WriteString implements io.StringWriter.
func (w *cutter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// Write implements io.Writer.
func (w *cutter) Write(p []byte) (int, error) {
	if len(p) > w.after {
		_, _ = w.ResponseWriter.Write(p[:w.after])
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return w.ResponseWriter.Write(p)
}

// Large bodies come from disk over a real connection, whole and in ranges.
func TestDiskOverNetwork(t *testing.T) {
	cache, _, url := pair(t, http.HandlerFunc(sized), edge.Options{Dir: t.TempDir()})
	want := noise(750_000, 750_000)
	assert.True(t, fetch(t, url+"/750000").body == want)
	cache.WaitWritten()
	a := fetch(t, url+"/750000")
	assert.Equal(t, "HIT", a.cache())
	assert.True(t, a.body == want)
	a = fetch(t, url+"/750000", "Range", "bytes=1000-699999")
	assert.Equal(t, 206, a.status)
	assert.True(t, a.body == want[1000:700_000])
	assert.Equal(t, "bytes 1000-699999/750000", a.header.Get("Content-Range"))
}

// The Smooth handler behind the cache gives the same as without, gzip and not, hit and miss.
func TestSmoothOrigin(t *testing.T) {
	files := smooth.FS(smoothtest.Sample(), nil)
	defer files.Close()
	list := []string{}
	require.NoError(t, files.List(t.Context(), func(info smooth.Info) bool {
		list = append(list, info.Name)
		return true
	}))
	require.NotEmpty(t, list)
	cache, origin, front := pair(t, smooth.NewHandler(files, nil), edge.Options{})
	targets := []string{"/" + list[0] + "/Manifest", "/" + list[0] + "/QualityLevels(1)/Fragments(video=0)", "/none.ism/Manifest"}
	targets = append(targets, fragmentsOf(t, files, list[0])...)
	for _, target := range targets {
		for _, encoding := range []string{"identity", "gzip"} {
			direct := fetch(t, origin+target, "Accept-Encoding", encoding)
			for range 2 {
				a := fetch(t, front+target, "Accept-Encoding", encoding)
				assert.Equal(t, direct.status, a.status, target)
				assert.True(t, unzipped(t, direct) == unzipped(t, a), target)
				for _, name := range []string{"Etag", "Content-Type", "Content-Encoding", "Cache-Control", "Vary", "Content-Length"} {
					assert.Equal(t, direct.header[name], a.header[name], "%s %s", target, name)
				}
			}
		}
	}
	s := cache.Stats()
	assert.NotZero(t, s.Hits)
	assert.Less(t, int(s.Fetches), 2*len(targets)+2)
}

// fragmentsOf returns the paths of the first fragments of each level.
func fragmentsOf(t *testing.T, src smooth.Source, name string) (paths []string) {
	t.Helper()
	p, err := src.Open(context.Background(), name)
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Snapshot(context.Background())
	require.NoError(t, err)
	for _, stream := range s.Manifest.Streams {
		for _, level := range stream.Levels {
			paths = append(paths, fmt.Sprintf("/%s/QualityLevels(%d)/Fragments(%s=0)", name, level.Bitrate, stream.Name))
		}
	}
	return paths
}

func unzipped(t *testing.T, a answer) string {
	t.Helper()
	if a.header.Get("Content-Encoding") != "gzip" {
		return a.body
	}
	z, err := gzip.NewReader(strings.NewReader(a.body))
	require.NoError(t, err)
	body, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(body)
}

// What origins of others send, and a live point as players see it through the cache.
func TestOrigins(t *testing.T) {
	edgeTime := 0 // what there is at the live edge
	var r *rig
	r = newRig(t, func(w http.ResponseWriter, q *http.Request) {
		date := r.clock.now().UTC().Format(http.TimeFormat)
		now := []string{"Date", date, "Server", "Microsoft-IIS/10.0", "X-Powered-By", "ASP.NET"}
		switch {
		case strings.HasSuffix(q.URL.Path, "/iis.mp4"): // a static file of IIS: validators only
			if q.Header.Get("If-None-Match") == `"80f1a3:0"` {
				reply(304, "", append(now, "Etag", `"80f1a3:0"`)...)(w, q)
				return
			}
			reply(200, "mp4", append(now, "Etag", `"80f1a3:0"`, "Last-Modified", "Thu, 26 Nov 2026 10:00:00 GMT",
				"Accept-Ranges", "bytes")...)(w, q)
		case strings.HasPrefix(q.URL.Path, "/azure"):
			reply(200, "fragment", append(now, "Cache-Control", "max-age=259200", "X-Content-Type-Options", "nosniff",
				"Access-Control-Allow-Origin", "*", "Expires", "Sun, 29 Nov 2026 12:00:00 GMT", "Etag", `"azure"`)...)(w, q)
		case strings.HasSuffix(q.URL.Path, "/Manifest"):
			reply(200, fmt.Sprint("edge ", edgeTime), "Cache-Control", "public, max-age=1", "Date", date)(w, q)
		case strings.HasSuffix(q.URL.Path, fmt.Sprintf("=%d)", edgeTime+1)):
			reply(412, "", "Cache-Control", "no-store")(w, q)
		default:
			reply(200, "fragment", "Cache-Control", "public, max-age=3600")(w, q)
		}
	}, nil)
	assert.Equal(t, "MISS", r.get("/iis.mp4").cache())
	assert.Equal(t, "REVALIDATED", r.get("/iis.mp4").cache())
	assert.Equal(t, "mp4", r.get("/iis.mp4").body)
	target := "/azure/0e2a/big.ism/QualityLevels(3000000)/Fragments(video=0)"
	r.get(target)
	assert.Equal(t, "HIT", r.get(target).cache())

	for step := range 5 {
		edgeTime = step
		r.clock.advance(time.Second)
		assert.Equal(t, fmt.Sprint("edge ", step), r.get("/live.isml/Manifest").body, "never older than its lifetime")
		assert.Equal(t, "HIT", r.get("/live.isml/Manifest").cache())
		next := fmt.Sprintf("/live.isml/QualityLevels(1)/Fragments(video=%d)", step+1)
		assert.Equal(t, 412, r.get(next).status)
		assert.Equal(t, 412, r.get(next).status)
		edgeTime++
		assert.Equal(t, "MISS", r.get(next).cache(), "not yet is never remembered")
		assert.Equal(t, "HIT", r.get(next).cache())
	}
}
