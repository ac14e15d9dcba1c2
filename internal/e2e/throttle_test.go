package e2e_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// TestThrottle downloads and plays files through the throttling handler, over real sockets.
func TestThrottle(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg")
	dir := makeFilms(t)
	for _, c := range []struct {
		name string
		test func(t *testing.T, dir string)
	}{
		{"wire", throttleWire}, {"gone", throttleGone}, {"sendfile", throttleSendfile}, {"reopening", throttleReopening},
		{"ffmpeg", throttleFFmpeg}, {"start", throttleStart}, {"vlc", throttleVLC}, {"browser", throttleBrowser},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, dir)
		})
	}
}

// film is a file that the tests make.
type film struct {
	name    string
	seconds float64
	kbits   int // wanted rate of the picture
}

var (
	quick = film{"quick.mp4", 12, 2000}    // for clients that only download
	slow  = film{"slow.mp4", 600, 350}     // ten minutes, for players that leave early
	tail  = film{"slow-end.mp4", 600, 350} // the same with its moov at the end
	short = film{"short.mp4", 8, 800}      // for clients that read to the end
)

// tailAVI is the slow film with its index at the end, in AVI.
const tailAVI = "slow.avi"

// makeFilms makes the films, and files of the same content that ffmpeg reads to the end.
func makeFilms(t *testing.T) string {
	t.Helper()
	start := time.Now()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	encode := func(f film, seconds float64) error {
		d, rate := strconv.FormatFloat(seconds, 'f', -1, 64), strconv.Itoa(f.kbits)+"k"
		return ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d="+d+",noise=alls=40:allf=t",
			"-f", "lavfi", "-i", "sine=r=48000:d="+d,
			"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-b:v", rate, "-maxrate", rate, "-bufsize", rate,
			"-c:a", "aac", "-b:a", "64k", "-movflags", "+faststart", path(f.name))
	}
	// Ten minutes are thirty times twenty seconds.
	require.NoError(t, encode(slow, slow.seconds/30))
	loop := []string{"-stream_loop", "29", "-i", path(slow.name), "-c", "copy"}
	require.NoError(t, ffmpeg(t, append(loop, path(tail.name))...))
	require.NoError(t, ffmpeg(t, "-i", path(tail.name), "-c", "copy", "-movflags", "+faststart", path(slow.name)))
	require.NoError(t, ffmpeg(t, "-i", path(tail.name), "-c", "copy", path(tailAVI)))
	require.NoError(t, encode(quick, quick.seconds))
	require.NoError(t, encode(short, short.seconds))
	for _, name := range shortCopies {
		require.NoError(t, ffmpeg(t, "-i", path(short.name), "-c", "copy", path(name)))
	}
	t.Logf("made the films in %v", time.Since(start).Round(time.Millisecond))
	return dir
}

// bytes returns the size of a film.
func (f film) bytes(t *testing.T, dir string) int64 {
	t.Helper()
	return int64(size(t, filepath.Join(dir, f.name)))
}

// rate returns the rate of a film, in bytes per second.
func (f film) rate(t *testing.T, dir string) float64 {
	t.Helper()
	return float64(f.bytes(t, dir)) / f.seconds
}

// rulesFor returns rules for MP4.
func rulesFor(burst time.Duration, percentage int) *throttle.Rules {
	return &throttle.Rules{Settings: []throttle.Setting{{Match: ".mp4", InitialBufferTime: burst, RatePercentage: percentage}}}
}

// socket is a listener on loopback that counts what its connections are given to send.
type socket struct {
	net.Listener
	sendBuffer int // of each connection in bytes, the system's own if zero

	sent      atomic.Int64 // bytes
	fromFiles atomic.Int64 // of them by ReadFrom of a file, for which net.TCPConn knows sendfile
	fileCalls atomic.Int64
}

func (s *socket) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp := c.(*net.TCPConn)
	if s.sendBuffer > 0 {
		if err := tcp.SetWriteBuffer(s.sendBuffer); err != nil {
			return nil, err
		}
	}
	return &countedConn{tcp, s}, nil
}

// countedConn has the methods of a net.TCPConn, of which net/http looks for ReadFrom.
type countedConn struct {
	*net.TCPConn
	s *socket
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	c.s.sent.Add(int64(n))
	return n, err
}

func (c *countedConn) ReadFrom(src io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(src)
	c.s.sent.Add(n)
	if isFile(src) {
		c.s.fromFiles.Add(n)
		c.s.fileCalls.Add(1)
	}
	return n, err
}

// isFile reports whether net.TCPConn.ReadFrom uses sendfile for src: a file, limited once at most.
func isFile(src io.Reader) bool {
	if l, ok := src.(*io.LimitedReader); ok {
		src = l.R
	}
	_, ok := src.(*os.File)
	return ok
}

// origin is a server for one test.
type origin struct {
	*httptest.Server
	socket *socket
}

// originOptions say how an origin serves.
type originOptions struct {
	tls, h2      bool
	sendBuffer   int
	writeTimeout time.Duration
}

// startOrigin serves a handler.
func startOrigin(t *testing.T, h http.Handler, o originOptions) *origin {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	s := &origin{srv, &socket{Listener: srv.Listener, sendBuffer: o.sendBuffer}}
	srv.Listener = s.socket
	srv.Config.WriteTimeout = o.writeTimeout
	srv.EnableHTTP2 = o.h2
	if o.tls || o.h2 {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return s
}

// client returns a client with small receive buffers.
func (s *origin) client() *http.Client {
	transport := s.Client().Transport.(*http.Transport).Clone()
	transport.DisableCompression = true
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(32 << 10)
		}
		return c, err
	}
	return &http.Client{Transport: transport}
}

// observed collects what a handler tells of its responses.
type observed struct {
	mu  sync.Mutex // guards all
	all []throttle.Observation
}

func (o *observed) add(one throttle.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, one)
}

// sums returns the number of responses, the bytes that were sent, and those that were saved, of files with a path.
func (o *observed) sums(path string) (responses int, sent, saved int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, one := range o.all {
		if one.Path == path {
			responses++
			sent += one.BurstBytes + one.SteadyBytes
			saved += one.Saved
		}
	}
	return responses, sent, saved
}

// atOnce runs functions at the same time, as most of them wait, and joins their errors.
func atOnce(fs ...func() error) error {
	errs := make([]error, len(fs))
	var wg sync.WaitGroup
	for i, f := range fs {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// within returns an error unless least <= got <= most.
func within[T cmp.Ordered](what string, got, least, most T) error {
	if got < least || got > most {
		return fmt.Errorf("%s: %v is not between %v and %v", what, got, least, most)
	}
	return nil
}
