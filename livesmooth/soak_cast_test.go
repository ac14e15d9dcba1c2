//go:build soak

package livesmooth

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"path"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// soakFragment is the length of a fragment.
const (
	soakFragment = 200 * time.Millisecond
	soakTicks    = uint64(soakFragment / 100)
)

// soakEpoch is when the clock of all encoders began.
var soakEpoch = time.Now().Truncate(soakFragment)

// soakConfig is what encoders send from a time on: fragments of 300 kB, so that a viewer can stop in the middle of one.
func soakConfig(from uint64) smoothtest.Config {
	durations := smoothtest.Repeat(1, soakTicks)
	return smoothtest.Config{MaxPayload: 1 << 20, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Start: from, Durations: durations, Levels: []smoothtest.Level{{Bitrate: 12_000_000}, {Bitrate: 400_000}}},
		{Type: smooth.Audio, Start: from, Durations: durations, Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}
}

// encoders push to the points that stay.
func (k *soak) encoders() {
	push := func(point, input string) func(*rand.Rand) {
		return func(r *rand.Rand) {
			k.encode(r, k.ctx, point, input, r.IntN(10))
			k.pause(r, 300*time.Millisecond)
		}
	}
	k.loop(2, func(r *rand.Rand) { // the end of the stream is never sent, so that the event goes on
		k.encode(r, k.ctx, "steady.isml", "main", r.IntN(soakEnds))
		k.pause(r, 300*time.Millisecond)
	})
	k.loop(2, push("ops.isml", "main"))
	k.loop(1, push("bare.isml", "main"))
}

// How a connection of an encoder ends, as a number below ten: below soakFallsSilent it breaks off in the middle of a fragment;
// above it the body ends as it should, and only with soakEnds with the end of the stream.
const (
	soakFallsSilent = 3
	soakEnds        = 9
)

// encode is one connection of an encoder.
func (k *soak) encode(r *rand.Rand, ctx context.Context, point, input string, how int) {
	c, err := net.Dial("tcp", k.origin.web.Listener.Addr().String())
	if err != nil {
		k.t.Error(err)
		return
	}
	defer c.Close()
	answered := make(chan int, 1)
	k.work.Go(func() {
		status := 0 // the connection was closed without an answer
		if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			status = answer.StatusCode
		}
		answered <- status
	})
	_, _ = fmt.Fprintf(c, "POST /%s/Streams(%s) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", point, input)
	w := httputil.NewChunkedWriter(c)
	switch err := k.produce(r, ctx, w, how); {
	case err == nil && how > soakFallsSilent:
		_ = w.Close()
		_, _ = io.WriteString(c, "\r\n")
	case err == nil && how == soakFallsSilent: // says nothing any more
	case err != nil && ctx.Err() == nil: // the server has closed the connection, with an answer
	default:
		c.Close()
	}
	status := -1
	select {
	case status = <-answered:
	case <-time.After(10 * time.Second):
	}
	switch {
	case how == soakFallsSilent && ctx.Err() == nil:
		k.note("push silent: %d", status)
	case status <= 0 && (how < soakFallsSilent || ctx.Err() != nil):
		k.note("push broken off")
	case status == http.StatusOK:
		k.note("push ended")
	case status == http.StatusInternalServerError, status == http.StatusRequestEntityTooLarge, status == http.StatusUnsupportedMediaType, status < 0:
		k.t.Errorf("push to %s: %d", point, status)
	default:
		k.note("push refused: %d", status)
	}
}

// produce sends the fragments of up to three seconds in real time, and what how says after them.
func (k *soak) produce(r *rand.Rand, ctx context.Context, w io.Writer, how int) error {
	first := time.Since(soakEpoch)/soakFragment - 2 // an encoder that comes back sends the last two again
	from := uint64(max(first, 0)) * soakTicks
	e := smoothtest.NewEncoder(soakConfig(from))
	if _, err := w.Write(e.Header()); err != nil {
		return err
	}
	n := 1 + r.IntN(15)
	for i := range n {
		end := soakEpoch.Add((max(first, 0) + time.Duration(i) + 1) * soakFragment)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(end) + rand.N(20*time.Millisecond)):
		}
		b := e.Until(time.Duration(i+1) * soakFragment)
		if how < soakFallsSilent && i == n-1 {
			b = b[:r.IntN(len(b))]
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	if how == soakEnds {
		_, err := w.Write(e.Trailer())
		return err
	}
	return nil
}

// viewers watch the points that stay.
func (k *soak) viewers() {
	view := func(s *soakServer, name string) func(*rand.Rand) { return func(r *rand.Rand) { k.view(r, s, name) } }
	k.loop(12, view(k.origin, "steady.isml"))
	k.loop(6, view(k.origin, "ops.isml"))
	k.loop(6, view(k.origin, "bare.isml"))
	k.loop(3, view(k.edge, "pushed.isml"))
	k.loop(3, view(k.edge, "pulled.isml"))
}

// view is what a viewer does next.
func (k *soak) view(r *rand.Rand, s *soakServer, name string) {
	k.pause(r, 50*time.Millisecond)
	m := k.manifest(s, name)
	if m == nil || len(m.Streams) == 0 || len(m.Streams[0].Timeline) == 0 {
		k.pause(r, 200*time.Millisecond)
		return
	}
	video := m.Streams[0]
	url := func(time uint64) string {
		return fmt.Sprintf("/%s/QualityLevels(12000000)/Fragments(video=%d)", name, time)
	}
	n := r.IntN(len(video.Timeline))
	some := video.Timeline[n].Time
	switch r.IntN(8) {
	case 0:
		if k.get(s, url(some), "fragment of the past") == nil && name == "steady.isml" && n > len(video.Timeline)/2 && k.ctx.Err() == nil {
			k.t.Errorf("%s: it is listed, number %d of %d", url(some), n, len(video.Timeline))
		}
	case 1:
		k.vanish(r, s, url(some))
	case 2:
		k.stall(r, s, url(some))
	case 3:
		ctx, cancel := context.WithTimeout(k.ctx, rand.N(500*time.Millisecond))
		defer cancel()
		k.fetch(ctx, s, url(video.Timeline.End()+3*soakTicks), "cancelled")
	case 4:
		k.follow(r, s, url, video.Timeline.End())
	case 5, 6:
		k.segments(r, s, name)
	default:
		what := "fragment"
		if s == k.edge {
			what = map[string]string{"pulled.isml": "edge fragment", "pushed.isml": "pushed on"}[name]
		}
		k.get(s, url(video.Timeline[len(video.Timeline)-1].Time), what)
	}
}

// manifest returns the manifest of a point, nil if there is none now.
func (k *soak) manifest(s *soakServer, name string) *smooth.Manifest {
	data := k.get(s, "/"+name+"/Manifest", "manifest")
	if data == nil {
		return nil
	}
	m, err := smooth.ParseManifest(data)
	if err != nil {
		k.t.Errorf("manifest of %s: %v", name, err)
		return nil
	}
	return m
}

func (k *soak) get(s *soakServer, url, what string) []byte { return k.fetch(k.ctx, s, url, what) }

// fetch gets a body. It notes what has been done, or that it was not to be had; an error of the server fails the test.
func (k *soak) fetch(ctx context.Context, s *soakServer, url, what string) []byte {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.web.URL+url, nil)
	if err != nil {
		k.t.Error(err)
		return nil
	}
	answer, err := http.DefaultClient.Do(req)
	var data []byte
	if err == nil {
		data, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		k.note("cancelled")
	case err != nil:
		k.t.Errorf("%s: %v", url, err)
	case answer.StatusCode == http.StatusOK:
		k.note("%s", what)
		return data
	case answer.StatusCode >= 500:
		k.t.Errorf("%s: %s: %s", url, answer.Status, data)
	default:
		k.note("answer %d", answer.StatusCode)
	}
	return nil
}

// vanish reads a part of a fragment and resets the connection.
func (k *soak) vanish(r *rand.Rand, s *soakServer, url string) {
	c, err := k.dial(s, true)
	if err != nil {
		k.t.Error(err)
		return
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET "+url+" HTTP/1.1\r\nHost: a\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second)) // it may be an answer without body
	_, _ = io.CopyN(io.Discard, c, int64(r.IntN(100<<10)))
	_ = c.SetLinger(0)
	k.note("vanished")
}

// stall asks for a fragment and reads nothing, for less or more than the server allows.
func (k *soak) stall(r *rand.Rand, s *soakServer, url string) {
	c, err := k.dial(s, true)
	if err != nil {
		k.t.Error(err)
		return
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET "+url+" HTTP/1.1\r\nHost: a\r\n\r\n")
	k.pause(r, 4*time.Second)
	k.note("stalled")
}

// follow asks for the fragments to come, each as soon as it has the one before, and checks that they are whole.
func (k *soak) follow(r *rand.Rand, s *soakServer, url func(uint64) string, from uint64) {
	c, err := k.dial(s, false)
	if err != nil {
		k.t.Error(err)
		return
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for i := uint64(0); i <= uint64(r.IntN(10)) && k.ctx.Err() == nil; i++ {
		if _, err := io.WriteString(c, "GET "+url(from+i*soakTicks)+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			k.t.Errorf("%s: %v", url(from+i*soakTicks), err)
			return
		}
		n, err := io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		switch {
		case err != nil || answer.StatusCode >= 500:
			k.t.Errorf("%s: %s, %d bytes, %v", url(from+i*soakTicks), answer.Status, n, err)
			return
		case answer.StatusCode != http.StatusOK:
			k.note("answer %d", answer.StatusCode)
			return
		case n < 300_000:
			k.t.Errorf("%s: %d bytes", url(from+i*soakTicks), n)
		}
		k.note("followed")
	}
}

// segments asks for a playlist and its newest segment.
func (k *soak) segments(r *rand.Rand, s *soakServer, name string) {
	format := []string{"m3u8-aapl", "m3u8-cmaf", "m3u8-aapl-v3"}[r.IntN(3)]
	list := fmt.Sprintf("/%s/QualityLevels(400000)/Manifest(video,format=%s).m3u8", name, format)
	lines := strings.Split(string(k.get(s, list, "playlist")), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if line := lines[i]; line != "" && !strings.HasPrefix(line, "#") {
			k.get(s, path.Join(path.Dir(list), line), "segment")
			return
		}
	}
}
