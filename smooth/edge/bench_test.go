package edge_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// The sizes are those of an audio and of a video fragment of two seconds. Each case is measured over a connection on
// loopback with a client that only counts bytes, beside a handler that does nothing but write, and beside
// http.FileServer: the difference is what the cache costs.

const (
	small = 33_000
	large = 750_000
)

func benchmarkHandler(b *testing.B, h http.Handler, target string, size int) {
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(b, err)
	defer conn.Close()
	request := []byte("GET " + target + " HTTP/1.1\r\nHost: edge\r\nUser-Agent: bench\r\nAccept-Encoding: gzip\r\n\r\n")
	reader := bufio.NewReaderSize(conn, 256<<10)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		_, err := conn.Write(request)
		require.NoError(b, err)
		require.NoError(b, skipResponse(reader, size))
	}
}

// skipResponse reads a response with a body of a size.
func skipResponse(r *bufio.Reader, size int) error {
	line, err := r.ReadSlice('\n')
	if err != nil || !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("%q: %w", line, err)
	}
	for len(line) > 2 {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
	}
	_, err = io.CopyN(io.Discard, r, int64(size))
	return err
}

// benchCache returns a cache that has an object of a size below /size, in memory or on disk.
func benchCache(b *testing.B, size int, onDisk bool) http.Handler {
	b.Helper()
	opts := &edge.Options{MaxMemoryObject: large}
	if onDisk {
		opts.Dir, opts.MaxMemoryObject = b.TempDir(), 1
	}
	r := newRig(b, sized, opts)
	target := fmt.Sprintf("/%d", size)
	require.Len(b, r.get(target).body, size)
	if onDisk {
		r.cache.WaitWritten()
	}
	require.Equal(b, "HIT", r.get(target).cache())
	return r.cache
}

func BenchmarkHit(b *testing.B) {
	for _, size := range []int{small, large} {
		target := fmt.Sprintf("/%d", size)
		b.Run(fmt.Sprintf("memory/%d", size), func(b *testing.B) { benchmarkHandler(b, benchCache(b, size, false), target, size) })
		b.Run(fmt.Sprintf("disk/%d", size), func(b *testing.B) { benchmarkHandler(b, benchCache(b, size, true), target, size) })
		b.Run(fmt.Sprintf("bare/%d", size), func(b *testing.B) {
			body, length := []byte(noise(1, size)), []string{fmt.Sprint(size)}
			benchmarkHandler(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Length"] = length
				w.Header()["Content-Type"] = nil
				_, _ = w.Write(body)
			}), target, size)
		})
		b.Run(fmt.Sprintf("fileserver/%d", size), func(b *testing.B) {
			dir := b.TempDir()
			require.NoError(b, os.WriteFile(filepath.Join(dir, fmt.Sprint(size)), []byte(noise(1, size)), 0o600))
			benchmarkHandler(b, http.FileServer(http.Dir(dir)), target, size)
		})
	}
}

// nowhere is a response writer that forgets.
type nowhere struct{ header http.Header }

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) WriteHeader(int)             {}
func (w *nowhere) Write(p []byte) (int, error) { return len(p), nil }

// What a hit costs without net/http.
func BenchmarkHitAlone(b *testing.B) {
	r := newRig(b, sized, &edge.Options{})
	target := fmt.Sprintf("/%d", small)
	r.get(target)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w := &nowhere{http.Header{}}
		req := httptest.NewRequest("GET", target, nil)
		req.Header.Set("Accept-Encoding", "gzip")
		for pb.Next() {
			r.cache.ServeHTTP(w, req)
		}
	})
}

// A hit allocates nothing.
func TestHitAllocations(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		reply(200, "body", "Cache-Control", "max-age=10", "Vary", "Accept-Encoding")(w, r)
	}, nil)
	target := "/a.ism/QualityLevels(100000)/Fragments(video=20000000)?x=1"
	w := &nowhere{http.Header{}}
	req := httptest.NewRequest("GET", target, nil)
	r.cache.ServeHTTP(w, req)
	require.Zero(t, testing.AllocsPerRun(100, func() { r.cache.ServeHTTP(w, req) }))
	require.Equal(t, "HIT", w.header.Get("X-Cache"))
}

// A miss, with both handlers called directly.
func BenchmarkMiss(b *testing.B) {
	r := newRig(b, reply(200, noise(1, small), "Cache-Control", "max-age=10"), &edge.Options{MemoryBytes: 64 << 20})
	b.SetBytes(small)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		require.Len(b, r.get(fmt.Sprintf("/%d", i)).body, small)
	}
}
