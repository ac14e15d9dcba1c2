package smooth_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth"
)

// nullWriter is a response writer that costs next to nothing.
type nullWriter struct {
	header http.Header
	bytes  int64
}

func (w *nullWriter) Header() http.Header         { return w.header }
func (w *nullWriter) WriteHeader(int)             {}
func (w *nullWriter) Write(p []byte) (int, error) { w.bytes += int64(len(p)); return len(p), nil }

// benchmarkHandler measures what the handler adds to net/http; the size of the body must not matter.
func benchmarkHandler(b *testing.B, h http.Handler, target string, headers ...string) {
	b.Helper()
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := &nullWriter{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	if w.bytes == 0 {
		b.Fatal("nothing was sent")
	}
}

func newBenchHandler(t testing.TB) *smooth.Handler {
	p := newFake(t)
	k := videoKey(20000000)
	p.fragments[k] = fakeFragment(t, k, smooth.Video, 33000/4)
	return smooth.NewHandler(&fakeSource{name: "a.ism", p: p}, nil)
}

func BenchmarkHandlerFragment33k(b *testing.B) { benchmarkHandler(b, newBenchHandler(b), videoURL) }

func BenchmarkHandlerFragmentRange(b *testing.B) {
	benchmarkHandler(b, newBenchHandler(b), videoURL, "Range", "bytes=0-999")
}

func BenchmarkHandlerManifest(b *testing.B) {
	benchmarkHandler(b, newBenchHandler(b), "/a.ism/Manifest")
}

func BenchmarkHandlerManifestGzip(b *testing.B) {
	benchmarkHandler(b, newBenchHandler(b), "/a.ism/Manifest", "Accept-Encoding", "gzip, deflate, br")
}

func BenchmarkParseRequest(b *testing.B) {
	u := mustURL(b, "/sport/final.ism/QualityLevels(1200000)/Fragments(video=20000000)")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := smooth.ParseRequest(u); err != nil {
			b.Fatal(err)
		}
	}
}

// TestHandlerAllocations holds the line: a constant few per request, whatever the presentation. The fake's own
// fragment is one of them.
func TestHandlerAllocations(t *testing.T) {
	h := newBenchHandler(t)
	for target, limit := range map[string]float64{videoURL: 4, "/a.ism/Manifest": 6} {
		r := httptest.NewRequest("GET", target, nil)
		w := &nullWriter{header: make(http.Header)}
		n := testing.AllocsPerRun(100, func() {
			clear(w.header)
			h.ServeHTTP(w, r)
		})
		assert.LessOrEqual(t, n, limit, target)
	}
}

// BenchmarkServer33k compares a bare handler that sends the same bytes with ours, over one connection each.
func BenchmarkServer33k(b *testing.B) {
	k := videoKey(20000000)
	data := fakeFragment(b, k, smooth.Video, 33000/4).Memory
	length := []string{strconv.Itoa(len(data))}
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{"video/mp4"}
		w.Header()["Content-Length"] = length
		_, _ = w.Write(data)
	})
	for name, h := range map[string]http.Handler{"bare": bare, "handler": newBenchHandler(b)} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(h)
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			request := []byte("GET " + videoURL + " HTTP/1.1\r\nHost: a\r\n\r\n")
			in := bufio.NewReaderSize(conn, 64<<10)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				if err := skipResponse(in, len(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// skipResponse reads a response without parsing it, so that the client's cost does not depend on the headers.
func skipResponse(in *bufio.Reader, size int) error {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			_, err = in.Discard(size)
			return err
		}
	}
}
