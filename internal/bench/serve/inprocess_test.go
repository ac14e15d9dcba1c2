package main

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/smoothkit/smoothkit/smooth"
)

// nullWriter is a response that goes nowhere.
type nullWriter struct{ header http.Header }

func (w *nullWriter) Header() http.Header         { return w.header }
func (w *nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *nullWriter) WriteHeader(int)             {}

// BenchmarkInProcess sends audio fragments nowhere, so that only handler, source and the read of the file are left.
func BenchmarkInProcess(b *testing.B) {
	root, name := os.Getenv("SMOOTHKIT_BENCH_ROOT"), os.Getenv("SMOOTHKIT_BENCH_NAME")
	if root == "" || name == "" {
		b.Skip("SMOOTHKIT_BENCH_ROOT and SMOOTHKIT_BENCH_NAME name no presentation")
	}
	dir := b.TempDir()
	loads, err := prepare(config{root: root, name: name}, dir)
	if err != nil {
		b.Fatal(err)
	}
	bare, err := newBare(dir)
	if err != nil {
		b.Fatal(err)
	}
	src := smooth.Dir(root, nil)
	defer src.Close()
	ours := smooth.NewHandler(src, &smooth.HandlerOptions{Logger: slog.New(slog.DiscardHandler)})
	for _, l := range loads {
		if l.name != "audio" {
			continue
		}
		for handler, h := range map[string]http.Handler{"bare": bare, "ours": ours} {
			b.Run(handler, func(b *testing.B) {
				var requests []*http.Request
				for _, p := range l.pieces {
					requests = append(requests, httptest.NewRequest(http.MethodGet, "/"+p.Path, nil))
				}
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					w := &nullWriter{make(http.Header)}
					for i := rand.IntN(len(requests)); pb.Next(); i++ {
						clear(w.header)
						h.ServeHTTP(w, requests[i%len(requests)])
					}
				})
			})
		}
	}
}
