package throttle_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/throttle"
)

// discard is a response writer that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) WriteHeader(int)             {}
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) ReadFrom(src io.Reader) (int64, error) {
	if l, ok := src.(*io.LimitedReader); ok { // as by sendfile
		n := l.N
		l.N = 0
		return n, nil
	}
	return io.Copy(io.Discard, src)
}
func (discard) Flush()                           {}
func (discard) SetWriteDeadline(time.Time) error { return nil }

// page answers as a file server does, without looking for a file.
func page(size int) http.Handler {
	length := []string{strconv.Itoa(size)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Length"] = length
		w.WriteHeader(http.StatusOK)
		_, _ = io.CopyN(w, &zeros{size: int64(size)}, int64(size))
	})
}

// BenchmarkHandlerAside is what the handler costs where it steps aside, beside a bare one.
func BenchmarkHandlerAside(b *testing.B) {
	inner := page(1000)
	for _, one := range []struct {
		name, path string
		h          http.Handler
	}{{"bare", "/x.html", inner}, {"aside", "/x.html", throttle.NewHandler(inner, nil)}, {"probe", "/x.mp4", throttle.NewHandler(inner, nil)}} {
		b.Run(one.name, func(b *testing.B) {
			r := request("GET", one.path)
			w := discard{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				one.h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkHandlerPaced is a response that is paced and never has to wait: 16 writes.
func BenchmarkHandlerPaced(b *testing.B) {
	const size = 4 << 20
	h := throttle.New(page(size), &throttle.Rules{}, &throttle.HandlerOptions{Client: func(*http.Request) string { return "" }})
	r := request("GET", "/x.mp4")
	r = r.WithContext(throttle.WithVariables(r.Context(), throttle.Variables{Rate: 8 * throttle.MbitPerSecond, InitialSendSize: 1 << 50}))
	w := discard{make(http.Header)}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func BenchmarkWriter(b *testing.B) {
	bucket := throttle.NewBucket(throttle.MaxRate, 1<<60, 1<<60)
	w := throttle.NewWriter(context.Background(), io.Discard, bucket)
	p := make([]byte, 32<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = w.Write(p)
	}
}

func BenchmarkBucketTake(b *testing.B) {
	bucket := throttle.NewBucket(throttle.MaxRate, 1<<60, 1<<60)
	b.ReportAllocs()
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			bucket.Take(time.Now(), 1)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				bucket.Take(time.Now(), 1)
			}
		})
	})
}

// Stepping aside costs one object, pacing a few, whatever the size.
func TestAllocations(t *testing.T) {
	count := func(h http.Handler, path string, v throttle.Variables) float64 {
		r := request("GET", path)
		r = r.WithContext(throttle.WithVariables(r.Context(), v))
		w := discard{make(http.Header)}
		return testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) })
	}
	bare := count(page(1000), "/x", throttle.Variables{})
	assert.LessOrEqual(t, count(throttle.NewHandler(page(1000), nil), "/x.html", throttle.Variables{})-bare, 1.0)
	free := throttle.Variables{Rate: 8 * throttle.MbitPerSecond, InitialSendSize: 1 << 50}
	small := count(throttle.NewHandler(page(1<<20), nil), "/x.mp4", free)
	large := count(throttle.NewHandler(page(64<<20), nil), "/x.mp4", free)
	assert.LessOrEqual(t, small-bare, 20.0)
	assert.LessOrEqual(t, (large-small)/(63*4), 2.0, "for each write of 256 kB")
}
