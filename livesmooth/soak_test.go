//go:build soak

package livesmooth

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

var soakLength = flag.Duration("soak", 2*time.Minute, "how long the soak test lasts")

// TestSoak runs servers with all that may go wrong around them: encoders that come and go, in the middle of a fragment too, or
// fall silent; redundant ones; viewers that vanish in the middle of a body, read nothing, or leave while their request is
// held; operators that start, stop and shut down; .isml files that are made and deleted; servers that pull and are pushed to.
// When all is over, goroutines, memory of fragments, files and heap are where they were.
//
//	go test -race -tags soak -run TestSoak -timeout 20m ./livesmooth -soak 5m
//
// Its time is real, since sockets have no other. Media is too: fragments last a fifth of a second.
func TestSoak(t *testing.T) {
	soakRound(t, 5*time.Second) // what is made once is there after that
	before := soakLook(t)
	k := soakRound(t, *soakLength)
	after := soakLook(t)
	for end := time.Now().Add(20 * time.Second); after.more(before) && time.Now().Before(end); after = soakLook(t) {
		time.Sleep(100 * time.Millisecond)
	}
	assert.False(t, after.more(before), "goroutines or files are left: before %+v, after %+v", before, after)
	if t.Failed() {
		b := make([]byte, 1<<20)
		t.Logf("%s", b[:runtime.Stack(b, true)])
	}
	const slack = 1 << 20 // what the runtime and the packages keep
	assert.LessOrEqual(t, after.heap, before.heap+slack, "heap")
	t.Logf("before %+v, after %+v", before, after)
	t.Logf("%v", k.counts())
	for _, what := range soakMust {
		assert.NotZero(t, k.count(what), "%s: nothing of that has happened", what)
	}
}

// soakMust are things of which each has to happen at least once for a soak to be worth something.
var soakMust = []string{
	"push ended", "push broken off", "push silent: 408", "fragment", "fragment of the past", "vanished", "stalled", "cancelled",
	"followed", "playlist", "segment", "started", "stopped", "shut down", "file made", "file deleted", "edge fragment", "pushed on",
}

// soakUse is what a process holds.
type soakUse struct {
	goroutines, files int
	heap              int64
}

// more reports whether there are more goroutines or files than before.
func (u soakUse) more(before soakUse) bool {
	return u.goroutines > before.goroutines || u.files > before.files
}

// soakLook looks at the process.
func soakLook(t *testing.T) soakUse {
	for range 3 {
		debug.FreeOSMemory() // pools of package sync give back in the second collection
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := soakUse{goroutines: runtime.NumGoroutine(), heap: int64(m.HeapAlloc)}
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		u.files = len(list)
	}
	return u
}

// soak is one round.
type soak struct {
	t     *testing.T
	ctx   context.Context
	root  string
	spool *Spool
	out   *hls.Output

	origin, edge *soakServer
	work         sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	n    map[string]int
	seen map[*pool]string
}

// soakServer is a server behind HTTP.
type soakServer struct {
	*Server
	web *httptest.Server
}

func (k *soak) note(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n[fmt.Sprintf(format, args...)]++
}

func (k *soak) count(what string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.n[what]
}

func (k *soak) counts() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []string
	for what, n := range k.n {
		list = append(list, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// loop runs f again and again in n goroutines, each with a source of chance of its own, until the round is over.
func (k *soak) loop(n int, f func(r *rand.Rand)) {
	for range n {
		r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
		k.work.Go(func() {
			for k.ctx.Err() == nil {
				f(r)
			}
		})
	}
}

// pause waits up to a time, or until the round is over.
func (k *soak) pause(r *rand.Rand, most time.Duration) {
	select {
	case <-k.ctx.Done():
	case <-time.After(rand.N(most) + 1):
	}
}

// soakLog is a log that fails the test for errors: nothing that happens here is the server's fault.
type soakLog struct {
	slog.Handler
	t *testing.T
}

func (l soakLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (l soakLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	l.t.Errorf("logged: %s", text)
	return nil
}

func (l soakLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l soakLog) WithGroup(string) slog.Handler      { return l }

// soakRound runs everything for a time, ends it, and checks that no memory of a fragment is left.
func soakRound(t *testing.T, length time.Duration) *soak {
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	begun := time.Now()
	k := &soak{t: t, ctx: ctx, root: t.TempDir(), n: make(map[string]int), seen: make(map[*pool]string)}
	log := slog.New(soakLog{slog.DiscardHandler, t})
	var err error
	k.spool, err = NewSpool(t.TempDir(), &SpoolOptions{SegmentBytes: 1 << 20, MaxBytes: 64 << 20, Logger: log})
	require.NoError(t, err)
	k.out = hls.NewOutput(&hls.Options{SegmentDuration: time.Second, CacheBytes: 8 << 20, Logger: log, SendTimeout: 2 * time.Second})
	k.edge = k.serve(log, Options{})
	k.origin = k.serve(log, Options{Root: k.root, Sinks: func(point string, _ *Settings) []Sink {
		if strings.HasPrefix(point, "bare") {
			return nil
		}
		return []Sink{k.spool}
	}})
	k.points()
	k.loop(1, func(r *rand.Rand) { k.look(); k.pause(r, 10*time.Millisecond) })
	k.encoders()
	k.viewers()
	k.operators()
	k.work.Wait()
	t.Logf("%v: all have left: %v", time.Since(begun).Round(time.Millisecond), k.counts())
	k.end()
	t.Logf("%v: all has ended", time.Since(begun).Round(time.Millisecond))
	return k
}

// serve starts a server.
func (k *soak) serve(log *slog.Logger, opts Options) *soakServer {
	opts.Logger, opts.Poll, opts.MemoryBudget = log, 50*time.Millisecond, 8<<20
	opts.Limits = Limits{IdleTimeout: time.Second, HeaderTimeout: time.Second, FragmentTimeout: time.Second, GapWait: 500 * time.Millisecond}
	opts.Viewers = &smooth.HandlerOptions{
		Logger: log, WaitAtEdge: 2 * time.Second, SendTimeout: 2 * time.Second, Outputs: []smooth.Output{k.out},
	}
	srv, err := NewServer(&opts)
	require.NoError(k.t, err)
	s := &soakServer{Server: srv}
	s.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				k.t.Errorf("panic: %v\n%s", v, debug.Stack())
				panic(http.ErrAbortHandler)
			}
		}()
		srv.ServeHTTP(w, r)
	}))
	s.web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.web.Start()
	return s
}

// points makes the points that stay: one with two encoders, which is pushed on; one that is operated; one without a
// history, whose budget is too small for its window; and those of the edge.
func (k *soak) points() {
	set := DefaultSettings()
	set.Viewers.WindowLength = 8 * time.Second
	set.AutoStart, set.AutoRestart = true, true
	create := func(s *soakServer, name string, set *Settings) *Point {
		p, err := s.Create(context.Background(), name, set)
		require.NoError(k.t, err)
		require.NoError(k.t, p.Start(context.Background()))
		return p
	}
	create(k.edge, "pushed.isml", set)
	steady := set.Clone()
	steady.PushTo = []RemotePoint{{URL: k.edge.web.URL + "/pushed.isml"}}
	create(k.origin, "steady.isml", steady)
	create(k.origin, "ops.isml", set)
	bare := set.Clone()
	bare.Viewers.WindowLength = time.Minute
	create(k.origin, "bare.isml", bare)
	pull := set.Clone()
	pull.Source, pull.AutoRestart = SourcePull, false
	pull.PullFrom = []RemotePoint{{URL: k.origin.web.URL + "/none.isml"}, {URL: k.origin.web.URL + "/steady.isml"}}
	create(k.edge, "pulled.isml", pull)
}

// look remembers the memory pools of the events that go on.
func (k *soak) look() {
	for _, s := range []*soakServer{k.origin, k.edge} {
		for _, p := range s.Points() {
			if b := p.live.Load(); b != nil {
				k.mu.Lock()
				k.seen[b.pool] = p.Name()
				k.mu.Unlock()
				assert.LessOrEqual(k.t, p.Stats().Memory, int64(64<<20), "%s holds far more than its budget", p.Name())
			}
		}
	}
}

// end ends the servers, now that everybody has left: the origin with Shutdown, the edge with Close.
func (k *soak) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	assert.Eventually(k.t, func() bool {
		for _, p := range k.origin.Points() {
			if p.Stats().Pinned > 0 {
				return false
			}
		}
		return true
	}, 10*time.Second, 10*time.Millisecond, "fragments are lent out, and nobody is there")
	assert.NoError(k.t, k.origin.Shutdown(ctx))
	assert.NoError(k.t, k.edge.Close())
	for _, s := range []*soakServer{k.origin, k.edge} {
		s.web.Close()
	}
	assert.NoError(k.t, k.out.Close())
	assert.NoError(k.t, k.spool.Close())
	http.DefaultClient.CloseIdleConnections()
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, name := range k.seen {
		assert.Zero(k.t, p.used.Load(), "memory of %s is left", name)
	}
	k.n["events"] = len(k.seen)
	k.seen, k.origin, k.edge, k.out, k.spool = nil, nil, nil, nil, nil
}

// operators give commands, make and delete files, and watch.
func (k *soak) operators() {
	k.loop(1, func(r *rand.Rand) { k.operate(r, k.origin, "ops.isml") })
	k.loop(1, func(r *rand.Rand) { k.operate(r, k.edge, "pulled.isml") })
	k.loop(3, k.fileLife)
	k.loop(2, func(r *rand.Rand) {
		ctx, cancel := context.WithTimeout(k.ctx, rand.N(time.Second))
		defer cancel()
		if p, err := k.origin.Point("ops.isml"); err == nil {
			for range p.Watch(ctx) {
				k.note("event")
			}
		}
	})
}

// operate gives one command to a point.
func (k *soak) operate(r *rand.Rand, s *soakServer, name string) {
	k.pause(r, 3*time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p, err := s.Point(name)
	if !assert.NoError(k.t, err) {
		return
	}
	what := []string{"started", "stopped", "shut down", "shut down"}[r.IntN(4)]
	switch what {
	case "started":
		err = p.Start(ctx)
	case "stopped":
		err = p.Stop(ctx)
	default:
		if err = p.Shutdown(ctx); err == nil && r.IntN(2) == 0 {
			set := p.Settings()
			set.Title = fmt.Sprint(r.Uint32())
			err = p.SetSettings(ctx, set)
		}
		_ = p.Start(ctx)
	}
	switch {
	case err == nil:
		k.note("%s", what)
	case !errors.Is(err, ErrTransition) && !errors.Is(err, ErrInUse):
		assert.NoError(k.t, err)
	}
}

// fileLife is that of a publishing point with an .isml file: made, pushed to, watched, deleted while both go on.
func (k *soak) fileLife(r *rand.Rand) {
	name := fmt.Sprintf("dyn/%d.isml", r.Uint32())
	set := DefaultSettings()
	set.AutoStart = true
	set.Viewers.WindowLength = 3 * time.Second
	data, err := set.AppendISML(nil)
	require.NoError(k.t, err)
	file := filepath.Join(k.root, filepath.FromSlash(name))
	require.NoError(k.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(k.t, os.WriteFile(file, data, 0o644))
	k.note("file made")
	var work sync.WaitGroup
	ctx, cancel := context.WithTimeout(k.ctx, time.Second+rand.N(3*time.Second))
	defer cancel()
	a, b := rand.New(rand.NewPCG(r.Uint64(), 1)), rand.New(rand.NewPCG(r.Uint64(), 2))
	work.Go(func() { k.encode(a, ctx, name, "1", a.IntN(10)) })
	work.Go(func() {
		for ctx.Err() == nil {
			k.view(b, k.origin, name)
		}
	})
	<-ctx.Done()
	require.NoError(k.t, os.Remove(file))
	work.Wait()
	if r.IntN(2) == 0 {
		_ = k.origin.Remove(context.Background(), name) // who comes first, the command or the look at the folder
	}
	k.note("file deleted")
}

// dial opens a connection; a narrow one takes little at a time.
func (k *soak) dial(s *soakServer, narrow bool) (*net.TCPConn, error) {
	c, err := net.Dial("tcp", s.web.Listener.Addr().String())
	if err != nil {
		return nil, err
	}
	tcp := c.(*net.TCPConn)
	if narrow {
		return tcp, tcp.SetReadBuffer(4 << 10)
	}
	return tcp, nil
}
