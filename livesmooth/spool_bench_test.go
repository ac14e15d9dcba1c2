package livesmooth_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// benchSpool begins a recording of the tracks of p that keeps 256 MiB.
func benchSpool(b *testing.B, p smooth.Presentation) (smooth.Recording, smooth.Presentation) {
	b.Helper()
	s, err := livesmooth.NewSpool(b.TempDir(), &livesmooth.SpoolOptions{MaxBytes: 256 << 20, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	b.Cleanup(func() { s.Close() })
	r, err := s.Begin(b.Context(), smooth.EventInfo{Started: time.Unix(1, 0)})
	require.NoError(b, err)
	h := r.History()
	b.Cleanup(func() {
		r.Close(b.Context(), true)
		h.Close()
	})
	require.NoError(b, r.Declare(b.Context(), spoolInput(b, p)))
	return r, h
}

// BenchmarkSpoolAppend writes fragments of 750 kB, head and payload apart as a publishing point has them, and of 24 kB.
func BenchmarkSpoolAppend(b *testing.B) {
	for _, k := range []smooth.FragmentKey{{Stream: "video", Bitrate: 3_000_000}, {Stream: "audio", Bitrate: 96_000}} {
		b.Run(k.Stream, func(b *testing.B) {
			p := spoolMedia(1)
			r, _ := benchSpool(b, p)
			data := spoolBytes(b, p, k)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				k.Time += 20_000_000
				if err := r.Append(b.Context(), "encoder", smooth.NewFragment(smooth.FragmentInit{
					Key: k, Timescale: smooth.DefaultTimescale, Duration: 20_000_000, Head: data[:200], Payload: data[200:],
				})); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSpoolServe sends a fragment through a server on loopback, from the spool and from a file that the kernel sends
// from all the same.
func BenchmarkSpoolServe(b *testing.B) {
	for _, k := range []smooth.FragmentKey{{Stream: "video", Bitrate: 3_000_000}, {Stream: "audio", Bitrate: 96_000}} {
		p := spoolMedia(1)
		r, h := benchSpool(b, p)
		require.NoError(b, appendSpool(b, r, p, k))
		data := spoolBytes(b, p, k)
		path := filepath.Join(b.TempDir(), "plain")
		require.NoError(b, os.WriteFile(path, data, 0o600))
		serve := func(w http.ResponseWriter, write func() error) {
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			if err := write(); err != nil {
				b.Error(err)
			}
		}
		b.Run(k.Stream+"/spool", func(b *testing.B) {
			benchSpoolServe(b, len(data), func(w http.ResponseWriter, req *http.Request) {
				serve(w, func() error {
					f, err := h.Fragment(req.Context(), k)
					if err != nil {
						return err
					}
					defer f.Close()
					_, err = f.WriteTo(w)
					return err
				})
			})
		})
		b.Run(k.Stream+"/sendfile", func(b *testing.B) {
			file, err := os.Open(path)
			require.NoError(b, err)
			defer file.Close()
			benchSpoolServe(b, len(data), func(w http.ResponseWriter, _ *http.Request) {
				serve(w, func() error {
					if _, err := file.Seek(0, io.SeekStart); err != nil {
						return err
					}
					_, err := w.(io.ReaderFrom).ReadFrom(&io.LimitedReader{R: file, N: int64(len(data))})
					return err
				})
			})
		})
	}
}

func benchSpoolServe(b *testing.B, size int, h http.HandlerFunc) {
	server := httptest.NewServer(h)
	defer server.Close()
	buf := make([]byte, 1<<20)
	b.SetBytes(int64(size))
	for b.Loop() {
		resp, err := server.Client().Get(server.URL)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{resp.Body}, buf)
		resp.Body.Close()
		if err != nil || n != int64(size) {
			b.Fatal(n, err)
		}
	}
}
