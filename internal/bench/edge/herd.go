package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const (
	pointName = "event.isml"
	// herdBitrate makes a fragment of two seconds 750 kB.
	herdBitrate = 3_000_000
	// fragmentTime is the length of a fragment in ticks.
	fragmentTime = 2 * smooth.DefaultTimescale
	// holdTime is how long the origin holds a request for the next fragment.
	holdTime = 20 * time.Second
)

// event is a live event at an origin, which counts who asks for what.
type event struct {
	*livesmooth.Server
	point *livesmooth.Point
	addr  string
	media *smoothtest.Encoder
	push  io.WriteCloser
	count int // of fragments that were pushed
	ended chan error
	http  *http.Server

	mu    sync.Mutex
	asked map[string]int
}

// startEvent starts an event with a few fragments.
func startEvent() (*event, error) {
	log := slog.New(slog.DiscardHandler)
	s, err := livesmooth.NewServer(&livesmooth.Options{Logger: log, Viewers: &smooth.HandlerOptions{Logger: log, WaitAtEdge: holdTime}})
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	set := livesmooth.DefaultSettings()
	set.AutoStart = true
	p, err := s.Create(ctx, pointName, set)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	r, w := io.Pipe()
	e := &event{Server: s, point: p, push: w, ended: make(chan error, 1), asked: make(map[string]int)}
	e.media = smoothtest.NewEncoder(smoothtest.Config{
		Streams:    []smoothtest.Stream{{Type: smooth.Video, Name: "video", Levels: []smoothtest.Level{{Bitrate: herdBitrate}}}},
		MaxPayload: 1 << 20,
	})
	go func() { e.ended <- p.Push(ctx, livesmooth.PushInfo{Input: "1"}, r) }()
	if _, err = w.Write(e.media.Header()); err == nil {
		err = e.pushUntil(5)
	}
	if err == nil {
		err = e.listen()
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *event) listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	e.addr = l.Addr().String()
	e.http = &http.Server{Handler: e}
	go e.http.Serve(l) // until close
	return nil
}

// pushUntil pushes fragments until there are n.
func (e *event) pushUntil(n int) error {
	e.count = n
	_, err := e.push.Write(e.media.Until(time.Duration(n) * 2 * time.Second))
	return err
}

// ServeHTTP implements http.Handler.
func (e *event) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.asked[r.URL.Path]++
	e.mu.Unlock()
	e.Server.ServeHTTP(w, r)
}

// times returns how often a path was asked for.
func (e *event) times(path string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked[path]
}

func (e *event) close() error {
	err := e.push.Close()
	if e.http != nil {
		err = errors.Join(err, e.http.Close())
	}
	return errors.Join(err, <-e.ended, e.Server.Close())
}

// fragment returns the path of fragment i, and what the point has for it.
func (e *event) fragment(i int) (path string, body func() ([]byte, error)) {
	k := smooth.FragmentKey{Stream: "video", Bitrate: herdBitrate, Time: uint64(i) * fragmentTime}
	return fmt.Sprintf("/%s/QualityLevels(%d)/Fragments(video=%d)", pointName, k.Bitrate, k.Time), func() ([]byte, error) {
		f, err := e.point.Fragment(context.Background(), k)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		var b bytes.Buffer
		_, err = f.WriteTo(&b)
		return b.Bytes(), err
	}
}

// herd is what became of viewers who asked at once.
type herd struct {
	asked, wrong int
	bytes        int64
	took         time.Duration // from the moment at which the fragment could be had
	err          error         // of one of them
}

// measureHerds lets herds loose on our servers.
func (c *config) measureHerds() error {
	e, err := startEvent()
	if err != nil {
		return err
	}
	defer e.close()
	servers, err := c.startServers(e.addr, cacheName, mediaserverName)
	defer func() { stopAll(servers) }()
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, "| server | fragment | viewers | requests at the origin | wrong bytes | MB | until the last has all, ms |")
	fmt.Fprintln(c.out, "|---|---|---:|---:|---:|---:|---:|")
	var failed error
	for _, s := range servers {
		for _, coming := range []bool{false, true} {
			what := "has been announced"
			if coming {
				what = "is not there yet"
			}
			h, err := c.release(e, s, coming)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.out, "| %s | %s | %d | %d | %d | %.0f | %.0f |\n",
				s.Name, what, c.viewers, h.asked, h.wrong, float64(h.bytes)/1e6, h.took.Seconds()*1e3)
			if h.asked != 1 || h.wrong > 0 {
				failed = errors.Join(failed, fmt.Errorf("%s: a fragment that %s: %d requests, %d viewers without it: %w", s.Name, what, h.asked, h.wrong, h.err))
			}
		}
	}
	return failed
}

// release lets a herd ask for one fragment. If it is coming it is pushed when all have asked.
func (c *config) release(e *event, s *server, coming bool) (*herd, error) {
	n, lookahead := e.count, livesmooth.DefaultSettings().Lookahead
	if !coming {
		if err := e.pushUntil(n + 1 + lookahead); err != nil {
			return nil, err
		}
	}
	path, body := e.fragment(n)
	transport := &http.Transport{MaxIdleConns: c.viewers, DisableCompression: true}
	defer transport.CloseIdleConnections()
	begin := make(chan struct{})
	results := make([]answer, c.viewers)
	var work, written sync.WaitGroup
	written.Add(c.viewers)
	for i := range results {
		work.Go(func() { results[i] = watch(transport, "http://"+s.Addr+path, begin, &written) })
	}
	start := time.Now()
	close(begin)
	if coming {
		written.Wait()
		time.Sleep(200 * time.Millisecond) // the last ones are on their way through the server
		start = time.Now()
		if err := e.pushUntil(n + 1 + lookahead); err != nil {
			return nil, err
		}
	}
	work.Wait()
	h := &herd{took: time.Since(start), asked: e.times(path)}
	want, err := body()
	if err != nil {
		return nil, err
	}
	h.compare(results, want)
	return h, nil
}

// compare looks at what viewers got.
func (h *herd) compare(results []answer, want []byte) {
	sum := sha256.Sum256(want)
	for _, a := range results {
		h.bytes += a.size
		if a.err != nil || a.sum != sum {
			h.wrong++
			h.err = errors.Join(a.err, fmt.Errorf("%d bytes, want %d", a.size, len(want)))
		}
	}
}

// answer is what a viewer got.
type answer struct {
	size int64
	sum  [sha256.Size]byte
	err  error
}

// watch asks for a fragment when begin is closed. It tells written when it has asked, or cannot.
func watch(transport *http.Transport, url string, begin <-chan struct{}, written *sync.WaitGroup) (a answer) {
	var told atomic.Bool
	tell := func() {
		if !told.Swap(true) {
			written.Done()
		}
	}
	defer tell()
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { tell() }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), http.MethodGet, url, nil)
	if err != nil {
		return answer{err: err}
	}
	<-begin
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	sum := sha256.New()
	a.size, a.err = io.Copy(sum, resp.Body)
	sum.Sum(a.sum[:0])
	if a.err == nil && resp.StatusCode != http.StatusOK {
		a.err = errors.New(resp.Status)
	}
	return a
}
