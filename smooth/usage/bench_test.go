package usage_test

import (
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

// blank is a response writer that does nothing.
type blank struct{ header http.Header }

func (b *blank) Header() http.Header                         { return b.header }
func (b *blank) Write(p []byte) (int, error)                 { return len(p), nil }
func (b *blank) WriteHeader(int)                             {}
func (b *blank) ReadFrom(src io.Reader) (n int64, err error) { return 0, nil }

// BenchmarkHandler measures what a request of 33 kB costs more than without a recorder.
func BenchmarkHandler(b *testing.B) {
	body := make([]byte, 33_000)
	inner := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	bench := func(name string, h http.Handler, header ...string) {
		b.Run(name, func(b *testing.B) {
			w, r := &blank{make(http.Header)}, get(fragment, header...)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				w, r := &blank{make(http.Header)}, get(fragment, header...)
				for pb.Next() {
					h.ServeHTTP(w, r)
				}
			})
		})
	}
	cmcd := []string{"CMCD-Session", `sid="6e2fb550-c457-11e9-bb97-0800200c9a66",sf=s,st=v`, "CMCD-Object", "br=300,d=2000,ot=v,tb=6000",
		"CMCD-Request", "bl=21300,mtp=48100", "CMCD-Status", "rtp=12000"}
	bench("none", inner)
	rec, err := usage.New(nil)
	require.NoError(b, err)
	defer rec.Close()
	bench("counters", rec.Handler(inner))
	bench("counters and CMCD", rec.Handler(inner), cmcd...)
	log, err := usage.NewW3C(filepath.Join(b.TempDir(), "a.log"), nil)
	require.NoError(b, err)
	logging, err := usage.New(&usage.Options{Logs: []usage.Log{log}})
	require.NoError(b, err)
	defer logging.Close()
	bench("log", logging.Handler(inner), "Referer", "https://example.com/watch/7")
}

func BenchmarkClassify(b *testing.B) {
	for name, url := range map[string]string{
		"fragment": fragment, "segment": "/hls/film/hls-ts/video/300000/20000000-3.ts", "file": "/a/b.mp4", "page": "/app.js",
	} {
		b.Run(name, func(b *testing.B) {
			r := get(url)
			b.ReportAllocs()
			for b.Loop() {
				usage.Classify(r)
			}
		})
	}
}

func TestRequestsAllocateLittle(t *testing.T) {
	r, err := usage.New(&usage.Options{Logger: quiet()})
	require.NoError(t, err)
	defer r.Close()
	body := make([]byte, 100)
	h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	w, q := &blank{make(http.Header)}, get(fragment)
	h.ServeHTTP(w, q)
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() { h.ServeHTTP(w, q) }), 1.0)
}
