//go:build unix

package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/app"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// program is a running one.
type program struct {
	stop  context.CancelFunc
	ended chan error
}

// run starts the program and waits until it serves.
func run(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	p := &program{stop, make(chan error, 1)}
	go func() {
		err := app.Run(ctx, args, app.Program{Out: w})
		w.CloseWithError(errors.Join(err, io.EOF))
		p.ended <- err
	}()
	t.Cleanup(stop)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "Press") {
			go io.Copy(io.Discard, r)
			return p
		}
	}
	require.NoError(t, lines.Err())
	t.Fatal("the program has ended: ", <-p.ended)
	return nil
}

// end waits for the program, which must end without an error.
func (p *program) end(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.ended:
		assert.NoError(t, err)
	case <-time.After(20 * time.Second):
		t.Error("the program does not end")
	}
}

// box is a server on a socket of its own, with a directory and an archive.
type box struct {
	dir, socket, config string
	client              *http.Client
}

// newBox writes the configuration, which begins with the listeners.
func newBox(t *testing.T, more string) *box {
	t.Helper()
	dir, err := os.MkdirTemp("", "ms") // paths of sockets are short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &box{dir: dir, socket: filepath.Join(dir, "s"), config: filepath.Join(dir, "c.yaml")}
	root := filepath.Join(dir, "root")
	require.NoError(t, os.CopyFS(filepath.Join(root, "vod"), smoothtest.Sample()))
	require.NoError(t, os.WriteFile(filepath.Join(root, "film.mp3"), make([]byte, 4<<20), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "list.isx"), []byte(`<smil><body><seq><ref src="film.mp3"/></seq></body></smil>`), 0o644))
	b.write(t, more)
	b.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", b.socket)
		},
		MaxIdleConnsPerHost: 100,
	}}
	t.Cleanup(b.client.CloseIdleConnections)
	return b
}

func (b *box) write(t *testing.T, more string) {
	t.Helper()
	text := fmt.Sprintf("listen: [{address: %q}]\nroot: %s/root\nhandover: %s/h\nlive: {demo: true}\narchive: {directory: %s/archive}\nlog: {level: error}\n%s",
		"unix:"+b.socket, b.dir, b.dir, b.dir, more)
	require.NoError(t, os.WriteFile(b.config, []byte(text), 0o644))
}

// get returns the status, 0 if there is none, and the body.
func (b *box) get(path string) (int, []byte, error) {
	resp, err := b.client.Get("http://localhost" + path)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// TestHandovers: processes take over from one another while viewers watch and download and an encoder pushes. Nobody is refused or cut
// off, and the event is recorded as one.
func TestHandovers(t *testing.T) {
	const times = 20
	b := newBox(t, "throttle: {disabled: true}\n")
	now := run(t, "-config", b.config)
	stop := make(chan struct{})
	var load sync.WaitGroup
	var asked atomic.Int64
	until := func(f func() bool) {
		load.Go(func() {
			for f() {
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for _, path := range []string{
		"/vod/sample.ism/Manifest", "/vod/sample.ism/QualityLevels(294000)/Fragments(video=0)",
		"/vod/sample.ism/Manifest(format=m3u8-aapl)", "/list.isx", "/healthz", "/archive/none", "/_page/app.js",
	} {
		want := http.StatusOK
		if path == "/archive/none" {
			want = http.StatusNotFound
		}
		until(func() bool {
			status, body, err := b.get(path)
			asked.Add(1)
			return assert.NoError(t, err, path) && assert.Equal(t, want, status, "%s: %s", path, body)
		})
	}
	for range 3 {
		until(func() bool { return download(t, b) })
	}
	enc := &encoder{box: b, step: 50 * time.Millisecond}
	until(func() bool { return enc.push(t, stop) })
	require.Eventually(t, func() bool { s, _, _ := b.get("/live/demo.isml/Manifest"); return s == 200 }, 10*time.Second, time.Millisecond)
	until(func() bool { // which is not there before the encoder is back
		status, body, err := b.get("/live/demo.isml/Manifest")
		return assert.NoError(t, err) && assert.Contains(t, []int{200, 404, 412}, status, "%s", body)
	})
	for range times {
		next := run(t, "-config", b.config)
		now.end(t)
		now = next
	}
	close(stop)
	load.Wait()
	assert.Greater(t, asked.Load(), int64(times))
	assert.Greater(t, enc.pushes, times/4, "the encoder was told to come back")

	b.untilRecorded(t, enc.at-3*time.Second)
	now.stop()
	now.end(t)
}

// untilRecorded waits until the one event that there is has a length.
func (b *box) untilRecorded(t *testing.T, d time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, body, err := b.get("/presentations.json")
		require.NoError(t, err)
		var list struct {
			Presentations []struct{ Recording *struct{ Seconds float64 } }
		}
		require.NoError(t, json.Unmarshal(body, &list))
		events, long := 0, false
		for _, p := range list.Presentations {
			if p.Recording != nil {
				events++
				long = p.Recording.Seconds >= d.Seconds()
			}
		}
		require.LessOrEqual(t, events, 1, "one event: %s", body)
		return long
	}, 10*time.Second, 10*time.Millisecond, "everything is recorded")
}

// TestHandoverGivenUp: a process that cannot take over, found out when the first one has let go of everything, leaves that as it was.
func TestHandoverGivenUp(t *testing.T) {
	b := newBox(t, "")
	first := run(t, "-config", b.config)
	stop := make(chan struct{})
	enc := &encoder{box: b, step: 20 * time.Millisecond}
	var load sync.WaitGroup
	load.Go(func() {
		for enc.push(t, stop) {
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	bad := filepath.Join(b.dir, "bad.yaml")
	text, err := os.ReadFile(b.config)
	require.NoError(t, err)
	text = []byte(strings.Replace(string(text), b.dir+"/archive", b.config, 1)) // where no archive can be
	require.NoError(t, os.WriteFile(bad, text, 0o644))
	for range 3 {
		err := app.Run(t.Context(), []string{"-config", bad}, app.Program{Out: io.Discard})
		require.ErrorContains(t, err, "archive")
		status, _, err := b.get("/healthz")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	b.untilRecorded(t, 10*time.Second)
	second := run(t, "-config", b.config)
	first.end(t)
	close(stop)
	load.Wait()
	b.untilRecorded(t, enc.at-3*time.Second)
	second.stop()
	second.end(t)
}

// download gets a file a bit at a time.
func download(t *testing.T, b *box) bool {
	resp, err := b.client.Get("http://localhost/film.mp3")
	if !assert.NoError(t, err) {
		return false
	}
	defer resp.Body.Close()
	n := int64(0)
	for {
		m, err := io.CopyN(io.Discard, resp.Body, 256<<10)
		n += m
		if err == io.EOF {
			return assert.Equal(t, int64(4<<20), n)
		}
		if !assert.NoError(t, err, "after %d bytes", n) {
			return false
		}
		time.Sleep(5 * time.Millisecond) // so that it lasts longer than a handover
	}
}

// encoder pushes to the demo, and comes back with the last seconds when it is told to.
type encoder struct {
	box    *box
	step   time.Duration // of real time for half a second of the event
	at     time.Duration
	pushes int
}

// push pushes until it is told to go or the test ends.
func (e *encoder) push(t *testing.T, stop <-chan struct{}) bool {
	c := smoothtest.Default()
	c.Streams, c.MaxPayload = c.Streams[:2], 500
	enc := smoothtest.NewEncoder(c)
	head := enc.Header()
	enc.Until(max(0, e.at-6*time.Second))
	r, w := io.Pipe()
	told := make(chan int, 1)
	go func() {
		resp, err := e.box.client.Post("http://localhost/live/demo.isml/Streams(enc)", "", r)
		status := 0
		if err == nil {
			status = resp.StatusCode
			resp.Body.Close()
		}
		r.CloseWithError(io.ErrClosedPipe)
		told <- status
	}()
	e.pushes++
	_, err := w.Write(head)
	tick := time.NewTicker(e.step)
	defer tick.Stop()
	for err == nil {
		select {
		case <-stop:
			w.Write(enc.Trailer())
			w.Close()
			return assert.Contains(t, []int{0, http.StatusOK, http.StatusServiceUnavailable}, <-told, "or told to come back just now")
		case <-tick.C:
			e.at += 500 * time.Millisecond
			_, err = w.Write(enc.Until(e.at))
		}
	}
	status := <-told
	return assert.Contains(t, []int{0, http.StatusServiceUnavailable}, status, "told to come back")
}
