package e2e_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

const (
	wireBurst = 2 * time.Second // of the content
	wireTime  = 4 * time.Second // that the download is watched
)

// throttleWire downloads by every protocol, with compression inside and outside of the handler: the burst comes at
// once, then the speed of playback, though the server's WriteTimeout is shorter than the response.
func throttleWire(t *testing.T, dir string) {
	content, err := os.ReadFile(filepath.Join(dir, quick.name))
	require.NoError(t, err)
	files := http.FileServer(http.Dir(dir))
	plain := throttle.NewHandler(files, rulesFor(wireBurst, 100))
	cases := []struct {
		name    string
		handler http.Handler
		options originOptions
		header  string // Content-Encoding that is expected
	}{
		{"HTTP/1.1", plain, originOptions{}, ""},
		{"TLS", plain, originOptions{tls: true}, ""},
		{"HTTP/2", plain, originOptions{h2: true}, ""},
		{"gzip inside", throttle.NewHandler(compressed(files), rulesFor(wireBurst, 100)), originOptions{}, ""},
		{"gzip outside", compressed(plain), originOptions{}, "gzip"},
		{"gzip outside, HTTP/2", compressed(plain), originOptions{h2: true}, "gzip"},
	}
	twice(t, func() error {
		var runs []func() error
		for i, c := range cases {
			o := c.options
			o.writeTimeout = time.Second
			srv := startOrigin(t, c.handler, o)
			runs = append(runs, func() error {
				d, err := fetchFor(t.Context(), srv, "/"+quick.name, fmt.Sprintf("client %d", i), wireTime)
				if err == nil {
					err = errors.Join(d.shape(t, c.name, quick.rate(t, dir), wireBurst, content), d.protocol(c.header, o.h2))
				}
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				return nil
			})
		}
		return atOnce(runs...)
	})
}

// fetched is a download that was given up after some time.
type fetched struct {
	resp  *http.Response
	body  []byte
	times []time.Duration // since the request was sent, when bytes came
	sizes []int           // how many had come then
	took  time.Duration
}

// fetchFor downloads for a time.
func fetchFor(ctx context.Context, srv *origin, path, agent string, most time.Duration) (*fetched, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("User-Agent", agent)
	start := time.Now() // no byte is sent earlier, so that the law is a strict bound
	resp, err := srv.client().Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	timer := time.AfterFunc(most-time.Since(start), cancel)
	defer timer.Stop()
	body := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(resp.Body); err != nil {
			return nil, err
		}
	}
	d := &fetched{resp: resp}
	buf := make([]byte, 16<<10)
	for {
		n, err := body.Read(buf)
		d.took = time.Since(start)
		d.body = append(d.body, buf[:n]...)
		d.times, d.sizes = append(d.times, d.took), append(d.sizes, len(d.body))
		if errors.Is(err, context.Canceled) && d.took >= most {
			return d, nil
		}
		if err != nil {
			return nil, fmt.Errorf("after %d bytes in %v: %w", len(d.body), d.took, err)
		}
	}
}

// at returns how many bytes had come after a time.
func (d *fetched) at(after time.Duration) float64 {
	n := 0
	for i, at := range d.times {
		if at <= after {
			n = d.sizes[i]
		}
	}
	return float64(n)
}

// shape compares a download with the law: never above it, the burst at once, and no less than 80 percent of the rate.
func (d *fetched) shape(t *testing.T, name string, rate float64, burst time.Duration, content []byte) error {
	allowed := func(after time.Duration) float64 { return rate * (burst + after).Seconds() }
	var worst float64
	for i, at := range d.times {
		worst = max(worst, float64(d.sizes[i])/allowed(at))
	}
	half := d.at(500 * time.Millisecond)
	steady := (d.at(d.took) - allowed(0)) / d.took.Seconds()
	t.Logf("%s: %.0f bytes after half a second, %.0f of %.0f bytes/s then, at most %.3f of the law", name, half, steady, rate, worst)
	if !bytes.HasPrefix(content, d.body) {
		return errors.New("what was sent is not the file")
	}
	return errors.Join(
		within("bytes relative to the law", worst, 0.9, 1.02), // the tests know the rate to a percent
		within("bytes in half a second", half, 0.95*allowed(0), allowed(500*time.Millisecond)*1.02),
		within("bytes per second then", steady, 0.8*rate, 1.1*rate))
}

// protocol compares what the response says with what was wanted.
func (d *fetched) protocol(encoding string, h2 bool) error {
	if got := d.resp.Header.Get("Content-Encoding"); got != encoding {
		return fmt.Errorf("content encoding %q, not %q", got, encoding)
	}
	if d.resp.StatusCode != http.StatusOK || (d.resp.ProtoMajor == 2) != h2 {
		return fmt.Errorf("%s %s", d.resp.Proto, d.resp.Status)
	}
	if encoding == "" && d.resp.ContentLength < 0 {
		return errors.New("no Content-Length")
	}
	return nil
}

// compressed is a middleware for compression as there are many: it knows flushing, but hides sendfile.
func compressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next.ServeHTTP(w, r)
			return
		}
		z := &gzipWriter{ResponseWriter: w, z: gzip.NewWriter(w)}
		defer z.z.Close()
		next.ServeHTTP(z, r)
	})
}

type gzipWriter struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (w *gzipWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *gzipWriter) WriteHeader(status int) {
	w.Header().Del("Content-Length")
	w.Header().Set("Content-Encoding", "gzip")
	w.ResponseWriter.WriteHeader(status)
}

func (w *gzipWriter) Write(p []byte) (int, error) { return w.z.Write(p) }

func (w *gzipWriter) FlushError() error {
	return errors.Join(w.z.Flush(), http.NewResponseController(w.ResponseWriter).Flush())
}

// throttleGone leaves in the midst of a wait of four seconds, which the handler must notice at once.
func throttleGone(t *testing.T, dir string) {
	const interval, limit = 4 * time.Second, time.Second
	returned := make(chan time.Time, 3)
	h := throttle.New(http.FileServer(http.Dir(dir)), rulesFor(wireBurst, 100), &throttle.HandlerOptions{Interval: interval})
	noted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		returned <- time.Now()
	})
	burst := int64(quick.rate(t, dir) * wireBurst.Seconds() * 0.98)
	for i, o := range []originOptions{{}, {tls: true}, {h2: true}} {
		srv := startOrigin(t, noted, o)
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/"+quick.name, nil)
		require.NoError(t, err)
		r.Header.Set("User-Agent", fmt.Sprint("client ", i))
		resp, err := srv.client().Do(r)
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, resp.Body, burst)
		require.NoError(t, err)
		time.Sleep(50 * time.Millisecond)
		left := time.Now()
		cancel()
		resp.Body.Close()
		select {
		case at := <-returned:
			t.Logf("%s: the handler returned after %v", resp.Proto, at.Sub(left))
			assert.True(t, at.After(left), "not before")
		case <-time.After(limit):
			t.Errorf("%s: the handler is still there after %v", resp.Proto, limit)
		}
	}
	assert.EqualValues(t, 3, h.Stats().Aborted)
}

// throttleSendfile counts what goes from the file to the socket without passing through the program: nearly all of
// what is paced, in parts, and of what is not, at once.
func throttleSendfile(t *testing.T, dir string) {
	h := throttle.NewHandler(http.FileServer(http.Dir(dir)), rulesFor(time.Second, 500))
	total := quick.bytes(t, dir)
	require.NoError(t, os.Link(filepath.Join(dir, quick.name), filepath.Join(dir, "quick.bin")))
	for _, c := range []struct {
		name  string
		calls int64 // of ReadFrom, at least
		most  int64
	}{{quick.name, 5, 100}, {"quick.bin", 1, 1}} {
		srv := startOrigin(t, h, originOptions{})
		resp, err := srv.client().Get(srv.URL + "/" + c.name)
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, total, n)
		files, calls := srv.socket.fromFiles.Load(), srv.socket.fileCalls.Load()
		t.Logf("%s: %d of %d bytes by sendfile, in %d calls", c.name, files, n, calls)
		assert.GreaterOrEqual(t, files, total-8<<10, c.name)
		assert.NoError(t, within(c.name+": calls", calls, c.calls, c.most))
	}
}
