package livesmooth

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// treeNet is a network of hosts in memory, on the clock of a synctest bubble.
type treeNet struct {
	t      *testing.T
	client *http.Client

	mu    sync.Mutex
	hosts map[string]*treeHost
	all   []*treeHost // those that were killed, too
	ports int
}

// treeHost is a host with a server of publishing points.
type treeHost struct {
	net  *treeNet
	name string
	srv  *Server
	web  *http.Server

	accept chan net.Conn
	down   chan struct{}
	once   sync.Once
	conns  []*treeConn // guarded by net.mu
	asked  []string    // requests, guarded by net.mu
	front  func(http.Handler) http.Handler
	hung   bool // guarded by net.mu
}

// treeConn is one end of a connection.
type treeConn struct {
	net.Conn
	addr  treeAddr
	stuck atomic.Bool
}

type treeAddr string

func (a treeAddr) Network() string { return "tree" }
func (a treeAddr) String() string  { return string(a) }

func (c *treeConn) RemoteAddr() net.Addr { return c.addr }

// treeTest runs a test in a bubble, with a network that is taken down at its end.
func treeTest(t *testing.T, test func(t *testing.T, n *treeNet)) {
	synctest.Test(t, func(t *testing.T) {
		n := &treeNet{t: t, hosts: make(map[string]*treeHost)}
		n.client = &http.Client{Transport: &http.Transport{DialContext: n.dial, DisableCompression: true}}
		defer n.close()
		test(t, n)
	})
}

func (n *treeNet) close() {
	for _, h := range n.all {
		h.kill()
	}
	for _, h := range n.all {
		h.srv.Close()
	}
	n.client.CloseIdleConnections()
	time.Sleep(time.Minute) // what sleeps has to come to an end
}

// dial connects to a host.
func (n *treeNet) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	name, _, _ := net.SplitHostPort(addr)
	n.mu.Lock()
	h := n.hosts[name]
	n.ports++
	from := treeAddr(fmt.Sprintf("10.0.0.1:%d", n.ports))
	n.mu.Unlock()
	if h == nil {
		return nil, syscall.ECONNREFUSED
	}
	a, b := net.Pipe()
	near, far := &treeConn{Conn: a, addr: treeAddr(addr)}, &treeConn{Conn: b, addr: from}
	select {
	case h.accept <- far:
	case <-h.down:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	h.conns = append(h.conns, near, far)
	near.stuck.Store(h.hung)
	far.stuck.Store(h.hung)
	n.mu.Unlock()
	return near, nil
}

// host adds a host. Options without a client get that of the network.
func (n *treeNet) host(name string, opts *Options) *treeHost {
	n.t.Helper()
	if opts == nil {
		opts = &Options{}
	}
	opts.Client = n.client
	opts.Logger = slog.New(slog.DiscardHandler)
	opts.Outputs = func(string, *Settings) []smooth.Output {
		return []smooth.Output{hls.NewOutput(&hls.Options{CacheBytes: -1, Logger: opts.Logger})}
	}
	srv, err := NewServer(opts)
	require.NoError(n.t, err)
	srv.distribution.random = func() float64 { return 0.5 }
	return n.serve(name, srv)
}

// serve makes a server reachable under a name.
func (n *treeNet) serve(name string, srv *Server) *treeHost {
	h := &treeHost{net: n, name: name, srv: srv, accept: make(chan net.Conn), down: make(chan struct{})}
	h.web = &http.Server{Handler: http.HandlerFunc(h.ServeHTTP), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	n.mu.Lock()
	n.hosts[name] = h
	n.all = append(n.all, h)
	n.mu.Unlock()
	go h.web.Serve(h)
	return h
}

func (h *treeHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.net.mu.Lock()
	h.asked = append(h.asked, r.Method+" "+r.URL.RequestURI())
	front := h.front
	h.net.mu.Unlock()
	if front != nil {
		front(h.srv).ServeHTTP(w, r)
		return
	}
	h.srv.ServeHTTP(w, r)
}

// before puts a handler before the server.
func (h *treeHost) before(front func(http.Handler) http.Handler) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.front = front
}

// requests returns how many requests there were that begin so.
func (h *treeHost) requests(prefix string) int {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	n := 0
	for _, r := range h.asked {
		if len(r) >= len(prefix) && r[:len(prefix)] == prefix {
			n++
		}
	}
	return n
}

// Accept implements [net.Listener].
func (h *treeHost) Accept() (net.Conn, error) {
	select {
	case c := <-h.accept:
		return c, nil
	case <-h.down:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (h *treeHost) Close() error {
	h.once.Do(func() { close(h.down) })
	return nil
}

// Addr implements [net.Listener].
func (h *treeHost) Addr() net.Addr { return treeAddr(h.name) }

// kill takes the host off the network, with all its connections.
func (h *treeHost) kill() {
	h.net.mu.Lock()
	if h.net.hosts[h.name] == h {
		delete(h.net.hosts, h.name)
	}
	h.net.mu.Unlock()
	h.web.Close()
	h.cut()
}

// cut breaks all connections of the host.
func (h *treeHost) cut() {
	h.net.mu.Lock()
	conns := h.conns
	h.conns = nil
	h.net.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// point makes a point and starts it.
func (h *treeHost) point(change func(*Settings)) *Point {
	h.net.t.Helper()
	s := DefaultSettings()
	if change != nil {
		change(s)
	}
	p, err := h.srv.Create(context.Background(), "a.isml", s)
	require.NoError(h.net.t, err)
	require.NoError(h.net.t, p.Start(context.Background()))
	return p
}

// pulling makes a point that pulls from hosts.
func (h *treeHost) pulling(from ...string) *Point {
	h.net.t.Helper()
	return h.point(func(s *Settings) { s.Source = SourcePull; s.PullFrom = treeRemotes(from...) })
}

func treeRemotes(hosts ...string) []RemotePoint {
	var list []RemotePoint
	for _, h := range hosts {
		list = append(list, RemotePoint{URL: "http://" + h + "/a.isml"})
	}
	return list
}

// get returns the status and body of a viewer's request.
func (h *treeHost) get(path string) []byte {
	w := httptest.NewRecorder()
	h.srv.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/a.isml/"+path, nil))
	return append(fmt.Appendf(nil, "%d\n", w.Code), w.Body.Bytes()...)
}

// treeSend is an input stream that an encoder sends.
type treeSend struct {
	input  string
	config smoothtest.Config
	event  string
}

// treeInputs splits a configuration into input streams of one level each, called after it.
func treeInputs(c smoothtest.Config) []treeSend {
	var list []treeSend
	for _, s := range c.Streams {
		for _, l := range s.Levels {
			one := s
			one.Levels = []smoothtest.Level{l}
			name := s.Name
			if name == "" {
				name = string(s.Type)
			}
			list = append(list, treeSend{input: fmt.Sprintf("%s %d", name, l.Bitrate), config: smoothtest.Config{Streams: []smoothtest.Stream{one}}})
		}
	}
	return list
}

// treeVideo is a configuration of two video levels and audio.
func treeVideo() smoothtest.Config {
	return smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 3_000_000}, {Bitrate: 400_000}}},
		{Type: smooth.Audio, Name: "audio", Language: "eng", Durations: []uint64{20_053_333, 19_840_000, 20_053_333}, Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}
}

// treeEncoder sends input streams to points, in the time of the bubble.
type treeEncoder struct {
	t     *testing.T
	lanes []*treeLane
	sent  time.Duration
}

type treeLane struct {
	enc  *smoothtest.Encoder
	outs []io.Writer
	done []chan error
}

// newTreeEncoder connects to the points, with a connection for each input stream.
func newTreeEncoder(t *testing.T, sends []treeSend, to ...*Point) *treeEncoder {
	e := &treeEncoder{t: t}
	for _, s := range sends {
		l := &treeLane{enc: smoothtest.NewEncoder(s.config)}
		e.open(l, s, to...)
		l.write(l.enc.Header())
	}
	synctest.Wait()
	return e
}

// open connects a lane to points.
func (e *treeEncoder) open(l *treeLane, s treeSend, to ...*Point) {
	for _, p := range to {
		pr, pw := io.Pipe()
		done := make(chan error, 1)
		go func() {
			err := p.Push(context.Background(), PushInfo{Event: s.event, Input: s.input, Address: "encoder"}, pr)
			pr.CloseWithError(io.ErrClosedPipe)
			done <- err
		}()
		l.outs, l.done = append(l.outs, pw), append(l.done, done)
	}
	e.lanes = append(e.lanes, l)
}

// write sends to all points that still listen.
func (l *treeLane) write(b []byte) {
	for _, w := range l.outs {
		_, _ = w.Write(b)
	}
}

// until sends what is complete at a time of the event, in steps of a second.
func (e *treeEncoder) until(at time.Duration) {
	for e.sent < at {
		time.Sleep(time.Second)
		e.sent += time.Second
		for _, l := range e.lanes {
			if b := l.enc.Until(e.sent); b != nil {
				l.write(b)
			}
		}
		synctest.Wait()
	}
}

// close ends the pushes, with or without the end of the stream.
func (e *treeEncoder) close(end bool) {
	for _, l := range e.lanes {
		if end {
			l.write(l.enc.Trailer())
		}
		for i, w := range l.outs {
			w.(*io.PipeWriter).Close()
			<-l.done[i]
		}
	}
	synctest.Wait()
}

// treeListed returns the timelines of a point.
func treeListed(p *Point) map[string]smooth.Timeline {
	b := p.live.Load()
	if b == nil {
		return nil
	}
	list := make(map[string]smooth.Timeline)
	for _, s := range b.snap.Load().Manifest.Streams {
		list[s.Name] = slices.Clone(s.Timeline)
	}
	return list
}

// requireSame checks that hosts give viewers the same: manifest, fragments, and all that other formats are made of.
func requireSame(t *testing.T, first *treeHost, others ...*treeHost) {
	t.Helper()
	synctest.Wait()
	p, err := first.srv.Point("a.isml")
	require.NoError(t, err)
	want := p.live.Load().snap.Load()
	manifest := first.get("Manifest")
	fragments, playlists := treeFragments(first, want), treePlaylists(first)
	require.NotEmpty(t, fragments)
	for _, h := range others {
		o, err := h.srv.Point("a.isml")
		require.NoError(t, err)
		got := o.live.Load().snap.Load()
		require.Equal(t, string(manifest), string(h.get("Manifest")), h.name)
		require.Equal(t, want.Edges, got.Edges, h.name)
		require.Equal(t, want.Gaps, got.Gaps, h.name)
		require.Equal(t, treePeriods(want), treePeriods(got), h.name)
		require.Equal(t, want.Periods, got.Periods, h.name)
		require.Equal(t, want.Validator, got.Validator, h.name)
		require.Equal(t, playlists, treePlaylists(h), h.name)
		others := treeFragments(h, got)
		require.Len(t, others, len(fragments), h.name)
		for path, b := range fragments {
			if !bytes.Equal(b, others[path]) {
				t.Fatalf("%s: %s: other bytes", h.name, path)
			}
		}
	}
}

// treePlaylists returns the HLS playlists, those of the variants after the one that names them.
func treePlaylists(h *treeHost) []string {
	const master = "Manifest(format=m3u8-aapl).m3u8"
	list := []string{string(h.get(master))}
	for line := range strings.Lines(list[0]) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "QualityLevels") {
			list = append(list, string(h.get(line)))
		}
	}
	return list
}

// treePeriods returns the periods without the tracks, for a readable difference.
func treePeriods(s *smooth.Snapshot) []smooth.Period {
	list := slices.Clone(s.Periods)
	for i := range list {
		list[i].Tracks = nil
	}
	return list
}

// treeFragments returns all fragments that a snapshot lists.
func treeFragments(h *treeHost, s *smooth.Snapshot) map[string][]byte {
	all := make(map[string][]byte)
	for _, st := range s.Manifest.Streams {
		for _, l := range st.Levels {
			for _, c := range st.Timeline {
				path := fmt.Sprintf("QualityLevels(%d)/Fragments(%s=%d)", l.Bitrate, st.Name, c.Time)
				if b := h.get(path); bytes.HasPrefix(b, []byte("200")) {
					all[path] = b
				}
			}
		}
	}
	return all
}

// untilEach is until for encoders that began at different times of the event.
func (e *treeEncoder) untilEach(at time.Duration, starts []time.Duration) {
	for e.sent < at {
		time.Sleep(time.Second)
		e.sent += time.Second
		for i, l := range e.lanes {
			if b := l.enc.Until(e.sent - starts[i]); b != nil {
				l.write(b)
			}
		}
		synctest.Wait()
	}
}

// hang makes all connections of a host silent in both directions, and new ones wait for ever.
func (h *treeHost) hang() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	for _, c := range h.conns {
		c.stuck.Store(true)
	}
	h.hung = true
}

// Read implements [net.Conn].
func (c *treeConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for err == nil && c.stuck.Load() { // what arrives is lost
		n, err = c.Conn.Read(b)
	}
	return n, err
}

// wake undoes hang for new connections, and breaks the old ones.
func (h *treeHost) wake() {
	h.net.mu.Lock()
	h.hung = false
	h.net.mu.Unlock()
	h.cut()
}
