package playlist_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// benchList are a playlist of 20 entries and its media.
func benchList() *playlist.Handler {
	var list []string
	for i := range 20 {
		list = append(list, fmt.Sprintf("a.wmv title=Part%d canSkipForward duration=00:00:30", i))
	}
	fsys := files(map[string]string{"list.isx": isx(list...), "free.isx": isx("a.wmv"), "a.wmv": strings.Repeat("a", 1<<20)})
	return playlist.NewHandler(playlist.NewFiles(fsys, quietLog()), &playlist.HandlerOptions{Logger: quietLog(), InactivityTimeout: 1e9})
}

// BenchmarkList is a request for a playlist of 20 entries as ASX, which begins a session, over the loopback interface,
// beside a bare handler that writes the same bytes.
func BenchmarkList(b *testing.B) {
	h := benchList()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/list.isx", nil))
	body := w.Body.Bytes()
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "video/x-ms-asf")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body)
	})
	b.Run("bare", func(b *testing.B) { benchRequests(b, bare, "/list.isx", len(body)) })
	b.Run("playlist", func(b *testing.B) { benchRequests(b, h, "/list.isx", len(body)) })
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		r := httptest.NewRequest("GET", "/list.isx", nil)
		for b.Loop() {
			h.ServeHTTP(&discard{header: http.Header{}}, r)
		}
	})
}

// BenchmarkEntry is a request for the first kilobyte of an entry.
func BenchmarkEntry(b *testing.B) {
	h := benchList()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/free.isx", nil))
	u := hrefs.FindStringSubmatch(w.Body.String())[1]
	r := httptest.NewRequest("GET", strings.TrimPrefix(u, "http://example.com"), nil)
	r.Header.Set("Range", "bytes=0-1023")
	b.ReportAllocs()
	b.SetBytes(1024)
	for b.Loop() {
		h.ServeHTTP(&discard{header: http.Header{}}, r)
	}
}

// discard is a client that throws all away.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header                       { return d.header }
func (d *discard) WriteHeader(int)                           {}
func (d *discard) Write(p []byte) (int, error)               { return len(p), nil }
func (d *discard) ReadFrom(r io.Reader) (n int64, err error) { return io.Copy(io.Discard, r) }

// benchRequests sends requests over connections that stay open, a few at a time.
func benchRequests(b *testing.B, h http.Handler, path string, size int) {
	srv := httptest.NewServer(h)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}}
	defer client.CloseIdleConnections()
	b.SetBytes(int64(size))
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := client.Get(srv.URL + path)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if err != nil || n < int64(size)-200 {
				b.Errorf("%d bytes, %v", n, err)
				return
			}
		}
	})
	require.NotZero(b, size)
}
